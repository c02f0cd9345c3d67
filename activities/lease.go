package activities

import (
	"context"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// What a lease does to a device, and how it reads it.
var (
	Apply = Ref[LeaseIn, Applied]{"apply"}
	Read  = Ref[LeaseIn, incident.Reading]{"read"}
	Undo  = Ref[LeaseIn, incident.Receipt]{"undo"}
	Renew = Ref[LeaseIn, struct{}]{"renew"}
	// Loosen has a limit hold a higher rate: whoever needed the lower one needs it no more.
	Loosen = Ref[LoosenIn, Loosened]{"loosen"}
)

// LeaseIn names the integration and the order.
type LeaseIn struct {
	Use   string         `json:"use"`
	Order incident.Order `json:"order"`
	// Case is a case that needs the lease, for the log.
	Case string `json:"case,omitempty"`
	// Undone reports, of a read, that the containment was lifted before it.
	Undone bool `json:"undone,omitempty"`
}

// outside reports whether an error says that a product, which knows devices by their
// addresses, does not have to do with the order's any more: its configuration was changed
// since. What it has of the order is given back by its key all the same.
func (in LeaseIn) outside(err error) bool {
	return err != nil && integrations.KindOf(err) == integrations.NotFound && len(in.Order.Addresses) > 0
}

// LoosenIn is a limit with its higher rate, and the rate that it has had, in bits per second.
type LoosenIn struct {
	LeaseIn
	Was int64 `json:"was"`
}

// Loosened reports whether it was done.
type Loosened struct {
	Done bool `json:"done,omitempty"`
}

// Applied is what apply found and did.
type Applied struct {
	// Adopted reports whether the containment was there already, made by somebody else.
	Adopted bool             `json:"adopted"`
	Before  incident.Reading `json:"before"`
	Receipt incident.Receipt `json:"receipt"`
	// Stands reports whether a read of the device after the write shows it in place.
	Stands bool `json:"stands,omitempty"`
	// Counts reports whether the product counts what it lets through and drops.
	Counts bool `json:"counts,omitempty"`
}

// apply reads the state before it writes: what is in place already, and as strict, is adopted, and
// what an earlier attempt of ours made, whose answer was lost, is found again. What
// is open on the device, ours too, may as well be the end of what stands: the product
// decides whether it is what was asked for, or is waited for, by a conflict.
func (a *Activities) apply(ctx context.Context, in LeaseIn) (Applied, error) {
	enforcer, err := use[integrations.Enforcer](a, in.Use)
	if err != nil {
		return Applied{}, err
	}
	ctx = integrations.ForChange(ctx)
	before, err := enforcer.Read(ctx, in.Order)
	if err != nil {
		return Applied{}, err
	}
	duplicates(ctx, in, before)
	ours := before.Key == in.Order.Key
	switch {
	case before.Stands && !before.Pending && !ours && !looser(before, in.Order):
		return Applied{
			Adopted: true, Before: before, Stands: before.Stands, Counts: before.Counters != nil,
			Receipt: incident.Receipt{At: a.now(), Detail: "it was already in place"},
		}, nil
	case ours && (before.Stands || before.Pending) && looser(before, in.Order):
		return a.tighten(ctx, in, enforcer)
	case ours && before.Stands && !before.Pending:
		return Applied{Stands: before.Stands, Counts: before.Counters != nil, Receipt: incident.Receipt{At: a.now(), Detail: "an earlier attempt had made it"}}, nil
	}
	receipt, err := enforcer.Apply(ctx, in.Order)
	if err != nil {
		return Applied{}, err
	}
	if receipt.At.IsZero() {
		receipt.At = a.now()
	}
	// Most products carry it out at once. Those that do not are read again
	// later; a read that fails now takes nothing back.
	if ours {
		before = incident.Reading{} // An earlier attempt of ours was under way.
	}
	after, err := enforcer.Read(ctx, in.Order)
	duplicates(ctx, in, after)
	if err == nil && after.Stands && after.Key != in.Order.Key && looser(after, in.Order) {
		return Applied{}, integrations.Errorf(integrations.Conflict, "apply the limit", "somebody else's of %s is in place, which is looser",
			incident.FormatRate(after.Rate))
	}
	if err == nil && before.Pending && (after.Stands || after.Pending) && after.Key != in.Order.Key {
		return Applied{Adopted: true, Before: before, Stands: after.Stands, Counts: after.Counters != nil, Receipt: receipt}, nil
	}
	return Applied{
		Before: before, Receipt: receipt, Counts: err == nil && after.Counters != nil,
		Stands: err == nil && after.Stands && after.Key == in.Order.Key,
	}, nil
}

// tighten has a limit of ours hold a lower rate. Where the product keeps the looser
// one, that one is lifted, and makes room for the next attempt: in between nothing is
// limited, which is why it is the last resort.
func (a *Activities) tighten(ctx context.Context, in LeaseIn, enforcer integrations.Enforcer) (Applied, error) {
	receipt, err := enforcer.Apply(ctx, in.Order)
	if err != nil && integrations.KindOf(err) != integrations.Conflict {
		return Applied{}, err
	}
	after, err := enforcer.Read(ctx, in.Order)
	if err != nil {
		return Applied{}, err
	}
	duplicates(ctx, in, after)
	if ours := after.Key == in.Order.Key; ours && (after.Stands || after.Pending) && !looser(after, in.Order) {
		return Applied{Receipt: receipt, Stands: after.Stands && !after.Pending}, nil
	}
	if _, err := enforcer.Undo(ctx, in.Order); err != nil {
		return Applied{}, err
	}
	return Applied{}, integrations.Errorf(integrations.Conflict, "tighten the limit", "the looser one is being lifted")
}

func looser(before incident.Reading, o incident.Order) bool {
	return o.Rate > 0 && before.Rate > o.Rate
}

func (a *Activities) read(ctx context.Context, in LeaseIn) (incident.Reading, error) {
	enforcer, err := use[integrations.Enforcer](a, in.Use)
	if err != nil {
		return incident.Reading{}, err
	}
	r, err := enforcer.Read(ctx, in.Order)
	if in.Undone && in.outside(err) {
		return incident.Reading{}, nil
	}
	return r, err
}

// undo lifts the containment if it still is ours, and reads it back.
func (a *Activities) undo(ctx context.Context, in LeaseIn) (incident.Receipt, error) {
	enforcer, err := use[integrations.Enforcer](a, in.Use)
	if err != nil {
		return incident.Receipt{}, err
	}
	ctx = integrations.ForChange(ctx)
	before, err := enforcer.Read(ctx, in.Order)
	outside := in.outside(err)
	if err != nil && !outside {
		return incident.Receipt{}, err
	}
	duplicates(ctx, in, before)
	switch {
	case outside:
	case !before.Stands && !before.Pending:
		return incident.Receipt{At: a.now(), Detail: "it was no longer in place"}, nil
	case before.Key != in.Order.Key:
		return incident.Receipt{At: a.now(), Detail: "somebody else's containment is in place; it was left alone"}, nil
	}
	receipt, err := enforcer.Undo(ctx, in.Order)
	if err != nil {
		return incident.Receipt{}, err
	}
	// The words are ours: a detail is set only where nothing had to be lifted.
	return incident.Receipt{Ref: receipt.Ref, At: a.now()}, nil
}

// renew tells a product that ends a containment by itself that its end is later now, where
// it still is in place and ours. It changes nothing else: that it is gone, or has another
// rate, may be what a person wanted.
func (a *Activities) renew(ctx context.Context, in LeaseIn) (struct{}, error) {
	enforcer, err := use[integrations.Enforcer](a, in.Use)
	if err != nil {
		return struct{}{}, err
	}
	ctx = integrations.ForChange(ctx)
	before, err := enforcer.Read(ctx, in.Order)
	if err != nil || !before.Stands || before.Key != in.Order.Key {
		return struct{}{}, err
	}
	if before.Rate > 0 {
		in.Order.Rate = before.Rate
	}
	_, err = enforcer.Apply(ctx, in.Order)
	return struct{}{}, err
}

// loosen makes a limit of ours anew with its higher rate: products keep the lower of two.
// What a person has changed or taken away is left as it is.
func (a *Activities) loosen(ctx context.Context, in LoosenIn) (Loosened, error) {
	enforcer, err := use[integrations.Enforcer](a, in.Use)
	if err != nil {
		return Loosened{}, err
	}
	ctx = integrations.ForChange(ctx)
	before, err := enforcer.Read(ctx, in.Order)
	if err != nil {
		return Loosened{}, err
	}
	as := incident.Lease{Phase: incident.Confirmed, Order: in.Order}
	as.Order.Rate = in.Was
	switch {
	case before.Stands && before.Key == in.Order.Key && before.Rate >= in.Order.Rate:
		return Loosened{Done: true}, nil // An earlier attempt has made it.
	case len(as.Drift(before)) == 0:
		if _, err := enforcer.Undo(ctx, in.Order); err != nil {
			return Loosened{}, err
		}
	case !earlier(ctx) || before.Stands || before.Pending:
		return Loosened{}, nil
	}
	_, err = enforcer.Apply(ctx, in.Order)
	return Loosened{Done: err == nil}, err
}
