package playbooks

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
	"go.yaml.in/yaml/v4"
)

// TestFile holds the tests of one playbook. They are run as if the playbook
// enforced, whatever its mode.
type TestFile struct {
	Playbook string     `yaml:"playbook,required" doc:"Path of the playbook, from this file."`
	Given    Given      `yaml:"given" doc:"The estate and the alert that every case starts from. What is not given is unknown, but for traffic.rate and traffic.freshness, which follow from traffic.bytes_out. The alert's host and the endpoint are named alike where their id, name and address are left out, so that the target is exact, and its route is direct where that is left out; an endpoint of which nothing is given is a host that the EDR does not know. The case opens at alert.time, else at 2026-03-02T03:00:00Z. The key cannot, which is no fact, names integrations that cannot act, each with the reason, such as cannot: { gateway: it is full }."`
	Cases    []TestCase `yaml:"cases,required" doc:"The cases."`

	doc *document
}

// TestCase is one test: facts, a timeline of events, and expectations.
type TestCase struct {
	Name  string `yaml:"name,required" doc:"What the case shows, as a sentence."`
	Given Given  `yaml:"given" doc:"What is different here, field by field; unknown makes a fact or a field unknown."`
	// Timeline is nil when the file has none: the case is then checked as soon as
	// it waits or has nothing to do. An empty one lets every question expire.
	Timeline []TestEvent `yaml:"timeline" doc:"What happens, in order of time. Without it the case is looked at as soon as it waits; an empty one lets every question expire."`
	Expect   Expect      `yaml:"expect,required" doc:"What must hold at the end of the timeline. What is left out is not looked at."`

	// Facts are the file's given with the case's given over it, and so is Cannot.
	Facts  incident.Facts    `yaml:"-"`
	Cannot map[string]string `yaml:"-"`
	// Line is the line of the case.
	Line int `yaml:"-"`
}

// TestEvent is an action of a person, or a change of facts, at a time after the
// case was opened. An event with neither lets time pass.
type TestEvent struct {
	At      time.Duration `yaml:"at,required" doc:"Time since the case was opened."`
	Approve string        `yaml:"approve" doc:"Id of the person who approves the pending approval. Anybody is in the groups that it asks; where it names people, it takes one of them."`
	Deny    string        `yaml:"deny" doc:"Id of the person who denies it."`
	Reason  string        `yaml:"reason" doc:"What the person gives as reason."`
	Given   Given         `yaml:"given" doc:"What is different from then on, field by field. A fact of which nothing was given before comes late: until then its integration does not answer."`
	// Facts are the facts after the event's given; nil where it has none.
	Facts *incident.Facts `yaml:"-"`
	// Later is a later alert as the file describes it.
	Later Node `yaml:"alert" as:"alert" doc:"A later alert of the same subject, over the alert of the case. A case decides again at most once a minute."`
	// Alert is that alert, complete; nil if there is none.
	Alert *incident.Alert `yaml:"-"`
}

// Expect are the assertions of a test. A nil list or an empty text asserts
// nothing; an empty list asserts that there is none.
type Expect struct {
	Rule     string            `yaml:"rule" doc:"The rule that was chosen."`
	Severity string            `yaml:"severity" enum:"info,low,medium,high,critical" doc:"Its severity."`
	Outcome  string            `yaml:"outcome" enum:"nothing_to_do,given_back,denied,refused,expired,undecided,cannot_decide,error,no_exact_target,held_back,failed,shadow,no_playbook_matched,closed_by_hand,merged" doc:"How the case ended."`
	Steps    []string          `yaml:"steps" doc:"The steps of the plan in order, gates left out."`
	Use      map[string]string `yaml:"use" doc:"The integrations that carry steps out, by the names of the steps."`
	Leases   []incident.Action `yaml:"leases" doc:"The containments that stand."`
	Unsure   []string          `yaml:"unsure" doc:"The fields that the decision would have needed."`
	Awaiting string            `yaml:"awaiting" doc:"The approval that is pending."`
	DeniedBy string            `yaml:"denied_by" doc:"The guardrail that forbids."`
	Approval string            `yaml:"approval" enum:"approved,denied,expired,superseded" doc:"How the last approval ended."`
	After    time.Duration     `yaml:"after" doc:"How long after it was asked it ended."`
}

// LoadTests reads a test file. The error is [Issues] and has every fault. Its
// names are compared with the playbook's by [TestFile.Check].
func LoadTests(file string, data []byte) (*TestFile, error) {
	d := parse(file, data)
	d.bareUnits = true
	t := &TestFile{doc: d}
	if d.root != nil {
		d.value(d.root, reflect.ValueOf(t).Elem(), field{name: "a test file"})
		t.complete()
	}
	if issues := d.sorted(); issues.failed() {
		return nil, issues
	}
	return t, nil
}

// complete merges the facts and checks rules that types cannot express.
func (t *TestFile) complete() {
	l := lint{document: t.doc}
	seen := map[string]bool{}
	if n := l.find("cases"); n != nil && n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		l.at([]any{"cases"}, "a test file needs a case")
	}
	for i := range t.Cases {
		c := &t.Cases[i]
		c.Line = l.place([]any{"cases", i}).Line
		l.once(seen, "case", c.Name, l.find("cases", i, "name"))
		t.Given.over(&c.Facts)
		c.Given.over(&c.Facts)
		c.Cannot = maps.Clone(t.Given.Cannot)
		for name, why := range c.Given.Cannot {
			if c.Cannot == nil {
				c.Cannot = map[string]string{}
			}
			c.Cannot[name] = why
		}
		explain(&c.Facts)
		if n := l.find("cases", i, "expect"); n != nil && n.Kind == yaml.MappingNode && len(n.Content) == 0 {
			l.at([]any{"cases", i, "expect"}, "case %q expects nothing", c.Name)
		}
		var before time.Duration
		facts := c.Facts
		for j := range c.Timeline {
			t.event(l, c, j, &before, "cases", i, "timeline", j)
			if len(c.Timeline[j].Given.Cannot) > 0 {
				l.at([]any{"cases", i, "timeline", j, "given", cannot}, "cannot belongs to the given of the file or of a case: which integration acts is found when the plan is made")
			}
			if e := &c.Timeline[j]; !e.Given.node.IsZero() {
				e.Given.over(&facts)
				explain(&facts)
				given := facts
				e.Facts = &given
			}
		}
	}
}

func (t *TestFile) event(l lint, c *TestCase, j int, before *time.Duration, path ...any) {
	e := &c.Timeline[j]
	if e.At < *before && l.has(append(slices.Clone(path), "at")...) {
		l.at(append(path, "at"), "a timeline must be in order of time: %s comes after %s", incident.FormatDuration(e.At), incident.FormatDuration(*before))
	}
	*before = max(*before, e.At)
	does := 0
	for _, key := range []string{"approve", "deny", "alert"} {
		if l.has(append(slices.Clone(path), key)...) {
			does++
		}
	}
	if does > 1 {
		l.at(path, "one event is one of approve, deny and alert")
	}
	if e.Reason != "" && e.Approve == "" && e.Deny == "" {
		l.at(append(path, "reason"), "a reason belongs to an approve or a deny")
	}
	if !e.Later.IsZero() {
		alert := c.Facts.Alert
		t.doc.value(e.Later.node, reflect.ValueOf(&alert).Elem(), field{name: "alert"})
		e.Alert = &alert
	}
}

// Late returns the facts that become available late, with the index of the event
// that sets them.
func (c TestCase) Late() map[string]int {
	late := map[string]int{}
	for _, name := range incident.FactNames() {
		if _, given := obtained(factOf(c.Facts, name)); given {
			continue
		}
		for i, e := range c.Timeline {
			if e.Facts == nil {
				continue
			}
			if _, given := obtained(factOf(*e.Facts, name)); given {
				late[name] = i
				break
			}
		}
	}
	return late
}

// Check compares the names that the tests expect with those of the playbook.
func (t *TestFile) Check(p *Playbook) Issues {
	l := lint{document: t.doc, playbook: p}
	var rules, guardrails, steps, approvals []string
	for _, r := range p.Decide {
		rules = append(rules, r.Rule)
	}
	for _, g := range p.Guardrails {
		guardrails = append(guardrails, g.Name)
	}
	for name := range p.Steps {
		steps = append(steps, name)
	}
	for name := range p.Approvals {
		approvals = append(approvals, name)
	}
	slices.Sort(steps)
	slices.Sort(approvals)
	for i, c := range t.Cases {
		l.oneOf("rule", c.Expect.Rule, rules, "cases", i, "expect", "rule")
		l.oneOf("guardrail", c.Expect.DeniedBy, guardrails, "cases", i, "expect", "denied_by")
		l.oneOf("approval", c.Expect.Awaiting, approvals, "cases", i, "expect", "awaiting")
		for j, step := range c.Expect.Steps {
			l.oneOf("step", step, steps, "cases", i, "expect", "steps", j)
		}
		for _, step := range slices.Sorted(maps.Keys(c.Expect.Use)) {
			l.oneOf("step", step, steps, "cases", i, "expect", "use", step)
			if s, ok := p.Steps[step]; ok && !slices.Contains(s.Use, c.Expect.Use[step]) {
				l.at([]any{"cases", i, "expect", "use", step}, "step %q does not use %q: it uses %s", step, c.Expect.Use[step], strings.Join(s.Use, ", "))
			}
		}
		l.cannots(t.Given, "given")
		l.cannots(c.Given, "cases", i, "given")
	}
	return t.doc.sorted()
}

// cannots compares the integrations that cannot act with those that the playbook's
// containments use.
func (l lint) cannots(given Given, path ...any) {
	var used []string
	for _, s := range l.playbook.Steps {
		if s.Action.Leased() {
			used = append(used, s.Use...)
		}
	}
	slices.Sort(used)
	for _, name := range slices.Sorted(maps.Keys(given.Cannot)) {
		if n := l.key(append(slices.Clone(path), cannot, name)...); !slices.Contains(used, name) {
			l.blame(n, "no step of playbook %s that has a lease uses %q%s", l.playbook.Name, name, meant(name, used))
		}
	}
}

func (l lint) oneOf(what, name string, known []string, path ...any) {
	if name != "" && !slices.Contains(known, name) {
		l.at(path, "playbook %s has no %s %q%s", l.playbook.Name, what, name, meant(name, known))
	}
}

// Issue returns an issue about the playbook that the file names.
func (t *TestFile) Issue(format string, args ...any) Issue {
	return Node{doc: t.doc, node: t.doc.place([]any{"playbook"})}.Issue(format, args...)
}

// Uncovered returns the rules of the playbook that no case expects.
func (t *TestFile) Uncovered(p *Playbook) []string {
	var out []string
	for _, r := range p.Decide {
		if !slices.ContainsFunc(t.Cases, func(c TestCase) bool { return c.Expect.Rule == r.Rule }) {
			out = append(out, r.Rule)
		}
	}
	return out
}
