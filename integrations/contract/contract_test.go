package contract

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// recorder is a testing.TB that notes failures instead of failing.
type recorder struct {
	testing.TB
	mu       sync.Mutex
	failures []string
	skipped  string
}

func (r *recorder) note(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, s)
}

func (r *recorder) Helper()                   {}
func (r *recorder) Error(args ...any)         { r.note(fmt.Sprint(args...)) }
func (r *recorder) Errorf(f string, a ...any) { r.note(fmt.Sprintf(f, a...)) }
func (r *recorder) Fatal(args ...any)         { r.note(fmt.Sprint(args...)); runtime.Goexit() }
func (r *recorder) Fatalf(f string, a ...any) { r.note(fmt.Sprintf(f, a...)); runtime.Goexit() }
func (r *recorder) Skip(args ...any)          { r.skipped = fmt.Sprint(args...); runtime.Goexit() }

// verdicts runs every check and returns the failures of each.
func verdicts[H harness](t *testing.T, h H, checks []check[H]) map[string]string {
	t.Helper()
	got := map[string]string{}
	for _, c := range checks {
		r := &recorder{TB: t}
		done := make(chan struct{})
		go func() {
			defer close(done)
			c.run(r, h)
		}()
		<-done
		if len(r.failures) > 0 {
			got[c.name] = strings.Join(r.failures, "\n")
		}
	}
	return got
}

// A check of no kind would be told of nobody.
func TestAHarnessNamesItsKind(t *testing.T) {
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		Knobs{}.ran(r, "Enforcer", "it is applied once")
	}()
	<-done
	if len(r.failures) != 1 || !strings.Contains(r.failures[0], "does not name its Kind") {
		t.Errorf("a harness without a Kind has the complaints %q", r.failures)
	}
}

// bites fails unless exactly the named checks fail.
func bites(t *testing.T, got map[string]string, want ...string) {
	t.Helper()
	for _, name := range want {
		if _, ok := got[name]; !ok {
			t.Errorf("check %q did not complain", name)
		}
		delete(got, name)
	}
	for name, text := range got {
		t.Errorf("check %q complained without need: %s", name, text)
	}
}

// estate opens an estate with the devices that the checks use.
func estate(t testing.TB, ids ...string) *memory.Estate {
	t.Helper()
	e, err := memory.New(memory.Options{})
	if err != nil {
		t.Fatalf("open an estate: %v", err)
	}
	for _, id := range ids {
		if err := e.AddHost(memory.Host{ID: id, Name: id}); err != nil {
			t.Fatalf("add a host: %v", err)
		}
	}
	return e
}

func device(t testing.TB, id string) incident.Target {
	t.Helper()
	target, err := incident.DeviceTarget(id, id)
	if err != nil {
		t.Fatalf("make a target: %v", err)
	}
	return target
}

// around makes a harness whose back end is an estate behind a fault.
func around(wrap func(*memory.Estate) integrations.Enforcer, effects func(integrations.Enforcer, *memory.Estate) int) EnforcerHarness {
	return EnforcerHarness{
		Knobs: Knobs{Unbreakable: "only the checks of the state are meant here"},
		Open: func(t testing.TB) EnforcerWorld {
			e := estate(t, "ws-042", "ws-0421")
			backend := wrap(e)
			return EnforcerWorld{
				Enforcer: backend, Actions: []incident.Action{incident.RateLimit, incident.Block, incident.Isolate},
				Target: device(t, "ws-042"), Other: device(t, "ws-0421"),
				Effects:  func() int { return effects(backend, e) },
				Excepted: func(on incident.Target) []string { return e.Excepted(on.ID()) },
				Impose: func(o incident.Order) {
					if err := e.Impose(o); err != nil {
						t.Fatalf("impose: %v", err)
					}
				},
				Standing: func() string { return fmt.Sprint(len(e.Effects())) },
			}
		},
	}
}

func counted(_ integrations.Enforcer, e *memory.Estate) int { return len(e.Effects()) }

// liar accepts everything; nothing is ever in force.
type liar struct{ *memory.Estate }

func (l liar) Read(ctx context.Context, o incident.Order) (incident.Reading, error) {
	_, err := l.Estate.Read(ctx, o)
	return incident.Reading{}, err
}

// repeater has a new effect on every apply of an active containment.
type repeater struct {
	*memory.Estate
	mu    sync.Mutex
	again int
}

func (r *repeater) Apply(ctx context.Context, o incident.Order) (incident.Receipt, error) {
	before := len(r.Estate.Effects())
	receipt, err := r.Estate.Apply(ctx, o)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil && len(r.Estate.Effects()) == before {
		r.again++
	}
	return receipt, err
}

// lifter undoes any active containment, regardless of who made it.
type lifter struct{ *memory.Estate }

func (l lifter) Undo(ctx context.Context, o incident.Order) (incident.Receipt, error) {
	s, err := l.Estate.Read(ctx, o)
	if err != nil || o.Key == "" {
		return l.Estate.Undo(ctx, o)
	}
	o.Key = s.Key
	if o.Key == "" {
		return incident.Receipt{}, nil
	}
	return l.Estate.Undo(ctx, o)
}

// stranger answers for devices that it does not know.
type stranger struct{ *memory.Estate }

func (s stranger) Read(ctx context.Context, o incident.Order) (incident.Reading, error) {
	standing, err := s.Estate.Read(ctx, o)
	if integrations.KindOf(err) == integrations.NotFound {
		return incident.Reading{}, nil
	}
	return standing, err
}

// promiser plans every order.
type promiser struct{ *memory.Estate }

func (promiser) Plan(ctx context.Context, _ incident.Order) error { return ctx.Err() }

// eager puts in place what it is to plan.
type eager struct{ *memory.Estate }

func (e eager) Plan(ctx context.Context, o incident.Order) error {
	o.Key = "planned"
	_, err := e.Estate.Apply(ctx, o)
	return err
}

// silent lists nothing.
type silent struct{ *memory.Estate }

func (silent) Standing(ctx context.Context) ([]incident.Order, error) { return nil, ctx.Err() }

// imposing lists what others made, too.
type imposing struct{ *memory.Estate }

func (i imposing) Standing(ctx context.Context) ([]incident.Order, error) {
	ours, err := i.Estate.Standing(ctx)
	for _, a := range []incident.Action{incident.RateLimit, incident.Block, incident.Isolate} {
		ws, _ := incident.DeviceTarget("ws-042", "ws-042")
		o := incident.Order{Action: a, Target: ws}
		if a == incident.Block {
			o.Filter = &incident.Filter{Direction: incident.Outbound, RemoteIP: "192.0.2.53", RemotePort: 53, Transport: "udp"}
		}
		if r, err := i.Read(ctx, o); err == nil && r.Stands && r.Key == "" {
			ours = append(ours, o)
		}
	}
	return ours, err
}

func TestEnforcerSuiteBites(t *testing.T) {
	for _, tt := range []struct {
		name    string
		wrap    func(*memory.Estate) integrations.Enforcer
		effects func(integrations.Enforcer, *memory.Estate) int
		want    []string
	}{
		{"an honest one passes", func(e *memory.Estate) integrations.Enforcer { return e }, counted, nil},
		{"a liar", func(e *memory.Estate) integrations.Enforcer { return liar{e} }, counted, []string{
			"an applied containment is in force", "read shows the key", "the same key is applied once", "the same key at once is applied once",
			"a containment of another key is kept", "undo leaves another key alone", "undo leaves a containment without a key alone",
			"it can be applied again after undo", "another device is not touched", "what is contained is apart by its filter",
			"a lower rate takes the place of a higher one",
		}},
		{
			"one that repeats the effect", func(e *memory.Estate) integrations.Enforcer { return &repeater{Estate: e} },
			func(backend integrations.Enforcer, e *memory.Estate) int {
				r := backend.(*repeater)
				r.mu.Lock()
				defer r.mu.Unlock()
				return len(e.Effects()) + r.again
			},
			[]string{
				"the same key is applied once", "the same key at once is applied once",
				"a containment of another key is kept", "undo leaves a containment without a key alone",
			},
		},
		{
			"one that lifts what others made", func(e *memory.Estate) integrations.Enforcer { return lifter{e} }, counted,
			[]string{"undo leaves another key alone"},
		},
		{
			"one that knows every device", func(e *memory.Estate) integrations.Enforcer { return stranger{e} }, counted,
			[]string{"unknown device is not found"},
		},
		{
			"one that plans whatever is asked for", func(e *memory.Estate) integrations.Enforcer { return promiser{e} }, counted,
			[]string{"a plan says what apply would, and changes nothing"},
		},
		{
			"one that applies what it plans", func(e *memory.Estate) integrations.Enforcer { return eager{e} }, counted,
			[]string{"a plan says what apply would, and changes nothing"},
		},
		{
			"one that lists nothing", func(e *memory.Estate) integrations.Enforcer { return silent{e} }, counted,
			[]string{"what carries a key of ours is listed", "what somebody else made is not listed"},
		},
		{
			"one that lists what others made", func(e *memory.Estate) integrations.Enforcer { return imposing{e} }, counted,
			[]string{"what somebody else made is not listed"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bites(t, verdicts(t, around(tt.wrap, tt.effects), enforcerChecks()), tt.want...)
		})
	}
}

// leaky shows its secret, and hangs after it was cancelled.
type leaky struct {
	*memory.Estate
	broken *Fault
}

func (l leaky) Read(ctx context.Context, o incident.Order) (incident.Reading, error) {
	if *l.broken == Throttle {
		return incident.Reading{}, &integrations.Error{Kind: integrations.Throttled, Op: "GET https://edr.example?token=hunter2"}
	}
	return l.Estate.Read(context.WithoutCancel(ctx), o)
}

func TestFaultChecksBite(t *testing.T) {
	h := EnforcerHarness{Knobs: Knobs{Secrets: []string{"hunter2"}}, Open: func(t testing.TB) EnforcerWorld {
		var broken Fault
		e := estate(t, "ws-042", "ws-0421")
		return EnforcerWorld{
			Enforcer: leaky{e, &broken}, Actions: []incident.Action{incident.Isolate},
			Target: device(t, "ws-042"), Other: device(t, "ws-0421"),
			Effects: func() int { return len(e.Effects()) }, Impose: func(incident.Order) {},
			Break: func(f Fault) { broken = f },
		}
	}}
	got := verdicts(t, h, enforcerChecks())
	if text := got["throttled says when to come back"]; !strings.Contains(text, "shows a secret") ||
		!strings.Contains(text, "throttled for 0s, want 7s") || strings.Contains(text, "hunter2") {
		t.Errorf("the secret and the missing time were not reported as they should: %q", text)
	}
	for _, name := range []string{
		"a cancelled context ends the call", "down is unavailable", "refused credentials are denied",
		"no answer is ambiguous for a write and unavailable for a read", "a lost answer is ambiguous, and reading back resolves it",
	} {
		if got[name] == "" {
			t.Errorf("check %q did not complain", name)
		}
	}
}

// guesser takes a prefix for a match.
type guesser struct{ devices []incident.Endpoint }

func (g guesser) Endpoints(_ context.Context, q integrations.EndpointQuery) ([]incident.Endpoint, error) {
	var found []incident.Endpoint
	for _, d := range g.devices {
		if id, _ := d.ID.Get(); q.ID != "" && strings.HasPrefix(id, q.ID) {
			found = append(found, d)
		}
	}
	return found, nil
}

func TestEndpointsSuiteBites(t *testing.T) {
	h := EndpointsHarness{
		Knobs: Knobs{Unbreakable: "the checks of the answers are meant here"},
		Open:  func(_ testing.TB, devices []incident.Endpoint) integrations.Endpoints { return guesser{devices} },
	}
	bites(t, verdicts(t, h, endpointsChecks()), "a device is found by each identifier", "a prefix or a part does not match",
		"all that match are returned, sorted, each once", "a cancelled context ends the call")
}

// killsByNumber ignores the path; chatty sends everything.
type (
	killsByNumber struct{ *memory.Estate }
	chatty        struct{ sent *int }
)

func (k killsByNumber) Kill(ctx context.Context, o integrations.KillOrder) (incident.Receipt, error) {
	if o.Path != "" {
		o.Path = "/bin/sender"
	}
	return k.Estate.Kill(ctx, o)
}

func (c chatty) Post(context.Context, integrations.Message) (incident.Receipt, error) {
	*c.sent++
	return incident.Receipt{}, nil
}

func TestOtherSuitesBite(t *testing.T) {
	unbreakable := Knobs{Unbreakable: "only the checks of the state are meant here"}
	killer := KillerHarness{Knobs: unbreakable, Open: func(t testing.TB) KillerWorld {
		e := estate(t)
		if err := e.AddHost(memory.Host{ID: "ws-042", Processes: []memory.Process{{Path: "/bin/sender", PID: 7}}}); err != nil {
			t.Fatal(err)
		}
		return KillerWorld{
			Killer: killsByNumber{e}, Target: device(t, "ws-042"), PID: 7, Path: "/bin/sender",
			Runs: func() bool { return e.Runs("ws-042", 7, "/bin/sender") }, Kills: func() int { return len(e.Effects()) },
		}
	}}
	bites(t, verdicts(t, killer, killerChecks()), "a pid that is used again is left alone")

	messenger := MessengerHarness{Knobs: unbreakable, Open: func(testing.TB) MessengerWorld {
		var sent int
		return MessengerWorld{Messenger: chatty{&sent}, Channel: "#sec", Sent: func() int { return sent }}
	}}
	bites(t, verdicts(t, messenger, messengerChecks()), "the same key is sent once",
		"a message without key or channel is invalid", "a cancelled context ends the call")
}

func TestSkipsAreData(t *testing.T) {
	h := FlowsHarness{Knobs: Knobs{Skip: map[string]string{"no such check": "because"}}}
	if got := unknownSkips(h, flowsChecks()); len(got) != 1 || got[0] != "no such check" {
		t.Errorf("unknown skips are %v, want the unknown one", got)
	}
	silent := laid(Knobs{}, func(e *memory.Estate) integrations.Flows { return e })
	bites(t, verdicts(t, silent, flowsChecks()), "throttled says when to come back", "down is unavailable",
		"refused credentials are denied", "no answer is ambiguous for a write and unavailable for a read")
}
