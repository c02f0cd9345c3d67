package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// claimWithin is how long a claim, or to hand alerts over, is tried.
	claimWithin = 10 * time.Minute
	// unclaimWithin is how long the release of a device is tried. One that is not
	// released goes to the next that asks for it, so it need not be certain.
	unclaimWithin = 5 * time.Second
	// claimSoon and claimLater are how often a device is asked for again that a
	// case has which takes no more alerts: at first, and in the end.
	claimSoon  = time.Second
	claimLater = time.Minute
	// keysHanded bounds the bytes of the keys that are handed over: a request
	// to the engine takes no more than 2 MiB.
	keysHanded = 512 << 10
)

// holding is whether a case may act on its device.
type holding int

const (
	// mine: no other case of the playbook acts on it. theirs: one does, and has
	// this case's alerts. later: this run ends before that is known.
	mine holding = iota
	theirs
	later
)

func (r *responder) ref() incident.CaseRef {
	return incident.CaseRef{ID: r.state.Case.ID, Run: r.state.Case.Run}
}

// claim makes sure that one case of the playbook asks about a device or acts on
// it, under any name in its alerts. A plan without a device, or without a step,
// needs no claim.
func (r *responder) claim(ctx workflow.Context, plan incident.Plan) (incident.CaseRef, holding) {
	e, ok := r.in.Pin.Enrichment("endpoint")
	if !ok || plan.Target == nil || len(plan.Steps) == 0 {
		return r.ref(), mine
	}
	id := protocol.ClaimID(r.in.Pin.Name, e.Use, *plan.Target)
	if slices.Contains(r.state.Claims, id) || !since(ctx, changeClaim) {
		return r.ref(), mine
	}
	for pause := claimSoon; r.state.Closing == nil; pause = min(2*pause, claimLater) {
		if r.mustYield(ctx) {
			return r.ref(), later
		}
		in := activities.ClaimIn{ID: id, Playbook: r.in.Pin.Name, Device: plan.Target.ID(), Case: r.ref()}
		out, err := ask(ctx, "", claimWithin, activities.Claim, in)
		if err != nil {
			// No answer is no reason to do nothing about an attack.
			r.event(ctx, incident.EvFailed, "", "Whether another case acts on the device is not known: %s", activities.Reason(err))
			return r.ref(), mine
		}
		if out.Owner == r.ref() {
			r.state.Claims = append(r.state.Claims, id)
			return r.ref(), mine
		}
		refused := r.handOver(ctx, out.Owner)
		if refused == "" {
			return out.Owner, theirs
		}
		if pause == claimSoon {
			r.event(ctx, incident.EvMerged, "", "Case %s is about the same device and takes no alerts: %s. It is waited for", out.Owner.ID, refused)
		}
		_, _ = await(ctx, pause, func() bool { return r.state.Closing != nil || r.mustYield(ctx) })
	}
	return r.ref(), mine
}

// handOver gives the alerts of this case to another, and returns why it did not
// take them.
func (r *responder) handOver(ctx workflow.Context, to incident.CaseRef) (refused string) {
	c := &r.state.Case
	req := protocol.MergeRequest{
		From: r.ref(), Run: to.Run, Alerts: slices.Clone(c.Alerts), Keys: firstOf(c.AlertKeys, keysHanded),
		Count: c.AlertCount, Seen: slices.Clone(r.state.Seen), Raisers: c.Raisers,
	}
	last := r.state.Latest
	if last != nil && !slices.ContainsFunc(req.Alerts, func(a incident.Alert) bool { return sameOccurrence(a, *last) }) {
		req.Alerts = append(req.Alerts, *last)
	}
	// Alerts that come from here on are not part of it.
	r.state.HandOvers++
	r.state.Unhanded = false
	out, err := do(ctx, "", claimWithin, activities.HandOver, activities.HandOverIn{
		ID: fmt.Sprintf("merge/%s/%s/%d", c.ID, c.Run, r.state.HandOvers), To: to.ID, Request: req,
	})
	if err != nil {
		return activities.Reason(err)
	}
	if out.Refused == "" {
		r.event(ctx, incident.EvMerged, "", "Handed over to case %s, which is about the same device: alerts %d", to.ID, req.Count)
	}
	return out.Refused
}

// firstOf returns the first of the texts that take no more than so many bytes.
func firstOf(texts []string, bytes int) []string {
	for i, text := range texts {
		if bytes -= len(text); bytes < 0 {
			return texts[:i:i]
		}
	}
	return slices.Clip(texts)
}

// merge ends the case: another one is about its device, and has its alerts.
func (r *responder) merge(ctx workflow.Context, into incident.CaseRef) {
	c := &r.state.Case
	c.MergedInto = &into
	if c.Plan == nil {
		c.Plan = &incident.Plan{PlaybookDigest: r.in.Pin.Digest}
	}
	c.Steps = c.Steps[:r.state.Next]
	r.state.Fresh = 0
	r.event(ctx, incident.EvMerged, "", "Merged into case %s: go on there", into.ID)
}

// passOn hands over the alerts that came after the case was merged. Where the
// other case has ended, this one is a case of its own again.
func (r *responder) passOn(ctx workflow.Context) {
	into := *r.state.Case.MergedInto
	refused := r.handOver(ctx, into)
	if refused == "" {
		r.state.Fresh = 0
		return
	}
	r.event(ctx, incident.EvMerged, "", "Case %s takes no more alerts: %s. This case goes on by itself", into.ID, refused)
	r.state.Case.MergedInto, r.state.Decided = nil, false
}

// mustPassOn reports whether alerts came after the case was merged.
func (r *responder) mustPassOn() bool { return r.state.Case.MergedInto != nil && r.state.Unhanded }

// merged takes in the alerts of another case about the same device.
func (r *responder) merged(ctx workflow.Context, req protocol.MergeRequest) error {
	c := &r.state.Case
	r.event(ctx, incident.EvMerged, "", "Case %s is about the same device and hands over its alerts: %d", foreign(req.From.ID), req.Count)
	known := map[string]bool{}
	for _, key := range c.AlertKeys {
		known[key] = true
	}
	inFull := len(req.Alerts)
	for _, a := range req.Alerts {
		known[a.Key()] = true
	}
	r.join(ctx, req.Alerts)
	// Of the others only keys and number are known, and how repeats are recognised.
	news := r.recognise(req.Seen)
	c.AlertCount += max(0, min(news, req.Count-inFull))
	for _, key := range req.Keys {
		if news > 0 && !known[key] && len(c.AlertKeys) < keysKept {
			c.AlertKeys = append(c.AlertKeys, key)
		}
	}
	c.Raisers.Join(req.Raisers)
	return nil
}

// mayMerge refuses alerts of another case that would not be decided here.
func (r *responder) mayMerge(_ workflow.Context, req protocol.MergeRequest) error {
	switch {
	case req.Run != r.state.Case.Run:
		return refuse(RefusedNotPending, "another case of its subject is open")
	case r.state.Closing != nil:
		return refuse(RefusedNotPending, "%s is closing it", r.state.Closing.By)
	case r.state.Case.MergedInto != nil:
		return refuse(RefusedNotPending, "it is merged into case %s", r.state.Case.MergedInto.ID)
	}
	return nil
}

// holds claims the device of a plan, and reports whether the case may go on with
// the plan. Where another case has the device, that one has the alerts now, and
// this one ends, unless something of an earlier plan is active or waits for more
// than facts.
func (r *responder) holds(ctx workflow.Context, f findings, plan incident.Plan) bool {
	owner, whose := r.claim(ctx, plan)
	switch {
	case whose == mine:
		return true
	case whose == later:
		r.state.Decided = false
	case r.standing() || r.state.Next < len(r.state.Case.Steps) && r.state.Late == nil:
		r.event(ctx, incident.EvDecided, "", "Decided again, for device %s: case %s acts on it, the plan is kept", foreign(plan.Target.ID()), owner.ID)
	default:
		r.found(ctx, f)
		r.merge(ctx, owner)
	}
	return false
}

// unclaim releases the devices that the case had.
func (r *responder) unclaim(ctx workflow.Context) {
	for _, id := range r.state.Claims {
		if _, err := ask(ctx, "", unclaimWithin, activities.Unclaim, activities.ClaimIn{ID: id, Case: r.ref()}); err != nil {
			workflow.GetLogger(ctx).Warn("a device was not released; the next case that asks gets it", "device", id, "error", err)
		}
	}
	r.state.Claims = nil
}
