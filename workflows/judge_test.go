package workflows

import (
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// TestARateBesideTheHostMustBeKnown has a limit hold by the flow store, and by the
// counters where the sensors sit before it. What leaves an address that may be the host's
// must be known and low for that to be a proof.
func TestARateBesideTheHostMustBeKnown(t *testing.T) {
	t.Parallel()
	rate := func(n int64) *incident.Value[int64] { v := incident.Known(n, incident.FromFlows); return &v }
	none := incident.NotKnown[int64]("the store was down")
	passed, dropped := int64(9e6), int64(50e6)
	var s incident.StepState
	s.Use, s.Verify = "gateway", &incident.Verify{EgressBelow: 15e6}
	s.Counted = &incident.Counted{Passed: &passed, Dropped: &dropped}
	for name, m := range map[string]measured{
		"the flow store": {store: "flows", rate: 9e6}, "the counters": {store: "flows", rate: 59e6, sensor: incident.SensorBefore},
	} {
		m.beside = []string{"2001:db8::1"}
		for _, tt := range []struct {
			there *incident.Value[int64]
			want  incident.Proof
			says  string
		}{
			{nil, incident.Verified, ""},
			{rate(0), incident.Verified, ""},
			{rate(15e6 - 1), incident.Verified, ""},
			{rate(15e6), incident.CannotTell, "the alert names 2001:db8::1, which the EDR does not know as the device's, and 15 Mbit/s leave there"},
			{&none, incident.CannotTell, "and what leaves there is unknown: the store was down"},
		} {
			m.there = tt.there
			if got := judge(s, m); got.proof != tt.want || !strings.Contains(got.detail, tt.says) {
				t.Errorf("%s, beside it %v: %s, %s; want %s", name, tt.there, got.proof, got.detail, tt.want)
			}
		}
	}
}
