// Package fetch runs the pullers of sources whose alerts are fetched: it calls them again when
// a connection is lost or the engine does not take what they bring, and tells how they fare.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/metrics"
	"github.com/stanch-soar/stanch/integrations/alerts"
)

// Pauses are how long a fetcher waits; the zero value is [DefaultPauses].
type Pauses struct {
	// Least and Most bound the pause after a failure: it doubles with each.
	Least, Most time.Duration
	// Watch is how often the product is asked how many messages wait, Within how long it
	// has for the answer. A Pull that has run for Watch counts as one that works.
	Watch, Within time.Duration
}

// DefaultPauses are those of a service.
func DefaultPauses() Pauses {
	return Pauses{Least: time.Second, Most: 30 * time.Second, Watch: 15 * time.Second, Within: 10 * time.Second}
}

// Fetcher fetches the alerts of one source.
type Fetcher struct {
	// Source is its name.
	Source string
	Puller alerts.Puller
	// Take hands messages to the engine.
	Take    alerts.Take
	Metrics *metrics.Registry
	Log     *slog.Logger
	Pauses  Pauses

	mu sync.Mutex
	// since is when the Pull began that runs; zero in a pause.
	since time.Time
	// broken is why the last Pull ended; nil once a later one works.
	broken error
	// state is what people were told last.
	state state
}

// state is how a connection fares.
type state int

const (
	unknown state = iota
	connected
	lost
)

// Run fetches until the context ends, and closes the puller. What was begun by then is
// finished.
func (f *Fetcher) Run(ctx context.Context) {
	if f.Pauses == (Pauses{}) {
		f.Pauses = DefaultPauses()
	}
	var watching sync.WaitGroup
	watching.Go(func() { f.watch(ctx) })
	f.pull(ctx)
	watching.Wait()
	if err := f.Puller.Close(); err != nil {
		f.Log.Warn("a source was not closed in order", "source", f.Source, "error", err)
	}
}

// pull calls Pull until the context ends.
func (f *Fetcher) pull(ctx context.Context) {
	pause := f.Pauses.Least
	for ctx.Err() == nil {
		var run attempt
		f.begin()
		err := f.Puller.Pull(ctx, func(ctx context.Context, bodies [][]byte) (int, error) {
			taken, err := f.Take(ctx, bodies)
			if run.note(taken, err); err == nil {
				f.works()
			}
			return taken, err
		})
		f.end()
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("it ended by itself")
		}
		took, engine := run.result()
		if took {
			pause = f.Pauses.Least
		}
		if engine != nil {
			f.Log.Warn("a message was not taken: it comes again", "source", f.Source, "error", engine, "pause", pause)
		} else {
			f.fails(err)
		}
		wait(ctx, pause/2+rand.N(pause/2+1))
		pause = min(2*pause, f.Pauses.Most)
	}
}

// attempt notes what became of the messages of one Pull.
type attempt struct {
	mu     sync.Mutex
	took   bool
	engine error
}

func (a *attempt) note(taken int, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.took = a.took || taken > 0
	if a.engine == nil {
		a.engine = err
	}
}

// result reports whether a message was taken, and the first error of the engine.
func (a *attempt) result() (took bool, engine error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.took, a.engine
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (f *Fetcher) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.since = time.Now()
}

func (f *Fetcher) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.since = time.Time{}
}

// works notes that the Pull that runs brings messages.
func (f *Fetcher) works() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = nil
	f.tell(nil)
}

// fails notes that a Pull ended because of the product.
func (f *Fetcher) fails(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = err
	f.tell(err)
}

// watch asks how many messages wait, until the context ends.
func (f *Fetcher) watch(ctx context.Context) {
	for {
		f.look(ctx)
		if wait(ctx, f.Pauses.Watch); ctx.Err() != nil {
			return
		}
	}
}

func (f *Fetcher) look(ctx context.Context) {
	within, cancel := context.WithTimeout(ctx, f.Pauses.Within)
	defer cancel()
	lag, err := f.Puller.Lag(within)
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		f.Metrics.Set(metrics.SourceLag, float64(lag), f.Source)
	}
	if errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case err != nil:
		f.tell(fmt.Errorf("ask how much waits: %w", err))
	case f.broken == nil:
		f.tell(nil)
	case !f.since.IsZero() && time.Since(f.since) >= f.Pauses.Watch:
		f.broken = nil
		f.tell(nil)
	}
}

// tell shows how the connection fares, and logs when that changes. Its caller holds mu.
func (f *Fetcher) tell(err error) {
	is, value := connected, 1.0
	if err != nil {
		is, value = lost, 0
	}
	f.Metrics.Set(metrics.SourceConnected, value, f.Source)
	switch {
	case is == f.state:
	case is == lost:
		f.Log.Error("the alerts of a source are not fetched; see stanch doctor", "source", f.Source, "error", err)
	case f.state == lost:
		f.Log.Info("the alerts of a source are fetched again", "source", f.Source)
	default:
		f.Log.Info("the alerts of a source are fetched", "source", f.Source)
	}
	f.state = is
}
