package memory_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks"
)

// A host of the estate may be given addresses, also of IPv6, by which its EDR then finds
// it; what is no host or no address is refused.
func TestHostsAreGivenAddresses(t *testing.T) {
	t.Parallel()
	config := memory.Config{Scenario: memory.Quiet}
	must(t, playbooks.DecodeStrict("stanch.yaml", []byte("addresses: { ws-042: [10.20.4.42, '2001:db8:20::42'] }"), &config).Err())
	e, err := openSpec(t, memory.Spec(), func(into *memory.Config) { *into = config })
	must(t, err)
	found, err := e.Endpoints(t.Context(), integrations.EndpointQuery{IPs: []string{"2001:db8:20::42"}})
	must(t, err)
	if len(found) != 1 {
		t.Fatalf("%d devices have the address, want one", len(found))
	}
	if ips, _ := found[0].IP.Get(); !slices.Equal(ips, config.Addresses["ws-042"]) {
		t.Errorf("the device has %v, want %v", ips, config.Addresses["ws-042"])
	}
	for want, addresses := range map[string]map[string][]string{
		`"ws-043": there is no such host`:           {"ws-043": {"10.20.4.43"}},
		`"2001:db8:20::/64" is not an address`:      {"ws-042": {"2001:db8:20::/64"}},
		`"ws-042": it sends without an address`:     {"ws-042": {}},
		`addresses map[ws-042:[2001:db8:20::42]], `: nil,
	} {
		s := memory.Spec()
		if addresses == nil {
			_, err := openSpec(t, s, func(*memory.Config) {})
			must(t, err)
			addresses = map[string][]string{"ws-042": {"2001:db8:20::42"}}
		}
		if _, err := openSpec(t, s, func(c *memory.Config) { c.Addresses = addresses }); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("addresses %v give %v, want %q", addresses, err, want)
		}
	}
}
