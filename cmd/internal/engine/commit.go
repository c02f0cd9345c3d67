package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
	"golang.org/x/time/rate"

	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/workflows"
)

const (
	// callTimeout bounds one call to the engine.
	callTimeout = 10 * time.Second
	// batchAlerts and batchBytes bound what one call carries, as it is encoded:
	// the engine takes no more than 2 MiB at once, and a case is larger than its
	// alerts.
	batchAlerts = 500
	batchBytes  = 1 << 20
	// MaxAlert bounds one alert, in bytes as it is encoded.
	MaxAlert = 1 << 19
	// A case's history holds every call, and the engine works for each. After
	// the first calls of a storm the calls for one subject are paced, so that a
	// flood of alerts neither fills the one nor takes the other from the cases.
	unpacedCalls = 4
	pacedEvery   = 250 * time.Millisecond
	// callsAtOnce bounds the concurrent calls for all subjects. More would wait in
	// the engine, each with fewer alerts: of 50 subjects in a storm all would
	// call at once, and twice as often.
	callsAtOnce = 16
	// laterAtOnce bounds those that add to a case which is there. What the engine
	// is asked to keep for a case is done before what the case itself asks for: without the
	// bound no case of a storm would contain anything before the storm is over.
	laterAtOnce = 2
	// laneIdle is the idle time after which a subject is forgotten here; sweepEvery is
	// the interval of looking for such subjects.
	laneIdle   = 10 * time.Minute
	sweepEvery = time.Minute
)

// committer adds alerts to cases. While a call for a subject is running,
// the alerts that arrive for it wait and are sent together in the next (group commit).
type committer struct {
	client *Client
	mu     sync.Mutex
	lanes  map[string]*lane
	swept  time.Time
	// first holds a token for each running call to a case that may be new, and later
	// for each to one that is there.
	first, later chan struct{}
}

// lane is one subject's queue.
type lane struct {
	id      string
	pending *batch
	busy    bool
	// run is the run that was reached last.
	run  string
	pace *rate.Limiter
	last time.Time
}

// batch is alerts that go together; done is closed when they are durable.
type batch struct {
	in workflows.CaseInput
	// alerts are those of each request.
	alerts [][]incident.Alert
	done   chan struct{}
	run    string
	// repeats are those that a closed case of the subject has had, by their
	// fingerprints.
	repeats map[string]bool
	err     error
	// span is that of the first request, in whose trace the call is.
	span trace.Span
}

func newCommitter(c *Client) *committer {
	return &committer{client: c, lanes: map[string]*lane{}, first: make(chan struct{}, callsAtOnce), later: make(chan struct{}, laterAtOnce)}
}

// Delivered is the case that alerts were added to.
type Delivered struct {
	// Run distinguishes the cases that one subject had.
	Run string
	// Repeat reports that the case is closed and has had all of the alerts before.
	Repeat bool
}

// commit returns when the engine holds the alerts.
func (c *committer) commit(ctx context.Context, in workflows.CaseInput) (Delivered, error) {
	b := c.enqueue(in, trace.SpanFromContext(ctx))
	select {
	case <-ctx.Done():
		return Delivered{}, fmt.Errorf("wait for case %s: %w", in.ID, context.Cause(ctx))
	case <-b.done:
	}
	if b.err != nil {
		return Delivered{}, b.err
	}
	news := slices.ContainsFunc(in.Alerts, func(a incident.Alert) bool { return !b.repeats[repeatKey(a)] })
	return Delivered{Run: b.run, Repeat: !news}, nil
}

func repeatKey(a incident.Alert) string { return strings.Join(a.Prints, " ") }

func (c *committer) enqueue(in workflows.CaseInput, span trace.Span) *batch {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.lanes[in.ID]
	if l == nil {
		l = &lane{id: in.ID, pace: rate.NewLimiter(rate.Every(pacedEvery), unpacedCalls)}
		c.lanes[in.ID] = l
	}
	if l.pending == nil {
		l.pending = &batch{in: in, done: make(chan struct{}), repeats: map[string]bool{}, span: span}
	} else {
		together(l.pending.span, span)
	}
	l.pending.alerts = append(l.pending.alerts, in.Alerts)
	l.pending.in.Pin = in.Pin
	b := l.pending
	if !l.busy {
		l.busy = true
		go c.drain(l)
	}
	return b
}

// together links the spans of requests whose alerts go in one call.
func together(first, later trace.Span) {
	if first.SpanContext().IsValid() && later.SpanContext().IsValid() {
		first.AddLink(trace.Link{SpanContext: later.SpanContext()})
		later.AddLink(trace.Link{SpanContext: first.SpanContext()})
	}
}

// drain sends a lane's batches one after the other until there is none. Alerts
// that arrive while the lane must wait are sent with them.
func (c *committer) drain(l *lane) {
	for c.waiting(l) {
		<-time.After(l.pace.Reserve().Delay())
		calls := c.later
		if l.run == "" {
			calls = c.first
		}
		select {
		case calls <- struct{}{}:
			c.send(l, c.take(l))
			<-calls
		case <-time.After(callTimeout):
			c.take(l).end(fmt.Errorf("wait for a call to case %s: the engine is busy with others: %w", l.id, context.DeadlineExceeded))
		}
	}
}

// waiting reports whether the lane has alerts to send; without, it is idle.
func (c *committer) waiting(l *lane) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.pending != nil {
		return true
	}
	l.busy, l.last = false, time.Now()
	c.forget()
	return false
}

// take returns the alerts that wait in a lane.
func (c *committer) take(l *lane) *batch {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := l.pending
	l.pending = nil
	return b
}

// forget drops the lanes that have been quiet for long.
func (c *committer) forget() {
	now := time.Now()
	if now.Sub(c.swept) < sweepEvery {
		return
	}
	c.swept = now
	for id, l := range c.lanes {
		if !l.busy && l.pending == nil && now.Sub(l.last) > laneIdle {
			delete(c.lanes, id)
		}
	}
}

// send makes a batch durable, in as many calls as it takes.
func (c *committer) send(l *lane, b *batch) {
	alerts := slices.Concat(b.alerts...)
	for len(alerts) > 0 {
		n := portion(alerts)
		in := b.in
		in.Alerts = alerts[:n:n]
		ctx, cancel := context.WithTimeout(trace.ContextWithSpan(context.Background(), b.span), callTimeout)
		run, repeats, err := c.client.put(ctx, l.run, in)
		cancel()
		if err != nil {
			l.run = ""
			b.end(err)
			return
		}
		l.run, b.run = run, run
		if repeats {
			for _, a := range in.Alerts {
				b.repeats[repeatKey(a)] = true
			}
		}
		alerts = alerts[n:]
	}
	b.end(nil)
}

// end wakes those who wait for the batch.
func (b *batch) end(err error) {
	b.err = err
	close(b.done)
}

// portion is how many alerts fit into one call.
func portion(alerts []incident.Alert) int {
	size := 0
	for i, a := range alerts {
		size += encodedSize(a)
		if i > 0 && (i >= batchAlerts || size > batchBytes) {
			return i
		}
	}
	return len(alerts)
}

// The size of an alert in a call is bounded by its document: each of its bytes
// is in it once and, escaped to six, in at most two fields; added to that are
// the fields' names and origins. Small ones need no closer look.
const (
	bytesPerByte = 16
	fieldBytes   = 2 << 10
	smallAlert   = 16 << 10
)

// Fits reports whether the engine accepts an alert of this size.
func Fits(a incident.Alert) bool { return encodedSize(a) <= MaxAlert }

// encodedSize is the maximum size of an alert in a call.
func encodedSize(a incident.Alert) int {
	if most := bytesPerByte*len(a.Raw) + fieldBytes; len(a.Raw) > 0 && most <= smallAlert {
		return most
	}
	data, err := json.Marshal(a)
	if err != nil {
		return batchBytes + 1
	}
	return len(data)
}
