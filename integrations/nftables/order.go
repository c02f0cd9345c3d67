package nftables

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// grace is how much longer than its lease a limit stays, so that it is the engine that
// takes it away, and sees what it counted until then.
const grace = time.Minute

// slack is by how much an element may end too early and still be kept: a request that
// was held up on its way, over SSH, asks for a later end than it means. It is less than
// grace, so that nothing ends before its lease.
const slack = 20 * time.Second

// shortest is how long an element stays at least. One that is to end within a tick of the
// kernel's clock would have no end at all.
const shortest = time.Second

// longestKey is that of a workflow id.
const longestKey = 1000

// scope returns what an order is about.
func scope(o incident.Order) (Scope, error) {
	switch {
	case o.Target.IsZero():
		return Scope{}, fmt.Errorf("the order has no target")
	case o.Action != incident.RateLimit && o.Action != incident.Block:
		return Scope{}, fmt.Errorf("a gateway cannot carry out %q", o.Action)
	case o.Program != "":
		return Scope{}, fmt.Errorf("a gateway cannot tell the packets of one program from others")
	case o.Action == incident.Block && o.Filter == nil:
		return Scope{}, fmt.Errorf("a block without a filter")
	}
	addresses, err := parseAddresses(o.Addresses)
	if err != nil {
		return Scope{}, err
	}
	s := Scope{Action: o.Action, Addresses: addresses}
	if o.Filter == nil {
		return s, nil
	}
	f, err := filterOf(*o.Filter)
	if err != nil {
		return Scope{}, err
	}
	s.Filter = &f
	if f.RemoteIP == "" {
		return s, nil
	}
	// An address of the other family never meets the remote one.
	remote, _ := netip.ParseAddr(f.RemoteIP)
	s.Addresses = slices.DeleteFunc(addresses, func(a netip.Addr) bool { return a.Is6() != remote.Is6() })
	if len(s.Addresses) == 0 {
		return Scope{}, fmt.Errorf("no address of the device is of the family of %s", f.RemoteIP)
	}
	return s, nil
}

// parseAddresses reads the addresses of one device.
func parseAddresses(texts []string) ([]netip.Addr, error) {
	if len(texts) == 0 {
		return nil, fmt.Errorf("the order has no address of the device")
	}
	var all []netip.Addr
	for _, text := range texts {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return nil, fmt.Errorf("invalid address %q: must be one address", text)
		}
		a = a.Unmap()
		if a.Zone() != "" || !a.IsGlobalUnicast() {
			return nil, fmt.Errorf("invalid address %q: no single host has it everywhere", text)
		}
		all = append(all, a)
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return slices.Compact(all), nil
}

// filterOf checks a filter, and returns it with its words spelled in one way.
func filterOf(f incident.Filter) (incident.Filter, error) {
	if f.Direction != incident.Outbound && f.Direction != incident.Inbound {
		return f, fmt.Errorf("invalid direction %q", f.Direction)
	}
	if f.MatchesAll() {
		return f, fmt.Errorf("the filter matches everything")
	}
	if f.RemoteIP != "" {
		remote, err := netip.ParseAddr(f.RemoteIP)
		if err != nil || remote.Zone() != "" || remote.IsUnspecified() || remote.Unmap().IsUnspecified() {
			return f, fmt.Errorf("invalid remote address %q: must be one address", f.RemoteIP)
		}
		f.RemoteIP = remote.Unmap().String()
	}
	for _, port := range []int{f.RemotePort, f.LocalPort} {
		if port < 0 || port > 65535 {
			return f, fmt.Errorf("invalid port %d", port)
		}
	}
	if f.Transport == "" {
		return f, nil
	}
	name, ok := incident.Transports().Word(f.Transport)
	if !ok {
		return f, fmt.Errorf("invalid transport %q", f.Transport)
	}
	f.Transport = name
	if name == "icmp" && (f.RemotePort != 0 || f.LocalPort != 0) {
		return f, fmt.Errorf("icmp has no ports")
	}
	return f, nil
}

// check returns the scope of an order on one of the gateway's hosts, or an error in its
// kind.
func (g *Gateway) check(op string, o incident.Order) (Scope, error) {
	s, err := scope(o)
	if err != nil {
		return s, integrations.Refuse(integrations.Invalid, op, "%w", err)
	}
	for _, a := range s.Addresses {
		if !slices.ContainsFunc(g.networks, func(p netip.Prefix) bool { return p.Contains(a) }) {
			return s, integrations.Refuse(integrations.NotFound, op, "%s is in none of the networks behind this gateway", a)
		}
	}
	return s, nil
}

// limit returns what an order asks for.
func (g *Gateway) limit(op string, o incident.Order) (Limit, error) {
	s, err := g.check(op, o)
	if err != nil {
		return Limit{}, err
	}
	l := Limit{Scope: s, Key: o.Key}
	if !o.Until.IsZero() {
		if l.Left = o.Until.Sub(g.now()) + grace; l.Left <= grace {
			return l, integrations.Refuse(integrations.Invalid, op, "it was to end at %s", o.Until.Format(time.RFC3339))
		}
	}
	if o.Action == incident.Block {
		return l, nil
	}
	l.Rate = o.Rate
	if err = countable(o.Rate); err == nil && g.link > 0 && o.Rate >= g.link {
		err = fmt.Errorf("a limit of %s limits nothing: the link has %s", incident.FormatRate(o.Rate), incident.FormatRate(g.link))
	}
	if err != nil {
		return l, integrations.Refuse(integrations.Invalid, op, "%w", err)
	}
	return l, nil
}

// countable returns why the kernel cannot keep a rate.
func countable(rate int64) error {
	switch {
	case rate < 8:
		return fmt.Errorf("a limit of %d bits a second: the least is a byte", rate)
	case rate > maxRate:
		return fmt.Errorf("a limit of %s: nftables count up to %s", incident.FormatRate(rate), incident.FormatRate(maxRate))
	}
	return nil
}

// checkKey returns an error unless the order has a key.
func checkKey(op string, o incident.Order) error {
	if o.Key == "" || len(o.Key) > longestKey {
		return integrations.Refuse(integrations.Invalid, op, "the order's key has %d bytes: must be between 1 and %d", len(o.Key), longestKey)
	}
	return nil
}
