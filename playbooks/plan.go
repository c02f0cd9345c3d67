package playbooks

import (
	"cmp"
	"slices"

	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

// Plan resolves a decision into the steps to run, in order. A decision that
// rests on something unknown gets the approval named by unsure before its first
// containing step; an undecided one asks it for the plan of the rule that may
// hold; one that decides nothing only notifies people.
func (p *Playbook) Plan(d incident.Decision, facts incident.Facts, target *incident.Target) incident.Plan {
	rule, _ := d.AtStake()
	plan := incident.Plan{PlaybookDigest: p.digest, Rule: rule, Shadow: p.Mode == Shadow, Target: target}
	if d.Unknown != nil {
		plan.Steps = p.undecided(d, facts, target)
		return plan
	}
	if d.Outcome != incident.Decided {
		for _, name := range p.tell(d) {
			plan.Steps = append(plan.Steps, p.planned(name, facts, target))
		}
		return plan
	}
	plan.Steps = p.resolved(d.Do, facts, target)
	if len(d.Unsure) > 0 {
		plan.Steps = p.gateUnsure(plan.Steps, "The decision rests on something unknown: "+because(d.Unsure)+".")
	}
	return plan
}

// resolved are the steps and gates of a do.
func (p *Playbook) resolved(do []incident.Doing, facts incident.Facts, target *incident.Target) []incident.PlannedStep {
	var steps []incident.PlannedStep
	for _, doing := range do {
		if doing.Approve != "" {
			steps = append(steps, incident.PlannedStep{
				Name: gateName(doing.Approve), Approve: doing.Approve,
				IfDenied: p.instead(doing.IfDenied, facts, target), IfExpired: p.instead(doing.IfExpired, facts, target),
			})
			continue
		}
		steps = append(steps, p.planned(doing.Step, facts, target))
	}
	return steps
}

// undecided are the steps of an undecided decision. The steps of the rule that
// holds before its first gate contain nothing and need no approval. Then the
// approval named by unsure is asked for all steps of the rule that may hold, also
// for a step that may act unsure: that applies to a rule that was chosen. The
// rule's own gates remain. Where its first is the same approval, before any
// containing step, it is asked only once.
func (p *Playbook) undecided(d incident.Decision, facts incident.Facts, target *incident.Target) []incident.PlannedStep {
	at := slices.IndexFunc(d.Do, func(do incident.Doing) bool { return do.Approve != "" })
	if at < 0 {
		at = len(d.Do)
	}
	steps := p.resolved(d.Do[:at], facts, target)
	gate := incident.PlannedStep{Name: gateName(p.Unsure), Approve: p.Unsure, Undecided: true, Because: d.Because}
	open := slices.DeleteFunc(p.resolved(d.Unknown.Do, facts, target), func(s incident.PlannedStep) bool {
		return s.Action.By() == incident.ByCollector && slices.ContainsFunc(steps, func(taken incident.PlannedStep) bool { return taken.Name == s.Name })
	})
	first := slices.IndexFunc(open, func(s incident.PlannedStep) bool { return s.Approve != "" || s.Action.Containing() })
	if first >= 0 && open[first].Approve == p.Unsure {
		gate.IfDenied, gate.IfExpired = open[first].IfDenied, open[first].IfExpired
		open = slices.Delete(open, first, first+1)
	}
	return append(append(steps, gate), open...)
}

func gateName(approval string) string { return "approve " + approval }

// tell returns the steps that notify people that nothing is done: the notify
// steps of the chosen rule; where it has none but would have contained, or
// where no rule was chosen, those of the default rule, else of any rule.
func (p *Playbook) tell(d incident.Decision) []string {
	steps := p.notifies(d.Do)
	if len(steps) > 0 || d.Rule != "" && !p.contains(d.Do) {
		return steps
	}
	if steps := p.notifies(p.standing().Do); len(steps) > 0 {
		return steps
	}
	var all []string
	for _, r := range p.Decide {
		for _, name := range p.notifies(r.Do) {
			if !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return all
}

func (p *Playbook) notifies(do []incident.Doing) []string {
	var names []string
	for _, doing := range do {
		if p.Steps[doing.Step].Action.Tells() {
			names = append(names, doing.Step)
		}
	}
	return names
}

// gateUnsure puts the approval named by unsure before the first containing step
// that may not run unsure. Where the rule asks it before that step anyway,
// it is asked only once.
func (p *Playbook) gateUnsure(steps []incident.PlannedStep, why string) []incident.PlannedStep {
	first := slices.IndexFunc(steps, func(s incident.PlannedStep) bool {
		return s.Approve == "" && s.Action.Containing() && !s.UnsureAct
	})
	if first < 0 {
		return steps
	}
	asked := slices.IndexFunc(steps[:first], func(s incident.PlannedStep) bool { return s.Approve == p.Unsure })
	if asked >= 0 {
		steps[asked].Because = why
		return steps
	}
	return slices.Insert(steps, first, incident.PlannedStep{Name: gateName(p.Unsure), Approve: p.Unsure, Because: why})
}

// instead resolves the steps that run when people did not approve.
func (p *Playbook) instead(names []string, facts incident.Facts, target *incident.Target) []incident.PlannedStep {
	var out []incident.PlannedStep
	for _, name := range names {
		if name == release {
			out = append(out, incident.PlannedStep{Name: release, Release: true})
			continue
		}
		out = append(out, p.planned(name, facts, target))
	}
	return out
}

// planned resolves one step with the facts.
func (p *Playbook) planned(name string, facts incident.Facts, target *incident.Target) incident.PlannedStep {
	s, ok := p.Steps[name]
	step := incident.PlannedStep{
		Name: name, Action: s.Action, Use: s.Use.First(), Rate: s.With.Rate, What: s.With.What, Channel: s.With.Channel,
		TTL: s.TTL, Timeout: s.Timeout, Verify: s.Verify, OnFailure: s.OnFailure, UnsureAct: s.UnsureAct, SharedBlock: s.SharedBlock,
	}
	if len(s.Use) > 1 {
		for _, use := range s.Use {
			step.Candidates = append(step.Candidates, incident.Candidate{Use: use})
		}
	}
	step.Hold, step.QuietFor = s.hold(), s.QuietFor
	if step.HeardWithin = s.HeardWithin; s.Fallback != "" {
		fallback := p.planned(s.Fallback, facts, target)
		step.Fallback = &fallback
	}
	switch s.Action {
	case incident.Block, incident.RateLimit:
		if s.With.Match != "" {
			step.Filter, step.Problem = resolve(s.Action, s.With.Match, facts)
		}
	case incident.KillProcess:
		step.PID, step.Path, step.Problem = oneProcess(facts.Process)
		step.Started, _ = facts.Process.Started.Get()
	case incident.Notify, incident.Collect, incident.Isolate:
	}
	switch {
	case !ok:
		step.Problem = "the playbook has no such step"
	case !s.Action.Tells() && (target == nil || target.IsZero()):
		step.Problem = "no exact target"
	}
	return step
}

// hold is for how long a step goes on while the host still sends; nil where it ends by
// its ttl.
func (s Step) hold() *incident.Hold {
	if s.HoldAtMost == 0 {
		return nil
	}
	return &incident.Hold{AtMost: s.HoldAtMost, Watch: cmp.Or(s.Watch, defaultWatch), AgainAbove: s.AgainAbove}
}

// resolve returns the traffic that a block stops or a limit bounds, or the reason for
// which it is unknown.
func resolve(action incident.Action, match string, facts incident.Facts) (*incident.Filter, string) {
	seen := facts.Traffic
	if match == "reflected_port" {
		filter, why := reflected(facts)
		if filter != nil && action == incident.RateLimit {
			// A limit is of what the host sends: the answers, not the requests.
			filter.Direction = incident.Outbound
		}
		return filter, why
	}
	top, known := seen.Top.Get()
	switch {
	case !known:
		return nil, "traffic.top is unknown" + reason(seen.Top.Why())
	case len(top) == 0:
		return nil, "traffic.top is empty: nothing was sent that could be named"
	case top[0].Unseen:
		return nil, "no sensor saw how much was sent where: the largest destination is unknown"
	}
	filter := &incident.Filter{Direction: incident.Outbound, Transport: top[0].Transport}
	if match != "top_destination" {
		filter.RemotePort = int(top[0].Port)
	}
	if match != "top_port" {
		filter.RemoteIP = top[0].IP
	}
	switch lacksPort := match != "top_destination" && filter.RemotePort == 0; {
	case lacksPort:
		return nil, "the largest destination has no port that could be named"
	case match != "top_port" && filter.RemoteIP == "":
		return nil, "the largest destination has no address that could be named"
	}
	return filter, ""
}

// reflected blocks the requests to the amplification service of the host that
// answers most. A port that is not in the table is the near end of a connection
// that the host opened itself.
func reflected(facts incident.Facts) (*incident.Filter, string) {
	seen := facts.Traffic
	type local struct {
		port      int
		transport string
	}
	sent := map[local]int64{}
	for _, f := range seen.Sample {
		port := ownPort(facts, f.Tuple)
		if traffic.Amplifies(port, f.Transport) && f.BytesOut > 0 {
			sent[local{port, f.Transport}] += f.BytesOut
		}
	}
	var best local
	for l, bytes := range sent {
		order := cmp.Or(cmp.Compare(bytes, sent[best]), cmp.Compare(best.port, l.port), cmp.Compare(best.transport, l.transport))
		if best.port == 0 || order > 0 {
			best = l
		}
	}
	if best.port == 0 {
		return nil, "the flows do not show which amplification service of the host answers" + reason(seen.BytesOut.Why())
	}
	return &incident.Filter{Direction: incident.Inbound, LocalPort: best.port, Transport: best.transport}, ""
}

// ownPort is the host's port of a flow. A sensor that follows connections writes
// the initiator of one as its source, which a reflector never is; where the
// host's addresses are unknown, the source is the host.
func ownPort(facts incident.Facts, t incident.Tuple) int {
	for _, known := range []incident.Value[[]string]{facts.Endpoint.IP, facts.Alert.Host.IP} {
		ips, _ := known.Get()
		switch {
		case slices.Contains(ips, t.SrcIP):
			return t.SrcPort
		case slices.Contains(ips, t.DstIP):
			return t.DstPort
		}
	}
	return t.SrcPort
}

// oneProcess returns the process to end. Both id and path must be known: process
// ids are reused.
func oneProcess(process incident.Process) (int64, string, string) {
	pid, hasPID := process.PID.Get()
	path, hasPath := process.Path.Get()
	switch {
	case !hasPID || pid <= 0:
		return 0, "", "process.pid is unknown" + reason(process.PID.Why())
	case !hasPath || path == "":
		return 0, "", "process.path is unknown" + reason(process.Path.Why())
	}
	return pid, path, ""
}

func reason(why string) string {
	if why == "" {
		return ""
	}
	return " (" + why + ")"
}

// Stricter reports whether the new plan restricts the host more than anything in
// the old one does. Such a change needs no person; the other way round does.
func Stricter(old, new incident.Plan) bool { return harshest(new) > harshest(old) }

func harshest(p incident.Plan) int {
	rung := 0
	for _, s := range p.Steps {
		rung = max(rung, s.Rung())
	}
	return rung
}
