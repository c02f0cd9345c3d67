package httpx

import (
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/bubbletest"
)

func TestBreakerTriesAgain(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		b := newBreakers()
		u := &url.URL{Scheme: "https", Host: "edr.example", Path: "/devices/1"}
		down := errors.New("down")
		fail := func(times int) {
			t.Helper()
			for range times {
				tell, err := b.allow("ask", u)
				if err != nil {
					t.Fatal(err)
				}
				tell(down)
			}
		}
		refused := func(after time.Duration) {
			t.Helper()
			_, err := b.allow("ask", u)
			if e, ok := errors.AsType[*integrations.Error](err); !ok || e.Kind != integrations.Unavailable || e.After != after {
				t.Errorf("error %v, want one that says to come after %s", err, after)
			}
		}
		fail(tripsAfter)
		time.Sleep(4 * time.Second)
		refused(restsFor - 4*time.Second)
		time.Sleep(restsFor)
		if got := b.circuit(); got != integrations.CircuitHalfOpen {
			t.Errorf("after its rest the circuit is %s", got)
		}
		// The trial is one call; one that was given up is no trial.
		tell, err := b.allow("ask", u)
		if err != nil {
			t.Fatal(err)
		}
		refused(trialFor)
		tell(errNotCounted)
		fail(1)
		refused(restsFor)
		time.Sleep(restsFor + time.Second)
		tell, err = b.allow("ask", u)
		if err != nil {
			t.Fatal(err)
		}
		tell(nil)
		if got := b.circuit(); got != integrations.CircuitClosed {
			t.Errorf("after a trial that worked the circuit is %s", got)
		}
		fail(tripsAfter - 1)
		tell, err = b.allow("ask", u)
		if err != nil {
			t.Fatal(err)
		}
		tell(nil)
		fail(1)
		if got := b.circuit(); got != integrations.CircuitClosed {
			t.Errorf("failures that were not in a row opened it: %s", got)
		}
	})
}
