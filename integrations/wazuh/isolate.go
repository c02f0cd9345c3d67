package wazuh

import (
	"context"
	"fmt"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// isolateScript is what the isolating script calls itself in its lines.
const isolateScript = "isolate"

// isolation is whether an agent's machine is cut off, as its script said last, and what is
// under way.
//
// It is as true as the machine is: who administers it can remove the rules of the firewall
// by hand, or write a line. What is older than the index keeps is not known.
type isolation struct {
	last     line
	reported bool
	// open are the orders that may still be carried out, lost those that nobody answered in
	// time.
	open, lost []sentOrder
}

func (s isolation) stands() bool { return s.reported && s.last.state == "isolated" }

// unclear reports whether the script said what we do not understand.
func (s isolation) unclear() bool {
	return s.reported && s.last.state != "isolated" && s.last.state != "none"
}

// key is the key of whoever isolated the machine, or is about to.
func (s isolation) key() string {
	if s.stands() {
		return s.last.owner
	}
	for _, all := range [][]sentOrder{s.open, s.lost} {
		if len(all) > 0 && all[len(all)-1].Verb == verbIsolate {
			return all[len(all)-1].Key
		}
	}
	return ""
}

// doubtful reports whether the last order is an isolation that nobody answered in time: it
// may have been carried out.
func (s isolation) doubtful() bool {
	return len(s.open) == 0 && len(s.lost) > 0 && s.lost[len(s.lost)-1].Verb == verbIsolate
}

func (s isolation) opened(verb string) bool {
	for _, o := range s.open {
		if o.Verb == verb {
			return true
		}
	}
	return false
}

// word is the state in the words of [incident.Endpoint].
func (s isolation) word() string {
	switch {
	case s.stands() && s.opened(verbRelease):
		return "releasing"
	case s.stands():
		return "isolated"
	case s.opened(verbIsolate) || s.doubtful():
		return "isolating"
	}
	return "none"
}

// reading is the state as an enforcer tells it.
func (s isolation) reading(a agent, now time.Time) incident.Reading {
	r := incident.Reading{Stands: s.stands(), Pending: len(s.open) > 0 || s.doubtful(), Key: s.key(), Heard: a.heard()}
	switch {
	case len(s.open) > 0:
		o := s.open[len(s.open)-1]
		r.Detail = fmt.Sprintf("the order to %s was sent to the agent %s ago, and its script has not reported yet", o.Verb, now.Sub(o.at).Round(time.Second))
		if !a.active() {
			r.Detail = fmt.Sprintf("the device is offline (agent %s) since the order to %s was sent; Wazuh does not send it again", httpx.Quote(a.Status), o.Verb)
		}
	case s.doubtful():
		r.Detail = fmt.Sprintf("the script of the agent has not reported for %s: is %s there, and its log read?",
			now.Sub(s.lost[len(s.lost)-1].at).Round(time.Minute), isolateCommand[1:])
	case s.reported:
		r.Detail = fmt.Sprintf("%s since %s, as the script on the machine said: %s", s.last.state, s.last.at.Format(time.RFC3339), s.last.result)
		if s.last.detail != "" {
			r.Detail += ": " + httpx.Quote(s.last.detail)
		}
	}
	return r
}

// reported reads what the script of an agent said last, and what was sent since.
func (c *Client) reported(ctx context.Context, op string, id agentID) (isolation, error) {
	lines, err := c.reports(ctx, op, id, isolateScript)
	if err != nil {
		return isolation{}, err
	}
	var s isolation
	s.last, s.reported = newest(lines)
	now := c.now()
	for _, o := range c.sent.unanswered(id, lines, verbIsolate, verbRelease) {
		if o.open(now) {
			s.open = append(s.open, o)
			continue
		}
		s.lost = append(s.lost, o)
	}
	return s, nil
}

// state reads an agent and whether it is isolated.
func (c *Client) state(ctx context.Context, op string, id agentID) (agent, isolation, error) {
	var a agent
	var s isolation
	err := httpx.All(
		func() error { return c.supported(ctx, op) },
		func() (err error) { a, err = c.agent(ctx, op, id); return err },
		func() (err error) { s, err = c.reported(ctx, op, id); return err },
	)
	if err == nil && s.unclear() {
		err = integrations.Errorf(integrations.Unavailable, op, "the script on the agent says that its state is %s, which is not known here", httpx.Quote(s.last.state))
	}
	return a, s, err
}

// ordered refuses an order that cannot be meant, and returns its agent.
func ordered(op string, o incident.Order) (agentID, error) {
	if o.Action != incident.Isolate {
		return "", integrations.Errorf(integrations.Invalid, op, "action %q cannot be enforced: our script on the agent isolates", o.Action)
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
	a, s, err := c.state(ctx, op, id)
	if err != nil {
		return incident.Reading{}, err
	}
	return s.reading(a, c.now()), nil
}

// Apply implements [integrations.Enforcer].
//
// What another process has just ordered is not seen, for the manager keeps no orders: two
// would be carried out in the order of their numbers, whichever arrives first, and one that
// repeats what stands changes nothing. There is one writer for each lease, and one lease for
// each device of an integration.
func (c *Client) Apply(ctx context.Context, o incident.Order) (incident.Receipt, error) {
	op := "isolate " + o.Target.Name()
	return c.change(ctx, op, o, verbIsolate, func(s isolation) (*incident.Receipt, error) {
		switch {
		case len(s.open) == 1 && s.open[0].Verb == verbIsolate && s.open[0].Key == o.Key && !s.stands():
			return &incident.Receipt{Ref: s.open[0].Number, At: s.open[0].at.UTC(), Detail: "sent before"}, nil
		case len(s.open) > 0:
			return nil, busy(op, s.open[0])
		case s.stands() && s.key() == o.Key:
			return &incident.Receipt{At: s.last.at, Detail: "in place before"}, nil
		case s.stands():
			return &incident.Receipt{At: c.now().UTC(), Detail: "already in place, made by somebody else"}, nil
		}
		return nil, nil
	})
}

// Undo implements [integrations.Enforcer]. An isolation that the script has not answered in
// time may have been carried out: it is given back, too.
func (c *Client) Undo(ctx context.Context, o incident.Order) (incident.Receipt, error) {
	op := "give back " + o.Target.Name()
	return c.change(ctx, op, o, verbRelease, func(s isolation) (*incident.Receipt, error) {
		switch {
		case len(s.open) > 0:
			return nil, busy(op, s.open[0])
		case !s.stands() && !s.doubtful():
			return &incident.Receipt{At: c.now().UTC(), Detail: "nothing to undo"}, nil
		case s.key() != o.Key:
			return &incident.Receipt{At: c.now().UTC(), Detail: "left in place: made by somebody else"}, nil
		}
		return nil, nil
	})
}

// busy is the error while an order is open: those of ours are carried out in the order of
// their numbers, and one at a time is easier to tell people.
func busy(op string, o sentOrder) error {
	return integrations.Errorf(integrations.Conflict, op, "the order to %s, sent at %s, is open on the agent", o.Verb, o.at.UTC().Format(time.RFC3339))
}

// change reads the agent, and writes where judge has no receipt for the state that is
// there. In this process one such change of an agent is under way at a time.
func (c *Client) change(ctx context.Context, op string, o incident.Order, verb string, judge func(isolation) (*incident.Receipt, error)) (incident.Receipt, error) {
	id, err := ordered(op, o)
	if err != nil {
		return incident.Receipt{}, err
	}
	if err := checkKey(op, o.Key); err != nil {
		return incident.Receipt{}, err
	}
	to := order{Verb: verb, Key: o.Key}
	if verb == verbIsolate {
		if to.Open, err = openOf(op, o.Except); err != nil {
			return incident.Receipt{}, err
		}
	}
	done, err := c.writing.Take(ctx, op, id)
	if err != nil {
		return incident.Receipt{}, err
	}
	defer done()
	a, s, err := c.state(ctx, op, id)
	if err != nil {
		return incident.Receipt{}, err
	}
	switch r, err := judge(s); {
	case err != nil:
		return incident.Receipt{}, err
	case r != nil:
		return *r, nil
	}
	if err := a.reachable(op); err != nil {
		return incident.Receipt{}, err
	}
	sent, err := c.send(ctx, op, id, isolateCommand, to)
	if err != nil {
		return incident.Receipt{}, err
	}
	return incident.Receipt{Ref: sent.Number, At: c.now().UTC(), Detail: "sent to the agent by Wazuh"}, nil
}
