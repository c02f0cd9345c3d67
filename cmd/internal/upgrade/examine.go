package upgrade

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/proxy"
	"go.temporal.io/sdk/converter"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/workflows"
	"github.com/stanch-soar/stanch/workflows/payloads"
)

// maxUnread bounds the payloads of one workflow that are named as unread.
const maxUnread = 3

// examine returns why a workflow would stop on this build; nothing where it would
// not. The history is decoded in place.
func (r *run) examine(ctx context.Context, e workflow.Execution, h *historypb.History) []string {
	if err := r.decode(ctx, h); err != nil {
		return []string{err.Error()}
	}
	why := append(unread(h), r.unusable(h)...)
	part := replayed(h)
	if part == nil {
		return why // No worker has run it yet.
	}
	if err := r.replay(e, part); err != nil {
		why = append(why, "its history does not replay: "+err.Error())
	}
	return why
}

// decode decompresses and decrypts all payloads of a history.
func (r *run) decode(ctx context.Context, h *historypb.History) error {
	visit := func(_ *proxy.VisitPayloadsContext, p []*commonpb.Payload) ([]*commonpb.Payload, error) {
		for _, codec := range r.Codecs {
			var err error
			if p, err = codec.Decode(p); err != nil {
				return nil, err
			}
		}
		return p, nil
	}
	for _, event := range h.GetEvents() {
		one := &historypb.History{Events: []*historypb.HistoryEvent{event}}
		if err := proxy.VisitPayloads(ctx, one, proxy.VisitPayloadsOptions{SkipSearchAttributes: true, Visitor: visit}); err != nil {
			return fmt.Errorf("event %d: %w", event.GetEventId(), err)
		}
	}
	return nil
}

// unread returns what this build does not know of the payloads of a history.
func unread(h *historypb.History) []string {
	var why []string
	more := 0
	types, r := payloads.Types(), payloads.NewReader()
	for _, event := range h.GetEvents() {
		for _, p := range r.Of(event) {
			if p.What == payloads.OfTheEngine {
				continue
			}
			if err := payloads.Read(types, p.What, p.Payload); err == nil {
				continue
			} else if len(why) < maxUnread {
				why = append(why, fmt.Sprintf("event %d, %s: %v", event.GetEventId(), p.What, err))
			} else {
				more++
			}
		}
	}
	if more > 0 {
		why = append(why, fmt.Sprintf("%d more payloads are not read", more))
	}
	return why
}

// unusable returns what the site does not have that a workflow was started with:
// its playbook, or its integration.
func (r *run) unusable(h *historypb.History) []string {
	started := h.GetEvents()[0].GetWorkflowExecutionStartedEventAttributes()
	input := started.GetInput().GetPayloads()
	if len(input) == 0 {
		return nil
	}
	read := func(into any) bool { return converter.GetDefaultDataConverter().FromPayload(input[0], into) == nil }
	var use, queue string
	switch started.GetWorkflowType().GetName() {
	case protocol.RespondWorkflow:
		// An alert that no playbook takes has no playbook.
		if in := (workflows.CaseInput{}); read(&in) && in.Pin.Digest != "" {
			return r.Site.Pinned(in.Pin)
		}
		return nil
	case protocol.LeaseWorkflow:
		if in := (protocol.LeaseInput{}); read(&in) {
			use, queue = in.Use, in.Queue
		}
	case protocol.ChannelWorkflow:
		if in := (protocol.ChannelInput{}); read(&in) {
			use, queue = in.Use, in.Queue
		}
	case protocol.OutboxWorkflow:
		if in := (protocol.OutboxInput{}); read(&in) {
			use, queue = in.Use, in.Queue
		}
	case protocol.ClickWorkflow:
		if in := (protocol.ClickInput{}); read(&in) {
			use = in.Click.Use
		}
	}
	if use == "" {
		return nil
	}
	return slices.DeleteFunc([]string{r.Site.Used(use), r.Site.Served(queue)}, func(why string) bool { return why == "" })
}

// replayed returns the part of a history that a worker has run: up to what the last
// completed task asked of the engine. What came after that is for the build that
// runs it next. It is nil where there is none.
func replayed(h *historypb.History) *historypb.History {
	events := h.GetEvents()
	for last := len(events) - 1; last >= 0; last-- {
		if events[last].GetEventType() != enums.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			continue
		}
		end := last + 1
		for end < len(events) && asked(events[end]) {
			end++
		}
		return &historypb.History{Events: events[:end]}
	}
	return nil
}

// asked reports whether an event was asked for by a workflow's task.
func asked(event *historypb.HistoryEvent) bool {
	switch event.GetEventType() {
	case enums.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED, enums.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED:
		return true
	default:
		attributes := event.ProtoReflect().WhichOneof(event.ProtoReflect().Descriptor().Oneofs().ByName("attributes"))
		return attributes != nil && attributes.Message().Fields().ByName("workflow_task_completed_event_id") != nil
	}
}

// errStuck is that a workflow's code does not give way to the engine.
var errStuck = errors.New("a workflow does not give way to the engine")

// replay runs the workflows of the build over a history. What does not end is left
// running: nothing can stop it.
func (r *run) replay(e workflow.Execution, h *historypb.History) error {
	// The SDK takes a workflow for stuck that was not scheduled for a second, as
	// happens on a machine with much else to do.
	replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{DisableDeadlockDetection: true})
	if err != nil {
		return err
	}
	r.Register(replayer)
	done := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- fmt.Errorf("panic: %v", p)
			}
		}()
		done <- replayer.ReplayWorkflowHistoryWithOptions(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)), h,
			worker.ReplayWorkflowHistoryOptions{OriginalExecution: e})
	}()
	patience := time.NewTimer(r.Patience)
	defer patience.Stop()
	select {
	case err := <-done:
		return err
	case <-patience.C:
		return fmt.Errorf("%w: it takes more than %s", errStuck, r.Patience)
	}
}
