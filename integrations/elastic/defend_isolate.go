package elastic

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// orderBody is the body of an action. It is made from one id, so that it cannot name none,
// or two.
type orderBody struct {
	EndpointIDs [1]agentID `json:"endpoint_ids"`
	AgentType   string     `json:"agent_type"`
	Comment     string     `json:"comment"`
	Parameters  any        `json:"parameters,omitempty"`
}

func bodyOf(id agentID, comment string, parameters any) orderBody {
	return orderBody{[1]agentID{id}, "endpoint", comment, parameters}
}

// isolationOrder refuses an order that cannot be meant, and returns its device.
func isolationOrder(op string, o incident.Order) (agentID, error) {
	if o.Action != incident.Isolate {
		return "", integrations.Errorf(integrations.Invalid, op, "action %q cannot be enforced: Elastic Defend isolates", o.Action)
	}
	return targeted(op, o.Target)
}

// Read implements [integrations.Enforcer].
func (d *Defend) Read(ctx context.Context, o incident.Order) (incident.Reading, error) {
	op := "read isolation of " + o.Target.Name()
	id, err := isolationOrder(op, o)
	if err != nil {
		return incident.Reading{}, err
	}
	of, s, err := d.state(ctx, op, id)
	if err != nil {
		return incident.Reading{}, err
	}
	return s.reading(of), nil
}

// state reads the device, and what was ordered on it.
func (d *Defend) state(ctx context.Context, op string, id agentID) (device, isolation, error) {
	var of device
	var actions []action
	err := httpx.All(
		func() (err error) { of, err = d.device(ctx, op, id); return err },
		func() (err error) { actions, err = d.actions(ctx, op, id, cmdIsolate, cmdUnisolate); return err },
	)
	if err != nil {
		return device{}, isolation{}, err
	}
	isolated := of.Metadata.Endpoint.State.Isolation
	switch {
	case isolated == nil:
		return device{}, isolation{}, integrations.Errorf(integrations.Unavailable, op, "the device does not say whether it is isolated")
	case of.written().IsZero():
		return device{}, isolation{}, integrations.Errorf(integrations.Unavailable, op, "the device does not say as of when it is isolated, or not")
	}
	return of, isolationOf(*isolated, of.written(), of.CheckIn.Time, actions), nil
}

// Apply implements [integrations.Enforcer].
//
// Between the read and the write another process can order the same: Kibana takes each
// isolation, and several make an endpoint unhealthy. There is one writer for each lease,
// and one lease for each device of an integration, so that it takes somebody else's order in
// that moment.
func (d *Defend) Apply(ctx context.Context, o incident.Order) (incident.Receipt, error) {
	op := "isolate " + o.Target.Name()
	return d.change(ctx, op, o, cmdIsolate, func(s isolation) (*incident.Receipt, error) {
		switch {
		case len(s.open) == 1 && s.open[0].is(cmdIsolate) && s.open[0].keyOf(leaseComment) == o.Key && !s.stands:
			return &incident.Receipt{Ref: s.open[0].ID, At: s.open[0].Started.Time, Detail: "accepted before"}, nil
		case len(s.open) > 0:
			return nil, busy(op, s.open)
		case s.stands && s.key() == o.Key:
			last := s.episode[len(s.episode)-1]
			return &incident.Receipt{Ref: last.ID, At: last.Started.Time, Detail: "in place before"}, nil
		case s.stands:
			return &incident.Receipt{At: d.now().UTC(), Detail: "already in place, made by somebody else"}, nil
		}
		return nil, nil
	})
}

// Undo implements [integrations.Enforcer].
func (d *Defend) Undo(ctx context.Context, o incident.Order) (incident.Receipt, error) {
	op := "give back " + o.Target.Name()
	return d.change(ctx, op, o, cmdUnisolate, func(s isolation) (*incident.Receipt, error) {
		switch {
		case len(s.open) > 0:
			return nil, busy(op, s.open)
		case !s.stands:
			return &incident.Receipt{At: d.now().UTC(), Detail: "nothing to undo"}, nil
		case s.key() != o.Key:
			return &incident.Receipt{At: d.now().UTC(), Detail: "left in place: made by somebody else"}, nil
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
func (d *Defend) change(ctx context.Context, op string, o incident.Order, command string, judge func(isolation) (*incident.Receipt, error)) (incident.Receipt, error) {
	id, err := isolationOrder(op, o)
	if err != nil {
		return incident.Receipt{}, err
	}
	text, err := comment(op, leaseComment, o.Key, o.Reason)
	if err != nil {
		return incident.Receipt{}, err
	}
	done, err := d.writing.Take(ctx, op, id)
	if err != nil {
		return incident.Receipt{}, err
	}
	defer done()
	of, s, err := d.state(ctx, op, id)
	if err != nil {
		return incident.Receipt{}, err
	}
	switch r, err := judge(s); {
	case err != nil:
		return incident.Receipt{}, err
	case r != nil:
		return *r, nil
	}
	if command == cmdIsolate {
		if err := d.leavesOpen(ctx, op, of, o.Except); err != nil {
			return incident.Receipt{}, err
		}
	}
	return d.order(ctx, op, id, command, bodyOf(id, text, nil))
}

// order sends the one write.
func (d *Defend) order(ctx context.Context, op string, id agentID, command string, body orderBody) (incident.Receipt, error) {
	var out struct {
		Data action `json:"data"`
	}
	c := call{op: op, method: http.MethodPost, path: actionsPath + "/" + strings.ReplaceAll(command, "-", "_"), write: true}
	if _, err := d.kibana.ask(ctx, c, body, &out); err != nil {
		return incident.Receipt{}, err
	}
	a := out.Data
	_, known := agentIDOf(a.ID)
	switch {
	case !known:
		return incident.Receipt{}, integrations.Errorf(integrations.Ambiguous, op, "the answer names no action")
	case len(a.Agents) > 1:
		return incident.Receipt{}, integrations.Errorf(integrations.Ambiguous, op, "%d devices were affected, 1 was meant", len(a.Agents))
	case len(a.Agents) == 1 && !a.on(id):
		return incident.Receipt{}, integrations.Errorf(integrations.Ambiguous, op,
			"another device may have been changed: Kibana answered with an action on %s, and %s was meant", httpx.Quote(a.Agents[0]), id)
	case len(a.Errors) > 0:
		return incident.Receipt{}, integrations.Errorf(integrations.Ambiguous, op, "Kibana answered with errors: %s", httpx.Quote(strings.Join(a.Errors, "; ")))
	}
	// The samples of the documents answer with another command, and without the comment:
	// it is remembered as what it was ordered as.
	a.Agents, a.Command, a.Comment = manyText{string(id)}, command, body.Comment
	if a.Started.IsZero() {
		a.Started.Time = d.now().UTC()
	}
	d.ordered.Add(a, d.now())
	return incident.Receipt{Ref: a.ID, At: a.Started.Time, Detail: fmt.Sprintf("accepted by Elastic: %s", a)}, nil
}
