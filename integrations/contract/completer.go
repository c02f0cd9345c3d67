package contract

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
)

// CompleterHarness opens a product that holds what alerts only name.
type CompleterHarness struct {
	Knobs
	Open func(t testing.TB) CompleterWorld
}

// CompleterWorld is an opened product and bodies about it.
type CompleterWorld struct {
	integrations.Completer
	// Named is a body with an alert that the product knows and the body only names, and
	// Held a text that the product alone has. Unknown names one that does not exist.
	Named, Unknown []byte
	Held           string
	// Whole are bodies that lack nothing, or that name nothing.
	Whole [][]byte
	// Asked counts the requests that reached the product; tokens are not among them.
	Asked func() int
	Break func(Fault)
}

// Completer checks an [integrations.Completer].
func Completer(t *testing.T, h CompleterHarness) {
	t.Helper()
	run(t, "Completer", h, completerChecks())
}

func completerChecks() []check[CompleterHarness] {
	return slices.Concat([]check[CompleterHarness]{
		{"what an alert names is put into its body", checkCompleted},
		{"a body that lacks nothing is not asked about", checkWhole},
		{"an alert that does not exist is not found", checkNotCompleted},
	}, faultChecks(func(t testing.TB, h CompleterHarness) (func(Fault), []call) {
		w := h.Open(t)
		return w.Break, []call{{"complete", false, func(ctx context.Context) error {
			_, err := w.Complete(ctx, w.Named)
			return err
		}}}
	}))
}

func checkCompleted(t testing.TB, h CompleterHarness) {
	w := h.Open(t)
	sent := bytes.Clone(w.Named)
	for range 2 {
		got, err := w.Complete(t.Context(), w.Named)
		h.fine(t, "complete", err)
		if bytes.Contains(sent, []byte(w.Held)) || !bytes.Contains(got, []byte(w.Held)) {
			t.Errorf("%s became %s, want %q in it", sent, got, w.Held)
		}
		if !bytes.Equal(w.Named, sent) {
			t.Fatalf("the body that was sent became %s", w.Named)
		}
		// What is complete stays as it is.
		asked := w.Asked()
		again, err := w.Complete(t.Context(), got)
		h.fine(t, "complete what is complete", err)
		if !bytes.Equal(again, got) || w.Asked() != asked {
			t.Errorf("completed again, with %d requests, the body is %s, want %s", w.Asked()-asked, again, got)
		}
	}
}

func checkWhole(t testing.TB, h CompleterHarness) {
	w := h.Open(t)
	whole := append(slices.Clone(w.Whole), nil, []byte("null"), []byte("{"), []byte("[]"), []byte(`"text"`), []byte("{}"))
	for _, body := range whole {
		got, err := w.Complete(t.Context(), body)
		h.fine(t, "complete a body that lacks nothing", err)
		if !bytes.Equal(got, body) {
			t.Errorf("%s became %s", body, got)
		}
	}
	if n := w.Asked(); n > 0 {
		t.Errorf("the product was asked %d times", n)
	}
}

func checkNotCompleted(t testing.TB, h CompleterHarness) {
	w := h.Open(t)
	_, err := w.Complete(t.Context(), w.Unknown)
	h.want(t, "complete what does not exist", err, integrations.NotFound)
}
