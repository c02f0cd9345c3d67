// Package rehearse runs real cases, leases and budgets, with the real
// activities, on a clock that skips what nobody waits for. Playbook tests and
// the tests of the workflows use it; nothing of it runs in production.
package rehearse

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"go.temporal.io/api/serviceerror"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/workflows"
)

// rootWorkflow starts the others: the test environment runs one workflow and
// its children on one clock.
const (
	rootWorkflow = "rehearsal"
	startSignal  = "start"
)

// Rehearsal is one run of the engine on a skipped clock. It is used once:
// plan what happens with At, then Run.
type Rehearsal struct {
	env   *testsuite.TestWorkflowEnvironment
	start time.Time
}

type startRequest struct {
	Workflow string          `json:"workflow"`
	ID       string          `json:"id"`
	Input    json.RawMessage `json:"input"`
}

// New returns a rehearsal that begins at start, with activities made for its
// engine and its clock.
func New(start time.Time, with func(activities.Engine, func() time.Time) *activities.Activities) *Rehearsal {
	suite := testsuite.WorkflowTestSuite{}
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.NewTextHandler(io.Discard, nil))))
	r := &Rehearsal{env: suite.NewTestWorkflowEnvironment(), start: start}
	r.env.SetStartTime(start)
	r.env.SetTestTimeout(time.Minute)
	r.env.RegisterWorkflowWithOptions(root, workflow.RegisterOptions{Name: rootWorkflow})
	workflows.Register(r.env)
	with(r, r.env.Now).Register(r.env)
	return r
}

// root starts workflows on demand until the rehearsal is over.
func root(ctx workflow.Context, length time.Duration) error {
	ch := workflow.GetSignalChannel(ctx, startSignal)
	workflow.Go(ctx, func(ctx workflow.Context) {
		for {
			var req startRequest
			ch.Receive(ctx, &req)
			child := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: req.ID})
			workflow.ExecuteChildWorkflow(child, req.Workflow, req.Input)
		}
	})
	return workflow.Sleep(ctx, length)
}

// At has something happen at a time after the start. What happens must not
// block.
func (r *Rehearsal) At(after time.Duration, what func()) { r.env.RegisterDelayedCallback(what, after) }

// Now is the rehearsal's time.
func (r *Rehearsal) Now() time.Time { return r.env.Now() }

// StartCase opens a case when the rehearsal begins.
func (r *Rehearsal) StartCase(in workflows.CaseInput) error {
	send, err := r.starter(activities.RespondWorkflow, activities.CaseWorkflowID(in.ID), in)
	if err != nil {
		return err
	}
	r.At(time.Nanosecond, send)
	return nil
}

// starter returns what starts a workflow.
func (r *Rehearsal) starter(name, id string, input any) (func(), error) {
	data, err := json.Marshal(input)
	if err != nil {
		return nil, fmt.Errorf("encode the input of %s: %w", id, err)
	}
	return func() { r.env.SignalWorkflow(startSignal, startRequest{Workflow: name, ID: id, Input: data}) }, nil
}

// Signal sends a signal to a workflow that runs.
func (r *Rehearsal) Signal(id, name string, arg any) error {
	if err := r.env.SignalWorkflowByID(id, name, arg); err != nil {
		return fmt.Errorf("signal %s of %s: %w", name, id, err)
	}
	return nil
}

// Update sends an update to a workflow that runs; answered gets the refusal or
// the result.
func (r *Rehearsal) Update(id, name, updateID string, arg any, answered func(result any, err error)) error {
	err := r.env.UpdateWorkflowByID(id, name, updateID, &testsuite.TestUpdateCallback{
		OnReject:   func(err error) { answered(nil, err) },
		OnComplete: answered,
	}, arg)
	if err != nil {
		return fmt.Errorf("update %s of %s: %w", name, id, err)
	}
	return nil
}

// Run runs the rehearsal for a length of time on its own clock.
func (r *Rehearsal) Run(length time.Duration) error {
	r.env.ExecuteWorkflow(rootWorkflow, length)
	if err := r.env.GetWorkflowError(); err != nil {
		return fmt.Errorf("rehearse: %w", err)
	}
	return nil
}

// Case returns a case as it stands.
func (r *Rehearsal) Case(id string) (incident.Case, error) {
	var c incident.Case
	return c, r.query(activities.CaseWorkflowID(id), activities.CaseQuery, &c)
}

// Lease returns a lease as it stands.
func (r *Rehearsal) Lease(id string) (incident.Lease, error) {
	var l incident.Lease
	return l, r.query(id, activities.LeaseQuery, &l)
}

// Budget returns the budget as it stands.
func (r *Rehearsal) Budget() (activities.BudgetState, error) {
	var b activities.BudgetState
	return b, r.query(activities.BudgetID, activities.BudgetQuery, &b)
}

func (r *Rehearsal) query(id, name string, into any) error {
	value, err := r.env.QueryWorkflowByID(id, name)
	if err != nil {
		return fmt.Errorf("ask %s of %s: %w", name, id, err)
	}
	if err := value.Get(into); err != nil {
		return fmt.Errorf("read %s of %s: %w", name, id, err)
	}
	return nil
}

// UpdateWithStart implements [activities.Engine] on the rehearsal's clock.
func (r *Rehearsal) UpdateWithStart(ctx context.Context, c activities.Call, result any) error {
	answered := make(chan answer, 1)
	r.env.RegisterDelayedCallback(func() { r.try(ctx, c, false, answered) }, 0)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case a := <-answered:
		if a.err != nil || result == nil {
			return a.err
		}
		data, err := json.Marshal(a.result)
		if err != nil {
			return fmt.Errorf("encode the answer of %s: %w", c.ID, err)
		}
		if err := json.Unmarshal(data, result); err != nil {
			return fmt.Errorf("read the answer of %s: %w", c.ID, err)
		}
		return nil
	}
}

type answer struct {
	result any
	err    error
}

// try sends the update; it starts the workflow when there is none, and tries
// again when it has started.
func (r *Rehearsal) try(ctx context.Context, c activities.Call, started bool, answered chan<- answer) {
	if ctx.Err() != nil {
		return
	}
	err := r.env.UpdateWorkflowByID(c.ID, c.Update, c.UpdateID, &testsuite.TestUpdateCallback{
		OnReject:   func(err error) { answered <- answer{err: err} },
		OnComplete: func(result any, err error) { answered <- answer{result: result, err: err} },
	}, c.Arg)
	if err == nil {
		return
	}
	if _, ok := errors.AsType[*serviceerror.NotFound](err); !ok {
		answered <- answer{err: err}
		return
	}
	if !started {
		start, err := r.starter(c.Workflow, c.ID, c.Input)
		if err != nil {
			answered <- answer{err: err}
			return
		}
		start()
	}
	r.env.RegisterDelayedCallback(func() { r.try(ctx, c, true, answered) }, time.Millisecond)
}
