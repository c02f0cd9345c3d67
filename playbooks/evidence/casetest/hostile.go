package casetest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Attack is what an attacker would write into every text that they reach:
// markup, mentions, terminal escapes, bidi and zero-width controls, a newline,
// a template, broken UTF-8 and 10,000 characters.
func Attack() string {
	return "<script>alert(1)</script><img src=x onerror=alert(2)>\"'`</style></svg><!channel> @here {{.}} %s$(id)" +
		"\x1b]0;owned\x07\x1b[2J\u009b31m\r\n\u202eexe.fdp\u2066\u200b\u2028\xff" + strings.Repeat("A", 10_000)
}

// Hostile is [Flood] with [Attack] in every text that an alert, a product or a
// person may have written.
func Hostile(tb testing.TB) incident.Case {
	tb.Helper()
	text := Attack()
	c := Flood(tb)
	c.Subject, c.Playbook, c.ID, c.TargetProblem = "../../"+text, "/etc/"+text, text, text
	target := device(tb, text, text)
	c.Target, c.Plan.Target = &target, &target
	known := incident.Known(text, incident.FromAlert)
	c.Candidates = []incident.Endpoint{{ID: known, Name: known, IP: incident.Known([]string{text, text}, incident.FromEDR)}}
	p := &c.Facts.Process
	p.Path, p.CommandLine, p.User, p.Script = known, known, known, incident.NotKnown[string](text)
	c.Facts.Asset.Tags = incident.Known([]string{text, text, text}, incident.FromInventory)
	c.Facts.Traffic.Top = incident.Known([]incident.TopFlow{{IP: text, Transport: text}}, incident.FromFlows)
	c.Facts.Traffic.Attribution = incident.NotKnown[string](text)
	for i := range c.Alerts {
		c.Alerts[i].ID, c.Alerts[i].Rule, c.Alerts[i].Category = text, known, known
		c.Alerts[i].Raw = json.RawMessage("not JSON: " + text)
	}
	d := c.Decision
	d.Because, d.Severity, d.Rule = text, text, text
	d.Unsure = []incident.Missing{{Path: text, Why: text}}
	d.Trace.Rules[0].Name = text
	d.Trace.Rules[0].Parts[0] = incident.PartTrace{Expr: text, Verdict: incident.False, Values: []incident.Operand{{Name: text, Value: text}}}
	d.Trace.Let[0] = incident.LetTrace{Name: text, Value: text, Error: text}
	for i := range c.Steps {
		c.Steps[i].Name, c.Steps[i].Problem, c.Steps[i].ProofDetail = text, text, text
	}
	for i := range c.Timeline {
		c.Timeline[i].Text, c.Timeline[i].By, c.Timeline[i].Step = text, text, text
	}
	a := &c.Approvals[0]
	a.Because, a.Name, a.Votes[0].Reason, a.Votes[0].Person.ID = text, text, text, text
	a.Missing = d.Unsure
	return c
}
