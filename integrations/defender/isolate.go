package defender

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// verb is what is ordered: an isolation, or its end.
type verb struct{ kind, path string }

func (v verb) body(comment string) any {
	if v.kind == typeIsolate {
		return struct{ Comment, IsolationType string }{comment, "Full"}
	}
	return struct{ Comment string }{comment}
}

func isolating() verb { return verb{typeIsolate, "/isolate"} }
func releasing() verb { return verb{typeUnisolate, "/unisolate"} }

// ordered refuses an order that cannot be meant, and returns its device.
func ordered(op string, o incident.Order) (machineID, error) {
	if o.Action != incident.Isolate {
		return "", integrations.Errorf(integrations.Invalid, op, "action %q cannot be enforced: Defender isolates", o.Action)
	}
	return targeted(op, o.Target)
}

// Read implements [integrations.Enforcer].
func (c *Client) Read(ctx context.Context, o incident.Order) (incident.Reading, error) {
	op := "read isolation of " + o.Target.Name()
	id, err := ordered(op, o)
	if err != nil {
		return incident.Reading{}, err
	}
	m, s, err := c.state(ctx, op, id)
	if err != nil {
		return incident.Reading{}, err
	}
	r := s.reading(m, c.now())
	if o.HeardWithin > 0 && r.Stands && !r.Pending && r.Heard.IsZero() {
		r.Heard = c.heard(ctx, op, id, s.heard)
	}
	return r, nil
}

// heard is the time of the newest event that the device recorded since, and that has come
// to Defender: its agent reaches the cloud. That none has come proves nothing, nor that
// hunting cannot be asked: the zero time says neither. A device whose clock is ahead seems
// to have been heard too early.
func (c *Client) heard(ctx context.Context, op string, id machineID, since time.Time) time.Time {
	to := c.now().UTC().Add(time.Hour)
	if !since.Before(to) || to.Sub(since) > huntingKept {
		return time.Time{}
	}
	rows, err := c.hunt(ctx, op, events("DeviceProcessEvents", id, since.Add(tick), to).newest(1, []string{"Timestamp"}))
	if err != nil || len(rows) == 0 {
		return time.Time{}
	}
	return rows[0].at("Timestamp")
}

// state reads the device, and what was ordered on it.
func (c *Client) state(ctx context.Context, op string, id machineID) (machine, isolation, error) {
	var m machine
	var actions []action
	err := httpx.All(
		func() (err error) { m, err = c.machine(ctx, op, id); return err },
		func() (err error) { actions, err = c.actions(ctx, op, id); return err },
	)
	if err != nil {
		return machine{}, isolation{}, err
	}
	return m, isolationOf(actions), nil
}

// machine reads one device.
func (c *Client) machine(ctx context.Context, op string, id machineID) (machine, error) {
	var m machine
	if err := c.api.get(ctx, op, id.path(""), &m); err != nil {
		return machine{}, err
	}
	// A computer's name in place of the id finds a device too.
	if got, ok := machineIDOf(m.ID); !ok || got != id {
		return machine{}, integrations.Errorf(integrations.Unavailable, op, "Defender answered with the device %s", httpx.Quote(m.ID))
	}
	return m, nil
}

// known is an error where Defender does not know a device. One that it does not know has no
// events either, and one that has some need not be asked about.
func (c *Client) known(ctx context.Context, op string, id machineID) error {
	_, err := c.machine(ctx, op, id)
	return err
}

// Apply implements [integrations.Enforcer]. The isolation is always a full one.
//
// Between the read and the write another process can order the same: Defender then
// answers with a conflict, with the action that is open, or with one more that stays open.
// There is one writer for each lease, and one lease for each device of an integration, so
// that it takes somebody else's order in that moment.
func (c *Client) Apply(ctx context.Context, o incident.Order) (incident.Receipt, error) {
	op := "isolate " + o.Target.Name()
	return c.change(ctx, op, o, isolating(), func(s isolation) (*incident.Receipt, error) {
		mine := func(a action) bool { return a.keyOf(leaseComment) == o.Key }
		switch {
		case len(s.open) == 1 && s.open[0].is(typeIsolate) && mine(s.open[0]) && !s.stands():
			return &incident.Receipt{Ref: s.open[0].ID, At: s.open[0].Created.Time, Detail: "accepted before"}, nil
		case len(s.open) > 0:
			return nil, busy(op, s.open)
		case s.stands() && s.key() == o.Key:
			last := s.episode[len(s.episode)-1]
			return &incident.Receipt{Ref: last.ID, At: last.Created.Time, Detail: "in place before"}, nil
		case s.stands():
			return &incident.Receipt{At: c.now().UTC(), Detail: "already in place, made by somebody else"}, nil
		}
		return nil, nil
	})
}

// Undo implements [integrations.Enforcer].
func (c *Client) Undo(ctx context.Context, o incident.Order) (incident.Receipt, error) {
	op := "give back " + o.Target.Name()
	return c.change(ctx, op, o, releasing(), func(s isolation) (*incident.Receipt, error) {
		switch {
		case len(s.open) > 0:
			return nil, busy(op, s.open)
		case !s.stands():
			return &incident.Receipt{At: c.now().UTC(), Detail: "nothing to undo"}, nil
		case s.key() != o.Key:
			return &incident.Receipt{At: c.now().UTC(), Detail: "left in place: made by somebody else"}, nil
		}
		return nil, nil
	})
}

// busy is the error while actions are open, whoever ordered them: they are carried out in
// any order.
func busy(op string, open []action) error {
	return integrations.Errorf(integrations.Conflict, op, "an action is open on the device: %s", open[0])
}

// change reads the device, and writes where judge has no receipt for the state that is
// there. In this process one such change of a device is under way at a time.
func (c *Client) change(ctx context.Context, op string, o incident.Order, v verb, judge func(isolation) (*incident.Receipt, error)) (incident.Receipt, error) {
	id, err := ordered(op, o)
	if err != nil {
		return incident.Receipt{}, err
	}
	text, err := comment(op, leaseComment, o.Key, o.Reason)
	if err != nil {
		return incident.Receipt{}, err
	}
	done, err := c.writing.Take(ctx, op, id)
	if err != nil {
		return incident.Receipt{}, err
	}
	defer done()
	_, s, err := c.state(ctx, op, id)
	if err != nil {
		return incident.Receipt{}, err
	}
	switch r, err := judge(s); {
	case err != nil:
		return incident.Receipt{}, err
	case r != nil:
		return *r, nil
	}
	return c.order(ctx, op, id, v, text)
}

// order sends the one write.
func (c *Client) order(ctx context.Context, op string, id machineID, v verb, text string) (incident.Receipt, error) {
	var a action
	if _, err := c.api.ask(ctx, call{op: op, method: http.MethodPost, path: id.path(v.path), write: true}, v.body(text), &a); err != nil {
		return incident.Receipt{}, err
	}
	return c.accepted(op, id, v.kind, text, a)
}

// accepted is the receipt of an action that Defender answered a write with.
func (c *Client) accepted(op string, id machineID, kind, text string, a action) (incident.Receipt, error) {
	switch {
	case a.ID == "":
		return incident.Receipt{}, integrations.Errorf(integrations.Ambiguous, op, "the answer names no action")
	case !a.on(id):
		return incident.Receipt{}, integrations.Errorf(integrations.Ambiguous, op,
			"another device may have been changed: Defender answered with an action on %s, and %s was meant", httpx.Quote(a.Machine), id)
	case !a.is(kind) || a.Comment != text:
		return incident.Receipt{}, integrations.Errorf(integrations.Conflict, op, "another action is open on the device: %s", a)
	}
	c.ordered.Add(a, c.now())
	at := a.Created.Time
	if at.IsZero() {
		at = c.now().UTC()
	}
	return incident.Receipt{Ref: a.ID, At: at, Detail: fmt.Sprintf("accepted by Defender (%s)", a.Status)}, nil
}
