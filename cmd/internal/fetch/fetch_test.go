package fetch_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/fetch"
	"github.com/stanch-soar/stanch/cmd/internal/metrics"
	"github.com/stanch-soar/stanch/integrations/alerts"
)

// desk is a queue of the tests: what was not taken is at its head.
type desk struct {
	mu     sync.Mutex
	waits  []string
	broken error // of Pull and Lag
	mute   error // of Lag alone
	pulls  int
	closed bool
	more   chan struct{}
}

func newDesk(waits ...string) *desk { return &desk{waits: waits, more: make(chan struct{}, 100)} }

func (d *desk) put(broken error, waits ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken, d.waits = broken, append(d.waits, waits...)
	d.more <- struct{}{}
}

func (d *desk) head() (body string, more bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken != nil || len(d.waits) == 0 {
		return "", false, d.broken
	}
	return d.waits[0], true, nil
}

func (d *desk) Pull(ctx context.Context, take alerts.Take) error {
	d.mu.Lock()
	d.pulls++
	d.mu.Unlock()
	for ctx.Err() == nil {
		body, more, err := d.head()
		switch {
		case err != nil:
			return err
		case !more:
			select {
			case <-d.more:
			case <-ctx.Done():
			}
			continue
		}
		if _, err := take(ctx, [][]byte{[]byte(body)}); err != nil {
			return err
		}
		d.mu.Lock()
		d.waits = d.waits[1:]
		d.mu.Unlock()
	}
	return ctx.Err()
}

func (d *desk) Lag(context.Context) (int64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return int64(len(d.waits)), errors.Join(d.broken, d.mute)
}

func (d *desk) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	return nil
}

// journal is a log that may be read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) all() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func (j *journal) count(text string) int { return strings.Count(j.all(), text) }

// world is a fetcher that runs over a desk.
type world struct {
	t       *testing.T
	desk    *desk
	log     *journal
	metrics *metrics.Registry
	stop    func()

	mu     sync.Mutex
	taken  []string
	engine error
}

func run(t *testing.T, d *desk) *world {
	t.Helper()
	w := &world{t: t, desk: d, log: &journal{}, metrics: metrics.New()}
	f := &fetch.Fetcher{
		Source: "ndr", Puller: d, Take: alerts.Each(w.take), Metrics: w.metrics, Log: slog.New(slog.NewTextHandler(w.log, nil)),
		Pauses: fetch.Pauses{Least: time.Millisecond, Most: 4 * time.Millisecond, Watch: 2 * time.Millisecond, Within: time.Second},
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); f.Run(ctx) }()
	w.stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(w.stop)
	return w
}

func (w *world) take(_ context.Context, body []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.engine != nil {
		return w.engine
	}
	w.taken = append(w.taken, string(body))
	return nil
}

func (w *world) down(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.engine = err
}

func (w *world) has() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.taken, " ")
}

func (w *world) until(what string, holds func() bool) {
	w.t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline:
			w.t.Fatalf("waited in vain: %s; the log is\n%s", what, w.log.all())
		case <-tick.C:
		}
	}
}

func (w *world) shows(line string) func() bool {
	return func() bool {
		answer := httptest.NewRecorder()
		w.metrics.Handler().ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
		return strings.Contains(answer.Body.String(), line+"\n")
	}
}

const (
	isConnected = `stanch_source_connected{source="ndr"} 1`
	isLost      = `stanch_source_connected{source="ndr"} 0`
)

func TestMessagesAreTakenInOrderAndTheLagIsShown(t *testing.T) {
	d := newDesk("a", "b")
	w := run(t, d)
	w.until("all are taken", func() bool { return w.has() == "a b" })
	w.until("nothing waits", w.shows(`stanch_source_lag_messages{source="ndr"} 0`))
	w.until("it is connected", w.shows(isConnected))
	d.put(nil, "c")
	w.until("the next is taken", func() bool { return w.has() == "a b c" })
	w.stop()
	if !d.closed {
		t.Error("the puller is not closed")
	}
	if n := w.log.count("are fetched"); n != 1 {
		t.Errorf("that alerts are fetched is logged %d times, want once", n)
	}
}

// A connection that is lost is told once, and once that it is back.
func TestALostConnectionIsToldOnce(t *testing.T) {
	d := newDesk("a")
	d.broken = errors.New("no route to the queue")
	w := run(t, d)
	w.until("it tried several times", func() bool { d.mu.Lock(); defer d.mu.Unlock(); return d.pulls > 5 })
	w.until("it is lost", w.shows(isLost))
	if n := w.log.count("not fetched"); n != 1 {
		t.Errorf("that the connection is lost is logged %d times, want once", n)
	}
	d.put(nil)
	w.until("what waited is taken", func() bool { return w.has() == "a" })
	w.until("it is connected", w.shows(isConnected))
	w.until("it is told", func() bool { return w.log.count("are fetched again") == 1 })
	d.put(errors.New("no route to the queue"), "b")
	w.until("it is lost again", w.shows(isLost))
	w.until("it is told again", func() bool { return w.log.count("not fetched") == 2 })
}

// A connection that is lost while Pull waits is noticed by asking for the lag.
func TestASilentConnectionIsNoticed(t *testing.T) {
	d := newDesk()
	w := run(t, d)
	w.until("it is connected", w.shows(isConnected))
	d.mu.Lock()
	d.mute = errors.New("no answer")
	d.mu.Unlock()
	w.until("it is lost", w.shows(isLost))
	d.mu.Lock()
	d.mute = errors.ErrUnsupported
	d.mu.Unlock()
	w.until("what cannot tell how much waits is connected", w.shows(isConnected))
}

// What the engine does not take comes again, and is no fault of the queue's.
func TestWhatTheEngineDoesNotTakeComesAgain(t *testing.T) {
	d := newDesk()
	w := run(t, d)
	w.until("it is connected", w.shows(isConnected))
	w.down(errors.New("the engine rests"))
	d.put(nil, "a", "b")
	w.until("it was tried several times", func() bool { return w.log.count("the engine rests") > 3 })
	if !w.shows(isConnected)() || w.has() != "" || w.log.count("not fetched") > 0 {
		t.Errorf("while the engine rests, %q is taken, and the log says\n%s", w.has(), w.log.all())
	}
	w.down(nil)
	w.until("all are taken", func() bool { return w.has() == "a b" })
}
