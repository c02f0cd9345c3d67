package receiver

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// However many ask, the engine is asked once in a while, and nobody waits for
// one that hangs.
func TestReadinessIsAskedOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		var answer atomic.Pointer[func(context.Context) error]
		set := func(f func(context.Context) error) { answer.Store(&f) }
		set(func(context.Context) error { <-time.After(time.Second); return nil })
		p := probe{now: time.Now, ask: func(ctx context.Context) error { asked.Add(1); return (*answer.Load())(ctx) }}
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if err := p.ready(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if err := p.ready(t.Context()); err != nil || asked.Load() != 1 {
			t.Errorf("asked %d times: %v", asked.Load(), err)
		}
		full := errors.New("the disk is full")
		set(func(context.Context) error { return full })
		if err := p.ready(t.Context()); err != nil {
			t.Errorf("the answer did not hold: %v", err)
		}
		<-time.After(probeEvery)
		if err := p.ready(t.Context()); !errors.Is(err, full) {
			t.Errorf("the full disk is answered %v", err)
		}
		release := make(chan struct{})
		set(func(context.Context) error { <-release; return nil })
		<-time.After(probeEvery)
		began := time.Now()
		err := p.ready(t.Context())
		if took := time.Since(began); err == nil || !strings.Contains(err.Error(), "within") || took > probeWithin {
			t.Errorf("one that hangs is answered %v after %s", err, took)
		}
		close(release)
		<-time.After(probeEvery)
		if err := p.ready(t.Context()); err != nil {
			t.Errorf("one that hung once is answered %v", err)
		}
	})
}

// Wrong credentials of one address throttle no other, and what is remembered of
// addresses is bounded.
func TestRefusalsAreCountedByAddress(t *testing.T) {
	now := time.Now()
	r := newRefusals(func() time.Time { return now })
	address := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}) }
	for i := range refusedAtOnce + 10 {
		if throttled := r.throttled(address(1)); throttled != (i >= refusedAtOnce) {
			t.Fatalf("number %d is throttled: %t", i, throttled)
		}
	}
	if r.throttled(address(2)) {
		t.Error("another address is throttled")
	}
	now = now.Add(refusedEvery)
	if r.throttled(address(1)) || !r.throttled(address(1)) {
		t.Error("it is not one in a while")
	}
	for i := range 3 * addressesKept {
		r.throttled(address(i))
	}
	if len(r.addresses) > addressesKept {
		t.Errorf("%d addresses are kept", len(r.addresses))
	}
	now = now.Add(time.Hour)
	r.throttled(address(5 * addressesKept))
	if len(r.addresses) > 1 {
		t.Errorf("%d quiet addresses are kept", len(r.addresses))
	}
}
