// Package contract holds one suite of checks per capability of package
// integrations. Every integration runs the suites of the capabilities that it
// has, against its product or a stateful fake of it. The suites assert the state
// of the product afterwards, not which calls were made.
package contract

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Fault is a kind of failure of a product. It lasts until the next fault is set;
// Works ends it.
type Fault string

// The faults that a harness must be able to cause.
const (
	// Works is the absence of a fault.
	Works Fault = ""
	// Throttle refuses every call and asks to come back after [ThrottledFor].
	Throttle Fault = "throttle"
	// Down refuses every call as unavailable; nothing is carried out.
	Down Fault = "down"
	// Deny refuses the credentials.
	Deny Fault = "deny"
	// Hang does not answer until the caller gives up; nothing is carried out.
	Hang Fault = "hang"
	// LoseAnswer carries a write out, but its answer never arrives.
	LoseAnswer Fault = "lose_answer"
)

// ThrottledFor is how long a product under [Throttle] asks to wait.
const ThrottledFor = 7 * time.Second

// Knobs are what every harness can set.
type Knobs struct {
	// Kind is the kind of integration that the harness opens.
	Kind string
	// Skip has the checks that the product cannot pass, each with the reason. An
	// unknown name fails the suite.
	Skip map[string]string
	// Unbreakable is the reason for which the harness cannot cause faults, such
	// as "a local file". Without it, a missing Break fails the suite.
	Unbreakable string
	// Secrets are texts that no error may contain, such as the token with which
	// the harness opened the product.
	Secrets []string
	// ID returns the product's form of a device id of the suites, such as ws-042; nil
	// leaves them as they are. Different ids must stay different.
	ID func(id string) string
	// ReadsFirst reports that the client reads before each of its writes. What hangs is
	// that read then: nothing was written, and the call is unavailable.
	ReadsFirst bool
	// Patience is how long a call may take until it reaches the point at which the
	// product hangs; 100 ms when zero.
	Patience time.Duration
}

func (k Knobs) knobs() Knobs { return k }

func (k Knobs) id(id string) string {
	if k.ID == nil {
		return id
	}
	return k.ID(id)
}

// check is one obligation. Each runs on a product of its own.
type check[H any] struct {
	name string
	run  func(t testing.TB, h H)
}

type harness interface{ knobs() Knobs }

// run runs the checks of a suite. What each is of is told to whoever reads the
// output of "go test -json", as [Ran].
func run[H harness](t *testing.T, suite string, h H, checks []check[H]) {
	t.Helper()
	if unknown := unknownSkips(h, checks); len(unknown) > 0 {
		t.Fatalf("the harness skips checks that do not exist: %s", strings.Join(unknown, ", "))
	}
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			h.knobs().ran(t, suite, c.name)
			if why := h.knobs().Skip[c.name]; why != "" {
				lacks(t, why)
				t.Skip(why)
			}
			c.run(t, h)
		})
	}
}

// Ran and Lacks are the attributes of a check's test. The value of Ran is the kind,
// the suite and the name of the check, with a blank between them; that of Lacks is
// why the product cannot be checked for it.
const (
	Ran   = "contract"
	Lacks = "contract-lacks"
)

// ran says which check of which suite the test is, and of which kind.
func (k Knobs) ran(t testing.TB, suite, name string) {
	t.Helper()
	if k.Kind == "" {
		t.Fatalf("the harness of %s does not name its Kind", suite)
	}
	t.Attr(Ran, k.Kind+" "+suite+" "+name)
}

// lacks says why the product has nothing that the rest of the check could look at.
func lacks(t testing.TB, why string) {
	t.Helper()
	t.Attr(Lacks, why)
}

// unbreakable skips a check of a harness that has no Break.
func (k Knobs) unbreakable(t testing.TB) {
	t.Helper()
	if k.Unbreakable == "" {
		t.Fatalf("the harness has no Break, and does not say why it is Unbreakable")
	}
	lacks(t, k.Unbreakable)
	t.Skip(k.Unbreakable)
}

func unknownSkips[H harness](h H, checks []check[H]) []string {
	names := map[string]bool{}
	for _, c := range checks {
		names[c.name] = true
	}
	var unknown []string
	for _, name := range slices.Sorted(maps.Keys(h.knobs().Skip)) {
		if !names[name] {
			unknown = append(unknown, name)
		}
	}
	return unknown
}

// want fails unless err is of the kind. It also fails on an error that is not
// an [integrations.Error], and on one that shows a secret.
func (k Knobs) want(t testing.TB, what string, err error, kind integrations.Kind) {
	t.Helper()
	k.noSecret(t, what, err)
	e, ok := errors.AsType[*integrations.Error](err)
	switch {
	case err == nil:
		t.Errorf("%s: no error, want kind %s", what, kind)
	case !ok:
		t.Errorf("%s: error %q is not an integrations.Error, want kind %s", what, err, kind)
	case e.Kind != kind:
		t.Errorf("%s: error %q is of kind %s, want %s", what, err, e.Kind, kind)
	}
}

// fine ends the check on an error.
func (k Knobs) fine(t testing.TB, what string, err error) {
	t.Helper()
	k.noSecret(t, what, err)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func (k Knobs) noSecret(t testing.TB, what string, err error) {
	t.Helper()
	if err == nil {
		return
	}
	for _, secret := range k.Secrets {
		for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
			if secret != "" && strings.Contains(text, secret) {
				t.Errorf("%s: the error shows a secret", what)
				return
			}
		}
	}
}

// call is one operation of a capability, ready to be made.
type call struct {
	name  string
	write bool
	do    func(context.Context) error
}

// promptly makes the call and fails if it does not return.
func promptly(ctx context.Context, t testing.TB, c call) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- c.do(ctx) }()
	timer := time.NewTimer(time.Minute)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		t.Fatalf("%s: did not return after its context had ended", c.name)
		return nil
	}
}

// faultChecks are the checks that every capability must pass. open returns a
// function that breaks the product and one call of each operation.
func faultChecks[H harness](open func(t testing.TB, h H) (func(Fault), []call)) []check[H] {
	broken := func(fault Fault, judge func(t testing.TB, k Knobs, c call)) func(testing.TB, H) {
		return func(t testing.TB, h H) {
			breakIt, calls := open(t, h)
			if breakIt == nil {
				h.knobs().unbreakable(t)
			}
			breakIt(fault)
			for _, c := range calls {
				judge(t, h.knobs(), c)
			}
		}
	}
	return []check[H]{
		{"a cancelled context ends the call", func(t testing.TB, h H) {
			_, calls := open(t, h)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			for _, c := range calls {
				err := promptly(ctx, t, c)
				h.knobs().noSecret(t, c.name, err)
				if err == nil {
					t.Errorf("%s: no error, though its context was cancelled", c.name)
				}
			}
		}},
		{"throttled says when to come back", broken(Throttle, func(t testing.TB, k Knobs, c call) {
			err := c.do(t.Context())
			k.want(t, c.name, err, integrations.Throttled)
			if e, ok := errors.AsType[*integrations.Error](err); ok && e.After != ThrottledFor {
				t.Errorf("%s: throttled for %s, want %s", c.name, e.After, ThrottledFor)
			}
		})},
		{"down is unavailable", broken(Down, func(t testing.TB, k Knobs, c call) {
			k.want(t, c.name, c.do(t.Context()), integrations.Unavailable)
		})},
		{"refused credentials are denied", broken(Deny, func(t testing.TB, k Knobs, c call) {
			k.want(t, c.name, c.do(t.Context()), integrations.Denied)
		})},
		{"no answer is ambiguous for a write and unavailable for a read", broken(Hang, func(t testing.TB, k Knobs, c call) {
			ctx, cancel := context.WithTimeout(t.Context(), cmp.Or(k.Patience, 100*time.Millisecond))
			defer cancel()
			kind := integrations.Unavailable
			if c.write && !k.ReadsFirst {
				kind = integrations.Ambiguous
			}
			k.want(t, c.name, promptly(ctx, t, c), kind)
		})},
	}
}

// concurrently makes the call n times at once.
func concurrently(n int, do func() error) error {
	errs := make(chan error, n)
	for range n {
		go func() { errs <- do() }()
	}
	var all []error
	for range n {
		all = append(all, <-errs)
	}
	return errors.Join(all...)
}

// unknownDevice is a device that no harness has.
func (k Knobs) unknownDevice(t testing.TB) incident.Target {
	t.Helper()
	return k.Target(t, "no-such-device-7f3a")
}
