package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// measured is what the flow store saw of a host's egress, and why the product's counters
// could not be read.
type measured struct {
	// store is the flow store, sensor where its sensors sit, seen from the enforcer.
	store  string
	sensor incident.SensorPlace
	// rate is in bits per second; why says why it is not known.
	rate int64
	why  string
	// beside are addresses that may be the host's, there is the egress that was measured at
	// them; nil where it was not.
	beside []string
	there  *incident.Value[int64]
	// wait is after how long it may be known, where only records are missing that come.
	wait time.Duration
	// uncounted says why nothing was counted since the last measurement.
	uncounted string
}

// verdict is what the flow store and the counters say together.
type verdict struct {
	proof  incident.Proof
	became incident.Became
	detail string
}

// count reads what the product of a step counted, and notes it. It returns why it could
// not.
func (r *responder) count(ctx workflow.Context, i int) (uncounted string) {
	s := r.state.Case.Steps[i]
	if !s.Counts || r.state.Case.Plan.Target == nil || !since(ctx, changeCountDrops) {
		return s.Use + " does not count what it lets through"
	}
	order := r.order(i)
	order.Key = protocol.LeaseID(s.Use, order)
	reading, err := ask(ctx, r.in.Pin.Queue(s.Use, string(s.Action)), countTimeout, activities.Read, activities.LeaseIn{
		Use: s.Use, Order: order, Case: r.state.Case.ID,
	})
	switch {
	case err != nil:
		return s.Use + ": " + activities.Reason(err)
	case reading.Counters == nil:
		return s.Use + " has counted nothing: it is not in place there"
	}
	next := incident.Counted{}
	if before := r.state.Case.Steps[i].Counted; before != nil {
		next = *before
	}
	next = next.Then(*reading.Counters, workflow.Now(ctx))
	r.state.Case.Steps[i].Counted = &next
	return ""
}

// nextToNothing is the part of what a step asks for below which nothing worth a limit was
// there.
const nextToNothing = 100

// judge compares what the flow store saw, and what the product counted, with what the step
// asks for. An answer that is not verified may be another one after the next measurement.
func judge(s incident.StepState, m measured) verdict {
	v := judgeItsOwn(s, m)
	if m.there == nil || v.proof == incident.NotEffective {
		return v
	}
	rate, known := m.there.Get()
	switch {
	case !known:
		return verdict{incident.CannotTell, "", fmt.Sprintf("%s; %s, and what leaves there is unknown: %s", v.detail, activities.NamedBeside(m.beside), m.there.Why())}
	case rate >= s.Verify.EgressBelow:
		return verdict{incident.CannotTell, "", fmt.Sprintf("%s; %s, and %s leave there", v.detail, activities.NamedBeside(m.beside), incident.FormatRate(rate))}
	}
	return v
}

// judgeItsOwn judges what the host sends under the addresses that its EDR knows.
func judgeItsOwn(s incident.StepState, m measured) verdict {
	c := s.Counted
	if m.uncounted != "" {
		c = nil
	}
	also := ""
	if c != nil {
		also = "; " + c.Text(s.Use)
	}
	switch below := s.Verify.EgressBelow; {
	case m.sensor == incident.SensorBefore:
		return judgeBefore(s, m, c)
	case m.why != "":
		return verdict{incident.CannotTell, "", m.why + also}
	case m.rate < below:
		detail := fmt.Sprintf("egress is %s, below %s", incident.FormatRate(m.rate), incident.FormatRate(below))
		return verdict{incident.Verified, becameOf(s, c), detail + nothingThere(s, c) + also}
	default:
		detail := fmt.Sprintf("egress still is %s after %s, not below %s", incident.FormatRate(m.rate),
			incident.FormatDuration(s.Verify.Within), incident.FormatRate(below)) + also
		became, why := goesOn(s, m, c)
		return verdict{incident.NotEffective, became, detail + why}
	}
}

// becameOf is what became of egress that is as low as it was asked.
func becameOf(s incident.StepState, c *incident.Counted) incident.Became {
	switch {
	case c == nil:
		return ""
	case c.Met(s.Verify.EgressBelow/nextToNothing, c.At.Sub(s.AcceptedAt)):
		return incident.EgressFell
	}
	return incident.NothingToLimit
}

func nothingThere(s incident.StepState, c *incident.Counted) string {
	if becameOf(s, c) != incident.NothingToLimit {
		return ""
	}
	return "; nothing was there to limit"
}

// goesOn is what the counters tell of egress that is not as low as it was asked.
func goesOn(s incident.StepState, m measured, c *incident.Counted) (incident.Became, string) {
	switch {
	case c == nil || c.Passed == nil || *c.Passed >= s.Verify.EgressBelow:
		return "", ""
	case m.sensor == "" && meets(m, c):
		return "", fmt.Sprintf(", nearly all of what %s sees: its sensors may sit before %s; where they do, write sees: { %s: before } at %s in stanch.yaml",
			m.store, s.Use, s.Use, m.store)
	}
	return incident.ShiftedElsewhere, fmt.Sprintf(": it has shifted elsewhere, past %s", s.Use)
}

// meets reports whether the product meets at least half of what the flow store sees. The
// two are not of the same seconds, so that nothing nearer could be asked.
func meets(m measured, c *incident.Counted) bool { return 2*(*c.Passed+*c.Dropped) >= m.rate }

// judgeBefore judges by the counters: what the flow store's sensors see has not come to the
// product yet. They only tell whether all of it comes there.
func judgeBefore(s incident.StepState, m measured, c *incident.Counted) verdict {
	place := fmt.Sprintf("the sensors of %s sit before %s", m.store, s.Use)
	below := s.Verify.EgressBelow
	switch {
	case m.uncounted != "":
		return verdict{incident.CannotTell, "", place + ", and " + m.uncounted}
	case c == nil || c.Passed == nil:
		return verdict{incident.CannotTell, "", fmt.Sprintf("%s, and %s was read once only", place, s.Use)}
	}
	by, sees := c.Text(s.Use)+", by its own counters", m.why
	if m.why == "" {
		sees = fmt.Sprintf("%s sees %s before it", m.store, incident.FormatRate(m.rate))
	}
	switch shifted := m.why == "" && m.rate >= below && !meets(m, c); {
	case *c.Passed >= below:
		return verdict{incident.NotEffective, "", fmt.Sprintf("%s, not below %s after %s; %s", by, incident.FormatRate(below), incident.FormatDuration(s.Verify.Within), sees)}
	case shifted:
		return verdict{incident.NotEffective, incident.ShiftedElsewhere, fmt.Sprintf("%s; %s: it has shifted elsewhere, past %s", by, sees, s.Use)}
	case m.why != "" && *c.Passed+*c.Dropped < below/nextToNothing:
		return verdict{incident.CannotTell, "", fmt.Sprintf("%s meets next to nothing, and whether egress goes another way is not known: %s", s.Use, sees)}
	}
	return verdict{incident.Verified, becameOf(s, c), fmt.Sprintf("%s, below %s%s; %s", by, incident.FormatRate(below), nothingThere(s, c), sees)}
}
