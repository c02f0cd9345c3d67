// Package wording puts a case into words. The evidence page and the terminal
// show the same words, so that what was decided, proven and given back reads
// the same wherever it is read.
//
// Every string of an account is inert: printable, on one line and bounded,
// whatever an attacker wrote into the alert. Renderers still escape markup.
package wording

import (
	"fmt"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Tone says how a line should be taken. Renderers may colour by it, but the
// words alone must carry the meaning.
type Tone string

// The tones.
const (
	Plain Tone = "plain"
	Good  Tone = "good"
	Warn  Tone = "warn"
	Bad   Tone = "bad"
)

// Account is a case told for people.
type Account struct {
	ID, Run, Subject, Playbook string
	Shadow                     bool
	OpenedAt, ClosedAt         time.Time
	// Severity and Rule are empty until policy has decided; of an undecided case
	// they are those of the rule that may hold.
	Severity, Rule string
	// Standing says in a sentence how the case ended, or on what it waits.
	Standing     string
	StandingTone Tone
	// Headline answers what, who, where and how sure.
	Headline   []Line
	Candidates []string
	Facts      []FactGroup
	Trace      Trace
	Steps      []Step
	Leases     []Lease
	Approvals  []Approval
	Timeline   []Event
	Alerts     []Alert
	// MoreAlerts counts the alerts that joined without being kept in full.
	MoreAlerts int
	// PlaybookDigest and PlanDigest pin what decided and what was approved.
	PlaybookDigest, PlanDigest string
}

// Line is one labelled statement and where it comes from.
type Line struct {
	Label, Text string
	// From is the provenance in words; empty where it is the engine's own, or
	// where there is none: what is stated is Unknown, and the text says why.
	From    string
	Unknown bool
	Tone    Tone
}

// Alert is one alert, told.
type Alert struct {
	Key, Rule, Category, Severity string
	Status                        string
	ReceivedAt                    time.Time
	// Time is when it happened by the source's clock, or why that is unknown.
	Time string
	// Came is the document as it came but for its secrets, or its beginning; BodyDigest
	// is the digest of the body that it was part of. Either may be empty.
	Came, BodyDigest string
}

// Event is one line of the timeline, told.
type Event struct {
	At   time.Time
	Kind incident.EventKind
	// Word is the kind for people.
	Word           string
	Step, Text, By string
	Tone           Tone
}

// Of tells a case.
func Of(c incident.Case) Account {
	standing, tone := standing(c)
	a := Account{
		ID: short(c.ID), Run: short(c.Run), Subject: short(c.Subject), Playbook: short(c.Playbook),
		Shadow: c.Shadow, OpenedAt: c.OpenedAt, ClosedAt: c.ClosedAt,
		Standing: standing, StandingTone: tone,
		Headline: headline(c), Candidates: candidates(c.Candidates), Facts: facts(c.Facts),
		Steps: steps(c), Leases: leases(c), Approvals: approvals(c),
		PlaybookDigest: short(c.PlaybookDigest),
	}
	if d := c.Decision; d != nil {
		rule, severity := d.AtStake()
		a.Severity, a.Rule = short(severity), short(rule)
		a.Trace = TraceOf(*d)
	}
	if c.Plan != nil {
		a.PlanDigest = c.Plan.Digest()
	}
	for _, e := range c.Timeline {
		a.Timeline = append(a.Timeline, EventOf(e))
	}
	for _, alert := range c.Alerts {
		a.Alerts = append(a.Alerts, alertOf(alert))
	}
	a.MoreAlerts = max(0, max(c.AlertCount, len(c.AlertKeys))-len(c.Alerts))
	return a
}

// EventOf tells one event.
func EventOf(e incident.Event) Event {
	word, tone := eventWord(e.Kind)
	return Event{At: e.At, Kind: e.Kind, Word: word, Tone: tone, Step: short(e.Step), Text: long(e.Text), By: short(e.By)}
}

func alertOf(a incident.Alert) Alert {
	told := Alert{
		Key: short(a.Key()), Status: short(string(a.Status)), ReceivedAt: a.ReceivedAt,
		Rule: short(a.Rule.String()), Category: short(a.Category.String()), Severity: short(a.Severity.String()),
		Time: short(a.Time.String()), Came: Inert(string(a.Raw), cameText), BodyDigest: short(a.BodyDigest),
	}
	if at, ok := a.Time.Get(); ok {
		told.Time = Clock(at)
	}
	return told
}

func candidates(devices []incident.Endpoint) []string {
	var out []string
	for _, d := range devices {
		out = append(out, short(fmt.Sprintf("%s (id %s), addresses %s, last seen %s", d.Name, d.ID, d.IP, d.LastSeen)))
	}
	return shorts(out)
}
