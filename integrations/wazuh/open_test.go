package wazuh

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/wazuh/wazuhfake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// What an order leaves open is a short list of networks: anything else is not sent.
func TestAnOrderLeavesNetworksOpen(t *testing.T) {
	many := func(n int) (list []string) {
		for i := range n {
			list = append(list, fmt.Sprintf("192.0.2.%d", i))
		}
		return list
	}
	d := judged(t)
	for name, c := range map[string]struct {
		except, want []string
		refused      bool
	}{
		"nothing":        {nil, nil, false},
		"addresses":      {[]string{"192.0.2.10", "2001:db8::1"}, []string{"192.0.2.10/32", "2001:db8::1/128"}, false},
		"networks":       {[]string{"10.1.0.0/24", "2001:db8::/64"}, []string{"10.1.0.0/24", "2001:db8::/64"}, false},
		"as IPv6":        {[]string{"::ffff:192.0.2.10"}, []string{"192.0.2.10/32"}, false},
		"all":            {[]string{"0.0.0.0/0"}, nil, true},
		"no network":     {[]string{"10.1.0.1/24"}, nil, true},
		"with a zone":    {[]string{"fe80::1%eth0"}, nil, true},
		"a name":         {[]string{"proxy.corp.example"}, nil, true},
		"a script":       {[]string{"192.0.2.10;whoami"}, nil, true},
		"as many as fit": {many(maxOpen), nil, false},
		"too many":       {many(maxOpen + 1), nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			x := d.open(t, wazuhfake.Options{})
			x.add(edrtest.Host{ID: idOf("ws-042"), Name: "ws-042"})
			_, err := x.Apply(t.Context(), incident.Order{Key: "k", Action: incident.Isolate, Target: target(t, "ws-042"), Reason: "test", Except: c.except})
			x.world.Settle()
			if c.refused {
				if integrations.KindOf(err) != integrations.Invalid || x.world.Effects("") != 0 {
					t.Errorf("isolate but for %v: %v, %d effects; want it refused", c.except, err, x.world.Effects(""))
				}
				return
			}
			got := x.machines.Excepted(idOf("ws-042"))
			if err != nil || c.want != nil && !slices.Equal(got, c.want) || len(got) != len(c.except) {
				t.Errorf("isolate but for %v: %v, the machine still reaches %v", c.except, err, got)
			}
		})
	}
}
