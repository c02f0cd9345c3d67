package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"golang.org/x/time/rate"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/workflows"
)

const (
	// commitTimeout bounds one call to the engine.
	commitTimeout = 10 * time.Second
	// batchAlerts and batchBytes bound what one call carries, maxAlert one alert,
	// as they are encoded: the engine takes no more than 2 MiB at once, and a
	// case is larger than its alerts.
	batchAlerts = 500
	batchBytes  = 1 << 20
	maxAlert    = 1 << 19
	// A case's history holds every call, and the engine works for each. After
	// the first calls of a storm the calls for one subject are paced, so that a
	// flood of alerts neither fills the one nor takes the other from the cases.
	unpacedCalls = 4
	pacedEvery   = 250 * time.Millisecond
	// callsAtOnce bounds the calls under way for all subjects. More would wait in
	// the engine, each with fewer alerts: of 50 subjects in a storm all would
	// call at once, and twice as often.
	callsAtOnce = 16
	// laneIdle is after how long a quiet subject is forgotten here; sweepEvery is
	// how often it is looked for them.
	laneIdle   = 10 * time.Minute
	sweepEvery = time.Minute
)

// committer puts alerts into cases. While a call for a subject is under way,
// the alerts that come for it wait and go together in the next (group commit).
type committer struct {
	Options
	mu    sync.Mutex
	lanes map[string]*lane
	swept time.Time
	// calls holds as many as are under way.
	calls chan struct{}
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
}

func newCommitter(o Options) *committer {
	return &committer{Options: o, lanes: map[string]*lane{}, calls: make(chan struct{}, callsAtOnce)}
}

// commit returns when the engine holds the alerts.
func (c *committer) commit(ctx context.Context, in workflows.CaseInput) (api.CaseRef, error) {
	b := c.enqueue(in)
	select {
	case <-ctx.Done():
		return api.CaseRef{}, fmt.Errorf("wait for case %s: %w", in.ID, context.Cause(ctx))
	case <-b.done:
	}
	if b.err != nil {
		return api.CaseRef{}, b.err
	}
	ref := c.ref(in.ID, b.run, len(in.Alerts))
	ref.Repeat = !slices.ContainsFunc(in.Alerts, func(a incident.Alert) bool { return !b.repeats[repeatKey(a)] })
	return ref, nil
}

func repeatKey(a incident.Alert) string { return strings.Join(a.Prints, " ") }

// ref is where alerts went; the run is empty where it is not known.
func (c *committer) ref(id, run string, alerts int) api.CaseRef {
	link := url.URL{Path: "/v1/cases/" + id}
	if run != "" {
		link.RawQuery = url.Values{"run": {run}}.Encode()
	}
	return api.CaseRef{ID: id, Run: run, URL: c.PublicURL + link.String(), Alerts: alerts}
}

func (c *committer) enqueue(in workflows.CaseInput) *batch {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.lanes[in.ID]
	if l == nil {
		l = &lane{id: in.ID, pace: rate.NewLimiter(rate.Every(pacedEvery), unpacedCalls)}
		c.lanes[in.ID] = l
	}
	if l.pending == nil {
		l.pending = &batch{in: in, done: make(chan struct{}), repeats: map[string]bool{}}
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

// drain sends a lane's batches one after the other until there is none. Alerts
// that come while the lane must wait go along.
func (c *committer) drain(l *lane) {
	for c.waiting(l) {
		<-time.After(l.pace.Reserve().Delay())
		select {
		case c.calls <- struct{}{}:
			c.send(l, c.take(l))
			<-c.calls
		case <-time.After(commitTimeout):
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
	l.busy, l.last = false, c.Now()
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
	now := c.Now()
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
		ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
		run, repeats, err := c.put(ctx, l.run, in)
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

// What an alert takes in a call is bounded by its document: each of its bytes
// stands there once and, escaped to six, in at most two fields; beside that are
// the fields' names and origins. Small ones need no closer look.
const (
	bytesPerByte = 16
	fieldBytes   = 2 << 10
	smallAlert   = 16 << 10
)

// encodedSize is what an alert takes in a call, at most.
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

// put starts the case, and on conflict signals the one that runs. A subject
// that was reached before is signalled first. It returns the run, and whether it
// is of a closed case that had all of the alerts.
func (c *committer) put(ctx context.Context, run string, in workflows.CaseInput) (string, bool, error) {
	id := protocol.CaseWorkflowID(in.ID)
	reuse := enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE
	for {
		if run != "" {
			err := c.Client.SignalWorkflow(ctx, id, "", protocol.AlertsSignal, in.Alerts)
			if err == nil {
				return run, false, nil
			}
			if _, ok := errors.AsType[*serviceerror.NotFound](err); !ok {
				return "", false, fmt.Errorf("signal case %s: %w", in.ID, err)
			}
			run = ""
		}
		started, err := c.Client.ExecuteWorkflow(ctx, c.startOptions(id, in, reuse), protocol.RespondWorkflow, in)
		if err == nil {
			return started.GetRunID(), false, nil
		}
		if _, ok := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); !ok {
			return "", false, fmt.Errorf("start case %s: %w", in.ID, err)
		}
		described, err := c.Client.DescribeWorkflowExecution(ctx, id, "")
		if err != nil {
			return "", false, fmt.Errorf("look at case %s: %w", in.ID, err)
		}
		info := described.GetWorkflowExecutionInfo()
		if info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
			// If it has closed by when it is signalled, it is the one to look at.
			run, reuse = info.GetFirstRunId(), enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE
			continue
		}
		// A case of the subject has closed: a repeat of its alerts starts nothing,
		// another alert, another occurrence or newer content starts a new case.
		repeats := false
		if in.Seen, repeats, err = c.heardBy(ctx, info, in.Alerts); err != nil {
			return "", false, fmt.Errorf("read the alerts of case %s: %w", in.ID, err)
		}
		if repeats {
			return info.GetFirstRunId(), true, nil
		}
		reuse = enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
	}
}

func (c *committer) startOptions(id string, in workflows.CaseInput, reuse enumspb.WorkflowIdReusePolicy) client.StartWorkflowOptions {
	keyword := func(name, value string) temporal.SearchAttributeUpdate {
		return temporal.NewSearchAttributeKeyKeyword(name).ValueSet(value)
	}
	return client.StartWorkflowOptions{
		ID: id, TaskQueue: protocol.TaskQueue, EnableEagerStart: c.EagerStart,
		WorkflowIDReusePolicy: reuse, WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		TypedSearchAttributes: temporal.NewSearchAttributes(
			keyword(protocol.AttrKind, "case"), keyword(protocol.AttrPlaybook, in.Pin.Name),
			keyword(protocol.AttrSubject, in.Subject), keyword(protocol.AttrStatus, string(incident.Working))),
	}
}

// heardBy returns what a closed case and those before it heard, as it is handed
// on, and whether all of the alerts are repeats of that. A case that was ended by
// force left nothing.
func (c *committer) heardBy(ctx context.Context, info *workflowpb.WorkflowExecutionInfo, alerts []incident.Alert) ([]string, bool, error) {
	payload, ok := info.GetMemo().GetFields()[workflows.SeenMemo]
	if !ok {
		return nil, false, nil
	}
	var entries []string
	if err := c.Payloads.FromPayload(payload, &entries); err != nil {
		return nil, false, fmt.Errorf("decode what it heard: %w", err)
	}
	seen := workflows.NewSeen(entries)
	seen.Closed(info.GetCloseTime().AsTime())
	repeats := true
	for _, a := range alerts {
		if seen.Judge(a, time.Time{}) != workflows.Same {
			repeats = false
			continue
		}
		over, err := c.over(ctx, seen, a)
		if err != nil {
			return nil, false, err
		}
		if over {
			seen.End(a)
			repeats = false
		}
	}
	return seen.Entries(), repeats, nil
}

// over reports whether an alert that does not say when it happened was resolved
// since it was received first: no case was open then that could have noted it.
func (c *committer) over(ctx context.Context, seen *workflows.Seen, a incident.Alert) (bool, error) {
	received, undated := seen.Received(a)
	if !undated || a.Status != incident.Firing {
		return false, nil
	}
	described, err := c.Client.DescribeWorkflowExecution(ctx, rejectedWorkflowID(recordedID(a)), "")
	if _, ok := errors.AsType[*serviceerror.NotFound](err); ok {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for the news that alert %s is over: %w", a.Key(), err)
	}
	payload, ok := described.GetWorkflowExecutionInfo().GetMemo().GetFields()[receivedMemo]
	if !ok {
		return false, nil
	}
	var at time.Time
	if err := c.Payloads.FromPayload(payload, &at); err != nil {
		return false, fmt.Errorf("decode when alert %s was over: %w", a.Key(), err)
	}
	return !at.Before(received), nil
}

// recordedID is under which the news that an alert does not fire are kept, of
// each alert the last.
func recordedID(a incident.Alert) string { return a.Source + "/" + a.Fingerprint() }

// receivedMemo is the memo in which such news has when it was received.
const receivedMemo = "received"

// signalOnly tells a case that runs of alerts that must not start one. It
// reports whether there was such a case.
func (c *committer) signalOnly(ctx context.Context, id string, alerts []incident.Alert) (bool, error) {
	err := c.Client.SignalWorkflow(ctx, protocol.CaseWorkflowID(id), "", protocol.AlertsSignal, alerts)
	if _, ok := errors.AsType[*serviceerror.NotFound](err); ok {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("signal case %s: %w", id, err)
	}
	return true, nil
}
