package sqs_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stanch-soar/stanch/integrations/sqs/sqsfake"
)

// Of a queue that keeps no order, a message that is not taken does not hold up those that came
// with it.
func TestOneThatIsNotTakenHoldsUpNoOther(t *testing.T) {
	s := start(t, "alerts", func(s *service) queue { return sqsfake.New(s.path) })
	s.queue.Send("", "bad", "one", "worse", "two")
	refused := errors.New("the engine does not take it")
	var taken []string
	err := open(t, s.config()).Pull(t.Context(), func(_ context.Context, bodies [][]byte) (int, error) {
		for i, body := range bodies {
			if string(body) == "bad" || string(body) == "worse" {
				return i, fmt.Errorf("%s: %w", body, refused)
			}
			taken = append(taken, string(body))
		}
		return len(bodies), nil
	})
	if !errors.Is(err, refused) || fmt.Sprint(taken) != "[one two]" {
		t.Errorf("it took %q, and says %v", taken, err)
	}
}

// An engine that takes none is not asked for each of them.
func TestAnEngineThatTakesNoneIsAskedFewTimes(t *testing.T) {
	s := start(t, "alerts", func(s *service) queue { return sqsfake.New(s.path) })
	s.queue.Send("", "1", "2", "3", "4", "5", "6", "7", "8", "9")
	refused, calls := errors.New("the engine is down"), 0
	err := open(t, s.config()).Pull(t.Context(), func(context.Context, [][]byte) (int, error) { calls++; return 0, refused })
	if !errors.Is(err, refused) || calls != 3 {
		t.Errorf("it was asked %d times, and Pull says %v", calls, err)
	}
}
