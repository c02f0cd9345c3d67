package upgrade_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/proto"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/upgrade"
	"github.com/stanch-soar/stanch/workflows"
	"github.com/stanch-soar/stanch/workflows/historytest"
)

const histories = "../../../workflows/testdata/histories"

// open are histories of workflows that run, by kind, one of each.
func open() map[string]string {
	return map[string]string{
		protocol.RespondWorkflow: "respond-contained-2", protocol.LeaseWorkflow: "lease-contained-isolate-2",
		protocol.BudgetWorkflow: "budget-goes-on-2", protocol.ChannelWorkflow: "channel-goes-on-2",
		protocol.ClickWorkflow: "click-refused-2", protocol.DailyWorkflow: "standing-goes-on-2",
		protocol.ClaimWorkflow: "claim-contained-2", protocol.RejectedWorkflow: "rejected-waiting-2",
	}
}

// engine is an engine whose workflows are recorded histories, by run.
type engine struct {
	infos []*workflowpb.WorkflowExecutionInfo
	runs  map[string]*historypb.History
	// page is how many are listed at a time.
	page int
	err  error
}

// add adds a workflow under the id and run that it was recorded with, and returns
// the run.
func (e *engine) add(h *historypb.History) string {
	started := h.Events[0].GetWorkflowExecutionStartedEventAttributes()
	run := started.GetOriginalExecutionRunId()
	e.infos = append(e.infos, &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: started.GetWorkflowId(), RunId: run}, Type: started.GetWorkflowType(),
		TaskQueue: started.GetTaskQueue().GetName(),
	})
	if e.runs == nil {
		e.runs = map[string]*historypb.History{}
	}
	e.runs[run] = proto.CloneOf(h)
	return run
}

func read(t *testing.T, name string) *historypb.History {
	t.Helper()
	return historytest.History(t, filepath.Join(histories, name+historytest.Ext))
}

// running is a history before its workflow ended.
func running(h *historypb.History) *historypb.History {
	if h.Events[len(h.Events)-1].GetEventType() != enums.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED {
		return h
	}
	m := moments(h)
	return m[len(m)-2]
}

// moments are a history as it was after each transaction of the engine: a task is
// completed with all that it asks for.
func moments(h *historypb.History) []*historypb.History {
	var all []*historypb.History
	for n := range h.Events {
		if n+1 == len(h.Events) || !upgrade.Asked(h.Events[n+1]) {
			all = append(all, &historypb.History{Events: h.Events[:n+1]})
		}
	}
	return all
}

func (e *engine) ListWorkflow(_ context.Context, r *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	from := 0
	if len(r.GetNextPageToken()) > 0 {
		if _, err := fmt.Sscan(string(r.GetNextPageToken()), &from); err != nil {
			return nil, err
		}
	}
	to := min(len(e.infos), from+max(1, e.page))
	out := &workflowservice.ListWorkflowExecutionsResponse{Executions: e.infos[from:to]}
	if to < len(e.infos) {
		out.NextPageToken = fmt.Append(nil, to)
	}
	return out, e.err
}

func (e *engine) GetWorkflowHistory(_ context.Context, _, runID string, _ bool, _ enums.HistoryEventFilterType) client.HistoryEventIterator {
	h, ok := e.runs[runID]
	if !ok {
		return &events{err: serviceerror.NewNotFound("no such run")}
	}
	return &events{left: proto.CloneOf(h).GetEvents()}
}

type events struct {
	left []*historypb.HistoryEvent
	err  error
}

func (e *events) HasNext() bool { return len(e.left) > 0 || e.err != nil }

func (e *events) Next() (*historypb.HistoryEvent, error) {
	if e.err != nil {
		return nil, e.err
	}
	next := e.left[0]
	e.left = e.left[1:]
	return next, nil
}

// site is a site that has what it is not told to lack.
type site struct{ noPlaybook, noIntegration, noQueue string }

func (s site) Pinned(pin activities.Pin) []string {
	if s.noPlaybook == pin.Name {
		return []string{"playbook " + pin.Name + " does not load"}
	}
	return nil
}

func (s site) Used(name string) string {
	if s.noIntegration == name {
		return "no integration " + name
	}
	return ""
}

func (s site) Served(queue string) string {
	if s.noQueue != "" && s.noQueue == queue {
		return "nobody works on " + queue
	}
	return ""
}

// all has one open workflow of each kind. The runs are by kind.
func all(t *testing.T) (e *engine, runs map[string]string) {
	t.Helper()
	e, runs = &engine{page: 3}, map[string]string{}
	for _, kind := range slices.Sorted(maps.Keys(open())) {
		runs[kind] = e.add(running(read(t, open()[kind])))
	}
	return e, runs
}

func first(e *engine, _ map[string]string) *engine { return e }

func check(t *testing.T, c upgrade.Check) upgrade.Result {
	t.Helper()
	result, err := c.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// What a workflow was after each transaction of the engine is what a check may find:
// today's build goes on with all of it.
func TestEveryMomentOfARecordedWorkflowGoesOn(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"respond-approved-2", "lease-undo-fails-isolate-2", "click-refused-2", "claim-merged-first-2", "standing-goes-on-2", "budget-continued"} {
		for n, h := range moments(read(t, name)) {
			if n%7 != 0 && n > 30 || h.Events[len(h.Events)-1].GetEventType() == enums.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED {
				continue
			}
			e := &engine{}
			e.add(h)
			if result := check(t, upgrade.Check{Engine: e, Site: site{}}); result.Failing > 0 || result.Checked != 1 && name != "budget-continued" {
				t.Fatalf("%s after %d events: %+v", name, len(h.Events), result)
			}
			if name == "budget-continued" && n > 20 {
				break
			}
		}
	}
}

// A change is planted in each workflow that one which runs does not survive: those
// of its kind, and no others, would stop.
func TestAChangedWorkflowIsFound(t *testing.T) {
	t.Parallel()
	for kind := range open() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			result := check(t, upgrade.Check{Engine: first(all(t)), Site: site{}, Register: func(r workflows.Registry) {
				workflows.Register(changed{r, kind})
			}})
			if result.Checked != len(open()) || result.Failing != 1 || len(result.Workflows) != 1 {
				t.Fatalf("of %d, %d would stop: %+v", result.Checked, result.Failing, result.Workflows)
			}
			if w := result.Workflows[0]; w.Kind != kind || len(w.Why) != 1 || !strings.Contains(w.Why[0], "[TMPRL1100]") {
				t.Errorf("what would stop is %+v", w)
			}
			for _, k := range result.Kinds {
				if want := (upgrade.Kind{Kind: k.Kind, Open: 1}); k.Kind != kind && k != want || k.Kind == kind && k.Failing != 1 {
					t.Errorf("the kind %+v", k)
				}
			}
		})
	}
}

// changed registers all workflows but one as they are, and that one so that it asks
// the engine for a timer more.
type changed struct {
	workflows.Registry
	kind string
}

func (c changed) RegisterWorkflowWithOptions(w any, o workflow.RegisterOptions) {
	if o.Name == c.kind {
		w = timed(w)
	}
	c.Registry.RegisterWorkflowWithOptions(w, o)
}

// timed is a workflow of the same form that starts a timer more.
func timed(w any) any {
	run := reflect.ValueOf(w)
	return reflect.MakeFunc(run.Type(), func(in []reflect.Value) []reflect.Value {
		if ctx, ok := in[0].Interface().(workflow.Context); ok {
			workflow.NewTimer(ctx, time.Hour)
		}
		return run.Call(in)
	}).Interface()
}

// A build that lacks a workflow, as an older one may, would stop those of its kind.
func TestAMissingWorkflowIsFound(t *testing.T) {
	t.Parallel()
	for kind := range open() {
		result := check(t, upgrade.Check{Engine: first(all(t)), Site: site{}, Register: func(r workflows.Registry) {
			workflows.Register(without{r, kind})
		}})
		if result.Failing != 1 || result.Workflows[0].Kind != kind || result.Others != 0 {
			t.Errorf("without %s: %+v", kind, result)
		}
	}
}

type without struct {
	workflows.Registry
	kind string
}

func (w without) RegisterWorkflowWithOptions(run any, o workflow.RegisterOptions) {
	if o.Name != w.kind {
		w.Registry.RegisterWorkflowWithOptions(run, o)
	}
}

// What a workflow was sent by a build that knows more is lost to this one.
func TestAPayloadOfANewerBuildIsFound(t *testing.T) {
	t.Parallel()
	for kind := range open() {
		e, runs := all(t)
		h := e.runs[runs[kind]]
		input := h.Events[0].GetWorkflowExecutionStartedEventAttributes().GetInput().GetPayloads()[0]
		input.Data = append([]byte(`{"of_tomorrow":1,`), strings.TrimPrefix(string(input.Data), "{")...)
		result := check(t, upgrade.Check{Engine: e, Site: site{}})
		if result.Failing != 1 || result.Workflows[0].Kind != kind || !strings.Contains(strings.Join(result.Workflows[0].Why, " "), "of_tomorrow") {
			t.Errorf("%s: %+v", kind, result.Workflows)
		}
	}
}

// The site must have what a workflow was started with.
func TestWhatTheSiteLacksIsFound(t *testing.T) {
	t.Parallel()
	for lacking, want := range map[site]string{
		{noPlaybook: "contained"}:  "respond",
		{noIntegration: "edr"}:     "lease",
		{noIntegration: "slack"}:   "channel click",
		{noPlaybook: "of another"}: "",
	} {
		var kinds []string
		for _, w := range check(t, upgrade.Check{Engine: first(all(t)), Site: lacking}).Workflows {
			kinds = append(kinds, w.Kind)
		}
		if got := strings.Join(kinds, " "); got != want {
			t.Errorf("without %+v would stop %q, want %q", lacking, got, want)
		}
	}
}

// Workflows that end while they are checked are not open, those that go on in a new
// run are checked there, and those of others are left alone.
func TestTheListIsOlderThanTheWorld(t *testing.T) {
	t.Parallel()
	e, _ := all(t)
	e.add(read(t, "respond-approved-2")) // It has ended.
	delete(e.runs, e.add(read(t, "rejected-retried-2")))
	continued := read(t, "budget-continued")
	next := continued.Events[len(continued.Events)-1].GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId()
	e.add(continued)
	e.runs[next] = read(t, "budget-goes-on")
	other := read(t, "rejected-waiting")
	other.Events[0].GetWorkflowExecutionStartedEventAttributes().WorkflowType.Name = "billing"
	other.Events[0].GetWorkflowExecutionStartedEventAttributes().TaskQueue.Name = "billing"
	e.add(other)
	e.infos = append(e.infos, e.infos[0])
	var calls int
	result := check(t, upgrade.Check{Engine: e, Site: site{}, Progress: func(checked, failing int) {
		if calls++; checked != calls || failing != 0 {
			t.Errorf("progress %d, %d after %d", checked, failing, calls)
		}
	}})
	if result.Checked != len(open())+1 || result.Failing != 0 || result.Others != 1 || calls != result.Checked {
		t.Errorf("%+v after %d calls", result, calls)
	}
}

// A replay that does not end, or that panics, is an answer and no end of the check.
func TestAReplayThatDoesNotEndIsFound(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	result := check(t, upgrade.Check{Engine: first(all(t)), Site: site{}, Patience: 300 * time.Millisecond, Register: func(r workflows.Registry) {
		workflows.Register(without{r, protocol.ClaimWorkflow})
		r.RegisterWorkflowWithOptions(func(workflow.Context, protocol.ClaimInput) error { <-over; return nil }, workflow.RegisterOptions{Name: protocol.ClaimWorkflow})
	}})
	found := slices.ContainsFunc(result.Workflows, func(f upgrade.Failing) bool {
		return f.Kind == protocol.ClaimWorkflow && strings.Contains(f.Why[0], "does not give way")
	})
	if !found || result.Checked != len(open()) {
		t.Errorf("%+v", result)
	}
}

// An engine that does not answer is an error: nothing may be taken for checked.
func TestAnEngineThatDoesNotAnswerIsAnError(t *testing.T) {
	t.Parallel()
	e, _ := all(t)
	e.err = errors.New("away")
	if _, err := (upgrade.Check{Engine: e, Site: site{}}).Run(t.Context()); !errors.Is(err, e.err) {
		t.Errorf("the error is %v", err)
	}
}
