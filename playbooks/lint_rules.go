package playbooks

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
	"go.yaml.in/yaml/v4"
)

func (l lint) rules() {
	rules := l.playbook.Decide
	if n := l.find("decide"); n != nil && n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		l.at([]any{"decide"}, "decide needs at least the default rule")
	}
	seen := map[string]bool{}
	for i, r := range rules {
		last := i == len(rules)-1
		name := l.find("decide", i, "rule")
		l.name("rule", r.Rule, name)
		l.once(seen, "rule", r.Rule, name)
		switch when := l.find("decide", i, "when"); {
		case last && when != nil:
			l.at([]any{"decide", i, "when"}, "rule %q is the last and must not have a when: it is what holds when no other rule does", r.Rule)
		case !last && !l.has("decide", i, "when"):
			l.at([]any{"decide", i}, "rule %q needs a when; only the last rule has none", r.Rule)
		case when != nil && (strings.TrimSpace(when.Value) == "true" || strings.TrimSpace(when.Value) == "false"):
			l.at([]any{"decide", i, "when"}, "rule %q is always %s; a rule that cannot change is left out, or is the default", r.Rule, strings.TrimSpace(when.Value))
		}
		l.doings(i, r)
	}
}

// doings checks the names in a rule's do, and that approvals gate something.
func (l lint) doings(rule int, r Rule) {
	seen := map[string]bool{}
	for i, doing := range r.Do {
		path := []any{"decide", rule, "do", i}
		if doing.Step != "" {
			l.refersToStep(doing.Step, path...)
			if seen[doing.Step] {
				l.at(path, "step %q stands twice in rule %q", doing.Step, r.Rule)
			}
			seen[doing.Step] = true
		}
		if doing.Approve == "" {
			continue
		}
		l.refersToApproval(doing.Approve, append(path, "approve")...)
		l.fallback(doing.IfDenied, append(path, "if_denied")...)
		l.fallback(doing.IfExpired, append(path, "if_expired")...)
	}
}

// fallback checks the steps that run when people did not approve. No step that
// needs approval, or that cannot be undone, may run then.
func (l lint) fallback(names []string, path ...any) {
	for i, name := range names {
		at := append(slices.Clone(path), i)
		if name == release || name == "" {
			continue
		}
		l.refersToStep(name, at...)
		if s, ok := l.playbook.Steps[name]; ok && s.Action != "" && !s.Action.Reversible() {
			l.at(at, "step %q is %s and must not run without approval; only %s may",
				name, s.Action, listed(append(texts(incident.ActionsWhere(incident.Action.Reversible)), release)))
		}
	}
}

func (l lint) refersToStep(name string, path ...any) {
	if name != "" && !l.has("steps", name) {
		l.at(path, "unknown step %q%s", name, meant(name, slices.Sorted(maps.Keys(l.playbook.Steps))))
	}
}

// unused warns of steps and approvals that no rule refers to.
func (l lint) unused() {
	steps, approvals := l.usedSteps(), map[string]bool{l.playbook.Unsure: true}
	for _, r := range l.playbook.Decide {
		for _, doing := range r.Do {
			approvals[doing.Approve] = true
		}
	}
	for _, g := range l.playbook.Guardrails {
		approvals[g.Then] = true
	}
	for _, name := range slices.Sorted(maps.Keys(l.playbook.Steps)) {
		if !steps[name] {
			l.warn(l.key("steps", name), "no rule uses step %q", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.playbook.Approvals)) {
		if !approvals[name] {
			l.warn(l.key("approvals", name), "nothing asks for approval %q", name)
		}
	}
}

// Use is the purpose for which a playbook uses an integration; one of its fields
// is set.
type Use struct {
	Fact      string
	Action    incident.Action
	Messenger bool
	OnCall    bool
	Directory bool
	// Heard is within what time the integration must have heard an isolated device's
	// agent.
	Heard time.Duration
}

// CheckIntegrations calls complain for every integration that the playbook uses:
// for a fact, for an action, to hear an agent, or as the messenger of a question. The text that
// complain returns is an issue at the name; an empty text means no issue.
func (p *Playbook) CheckIntegrations(complain func(name string, used Use) string) Issues {
	l := lint{document: parse(p.file, p.text), playbook: p}
	check := func(n *yaml.Node, name string, used Use) bool {
		complaint := complain(name, used)
		if complaint != "" {
			l.blame(n, "%s", complaint)
		}
		return complaint == ""
	}
	for name, e := range p.Enrich {
		check(l.place([]any{"enrich", name, "use"}), e.Use, Use{Fact: name})
	}
	for name, s := range p.Steps {
		for i, use := range s.Use {
			at := []any{"steps", name, "use"}
			if l.find(at...).Kind == yaml.SequenceNode {
				at = append(at, i)
			}
			if check(l.place(at), use, Use{Action: s.Action, Messenger: s.Action == incident.Notify}) && s.HeardWithin > 0 {
				check(l.place([]any{"steps", name, "heard_within"}), use, Use{Heard: s.HeardWithin})
			}
		}
	}
	for name, a := range p.Approvals {
		check(l.key("approvals", name, "ask", a.Ask.Use), a.Ask.Use, Use{Messenger: true})
		for i, ask := range a.Fallback.Ask {
			check(l.key("approvals", name, "fallback", "ask", i, ask.Use), ask.Use, Use{Messenger: true})
		}
		if on := a.Approvers.OnCall; on.Use != "" {
			check(l.place([]any{"approvals", name, "approvers", "on_call", "use"}), on.Use, Use{OnCall: true})
		}
		if use := a.Approvers.Directory.Use; use != "" {
			check(l.place([]any{"approvals", name, "approvers", "directory", "use"}), use, Use{Directory: true})
		}
		for i, e := range a.Escalate {
			check(l.key("approvals", name, "escalate", i, "ask", e.Ask.Use), e.Ask.Use, Use{Messenger: true})
		}
	}
	return l.sorted()
}
