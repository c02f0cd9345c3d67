package httpx

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/bubbletest"
)

func TestLimitsCount(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		l := newLimits([]integrations.Limit{{N: 20, Per: time.Minute}, {Name: "search", N: 3, Per: time.Second}})
		ask := func(r Request, want time.Duration) {
			t.Helper()
			start := time.Now()
			err := l.wait(t.Context(), r)
			e, refused := errors.AsType[*integrations.Error](err)
			switch {
			case want <= waitsHere && (err != nil || time.Since(start) != want):
				t.Errorf("after %s: error %v, want to wait %s", time.Since(start), err, want)
			case want > waitsHere && (!refused || e.Kind != integrations.Throttled || e.After != want || time.Since(start) != 0):
				t.Errorf("error %+v after %s, want to come back after %s", e, time.Since(start), want)
			}
		}
		for range 3 {
			ask(Request{Limit: "search"}, 0)
		}
		ask(Request{Limit: "search"}, time.Second)
		for range 14 {
			ask(Request{}, 0)
		}
		// Two of twenty are kept for writes.
		ask(Request{}, 59*time.Second)
		ask(Request{Write: true}, 0)
		ask(Request{Write: true}, 0)
		ask(Request{Write: true}, 59*time.Second)
		ask(Request{Limit: "search"}, 59*time.Second)
		time.Sleep(59 * time.Second)
		ask(Request{Write: true}, 0)
	})
}

// What one process sends is a share of what the product takes from all.
func TestLimitsAreShared(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			n         int
			per       time.Duration
			processes int
			sent      int // of changes at once
			wait      time.Duration
		}{
			"alone":            {n: 20, per: time.Minute, processes: 1, sent: 20, wait: time.Minute},
			"one of four":      {n: 20, per: time.Minute, processes: 4, sent: 5, wait: time.Minute},
			"rounded down":     {n: 10, per: time.Minute, processes: 4, sent: 2, wait: time.Minute},
			"less than a call": {n: 3, per: time.Minute, processes: 12, sent: 1, wait: 4 * time.Minute},
			"a short time":     {n: 3, per: time.Second, processes: 12, sent: 3, wait: time.Second},
			"nobody was told":  {n: 20, per: time.Minute, processes: 0, sent: 20, wait: time.Minute},
		} {
			l := newLimits([]integrations.Limit{{N: c.n, Per: c.per}})
			l.share(c.processes)
			for i := range c.sent {
				if wait, _ := l.take(Request{}, nil, true, time.Now()); wait != 0 {
					t.Errorf("%s: call %d has to wait %s", name, i, wait)
				}
			}
			if wait, _ := l.take(Request{}, nil, true, time.Now()); wait != c.wait {
				t.Errorf("%s: one more has to wait %s, want %s", name, wait, c.wait)
			}
		}
		// Who comes later makes the share smaller for what was sent before, too.
		l := newLimits([]integrations.Limit{{N: 20, Per: time.Minute}})
		for range 10 {
			l.take(Request{}, nil, true, time.Now())
		}
		l.share(2)
		if wait, _ := l.take(Request{}, nil, true, time.Now()); wait != time.Minute {
			t.Errorf("ten of twenty were sent, of which two processes have ten each: one more has to wait %s", wait)
		}
	})
}

// A call that is made for a change may have what is kept for changes, whatever it is.
func TestReadsForAChangeAreKeptRoomFor(t *testing.T) {
	l := newLimits([]integrations.Limit{{N: 10, Per: time.Hour}})
	for range 9 {
		if err := l.wait(t.Context(), Request{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.wait(t.Context(), Request{}); integrations.KindOf(err) != integrations.Throttled {
		t.Errorf("the tenth read: %v, want it to be held back", err)
	}
	if err := l.wait(integrations.ForChange(t.Context()), Request{}); err != nil {
		t.Errorf("a read for a change: %v", err)
	}
}

// A limit of each kind of call counts each by itself.
func TestLimitsOfEachKind(t *testing.T) {
	l := newLimits([]integrations.Limit{{N: 1, Per: time.Hour, Each: true}})
	for _, kind := range []string{"read", "list"} {
		if err := l.wait(t.Context(), Request{Kind: kind, Write: true}); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if err := l.wait(t.Context(), Request{Kind: kind, Write: true}); integrations.KindOf(err) != integrations.Throttled {
			t.Errorf("%s again: %v, want it to be held back", kind, err)
		}
	}
}

// The calls of an operation are let through together: what was promised to one is kept for
// it, and given back when it ends.
func TestAnOperationIsLetThroughAsAWhole(t *testing.T) {
	l := newLimits([]integrations.Limit{{N: 10, Per: time.Hour, Requests: 4}})
	write := Request{Write: true}
	first, endFirst := integrations.Operate(t.Context())
	second, endSecond := integrations.Operate(t.Context())
	third, endThird := integrations.Operate(t.Context())
	for _, ctx := range []context.Context{first, second} {
		if err := l.wait(ctx, write); err != nil {
			t.Fatal(err)
		}
	}
	if wait, _ := l.take(write, integrations.OperationOf(third), true, time.Now()); wait == 0 {
		t.Error("of ten calls eight are promised, and a third operation of four has begun")
	}
	for range 3 {
		if err := l.wait(first, write); err != nil {
			t.Errorf("a call that was promised: %v", err)
		}
	}
	endFirst()
	endSecond()
	// Five were sent.
	for i := range 4 {
		if err := l.wait(third, write); err != nil {
			t.Errorf("call %d of the third: %v", i, err)
		}
	}
	if err := l.wait(third, write); err != nil {
		t.Errorf("one more than it says, while there is room: %v", err)
	}
	endThird()
	if wait, _ := l.take(write, nil, true, time.Now()); wait == 0 {
		t.Error("an eleventh call was sent")
	}
	if len(l.begun) != 0 {
		t.Errorf("%d operations are still under way", len(l.begun))
	}
}

// An operation of more calls than are allowed at once is sent in time, not at once.
func TestAnOperationCannotPromiseMoreThanIsAllowed(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		l := newLimits([]integrations.Limit{{N: 3, Per: time.Second, Requests: 24}})
		ctx, end := integrations.Operate(t.Context())
		defer end()
		start := time.Now()
		for range 24 {
			if err := l.wait(ctx, Request{}); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took != 7*time.Second {
			t.Errorf("24 calls of three a second took %s, want 7s", took)
		}
	})
}

// What an operation leaves to be tidied up when it has ended is a call of its own: nothing is
// promised that nobody would give back.
func TestNothingIsPromisedToAnOperationThatHasEnded(t *testing.T) {
	l := newLimits([]integrations.Limit{{N: 10, Per: time.Hour, Requests: 4}})
	write := Request{Write: true}
	ctx, end := integrations.Operate(t.Context())
	o := integrations.OperationOf(ctx)
	end()
	for i := range 10 {
		if i%2 == 0 {
			if err := l.wait(ctx, write); err != nil {
				t.Errorf("call %d after the end: %v", i, err)
			}
			continue
		}
		// It ended between the look and the call.
		l.promise(o, l.kept[0].of(write), 4)
		if wait, _ := l.take(write, nil, true, time.Now()); wait != 0 {
			t.Errorf("call %d has to wait %s", i, wait)
		}
	}
	if len(l.begun) != 0 || l.kept[0].of(write).promised != 0 {
		t.Errorf("%d operations are under way, %d calls are promised", len(l.begun), l.kept[0].of(write).promised)
	}
}
