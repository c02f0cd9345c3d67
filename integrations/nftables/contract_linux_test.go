package nftables

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func TestContract(t *testing.T) {
	k := contract.Knobs{Kind: "nftables", Unbreakable: "a kernel answers within the call, and nothing stands between it and us"}
	contract.Enforcer(t, contract.EnforcerHarness{Knobs: k, Open: func(t testing.TB) contract.EnforcerWorld {
		s := newSpace(t)
		return worldIn(t, k, s, s.gateway())
	}})
}

// counted has the rules that it makes to count taken for no effect.
type counted struct {
	*Gateway
	apart func(do func())
}

func (c counted) CountOnly(ctx context.Context, o incident.Order, lasts time.Duration) (err error) {
	c.apart(func() { err = c.Gateway.CountOnly(ctx, o, lasts) })
	return err
}

// worldIn is a world of a gateway, whose state is that of a network namespace.
func worldIn(t testing.TB, k contract.Knobs, s space, g *Gateway) contract.EnforcerWorld {
	t.Helper()
	target, other := k.Target(t, "ws-042"), k.Target(t, "ws-0421")
	before := s.generation()
	apart := func(do func()) {
		was := s.generation()
		do()
		before += s.generation() - was
	}
	return contract.EnforcerWorld{
		Enforcer: counted{g, apart},
		Actions:  Spec().Actions,
		Target:   target,
		Other:    other,
		Addresses: func(of incident.Target) []string {
			if of == other {
				return []string{"192.0.2.21"}
			}
			return []string{"192.0.2.2", "192.0.2.3", "2001:db8::2"}
		},
		Strange: "203.0.113.9",
		// The kernel counts what it really changes.
		Effects:  func() int { return s.generation() - before },
		Standing: s.rules,
		Impose:   func(o incident.Order) { apart(func() { s.load(byHand(o)) }) },
	}
}

// byHand is what an administrator would write into our table for an order.
func byHand(o incident.Order) string {
	does, action, key4, value4, key6, value6 := "counter drop", "block",
		"ip saddr . ip daddr . th dport . meta l4proto", "%s . 192.0.2.53 . 53 . udp", "", ""
	types := "ipv4_addr . ipv4_addr . inet_service . inet_proto"
	suffix := "_addr_port_proto"
	if o.Action == incident.RateLimit {
		does, action = fmt.Sprintf("limit rate over %d bytes/second burst 131072 bytes counter drop", o.Rate/8), "limit"
		key4, value4, key6, value6, types, suffix = "ip saddr", "%s", "ip6 saddr", "%s", "ipv4_addr", ""
	}
	script := &strings.Builder{}
	fmt.Fprintf(script, "table inet stanch {\n chain about {\n return comment %q\n }\n", mark)
	fmt.Fprintf(script, " chain byhand {\n %s\n }\n", does)
	one := func(version, types, key, value string, six bool) {
		var elements []string
		for _, a := range o.Addresses {
			if strings.Contains(a, ":") == six {
				elements = append(elements, fmt.Sprintf(value, a)+" : jump byhand")
			}
		}
		if len(elements) == 0 {
			return
		}
		fmt.Fprintf(script, " map %s_out_%s%s {\n type %s : verdict\n flags timeout\n elements = { %s }\n }\n", action, version, suffix, types, strings.Join(elements, ", "))
		fmt.Fprintf(script, " chain forward {\n type filter hook forward priority -100\n meta nfproto ipv%s %s vmap @%s_out_%s%s\n }\n", version[2:], key, action, version, suffix)
	}
	one("ip4", types, key4, value4, false)
	if key6 != "" {
		one("ip6", "ipv6_addr", key6, value6, true)
	}
	script.WriteString("}\n")
	return script.String()
}
