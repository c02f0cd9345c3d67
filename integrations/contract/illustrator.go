package contract

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// IllustratorHarness opens a product that takes pictures.
type IllustratorHarness struct {
	Knobs
	// Open returns a product without messages.
	Open func(t testing.TB) IllustratorWorld
}

// IllustratorWorld is an opened product and a view of its state.
type IllustratorWorld struct {
	integrations.Messenger
	integrations.Illustrator
	// Channel is one that exists.
	Channel string
	// Unknown is a receipt in the product's form for a message that does not exist.
	Unknown incident.Receipt
	// Pictures are the texts of the pictures that people see under the message of
	// the receipt, oldest first.
	Pictures func(under incident.Receipt) []string
	// Break makes illustrating fail.
	Break func(Fault)
}

// Illustrator checks an [integrations.Illustrator].
func Illustrator(t *testing.T, h IllustratorHarness) {
	t.Helper()
	run(t, "Illustrator", h, illustratorChecks())
}

func illustratorChecks() []check[IllustratorHarness] {
	return slices.Concat([]check[IllustratorHarness]{
		{"the same key is one picture", checkIllustratedOnce},
		{"a chart without key or points is invalid", checkUndrawable},
		{"a picture for a message that is not there is not found", checkIllustrateUnknown},
		{"a lost answer is ambiguous, and is not shown twice", checkIllustratedLostAnswer},
	}, faultChecks(func(t testing.TB, h IllustratorHarness) (func(Fault), []call) {
		w := h.Open(t)
		r := h.post(t, w)
		return w.Break, []call{{"illustrate", true, func(ctx context.Context) error {
			_, err := w.Illustrate(ctx, r, chart("stanch-chart-1"))
			return err
		}}}
	}))
}

func (h IllustratorHarness) post(t testing.TB, w IllustratorWorld) incident.Receipt {
	t.Helper()
	r, err := w.Post(t.Context(), message(w.Channel, "stanch-key-1"))
	h.fine(t, "post", err)
	return r
}

// chart is an hour of egress; its words hold the key.
func chart(key string) integrations.Chart {
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	c := integrations.Chart{
		Key: key, Title: "Egress of ws-042 <!channel>", Alt: "Egress rose to 80 Mbit/s and fell: " + key,
		Normal: incident.Known(int64(1_000_000), incident.FromFlows),
		Marks:  []integrations.ChartMark{{At: start.Add(40 * time.Minute), Label: "isolated"}},
	}
	for minute := range 60 {
		bytes := int64(500_000)
		if minute > 20 && minute < 40 {
			bytes = 600_000_000
		}
		c.Series = append(c.Series, incident.Point{At: start.Add(time.Duration(minute) * time.Minute), BytesOut: bytes})
	}
	return c
}

func (w IllustratorWorld) shows(t testing.TB, when string, under incident.Receipt, keys ...string) {
	t.Helper()
	seen := w.Pictures(under)
	if len(seen) != len(keys) {
		t.Errorf("%s: people see %d pictures, want %d", when, len(seen), len(keys))
		return
	}
	for i, words := range seen {
		if !strings.Contains(words, keys[i]) {
			t.Errorf("%s: picture %d says %q, want the words of %s", when, i+1, words, keys[i])
		}
	}
}

func checkIllustratedOnce(t testing.TB, h IllustratorHarness) {
	w := h.Open(t)
	r := h.post(t, w)
	for _, key := range []string{"stanch-chart-1", "stanch-chart-1", "stanch-chart-2", "stanch-chart-1"} {
		_, err := w.Illustrate(t.Context(), r, chart(key))
		h.fine(t, "illustrate", err)
	}
	w.shows(t, "after four pictures with two keys", r, "stanch-chart-1", "stanch-chart-2")
}

func checkUndrawable(t testing.TB, h IllustratorHarness) {
	w := h.Open(t)
	r := h.post(t, w)
	_, err := w.Illustrate(t.Context(), r, chart(""))
	h.want(t, "illustrate without key", err, integrations.Invalid)
	empty := chart("stanch-chart-1")
	empty.Series = nil
	_, err = w.Illustrate(t.Context(), r, empty)
	h.want(t, "illustrate without points", err, integrations.Invalid)
	w.shows(t, "after refused charts", r)
}

func checkIllustrateUnknown(t testing.TB, h IllustratorHarness) {
	w := h.Open(t)
	_, err := w.Illustrate(t.Context(), w.Unknown, chart("stanch-chart-1"))
	h.want(t, "illustrate under a message that is not there", err, integrations.NotFound)
}

func checkIllustratedLostAnswer(t testing.TB, h IllustratorHarness) {
	w := h.Open(t)
	if w.Break == nil {
		h.unbreakable(t)
	}
	r := h.post(t, w)
	w.Break(LoseAnswer)
	_, err := w.Illustrate(t.Context(), r, chart("stanch-chart-1"))
	h.want(t, "illustrate", err, integrations.Ambiguous)
	w.Break(Works)
	_, err = w.Illustrate(t.Context(), r, chart("stanch-chart-1"))
	h.fine(t, "illustrate again", err)
	w.shows(t, "after a lost answer and a second picture", r, "stanch-chart-1")
}
