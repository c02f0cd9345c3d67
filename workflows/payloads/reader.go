package payloads

import (
	"encoding/json"
	"maps"
	"slices"

	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
)

// OfTheEngine is what the SDK writes for itself; it has no type.
const OfTheEngine = "of the engine"

// Located is a payload and where it is in a history, such as "signal alerts,
// input".
type Located struct {
	What    string
	Payload *commonpb.Payload
}

// Reader finds the payloads in the events of one history, in their order: it knows
// what later events refer to.
type Reader struct {
	workflow  string
	scheduled map[int64]string
	accepted  map[int64]string
}

// NewReader returns a reader for a history that begins.
func NewReader() *Reader {
	return &Reader{scheduled: map[int64]string{}, accepted: map[int64]string{}}
}

// Of returns the payloads of an event, search attributes apart.
func (r *Reader) Of(event *historypb.HistoryEvent) []Located {
	var out []Located
	add := func(what string, payloads *commonpb.Payloads) {
		for _, p := range payloads.GetPayloads() {
			out = append(out, Located{what, p})
		}
	}
	memo := func(m *commonpb.Memo) {
		for _, name := range slices.Sorted(maps.Keys(m.GetFields())) {
			out = append(out, Located{"memo " + name, m.GetFields()[name]})
		}
	}
	failed := func(f *failurepb.Failure) {
		for ; f != nil; f = f.GetCause() {
			add("failure", f.GetApplicationFailureInfo().GetDetails())
		}
	}
	switch {
	case event.GetWorkflowExecutionStartedEventAttributes() != nil:
		a := event.GetWorkflowExecutionStartedEventAttributes()
		r.workflow = a.GetWorkflowType().GetName()
		add("workflow "+r.workflow+", input", a.GetInput())
		memo(a.GetMemo())
	case event.GetWorkflowExecutionCompletedEventAttributes() != nil:
		add("workflow "+r.workflow+", result", event.GetWorkflowExecutionCompletedEventAttributes().GetResult())
	case event.GetWorkflowExecutionContinuedAsNewEventAttributes() != nil:
		a := event.GetWorkflowExecutionContinuedAsNewEventAttributes()
		add("workflow "+a.GetWorkflowType().GetName()+", input", a.GetInput())
		memo(a.GetMemo())
	case event.GetActivityTaskScheduledEventAttributes() != nil:
		a := event.GetActivityTaskScheduledEventAttributes()
		r.scheduled[event.GetEventId()] = a.GetActivityType().GetName()
		add("activity "+a.GetActivityType().GetName()+", input", a.GetInput())
	case event.GetActivityTaskCompletedEventAttributes() != nil:
		a := event.GetActivityTaskCompletedEventAttributes()
		add("activity "+r.scheduled[a.GetScheduledEventId()]+", result", a.GetResult())
	case event.GetActivityTaskFailedEventAttributes() != nil:
		failed(event.GetActivityTaskFailedEventAttributes().GetFailure())
	case event.GetActivityTaskTimedOutEventAttributes() != nil:
		failed(event.GetActivityTaskTimedOutEventAttributes().GetFailure())
	case event.GetWorkflowExecutionSignaledEventAttributes() != nil:
		a := event.GetWorkflowExecutionSignaledEventAttributes()
		add("signal "+a.GetSignalName()+", input", a.GetInput())
	case event.GetSignalExternalWorkflowExecutionInitiatedEventAttributes() != nil:
		a := event.GetSignalExternalWorkflowExecutionInitiatedEventAttributes()
		add("signal "+a.GetSignalName()+", input", a.GetInput())
	case event.GetWorkflowExecutionUpdateAcceptedEventAttributes() != nil:
		input := event.GetWorkflowExecutionUpdateAcceptedEventAttributes().GetAcceptedRequest().GetInput()
		what := "update " + input.GetName() + " of " + r.workflow
		r.accepted[event.GetEventId()] = what
		add(what+", input", input.GetArgs())
	case event.GetWorkflowExecutionUpdateCompletedEventAttributes() != nil:
		a := event.GetWorkflowExecutionUpdateCompletedEventAttributes()
		add(r.accepted[a.GetAcceptedEventId()]+", result", a.GetOutcome().GetSuccess())
		failed(a.GetOutcome().GetFailure())
	case event.GetWorkflowPropertiesModifiedEventAttributes() != nil:
		memo(event.GetWorkflowPropertiesModifiedEventAttributes().GetUpsertedMemo())
	case event.GetMarkerRecordedEventAttributes() != nil:
		out = append(out, marked(event.GetMarkerRecordedEventAttributes())...)
		failed(event.GetMarkerRecordedEventAttributes().GetFailure())
	}
	return out
}

// marked returns the payloads of a marker: of a version, or of an activity that
// ran in the workflow's own task.
func marked(m *historypb.MarkerRecordedEventAttributes) []Located {
	var out []Located
	var local struct{ ActivityType string }
	for _, p := range m.GetDetails()["data"].GetPayloads() {
		// A marker that cannot be read leaves the type empty, which nothing has.
		_ = json.Unmarshal(p.GetData(), &local)
	}
	for _, key := range slices.Sorted(maps.Keys(m.GetDetails())) {
		what := "marker " + m.GetMarkerName() + " " + key
		switch {
		case m.GetMarkerName() == "LocalActivity" && key == "result":
			what = "activity " + local.ActivityType + ", result"
		case m.GetMarkerName() == "LocalActivity" && key == "data", m.GetMarkerName() == "Version":
			what = OfTheEngine
		}
		for _, p := range m.GetDetails()[key].GetPayloads() {
			out = append(out, Located{what, p})
		}
	}
	return out
}
