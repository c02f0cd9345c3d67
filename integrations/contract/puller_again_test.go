package contract

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/alerts"
)

// ledger is a list that keeps no note of who took what, and holds only what begins with
// entry.
type ledger struct {
	mu      sync.Mutex
	entries []string
	gone    bool
	// opened is whether somebody has read it, and handed how much was handed over.
	opened bool
	handed int
	grown  chan struct{}
}

const entry = "entry "

func (l *ledger) send(bodies ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, body := range bodies {
		if strings.HasPrefix(body, entry) {
			l.entries = append(l.entries, body)
		}
	}
	close(l.grown)
	l.grown = make(chan struct{})
}

func (l *ledger) list() ([]string, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.entries), l.grown
}

func (l *ledger) hands(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.handed = max(l.handed, n)
}

func (l *ledger) breaks() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone = true
}

// lookers are mistakes of who reads a ledger from its beginning: short begins with what is
// sent once it is open, unless it is the first, and eager behind what was handed over before;
// forgetful begins anew with each Pull, and stutters with each look at the list; rash counts
// as taken what it hands over; hasty does not count what was taken while the context ended.
type lookers struct{ short, eager, forgetful, stutters, rash, hasty bool }

// looker reads a ledger. What it took is known to itself alone.
type looker struct {
	*ledger
	lookers
	from  int
	taken map[string]bool
}

func (l *ledger) open(m lookers) *looker {
	r := &looker{ledger: l, lookers: m, taken: map[string]bool{}}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case m.short && l.opened:
		r.from = len(l.entries)
	case m.eager:
		r.from = l.handed
	}
	l.opened = true
	return r
}

func (r *looker) Pull(ctx context.Context, take alerts.Take) error {
	if r.forgetful {
		clear(r.taken)
	}
	for ctx.Err() == nil {
		list, more := r.list()
		if r.stutters {
			clear(r.taken)
		}
		if err := r.hand(ctx, list, take); err != nil {
			return err
		}
		select {
		case <-more:
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

// hand hands over those of a list that were not taken yet.
func (r *looker) hand(ctx context.Context, list []string, take alerts.Take) error {
	var bodies [][]byte
	for i := r.from; i < len(list); i++ {
		if !r.taken[list[i]] {
			bodies = append(bodies, []byte(list[i]))
			r.hands(i + 1)
		}
	}
	if len(bodies) == 0 {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	taken, err := take(ctx, bodies)
	for i, body := range bodies {
		done := i < taken && (!r.hasty || ctx.Err() == nil)
		r.taken[string(body)] = done || r.rash && i == taken
	}
	return err
}

func (r *looker) Lag(context.Context) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gone {
		return 0, errors.New("the list is gone")
	}
	return 0, errors.ErrUnsupported
}

func (*looker) Close() error { return nil }

// What may come again in another process is neither lost nor taken twice by one.
func TestPullerAgainBites(t *testing.T) {
	const (
		taken    = "what was taken does not come again"
		notTaken = "what was not taken comes again, and the error is told"
		process  = "one process takes nothing twice"
		drains   = "what is begun when the context ends is finished and confirmed"
		restarts = "a process that dies again and again loses nothing"
	)
	looksBack := func(h *PullerHarness) { h.Again = "it looks back" }
	for name, c := range map[string]struct {
		lookers
		knobs func(*PullerHarness)
		bites []string
	}{
		"right": {lookers{}, looksBack, nil},
		"does not say that it looks back": {lookers{}, func(*PullerHarness) {}, []string{
			taken, notTaken, drains, restarts,
		}},
		"looks back not at all":              {lookers{short: true}, looksBack, []string{notTaken, restarts}},
		"looks back to what it handed over":  {lookers{eager: true}, looksBack, []string{notTaken, restarts}},
		"forgets when Pull ends":             {lookers{forgetful: true}, looksBack, []string{taken, notTaken, process, drains}},
		"forgets at each look":               {lookers{stutters: true}, looksBack, []string{taken, notTaken, process, drains}},
		"loses what is not taken":            {lookers{rash: true}, looksBack, []string{notTaken}},
		"leaves what ended with the context": {lookers{hasty: true}, looksBack, []string{drains}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := PullerHarness{
				KeepsUp: "a list", NoLag: "a list", Alone: "each reads all of it", Knobs: Knobs{Patience: time.Second},
				Body: func(text string) string { return entry + text },
				Open: func(testing.TB) PullerWorld {
					l := &ledger{grown: make(chan struct{})}
					return PullerWorld{New: func() alerts.Puller { return l.open(c.lookers) }, Send: l.send, Break: l.breaks}
				},
			}
			c.knobs(&h)
			bites(t, verdicts(t, h, pullerChecks()), c.bites...)
		})
	}
}
