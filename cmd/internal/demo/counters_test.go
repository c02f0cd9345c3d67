package demo

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

// TestCountersMeasure has a counter that is read twice a second, once too late.
func TestCountersMeasure(t *testing.T) {
	begun := time.Now()
	at := func(seconds float64) time.Time { return begun.Add(time.Duration(seconds * float64(time.Second))) }
	c := newCounters(nil)
	if rates, until := c.recent(); len(rates) > 0 || !until.IsZero() {
		t.Errorf("before it is read the rates are %d, up to %s", rates, until)
	}
	if got := c.chart(nil); len(got.Rates) > 0 {
		t.Errorf("before it is read the chart is %+v", got)
	}
	for _, r := range []reading{{at(0), 0}, {at(0.5), 500}, {at(1), 1000}, {at(1.5), 1000}, {at(2), 1000}, {at(4), 5000}} {
		c.add(r)
	}
	rates, until := c.recent()
	if want := []int64{8000, 4000, 0, 12800}; !slices.Equal(rates, want) || !until.Equal(at(4)) {
		t.Errorf("the last rates are %d up to %s, want %d", rates, until, want)
	}
	if got := c.chart([]moment{{at(1.5), "stopped"}}); !slices.Equal(got.Rates, []int64{8000, 0, 16000, 16000}) || got.Moments[0].After != 1500*time.Millisecond {
		t.Errorf("the chart is %+v", got)
	}
	for _, tt := range []struct {
		from, to float64
		want     int64
		known    bool
	}{{0, 1, 8000, true}, {1, 2, 0, true}, {0.9, 4.1, 10666, true}, {2.5, 3.5, 0, false}, {3, 9, 0, false}} {
		got, err := c.measure(t.Context(), at(tt.from), at(tt.to))
		if rate, known := got.Get(); err != nil || known != tt.known || rate != tt.want {
			t.Errorf("from %v to %v: %v, %v, want %d", tt.from, tt.to, got, err, tt.want)
		}
	}
}

// A counter that cannot be read any more is told; one whose reading is called off is not.
func TestCountersBreak(t *testing.T) {
	gone := errors.New("no such device")
	c := newCounters(func(context.Context) (int64, error) { return 0, gone })
	c.run(t.Context())
	if err := <-c.broken(); !errors.Is(err, gone) {
		t.Errorf("the error is %v, want %v", err, gone)
	}
	called, off := context.WithCancel(t.Context())
	off()
	c.run(called)
	select {
	case err := <-c.broken():
		t.Errorf("it was called off, and tells %v", err)
	default:
	}
}
