// Package upgrade replays the open workflows of a namespace on this build, and
// finds those that would stop on it. It changes nothing: it lists and reads.
package upgrade

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/workflows"
)

// Engine is the part of [client.Client] that lists workflows and reads them.
type Engine interface {
	ListWorkflow(ctx context.Context, request *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error)
	GetWorkflowHistory(ctx context.Context, workflowID, runID string, isLongPoll bool, filterType enums.HistoryEventFilterType) client.HistoryEventIterator
}

// Site is what this build is configured with.
type Site interface {
	// Pinned returns why a case could not go on with the playbook that it carries.
	Pinned(pin activities.Pin) []string
	// Used returns why an integration could not be asked by the name that a workflow
	// knows it by; empty where it could.
	Used(name string) string
	// Served returns why nobody would work on a task queue that a workflow asks through;
	// empty where somebody would.
	Served(queue string) string
}

// Check replays the open workflows of a namespace, one after the other: it holds
// one history at a time.
type Check struct {
	Engine Engine
	// Codecs decode what Temporal stores, in the order of decoding.
	Codecs []converter.PayloadCodec
	Site   Site
	// Register registers the workflows of the build; [workflows.Register] when nil.
	Register func(workflows.Registry)
	// Patience bounds the replay of one history; two minutes when zero.
	Patience time.Duration
	// Progress is called after each workflow, with the number of those that were
	// checked and of those that would stop. It may be nil.
	Progress func(checked, failing int)
}

// Result is what was checked.
type Result struct {
	Checked int `json:"checked"`
	Failing int `json:"failing"`
	// Kinds counts by the kind of workflow, in the order of their names.
	Kinds []Kind `json:"kinds"`
	// Workflows are those that would stop, at most [MaxListed] of them.
	Workflows []Failing `json:"workflows"`
	// Others counts open workflows of the namespace that are not of Stanch.
	Others int `json:"others"`
}

// Kind is one kind of workflow.
type Kind struct {
	Kind    string `json:"kind"`
	Open    int    `json:"open"`
	Failing int    `json:"failing"`
}

// Failing is a workflow that would stop, and why.
type Failing struct {
	ID   string   `json:"id"`
	Run  string   `json:"run"`
	Kind string   `json:"kind"`
	Why  []string `json:"why"`
}

const (
	// MaxListed bounds the workflows that are listed one by one; all are counted.
	MaxListed = 1000
	// pageSize is how many workflows are listed at a time.
	pageSize = 200
	// patience is the default of [Check.Patience].
	patience = 2 * time.Minute
)

// known are the names of the workflows of a build.
type known []string

// RegisterWorkflowWithOptions implements [workflows.Registry].
func (k *known) RegisterWorkflowWithOptions(_ any, o workflow.RegisterOptions) {
	*k = append(*k, o.Name)
}

// run is one run of a check.
type run struct {
	Check
	known  known
	seen   map[string]bool
	kinds  map[string]*Kind
	result Result
}

// Run checks all workflows that are open now. The error is that the engine did not
// answer: then the result is not complete.
func (c Check) Run(ctx context.Context) (Result, error) {
	if c.Register == nil {
		c.Register = func(r workflows.Registry) { workflows.Register(r) }
	}
	c.Patience = cmp.Or(c.Patience, patience)
	r := &run{Check: c, seen: map[string]bool{}, kinds: map[string]*Kind{}, result: Result{Workflows: []Failing{}}}
	c.Register(&r.known)
	err := r.all(ctx)
	r.result.Kinds = make([]Kind, 0, len(r.kinds))
	for _, k := range r.kinds {
		r.result.Kinds = append(r.result.Kinds, *k)
	}
	slices.SortFunc(r.result.Kinds, func(a, b Kind) int { return cmp.Compare(a.Kind, b.Kind) })
	return r.result, err
}

// all pages through the open workflows to the end.
func (r *run) all(ctx context.Context) error {
	var token []byte
	for {
		page, err := r.Engine.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
			Query: "ExecutionStatus = 'Running'", PageSize: pageSize, NextPageToken: token,
		})
		if err != nil {
			return fmt.Errorf("list the open workflows: %w", err)
		}
		for _, info := range page.GetExecutions() {
			if err := r.one(ctx, info); err != nil {
				return err
			}
		}
		if token = page.GetNextPageToken(); len(token) == 0 {
			return nil
		}
	}
}

// one checks a workflow of the list, unless it is not of Stanch.
func (r *run) one(ctx context.Context, info *workflowpb.WorkflowExecutionInfo) error {
	kind := info.GetType().GetName()
	ours := slices.Contains(r.known, kind)
	if !ours && info.GetTaskQueue() != protocol.TaskQueue {
		r.result.Others++
		return nil
	}
	id, runID := info.GetExecution().GetWorkflowId(), info.GetExecution().GetRunId()
	history, runID, err := r.read(ctx, id, runID)
	if err != nil {
		return fmt.Errorf("read the history of %s: %w", id, err)
	}
	if history == nil || r.seen[runID] {
		return nil // It has ended since it was listed, or was listed twice.
	}
	r.seen[runID] = true
	why := []string{"this build has no workflow of this kind"}
	if ours {
		why = r.examine(ctx, workflow.Execution{ID: id, RunID: runID}, history)
	}
	r.count(Failing{ID: id, Run: runID, Kind: kind, Why: why})
	return nil
}

func (r *run) count(f Failing) {
	k := r.kinds[f.Kind]
	if k == nil {
		k = &Kind{Kind: f.Kind}
		r.kinds[f.Kind] = k
	}
	k.Open++
	r.result.Checked++
	if len(f.Why) > 0 {
		k.Failing++
		if r.result.Failing++; r.result.Failing <= MaxListed {
			r.result.Workflows = append(r.result.Workflows, f)
		}
	}
	if r.Progress != nil {
		r.Progress(r.result.Checked, r.result.Failing)
	}
}

// read returns the history of a workflow that is open, and its run: another than
// was listed where it has gone on in a new one since. Of one that has ended it is
// nil.
func (r *run) read(ctx context.Context, id, runID string) (*historypb.History, string, error) {
	for {
		h := &historypb.History{}
		events := r.Engine.GetWorkflowHistory(ctx, id, runID, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for events.HasNext() {
			event, err := events.Next()
			if _, gone := errors.AsType[*serviceerror.NotFound](err); gone {
				return nil, runID, nil
			}
			if err != nil {
				return nil, runID, err
			}
			h.Events = append(h.Events, event)
		}
		next, ended := end(h)
		if !ended {
			return h, runID, nil
		}
		if next == "" {
			return nil, runID, nil
		}
		runID = next
	}
}

// end reports whether a history is over, and in which run its workflow goes on.
func end(h *historypb.History) (next string, ended bool) {
	if len(h.GetEvents()) == 0 {
		return "", true
	}
	last := h.GetEvents()[len(h.GetEvents())-1]
	switch last.GetEventType() {
	case enums.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
		return last.GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId(), true
	case enums.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, enums.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
		enums.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT, enums.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
		enums.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
		return "", true
	default:
		return "", false
	}
}
