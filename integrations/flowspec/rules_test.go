package flowspec_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowspec"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// What is asked for is announced, for each address of the host that can be meant.
func TestWhatIsAnnounced(t *testing.T) {
	r := newRouter(t, "127.0.0.2")
	e := limiter(t, r)
	speak(t, e, r)
	both := []string{"10.1.0.42", "2001:db8:1::42"}
	const keep = "65535:65281"
	for name, tt := range map[string]struct {
		filter    *incident.Filter
		block     bool
		addresses []string
		want      map[string]string
	}{
		"all that a host sends": {addresses: both, want: map[string]string{
			"[source: 10.1.0.42/32]":         "1250000 bytes/s " + keep,
			"[source: 2001:db8:1::42/128/0]": "1250000 bytes/s " + keep,
		}},
		"an address that is there twice": {addresses: []string{"2001:db8:1::42", "2001:0db8:1::0042"}, want: map[string]string{
			"[source: 2001:db8:1::42/128/0]": "1250000 bytes/s " + keep,
		}},
		"one far end, of one version of IP": {
			filter:    &incident.Filter{Direction: incident.Outbound, RemoteIP: "2001:db8:ffff::53", RemotePort: 53, LocalPort: 5353, Transport: "udp"},
			addresses: both, want: map[string]string{
				"[destination: 2001:db8:ffff::53/128/0][source: 2001:db8:1::42/128/0][protocol: ==udp][destination-port: ==53][source-port: ==5353]": "1250000 bytes/s " + keep,
			},
		},
		"what reaches a service of the host": {
			filter: &incident.Filter{Direction: incident.Inbound, RemoteIP: "198.51.100.7", LocalPort: 389, RemotePort: 1024, Transport: "tcp"},
			block:  true, addresses: both, want: map[string]string{
				"[destination: 10.1.0.42/32][source: 198.51.100.7/32][protocol: ==tcp][destination-port: ==389][source-port: ==1024]": "0 bytes/s " + keep,
			},
		},
	} {
		o := limit(t, "k1", tt.filter, tt.addresses...)
		if tt.block {
			o.Action, o.Rate = incident.Block, 0
		}
		apply(t, e, o)
		r.knows(tt.want)
		s, err := e.Read(t.Context(), o)
		if err != nil || !s.Stands || s.Pending || s.Rate != o.Rate || s.Key != o.Key {
			t.Errorf("%s: it reads %+v, %v", name, s, err)
		}
		if more := len(tt.want) > 1; more != (s.Detail == "announced; each of the device's 2 addresses has the rate for itself") {
			t.Errorf("%s: the detail is %q", name, s.Detail)
		}
		undo(t, e, o)
		r.knows(nil)
	}
}

// A limit and a block of the same traffic are one rule, of which the block holds.
func TestLowestRateHolds(t *testing.T) {
	r := newRouter(t, "127.0.0.2")
	e := limiter(t, r)
	speak(t, e, r)
	f := &incident.Filter{Direction: incident.Outbound, RemoteIP: "198.51.100.7"}
	rate := limit(t, "k1", f, "10.1.0.42")
	block := rate
	block.Key, block.Action, block.Rate = "k2", incident.Block, 0
	const rule = "[destination: 198.51.100.7/32][source: 10.1.0.42/32]"
	limited, blocked := map[string]string{rule: "1250000 bytes/s 65535:65281"}, map[string]string{rule: "0 bytes/s 65535:65281"}
	for _, order := range [][2]incident.Order{{rate, block}, {block, rate}} {
		apply(t, e, order[0], order[1])
		r.knows(blocked)
		undo(t, e, order[0])
		if order[0].Key == block.Key {
			r.knows(limited)
		} else {
			r.knows(blocked)
		}
		undo(t, e, order[1])
		r.knows(nil)
	}
}

// Several devices may want one destination gone: it comes back with the last.
func TestHoleOfSeveral(t *testing.T) {
	r := newRouter(t, "127.0.0.2")
	e := hole(t, r)
	speak(t, e, r)
	a := incident.Order{Key: "k1", Action: incident.Block, Target: target(t, "ws-1"), Addresses: []string{"10.1.0.1"}, Filter: &incident.Filter{Direction: incident.Outbound, RemoteIP: "198.51.100.7"}}
	b := a
	b.Key, b.Target, b.Addresses = "k2", target(t, "ws-2"), []string{"10.1.0.2"}
	six := a
	six.Key, six.Filter = "k3", &incident.Filter{Direction: incident.Outbound, RemoteIP: "2001:db8:ffff::7"}
	gone := map[string]string{"198.51.100.7/32": "65535:65281 65535:666 to 192.0.2.250"}
	apply(t, e, a, b)
	r.knows(gone)
	undo(t, e, a)
	if s, err := e.Read(t.Context(), b); err != nil || !s.Stands {
		t.Errorf("the other's reads %+v, %v", s, err)
	}
	r.knows(gone)
	undo(t, e, b)
	r.knows(nil)
	apply(t, e, six)
	r.knows(map[string]string{"2001:db8:ffff::7/128": "65535:65281 65535:666 to 2001:db8::250"})
	all, err := e.Standing(t.Context())
	if err != nil || len(all) != 1 || all[0].Key != "k3" {
		t.Errorf("there stands %+v, %v", all, err)
	}
}

// Orders that cannot be meant are refused before anything is announced.
func TestBadOrders(t *testing.T) {
	r := newRouter(t, "127.0.0.2")
	catalog := integrations.NewCatalog(flowspec.Vendor())
	rules, _ := catalog.Integration("flowspec")
	holes, _ := catalog.Integration("rtbh")
	e := connect(t, rules, &flowspec.Config{Session: session(r), Networks: hosts(), MaxRules: 2})
	h := connect(t, holes, &flowspec.BlackholeConfig{Session: session(r), Networks: hosts(), NextHop: "192.0.2.250", Community: "65535:666", MaxRules: 1})
	if err := h.Restore(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	speak(t, e, r)
	filter := func(edit func(*incident.Filter)) *incident.Filter {
		f := &incident.Filter{Direction: incident.Outbound, RemoteIP: "198.51.100.7"}
		edit(f)
		return f
	}
	for name, tt := range map[string]struct {
		e    *flowspec.Enforcer
		edit func(*incident.Order)
		kind integrations.Kind
	}{
		"a rate below the lowest": {e, func(o *incident.Order) { o.Rate = 7999 }, integrations.Invalid},
		"no direction":            {e, func(o *incident.Order) { o.Filter = filter(func(f *incident.Filter) { f.Direction = "" }) }, integrations.Invalid},
		"a port that is none":     {e, func(o *incident.Order) { o.Filter = filter(func(f *incident.Filter) { f.RemotePort = 65536 }) }, integrations.Invalid},
		"a negative port":         {e, func(o *incident.Order) { o.Filter = filter(func(f *incident.Filter) { f.LocalPort = -1 }) }, integrations.Invalid},
		"another transport":       {e, func(o *incident.Order) { o.Filter = filter(func(f *incident.Filter) { f.Transport = "icmp" }) }, integrations.Invalid},
		"a network as the far end": {e, func(o *incident.Order) {
			o.Filter = filter(func(f *incident.Filter) { f.RemoteIP = "198.51.100.0/24" })
		}, integrations.Invalid},
		"a far end that is everything": {e, func(o *incident.Order) { o.Filter = filter(func(f *incident.Filter) { f.RemoteIP = "0.0.0.0" }) }, integrations.Invalid},
		"a far end of the other IP": {e, func(o *incident.Order) {
			o.Filter = filter(func(f *incident.Filter) { f.RemoteIP = "2001:db8:ffff::7" })
		}, integrations.Invalid},
		"an address of no network": {e, func(o *incident.Order) { o.Addresses = []string{"10.1.0.42", "10.2.0.42"} }, integrations.NotFound},
		"a full table":             {e, func(o *incident.Order) { o.Addresses = []string{"10.1.0.1", "10.1.0.2", "10.1.0.3"} }, integrations.Denied},
		"a hole for a port":        {h, func(o *incident.Order) { o.Filter = filter(func(f *incident.Filter) { f.RemotePort = 53 }) }, integrations.Invalid},
		"a hole for a transport":   {h, func(o *incident.Order) { o.Filter = filter(func(f *incident.Filter) { f.Transport = "udp" }) }, integrations.Invalid},
		"a hole for what comes in": {h, func(o *incident.Order) {
			o.Filter = filter(func(f *incident.Filter) { f.Direction = incident.Inbound })
		}, integrations.Invalid},
		"a hole for an own host": {h, func(o *incident.Order) { o.Filter = filter(func(f *incident.Filter) { f.RemoteIP = "10.1.0.7" }) }, integrations.Invalid},
		"a hole without a next hop": {h, func(o *incident.Order) {
			o.Filter = filter(func(f *incident.Filter) { f.RemoteIP = "2001:db8:ffff::7" })
		}, integrations.Invalid},
		"a hole for a stranger": {h, func(o *incident.Order) { o.Addresses = []string{"10.2.0.42"} }, integrations.NotFound},
		"a limit of a hole":     {h, func(o *incident.Order) { o.Action, o.Rate = incident.RateLimit, 1_000_000 }, integrations.Invalid},
	} {
		o := limit(t, "k1", nil, "10.1.0.42")
		if tt.e == h {
			o.Action, o.Rate, o.Filter = incident.Block, 0, filter(func(*incident.Filter) {})
		}
		tt.edit(&o)
		for op, err := range map[string]error{"apply": second(tt.e.Apply(t.Context(), o)), "plan": tt.e.Plan(t.Context(), o)} {
			if err == nil || integrations.KindOf(err) != tt.kind {
				t.Errorf("%s of %s: error %v, want kind %s", op, name, err, tt.kind)
			}
		}
	}
	if got := slices.Concat(e.Announced(), h.Announced()); len(got) > 0 {
		t.Errorf("announced: %v", got)
	}
	// The table is full, and what stands in it is not refused again.
	o := limit(t, "k1", nil, "10.1.0.1", "10.1.0.2")
	apply(t, e, o, o)
	one := limit(t, "k2", nil, "10.1.0.3")
	if _, err := e.Apply(t.Context(), one); integrations.KindOf(err) != integrations.Denied {
		t.Errorf("one rule too many: error %v", err)
	}
	undo(t, e, o)
	apply(t, e, one)
}

func second[T any](_ T, err error) error { return err }

func TestRateIsNeverMore(t *testing.T) {
	for _, bits := range []int64{8000, 8001, 10_000_000, 99_999_999, 1<<31 - 1, 123_456_789_012, math.MaxInt64} {
		got := float64(flowspec.BytesPerSecond(bits)) * 8
		if got > float64(bits) || got < float64(bits)*(1-1.0/(1<<22)) {
			t.Errorf("%d bits per second are announced as %.0f", bits, got)
		}
	}
}

// A rule that somebody else announces with a higher rate is no block.
func TestOthersRuleIsNoBlock(t *testing.T) {
	r := newRouter(t, "127.0.0.2")
	e := limiter(t, r)
	speak(t, e, r)
	o := limit(t, "k1", &incident.Filter{Direction: incident.Outbound, RemoteIP: "198.51.100.7"}, "10.1.0.42")
	rules, err := e.Rules(o)
	if err != nil {
		t.Fatal(err)
	}
	r.announce(rules[0].Family, rules[0].NLRI, rules[0].Attributes...)
	until(t, "the other's rule is there", func() bool {
		s, err := e.Read(t.Context(), o)
		return err == nil && s.Stands && s.Key == "" && s.Rate == o.Rate
	})
	o.Action, o.Rate = incident.Block, 0
	if s, err := e.Read(t.Context(), o); err != nil || s.Stands {
		t.Errorf("a limit is taken for a block: %+v, %v", s, err)
	}
	apply(t, e, o)
	if s, err := e.Read(t.Context(), o); err != nil || !s.Stands || s.Key != "k1" {
		t.Errorf("the own block reads %+v, %v", s, err)
	}
}
