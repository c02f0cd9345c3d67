package incident_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

func at(seconds float64) time.Time {
	return time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC).Add(time.Duration(seconds * float64(time.Second)))
}

// took returns the times of a stage in seconds, as took and total in turn.
func took(c incident.Case, stage incident.Stage) []float64 {
	var out []float64
	for _, s := range c.StageTimes() {
		if s.Stage == stage {
			out = append(out, s.Took.Seconds(), s.Total.Seconds())
		}
	}
	return out
}

func TestAStageIsTimedSinceTheOneBeforeItAndTheAlert(t *testing.T) {
	gate := incident.PlannedStep{Name: "approve on-call", Approve: "on-call"}
	throttle := incident.PlannedStep{Name: "throttle", Action: incident.RateLimit}
	cutOff := incident.PlannedStep{Name: "cut-off", Action: incident.Isolate}
	whole := incident.Case{
		OpenedAt: at(1),
		Rounds: []incident.Round{
			{ReceivedAt: at(0), AcceptedAt: at(1), EnrichedAt: at(3), DecidedAt: at(4)},
			{ReceivedAt: at(1000), AcceptedAt: at(1001), EnrichedAt: at(1002), DecidedAt: at(1004)},
		},
		Approvals: []incident.Approval{
			{Name: "on-call", State: incident.Approved, Step: 2, AskedAt: at(1005), EndedAt: at(1065)},
			{Name: "on-call", State: incident.Approved, Extends: &incident.Extension{}, AskedAt: at(1500), EndedAt: at(1501)},
		},
		Steps: []incident.StepState{
			{PlannedStep: throttle, StartedAt: at(4), AcceptedAt: at(5), ConfirmedAt: at(5), ProvenAt: at(25), EndedAt: at(3605)},
			{PlannedStep: gate, StartedAt: at(1005)},
			{PlannedStep: cutOff, StartedAt: at(1065), AcceptedAt: at(1067), ConfirmedAt: at(1066)},
			{PlannedStep: incident.PlannedStep{Name: "tell", Action: incident.Notify}, StartedAt: at(1068), AcceptedAt: at(1068)},
		},
	}
	for stage, want := range map[incident.Stage][]float64{
		incident.StageReceived:  {0, 0, 0, 0},
		incident.StageAccepted:  {1, 1, 1, 1},
		incident.StageEnriched:  {2, 3, 1, 2},
		incident.StageDecided:   {1, 4, 2, 4},
		incident.StageAsked:     {1, 5},
		incident.StageAnswered:  {60, 65},
		incident.StageApplied:   {1, 5, 2, 67},
		incident.StageConfirmed: {0, 5, 0, 66}, // read before the case heard of it
		incident.StageEffective: {20, 25},
		incident.StageGivenBack: {3580, 3605},
	} {
		if got := took(whole, stage); !slices.Equal(got, want) {
			t.Errorf("%s took %v, want %v", stage, got, want)
		}
	}
	for _, s := range whole.StageTimes() {
		if want := map[string]incident.Action{"on-call": incident.Isolate, "cut-off": incident.Isolate, "throttle": incident.RateLimit}[s.Step]; s.Action != want {
			t.Errorf("%s of %s is of action %q, want %q", s.Stage, s.Step, s.Action, want)
		}
	}
}

// Records of versions that noted no rounds are read by their alerts and their timeline, also
// where later rounds were noted.
func TestStagesOfAnEarlierRecord(t *testing.T) {
	old := incident.Case{
		OpenedAt: at(1), Alerts: []incident.Alert{{ReceivedAt: at(2)}, {ReceivedAt: at(0)}},
		Timeline: []incident.Event{{Kind: incident.EvEnriched, At: at(3)}, {Kind: incident.EvDecided, At: at(4)}, {Kind: incident.EvDecided, At: at(90)}},
		Steps: []incident.StepState{
			{PlannedStep: incident.PlannedStep{Name: "cut-off", Action: incident.Isolate}, StartedAt: at(5), AcceptedAt: at(6)},
		},
	}
	for range 2 {
		if got := took(old, incident.StageApplied); !slices.Equal(got, []float64{2, 6}) {
			t.Errorf("applied took %v with %d rounds", got, len(old.Rounds))
		}
		old.Rounds = append(old.Rounds, incident.Round{ReceivedAt: at(80), AcceptedAt: at(81), EnrichedAt: at(82), DecidedAt: at(90)})
	}
	if got := took(incident.Case{OpenedAt: at(1)}, incident.StageAccepted); !slices.Equal(got, []float64{0, 0}) {
		t.Errorf("a case that was just opened: accepted took %v", got)
	}
	for _, c := range []incident.Case{{}, {Steps: old.Steps}, {Approvals: []incident.Approval{{State: incident.Approved}}}} {
		c.StageTimes() // A record that lacks everything is read too.
	}
}

func TestStagesAreInOrder(t *testing.T) {
	stages := incident.Stages()
	c := incident.Case{
		Rounds:    []incident.Round{{ReceivedAt: at(0), AcceptedAt: at(1), EnrichedAt: at(2), DecidedAt: at(3)}},
		Approvals: []incident.Approval{{State: incident.Approved, AskedAt: at(4), EndedAt: at(5)}},
		Steps: []incident.StepState{{
			PlannedStep: incident.PlannedStep{Action: incident.Isolate}, StartedAt: at(4),
			AcceptedAt: at(6), ConfirmedAt: at(7), ProvenAt: at(8), EndedAt: at(9),
		}},
	}
	var reached []incident.Stage
	for _, s := range c.StageTimes() {
		reached = append(reached, s.Stage)
	}
	if !slices.Equal(reached, stages) {
		t.Errorf("a case that reaches all reaches %q, want %q", reached, stages)
	}
}
