package fetch_test

import (
	"context"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/engine"
	"github.com/stanch-soar/stanch/integrations/alerts"
)

// all is how many messages a queue has in the tests of restarts.
const all = 2000

// queue is a real queue, or a double, as seen from outside.
type queue struct {
	open    func() alerts.Puller
	send    func(bodies ...string)
	restart func()
}

// survives sends messages to a queue, and ends processes and the queue's server in the middle:
// each alert is in the engine exactly once, and nothing waits at the end.
func survives(t *testing.T, source string, q queue) {
	t.Helper()
	d := newDoor(t, source)
	// Some answers of the engine are lost: it has the alert, and the message comes again.
	d.tear = 97
	bodies := bodiesOf(source, 0, all)
	poison := []string{"no JSON", `{"id": 5}`}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for i := 0; i < all; i += 100 {
			q.send(bodies[i : i+100]...)
			q.send(poison...)
		}
	}()
	first := d.start(t, q.open())
	d.until(t, 300)
	first.stop()

	// Two share what waits, and one of them goes.
	second, third := d.start(t, q.open()), d.start(t, q.open())
	d.until(t, 800)
	second.stop()

	// The engine is down for a while.
	d.shut.Store(true)
	pause(t, 300*time.Millisecond)
	d.shut.Store(false)
	d.until(t, 1100)
	<-sent
	if q.restart != nil {
		q.restart()
	}
	d.until(t, 1500)
	third.stop()
	fourth := d.start(t, q.open())
	d.drained(t, q)
	fourth.stop()
	work(t)
	d.exactly(t, all)
	d.poisonKept(t, len(poison))
}

// until waits until so many messages were taken.
func (d *door) until(t *testing.T, n int64) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for d.calls.Load() < n {
		if time.Now().After(deadline) {
			t.Fatalf("%d messages were taken, want %d", d.calls.Load(), n)
		}
		pause(t, 2*time.Millisecond)
	}
}

// drained waits until nothing waits in the queue: what was on its way when a server stopped
// comes again when its time is over, of NATS a minute after the server is back.
func (d *door) drained(t *testing.T, q queue) {
	t.Helper()
	p := q.open()
	defer p.Close()
	deadline := time.Now().Add(3 * time.Minute)
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		lag, err := p.Lag(ctx)
		cancel()
		if err == nil && lag == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the lag is %d, %v; want 0", lag, err)
		}
		pause(t, 20*time.Millisecond)
	}
}

// poisonKept checks that each message that cannot be read is kept once.
func (d *door) poisonKept(t *testing.T, want int) {
	t.Helper()
	list, err := engine.New(shared.client, engine.Options{}).Rejected(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kept := 0
	for _, r := range list.Rejected {
		if r.Source == d.source {
			kept++
		}
	}
	if kept != want {
		t.Errorf("%d rejected alerts are kept, want %d", kept, want)
	}
}
