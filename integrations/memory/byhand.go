package memory

import (
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Lift ends a containment as somebody does by hand at its product. It does not count as an
// effect of ours.
func (e *Estate) Lift(o incident.Order) error {
	return e.byHand("lift", o, func(c *containment) { c.EndsAt = e.now().UTC() })
}

// Retune gives a limit another rate, as somebody does by hand at its product.
func (e *Estate) Retune(o incident.Order, rate int64) error {
	return e.byHand("retune", o, func(c *containment) { c.Order.Rate, c.Tightened = rate, nil })
}

func (e *Estate) byHand(op string, o incident.Order, change func(*containment)) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.slot(o, e.now().UTC())
	if c == nil {
		return integrations.Errorf(integrations.NotFound, op+" "+string(o.Action)+" of "+o.Target.ID(), "nothing is in place")
	}
	changed := *c
	change(&changed)
	return e.commit(entry{Containment: &changed})
}
