package contract

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stanch-soar/stanch/integrations/alerts"
)

// checkPullTogether has each take last as long as a question to the server, so that what is
// on its way arrives meanwhile.
func checkPullTogether(t testing.TB, h PullerHarness) {
	if h.OneByOne != "" {
		lacks(t, h.OneByOne)
		return
	}
	w := h.Open(t)
	sent := h.messages(0, 64)
	w.Send(sent...)
	p, other, b := w.open(t), w.open(t), h.basket()
	var most atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := &pulling{t: t, cancel: cancel, done: make(chan error, 1)}
	go func() {
		r.done <- p.Pull(ctx, func(ctx context.Context, bodies [][]byte) (int, error) {
			most.Store(max(most.Load(), int64(len(bodies))))
			_, _ = other.Lag(ctx)
			return alerts.Each(b.take)(ctx, bodies)
		})
	}()
	b.holds(t, sent)
	r.stop()
	if most.Load() < 2 {
		t.Errorf("%d messages wait, and each is handed over alone", len(sent))
	}
}
