package flowspec_test

import (
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// What the orders of these tests are about, and as which rule a router knows it.
const (
	flowRule = "[destination: 198.51.100.53/32][source: 10.1.0.42/32][protocol: ==udp][destination-port: ==53]"
	farRule  = "[destination: 198.51.100.53/32][source: 10.1.0.42/32]"
	portRule = "[source: 10.1.0.42/32][protocol: ==udp][destination-port: ==53]"
	hostRule = "[source: 10.1.0.42/32]"
	open, no = "1250000 bytes/s 65535:65281", "0 bytes/s 65535:65281"
)

func outbound(ip string, port int, transport string) *incident.Filter {
	return &incident.Filter{Direction: incident.Outbound, RemoteIP: ip, RemotePort: port, Transport: transport}
}

func block(t *testing.T, key string, f *incident.Filter, address string) incident.Order {
	t.Helper()
	o := limit(t, key, f, address)
	o.Action, o.Rate = incident.Block, 0
	return o
}

// A router asks the rule of a part first, and then no other: it lets pass no more than
// the rules that cover it, for as long as they stand, in whatever order they came.
func TestAPartOpensNothing(t *testing.T) {
	r := newRouter(t, "127.0.0.2")
	e := limiter(t, r)
	speak(t, e, r)
	flow := limit(t, "k1", outbound("198.51.100.53", 53, "udp"), "10.1.0.42")
	port := block(t, "k2", outbound("", 53, "udp"), "10.1.0.42")
	for _, order := range [][2]incident.Order{{flow, port}, {port, flow}} {
		apply(t, e, order[:]...)
		r.knows(map[string]string{flowRule: no, portRule: no})
		s, err := e.Read(t.Context(), flow)
		if err != nil || !s.Stands || s.Rate != flow.Rate || s.Detail != "announced with the 0 bit/s of a rule that covers it" {
			t.Errorf("the limit reads %+v, %v", s, err)
		}
		undo(t, e, port)
		r.knows(map[string]string{flowRule: open})
		undo(t, e, flow)
		r.knows(nil)
	}
	host := limit(t, "k3", nil, "10.1.0.42")
	host.Rate = 2_000_000
	apply(t, e, host, flow)
	r.knows(map[string]string{flowRule: "250000 bytes/s 65535:65281", hostRule: "250000 bytes/s 65535:65281"})
	other := block(t, "k4", outbound("", 53, "udp"), "10.1.0.43")
	apply(t, e, other)
	undo(t, e, host)
	r.knows(map[string]string{flowRule: open, strings.Replace(portRule, "42", "43", 1): no})
	undo(t, e, flow, other)
	r.knows(nil)
}

// Where neither of two rules covers the other, and the one that routers ask first lets
// more pass, the later order is refused, and nothing of it announced.
func TestWhatWouldOpenAnotherIsRefused(t *testing.T) {
	r := newRouter(t, "127.0.0.2")
	e := limiter(t, r)
	speak(t, e, r)
	far := limit(t, "k1", outbound("198.51.100.53", 0, ""), "10.1.0.42")
	port := block(t, "k2", outbound("", 53, "udp"), "10.1.0.42")
	want := "routers would ask " + farRule + " first, and let 10 Mbit/s pass of what " + portRule + " is to bound"
	for _, tt := range []struct {
		first, second incident.Order
		stands        map[string]string
	}{{far, port, map[string]string{farRule: open}}, {port, far, map[string]string{portRule: no}}} {
		apply(t, e, tt.first)
		for op, err := range map[string]error{"plan": e.Plan(t.Context(), tt.second), "apply": second(e.Apply(t.Context(), tt.second))} {
			if integrations.KindOf(err) != integrations.Denied || err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s of %s beside %s: %v", op, tt.second.Key, tt.first.Key, err)
			}
		}
		r.knows(tt.stands)
		apply(t, e, tt.first) // What stands may be repeated.
		undo(t, e, tt.first)
		r.knows(nil)
	}
	// What is asked first lets less pass, or nobody is both.
	gone := block(t, "k3", outbound("198.51.100.53", 0, ""), "10.1.0.42")
	dns := limit(t, "k4", outbound("", 53, "udp"), "10.1.0.42")
	web := block(t, "k5", outbound("", 53, "tcp"), "10.1.0.42")
	apply(t, e, gone, dns, web)
	r.knows(map[string]string{farRule: no, portRule: open, strings.Replace(portRule, "udp", "tcp", 1): no})
	undo(t, e, gone, dns, web)
	r.knows(nil)
}
