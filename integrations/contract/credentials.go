package contract

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
)

// BadCredential is a credential that does not serve, or what keeps one from serving.
type BadCredential struct {
	Name string
	// Open opens a product, and a client of it with the credential.
	Open func(t testing.TB) FaultsWorld
	// Fails is the kind of error of an operation, by its name; those that are not named are
	// not tried.
	Fails map[string]integrations.Kind
	// Says are words of each of these errors, and Finds of a finding of the probe that is
	// not right, with its cure. Empty: nothing is looked for.
	Says, Finds []string
}

// ClockOff is a machine whose clock is three hours behind. Set gives a client its clock.
func ClockOff[Client any](open func(testing.TB) FaultsWorld, set func(c Client, now func() time.Time)) BadCredential {
	return BadCredential{
		Name: "the clock is hours off", Finds: []string{"the clock differs", "NTP"},
		Open: func(t testing.TB) FaultsWorld {
			t.Helper()
			w := open(t)
			c, ok := w.Client.(Client)
			if !ok {
				t.Fatal("the client is of another type")
			}
			set(c, func() time.Time { return time.Now().Add(-3 * time.Hour) })
			return w
		},
	}
}

// Each has the operations that no product does without a login fail in one way.
func Each(kind integrations.Kind) map[string]integrations.Kind {
	return map[string]integrations.Kind{"read": kind, "apply": kind, "find": kind, "run": kind}
}

// Credentials checks what becomes of credentials that do not serve: the error is of the
// right kind and says what to do, nothing is ordered, and a product that locks accounts is
// not asked again and again. Open opens one where all is well.
func Credentials(t *testing.T, h FaultsHarness, bad []BadCredential) {
	t.Helper()
	checks := []check[FaultsHarness]{
		{"a token that is refused in the middle is replaced, once", checkRevoked},
		{"a right that is taken away in the middle is said, and no token is asked for", checkForbidden},
	}
	for _, b := range bad {
		checks = append(checks, check[FaultsHarness]{b.Name, func(t testing.TB, h FaultsHarness) { checkCredential(t, h, b) }})
	}
	run(t, "Credentials", h, checks)
}

// at counts the requests for a part.
func at(sent []Sent, part string) int {
	n := 0
	for _, s := range sent {
		if s.Part == part {
			n++
		}
	}
	return n
}

// denied makes the calls of some operations while the product refuses what is not a login,
// and returns what was sent.
func denied(t testing.TB, h FaultsHarness, fault Fault, names ...string) (w FaultsWorld, sent []Sent) {
	t.Helper()
	w = h.Open(t)
	if _, err := operationNamed("read").do(t.Context(), w); err != nil {
		t.Fatalf("a read with a right credential: %v", err)
	}
	before := len(w.Front.Sent())
	w.Front.Fail(Outage{Fault: fault, Spared: h.Login})
	for _, name := range names {
		_, err := operationNamed(name).do(t.Context(), w)
		h.want(t, name+" with what is refused", err, integrations.Denied)
	}
	w.Front.Fail(Outage{})
	return w, w.Front.Sent()[before:]
}

func checkRevoked(t testing.TB, h FaultsHarness) {
	w, sent := denied(t, h, Deny, "read", "apply", "find", "read")
	if n, most := at(sent, h.Login), len(h.Parts); h.Login != "" && (n == 0 || n > most) {
		t.Errorf("%d tokens were asked for, want one for each of the parts that refuse it", n)
	}
	if h.Login != "" {
		h.refusedAgain(t, sent)
	}
	if n := len(w.World.Actions("")); n > 0 {
		t.Errorf("%d actions were ordered with a token that is refused", n)
	}
	// Another token, of which there may be one a moment later, serves.
	w.Client = w.Reopen()
	_, err := operationNamed("apply").do(t.Context(), w)
	h.fine(t, "apply when it works again", err)
}

// refusedAgain fails where a part was asked with more than two tokens that it refused: the
// first one, and the next.
func (h FaultsHarness) refusedAgain(t testing.TB, sent []Sent) {
	t.Helper()
	with := map[string]bool{}
	for _, s := range sent {
		if s.Failed {
			with[s.Part+" "+s.Header.Get("Authorization")] = true
		}
	}
	for _, part := range h.Parts {
		n := 0
		for key := range with {
			if strings.HasPrefix(key, part+" ") {
				n++
			}
		}
		if n > 2 {
			t.Errorf("%d tokens were tried at %s, want two", n, part)
		}
	}
}

func checkForbidden(t testing.TB, h FaultsHarness) {
	w, sent := denied(t, h, Forbid, "read", "apply", "find")
	if n := at(sent, h.Login); h.Login != "" && n > 1 {
		// Of a part that was not asked before.
		t.Errorf("%d tokens were asked for, though none was refused", n)
	}
	if n := len(w.World.Actions("")); n > 0 {
		t.Errorf("%d actions were ordered without the right to", n)
	}
	_, err := operationNamed("apply").do(t.Context(), w)
	h.fine(t, "apply when the right is there again", err)
}

func checkCredential(t testing.TB, h FaultsHarness, b BadCredential) {
	w := b.Open(t)
	for _, name := range slices.Sorted(maps.Keys(b.Fails)) {
		_, err := operationNamed(name).do(t.Context(), w)
		h.want(t, name, err, b.Fails[name])
		for _, word := range b.Says {
			if err != nil && !strings.Contains(err.Error(), word) {
				t.Errorf("%s: error %q does not say %q", name, err, word)
			}
		}
	}
	if n := len(w.World.Actions("")); n > 0 {
		t.Errorf("%d actions were ordered", n)
	}
	if n, most := at(w.Front.Sent(), h.Login), 2; h.Login != "" && n > most {
		t.Errorf("%d tokens were asked for, want %d at most: accounts are locked", n, most)
	}
	prober, ok := w.Client.(integrations.Prober)
	if !ok || len(b.Finds) == 0 {
		return
	}
	found := prober.Probe(context.WithoutCancel(t.Context()))
	says := func(f integrations.Finding) bool {
		return (!f.OK || f.Warning) && f.Fix != "" && !slices.ContainsFunc(b.Finds, func(word string) bool { return !strings.Contains(f.What+": "+f.Fix, word) })
	}
	if !slices.ContainsFunc(found, says) {
		t.Errorf("no finding that is wrong says %q: %+v", b.Finds, found)
	}
	h.noSecret(t, "the findings", &probeError{[]string{fmt.Sprintf("%+v", found)}})
}
