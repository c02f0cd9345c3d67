package contract

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/alerts"
)

// shelf is a queue in memory, with the mistakes that the suite must see. A message is lent
// while it is being taken.
type shelf struct {
	mu     sync.Mutex
	waits  []string
	lent   []string
	broken bool
	grown  chan struct{}
	mistakes
}

// mistakes are those of a shelf: early confirms before take, deaf hides an error of take,
// hasty leaves a message that was taken while the context ended, forgets what was not taken,
// begins with the last, is blind to what is lent in the lag and blithe about a server that is
// gone, cuts what is long, is whole where only the first of what it handed over were taken, and
// hands over single messages.
type mistakes struct{ early, deaf, hasty, forgets, backwards, blind, blithe, cut, whole, single bool }

func (s *shelf) next() (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken || len(s.waits) == 0 {
		return "", false
	}
	at := 0
	if s.backwards {
		at = len(s.waits) - 1
	}
	body := s.waits[at]
	s.waits = slices.Delete(s.waits, at, at+1)
	if !s.early {
		s.lent = append(s.lent, body)
	}
	return body, true
}

// end ends the loan of a message: it is done with, or waits again.
func (s *shelf) end(body string, taken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slices.Index(s.lent, body)
	if at < 0 {
		return
	}
	s.lent = slices.Delete(s.lent, at, at+1)
	if !taken {
		s.waits = slices.Insert(s.waits, 0, body)
	}
}

func (s *shelf) more() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.grown
}

func (s *shelf) send(bodies ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waits = append(s.waits, bodies...)
	close(s.grown)
	s.grown = make(chan struct{})
}

// reader is a puller of a shelf.
type reader struct{ *shelf }

func (r reader) Pull(ctx context.Context, take alerts.Take) error {
	for ctx.Err() == nil {
		more := r.more()
		bodies := r.some()
		if len(bodies) == 0 {
			select {
			case <-more:
			case <-ctx.Done():
			}
			continue
		}
		var handed [][]byte
		for _, body := range bodies {
			if r.cut {
				body = body[:min(len(body), 100)]
			}
			handed = append(handed, []byte(body))
		}
		taken, err := take(ctx, handed)
		r.settle(ctx, bodies, taken)
		if err != nil {
			return r.told(err)
		}
	}
	return ctx.Err()
}

// some are the next messages.
func (r reader) some() (bodies []string) {
	for len(bodies) < 5 {
		body, ok := r.next()
		if !ok {
			break
		}
		if bodies = append(bodies, body); r.single {
			break
		}
	}
	return bodies
}

// settle ends the loans of messages, of which the first were taken.
func (r reader) settle(ctx context.Context, bodies []string, taken int) {
	for i, body := range slices.Backward(bodies) {
		done := i < taken && (!r.hasty || ctx.Err() == nil)
		r.end(body, done || r.forgets && i == taken || r.whole && taken > 0)
	}
}

// told is an error of take, as it is told.
func (r reader) told(err error) error {
	if r.deaf {
		return nil
	}
	return err
}

func (r reader) Lag(context.Context) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken && !r.blithe {
		return 0, errors.New("the server is gone")
	}
	if r.blind {
		return int64(len(r.waits)), nil
	}
	return int64(len(r.waits) + len(r.lent)), nil
}

func (reader) Close() error { return nil }

func TestPullerBites(t *testing.T) {
	const (
		order    = "each message comes, byte for byte and in order"
		notTaken = "what was not taken comes again, and the error is told"
		together = "what waits is handed over together"
		underWay = "a message that is being taken is not confirmed"
		drains   = "what is begun when the context ends is finished and confirmed"
		restarts = "a process that dies again and again loses nothing"
		lost     = "a connection that is lost is told, and is not needed to open"
	)
	for name, c := range map[string]struct {
		mistakes
		bites []string
	}{
		"right":                                {mistakes{}, nil},
		"confirms before it hands over":        {mistakes{early: true}, []string{notTaken, underWay, restarts}},
		"loses what is not taken":              {mistakes{forgets: true}, []string{notTaken, restarts}},
		"confirms all where a part is taken":   {mistakes{whole: true}, []string{notTaken, restarts}},
		"hands over one after the other":       {mistakes{single: true}, []string{together}},
		"from the last to the first":           {mistakes{backwards: true}, []string{order, notTaken}},
		"cuts what is long":                    {mistakes{cut: true}, []string{order}},
		"counts what is under way as done":     {mistakes{blind: true}, []string{underWay}},
		"does not see that the server is gone": {mistakes{blithe: true}, []string{lost}},
		"leaves what ended with the context":   {mistakes{hasty: true}, []string{drains, restarts}},
		"hides that the engine said no":        {mistakes{deaf: true}, []string{notTaken}},
	} {
		t.Run(name, func(t *testing.T) {
			h := PullerHarness{KeepsUp: "a shelf", Knobs: Knobs{Patience: 2 * time.Second}, Open: func(testing.TB) PullerWorld {
				s := &shelf{grown: make(chan struct{}), mistakes: c.mistakes}
				return PullerWorld{
					New: func() alerts.Puller { return reader{s} }, Send: s.send,
					Break: func() { s.mu.Lock(); defer s.mu.Unlock(); s.broken = true },
				}
			}}
			got := verdicts(t, h, pullerChecks())
			if c.hasty {
				// It is luck whether the first receiver ends while it takes something.
				delete(got, "several receivers share what waits")
			}
			bites(t, got, c.bites...)
		})
	}
}
