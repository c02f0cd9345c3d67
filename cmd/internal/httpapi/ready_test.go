package httpapi

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/bubbletest"
)

// However many requests come, the engine is checked once in a while, and no request
// waits for a check that hangs.
func TestReadinessIsAskedOnceForAll(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		var asked atomic.Int32
		var answer atomic.Pointer[func(context.Context) error]
		set := func(f func(context.Context) error) { answer.Store(&f) }
		set(func(context.Context) error { time.Sleep(time.Second); return nil })
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
		time.Sleep(probeEvery)
		if err := p.ready(t.Context()); !errors.Is(err, full) {
			t.Errorf("the full disk is answered %v", err)
		}
		release := make(chan struct{})
		set(func(context.Context) error { <-release; return nil })
		time.Sleep(probeEvery)
		began := time.Now()
		err := p.ready(t.Context())
		if took := time.Since(began); err == nil || !strings.Contains(err.Error(), "within") || took > probeWithin {
			t.Errorf("one that hangs is answered %v after %s", err, took)
		}
		close(release)
		time.Sleep(probeEvery)
		if err := p.ready(t.Context()); err != nil {
			t.Errorf("one that hung once is answered %v", err)
		}
	})
}

// Wrong credentials of one address throttle no other, and the memory for
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

// An address is the same in every spelling, one network of IPv6 is one
// address, and no other is.
func TestRemoteIsTheAddressOfARequest(t *testing.T) {
	for from, want := range map[string]string{
		"192.0.2.7:4711":            "192.0.2.7",
		"192.0.2.8:4711":            "192.0.2.8",
		"[::ffff:192.0.2.7]:4711":   "192.0.2.7",
		"[2001:db8:1:2::7]:4711":    "2001:db8:1:2::",
		"[2001:db8:1:2:ffff::1]:80": "2001:db8:1:2::",
		"[2001:db8:1:3::7]:4711":    "2001:db8:1:3::",
		"[fe80::1:2%eth0]:4711":     "fe80::",
		"[fe80::1:2%eth1]:4711":     "fe80::",
		"@":                         "invalid IP",
		"stanch.example.org:443":    "invalid IP",
		"192.0.2.7":                 "invalid IP",
	} {
		req := &http.Request{RemoteAddr: from, Header: http.Header{"X-Forwarded-For": {"203.0.113.9"}, "Forwarded": {"for=203.0.113.9"}}}
		if got := counted((&Receiver{}).client(req)).String(); got != want {
			t.Errorf("%s is %s, want %s", from, got, want)
		}
	}
}
