package httpapi_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/auth"
	"github.com/stanch-soar/stanch/cmd/internal/engine"
	"github.com/stanch-soar/stanch/cmd/internal/httpapi"
)

// What a source leaves behind is counted by the engine: each body once, and apart from what
// other sources leave and from what asks for no response.
func TestTheEngineCountsWhatASourceLeaves(t *testing.T) {
	t.Parallel()
	needsEngine(t)
	const name = "it's a leaver"
	s := newSide(t, func(o *httpapi.Options) {
		o.Sources["leaver"] = source(t, sender{Name: name, Kind: "stanch", Auth: auth.Auth{Bearer: siemToken}})
	})
	want := engine.Kept{}
	for i := range 3 {
		body := fmt.Sprintf(`{"id":"a-%d","host":{"ip":"10.20.0"}}`, i)
		for range 2 {
			s.call("POST", "/v1/alerts/leaver", siemToken, body).is(422, nil)
		}
		want.Number++
		want.Bytes += int64(len(body))
	}
	s.call("POST", "/v1/alerts/leaver", siemToken, `{"id":"a-1","status":"resolved","category":"note","host":{"id":"leaver"}}`).is(202, nil)
	s.call("POST", "/v1/alerts/siem", siemToken, `{"id":"a-1","host":{"ip":"10.20.0"}}`).is(422, nil)

	c := engine.New(shared.client, engine.Options{})
	counts := func(as engine.KeptAs, want engine.Kept) {
		t.Helper()
		var got engine.Kept
		for deadline := time.Now().Add(time.Minute); got != want; {
			var err error
			if got, err = c.Kept(t.Context(), name, as); err != nil || time.Now().After(deadline) {
				t.Fatalf("%s are %+v, %v; want %+v", as, got, err, want)
			}
		}
	}
	counts(engine.AsRejected, want)
	counts(engine.AsRecorded, engine.Kept{Number: 1})
}

// A rejected alert has the pointer into the body that is kept of it, not into the request
// that it came in.
func TestARejectedAlertPointsIntoWhatIsKept(t *testing.T) {
	t.Parallel()
	needsEngine(t)
	s := newSide(t, products(t))
	var got api.Accepted
	s.call("POST", "/v1/alerts/siem", siemToken, `{"alerts":[{"id":"p-1","category":"note","host":{"id":"pointed"}},{"id":"p-2","host":{"ip":["10.20.0.42","10.20.0"]}}]}`).is(202, &got)
	var record protocol.RejectedAlert
	s.call("GET", "/v1/rejected/"+got.Rejected[0].ID, aliceToken, nil).is(200, &record)
	if got.Rejected[0].Path != "alerts[1].host.ip" || record.Pointer != "/host/ip" || string(record.Body) != `{"id":"p-2","host":{"ip":["10.20.0.42","10.20.0"]}}` {
		t.Errorf("the field %s is kept as %s of %s", got.Rejected[0].Path, record.Pointer, record.Body)
	}
	whole := s.call("POST", "/v1/alerts/elastic", siemToken, `{"context":{"alerts":7}}`).refused(422, "rejected")
	s.call("GET", "/v1/rejected/"+whole.Rejected, aliceToken, nil).is(200, &record)
	if record.Pointer != "/context/alerts" {
		t.Errorf("what is no list is at %q", record.Pointer)
	}
}
