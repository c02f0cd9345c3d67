package playbooktest

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// compare returns the expectations that did not hold. Fields that the test leaves
// out are not compared.
func compare(want playbooks.Expect, got *state) []Failure {
	var failures []Failure
	text := func(what, want, got string) {
		if want != "" && want != got {
			failures = append(failures, Failure{what, strconv.Quote(want), quoted(got)})
		}
	}
	list := func(what string, want, got []string) {
		if want != nil && !slices.Equal(want, got) {
			failures = append(failures, Failure{what, listed(want), listed(got)})
		}
	}
	d := incident.Decision{}
	if got.Decision != nil {
		d = *got.Decision
	}
	text("rule", want.Rule, d.Rule)
	text("severity", want.Severity, d.Severity)
	text("denied_by", want.DeniedBy, d.DeniedBy)
	list("steps", want.Steps, steps(got.Plan))
	for _, step := range slices.Sorted(maps.Keys(want.Use)) {
		text("use "+step, want.Use[step], through(got.Plan, step))
	}
	list("unsure", sorted(want.Unsure), unsure(d))
	list("leases", leases(want.Leases), leases(orNone(got.standing)))
	text("outcome", want.Outcome, string(got.Outcome))
	awaiting, last := asked(got.Approvals)
	text("awaiting", want.Awaiting, awaiting)
	text("approval", want.Approval, string(last.State))
	if want.After != 0 {
		text("after", incident.FormatDuration(want.After), after(last))
	}
	return failures
}

func quoted(s string) string {
	if s == "" {
		return "none"
	}
	return strconv.Quote(s)
}

func listed(s []string) string { return "[" + strings.Join(s, ", ") + "]" }

// steps are the steps of a plan, without its gates.
func steps(p *incident.Plan) []string {
	names := []string{}
	if p == nil {
		return names
	}
	for _, s := range p.Steps {
		if s.Approve == "" {
			names = append(names, s.Name)
		}
	}
	return names
}

// through is the integration that carries a step out, with the step's problem where it
// has one; empty where the plan does not have it.
func through(p *incident.Plan, name string) string {
	use := ""
	if p != nil {
		incident.EachStep(p.Steps, func(s *incident.PlannedStep) {
			if s.Name == name && s.Problem != "" {
				use = "none: " + s.Problem
			} else if s.Name == name {
				use = s.Use
			}
		})
	}
	return use
}

func unsure(d incident.Decision) []string {
	paths := []string{}
	for _, m := range d.Unsure {
		paths = append(paths, m.Path)
	}
	return sorted(paths)
}

func sorted(s []string) []string {
	if s == nil {
		return nil
	}
	s = slices.Clone(s)
	slices.Sort(s)
	return slices.Compact(s)
}

func orNone(actions []incident.Action) []incident.Action {
	if actions == nil {
		return []incident.Action{}
	}
	return actions
}

// leases are actions in the order of how much they restrict; nil stays nil.
func leases(actions []incident.Action) []string {
	if actions == nil {
		return nil
	}
	actions = slices.Clone(actions)
	slices.SortFunc(actions, func(a, b incident.Action) int {
		return cmp.Or(cmp.Compare(a.Rung(), b.Rung()), cmp.Compare(a, b))
	})
	names := []string{}
	for _, a := range actions {
		names = append(names, string(a))
	}
	return names
}

// asked returns the pending approval, and the last one.
func asked(approvals []incident.Approval) (pending string, last incident.Approval) {
	for _, a := range approvals {
		if a.State == incident.Pending {
			pending = a.Name
		}
		last = a
	}
	return pending, last
}

// after is how long an approval took, in whole seconds.
func after(a incident.Approval) string {
	if a.EndedAt.IsZero() {
		return ""
	}
	return incident.FormatDuration(a.EndedAt.Sub(a.AskedAt).Round(time.Second))
}
