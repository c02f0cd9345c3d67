package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Contain checks target, guardrails and budget again, right before the action,
// and then takes the lease. Kill does the same for a process.
var (
	Contain = Ref[ContainIn, ContainOut]{"contain"}
	Kill    = Ref[ContainIn, ContainOut]{"kill_process"}
)

// ContainIn asks for one containing step of a case.
type ContainIn struct {
	Pin    Pin                  `json:"pin"`
	Facts  incident.Facts       `json:"facts"`
	Target incident.Target      `json:"target"`
	Step   incident.PlannedStep `json:"step"`
	Case   string               `json:"case"`
	Run    string               `json:"run"`
	// ID identifies this step of this case, permanently.
	ID       string    `json:"id"`
	Until    time.Time `json:"until"`
	Reason   string    `json:"reason"`
	Approver string    `json:"approver,omitempty"`
	// Waived names the approvals that people have given for the plan.
	Waived []string `json:"waived,omitempty"`
	// UnsureOK reports whether the step may act though something is unknown, Answered
	// are the unknown paths that people were shown and answered for.
	UnsureOK bool     `json:"unsure_ok,omitempty"`
	Answered []string `json:"answered,omitempty"`
	// Expires is when the case no longer waits for an answer.
	Expires time.Time `json:"expires,omitzero"`
}

// ContainOut is the result: a lease, a receipt, or what held it back.
type ContainOut struct {
	Lease   *incident.Lease   `json:"lease,omitempty"`
	Receipt *incident.Receipt `json:"receipt,omitempty"`
	// What held it back.
	TargetProblem string             `json:"target_problem,omitempty"`
	DeniedBy      string             `json:"denied_by,omitempty"`
	Unsure        []incident.Missing `json:"unsure,omitempty"`
	Paused        *incident.Pause    `json:"paused,omitempty"`
	Exceeded      *protocol.Limit    `json:"exceeded,omitempty"`
	Counted       int                `json:"counted,omitempty"`
	Unheard       *protocol.Unheard  `json:"unheard,omitempty"`
	// Earlier reports whether other attempts came before one that is held back.
	// They may have taken what this one was refused.
	Earlier bool `json:"earlier,omitempty"`
	// Busy reports that nothing was done, as too many wait in this process for
	// their turn: the step waits on [protocol.ContainQueue], where that costs
	// nothing.
	Busy bool `json:"busy,omitempty"`
}

// contain takes the lease when it is its turn.
func (a *Activities) contain(ctx context.Context, in ContainIn) (ContainOut, error) {
	done, err := a.turn(ctx)
	if errors.Is(err, ErrBusy) {
		return ContainOut{Busy: true}, nil
	}
	if err != nil {
		return ContainOut{}, err
	}
	defer done()
	return a.takeLease(ctx, in)
}

// takeLease takes the lease. What an earlier attempt has taken is found before
// anything is checked anew: it had passed the checks when it took it.
func (a *Activities) takeLease(ctx context.Context, in ContainIn) (ContainOut, error) {
	if err := carries(Contain, in.Step.Action); err != nil {
		return ContainOut{}, err
	}
	order := in.order()
	order.Until, order.Reason = in.Until, "Stanch case "+in.Case
	id := protocol.LeaseID(in.Step.Use, order)
	order.Key = id
	hold := Call{
		Workflow: protocol.LeaseWorkflow, ID: id, Input: protocol.LeaseInput{ID: id, Use: in.Step.Use, Order: order, Queue: in.Pin.Queue(in.Step.Use, string(order.Action))},
		Attributes: leaseAttributes(order, incident.Applying),
		Update:     protocol.HoldUpdate, UpdateID: in.ID,
		Arg: protocol.HoldRequest{ID: in.ID, Use: in.Step.Use, Order: order, Expires: in.Expires, Holder: incident.Holder{
			Case: protocol.CaseWorkflowID(in.Case), Run: in.Run, Step: in.Step.Name, Request: in.ID, Rate: order.Rate,
			Reason: in.Reason, Approver: in.Approver, Until: in.Until,
		}},
	}
	if earlier(ctx) {
		lease, err := a.found(ctx, in, hold)
		if err != nil || lease != nil {
			return ContainOut{Lease: lease}, a.giveBackReservation(ctx, in, err)
		}
	}
	held, err := a.clear(ctx, in)
	if err != nil || held != nil {
		return deref(held), err
	}
	var lease incident.Lease
	if err := a.Workflows.UpdateWithStart(ctx, hold, &lease); err != nil {
		return ContainOut{}, a.giveBackReservation(ctx, in, err)
	}
	return ContainOut{Lease: &lease}, nil
}

// kill ends the process. That it was cleared is written down before: what an
// attempt that is lost may have done is recorded there.
func (a *Activities) kill(ctx context.Context, in ContainIn) (ContainOut, error) {
	if err := carries(Kill, in.Step.Action); err != nil {
		return ContainOut{}, err
	}
	held, err := a.clear(ctx, in)
	if err != nil || held != nil {
		return deref(held), err
	}
	killer, err := use[integrations.Killer](a, in.Step.Use)
	if err != nil {
		return ContainOut{}, err
	}
	receipt, err := killer.Kill(ctx, integrations.KillOrder{
		Key: in.ID, Target: in.Target, PID: in.Step.PID, Path: in.Step.Path, Started: in.Step.Started,
	})
	observe(ctx, in.Step.Use, Kill.Name, err, a.now())
	if err != nil {
		return ContainOut{}, a.giveBackReservation(ctx, in, err)
	}
	return ContainOut{Receipt: &receipt}, nil
}

// clear looks at target and asset again, asks the guardrails again, and takes
// the budget. A non-nil answer says what holds the step back.
func (a *Activities) clear(ctx context.Context, in ContainIn) (*ContainOut, error) {
	held, err := a.check(ctx, in)
	if held != nil {
		held.Earlier = earlier(ctx)
	}
	return held, err
}

func (a *Activities) check(ctx context.Context, in ContainIn) (*ContainOut, error) {
	facts := in.Facts
	problem, err := a.refresh(ctx, in, &facts)
	if err != nil {
		return nil, err
	}
	if problem = cmp.Or(problem, in.moved(facts)); problem != "" {
		return &ContainOut{TargetProblem: problem}, nil
	}
	p, err := a.playbooks.load(ctx, in.Pin, a.roles())
	if err != nil {
		return nil, ours("clear "+in.Step.Name, err.Error())
	}
	guard := p.Recheck(ctx, facts, a.now())
	if guard.Outcome != incident.Decided {
		return &ContainOut{DeniedBy: guard.DeniedBy}, nil
	}
	if a.Infrastructure.Holds(facts, &in.Target) != "" {
		return &ContainOut{DeniedBy: incident.OwnInfrastructure}, nil
	}
	unanswered := slices.Concat(guard.Unsure, a.Infrastructure.Untold(facts), in.Step.WayBack(facts.Endpoint))
	unanswered = slices.DeleteFunc(unanswered, func(m incident.Missing) bool { return slices.Contains(in.Answered, m.Path) })
	if unchosen := in.Target.Unchosen(in.Answered); len(unchosen) > 0 {
		// No step may act on a device that nobody has chosen.
		return &ContainOut{Unsure: unchosen}, nil
	}
	if len(unanswered) > 0 && !in.UnsureOK {
		return &ContainOut{Unsure: unanswered}, nil
	}
	// Each attempt asks the budget anew: an answer from before a pause must not
	// outlive it. The reservation's own id makes it one.
	var answer protocol.ReserveAnswer
	var keep time.Time
	if !in.Step.Action.Leased() {
		// No lease will say what an attempt did: that it was cleared must suffice.
		keep = in.Expires
	}
	use := ""
	if in.Step.Action == incident.Isolate && !slices.Contains(in.Answered, incident.HeardPath) {
		use = in.Step.Use
	}
	err = a.Workflows.UpdateWithStart(ctx, BudgetCall(protocol.ReserveUpdate, a.unique(in.ID+"/reserve"), protocol.ReserveRequest{
		ID: in.ID, Action: in.Step.Action, Device: in.Target.ID(), Limits: limits(p, in.Step.Action, facts, in.Target),
		Keys: budgetKeys(in.Pin.Name, facts, in.Target), Waived: in.Waived, Keep: keep, Use: use,
	}), &answer)
	if err != nil {
		return nil, fmt.Errorf("reserve budget for %s: %w", in.Step.Name, err)
	}
	if !answer.Granted {
		return &ContainOut{Paused: answer.Paused, Exceeded: answer.Exceeded, Counted: answer.Counted, Unheard: answer.Unheard}, nil
	}
	return nil, nil
}

// refresh reads endpoint and asset again. A problem with the target is an
// answer; an inventory that is down makes the asset unknown, as in enriching.
func (a *Activities) refresh(ctx context.Context, in ContainIn, facts *incident.Facts) (string, error) {
	// An inventory that does not answer is asked again below; until it has, no
	// address is known to be shared, and the guardrails on its answer are unknown.
	alert, _ := a.lookUp(ctx, in, facts.Alert.Host)
	if e, ok := in.Pin.Enrichment(incident.EndpointFact); ok {
		// What follows waits for the lease, and for its own operation.
		looking, end := integrations.Operate(ctx)
		out, err := a.findEndpoint(looking, EnrichIn{Use: e.Use, Host: facts.Alert.Host, Shared: alert.Shared, At: a.now()})
		end()
		if err != nil {
			return "", err
		}
		switch {
		case out.Target == nil:
			return out.Problem, nil
		case out.Target.ID() != in.Target.ID():
			return fmt.Sprintf("the alert's host is now device %s, the plan is for %s", out.Target.ID(), in.Target.ID()), nil
		case out.Target.OnlyBy() != "" && in.Target.OnlyBy() == "":
			return out.Problem + " now; two identifiers must", nil
		}
		facts.Endpoint = out.Endpoint
	}
	host := TargetHost(facts.Alert.Host, facts.Endpoint)
	asset, asked := a.lookUp(ctx, in, host)
	if !asked {
		return "", nil
	}
	facts.Asset = asset.Asset
	if shared := host.At(asset.Shared); facts.Traffic.BytesOut.IsKnown() || len(in.Step.Addresses) > 0 {
		// The decision took the traffic at the address for the host's own, or the step
		// would be done to all that send under it.
		return incident.NotAttributable(shared), nil
	}
	return "", nil
}

// lookUp asks the inventory, if the playbook does. Without an answer the asset
// is unknown, as in enriching.
func (a *Activities) lookUp(ctx context.Context, in ContainIn, host incident.AlertHost) (AssetOut, bool) {
	e, ok := in.Pin.Enrichment(incident.AssetFact)
	if !ok {
		return AssetOut{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, e.Timeout)
	defer cancel()
	out, err := a.getAsset(ctx, EnrichIn{Use: e.Use, Host: host, At: a.now()})
	if err != nil {
		out = AssetOut{}
		incident.Explain(&out.Asset, e.Use+": "+Reason(mapError(err)))
	}
	return out, true
}

// giveBackReservation releases what was reserved for an action that did not
// happen, unless it may have happened or will be tried again.
func (a *Activities) giveBackReservation(ctx context.Context, in ContainIn, cause error) error {
	if cause == nil {
		return nil
	}
	final, ok := errors.AsType[*temporal.ApplicationError](mapError(cause))
	if !ok || !final.NonRetryable() {
		return cause
	}
	err := a.Workflows.UpdateWithStart(ctx, BudgetCall(protocol.ReleaseUpdate, a.unique(in.ID+"/release"), in.ID), nil)
	if err != nil {
		// The action did not happen; that the budget counts it is the safe side.
		return fmt.Errorf("%w; the budget still counts it: %w", cause, err)
	}
	return cause
}

// unique is an update id that no other attempt has.
func (a *Activities) unique(id string) string { return fmt.Sprintf("%s/%d", id, a.now().UnixNano()) }

// TargetHost names the host by what the alert and the endpoint say together,
// so that an inventory that knows other names finds it.
func TargetHost(host incident.AlertHost, endpoint incident.Endpoint) incident.AlertHost {
	if endpoint.ID.IsKnown() {
		host.ID = endpoint.ID
	}
	if endpoint.Name.IsKnown() {
		host.Name = endpoint.Name
	}
	if endpoint.IP.IsKnown() {
		host.IP = endpoint.IP
	}
	return host
}

// limits are the playbook's limits on an action, each with the value that it
// counts by for this host.
func limits(p *playbooks.Playbook, action incident.Action, facts incident.Facts, target incident.Target) []protocol.Limit {
	keys := budgetKeys(p.Name, facts, target)
	var out []protocol.Limit
	for _, g := range p.Guardrails {
		if g.Limit == nil || g.Limit.Action != action {
			continue
		}
		limit := protocol.Limit{
			Guardrail: g.Name, Action: action, Per: g.Limit.Per, Max: g.Limit.Max, Window: g.Limit.Window, Then: g.Then,
		}
		at := slices.IndexFunc(keys, func(k protocol.BudgetKey) bool { return k.Per == limit.Per })
		if at >= 0 {
			limit.Key = keys[at].Key
		} else {
			limit.KeyMissing = "asset." + limit.Per + " is unknown"
		}
		out = append(out, limit)
	}
	return out
}

// budgetKeys are all keys that a limit may count the step by.
func budgetKeys(playbook string, facts incident.Facts, target incident.Target) []protocol.BudgetKey {
	keys := []protocol.BudgetKey{{Per: "all", Key: "all"}, {Per: protocol.PerHost, Key: target.ID()}, {Per: "playbook", Key: playbook}}
	if role, ok := facts.Asset.Role.Get(); ok {
		keys = append(keys, protocol.BudgetKey{Per: "role", Key: role})
	}
	if site, ok := facts.Asset.Site.Get(); ok {
		keys = append(keys, protocol.BudgetKey{Per: "site", Key: site})
	}
	return keys
}

func deref(out *ContainOut) ContainOut {
	if out == nil {
		return ContainOut{}
	}
	return *out
}
