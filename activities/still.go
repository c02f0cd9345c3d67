package activities

import (
	"context"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// What tells whether a host still sends, and whether a containment of it may go on.
var (
	// Recheck asks again what is asked right before a containing step, and takes nothing:
	// with the id by which the step was cleared, the budget counts it no second time.
	Recheck = Ref[ContainIn, ContainOut]{"recheck"}
	// Count reads what was counted of the traffic that an order is for.
	Count = Ref[CountIn, CountOut]{"count"}
	// Connected asks the EDR whether a process still has connections.
	Connected = Ref[ConnectedIn, ConnectedOut]{"connected"}
)

// recheck answers what keeps a containment from going on, or the zero ContainOut.
func (a *Activities) recheck(ctx context.Context, in ContainIn) (ContainOut, error) {
	held, err := a.check(ctx, in)
	return deref(held), err
}

// CountIn names an order. With an Until that is not zero, a rule that only counts is put
// in place where the containment is not, and is there until then.
type CountIn struct {
	Use   string         `json:"use"`
	Order incident.Order `json:"order"`
	Until time.Time      `json:"until,omitzero"`
}

// CountOut is what was counted; nil where nothing counts.
type CountOut struct {
	Count *incident.Count `json:"count,omitempty"`
}

// count reads the limiter itself, whoever has put it in place, and else a rule of ours that
// only counts.
func (a *Activities) count(ctx context.Context, in CountIn) (CountOut, error) {
	enforcer, err := use[integrations.Enforcer](a, in.Use)
	if err != nil {
		return CountOut{}, err
	}
	reading, err := enforcer.Read(ctx, in.Order)
	switch {
	case err != nil:
		return CountOut{}, err
	case reading.Stands && reading.Counters != nil:
		return CountOut{&incident.Count{At: a.now(), Counters: *reading.Counters, Limiter: true}}, nil
	case reading.Stands, in.Until.IsZero():
		return CountOut{}, nil
	}
	counter, err := use[integrations.Counter](a, in.Use)
	if err != nil {
		return CountOut{}, nil //nolint:nilerr // It cannot count, which is an answer.
	}
	// One that is asked for again later lasts on.
	lasts := min(in.Until.Sub(a.now()), integrations.LongestCount)
	if err := counter.CountOnly(ctx, in.Order, lasts); err != nil {
		return CountOut{}, err
	}
	counted, err := counter.Counted(ctx, in.Order)
	if err != nil {
		return CountOut{}, err
	}
	return CountOut{&incident.Count{At: a.now(), Counters: counted}}, nil
}

// ConnectedIn names a process of a device, and from when on it is asked about.
type ConnectedIn struct {
	Use    string          `json:"use"`
	Target incident.Target `json:"target"`
	PID    int64           `json:"pid"`
	From   time.Time       `json:"from"`
	To     time.Time       `json:"to"`
}

// ConnectedOut is how many connections of the process the EDR knows, of the first that it
// returned.
type ConnectedOut struct {
	Connections int `json:"connections"`
}

// maxStill bounds the connections that are looked through for a process.
const maxStill = 200

func (a *Activities) connected(ctx context.Context, in ConnectedIn) (ConnectedOut, error) {
	edr, err := use[integrations.Connections](a, in.Use)
	if err != nil {
		return ConnectedOut{}, err
	}
	found, err := edr.Connections(ctx, integrations.ConnectionQuery{Target: in.Target, From: in.From, To: in.To, Limit: maxStill})
	if err != nil {
		return ConnectedOut{}, err
	}
	var out ConnectedOut
	for _, c := range found {
		if pid, known := c.Process.PID.Get(); known && pid == in.PID {
			out.Connections++
		}
	}
	return out, nil
}
