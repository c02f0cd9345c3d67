package workflows_test

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// countedAsRecorded wants the metrics of a world to say what the records of its cases say: each
// stage that a case has reached, with its times, and each approval, proof, failed step and
// outcome, once.
func (w *world) countedAsRecorded() {
	w.t.Helper()
	counts, took, total := recordedCounts{}, map[string][]time.Duration{}, map[string][]time.Duration{}
	slices.Sort(w.cases)
	if len(slices.Compact(slices.Clone(w.cases))) < len(w.cases) {
		return // Only the last case of a subject can be asked.
	}
	for _, id := range w.cases {
		c, err := w.Case(id)
		if err != nil {
			continue // It was not started in time.
		}
		counts.add(w.t, c)
		for _, s := range c.StageTimes() {
			if of := timedAs(c.Playbook, string(s.Action), string(s.Stage)); s.After != "" && (s.Step != "" || len(c.Rounds) > 0) {
				took[of], total[of] = append(took[of], s.Took), append(total[of], s.Total)
			}
		}
	}
	for _, family := range []string{protocol.MetricApprovals, protocol.MetricProofs, protocol.MetricStepsFailed, protocol.MetricCasesClosed} {
		differ(w.t, family, w.emitted.counted(family), counts[family], func(a, b int64) bool { return a == b })
	}
	for family, want := range map[string]map[string][]time.Duration{protocol.MetricStage: took, protocol.MetricSinceReceived: total} {
		got := map[string][]time.Duration{}
		for labels, times := range w.emitted.timed(family) {
			of := timedAs(value(labels, protocol.LabelPlaybook), value(labels, protocol.LabelAction), value(labels, protocol.LabelStage))
			got[of] = append(got[of], times...)
		}
		for _, times := range []map[string][]time.Duration{got, want} {
			for _, sorted := range times {
				slices.Sort(sorted)
			}
		}
		differ(w.t, family, got, want, slices.Equal[[]time.Duration])
	}
}

// timedAs names a stage. What was behind a question is left out: a later plan may hold something
// else. A case that never followed a decision has no rounds, and its first stages are not timed.
func timedAs(playbook, action, stage string) string {
	if stage == string(incident.StageAsked) || stage == string(incident.StageAnswered) {
		action = "any"
	}
	return strings.Join([]string{playbook, cmp.Or(action, protocol.NoAction), stage}, " ")
}

func differ[V any](t *testing.T, family string, got, want map[string]V, same func(a, b V) bool) {
	t.Helper()
	both := maps.Clone(got)
	maps.Copy(both, want)
	for labels := range both {
		if !same(got[labels], want[labels]) {
			t.Errorf("%s of %s: emitted %v, the records say %v", family, labels, got[labels], want[labels])
		}
	}
}

// recordedCounts are counts by family and labels, as records have them.
type recordedCounts map[string]map[string]int64

func (r recordedCounts) count(family string, labels ...string) {
	if r[family] == nil {
		r[family] = map[string]int64{}
	}
	r[family][key(labels...)]++
}

func (r recordedCounts) add(t *testing.T, c incident.Case) {
	t.Helper()
	playbook := "playbook=" + c.Playbook
	for _, a := range c.Approvals {
		if a.State != incident.Pending {
			r.count(protocol.MetricApprovals, playbook, "approval="+a.Name, "result="+string(a.State))
		}
	}
	for _, e := range c.Timeline {
		at := slices.IndexFunc(c.Steps, func(s incident.StepState) bool { return s.Name == e.Step && s.Action.Containing() })
		if at < 0 {
			continue
		}
		action := "action=" + string(c.Steps[at].Action)
		if e.Kind == incident.EvFailed {
			r.count(protocol.MetricStepsFailed, playbook, action)
		}
		proof, ok := map[incident.EventKind]incident.Proof{
			incident.EvVerified: incident.Verified, incident.EvNotEffective: incident.NotEffective, incident.EvCannotTell: incident.CannotTell,
		}[e.Kind]
		if ok {
			r.count(protocol.MetricProofs, playbook, action, "proof="+string(proof))
		}
	}
	if c.Status == incident.Closed {
		r.count(protocol.MetricCasesClosed, playbook, "outcome="+string(c.Outcome))
		if !slices.Contains(incident.Outcomes(), c.Outcome) {
			t.Errorf("outcome %q is not listed", c.Outcome)
		}
	}
}

// Every stage of the way from the alert to a network that is given back is timed, by the action.
func TestEveryStageIsTimed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows", "do: [evidence, throttle, cut-off, tell]", "do: [evidence, throttle, { approve: on-call }, cut-off, tell]")
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	w.vote(2*time.Minute, id, &ballot{who: alice()})
	w.run(6 * time.Hour)
	w.ended(id, incident.OutcomeGivenBack)
	want := map[incident.Action][]incident.Stage{
		protocol.NoAction:  {incident.StageAccepted, incident.StageEnriched, incident.StageDecided},
		incident.RateLimit: {incident.StageApplied, incident.StageConfirmed, incident.StageEffective, incident.StageGivenBack},
		incident.Isolate:   {incident.StageAsked, incident.StageAnswered, incident.StageApplied, incident.StageConfirmed, incident.StageEffective, incident.StageGivenBack},
	}
	for _, family := range []string{protocol.MetricStage, protocol.MetricSinceReceived} {
		got, n := w.emitted.timed(family), 0
		for action, stages := range want {
			for _, stage := range stages {
				n++
				if times := got[key("playbook=high-egress-windows", "action="+string(action), "stage="+string(stage))]; len(times) != 1 {
					t.Errorf("%s has the times %v for %s of %s", family, times, stage, action)
				}
			}
		}
		if len(got) != n {
			t.Errorf("%s has more: %v", family, got)
		}
	}
	answered := w.emitted.timed(protocol.MetricStage)[key("playbook=high-egress-windows", "action=isolate", "stage=answered")]
	if len(answered) == 1 && (answered[0] < time.Minute || answered[0] > 2*time.Minute) {
		t.Errorf("the answer took %s, it was given two minutes after the alert", answered[0])
	}
}

func TestALimitThatIsReachedIsCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Quiet, "high-egress-windows", "max: 5", "max: 1")
	w.fleet(2)
	for i := range 2 {
		host, ip := fleetHost(i)
		w.openAt(time.Duration(i+1)*time.Minute, host, ip)
	}
	w.run(30 * time.Minute)
	want := map[string]int64{key("playbook=high-egress-windows", "action=isolate", "guardrail=isolation-budget"): 1}
	if got := w.emitted.counted(protocol.MetricLimitsReached); !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
}

func TestAnUndoThatFailsIsCounted(t *testing.T) {
	t.Parallel()
	w, id := flood(t)
	w.do(time.Minute, func(e *memory.Estate) { e.Fail("undo isolate", integrations.Error{Kind: integrations.Denied}, 3) })
	w.run(6 * time.Hour)
	w.ended(id, incident.OutcomeGivenBack)
	w.contained(incident.Isolate, 1, 1)
	want := map[string]int64{key("integration=edr", "action=isolate"): 3}
	if got := w.emitted.counted(protocol.MetricUndoFailures); !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
}

// doubled is an EDR in which each isolation is in place more than once.
type doubled struct {
	*memory.Estate
	// key replaces that of the isolation, where it is not empty.
	key string
}

func (d doubled) Read(ctx context.Context, o incident.Order) (incident.Reading, error) {
	r, err := d.Estate.Read(ctx, o)
	if r.Stands {
		r.Copies, r.Key = 3, cmp.Or(d.key, r.Key)
	}
	return r, err
}

// A duplicate effect is counted when the device has more than one of ours, and only then: not
// when an answer is lost and the effect found again, not what others made.
func TestDuplicateEffectsAreCounted(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		plant func(w *world)
		want  map[string]int64
	}{
		"nothing is wrong": {func(*world) {}, map[string]int64{}},
		"an answer is lost": {func(w *world) {
			w.estate.FailAfter("apply isolate", integrations.Error{Kind: integrations.Ambiguous}, 2)
		}, map[string]int64{}},
		"others have made two": {func(w *world) {
			w.set.Add("edr", integrations.Spec{Kind: "memory"}, doubled{w.estate, "theirs"})
		}, map[string]int64{}},
		// Two too many, seen after the isolation and before its undo.
		"ours is there three times": {func(w *world) {
			w.set.Add("edr", integrations.Spec{Kind: "memory"}, doubled{w.estate, ""})
		}, map[string]int64{key("integration=edr", "action=isolate"): 4}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := flood(t)
			test.plant(w)
			w.run(6 * time.Hour)
			if n := w.count("apply", incident.Isolate); n != 1 {
				t.Errorf("the host was isolated %d times", n)
			}
			if got := w.emitted.counted(protocol.MetricDuplicateEffects); !maps.Equal(got, test.want) {
				t.Errorf("counted %v, want %v", got, test.want)
			}
		})
	}
}

// A call is counted by how it ended, and notes when the product answered last; that it does not
// know the device is an answer.
func TestCallsAreCountedByTheirResult(t *testing.T) {
	t.Parallel()
	w, _ := flood(t)
	w.estate.Fail("post", integrations.Error{Kind: integrations.Denied}, -1)
	w.estate.Fail("asset", integrations.Error{Kind: integrations.NotFound}, -1)
	w.run(20 * time.Minute)
	for _, call := range [][2]string{{"edr", "endpoint"}, {"gateway", "apply"}, {"flows", "measure"}} {
		if w.emitted.count(protocol.MetricCalls, "integration="+call[0], "call="+call[1], "result=ok") == 0 {
			t.Errorf("%s of %s is not counted: %v", call[1], call[0], w.emitted.counted(protocol.MetricCalls))
		}
	}
	for of, result := range map[string]string{"slack": "denied", "inventory": "not_found"} {
		n := int64(0)
		for labels, count := range w.emitted.counted(protocol.MetricCalls) {
			if contains(labels, "integration="+of) {
				n += count
				if !contains(labels, "result="+result) {
					t.Errorf("%s is counted as %s", of, labels)
				}
			}
		}
		if n == 0 {
			t.Errorf("calls of %s are not counted: %v", of, w.emitted.counted(protocol.MetricCalls))
		}
	}
	for family, want := range map[string]map[string]bool{
		protocol.MetricLastFailure: {"slack": true, "edr": false, "inventory": false},
		protocol.MetricLastSuccess: {"slack": false, "edr": true, "inventory": true},
	} {
		for of, want := range want {
			if got := w.emitted.gauge(family, of) > 0; got != want {
				t.Errorf("%s of %s is there: %t, want %t", family, of, got, want)
			}
		}
	}
}
