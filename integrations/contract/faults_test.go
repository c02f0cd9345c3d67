package contract

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// toyFront is a product of three calls: "state" tells of a device, "isolate" and "release"
// order that.
type toyFront struct {
	world *edrtest.World

	mu     sync.Mutex
	outage Outage
	passed int
	sent   []Sent
}

func (f *toyFront) Fail(o Outage) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.outage, f.passed = o, 0
}

func (f *toyFront) Sent() []Sent {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.sent)
}

// ask makes a call; a status of 0 is no answer.
func (f *toyFront) ask(ctx context.Context, what, device string) (status int, answer string) {
	f.mu.Lock()
	o := f.outage
	failed := o.Fault != Works && (o.Part == "" || o.Part == "api") && f.passed >= o.After
	f.passed++
	f.sent = append(f.sent, Sent{Part: "api", Method: what, Target: "/" + device, Header: http.Header{"Authorization": {"Bearer hunter2"}}, Failed: failed})
	f.mu.Unlock()
	carry := func() string { return f.carry(what, device) }
	if !failed {
		return http.StatusOK, carry()
	}
	if o.Hit != nil {
		o.Hit()
	}
	if o.CarriesOut || o.Fault == LoseAnswer {
		carry()
	}
	return map[Fault]int{Deny: 401, Forbid: 403, Throttle: 429, Missing: 404, Elsewhere: 307, HTML: 200, Foreign: 200, Wrong: 200, Torn: 200, Huge: 200, Failing: 503}[o.Fault], "<html>Bearer hunter2"
}

// carry does what was asked, and tells how the device is now.
func (f *toyFront) carry(what, device string) string {
	if _, known := f.world.Host(device); !known {
		return "none"
	}
	if what != "state" {
		f.world.Order(edrtest.Action{Kind: edrtest.Kind(what), Host: device})
		return "accepted"
	}
	for _, a := range f.world.Open(device) {
		return "open " + string(a.Kind)
	}
	if f.world.Isolated(device) {
		return "isolated"
	}
	return "free"
}

// toy is a client of that; its mistakes are those that the suites must see.
type toy struct {
	*toyFront
	leaks, guesses, again, blind, lenient, sure, mute bool
}

func (c toy) call(ctx context.Context, op, what string, t incident.Target) (string, error) {
	status, answer := c.ask(ctx, what, t.ID())
	lost := integrations.Unavailable
	if what != "state" {
		lost = integrations.Ambiguous
	}
	kind := map[int]integrations.Kind{
		401: integrations.Denied, 403: integrations.Denied, 429: integrations.Throttled, 307: integrations.Invalid, 404: integrations.Unavailable, 503: lost, 0: lost,
	}[status]
	switch {
	case c.guesses && status == http.StatusOK && strings.HasPrefix(answer, "<html>"):
		return "none", nil
	case status == http.StatusOK && strings.HasPrefix(answer, "<html>"):
		kind = lost
	case status == http.StatusOK:
		return answer, nil
	}
	e := integrations.Errorf(kind, op, "HTTP status %d: check the key, or configure its target", status)
	if c.leaks {
		e = integrations.Errorf(kind, op, "the product says %s: check the key, or configure its target", answer)
	}
	if c.mute {
		e = integrations.Errorf(kind, op, "HTTP status %d: configure its target", status)
	}
	if kind == integrations.Throttled {
		e.After = ThrottledFor
	}
	if c.sure && kind == integrations.Ambiguous {
		e.Kind = integrations.Unavailable
	}
	return "", e
}

// state is how a device is. What is not an id is refused.
func (c toy) state(ctx context.Context, op string, t incident.Target) (string, error) {
	odd := func(r rune) bool { return (r < 'a' || r > 'f') && (r < '0' || r > '9') && r != '-' }
	if t.IsZero() || !c.lenient && (len(t.ID()) > 20 || strings.ContainsFunc(t.ID(), odd)) {
		return "", integrations.Errorf(integrations.Invalid, op, "invalid device")
	}
	state, err := c.call(ctx, op, "state", t)
	if err == nil && state == "none" {
		err = integrations.Errorf(integrations.NotFound, op, "no such device")
	}
	return state, err
}

func (c toy) Endpoints(ctx context.Context, q integrations.EndpointQuery) ([]incident.Endpoint, error) {
	if strings.TrimSpace(q.ID) == "" {
		return nil, nil
	}
	t, err := incident.DeviceTarget(q.ID, q.ID)
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, "find", "%w", err)
	}
	state, err := c.call(ctx, "find", "state", t)
	if err != nil || state == "none" {
		return nil, err
	}
	return []incident.Endpoint{{ID: incident.Known(q.ID, incident.FromEDR)}}, nil
}

func (c toy) Read(ctx context.Context, o incident.Order) (incident.Reading, error) {
	state, err := c.state(ctx, "read", o.Target)
	return incident.Reading{Stands: state == "isolated", Key: map[string]string{"isolated": o.Key}[state]}, err
}

func (c toy) Apply(ctx context.Context, o incident.Order) (incident.Receipt, error) {
	return c.order(ctx, "isolate", "isolated", o.Target)
}

func (c toy) Undo(ctx context.Context, o incident.Order) (incident.Receipt, error) {
	return c.order(ctx, "release", "free", o.Target)
}

// order orders what leads to a state, unless that is there.
func (c toy) order(ctx context.Context, what, to string, t incident.Target) (incident.Receipt, error) {
	state, err := c.state(ctx, what, t)
	switch {
	case err != nil && (!c.blind || t.IsZero() || integrations.KindOf(err) != integrations.Unavailable):
		return incident.Receipt{}, err
	case state == to || state == "open "+what:
		return incident.Receipt{}, nil
	}
	_, err = c.call(ctx, what, what, t)
	if c.again && err != nil && integrations.KindOf(err) == integrations.Ambiguous {
		_, err = c.call(ctx, what, what, t)
	}
	return incident.Receipt{}, err
}

// toyKnobs have ids of hexadecimal digits, of which one begins another.
func toyKnobs() Knobs {
	return Knobs{Kind: "toy", ID: func(id string) string { return map[string]string{"ws-042": "0a42", "ws-0421": "0a421"}[id] }}
}

// toyHarness opens a toy with mistakes. Of the operations only those that it has are tried.
func toyHarness(with toy) FaultsHarness {
	return FaultsHarness{
		Knobs: toyKnobs(), Parts: []string{"api"}, Cures: []string{"check the key"},
		Orders: func(s Sent) bool { return s.Method != "state" }, Names: func(s Sent) []string { return []string{strings.TrimPrefix(s.Target, "/")} },
		Open: func(t testing.TB) FaultsWorld {
			world := edrtest.New(t, time.Now)
			f := &toyFront{world: world}
			c := with
			c.toyFront = f
			return EDR{Knobs: toyKnobs(), World: world}.Faults(t, f, "", func() any { return c })
		},
	}
}

func TestFaultsBite(t *testing.T) {
	checks := func() []check[FaultsHarness] {
		// The last one is about breakers, which a toy has not.
		all := outageChecks()
		return all[:len(all)-1]
	}
	for name, c := range map[string]struct {
		with toy
		// says is what some check complains of; empty: none complains.
		says string
	}{
		"right":                               {toy{}, ""},
		"shows what was sent":                 {toy{leaks: true}, "the error shows a secret"},
		"takes a page for no device":          {toy{guesses: true}, `it is taken for the answer ""; it is "0a42"`},
		"orders though it could not read":     {toy{blind: true}, "isolate /0a42 was sent after state /0a42 had failed"},
		"orders again, not knowing":           {toy{again: true}, "was sent after isolate /0a42 had failed"},
		"says that nothing was done":          {toy{sure: true}, "is of kind unavailable, want [ambiguous]"},
		"does not say what to do about a key": {toy{mute: true}, "does not say what to check"},
	} {
		t.Run(name, func(t *testing.T) {
			var all strings.Builder
			for _, text := range verdicts(t, toyHarness(c.with), checks()) {
				all.WriteString(text)
			}
			if got := all.String(); (got == "") != (c.says == "") || !strings.Contains(got, c.says) || strings.Contains(got, "hunter2") {
				t.Errorf("the checks complain of %q, want %q", got, c.says)
			}
		})
	}
}

func TestTargetsBite(t *testing.T) {
	bites(t, verdicts(t, toyHarness(toy{}), targetChecks()))
	bites(t, verdicts(t, toyHarness(toy{lenient: true}), targetChecks()), "a text that is not one id is refused, and is no other device's")
	astray := toyHarness(toy{})
	astray.Names = func(Sent) []string { return []string{"0a42", "0a421"} }
	bites(t, verdicts(t, astray, targetChecks()), "an order names the one device, where the product reads it")
}
