package estate_test

import (
	"slices"
	"testing"

	"github.com/stanch-soar/stanch/integrations/flowlog/estate"
)

// The EDR knows a device by what the estate says of its host: one without an agent not at all, one that is silent
// as it was when it was last heard.
func TestTheEDRKnowsWhatItsAgentsTold(t *testing.T) {
	e := small(t, 1)
	kinds := map[estate.Agent]int{}
	for _, h := range e.Hosts() {
		kinds[h.Agent]++
		d, known := e.Endpoint(h.Name)
		if known != (h.Agent != estate.NoAgent) {
			t.Errorf("%s has the agent %s, and is known: %v", h.Name, h.Agent, known)
		}
		if !known {
			continue
		}
		id, _ := d.ID.Get()
		online, _ := d.Online.Get()
		seen, _ := d.LastSeen.Get()
		addresses, _ := d.IP.Get()
		if id != h.ID || online != (h.Agent == estate.Answers) || online != seen.Equal(e.End()) {
			t.Errorf("%s (%s) is %s, online %v, last seen %s", h.Name, h.Agent, id, online, seen)
		}
		held := slices.ContainsFunc(h.Addresses, func(a estate.Address) bool { return a.Addr.String() == addresses[0] })
		if !held || h.V6.IsValid() != (len(addresses) == 2) {
			t.Errorf("%s is at %v, want one of %v and %s", h.Name, addresses, h.Addresses, h.V6)
		}
	}
	for _, kind := range []estate.Agent{estate.Answers, estate.Silent, estate.NoAgent} {
		if kinds[kind] == 0 {
			t.Errorf("no host has the agent %s", kind)
		}
	}
	if _, known := e.Endpoint("nobody"); known {
		t.Error("a host that there is not is known")
	}
}
