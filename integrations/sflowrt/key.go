package sflowrt

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// flowKey is what the values of a flow's key are of.
type flowKey struct {
	// unnamed says why it is not known what the values are of; all are the addresses
	// among them then.
	unnamed string
	all     []string
	// source are the addresses of the source; without any, why says why.
	source      []string
	why         string
	destination incident.Value[string]
	port        incident.Value[int64]
	transport   incident.Value[string]
}

// readKey reads the values of a flow's key by the names in its definition.
func readKey(r *alerts.Reader) flowKey {
	f := fields()
	text, ok := r.Text(f.Of("key")...).Get()
	if !ok {
		return flowKey{why: "the event has no flowKey: a counter of an interface exceeded a threshold"}
	}
	values := strings.Split(text, ",")
	definition, _ := r.Text(f.Of("keys")...).Get()
	names := strings.Split(definition, ",")
	if definition == "" || len(names) != len(values) {
		k := flowKey{unnamed: "keys does not say what the flowKey is of: which address sends is not known"}
		if definition != "" {
			k.unnamed = fmt.Sprintf("keys names %d keys, and the flowKey has %d: which address sends is not known", len(names), len(values))
		}
		for _, value := range values {
			ips, _ := valued(r, value).Addresses("flowKey")
			k.all = append(k.all, ips...)
		}
		return k
	}
	k := flowKey{why: "the flow has no source among its keys"}
	for i, name := range names {
		v := valued(r, values[i])
		switch of, transport := roleOf(strings.TrimSpace(name)); of {
		case "source":
			// A definition may have a key for each version of IP, of which one has no value.
			if ips, why := v.Addresses("flowKey"); len(ips) > 0 {
				k.source = append(k.source, ips...)
			} else if len(k.source) == 0 {
				k.why = cmp.Or(why, k.why)
			}
		case "destination":
			k.destination = first(k.destination, v.Address("flowKey"))
		case "port":
			if port := v.Port("flowKey"); port.IsKnown() || !k.port.IsKnown() {
				k.port, k.transport = port, incident.Transports().Of(incident.Said(transport, incident.FromAlert))
			}
		case "transport":
			k.transport = v.Transport("flowKey")
		}
	}
	return k
}

// first is the value that is known already, else the other.
func first[T any](known, other incident.Value[T]) incident.Value[T] {
	if known.IsKnown() {
		return known
	}
	return other
}

// valued returns a reader of one value of the key.
func valued(r *alerts.Reader, value string) *alerts.Reader {
	return r.Of(map[string]any{"flowKey": value})
}

// roleOf is what a key of a flow's definition is of, by the names that sFlow-RT has for the
// fields of a packet; the port of a destination tells the transport too.
func roleOf(name string) (of, transport string) {
	switch strings.ToLower(name) {
	case "ipsource", "ip6source", "or:ipsource:ip6source", "or:ip6source:ipsource":
		return "source", ""
	case "ipdestination", "ip6destination", "or:ipdestination:ip6destination", "or:ip6destination:ipdestination":
		return "destination", ""
	case "udpdestinationport":
		return "port", "udp"
	case "tcpdestinationport":
		return "port", "tcp"
	case "ipprotocol", "ip6nexthdr":
		return "transport", ""
	}
	return "", ""
}
