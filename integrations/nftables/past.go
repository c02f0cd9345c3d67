package nftables

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

// past is what has packets of the hosts not come by the table. None of it is ours, and a
// limit is put in place all the same.
type past struct {
	// Flowtables are those to which some rule hands flows: the packets that follow come by
	// no chain. They are written for people.
	Flowtables []string `json:"flowtables,omitempty"`
	// Still are the families of which no packet is forwarded.
	Still []ipFamily `json:"still,omitempty"`
	// Fragments is that no fragments are put together before the table, and so those after
	// the first, which have no ports, meet nothing that is by port.
	Fragments bool `json:"fragments,omitempty"`
}

// pastTeller is a table that tells what leads packets past it.
type pastTeller interface {
	past(ctx context.Context) (*past, error)
}

// ipFamily is one of the two.
type ipFamily string

const (
	ip4 ipFamily = "IPv4"
	ip6 ipFamily = "IPv6"
)

// setting is the one by which a kernel forwards.
func (f ipFamily) setting() string {
	if f == ip6 {
		return "net.ipv6.conf.all.forwarding"
	}
	return "net.ipv4.ip_forward"
}

// has reports whether any of the networks is of the family.
func (f ipFamily) has(networks []netip.Prefix) bool {
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Addr().Is6() == (f == ip6) })
}

// findings says it of a gateway with hosts in some networks.
func (p past) findings(networks []netip.Prefix) []integrations.Finding {
	var found []integrations.Finding
	if len(p.Flowtables) > 0 {
		found = append(found, integrations.Finding{
			What: "packets of flows in flowtables come by no limit: " + httpx.Line(strings.Join(p.Flowtables, ", ")), OK: true, Warning: true,
			Fix: "have no rule add flows of hosts that may be limited to a flowtable (flow add)",
		})
	}
	for _, f := range []ipFamily{ip4, ip6} {
		if f.has(networks) && slices.Contains(p.Still, f) {
			found = append(found, integrations.Finding{
				What: "the gateway forwards no " + string(f) + ", and only what is forwarded can be limited", OK: true, Warning: true,
				Fix: "set " + f.setting() + " to 1, or name the machine and the network namespace that forwards; what is bridged comes by no limit",
			})
		}
	}
	if p.Fragments {
		found = append(found, integrations.Finding{
			What: "nothing there tracks connections, and so the later fragments of a packet pass by limits and blocks by port", OK: true, Warning: true,
			Fix: "have a rule of the gateway's own match ct state, which has the kernel put fragments together, or limit without a port",
		})
	}
	if len(found) == 0 {
		found = append(found, integrations.Finding{What: "the gateway forwards, and neither flowtables nor fragments pass by the limits", OK: true})
	}
	return found
}
