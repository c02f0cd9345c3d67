package httpapi_test

import (
	"testing"

	"github.com/stanch-soar/stanch/cmd/internal/api"
)

// What asks for no response is recorded also where it names no host and no playbook would
// take it; what fires is rejected then.
func TestWhatAsksForNoResponseNeedsNoHost(t *testing.T) {
	needsEngine(t)
	s := newSide(t, products(t))
	var got api.Accepted
	s.call("POST", "/v1/alerts/splunk", siemToken, `[{"sid":"quiet","result":{"alert_state":"resolved","category":"nothing of ours"}}]`).is(202, &got)
	if len(got.Recorded) != 1 || len(got.Cases)+len(got.Rejected) != 0 {
		t.Errorf("resolved, it is taken as %+v; want it recorded alone", got)
	}
	s.call("POST", "/v1/alerts/splunk", siemToken, `[{"sid":"loud","result":{"category":"nothing of ours"}}]`).is(422, nil)
}
