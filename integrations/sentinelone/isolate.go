package sentinelone

import (
	"context"
	"sync"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// remembered is how long an order that was accepted counts though the status does not show
// it: whether it does so at once is not documented.
const remembered = 2 * time.Minute

// ordered are the orders that this process has placed a moment ago.
type ordered struct {
	mu  sync.Mutex
	all map[agentID]placed
}

// placed is an order: the status that it began with, and the one that it leads to at first.
type placed struct {
	from, to status
	at       time.Time
}

func (o *ordered) add(a agentID, p placed) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.all == nil {
		o.all = map[agentID]placed{}
	}
	for other, old := range o.all {
		if p.at.Sub(old.at) > remembered {
			delete(o.all, other)
		}
	}
	o.all[a] = p
}

// seen is a status, corrected by an order that the console does not show yet. Once it has
// shown another one the order is forgotten.
func (o *ordered) seen(a agentID, s status, now time.Time) status {
	o.mu.Lock()
	defer o.mu.Unlock()
	p, ok := o.all[a]
	if !ok {
		return s
	}
	if s == p.from && now.Sub(p.at) <= remembered {
		return p.to
	}
	delete(o.all, a)
	return s
}

// ours reports whether what is in place or under way on the device was made with the key.
func (a agent) ours(key string) bool {
	switch a.Status {
	case disconnecting, disconnected:
		return a.bears(mark(key))
	case connecting:
		return a.bears(mark(key)) || a.bears(lifted(key))
	case connected:
	}
	return false
}

// whose is the key of who made what is in place or under way: the one that is asked about,
// or the mark of another one, or empty for somebody who leaves none.
func (a agent) whose(key string) string {
	if a.ours(key) {
		return key
	}
	_, has := a.identifier()
	if has == mark(key) || has == lifted(key) || (has == "") || (has[:len(ended)] == ended) != (a.Status == connecting) {
		return ""
	}
	return has
}

// reading is the state of the device's isolation. While a lift is under way it is not taken
// for one that stands: it ends without further orders.
func (a agent) reading(key string) incident.Reading {
	var r incident.Reading
	switch a.Status {
	case disconnected:
		r.Stands = true
	case disconnecting:
		r.Pending, r.Detail = true, "accepted, not yet carried out by the device"
	case connecting:
		r.Pending, r.Detail = true, "being lifted, not yet carried out by the device"
	case connected:
		return r
	}
	if r.Pending && a.Active != nil && !*a.Active {
		r.Detail = "the device is offline; queued at SentinelOne until it is back"
	}
	if r.Pending && a.gone() {
		r.Detail = "the console manages the device no more: it may never be carried out"
	}
	r.Key = a.whose(key)
	return r
}

// order checks an order, and returns its device.
func order(op string, o incident.Order, write bool) (agentID, error) {
	switch {
	case o.Action != incident.Isolate:
		return agentID{}, integrations.Errorf(integrations.Invalid, op, "action %q cannot be enforced", o.Action)
	case write && o.Key == "":
		return agentID{}, integrations.Errorf(integrations.Invalid, op, "the order has no key")
	}
	return agentOf(op, o.Target)
}

// isolation reads a device, with the status that counts in its Status, and refuses one that
// is not known: what may be done to the device is not known then.
func (c *Client) isolation(ctx context.Context, op string, id agentID) (agent, error) {
	a, err := c.agent(ctx, op, id)
	if err != nil {
		return a, err
	}
	a.Status = a.networkStatus()
	if !a.Status.isolation().IsKnown() {
		return a, integrations.Errorf(integrations.Unavailable, op, "whether the device is isolated is not known: %s", a.Status.isolation().Why())
	}
	a.Status = c.ordered.seen(id, a.Status, c.now())
	return a, nil
}

// Read implements [integrations.Enforcer].
func (c *Client) Read(ctx context.Context, o incident.Order) (incident.Reading, error) {
	op := "read isolation of " + httpx.Line(o.Target.ID())
	id, err := order(op, o, false)
	if err != nil {
		return incident.Reading{}, err
	}
	a, err := c.isolation(ctx, op, id)
	if err != nil {
		return incident.Reading{}, err
	}
	r := a.reading(o.Key)
	r.Heard = a.heard(c.now())
	return r, nil
}

// Apply implements [integrations.Enforcer]. It marks the device, sees the mark there, and
// then isolates it: without the mark nobody could tell whose the isolation is.
//
// Who isolates the device by hand between the last read and the order leaves an isolation
// that looks ours. A lease is one workflow, so that of Stanch there is one writer for a
// device.
func (c *Client) Apply(ctx context.Context, o incident.Order) (incident.Receipt, error) {
	op := "isolate " + httpx.Line(o.Target.ID())
	id, err := order(op, o, true)
	if err != nil {
		return incident.Receipt{}, err
	}
	unlock, err := c.devices.Take(ctx, op, id)
	if err != nil {
		return incident.Receipt{}, err
	}
	defer unlock()
	a, err := c.isolation(ctx, op, id)
	if err != nil {
		return incident.Receipt{}, err
	}
	if r, done, err := c.standing(op, a, o); done || err != nil {
		return r, err
	}
	if a.gone() {
		return incident.Receipt{}, integrations.Errorf(integrations.Invalid, op, "the console manages the device no more: it is decommissioned or uninstalled")
	}
	if !a.bears(mark(o.Key)) {
		if err := c.setMark(ctx, op, id, a, mark(o.Key)); err != nil {
			return incident.Receipt{}, err
		}
		if a, err = c.isolation(ctx, op, id); err != nil {
			return incident.Receipt{}, err
		}
		if r, done, err := c.standing(op, a, o); done || err != nil {
			return r, err
		}
	}
	if !a.bears(mark(o.Key)) {
		return incident.Receipt{}, integrations.Errorf(integrations.Conflict, op, "nothing was ordered: SentinelOne does not show the device's new identifier yet")
	}
	return c.write(ctx, op, id, "disconnect", placed{from: connected, to: disconnecting})
}

// standing is the receipt for a device on which nothing must be ordered, or the conflict
// with what is under way there.
func (c *Client) standing(op string, a agent, o incident.Order) (r incident.Receipt, done bool, err error) {
	switch {
	case a.Status == connected:
		return r, false, nil
	case a.Status == connecting:
		return r, false, integrations.Errorf(integrations.Conflict, op, "an isolation is being lifted")
	case a.ours(o.Key):
		return incident.Receipt{At: c.now().UTC(), Detail: "accepted before"}, true, nil
	case a.Status == disconnecting:
		return r, false, integrations.Errorf(integrations.Conflict, op, "somebody else's isolation is under way")
	}
	return incident.Receipt{At: c.now().UTC(), Detail: "already in place, made by somebody else"}, true, nil
}

// Undo implements [integrations.Enforcer].
func (c *Client) Undo(ctx context.Context, o incident.Order) (incident.Receipt, error) {
	op := "lift isolation of " + httpx.Line(o.Target.ID())
	id, err := order(op, o, true)
	if err != nil {
		return incident.Receipt{}, err
	}
	unlock, err := c.devices.Take(ctx, op, id)
	if err != nil {
		return incident.Receipt{}, err
	}
	defer unlock()
	a, err := c.isolation(ctx, op, id)
	if err != nil {
		return incident.Receipt{}, err
	}
	switch {
	case a.Status == connected:
		err := c.disclaim(ctx, op, id, a, o.Key)
		return incident.Receipt{At: c.now().UTC(), Detail: "nothing to undo"}, err
	case a.Status == disconnected && !a.ours(o.Key):
		return incident.Receipt{At: c.now().UTC(), Detail: "left in place: made by somebody else"}, nil
	case a.Status == connecting:
		if err := c.disclaim(ctx, op, id, a, o.Key); err != nil {
			return incident.Receipt{}, err
		}
		return incident.Receipt{}, integrations.Errorf(integrations.Conflict, op, "an isolation is being lifted already")
	case a.Status != disconnected:
		return incident.Receipt{}, integrations.Errorf(integrations.Conflict, op, "an isolation is under way")
	}
	r, err := c.write(ctx, op, id, "connect", placed{from: disconnected, to: connecting})
	if err != nil {
		return r, err
	}
	// The lift is accepted, whatever becomes of the mark: the next look at the device tidies
	// it.
	if a, err = c.isolation(ctx, op, id); err == nil {
		_ = c.disclaim(ctx, op, id, a, o.Key)
	}
	return r, nil
}

// disclaim takes the key's mark off a device whose isolation was lifted. While the lift is
// under way the mark of the end takes its place, so that the lift is known as ours, and that
// an isolation that somebody orders afterwards is not.
func (c *Client) disclaim(ctx context.Context, op string, id agentID, a agent, key string) error {
	switch {
	case a.Status == connecting && a.bears(mark(key)):
		return c.setMark(ctx, op, id, a, lifted(key))
	case a.Status == connected && a.bears(mark(key)):
		// Whether an identifier may be empty is not documented. The mark of the end means
		// nothing on a device that is connected, and may stay.
		if err := c.setMark(ctx, op, id, a, ""); integrations.KindOf(err) != integrations.Invalid || err == nil {
			return err
		}
		return c.setMark(ctx, op, id, a, lifted(key))
	case a.Status == connected && a.bears(lifted(key)):
		if err := c.setMark(ctx, op, id, a, ""); err != nil && integrations.KindOf(err) != integrations.Invalid {
			return err
		}
	}
	return nil
}

// acting is the body of an action on one device.
type acting struct {
	Filter filter `json:"filter"`
}

// write orders an action on one device.
func (c *Client) write(ctx context.Context, op string, id agentID, action string, p placed) (incident.Receipt, error) {
	if err := c.act(ctx, op, "/agents/actions/"+action, acting{filterOf(id)}); err != nil {
		return incident.Receipt{}, err
	}
	p.at = c.now()
	c.ordered.add(id, p)
	return incident.Receipt{At: c.now().UTC(), Detail: "accepted"}, nil
}
