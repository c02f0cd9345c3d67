package flowspec_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/flowspec"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// spec is the kind of a fresh catalog: of a process of its own.
func spec(t testing.TB, kind string) integrations.Spec {
	t.Helper()
	s, ok := integrations.NewCatalog(flowspec.Vendor()).Integration(kind)
	if !ok {
		t.Fatalf("there is no kind %s", kind)
	}
	return s
}

// connect opens an integration and closes it with the test.
func connect(t testing.TB, s integrations.Spec, config any) *flowspec.Enforcer {
	t.Helper()
	opened, err := s.Connect(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	e := opened.(*flowspec.Enforcer)
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func session(routers ...*router) flowspec.Session {
	s := flowspec.Session{ASN: asn, RouterID: "192.0.2.254", HoldTime: 30 * time.Second}
	for _, r := range routers {
		s.Peers = append(s.Peers, flowspec.Peer{Address: r.id.String(), ASN: asn, Port: r.port()})
	}
	return s
}

// hosts are the networks of the tests' hosts.
func hosts() []string { return []string{"10.1.0.0/16", "2001:db8:1::/48"} }

// limiter is an opened integration of kind flowspec without any session.
func limiter(t testing.TB, routers ...*router) *flowspec.Enforcer {
	t.Helper()
	return connect(t, spec(t, "flowspec"), &flowspec.Config{Session: session(routers...), Networks: hosts(), MaxRules: 1000})
}

// speak starts the speaker and waits for its sessions, also as the speaker sees them.
func speak(t testing.TB, e *flowspec.Enforcer, routers ...*router) {
	t.Helper()
	if err := e.Restore(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	meets(t, e, routers...)
}

func meets(t testing.TB, e *flowspec.Enforcer, routers ...*router) {
	t.Helper()
	for _, r := range routers {
		r.await("a session", func(_ map[string]string, session bool) bool { return session })
		until(t, "the speaker sees the session with "+r.id.String(), func() bool {
			return slices.ContainsFunc(e.Probe(t.Context()), func(f integrations.Finding) bool {
				return f.OK && strings.Contains(f.What, r.id.String())
			})
		})
	}
}

// until waits for a condition that nothing signals, and shows what was there last.
func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("never: %s", what)
		}
	}
}

const inProcess = "the speaker is a part of the process"

// worlds opens a product for each check: the same session, with nothing in it. Another
// session would take the library two seconds.
type worlds struct {
	contract.Knobs
	e         *flowspec.Enforcer
	r         *router
	addresses map[string][]string
	actions   []incident.Action
	blocks    func(remote string) *incident.Filter
}

func (w worlds) open(t testing.TB) contract.EnforcerWorld {
	t.Helper()
	if err := w.e.Reset(); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.r.fresh()
	until(t, "nobody else announces anything", func() bool {
		heard, err := w.e.Heard()
		return err == nil && heard == 0
	})
	return contract.EnforcerWorld{
		Enforcer: w.e, Actions: w.actions, Blocks: w.blocks, Target: w.Target(t, "ws-042"), Other: w.Target(t, "ws-0421"),
		Addresses: func(on incident.Target) []string { return w.addresses[on.ID()] },
		Strange:   "203.0.113.7",
		Settle:    w.settle,
		Effects: func() int {
			w.settle()
			w.r.mu.Lock()
			defer w.r.mu.Unlock()
			return w.r.effects
		},
		Impose: func(o incident.Order) { w.impose(t, o) },
		Standing: func() string {
			w.settle()
			return w.e.Table() + strings.Join(slices.Sorted(maps.Keys(w.r.told())), " ")
		},
	}
}

// settle waits until the router has read all that was announced.
func (w worlds) settle() {
	w.r.t.Helper()
	want := w.e.Announced()
	w.r.await("what was announced", func(rules map[string]string, _ bool) bool {
		return slices.Equal(slices.Sorted(maps.Keys(rules)), want)
	})
}

// impose has the router announce what somebody else made.
func (w worlds) impose(t testing.TB, o incident.Order) {
	t.Helper()
	rules, err := w.e.Rules(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range rules {
		w.r.announce(rule.Family, rule.NLRI, rule.Attributes...)
	}
	until(t, "the speaker hears of what somebody else announces", func() bool {
		heard, err := w.e.Heard()
		return err == nil && heard == len(rules)
	})
}

// hole is an opened integration of kind rtbh without any session.
func hole(t testing.TB, routers ...*router) *flowspec.Enforcer {
	t.Helper()
	return connect(t, spec(t, "rtbh"), &flowspec.BlackholeConfig{
		Session: session(routers...), Networks: hosts(), NextHop: "192.0.2.250", NextHop6: "2001:db8::250", Community: "65535:666", MaxRules: 100,
	})
}

func TestHoles(t *testing.T) {
	w := worlds{
		Knobs:     contract.Knobs{Kind: "rtbh", Unbreakable: inProcess},
		addresses: map[string][]string{"ws-042": {"10.1.0.42"}, "ws-0421": {"10.1.4.21"}},
		actions:   []incident.Action{incident.Block},
		blocks: func(remote string) *incident.Filter {
			return &incident.Filter{Direction: incident.Outbound, RemoteIP: remote}
		},
		r: newRouter(t, "127.0.0.2"),
	}
	w.e = hole(t, w.r)
	speak(t, w.e, w.r)
	contract.Enforcer(t, contract.EnforcerHarness{Knobs: w.Knobs, Open: w.open})
}

func TestRules(t *testing.T) {
	w := worlds{
		Knobs:     contract.Knobs{Kind: "flowspec", Unbreakable: inProcess},
		addresses: map[string][]string{"ws-042": {"10.1.0.42"}, "ws-0421": {"10.1.4.21"}},
		actions:   []incident.Action{incident.RateLimit, incident.Block},
		r:         newRouter(t, "127.0.0.2"),
	}
	w.e = limiter(t, w.r)
	speak(t, w.e, w.r)
	contract.Enforcer(t, contract.EnforcerHarness{Knobs: w.Knobs, Open: w.open})
}
