package report_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/report"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// round is a round of a limit that is accepted at one second of the hour, and given back
// at another; zero: it stands.
func round(n, from, to int, end incident.HoldEnd) incident.StepState {
	s := incident.StepState{
		PlannedStep: incident.PlannedStep{Name: "throttle", Action: incident.RateLimit}, Status: incident.StepStanding,
		AcceptedAt: at(from), Proof: incident.Verified, Held: &incident.Held{Round: n, Since: at(0), End: end},
	}
	if to != 0 {
		s.Status, s.EndedAt = incident.StepEnded, at(to)
	}
	return s
}

// holding is a case of rounds.
func holding(steps ...incident.StepState) incident.Case {
	return incident.Case{ID: "p/ws-1", Run: "1", Playbook: "p", Status: incident.Closed, Steps: steps}
}

func TestRoundsThatWereHeldAgainAreCounted(t *testing.T) {
	t.Parallel()
	seconds := func(n ...int) (s api.ReportSpread) {
		d := func(i int) time.Duration { return time.Duration(n[min(i, len(n)-1)]) * time.Second }
		return api.ReportSpread{Count: len(n), P50: d((len(n)+1)/2 - 1), P90: d(len(n) - 1), P99: d(len(n) - 1), Max: d(len(n) - 1)}
	}
	again := round(3, 300, 400, incident.EndUsedUp)
	again.Held.Since = at(300)
	refused := round(2, 0, 0, "")
	refused.AcceptedAt, refused.Status, refused.HeldBack = time.Time{}, incident.StepSkipped, true
	waits := refused
	waits.Status = incident.StepWaiting
	watched := round(1, 0, 60, "")
	watched.Held.WatchUntil = at(3000)
	anew := round(1, 700, 710, incident.EndPeople)
	anew.Held.Since = at(700)
	plain := round(1, 0, 60, "")
	plain.Held = nil
	long := round(1, -8*24*3600, -8*24*3600+60, incident.EndQuiet)
	for _, tt := range []struct {
		name  string
		cases []incident.Case
		want  []api.ReportHeld
	}{
		{"one round", []incident.Case{holding(round(1, 0, 60, incident.EndQuiet))}, []api.ReportHeld{{End: "quiet", Containments: 1, InPlace: seconds(60)}}},
		{"it went on", []incident.Case{holding(round(4, 0, 60, incident.EndUsedUp))}, []api.ReportHeld{{End: "used_up", Containments: 1, HeldAgain: 1, Rounds: 3, InPlace: seconds(60)}}},
		{
			"held again",
			[]incident.Case{holding(round(1, 0, 60, ""), round(2, 70, 190, incident.EndQuiet)), holding(round(1, 0, 300, incident.EndQuiet))},
			[]api.ReportHeld{{End: "quiet", Containments: 2, HeldAgain: 1, Rounds: 1, InPlace: seconds(180, 300)}},
		},
		{"people let it be taken again", []incident.Case{holding(round(2, 0, 60, incident.EndUsedUp), again)}, []api.ReportHeld{{End: "used_up", Containments: 1, HeldAgain: 1, Rounds: 2, InPlace: seconds(160)}}},
		{"the next round is held back", []incident.Case{holding(round(1, 0, 60, ""), refused)}, []api.ReportHeld{{End: "held_back", Containments: 1, InPlace: seconds(60)}}},
		{"nobody lets it be taken again", []incident.Case{holding(round(1, 0, 60, incident.EndUsedUp), refused)}, []api.ReportHeld{{End: "used_up", Containments: 1, InPlace: seconds(60)}}},
		{"the next round waits", []incident.Case{holding(round(1, 0, 60, ""), waits)}, []api.ReportHeld{{End: "other", Containments: 1, InPlace: seconds(60)}}},
		{"decided anew", []incident.Case{holding(round(1, 0, 60, incident.EndQuiet), anew)}, []api.ReportHeld{
			{End: "quiet", Containments: 1, InPlace: seconds(60)}, {End: "people", Containments: 1, InPlace: seconds(10)},
		}},
		{"it stands", []incident.Case{holding(round(2, 3590, 0, ""))}, []api.ReportHeld{{End: "open", Containments: 1, HeldAgain: 1, Rounds: 1, InPlace: seconds(10)}}},
		{"it is watched", []incident.Case{holding(watched)}, []api.ReportHeld{{End: "open", Containments: 1, InPlace: seconds(60)}}},
		{"it may not be held again", []incident.Case{holding(plain)}, []api.ReportHeld{}},
		{"it ended before", []incident.Case{holding(long)}, []api.ReportHeld{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, of(tt.cases...).Held); diff != "" {
				t.Errorf("held (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatWasHeldAgainIsOnThePage(t *testing.T) {
	t.Parallel()
	r := of(holding(round(1, 0, 60, ""), round(2, 70, 190, incident.EndUsedUp)), holding(round(1, 0, 60, incident.EndPeople)))
	tables := report.Tables(r)
	held := tables[len(tables)-1]
	want := [][]string{{"by people", "1", "0", "0", "1m", "1m", "1m"}, {"hold_at_most used up", "1", "1", "1", "3m", "3m", "3m"}}
	if diff := cmp.Diff(want, held.Rows); diff != "" {
		t.Errorf("the table (-want +got):\n%s", diff)
	}
	page, err := report.Page(r)
	if err != nil || !strings.Contains(string(page), "hold_at_most used up") {
		t.Errorf("the page lacks it (%v)", err)
	}
}
