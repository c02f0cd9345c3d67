package workflows_test

import (
	"context"
	"encoding/json"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/proxy"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/workflows"
)

// payloadTypes are today's types of all that may be in a history, by where it
// is there.
func payloadTypes() map[string]reflect.Type {
	all := map[string]reflect.Type{
		"memo " + workflows.SeenMemo: reflect.TypeFor[[]string](),
		// When the receiver took in what is kept.
		"memo received": reflect.TypeFor[time.Time](),
		// Words for people; see the mapping of errors in the activities.
		"failure": reflect.TypeFor[string](),
	}
	travels[workflows.CaseInput, incident.Case](all, "workflow "+protocol.RespondWorkflow)
	travels[protocol.LeaseInput, incident.Lease](all, "workflow "+protocol.LeaseWorkflow)
	travels[protocol.BudgetState, none](all, "workflow "+protocol.BudgetWorkflow)
	travels[protocol.RejectedAlert, protocol.RejectedAlert](all, "workflow "+protocol.RejectedWorkflow)
	travels[protocol.ChannelInput, none](all, "workflow "+protocol.ChannelWorkflow)
	travels[protocol.ClickInput, protocol.Answered](all, "workflow "+protocol.ClickWorkflow)
	travels[protocol.DailyInput, none](all, "workflow "+protocol.DailyWorkflow)

	travels[protocol.ClaimInput, none](all, "workflow "+protocol.ClaimWorkflow)

	travels[[]incident.Alert, none](all, "signal "+protocol.AlertsSignal)
	travels[protocol.LeaseChange, none](all, "signal "+protocol.LeaseSignal)
	travels[protocol.ShownChange, none](all, "signal "+protocol.ShownSignal)
	travels[protocol.PauseChange, none](all, "signal "+protocol.PauseSignal)
	travels[protocol.LeaveRequest, none](all, "signal "+protocol.LeaveSignal)
	travels[protocol.HolderExtension, none](all, "signal "+protocol.ExtendSignal)
	travels[protocol.ShowRequest, none](all, "signal "+protocol.ShowSignal)
	travels[protocol.DailyInput, none](all, "signal "+protocol.ConfigureSignal)

	travels[incident.Vote, incident.Approval](all, "update "+protocol.DecideUpdate+" of "+protocol.RespondWorkflow)
	travels[protocol.CloseRequest, incident.Case](all, "update "+protocol.CloseUpdate+" of "+protocol.RespondWorkflow)
	travels[protocol.MergeRequest, none](all, "update "+protocol.MergeUpdate+" of "+protocol.RespondWorkflow)
	travels[protocol.ExtendRequest, incident.Approval](all, "update "+protocol.ExtendUpdate+" of "+protocol.RespondWorkflow)
	travels[protocol.ClaimRequest, incident.CaseRef](all, "update "+protocol.ClaimUpdate+" of "+protocol.ClaimWorkflow)
	travels[incident.CaseRef, none](all, "update "+protocol.UnclaimUpdate+" of "+protocol.ClaimWorkflow)
	travels[protocol.HoldRequest, protocol.Found](all, "update "+protocol.FindUpdate+" of "+protocol.LeaseWorkflow)
	travels[protocol.GiveUpRequest, protocol.GivenUp](all, "update "+protocol.GiveUpUpdate+" of "+protocol.LeaseWorkflow)
	travels[protocol.GiveUpRequest, protocol.GivenUp](all, "update "+protocol.GiveUpUpdate+" of "+protocol.BudgetWorkflow)
	travels[protocol.HoldRequest, incident.Lease](all, "update "+protocol.HoldUpdate+" of "+protocol.LeaseWorkflow)
	travels[protocol.ExtendRequest, incident.Lease](all, "update "+protocol.ExtendUpdate+" of "+protocol.LeaseWorkflow)
	travels[protocol.ReleaseRequest, incident.Lease](all, "update "+protocol.ReleaseUpdate+" of "+protocol.LeaseWorkflow)
	travels[protocol.ReserveRequest, protocol.ReserveAnswer](all, "update "+protocol.ReserveUpdate+" of "+protocol.BudgetWorkflow)
	travels[string, none](all, "update "+protocol.ReleaseUpdate+" of "+protocol.BudgetWorkflow)
	travels[incident.Pause, protocol.BudgetState](all, "update "+protocol.PauseUpdate+" of "+protocol.BudgetWorkflow)
	travels[incident.Pause, protocol.BudgetState](all, "update "+protocol.ResumeUpdate+" of "+protocol.BudgetWorkflow)
	travels[protocol.Watcher, protocol.PauseChange](all, "update "+protocol.WatchUpdate+" of "+protocol.BudgetWorkflow)
	travels[string, protocol.RejectedAlert](all, "update "+protocol.ResolveUpdate+" of "+protocol.RejectedWorkflow)

	performed(all, activities.FindEndpoint)
	performed(all, activities.GetConnections)
	performed(all, activities.FindConnections)
	performed(all, activities.GetTraffic)
	performed(all, activities.GetBaseline)
	performed(all, activities.GetAsset)
	performed(all, activities.Decide)
	performed(all, activities.Contain)
	performed(all, activities.Kill)
	performed(all, activities.Watch)
	performed(all, activities.GiveUp)
	performed(all, activities.Claim)
	performed(all, activities.Unclaim)
	performed(all, activities.HandOver)
	performed(all, activities.Collect)
	performed(all, activities.Send)
	performed(all, activities.Show)
	performed(all, activities.Illustrate)
	performed(all, activities.Summarise)
	performed(all, activities.Answer)
	performed(all, activities.Reply)
	performed(all, activities.OnCall)
	performed(all, activities.Daily)
	performed(all, activities.Measure)
	performed(all, activities.Series)
	performed(all, activities.Evidence)
	performed(all, activities.Apply)
	performed(all, activities.Read)
	performed(all, activities.Undo)
	return all
}

// none is the type of what carries nothing.
type none struct{}

func travels[In, Out any](all map[string]reflect.Type, what string) {
	all[what+", input"], all[what+", result"] = reflect.TypeFor[In](), reflect.TypeFor[Out]()
}

func performed[In, Out any](all map[string]reflect.Type, ref activities.Ref[In, Out]) {
	travels[In, Out](all, "activity "+ref.Name)
}

// TestRecordedPayloadsAreOfTodaysTypes reads all that the recorded histories
// hold into the types of today: a field that was removed or renamed would be
// lost to the cases that are open during an upgrade.
func TestRecordedPayloadsAreOfTodaysTypes(t *testing.T) {
	t.Parallel()
	types := payloadTypes()
	files, err := filepath.Glob(filepath.Join(histories, "*"+historyExt))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d recorded histories, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), historyExt)
		r := reader{scheduled: map[int64]string{}, accepted: map[int64]string{}}
		for _, event := range readHistory(t, file).GetEvents() {
			found := r.payloadsOf(event)
			if got, want := len(found), countPayloads(t, event); got != want {
				t.Errorf("%s: event %d, %s, holds %d payloads, and the types of %d are known", name, event.GetEventId(), event.GetEventType(), want, got)
			}
			for _, p := range found {
				if p.what == ofTheEngine {
					continue
				}
				if err := readStrictly(types, p.what, p.payload); err != nil {
					t.Errorf("%s: event %d: %s: %v", name, event.GetEventId(), p.what, err)
				}
			}
		}
	}
}

// TestTheReadingOfPayloadsBites plants an unknown key in each kind of object of what
// decides and of a running case, as if the field had been there and were
// removed today: each must be refused.
func TestTheReadingOfPayloadsBites(t *testing.T) {
	t.Parallel()
	types := payloadTypes()
	planted := 0
	for _, file := range []string{"respond-contained", "respond-closed-by-hand", "lease-contained-isolate", "budget-goes-on"} {
		r := reader{scheduled: map[int64]string{}, accepted: map[int64]string{}}
		done := map[string]bool{}
		for _, event := range readHistory(t, filepath.Join(histories, file+historyExt)).GetEvents() {
			for _, p := range r.payloadsOf(event) {
				if p.what == ofTheEngine || done[p.what] {
					continue
				}
				done[p.what] = true
				for _, text := range plant(t, p.payload.GetData()) {
					planted++
					if err := readStrictly(types, p.what, &commonpb.Payload{Metadata: p.payload.GetMetadata(), Data: text}); err == nil {
						t.Errorf("%s: read without a complaint, though a field of it is not known any more: %.300s", p.what, text)
					}
				}
			}
		}
	}
	if planted < 100 {
		t.Errorf("only %d keys were planted", planted)
	}
	if err := readStrictly(types, "signal surprise, input", &commonpb.Payload{Data: []byte(`{}`)}); err == nil {
		t.Error("a payload without a type was read")
	}
}

// ofTheEngine is what the SDK writes for itself.
const ofTheEngine = "of the engine"

type located struct {
	what    string
	payload *commonpb.Payload
}

// reader knows what later events refer to.
type reader struct {
	workflow  string
	scheduled map[int64]string
	accepted  map[int64]string
}

// payloadsOf returns the payloads of an event, search attributes apart.
func (r *reader) payloadsOf(event *historypb.HistoryEvent) []located {
	var out []located
	add := func(what string, payloads *commonpb.Payloads) {
		for _, p := range payloads.GetPayloads() {
			out = append(out, located{what, p})
		}
	}
	memo := func(m *commonpb.Memo) {
		for _, name := range slices.Sorted(maps.Keys(m.GetFields())) {
			out = append(out, located{"memo " + name, m.GetFields()[name]})
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
func marked(m *historypb.MarkerRecordedEventAttributes) []located {
	var out []located
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
			what = ofTheEngine
		}
		for _, p := range m.GetDetails()[key].GetPayloads() {
			out = append(out, located{what, p})
		}
	}
	return out
}

// countPayloads counts all that an event holds, whatever it is.
func countPayloads(t *testing.T, event *historypb.HistoryEvent) int {
	t.Helper()
	n := 0
	count := func(_ *proxy.VisitPayloadsContext, payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
		n += len(payloads)
		return payloads, nil
	}
	whole := &historypb.History{Events: []*historypb.HistoryEvent{event}}
	if err := proxy.VisitPayloads(context.Background(), whole, proxy.VisitPayloadsOptions{SkipSearchAttributes: true, Visitor: count}); err != nil {
		t.Fatal(err)
	}
	return n
}

// plant returns the text once for each kind of object in it, the first of each,
// with a key in that that no type knows. Documents that an alert came as are
// anybody's.
func plant(t *testing.T, data []byte) [][]byte {
	t.Helper()
	root, err := tree(data)
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	done := map[string]bool{}
	var walk func(any, string)
	walk = func(v any, path string) {
		switch v := v.(type) {
		case map[string]any:
			if done[path] {
				return
			}
			done[path] = true
			v["surprise"] = true
			text, err := json.Marshal(root)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, text)
			delete(v, "surprise")
			for _, key := range slices.Sorted(maps.Keys(v)) {
				if key != "raw" {
					walk(v[key], path+"."+key)
				}
			}
		case []any:
			for _, e := range v {
				walk(e, path+"[]")
			}
		}
	}
	walk(root, "")
	return out
}
