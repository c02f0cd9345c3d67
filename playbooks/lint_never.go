package playbooks

import (
	"maps"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/playbooks/incident"
	"go.yaml.in/yaml/v4"
)

// Unmatched is the playbook's place in the id of a case for alerts that no
// playbook matches. No playbook may be named so, or its cases would get them;
// UnmatchedBeside is used while one that was deployed before is in force, and is
// not a name that a playbook can have.
const (
	Unmatched       = "unmatched"
	UnmatchedBeside = "no_playbook"
)

// proofSlack is how far above the rate of a limit its proof may be: a limiter
// lets bursts through, and counts other headers than the flow store.
const proofSlack = 2

// never reports valid entries that can never work. Deployed playbooks may have
// them: see [Playbook.Lint].
func (l lint) never() {
	if l.playbook.Name == Unmatched {
		l.refuse(l.find("name"), "playbook name %q is taken: it is in the ids of cases for alerts that no playbook matches", Unmatched)
	}
	l.unreachable()
	for _, name := range slices.Sorted(maps.Keys(l.playbook.Steps)) {
		l.unprovable(name, l.playbook.Steps[name])
	}
	for i, r := range l.playbook.Decide {
		l.idleGates(i, r)
	}
	l.idleLimits()
	for _, name := range slices.Sorted(maps.Keys(l.playbook.Approvals)) {
		l.excludesNobody(name, l.playbook.Approvals[name])
	}
}

// refuse reports a fault that a deployed playbook may have.
func (l lint) refuse(n *yaml.Node, format string, args ...any) {
	if n == nil || l.bad[n] {
		return
	}
	l.complain(n, format, args...)
	l.bad[n] = true
}

// unreachable reports steps whose target no fact can provide.
func (l lint) unreachable() {
	used := l.usedSteps()
	for _, name := range slices.Sorted(maps.Keys(l.playbook.Steps)) {
		s := l.playbook.Steps[name]
		at := l.find("steps", name, "action")
		if !used[name] {
			continue
		}
		needs := s.Action.Spec().Needs
		if s.Action == incident.RateLimit && s.With.Match != "" {
			needs = append(slices.Clone(needs), incident.NeededFact{Fact: incident.TrafficFact, Why: "what it matches comes from it"})
		}
		for _, n := range needs {
			if !l.has("enrich", n.Fact) {
				l.refuse(at, "step %q is %s and can never run without the fact %s: %s; add it to enrich", name, s.Action, n.Fact, n.Why)
			}
		}
	}
}

// usedSteps are the steps that a rule names.
func (l lint) usedSteps() map[string]bool {
	used := map[string]bool{}
	for _, r := range l.playbook.Decide {
		for _, doing := range r.Do {
			used[doing.Step] = true
			for _, name := range slices.Concat(doing.IfDenied, doing.IfExpired) {
				used[name] = true
			}
		}
	}
	for _, s := range l.playbook.Steps {
		used[s.Fallback] = true
	}
	return used
}

// unprovable reports a proof that has nothing to measure.
func (l lint) unprovable(name string, s Step) {
	if s.Verify == nil {
		return
	}
	at := func(key string) *yaml.Node { return l.find("steps", name, "verify", key) }
	if s.Action.Leased() && s.TTL > 0 && s.Verify.Within > s.TTL {
		l.refuse(at("within"), "within %s is longer than the ttl of %s: the containment has ended before it can be proven",
			incident.FormatDuration(s.Verify.Within), incident.FormatDuration(s.TTL))
	}
	switch loose := s.Verify.EgressBelow/proofSlack > s.With.Rate; {
	case s.With.Rate <= 0 || s.Verify.EgressBelow <= 0:
	case s.With.Match != "" && !loose:
		l.warn(at("egress_below"), "egress_below is of the whole host: what the limit does not match flows on, and %s leave little room for it; raise it, or expect that a limit which holds is not proven",
			incident.FormatRate(s.Verify.EgressBelow))
	case s.With.Match == "" && loose:
		l.refuse(at("egress_below"), "egress_below is more than twice the rate of %s that the step sets: a limit that does not hold would be proven",
			incident.FormatRate(s.With.Rate))
	}
	if s.Verify.EgressBelow > 0 && !l.has("enrich", incident.TrafficFact) {
		l.warn(l.key("steps", name, "verify"), "the proof of step %q is never made: enrich names no flow store for the fact %s", name, incident.TrafficFact)
	}
}

// idleGates reports an approval that changes nothing, whatever the answer.
func (l lint) idleGates(rule int, r Rule) {
	for i, doing := range r.Do {
		if doing.Approve == "" || len(doing.IfDenied)+len(doing.IfExpired) > 0 {
			continue
		}
		acts := slices.ContainsFunc(r.Do[i+1:], func(d incident.Doing) bool {
			s, known := l.playbook.Steps[d.Step]
			return d.Step != "" && (!known || !s.Action.Tells())
		})
		switch at := l.key("decide", rule, "do", i, "approve"); {
		case i == len(r.Do)-1:
			l.refuse(at, "approval %q gates nothing: no step follows it", doing.Approve)
		case !acts:
			l.refuse(at, "approval %q gates nothing: what follows it only tells people", doing.Approve)
		}
	}
}

// idleLimits reports limits of actions that no step carries out.
func (l lint) idleLimits() {
	for i, g := range l.playbook.Guardrails {
		if g.Limit == nil || !g.Limit.Action.Containing() {
			continue
		}
		done := map[string]bool{}
		for _, s := range l.playbook.Steps {
			done[string(s.Action)] = true
		}
		// The action of a step without one is unknown.
		if !done[""] && !done[string(g.Limit.Action)] {
			l.refuse(l.find("guardrails", i, "limit", "action"), "no step is %s, so that this limit counts nothing: there are %s",
				g.Limit.Action, strings.Join(slices.Sorted(maps.Keys(done)), ", "))
		}
	}
}

// excludesNobody reports an exclude that excludes no person from answering, as
// far as the file itself shows.
func (l lint) excludesNobody(name string, a Approval) {
	path := []any{"approvals", name, "exclude"}
	if n := l.find(path...); n != nil && n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		l.refuse(n, "exclude names nobody; leave it out, or name %s, %s or a person", ExcludeRaiser, ExcludeAuthor)
	}
	words := []string{ExcludeRaiser, ExcludeAuthor}
	// Members of a group, of a directory or of a rota are not known here.
	named := a.Approvers.Group == "" && a.Approvers.DirectoryGroup() == "" && l.find("approvals", name, "approvers", "on_call") == nil
	for i, who := range a.Exclude {
		n := l.find(append(slices.Clone(path), i)...)
		near := nearest(strings.ToLower(who), words)
		switch {
		case slices.Contains(words, who), slices.Contains(a.Approvers.People, who):
		case strings.TrimSpace(who) == "":
			l.refuse(n, "exclude names nobody: the entry is empty")
		case near != "":
			l.refuse(n, "exclude %q is nobody: did you mean '%s'?", who, near)
		case named && len(a.Approvers.People) > 0:
			l.refuse(n, "exclude %q keeps nobody from answering: approval %q asks %s", who, name, strings.Join(a.Approvers.People, ", "))
		}
	}
}
