// Package rehearse runs real cases, leases and budgets, with the real
// activities, on a clock that skips idle time. Playbook tests and
// the tests of the workflows use it; none of it runs in production.
package rehearse

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/stretchr/testify/mock"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
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
	meter *meter
	// running ends with the rehearsal.
	running context.Context
	end     context.CancelFunc
	// suggested is the info of a run to which it was suggested to go on in a new
	// one.
	suggested *workflow.Info

	mu sync.Mutex
	// runs are the current runs by workflow id, yielding those that should go
	// on in a new one, refused the updates that were refused and how often.
	runs     map[string]string
	yielding map[string]string
	// live are the workflows whose code runs: before its first task the test
	// environment knows a workflow that it cannot update yet.
	live    map[string]string
	refused map[string]int
}

type startRequest struct {
	Workflow string          `json:"workflow"`
	ID       string          `json:"id"`
	Input    json.RawMessage `json:"input"`
}

// New returns a rehearsal that begins at start, with activities made for its
// engine and its clock. Metrics gets what workflows and activities emit; nil: it is dropped.
func New(start time.Time, metrics client.MetricsHandler, with func(activities.Workflows, func() time.Time) *activities.Activities) *Rehearsal {
	suite := testsuite.WorkflowTestSuite{}
	if metrics != nil {
		suite.SetMetricsHandler(metrics)
	}
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	r := &Rehearsal{
		env: suite.NewTestWorkflowEnvironment(), start: start, meter: &meter{DataConverter: converter.GetDefaultDataConverter()},
		runs: map[string]string{}, live: map[string]string{}, yielding: map[string]string{}, refused: map[string]int{},
	}
	r.running, r.end = context.WithCancel(context.Background())
	r.env.SetStartTime(start)
	r.env.SetTestTimeout(time.Minute)
	r.env.SetDataConverter(r.meter)
	r.env.SetWorkerOptions(worker.Options{
		Interceptors: []interceptor.WorkerInterceptor{&conductor{rehearsal: r}}, DeadlockDetectionTimeout: time.Minute,
	})
	r.env.SetContinueAsNewSuggested(true)
	r.env.RegisterWorkflowWithOptions(r.root, workflow.RegisterOptions{Name: rootWorkflow})
	workflows.Register(r.env)
	with(engine{r}, r.env.Now).Register(r.env)
	// A workflow that was never started counts as one that has ended.
	r.env.OnSignalExternalWorkflow(mock.Anything, mock.Anything, mock.Anything, mock.Anything, mock.Anything).
		Return(serviceerror.NewNotFound("no such workflow")).Maybe()
	return r
}

// root starts workflows on demand until the rehearsal is over.
func (r *Rehearsal) root(ctx workflow.Context, length time.Duration) error {
	r.suggested = workflow.GetInfo(ctx)
	ch := workflow.GetSignalChannel(ctx, startSignal)
	workflow.Go(ctx, func(ctx workflow.Context) {
		for {
			var req startRequest
			ch.Receive(ctx, &req)
			// One that is cancelled goes on until it has ended by itself.
			child := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: req.ID, WaitForCancellation: true})
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
	return r.StartCaseAt(time.Nanosecond, in)
}

// StartCaseAt opens a case at a time after the start.
func (r *Rehearsal) StartCaseAt(after time.Duration, in workflows.CaseInput) error {
	return r.StartAt(after, protocol.RespondWorkflow, protocol.CaseWorkflowID(in.ID), in)
}

// StartAt starts any workflow at a time after the start.
func (r *Rehearsal) StartAt(after time.Duration, name, id string, input any) error {
	send, err := r.starter(name, id, input)
	if err != nil {
		return err
	}
	r.At(after, send)
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
	if err := r.update(id, name, updateID, arg, answered); err != nil {
		return fmt.Errorf("update %s of %s: %w", name, id, err)
	}
	return nil
}

// update sends an update under an id that is unique within the workflow's run,
// as in the engine; one that was refused may be sent again.
func (r *Rehearsal) update(id, name, updateID string, arg any, answered func(result any, err error)) error {
	r.mu.Lock()
	_, live := r.live[id]
	key := id + "\n" + r.runs[id] + "\n" + updateID
	unique := fmt.Sprintf("%s\n%d", key, r.refused[key])
	r.mu.Unlock()
	if !live {
		return serviceerror.NewNotFound("workflow " + id + " does not run")
	}
	return r.env.UpdateWorkflowByID(id, name, unique, &testsuite.TestUpdateCallback{
		OnReject: func(err error) {
			r.mu.Lock()
			r.refused[key]++
			r.mu.Unlock()
			answered(nil, err)
		},
		OnComplete: answered,
	}, arg)
}

// Yield suggests to a workflow that runs to go on in a new run, as the engine
// does when a history has grown long.
func (r *Rehearsal) Yield(id string) error {
	r.mu.Lock()
	r.yielding[id] = r.runs[id]
	r.mu.Unlock()
	return r.wake(id)
}

// Cancel asks a workflow that runs to end, as the engine's operator does.
func (r *Rehearsal) Cancel(id string) {
	r.env.CancelWorkflowByID(id, "")
}

// wake gives a workflow a task, by a signal that it ignores.
func (r *Rehearsal) wake(id string) error { return r.Signal(id, "wake", nil) }

// RunOf returns the current run of a workflow.
func (r *Rehearsal) RunOf(id string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.runs[id]
}

// Bytes is how many bytes of input and results the engine had to keep.
func (r *Rehearsal) Bytes() int64 { return r.meter.bytes.Load() }

// Run runs the rehearsal for a length of time on its own clock.
func (r *Rehearsal) Run(length time.Duration) error {
	defer r.end()
	r.env.ExecuteWorkflow(rootWorkflow, length)
	if err := r.env.GetWorkflowError(); err != nil {
		return fmt.Errorf("rehearse: %w", err)
	}
	return nil
}

// Case returns a case as it stands.
func (r *Rehearsal) Case(id string) (incident.Case, error) {
	var c incident.Case
	return c, r.query(protocol.CaseWorkflowID(id), protocol.CaseQuery, &c)
}

// Lease returns a lease as it stands.
func (r *Rehearsal) Lease(id string) (incident.Lease, error) {
	var l incident.Lease
	return l, r.query(id, protocol.LeaseQuery, &l)
}

// Budget returns the budget as it stands.
func (r *Rehearsal) Budget() (protocol.BudgetState, error) {
	var b protocol.BudgetState
	return b, r.query(protocol.BudgetID, protocol.BudgetQuery, &b)
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
