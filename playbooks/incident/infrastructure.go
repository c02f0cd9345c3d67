package incident

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// OwnInfrastructure is the guardrail that every playbook has: it forbids to contain
// what [Infrastructure] names.
const OwnInfrastructure = "own-infrastructure"

// IPPath is the path of what [Infrastructure.Untold] asks for.
const IPPath = "endpoint.ip"

// WayBackPath is the path of what [PlannedStep.WayBack] asks for where the route of
// the agent is known.
const WayBackPath = "the way back"

// Infrastructure is what Stanch, the EDR and its agents need to work: proxies, VPN
// gateways, relays, the engine's database, the machine of Stanch itself. It is never
// contained, and its addresses stay reachable for a host that is isolated.
type Infrastructure struct {
	// Networks are its addresses, and networks of them.
	Networks []netip.Prefix `json:"networks,omitempty"`
	// Names are names of hosts, and ids of devices.
	Names []string `json:"names,omitempty"`
	// Own are names and addresses of the machine that Stanch runs on. No order names
	// them: an isolated host has no need to reach it.
	Own []string `json:"own,omitempty"`
}

// Holds says in words that the host of a case is infrastructure, by any of its
// addresses, names or ids, and by which; empty where none of them is.
func (i Infrastructure) Holds(facts Facts, target *Target) string {
	for _, is := range identifiers(facts, target) {
		if network, ok := networkWith(i.Networks, is); ok {
			return is + " is infrastructure by stanch.yaml (" + show(network) + ")."
		}
		for _, name := range i.Names {
			if strings.EqualFold(is, name) || sameName(is, name) {
				return is + " is infrastructure by stanch.yaml (" + name + ")."
			}
		}
		if slices.ContainsFunc(i.Own, func(own string) bool { return sameHost(is, own) }) {
			return is + " is the machine that Stanch runs on."
		}
	}
	return ""
}

// Has says by which entry an address is infrastructure; empty where it is none.
func (i Infrastructure) Has(ip netip.Addr) string {
	address := ip.Unmap().WithZone("").String()
	if network, ok := networkWith(i.Networks, address); ok {
		return show(network) + " is infrastructure by stanch.yaml"
	}
	if slices.ContainsFunc(i.Own, func(own string) bool { return sameHost(address, own) }) {
		return "it is the machine that Stanch runs on"
	}
	return ""
}

// Untold is what must be known before a host is contained: without an address it
// cannot be told whether it is infrastructure that is known by its address.
func (i Infrastructure) Untold(facts Facts) []Missing {
	known := slices.ContainsFunc(identifiers(facts, nil), func(is string) bool {
		_, err := netip.ParseAddr(is)
		return err == nil
	})
	if known || len(i.Networks) == 0 {
		return nil
	}
	return []Missing{{Path: IPPath, Why: "without an address it cannot be told whether the host is infrastructure by stanch.yaml"}}
}

// Addresses are the addresses and networks that stay reachable for a host that is
// isolated, as an order names them.
func (i Infrastructure) Addresses() []string {
	var out []string
	for _, n := range i.Networks {
		out = append(out, show(n))
	}
	return out
}

// identifiers are all that is known of a host by which it can be recognized.
func identifiers(facts Facts, target *Target) []string {
	var out []string
	for _, one := range []Value[string]{facts.Alert.Host.ID, facts.Alert.Host.Name, facts.Endpoint.ID, facts.Endpoint.Name} {
		text, _ := one.Get()
		out = append(out, text)
	}
	for _, list := range []Value[[]string]{facts.Alert.Host.IP, facts.Endpoint.IP} {
		texts, _ := list.Get()
		out = append(out, texts...)
	}
	if target != nil {
		out = append(out, target.ID(), target.Name())
	}
	return slices.DeleteFunc(out, func(s string) bool { return strings.TrimSpace(s) == "" })
}

// sameHost reports whether two names, or two addresses, are those of one host.
func sameHost(a, b string) bool {
	ipA, errA := netip.ParseAddr(a)
	ipB, errB := netip.ParseAddr(b)
	if errA == nil && errB == nil {
		return ipA.Unmap().WithZone("") == ipB.Unmap().WithZone("")
	}
	return errA != nil && errB != nil && sameName(a, b)
}

// NetworkOf returns the network that a text such as 10.1.0.0/24 names, or that of
// one address.
func NetworkOf(text string) (netip.Prefix, error) {
	if ip, err := netip.ParseAddr(text); err == nil {
		if ip.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("address %q has a zone", text)
		}
		ip = ip.Unmap()
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	n, err := netip.ParsePrefix(text)
	if err != nil || n != n.Masked() || n.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("invalid address or network %q", text)
	}
	return n, nil
}

// show writes the network of one address as the address.
func show(n netip.Prefix) string {
	if n.IsSingleIP() {
		return n.Addr().String()
	}
	return n.String()
}

// WayBack is what people must be asked before the step isolates a host: nobody
// may be able to give back a host whose agent does not reach its cloud any more.
// That is so where its route is unknown, and where it leads through what may not
// stay reachable.
func (s PlannedStep) WayBack(e Endpoint) []Missing {
	route, known := e.Route.Get()
	switch {
	case s.Action != Isolate || known && route == RouteDirect:
		return nil
	case !known:
		return e.UnknownRoute()
	case s.ExceptBy != "":
		return []Missing{{Path: WayBackPath, Why: "the agent reaches its cloud by " + route + "; " + s.ExceptBy}}
	case len(s.Except) == 0:
		return []Missing{{Path: WayBackPath, Why: "the agent reaches its cloud by " + route + ", and no address of it is in infrastructure in stanch.yaml"}}
	}
	return nil
}

// Unkept says which addresses the order of the step cannot keep reachable, and who
// decides about them; empty where the order, or the product, sees to them.
func (s PlannedStep) Unkept() string {
	if len(s.Except) == 0 || s.ExceptBy == "" {
		return ""
	}
	return "that " + few(s.Except) + " stays reachable is not certain: " + s.ExceptBy
}

// few names the first of a list, and how many there are else.
func few(list []string) string {
	if len(list) == 1 {
		return list[0]
	}
	return fmt.Sprintf("%s and %d more", list[0], len(list)-1)
}
