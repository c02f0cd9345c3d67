package engine

import (
	"context"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/proto"
)

// Cost is what workflows took of the engine, as their histories say.
type Cost struct {
	// Events is the length of the histories, Bytes their size.
	Events int   `json:"events"`
	Bytes  int64 `json:"bytes"`
	// WorkflowTasks is how often the workflows were run.
	WorkflowTasks int `json:"workflow_tasks"`
	// Actions are those that Temporal counts, and its cloud bills: starts, updates,
	// signals, activities and their retries, timers, search attributes and memos that
	// are set, and the markers of one workflow task together. Queries, heartbeats
	// and refused updates are in no history.
	Actions int `json:"actions"`
}

// Plus adds the cost of other workflows.
func (c Cost) Plus(o Cost) Cost {
	return Cost{c.Events + o.Events, c.Bytes + o.Bytes, c.WorkflowTasks + o.WorkflowTasks, c.Actions + o.Actions}
}

// CostOf is what a run of a workflow has cost so far; the last run where none is
// named.
func CostOf(ctx context.Context, c client.Client, workflowID, run string) (Cost, error) {
	var events []*historypb.HistoryEvent
	read := c.GetWorkflowHistory(ctx, workflowID, run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for read.HasNext() {
		event, err := read.Next()
		if err != nil {
			return Cost{}, fmt.Errorf("read the history of %s: %w", workflowID, err)
		}
		events = append(events, event)
	}
	return CostOfEvents(events), nil
}

// CostOfEvents is the cost of a history, from its first event on.
func CostOfEvents(events []*historypb.HistoryEvent) Cost {
	var c Cost
	// The markers of one workflow task are one action.
	var marked int64
	for _, e := range events {
		c.Events++
		c.Bytes += int64(proto.Size(e))
		switch e.GetEventType() {
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
			c.WorkflowTasks++
		case enumspb.EVENT_TYPE_MARKER_RECORDED:
			if by := e.GetMarkerRecordedEventAttributes().GetWorkflowTaskCompletedEventId(); by != marked {
				c.Actions++
				marked = by
			}
		default:
			c.Actions += actions(e)
		}
	}
	return c
}

// actions is how many actions stand behind one event that is no marker. What one
// workflow does to another is counted where it does it.
func actions(e *historypb.HistoryEvent) int {
	switch e.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
		a := e.GetWorkflowExecutionStartedEventAttributes()
		if a.GetContinuedExecutionRunId() != "" || a.GetParentWorkflowExecution() != nil {
			return 0
		}
		return 1
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
		if e.GetWorkflowExecutionSignaledEventAttributes().GetExternalWorkflowExecution() != nil {
			return 0
		}
		return 1
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED:
		return max(int(e.GetActivityTaskStartedEventAttributes().GetAttempt())-1, 0)
	case enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
		return 2
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, enumspb.EVENT_TYPE_TIMER_STARTED,
		enumspb.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED,
		enumspb.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES, enumspb.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
		return 1
	default:
		return 0
	}
}
