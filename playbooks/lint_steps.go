package playbooks

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

func (l lint) step(name string, s Step) {
	at := func(keys ...any) []any { return append([]any{"steps", name}, keys...) }
	l.name("step", name, l.key(at()...))
	if s.Action == "" {
		return
	}
	spec := s.Action.Spec()
	if spec.By == "" {
		l.at(at("action"), "step %q is %s, which no integration can carry out", name, s.Action)
		return
	}
	allowed := spec.May
	if p := spec.With; p != "" {
		allowed = append([]string{p}, allowed...)
		if !l.has(at("with", p)...) {
			l.missing(at(), "step %q is %s and needs with: { %s: … }", name, s.Action, p)
		}
	}
	l.only("with", string(s.Action), allowed, at("with")...)
	if l.find(at("with", "rate")...) != nil && s.With.Rate < 1 {
		l.at(at("with", "rate"), "rate must be more than nothing; cutting a host off is an isolate")
	}
	if n := l.find(at("with", "what")...); n != nil && len(s.With.What) == 0 {
		l.at(at("with", "what"), "what must name processes, connections or both")
	}
	if n := l.find(at("use")...); len(s.Use) > 1 && !s.Action.Leased() {
		l.blame(n, "use can be a list for %s; step %q is %s", namedActions(incident.Action.Leased), name, s.Action)
	} else if len(s.Use) > maxUses {
		l.blame(n, "use names %d integrations, at most %d are asked", len(s.Use), maxUses)
	}
	if l.has(at("shared")...) && s.Action != incident.Block {
		l.blame(l.key(at("shared")...), "shared belongs to a block: it is about a destination that others use, too; step %q is %s", name, s.Action)
	}
	l.lasting(name, s)
	l.holding(name, s)
	l.wayBack(name, s)
	between(l, s.Timeout, time.Second, maxTimeout, at("timeout")...)
	if s.UnsureAct && !s.Action.Reversible() {
		l.at(at("unsure"), "unsure: act is for %s; step %q is %s", namedActions(incident.Action.Reversible), name, s.Action)
	}
}

// wayBack checks the keys by which an isolation is undone where the agent is not
// heard.
func (l lint) wayBack(name string, s Step) {
	at := func(key string) []any { return []any{"steps", name, key} }
	for _, key := range []string{"heard_within", "fallback"} {
		if l.has(at(key)...) && s.Action != incident.Isolate {
			l.blame(l.key(at(key)...), "%s belongs to an isolate: it is about a device that is cut off; step %q is %s", key, name, s.Action)
			return
		}
	}
	between(l, s.HeardWithin, time.Minute, maxWindow, at("heard_within")...)
	if !l.has(at("fallback")...) {
		return
	}
	instead, ok := l.playbook.Steps[s.Fallback]
	switch {
	case s.HeardWithin == 0:
		l.at(at("fallback"), "fallback takes place when the agent is not heard: write heard_within")
	case !ok:
		l.at(at("fallback"), "step %q is not defined", shorten(s.Fallback, 80))
	case !instead.Action.Leased() || instead.Action == incident.Isolate:
		l.at(at("fallback"), "fallback %q is %s: it must restrict the host without isolating it", s.Fallback, instead.Action)
	}
}

// lasting checks the keys of steps that have a lease.
func (l lint) lasting(name string, s Step) {
	at := func(keys ...any) []any { return append([]any{"steps", name}, keys...) }
	for _, key := range []string{"ttl", "verify"} {
		switch written := l.has(at(key)...); {
		case s.Action.Leased() && !written:
			l.missing(at(), "step %q is %s and needs %s: what restricts a host must end, and be proven", name, s.Action, key)
		case !s.Action.Leased() && written && !(key == "verify" && s.Action.Containing()):
			l.blame(l.key(at(key)...), "%s belongs to a containment that stands; %s does not", key, s.Action)
		}
	}
	between(l, s.TTL, time.Second, MaxTTL, at("ttl")...)
	if s.Verify != nil {
		between(l, s.Verify.Within, time.Second, maxWindow, at("verify", "within")...)
		if l.find(at("verify", "egress_below")...) != nil && s.Verify.EgressBelow < 1 {
			l.at(at("verify", "egress_below"), "egress_below must be more than nothing: even an isolated host talks to its EDR")
		}
		if s.With.Rate > 0 && s.Verify.EgressBelow > 0 && s.Verify.EgressBelow < s.With.Rate {
			l.at(at("verify", "egress_below"), "egress_below is less than the rate of %s that the step allows", incident.FormatRate(s.With.Rate))
		}
	}
}

func (l lint) approval(name string, a Approval) {
	at := func(keys ...any) []any { return append([]any{"approvals", name}, keys...) }
	l.name("approval", name, l.key(at()...))
	people := slices.DeleteFunc(slices.Clone(a.Approvers.People), func(id string) bool { return slices.Contains(a.Exclude, id) })
	rota := l.find(at("approvers", "on_call")...) != nil
	grouped := a.Approvers.Group != "" || a.Approvers.DirectoryGroup() != "" || rota
	if n := l.find(at("approvers")...); n != nil && !l.bad[n] && !grouped && len(people) == 0 {
		l.at(at("approvers"), "approval %q has no approvers; name people, a group, a directory or on_call", name)
	}
	if a.Approvers.SlackGroup != "" && a.Approvers.Directory.Group != "" {
		l.at(at("approvers", "slack_group"), "approval %q names a slack_group and a directory: keep directory", name)
	}
	slices.Sort(people)
	people = slices.Compact(people)
	between(l, a.Quorum, 1, 100, at("quorum")...)
	if !grouped && len(people) > 0 && a.Quorum > len(people) {
		l.at(at("quorum"), "quorum %d can never be met: %s may answer", a.Quorum, counted(len(people), "person", "people"))
	}
	if rota && a.Approvers.Group != "" {
		l.at(at("approvers", "group"), "approval %q asks a group and who is on call: name the group as otherwise of on_call", name)
	}
	if rota {
		between(l, a.Approvers.OnCall.Level, 1, 100, at("approvers", "on_call", "level")...)
	}
	if l.find(at("fallback")...) != nil {
		between(l, a.Fallback.After, time.Second, max(time.Second, a.ExpireAfter), at("fallback", "after")...)
	}
	if slices.Contains(a.Exclude, ExcludeAuthor) && len(l.playbook.Authors) == 0 {
		l.at(at("exclude"), "approval %q excludes the author, and the playbook names none: add authors", name)
	}
	between(l, a.ExpireAfter, time.Second, maxExpire, at("expire_after")...)
	if l.find(at("remind_after")...) != nil && a.ExpireAfter > 0 && (a.RemindAfter <= 0 || a.RemindAfter >= a.ExpireAfter) {
		l.at(at("remind_after"), "remind_after must be before the end, expire_after: %s", incident.FormatDuration(a.ExpireAfter))
	}
	var before time.Duration
	for i, e := range a.Escalate {
		path := at("escalate", i, "after")
		switch {
		case l.find(path...) == nil:
		case e.After <= before:
			l.at(path, "escalate must be in order of time: after %s comes no later than what stands above it", incident.FormatDuration(e.After))
		case a.ExpireAfter > 0 && e.After >= a.ExpireAfter:
			l.at(path, "escalate must be before the end, expire_after: %s", incident.FormatDuration(a.ExpireAfter))
		}
		before = max(before, e.After)
	}
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, strings.TrimSpace(many))
}
