package playbooks

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
	"go.yaml.in/yaml/v4"
)

// defaultTimeout is how long an enrichment may take if it has no timeout of its
// own.
const defaultTimeout = 20 * time.Second

// defaultWatch is how long a host is watched after a containment that may be held again.
const defaultWatch = 15 * time.Minute

// MaxTTL is the longest ttl of a step.
const MaxTTL = 30 * 24 * time.Hour

// Bounds of what a playbook may ask for: a slip of a digit is found at load.
const (
	maxTimeout  = 10 * time.Minute
	maxWindow   = 24 * time.Hour
	maxExpire   = 7 * 24 * time.Hour
	maxHold     = 14 * 24 * time.Hour
	maxNameSize = 63
	// maxUses bounds how many integrations are asked, one after the other, while a host
	// sends.
	maxUses = 8
)

// release in an if_denied or if_expired undoes what the case holds.
const release = "release"

// lint checks rules that types cannot express. It reads the file wherever it
// matters whether a key was written, so that a key with a fault is not also
// reported as missing.
type lint struct {
	*document
	playbook *Playbook
}

func (l lint) all() {
	p := l.playbook
	l.name("playbook", p.Name, l.find("name"))
	for i, id := range p.Attack {
		if !attackID(id) && id != "" {
			l.at([]any{"attack", i}, "%q is not an ATT&CK id such as T1498, T1498.002 or AN1434", id)
		}
	}
	l.enrichments()
	l.lets()
	l.guardrails()
	l.rules()
	for _, name := range slices.Sorted(maps.Keys(p.Steps)) {
		l.step(name, p.Steps[name])
	}
	for _, name := range slices.Sorted(maps.Keys(p.Approvals)) {
		l.approval(name, p.Approvals[name])
	}
	if p.Unsure != "" {
		l.refersToApproval(p.Unsure, "unsure")
	}
	l.alwaysTrue("trigger", "match")
	l.unused()
	l.never()
}

// at reports a fault at the value of a path.
func (l lint) at(path []any, format string, args ...any) {
	l.blame(l.place(path), format, args...)
}

// missing reports a missing key at the key of its mapping.
func (l lint) missing(path []any, format string, args ...any) {
	n := l.keyPlace(path)
	l.issue(n.Line, n.Column, format, args...)
}

func (l lint) warn(n *yaml.Node, format string, args ...any) {
	if n == nil || l.bad[n] {
		return
	}
	l.issues = append(l.issues, Issue{
		File: l.file, Line: n.Line, Column: n.Column, Message: fmt.Sprintf(format, args...),
		Snippet: l.snippet(n.Line, n.Column), Warning: true,
	})
}

func attackID(id string) bool {
	return regexp.MustCompile(`^([A-Z]{1,4}\d{4})(\.\d{3})?$`).MatchString(id)
}

// name reports a name that is not of a-z, 0-9 and -.
func (l lint) name(what, name string, n *yaml.Node) {
	if n == nil || name == "" {
		return
	}
	odd := strings.IndexFunc(name, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' })
	switch {
	case odd >= 0, strings.HasPrefix(name, "-"), strings.HasSuffix(name, "-"):
		l.blame(n, "%s name %q must be of a-z, 0-9 and - only, such as cut-off", what, shorten(name, 80))
	case len(name) > maxNameSize:
		l.blame(n, "%s name %q is longer than %d", what, shorten(name, 80), maxNameSize)
	case name == release:
		l.blame(n, "%s name %q is taken: it undoes what a case holds", what, name)
	}
}

func (l lint) key(path ...any) *yaml.Node { return l.keyPlace(path) }

// between reports a number or a duration outside its bounds, if it is written.
func between[T time.Duration | int](l lint, v, low, high T, path ...any) {
	if n := l.find(path...); n != nil && (v < low || v > high) {
		l.at(path, "%v must be between %s and %s", path[len(path)-1], show(low), show(high))
	}
}

func show(v any) string {
	const day = 24 * time.Hour
	if d, ok := v.(time.Duration); ok {
		if d > day && d%day == 0 {
			return fmt.Sprintf("%dd", d/day)
		}
		return incident.FormatDuration(d)
	}
	return fmt.Sprint(v)
}

func (l lint) enrichments() {
	for _, name := range slices.Sorted(maps.Keys(l.playbook.Enrich)) {
		e := l.playbook.Enrich[name]
		spec, registered := incident.FactSpecOf(name)
		if !registered {
			l.unknownKey(l.find("enrich"), l.key("enrich", name), "enrich", incident.FactNames())
			continue
		}
		between(l, e.Timeout, time.Second, maxTimeout, "enrich", name, "timeout")
		for _, s := range settings() {
			s.check(l, e.With, name)
		}
		l.only("with", name, spec.With, "enrich", name, "with")
	}
}

// only reports keys that have no meaning here.
func (l lint) only(what, whose string, allowed []string, path ...any) {
	n := l.find(path...)
	if n != nil && n.Kind == yaml.MappingNode {
		l.onlyKeys(n, what+" of "+whose, allowed)
	}
}

func (l lint) onlyKeys(n *yaml.Node, what string, allowed []string) {
	for i := 0; i < len(n.Content); i += 2 {
		if key := n.Content[i]; !slices.Contains(allowed, key.Value) {
			l.unknownKey(n, key, what, allowed)
		}
	}
}

func (l lint) lets() {
	n := l.find("let")
	if n == nil || n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i < len(n.Content); i += 2 {
		if key := n.Content[i]; !identifier(key.Value) {
			l.blame(key, "a let's name is used in expressions; %q must be of a-z, 0-9 and _, and begin with a letter", shorten(key.Value, 80))
		}
	}
}

func identifier(s string) bool {
	for i, r := range s {
		if (r < 'a' || r > 'z') && (i == 0 || r != '_' && (r < '0' || r > '9')) {
			return false
		}
	}
	return s != ""
}

func (l lint) guardrails() {
	seen := map[string]bool{}
	for i, g := range l.playbook.Guardrails {
		at := func(key string) []any { return []any{"guardrails", i, key} }
		l.name("guardrail", g.Name, l.find(at("name")...))
		l.once(seen, "guardrail", g.Name, l.find(at("name")...))
		deny, limit := l.has(at("deny")...), l.has(at("limit")...)
		switch {
		case deny == limit:
			l.at([]any{"guardrails", i}, "guardrail %q must have either deny or limit", g.Name)
		case deny && !l.has(at("because")...):
			l.at([]any{"guardrails", i}, "guardrail %q needs because: a denial must be explained", g.Name)
		}
		if deny && l.has(at("then")...) {
			l.blame(l.key(at("then")...), "then belongs to a limit; a deny forbids")
		}
		if g.Then != "" {
			l.refersToApproval(g.Then, "guardrails", i, "then", "approve")
		}
		l.alwaysTrue(at("deny")...)
		if g.Limit == nil {
			continue
		}
		if g.Limit.Action != "" && !g.Limit.Action.Containing() {
			l.at([]any{"guardrails", i, "limit", "action"}, "%s restricts nobody and cannot be limited; limit one of %s",
				g.Limit.Action, strings.Join(texts(incident.ActionsWhere(incident.Action.Containing)), ", "))
		}
		between(l, g.Limit.Max, 1, 1_000_000, "guardrails", i, "limit", "max")
		between(l, g.Limit.Window, time.Minute, MaxTTL, "guardrails", i, "limit", "window")
	}
}

// once reports a second entry of the same name.
func (l lint) once(seen map[string]bool, what, name string, n *yaml.Node) {
	if name == "" || n == nil {
		return
	}
	if seen[name] {
		l.blame(n, "a second %s is called %q", what, name)
	}
	seen[name] = true
}

// alwaysTrue warns of a condition that is always true.
func (l lint) alwaysTrue(path ...any) {
	if n := l.find(path...); n != nil && strings.TrimSpace(n.Value) == "true" {
		l.warn(n, "%v is always true", path[len(path)-1])
	}
}

// refersToApproval reports an unknown approval name.
func (l lint) refersToApproval(name string, path ...any) {
	if !l.has("approvals", name) {
		l.at(path, "unknown approval %q%s", name, meant(name, slices.Sorted(maps.Keys(l.playbook.Approvals))))
	}
}
