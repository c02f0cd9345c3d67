package report

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/playbooks/evidence/wording"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Table is a part of a report as people read it, in a terminal and on a page. None of its
// texts is markup.
type Table struct {
	Title string
	// None says what it means that there is no row.
	None    string
	Headers []string
	Rows    [][]string
	// Note is a sentence below it; it may be empty.
	Note string
}

// Notes are sentences about how complete a report is; none where it is.
func Notes(r api.Report) []string {
	var notes []string
	if !r.KeptSince.IsZero() {
		notes = append(notes, "Closed cases are kept since "+wording.Clock(r.KeptSince)+" only: older ones are missing.")
	}
	if r.More {
		notes = append(notes, "There were more cases than a report takes: ask for a shorter time.")
	}
	if r.Unread > 0 {
		notes = append(notes, cases(r.Unread)+" did not answer in time: counted by outcome and rule, and nowhere else.")
	}
	return notes
}

// Summary is a report in one sentence.
func Summary(r api.Report) string {
	return fmt.Sprintf("%s from %s to %s, %d of them open.", cases(r.Cases), wording.Clock(r.Since), wording.Clock(r.Until), r.Open)
}

func cases(n int) string {
	if n == 1 {
		return "1 case"
	}
	return fmt.Sprintf("%d cases", n)
}

// Tables are the parts of a report.
func Tables(r api.Report) []Table {
	a := r.Approvals
	tables := []Table{
		{Title: "Outcomes", None: "There was no case.", Headers: []string{"OUTCOME", "CASES"}, Rows: counts(r.Outcomes, words)},
		{Title: "Playbooks and rules", None: "There was no case.", Headers: []string{"PLAYBOOK", "RULE", "CASES"}},
		{
			Title: "Time by stage", None: "No stage was reached.", Headers: []string{"STAGE", "ACTION", "TIMES", "P50", "P90", "P99", "SINCE ALERT P50", "P90", "P99"},
			Note: "The first three are since the stage before, the last three since the alert was received.",
		},
		{
			Title: "Approvals", None: "Nobody was asked.", Headers: []string{"ASKED", "APPROVED", "DENIED", "EXPIRED", "SUPERSEDED", "PENDING", "ANSWERED IN P50", "P90", "P99"},
		},
		{Title: "Who answered", None: "Nobody answered.", Headers: []string{"PERSON", "ANSWERS", "P50", "P90", "LONGEST"}},
		{Title: "Never proven", None: "Nothing that was contained lacks its proof.", Headers: []string{"CASE", "STEP", "PROOF", "WHY"}, Note: more(r.Unproven)},
		{Title: "Standing", None: "Nothing stands.", Headers: []string{"LEASE", "PHASE", "UNTIL", "PROBLEM"}, Note: incomplete(r.Standing)},
		{Title: "Given back late", None: "Nothing was given back late.", Headers: []string{"CASE", "STEP", "UNTIL", "GIVEN BACK", "LATE BY"}, Note: more(r.Late)},
		{Title: "Held back", None: "Nothing was held back by a limit, a guardrail or the kill switch.", Headers: []string{"WHY", "TIMES"}, Rows: counts(r.HeldBack, func(text string) string { return text })},
	}
	for _, rule := range r.Rules {
		tables[1].Rows = append(tables[1].Rows, []string{cmp.Or(rule.Playbook, incident.NoPlaybook), cmp.Or(rule.Rule, "none"), strconv.Itoa(rule.Cases)})
	}
	for _, s := range r.Stages {
		tables[2].Rows = append(tables[2].Rows, []string{
			words(string(s.Stage)), words(string(s.Action)), strconv.Itoa(s.Took.Count), took(s.Took.P50), took(s.Took.P90), took(s.Took.P99), took(s.Total.P50), took(s.Total.P90), took(s.Total.P99),
		})
	}
	if a.Asked > 0 {
		row := make([]string, 0, len(tables[3].Headers))
		for _, n := range []int{a.Asked, a.Approved, a.Denied, a.Expired, a.Superseded, a.Pending} {
			row = append(row, strconv.Itoa(n))
		}
		tables[3].Rows = [][]string{append(row, answered(a.Answer, a.Answer.P50), answered(a.Answer, a.Answer.P90), answered(a.Answer, a.Answer.P99))}
	}
	for _, p := range a.People {
		tables[4].Rows = append(tables[4].Rows, []string{p.Person, strconv.Itoa(p.Answer.Count), took(p.Answer.P50), took(p.Answer.P90), took(p.Answer.Max)})
	}
	for _, s := range r.Unproven.Steps {
		tables[5].Rows = append(tables[5].Rows, []string{s.Case, s.Step, words(cmp.Or(string(s.Proof), "not measured")), s.Detail})
	}
	for _, l := range r.Standing.Leases {
		tables[6].Rows = append(tables[6].Rows, []string{l.ID, l.State(), wording.Clock(l.Until), overdue(l, r.Until)})
	}
	for _, s := range r.Late.Steps {
		tables[7].Rows = append(tables[7].Rows, []string{s.Case, s.Step, wording.Clock(s.Until), wording.Clock(s.EndedAt), took(s.EndedAt.Sub(s.Until))})
	}
	return append(tables, heldTable(r))
}

func counts(of []api.ReportCount, name func(string) string) [][]string {
	var rows [][]string
	for _, c := range of {
		rows = append(rows, []string{name(c.Name), strconv.Itoa(c.Count)})
	}
	return rows
}

// words writes a word of a closed set for people.
func words(name string) string { return strings.ReplaceAll(name, "_", " ") }

// took writes a duration for people: milliseconds where it is short.
func took(d time.Duration) string {
	if d < time.Minute {
		return d.Round(time.Millisecond).String()
	}
	return incident.FormatDuration(d)
}

func answered(of api.ReportSpread, d time.Duration) string {
	if of.Count == 0 {
		return ""
	}
	return took(d)
}

// overdue is the problem of a lease, or that its time is over.
func overdue(l incident.Lease, now time.Time) string {
	if l.Problem == "" && !l.Until.IsZero() && now.Sub(l.Until) > lateAfter {
		return "its time is over since " + took(now.Sub(l.Until))
	}
	return l.Problem
}

func more(s api.ReportSteps) string {
	if left := s.Count - len(s.Steps); left > 0 {
		return fmt.Sprintf("%d more are not listed.", left)
	}
	return ""
}

func incomplete(l api.LeaseList) string {
	if l.More || len(l.Unread) > 0 {
		return fmt.Sprintf("The list is not complete: %d leases did not answer.", len(l.Unread))
	}
	return ""
}
