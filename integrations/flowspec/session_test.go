package flowspec_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowspec"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Nothing is connected, and nothing carried out, before the standing rules are there.
func TestNothingBeforeRestore(t *testing.T) {
	r := newRouter(t, "127.0.0.2")
	e := limiter(t, r)
	o := limit(t, "k1", nil, "10.1.0.42")
	ctx := t.Context()
	for op, err := range map[string]error{
		"plan": e.Plan(ctx, o), "apply": second(e.Apply(ctx, o)), "undo": second(e.Undo(ctx, o)), "read": second(e.Read(ctx, o)), "list": second(e.Standing(ctx)),
	} {
		if integrations.KindOf(err) != integrations.Unavailable || err == nil {
			t.Errorf("%s before the speaker runs: %v", op, err)
		}
	}
	if found := e.Probe(ctx); len(found) != 1 || !found[0].OK || !found[0].Warning {
		t.Errorf("a probe where the speaker does not run finds %+v", found)
	}
	stranger := limit(t, "k2", nil, "10.2.0.42")
	err := e.Restore(ctx, []incident.Order{o, stranger})
	if err == nil || !strings.Contains(err.Error(), "1 of 2") || !strings.Contains(err.Error(), "10.2.0.42") {
		t.Errorf("a lease that cannot be restored: %v", err)
	}
	want := map[string]string{"[source: 10.1.0.42/32]": "1250000 bytes/s 65535:65281"}
	r.knows(want)
	if r.effects != 1 {
		t.Errorf("%d effects at the start", r.effects)
	}
	// It is safe to repeat, and what came later stays.
	later := limit(t, "k3", nil, "10.1.0.43")
	meets(t, e, r)
	apply(t, e, later)
	if err := e.Restore(ctx, []incident.Order{o}); err != nil {
		t.Fatal(err)
	}
	want["[source: 10.1.0.43/32]"] = "1250000 bytes/s 65535:65281"
	r.knows(want)
	undo(t, e, o, later)
	r.knows(nil)
}

// A router that comes and goes gets the rules again, and is told of nothing that was
// given back meanwhile.
func TestRouterComesAndGoes(t *testing.T) {
	r := newRouter(t, "127.0.0.2")
	e := limiter(t, r)
	speak(t, e, r)
	first, second := limit(t, "k1", nil, "10.1.0.42"), limit(t, "k2", nil, "10.1.0.43")
	apply(t, e, first, second)
	both := map[string]string{"[source: 10.1.0.42/32]": "1250000 bytes/s 65535:65281", "[source: 10.1.0.43/32]": "1250000 bytes/s 65535:65281"}
	r.knows(both)
	for range 2 {
		r.drop()
		r.await("no session", func(_ map[string]string, session bool) bool { return !session })
		r.knows(both)
	}

	r.refuse(true)
	pending := func(o incident.Order, key string) {
		t.Helper()
		until(t, "it is pending with key "+key, func() bool {
			s, err := e.Read(t.Context(), o)
			return err == nil && !s.Stands && s.Pending && s.Key == key && strings.Contains(s.Detail, "127.0.0.2 (no session")
		})
	}
	pending(first, "k1")
	third := limit(t, "k3", nil, "10.1.0.44")
	if _, err := e.Apply(t.Context(), third); integrations.KindOf(err) != integrations.Unavailable {
		t.Errorf("apply without a session: %v", err)
	}
	if err := e.Plan(t.Context(), third); integrations.KindOf(err) != integrations.Unavailable {
		t.Errorf("plan without a session: %v", err)
	}
	found := e.Probe(t.Context())
	if len(found) != 1 || found[0].OK || found[0].Fix == "" {
		t.Errorf("a probe without a session finds %+v", found)
	}
	undo(t, e, second)
	pending(second, "") // The router may not have noticed.
	r.refuse(false)
	delete(both, "[source: 10.1.0.43/32]")
	r.knows(both)
	until(t, "what was given back is gone for certain", func() bool {
		s, err := e.Read(t.Context(), second)
		return err == nil && !s.Stands && !s.Pending
	})
	if s, err := e.Read(t.Context(), first); err != nil || !s.Stands || s.Pending {
		t.Errorf("what stood all the time reads %+v, %v", s, err)
	}
}

// A router that takes no IPv6 rules does not count for them, and one that is missing is
// named.
func TestRoutersThatDiffer(t *testing.T) {
	four, all := newRouter(t, "127.0.0.2", bgp.RF_FS_IPv4_UC), newRouter(t, "127.0.0.3")
	all.refuse(true)
	e := limiter(t, four, all)
	speak(t, e, four)
	dual := limit(t, "k1", nil, "10.1.0.42", "2001:db8:1::42")
	if _, err := e.Apply(t.Context(), dual); integrations.KindOf(err) != integrations.Unavailable {
		t.Errorf("a rule that no session takes: %v", err)
	}
	if got := e.Announced(); len(got) > 0 {
		t.Errorf("a half of it was announced: %v", got)
	}
	single := limit(t, "k2", nil, "10.1.0.43")
	apply(t, e, single)
	if s, err := e.Read(t.Context(), single); err != nil || !s.Stands || !strings.Contains(s.Detail, "not announced to 127.0.0.3") {
		t.Errorf("with one router of two it reads %+v, %v", s, err)
	}
	all.refuse(false)
	meets(t, e, all)
	apply(t, e, dual)
	if s, err := e.Read(t.Context(), dual); err != nil || !s.Stands || !strings.Contains(s.Detail, "not announced to 127.0.0.2 (its session takes no ipv6-flowspec)") {
		t.Errorf("with a router that takes no IPv6 it reads %+v, %v", s, err)
	}
	four.knows(map[string]string{"[source: 10.1.0.43/32]": "1250000 bytes/s 65535:65281", "[source: 10.1.0.42/32]": "1250000 bytes/s 65535:65281"})
}

// What one router announces is not passed on to another.
func TestNothingIsPassedOn(t *testing.T) {
	a, b := newRouter(t, "127.0.0.2"), newRouter(t, "127.0.0.3")
	e := limiter(t, a, b)
	s := session(a, b)
	s.Peers[1].ASN = 64999 // Between two networks a speaker would pass routes on.
	b.asn = 64999
	e = reconnect(t, e, s)
	speak(t, e, a, b)
	o := limit(t, "k1", nil, "10.1.0.42")
	rules, err := e.Rules(o)
	if err != nil {
		t.Fatal(err)
	}
	a.announce(rules[0].Family, rules[0].NLRI, rules[0].Attributes...)
	until(t, "the rule is heard", func() bool {
		heard, err := e.Heard()
		return err == nil && heard == 1
	})
	own := limit(t, "k2", nil, "10.1.0.43")
	apply(t, e, own)
	b.knows(map[string]string{"[source: 10.1.0.43/32]": "1250000 bytes/s 65535:65281"})
}

// reconnect closes an integration and opens another one in its place.
func reconnect(t testing.TB, e *flowspec.Enforcer, s flowspec.Session) *flowspec.Enforcer {
	t.Helper()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return connect(t, spec(t, "flowspec"), &flowspec.Config{Session: s, Networks: hosts(), MaxRules: 1000})
}

func TestBadSettings(t *testing.T) {
	r := newRouter(t, "127.0.0.2")
	open := func(kind string, config any) error {
		_, err := spec(t, kind).Connect(context.Background(), config)
		return err
	}
	for name, edit := range map[string]func(*flowspec.Config){
		"a router id that is none":  func(c *flowspec.Config) { c.RouterID = "2001:db8::1" },
		"a router id of nobody":     func(c *flowspec.Config) { c.RouterID = "0.0.0.0" },
		"no autonomous system":      func(c *flowspec.Config) { c.ASN = 0 },
		"no routers":                func(c *flowspec.Config) { c.Peers = nil },
		"a network of routers":      func(c *flowspec.Config) { c.Peers[0].Address = "192.0.2.0/24" },
		"a router's name":           func(c *flowspec.Config) { c.Peers[0].Address = "edge.example" },
		"a router of no system":     func(c *flowspec.Config) { c.Peers[0].ASN = 0 },
		"a port that is none":       func(c *flowspec.Config) { c.Peers[0].Port = 65536 },
		"too many hops":             func(c *flowspec.Config) { c.Peers[0].Multihop = 256 },
		"a router twice":            func(c *flowspec.Config) { c.Peers = append(c.Peers, c.Peers[0]) },
		"no networks":               func(c *flowspec.Config) { c.Networks = nil },
		"everything as a network":   func(c *flowspec.Config) { c.Networks = []string{"0.0.0.0/0"} },
		"a network that is none":    func(c *flowspec.Config) { c.Networks = []string{"10.1.0.1/16"} },
		"no room":                   func(c *flowspec.Config) { c.MaxRules = 0 },
		"no hold time":              func(c *flowspec.Config) { c.HoldTime = 0 },
		"a hold time without end":   func(c *flowspec.Config) { c.HoldTime = time.Hour },
		"a hold time in the middle": func(c *flowspec.Config) { c.HoldTime = 3500 * time.Millisecond },
		"a local network":           func(c *flowspec.Config) { c.LocalAddress = "192.0.2.0/24" },
	} {
		c := &flowspec.Config{Session: session(r), Networks: hosts(), MaxRules: 10}
		edit(c)
		if err := open("flowspec", c); integrations.KindOf(err) != integrations.Invalid || err == nil {
			t.Errorf("%s is accepted: %v", name, err)
		}
	}
	for name, edit := range map[string]func(*flowspec.BlackholeConfig){
		"no next hop":              func(c *flowspec.BlackholeConfig) { c.NextHop = "" },
		"a next hop of the other":  func(c *flowspec.BlackholeConfig) { c.NextHop = "2001:db8::250" },
		"a community that is none": func(c *flowspec.BlackholeConfig) { c.Community = "65536:666" },
	} {
		c := &flowspec.BlackholeConfig{Session: session(r), Networks: hosts(), NextHop: "192.0.2.250", Community: "65535:666", MaxRules: 10}
		edit(c)
		if err := open("rtbh", c); integrations.KindOf(err) != integrations.Invalid || err == nil {
			t.Errorf("%s is accepted: %v", name, err)
		}
	}
	catalog := integrations.NewCatalog(flowspec.Vendor())
	rules, _ := catalog.Integration("flowspec")
	holes, _ := catalog.Integration("rtbh")
	connect(t, rules, &flowspec.Config{Session: session(r), Networks: hosts(), MaxRules: 10})
	if _, err := rules.Connect(t.Context(), &flowspec.Config{Session: session(r), Networks: hosts(), MaxRules: 10}); integrations.KindOf(err) != integrations.Invalid {
		t.Errorf("a second one of the kind is accepted: %v", err)
	}
	for name, edit := range map[string]func(*flowspec.Session){
		"another router id":   func(s *flowspec.Session) { s.RouterID = "192.0.2.253" },
		"another password":    func(s *flowspec.Session) { s.Peers[0].Password = "hunter2" },
		"another hold time":   func(s *flowspec.Session) { s.HoldTime = time.Minute },
		"another own address": func(s *flowspec.Session) { s.LocalAddress = "127.0.0.9" },
	} {
		s := session(r)
		edit(&s)
		_, err := holes.Connect(t.Context(), &flowspec.BlackholeConfig{Session: s, Networks: hosts(), NextHop: "192.0.2.250", Community: "65535:666", MaxRules: 10})
		if integrations.KindOf(err) != integrations.Invalid || err == nil || strings.Contains(fmt.Sprintf("%+v", err), "hunter2") {
			t.Errorf("%s in the other integration: %v", name, err)
		}
	}
}
