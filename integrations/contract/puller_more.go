package contract

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/alerts"
)

// lag waits until another process is told that so much waits.
func (h PullerHarness) lag(t testing.TB, w PullerWorld, want int64) {
	t.Helper()
	p := w.open(t)
	deadline := time.After(pullWithin)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		lag, err := p.Lag(t.Context())
		if err == nil && lag == want {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("the lag is %d, %v; want %d", lag, err, want)
		}
	}
}

func checkPullLag(t testing.TB, h PullerHarness) {
	w := h.Open(t)
	if h.NoLag != "" {
		lacks(t, h.NoLag)
		if _, err := w.open(t).Lag(t.Context()); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("the lag that cannot be told is the error %v", err)
		}
		return
	}
	h.lag(t, w, 0)
	w.Send(h.messages(0, 30)...)
	h.lag(t, w, 30)
	b := h.basket()
	r := pull(t, w.open(t), b.take)
	b.holds(t, h.messages(0, 30))
	h.lag(t, w, 0)
	r.stop()
	w.Send(h.body("one"))
	h.lag(t, w, 1)
}

// checkPullRestarts ends pullers in the middle of what they do, each after 37 messages that
// are new. What take returned nil for must not come again, as each of them ends in order.
func checkPullRestarts(t testing.TB, h PullerHarness) {
	w := h.Open(t)
	sent := h.messages(0, 300)
	w.Send(sent...)
	total := h.basket()
	for total.different() < len(sent) {
		ctx, cancel := context.WithTimeout(t.Context(), total.within)
		p, before, b := w.New(), total.different(), h.basket()
		err := p.Pull(ctx, alerts.Each(func(ctx context.Context, body []byte) error {
			err := errors.Join(b.take(ctx, body), total.take(ctx, body))
			if n := total.different(); n >= before+37 || n == len(sent) {
				cancel()
			}
			return err
		}))
		cancel()
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatalf("after %d messages Pull returns %v", before, err)
		}
		if err := p.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if total.different() == before {
			t.Fatalf("after %d of %d messages no more come", before, len(sent))
		}
		once(t, b.all(), b.all())
	}
	if h.Again != "" {
		lacks(t, h.Again)
		return
	}
	once(t, total.all(), sent)
}

// different is how many different messages were taken.
func (b *basket) different() int { return len(slices.Compact(slices.Sorted(slices.Values(b.all())))) }

// once checks that each message was taken, and none twice.
func once(t testing.TB, taken, sent []string) {
	t.Helper()
	lost, doubled := 0, 0
	for _, body := range sent {
		switch n := len(slices.DeleteFunc(slices.Clone(taken), func(s string) bool { return s != body })); {
		case n == 0:
			lost++
		case n > 1:
			doubled++
		}
	}
	if lost+doubled > 0 {
		t.Errorf("of %d messages %d were lost, and %d came again after they were taken", len(sent), lost, doubled)
	}
}

func checkPullShared(t testing.TB, h PullerHarness) {
	if h.Alone != "" {
		lacks(t, h.Alone)
		return
	}
	w := h.Open(t)
	total := h.basket()
	first := pull(t, w.open(t), total.take)
	w.Send(h.messages(0, 100)...)
	second := pull(t, w.open(t), total.take)
	w.Send(h.messages(100, 100)...)
	total.holds(t, h.messages(0, 150))
	first.stop()
	w.Send(h.messages(200, 100)...)
	total.holds(t, h.messages(0, 300))
	second.stop()
	once(t, total.all(), h.messages(0, 300))
}

func checkPullServer(t testing.TB, h PullerHarness) {
	if h.KeepsUp != "" {
		lacks(t, h.KeepsUp)
		return
	}
	w := h.Open(t)
	b := h.basket()
	stop := persist(t, w.open(t), b.take)
	w.Send(h.messages(0, 50)...)
	b.holds(t, h.messages(0, 50))
	w.Restart()
	w.Send(h.messages(50, 50)...)
	b.holds(t, h.messages(0, 100))
	stop()
	if h.NoLag == "" {
		h.lag(t, w, 0)
	}
}

func checkPullLost(t testing.TB, h PullerHarness) {
	w := h.Open(t)
	p := w.open(t)
	one := h.body("one")
	w.Send(one)
	b := h.basket()
	r := pull(t, p, b.take)
	b.holds(t, []string{one})
	w.Break()
	ctx, cancel := context.WithTimeout(t.Context(), pullWithin)
	defer cancel()
	if lag, err := p.Lag(ctx); err == nil || errors.Is(err, errors.ErrUnsupported) || ctx.Err() != nil {
		t.Errorf("of a server that is gone the lag is %d, %v", lag, err)
	}
	r.cancel()
	_ = r.ends()
	w.open(t)
}
