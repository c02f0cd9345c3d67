package activities

import (
	"cmp"
	"context"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

// Decide evaluates the policy. It runs as a local activity: policy evaluation
// iterates Go maps, so workflow code keeps its result, never runs it.
var Decide = Ref[DecideIn, DecideOut]{"decide"}

// DecideIn is everything that a decision rests on.
type DecideIn struct {
	Pin         Pin                   `json:"pin"`
	Facts       incident.Facts        `json:"facts"`
	Connections []incident.Connection `json:"connections,omitempty"`
	Target      *incident.Target      `json:"target,omitempty"`
	// Agents send for others on their host; see [traffic.JoinResult.DisownAgent].
	Agents []string `json:"agents,omitempty"`
	// Infrastructure is never contained. ExceptBy says, by the names of integrations,
	// who decides what stays reachable where no order can.
	Infrastructure incident.Infrastructure `json:"infrastructure,omitzero"`
	ExceptBy       map[string]string       `json:"except_by,omitempty"`
	// Products are what the integrations are like, by their names; nil is not known.
	Products map[string]Product `json:"products,omitempty"`
	// SharedNetworks are the site's own, at whose addresses many services are reached.
	SharedNetworks []netip.Prefix `json:"shared_networks,omitempty"`
	// Shared are those of the device's addresses under which others send, too.
	Shared []incident.SharedAddress `json:"shared,omitempty"`
	// Now is the decision's time, an input so that it can be replayed.
	Now time.Time `json:"now"`
}

// DecideOut is the decision, the plan that it leads to, and the facts with the
// join of bytes and processes.
type DecideOut struct {
	Decision incident.Decision `json:"decision"`
	Plan     incident.Plan     `json:"plan"`
	Facts    incident.Facts    `json:"facts"`
	// Unmatched reports whether the trigger does not hold for this alert now that
	// more is known of it.
	Unmatched bool `json:"unmatched,omitempty"`
}

func (a *Activities) decide(ctx context.Context, in DecideIn) (DecideOut, error) {
	p, err := a.playbooks.load(ctx, in.Pin, a.roles())
	if err != nil {
		return DecideOut{}, ours("decide", err.Error())
	}
	in.Agents, in.Infrastructure, in.ExceptBy, in.Products = a.Agents, a.Infrastructure, a.ExceptBy, a.products()
	in.SharedNetworks = a.SharedNetworks
	out, err := DecideWith(ctx, p, in)
	// The flows have served the join and the plan; a case that carried them
	// would write them into its history again and again.
	out.Facts.Traffic.Sample = nil
	return out, err
}

// DecideWith decides with a loaded playbook. It is what the activity does, for
// those who explain a decision without an engine.
func DecideWith(ctx context.Context, p *playbooks.Playbook, in DecideIn) (DecideOut, error) {
	facts := in.Facts
	facts.InWords(p.Roles())
	attribute(&facts, in.Connections, in.Agents)
	facts.DisownShared()
	if in.Target != nil && in.Target.OnlyBy() != "" {
		facts.AssumeDevice()
	}
	facts.DisownGuess()
	completeAlert(&facts)
	verdict, missing, err := p.Match(ctx, &facts, in.Now)
	if err != nil {
		return DecideOut{}, ours("match the trigger", "the trigger cannot be evaluated: "+err.Error())
	}
	if verdict == incident.False {
		return DecideOut{Facts: facts, Unmatched: true}, nil
	}
	decision := p.Evaluate(ctx, facts, in.Now)
	if decision.Outcome == incident.Decided || decision.Outcome == incident.Undecided {
		if verdict != incident.True {
			decision.Unsure = append(decision.Unsure, missing...)
		}
		if in.Target != nil {
			decision.Unsure = append(decision.Unsure, in.Target.Unchosen(nil)...)
		}
	}
	plan := in.plan(p, &decision, facts)
	plan = p.AskForDevice(plan)
	return DecideOut{Decision: decision, Plan: plan, Facts: facts}, nil
}

// attribute joins bytes and processes, unless the flow store has done so or
// one of the two is missing; then the reason is carried on. A guess is not
// distinguished from an exact join yet.
func attribute(facts *incident.Facts, connections []incident.Connection, agents []string) {
	if facts.Traffic.Attribution.IsKnown() && facts.Process.Path.IsKnown() {
		return
	}
	if !facts.Traffic.Flows.IsKnown() && len(facts.Traffic.Sample) == 0 {
		incident.Explain(&facts.Process, cmp.Or(facts.Traffic.Flows.Why(), "no flow is known"))
		return
	}
	if why := facts.Process.Path.Why(); why != "" {
		facts.Traffic.Attribution, facts.Traffic.Explained = incident.NotKnown[string](why), incident.NotKnown[float64](why)
		return
	}
	joined := traffic.Join(facts.Traffic.Sample, connections)
	why := joined.DisownAgent(slices.Concat(agents, facts.Asset.Agents))
	if facts.Process = joined.Sender(); why != "" {
		facts.Process, facts.Candidate = incident.Process{}, joined.Candidate
	}
	incident.Explain(&facts.Process, cmp.Or(why, "no process was joined to the traffic"))
	if t := &facts.Traffic; !t.Attribution.IsKnown() {
		t.Attribution = incident.Known(string(joined.Attribution), incident.Computed)
		t.JoinRate, t.ClockSkew, t.Explained = joined.JoinRate, joined.ClockSkew, joined.Share(t.BytesOut)
	}
}

// completeAlert fills in what the alert left open and the EDR knows.
func completeAlert(facts *incident.Facts) {
	if !facts.Alert.Host.OS.IsKnown() && facts.Endpoint.OS.IsKnown() {
		facts.Alert.Host.OS = facts.Endpoint.OS
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
