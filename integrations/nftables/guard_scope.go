package nftables

import (
	"net/netip"
	"slices"
	"unicode"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// refuse is an error about what was asked of the helper.
func refuse(kind integrations.Kind, format string, args ...any) error {
	return integrations.Errorf(kind, "ask the gateway's helper", format, args...)
}

// keyed returns why a text is no key.
func keyed(key string) error {
	switch {
	case key == "":
		return refuse(integrations.Invalid, "it has no key")
	case len(key) > maxKey:
		return refuse(integrations.Invalid, "the key has %d bytes, and at most %d are taken", len(key), maxKey)
	}
	for _, r := range key {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return refuse(integrations.Invalid, "invalid key %q: it has a character that does not print", key)
		}
	}
	return nil
}

// wellFormed returns why a scope is none. Nothing of it is taken on the word of whoever
// sent it.
func wellFormed(s Scope) error {
	if s.Action != incident.RateLimit && s.Action != incident.Block {
		return refuse(integrations.Invalid, "invalid action %q: there are rate_limit and block", s.Action)
	}
	if len(s.Addresses) == 0 || len(s.Addresses) > maxAddresses {
		return refuse(integrations.Invalid, "it has %d addresses, and 1 to %d are taken", len(s.Addresses), maxAddresses)
	}
	for i, a := range s.Addresses {
		if !isHost(a) {
			return refuse(integrations.Invalid, "invalid address %q: it is not that of one host", a)
		}
		if i > 0 && !s.Addresses[i-1].Less(a) {
			return refuse(integrations.Invalid, "the addresses are not sorted, each once")
		}
	}
	if s.Filter == nil {
		if s.Action == incident.Block {
			return refuse(integrations.Invalid, "a block of all that a host sends would be an isolation")
		}
		return nil
	}
	return wellFormedFilter(*s.Filter)
}

// isHost reports whether an address can be that of one host behind a router.
func isHost(a netip.Addr) bool {
	return a.IsGlobalUnicast() && a.Zone() == "" && !a.Is4In6()
}

func wellFormedFilter(f incident.Filter) error {
	if f.Direction != incident.Outbound && f.Direction != incident.Inbound {
		return refuse(integrations.Invalid, "invalid direction %q: there are outbound and inbound", f.Direction)
	}
	if f == (incident.Filter{Direction: f.Direction}) {
		return refuse(integrations.Invalid, "a filter of everything is none")
	}
	if f.RemoteIP != "" {
		remote, err := netip.ParseAddr(f.RemoteIP)
		if err != nil || !isHost(remote) || remote.String() != f.RemoteIP {
			return refuse(integrations.Invalid, "invalid remote_ip %q: it is not one address", f.RemoteIP)
		}
	}
	for name, port := range map[string]int{"remote_port": f.RemotePort, "local_port": f.LocalPort} {
		if port < 0 || port > 65535 {
			return refuse(integrations.Invalid, "invalid %s %d", name, port)
		}
	}
	if !slices.Contains([]string{"", "tcp", "udp", "icmp"}, f.Transport) {
		return refuse(integrations.Invalid, "invalid transport %q: there are tcp, udp and icmp", f.Transport)
	}
	if f.Transport == "icmp" && (f.RemotePort != 0 || f.LocalPort != 0) {
		return refuse(integrations.Invalid, "icmp has no ports")
	}
	return nil
}
