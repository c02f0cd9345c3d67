package report_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/report"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

var (
	until = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	since = until.Add(-7 * 24 * time.Hour)
)

func at(seconds int) time.Time {
	return until.Add(-time.Hour).Add(time.Duration(seconds) * time.Second)
}

// contained is a case that asked people and contained: each stage takes n seconds.
func contained(id string, n int) incident.Case {
	return incident.Case{
		ID: id, Run: id, Playbook: "high-egress", Status: incident.Closed, Outcome: incident.OutcomeGivenBack, OpenedAt: at(n), ClosedAt: at(10 * n),
		Rounds: []incident.Round{{ReceivedAt: at(0), AcceptedAt: at(n), EnrichedAt: at(2 * n), DecidedAt: at(3 * n)}},
		Approvals: []incident.Approval{{
			Name: "on-call", State: incident.Approved, AskedAt: at(4 * n), EndedAt: at(5 * n), Step: 1,
			Votes: []incident.Vote{{Person: incident.Person{ID: "alice"}, Approve: true, At: at(5 * n)}},
		}},
		Steps: []incident.StepState{
			{PlannedStep: incident.PlannedStep{Name: "approve on-call", Approve: "on-call"}, Status: incident.StepDone},
			{
				PlannedStep: incident.PlannedStep{Name: "cut-off", Action: incident.Isolate}, Status: incident.StepEnded,
				StartedAt: at(5 * n), AcceptedAt: at(6 * n), ConfirmedAt: at(7 * n), ProvenAt: at(8 * n), Proof: incident.Verified, Until: at(9 * n), EndedAt: at(9 * n),
			},
		},
	}
}

func summary(c incident.Case) incident.CaseSummary {
	return incident.CaseSummary{ID: c.ID, Run: c.Run, Playbook: c.Playbook, Rule: "flood", Status: c.Status, Outcome: c.Outcome}
}

func of(cases ...incident.Case) api.Report {
	b := report.New(since, until)
	for i := range cases {
		b.Add(summary(cases[i]), &cases[i])
	}
	return b.Report(api.LeaseList{})
}

func TestEachStageIsMeasured(t *testing.T) {
	t.Parallel()
	var cases []incident.Case
	for n := 1; n <= 100; n++ {
		cases = append(cases, contained(fmt.Sprint("high-egress/ws-", n), n))
	}
	r := of(cases...)
	var got []string
	for _, s := range r.Stages {
		got = append(got, fmt.Sprintf("%s %s %d: %s %s %s %s, %s", s.Stage, s.Action, s.Took.Count, s.Took.P50, s.Took.P90, s.Took.P99, s.Took.Max, s.Total.P50))
	}
	want := []string{
		"received  100: 0s 0s 0s 0s, 0s",
		"accepted  100: 50s 1m30s 1m39s 1m40s, 50s", "enriched  100: 50s 1m30s 1m39s 1m40s, 1m40s", "decided  100: 50s 1m30s 1m39s 1m40s, 2m30s",
		"asked isolate 100: 50s 1m30s 1m39s 1m40s, 3m20s", "answered isolate 100: 50s 1m30s 1m39s 1m40s, 4m10s",
		"applied isolate 100: 50s 1m30s 1m39s 1m40s, 5m0s", "confirmed isolate 100: 50s 1m30s 1m39s 1m40s, 5m50s",
		"effective isolate 100: 50s 1m30s 1m39s 1m40s, 6m40s", "given_back isolate 100: 50s 1m30s 1m39s 1m40s, 7m30s",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stages (-want +got):\n%s", diff)
	}
	if r.Cases != 100 || r.Open != 0 || r.Unproven.Count != 0 || r.Late.Count != 0 {
		t.Errorf("%+v", r)
	}
}

func TestPercentilesAreOneOfTheValues(t *testing.T) {
	t.Parallel()
	for n, want := range map[int][3]int{1: {1, 1, 1}, 2: {1, 2, 2}, 3: {2, 3, 3}, 10: {5, 9, 10}, 101: {51, 91, 100}} {
		var cases []incident.Case
		for i := n; i >= 1; i-- {
			cases = append(cases, contained(fmt.Sprint("p/", i), i))
		}
		s := of(cases...).Stages[1].Took
		if got := [3]int{int(s.P50.Seconds()), int(s.P90.Seconds()), int(s.P99.Seconds())}; got != want {
			t.Errorf("of %d: %v, want %v", n, got, want)
		}
	}
}

func TestWhatWentWrongIsListed(t *testing.T) {
	t.Parallel()
	unproven, late, held, standing, old := contained("p/unproven", 1), contained("p/late", 1), contained("p/held", 1), contained("p/standing", 1), contained("p/old", 1)
	unproven.Steps[1].Proof, unproven.Steps[1].ProofDetail = incident.CannotTell, "the store is stale"
	late.Steps[1].EndedAt = late.Steps[1].Until.Add(2 * time.Minute)
	held.Outcome, held.Steps = incident.OutcomeHeldBack, nil
	held.Timeline = []incident.Event{{At: at(1), Kind: incident.EvHeldBack, Text: "cut-off held back, guardrail blast: 5 of 5 isolate per site in 1h are used"}}
	held.Approvals[0].State, held.Approvals[0].Votes = incident.ApprovalExpired, nil
	standing.Status, standing.Outcome = incident.Contained, ""
	standing.Steps[1].Status, standing.Steps[1].Proof, standing.Steps[1].EndedAt = incident.StepStanding, "", time.Time{}
	// It was contained long ago, and closed within the span.
	for _, moment := range []*time.Time{&old.Rounds[0].ReceivedAt, &old.Rounds[0].AcceptedAt, &old.Rounds[0].EnrichedAt, &old.Rounds[0].DecidedAt, &old.Approvals[0].AskedAt, &old.Approvals[0].EndedAt, &old.Steps[1].AcceptedAt} {
		*moment = moment.Add(-30 * 24 * time.Hour)
	}
	old.Steps[1].Proof = incident.NotEffective
	b := report.New(since, until)
	for _, c := range []incident.Case{unproven, late, held, standing, old} {
		b.Add(summary(c), &c)
	}
	b.Add(incident.CaseSummary{ID: "p/silent", Status: incident.Working, Playbook: "other"}, nil)
	r := b.Report(api.LeaseList{Leases: []incident.Lease{{ID: "lease/isolate/edr/ws-1", Phase: incident.Undoing, Until: until.Add(-time.Hour)}}})
	if r.Cases != 6 || r.Open != 2 || r.Unread != 1 {
		t.Errorf("%d cases, %d open, %d unread", r.Cases, r.Open, r.Unread)
	}
	if diff := cmp.Diff([]api.ReportCount{{Name: "given_back", Count: 3}, {Name: "open", Count: 2}, {Name: "held_back", Count: 1}}, r.Outcomes); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]api.ReportRule{{Playbook: "high-egress", Rule: "flood", Cases: 5}, {Playbook: "other", Cases: 1}}, r.Rules); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	if r.Unproven.Count != 1 || r.Unproven.Steps[0].Case != "p/unproven" || r.Late.Count != 1 || r.Late.Steps[0].Case != "p/late" || len(r.HeldBack) != 1 {
		t.Errorf("unproven %+v, late %+v, held back %+v", r.Unproven, r.Late, r.HeldBack)
	}
	if a := r.Approvals; a.Asked != 4 || a.Approved != 3 || a.Expired != 1 || a.Answer.Count != 3 || len(a.People) != 1 || a.People[0].Answer.Count != 3 {
		t.Errorf("approvals %+v", a)
	}
	page, err := report.Page(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"the store is stale", "its time is over since 1h", "guardrail blast: 5 of 5", "1 case did not answer in time", "cannot tell"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// Texts of others are data: on the page, and in a terminal's tables.
func TestForeignTextIsInert(t *testing.T) {
	t.Parallel()
	c := contained("p/<script>alert(1)</script>", 1)
	c.Steps[1].Proof, c.Steps[1].ProofDetail = incident.CannotTell, "\x1b[31m\u202e<img src=x onerror=alert(1)>"
	page, err := report.Page(of(c))
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<script", "<img", "\x1b", "\u202e", "http://", "https://"} {
		if strings.Contains(string(page), bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	if !strings.Contains(string(page), "default-src &#39;none&#39;") && !strings.Contains(string(page), "default-src 'none'") {
		t.Error("the page allows more than its style")
	}
}

// However much there is, what is listed is bounded, and all is counted.
func TestAListIsBounded(t *testing.T) {
	t.Parallel()
	var cases []incident.Case
	for i := range 250 {
		c := contained(fmt.Sprint("p/", i), 1)
		c.Steps[1].Proof = incident.NotEffective
		c.Timeline = []incident.Event{{At: at(1), Kind: incident.EvHeldBack, Text: fmt.Sprint("reason ", i)}}
		cases = append(cases, c)
	}
	r := of(cases...)
	if r.Unproven.Count != 250 || len(r.Unproven.Steps) != 100 || len(r.HeldBack) != 50 {
		t.Errorf("%d unproven, %d listed, %d reasons", r.Unproven.Count, len(r.Unproven.Steps), len(r.HeldBack))
	}
}
