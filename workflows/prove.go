package workflows

import (
	"cmp"
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// prove asks the flow store and, where it counts, the product itself, concurrently, whether
// egress fell since the step was accepted: the third level of proof.
func (r *responder) prove(ctx workflow.Context, i int) {
	s := r.state.Case.Steps[i]
	if s.Status != incident.StepStanding || s.Verify == nil || s.Proof != incident.NoProof {
		return
	}
	r.busy++
	workflow.Go(ctx, func(ctx workflow.Context) {
		defer func() { r.busy-- }()
		r.proveUntil(ctx, i, s.AcceptedAt.Add(s.Verify.Within), pace(s.Verify.Within))
	})
}

// pace is the longest pause between measurements: a dozen fit into the time
// limit. The first come sooner.
func pace(within time.Duration) time.Duration {
	return min(max(within/12, measureAtLeast), 30*time.Second)
}

// askSoonest is the shortest pause before the flow store is asked again for records that come.
const askSoonest = time.Second

// proveUntil measures until an answer is known, less and less often, and sooner where only
// records are missing that are about to come. The measurement is within the
// time in which the containment was in place: what flowed before it was confirmed, or
// after it was given back, says nothing about it.
func (r *responder) proveUntil(ctx workflow.Context, i int, deadline time.Time, longest time.Duration) {
	_ = r.count(ctx, i)
	over := func() bool { return r.yield || r.state.Case.Steps[i].Status != incident.StepStanding }
	every, pause, late := measureAtLeast, measureAtLeast, askSoonest
	for {
		if end := r.state.Case.Steps[i].Until; !end.IsZero() {
			pause = min(pause, max(end.Sub(workflow.Now(ctx)), time.Millisecond))
		}
		if _, err := await(ctx, pause, over); err != nil || r.yield || r.unproven(ctx, i) {
			return
		}
		s := &r.state.Case.Steps[i]
		from, now := maxTime(s.AcceptedAt, s.ConfirmedAt), workflow.Now(ctx)
		if short := measureAtLeast - now.Sub(from); short > 0 && since(ctx, changeProofInTime) {
			pause = short
			continue
		}
		m := r.measure(ctx, i, from, now, every, true)
		m.uncounted = r.count(ctx, i)
		if r.yield || r.unproven(ctx, i) {
			return
		}
		s = &r.state.Case.Steps[i]
		last := !workflow.Now(ctx).Before(deadline)
		if last && s.ConfirmedAt.IsZero() && s.Problem == "" && since(ctx, changeProofInTime) {
			// The device may be about to carry it out: the lease soon says which.
			last = false
		}
		if answer := judge(*s, m); answer.proof == incident.Verified || last {
			if s.Counted != nil {
				s.Counted.Became = answer.became
			}
			r.proven(ctx, i, answer.proof, answer.detail)
			return
		}
		if m.wait > 0 {
			pause, late = min(max(m.wait, late), longest), min(2*late, longest)
		} else {
			every = min(every*3/2, longest)
			pause = every
		}
	}
}

// unproven reports whether the lease was over before an answer was known, and
// records it. That is no failure of the containment, so nobody is paged.
func (r *responder) unproven(ctx workflow.Context, i int) bool {
	s := &r.state.Case.Steps[i]
	given := s.Status != incident.StepStanding
	// The lease says that it is over when it was undone, which is later.
	expired := !s.Until.IsZero() && !workflow.Now(ctx).Before(s.Until)
	if !given && !expired || !since(ctx, changeProofInTime) {
		return given
	}
	end := s.EndedAt
	if end.IsZero() {
		end = s.Until
	}
	stood := max(end.Sub(s.AcceptedAt), 0).Round(time.Second)
	s.Proof = incident.CannotTell
	s.ProofDetail = fmt.Sprintf("the lease was over after %s, before it could be measured", incident.FormatDuration(stood))
	r.event(ctx, incident.EvCannotTell, s.Name, "%s: cannot tell whether it is effective, %s", s.Name, s.ProofDetail)
	r.countStep(ctx, protocol.MetricProofs, *s, protocol.LabelProof, string(s.Proof))
	return true
}

// proven records the answer, and pages people where the step asks for it.
func (r *responder) proven(ctx workflow.Context, i int, proof incident.Proof, detail string) {
	s := &r.state.Case.Steps[i]
	s.Proof, s.ProofDetail = proof, detail
	words, kind := proofWords(proof)
	if proof == incident.Verified {
		s.ProvenAt = workflow.Now(ctx)
		r.timedStep(ctx, *s, incident.StageEffective)
	}
	r.countStep(ctx, protocol.MetricProofs, *s, protocol.LabelProof, string(proof))
	r.event(ctx, kind, s.Name, "%s: %s, %s", s.Name, words, detail)
	if proof != incident.Verified && s.OnFailure == "page" {
		r.page(ctx, s.Name, fmt.Sprintf("%s: %s, %s", s.Name, words, detail))
	}
}

// proofWords are a proof for people, and the kind of its event.
func proofWords(proof incident.Proof) (string, incident.EventKind) {
	switch proof {
	case incident.Verified:
		return "effective", incident.EvVerified
	case incident.NotEffective:
		return "not effective", incident.EvNotEffective
	case incident.CannotTell, incident.NoProof:
	}
	return "cannot tell whether it is effective", incident.EvCannotTell
}

// measure asks the flow store for the mean egress, in bits per second, over the
// last window of a time: of what flowed before the step was accepted it must
// know nothing. Fell says whether it is to be seen that it fell, and not that the host sends.
func (r *responder) measure(ctx workflow.Context, i int, from, to time.Time, window time.Duration, fell bool) measured {
	e, ok := r.in.Pin.Enrichment(incident.TrafficFact)
	if !ok {
		return measured{why: "the playbook names no flow store"}
	}
	if len(r.state.IPs) == 0 {
		return measured{store: e.Use, why: cmp.Or(r.state.Case.Facts.Traffic.BytesOut.Why(), "the host's address is unknown")}
	}
	in := activities.MeasureIn{
		Use: e.Use, IPs: r.state.IPs, From: from, To: to, Window: window, Reports: r.state.Case.Facts.Traffic.Reports,
		Beside: r.state.Beside, Enforcer: r.state.Case.Steps[i].Use,
	}
	if s := r.state.Case.Steps[i]; fell && s.Verify != nil {
		in.Below, in.Began = s.Verify.EgressBelow, s.AcceptedAt
		rate, _ := r.state.Case.Facts.Traffic.Rate.Get()
		in.Shown = rate >= in.Below
	}
	out, err := ask(ctx, r.in.Pin.Queue(e.Use, incident.TrafficFact), measureTimeout, activities.Measure, in)
	m := measured{store: e.Use, sensor: out.Sensor, wait: out.Wait, beside: r.state.Beside, there: out.Beside}
	if err != nil {
		m.why = e.Use + ": " + activities.Reason(err)
		return m
	}
	rate, known := out.Rate.Get()
	if m.rate = rate; !known {
		m.why = out.Rate.Why()
	}
	return m
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
