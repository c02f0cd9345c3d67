// Package drift compares the leases that stand with what their products say now.
package drift

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/engine"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// readWithin bounds each call to a product, askWithin that to a lease which has another
	// process read it.
	readWithin = 10 * time.Second
	askWithin  = 15 * time.Second
)

// Leases is the engine, as far as it is asked. Compare has a lease ask its product. It and
// Lease answer with a not_found error where there is none of that id.
type Leases interface {
	Leases(ctx context.Context) (api.LeaseList, error)
	Lease(ctx context.Context, id string) (incident.Lease, error)
	Compare(ctx context.Context, id string) (protocol.Compared, error)
}

// Find reads the product of every lease that stands, several at once, and lists what
// differs, and what carries a key of ours though no lease stands for it. It changes
// nothing. Elsewhere reports whether only another process can read an integration's
// product: it is asked through the lease.
func Find(ctx context.Context, set *integrations.Set, leases Leases, elsewhere func(use string) bool) (api.DriftList, error) {
	list, err := leases.Leases(ctx)
	if err != nil {
		return api.DriftList{}, err
	}
	f := finder{set: set, leases: leases, elsewhere: elsewhere, known: map[string]bool{}}
	standing := slices.DeleteFunc(list.Leases, func(l incident.Lease) bool {
		f.known[l.ID] = true
		return l.Phase != incident.Holding && l.Phase != incident.Confirmed
	})
	out := api.DriftList{Read: len(standing), Drift: []incident.Drift{}, More: list.More}
	found := make([][]incident.Drift, len(standing))
	engine.SideBySide(len(standing), func(i int) { found[i] = f.compare(ctx, standing[i]) })
	for _, id := range list.Unread {
		f.known[id] = true
		found = append(found, []incident.Drift{{Lease: id, Kind: incident.DriftUnread, Detail: "the lease did not answer"}})
	}
	if !list.More {
		// Of what is beyond the list it could not be told from what nobody holds.
		found = append(found, f.strays(ctx))
	}
	for _, l := range standing {
		if _, err := integrations.Use[integrations.Lister](set, l.Use); err != nil && !elsewhere(l.Use) && !slices.Contains(out.Unlisted, l.Use) {
			out.Unlisted = append(out.Unlisted, l.Use)
		}
	}
	slices.Sort(out.Unlisted)
	out.Elsewhere = slices.DeleteFunc(set.Names(), func(name string) bool { return !elsewhere(name) })
	out.Drift = append(out.Drift, slices.Concat(found...)...)
	slices.SortStableFunc(out.Drift, func(a, b incident.Drift) int { return cmp.Or(cmp.Compare(a.Lease, b.Lease), cmp.Compare(a.Use, b.Use)) })
	return out, nil
}

type finder struct {
	set       *integrations.Set
	leases    Leases
	elsewhere func(use string) bool
	// known are the ids of the leases that run.
	known map[string]bool
}

// compare reads the product of one lease.
func (f finder) compare(ctx context.Context, l incident.Lease) []incident.Drift {
	if f.elsewhere(l.Use) {
		return f.compareThere(ctx, l)
	}
	read, err := f.read(ctx, l)
	if err != nil {
		return []incident.Drift{unread(l, err)}
	}
	found := l.Drift(read)
	if len(found) == 0 {
		return nil
	}
	// It may have been tightened, or have come to its end, since it was listed.
	now, err := f.leases.Lease(ctx, l.ID)
	switch {
	case integrations.KindOf(err) == integrations.NotFound:
		return nil
	case err != nil:
		return []incident.Drift{unread(l, err)}
	case !now.AppliedAt.Equal(l.AppliedAt):
		return nil
	}
	return now.Drift(read)
}

// compareThere has another process read the product of one lease.
func (f finder) compareThere(ctx context.Context, l incident.Lease) []incident.Drift {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	switch there, err := f.leases.Compare(ctx, l.ID); {
	case integrations.KindOf(err) == integrations.NotFound:
		return nil
	case err != nil:
		return []incident.Drift{unread(l, err)}
	case there.Unread != "":
		spec, _ := f.set.Spec(l.Use)
		return []incident.Drift{unread(l, fmt.Errorf("the process with the role %s was asked: %s", spec.Role, there.Unread))}
	default:
		return there.Drift
	}
}

func (f finder) read(ctx context.Context, l incident.Lease) (incident.Reading, error) {
	enforcer, err := integrations.Use[integrations.Enforcer](f.set, l.Use)
	if err != nil {
		return incident.Reading{}, err
	}
	ctx, end := within(ctx)
	defer end()
	return enforcer.Read(ctx, l.Order)
}

// within bounds one operation on a product.
func within(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	ctx, end := integrations.Operate(ctx)
	return ctx, func() { end(); cancel() }
}

func unread(l incident.Lease, err error) incident.Drift {
	return incident.Drift{Lease: l.ID, Use: l.Use, Host: l.Order.Target.Name(), Kind: incident.DriftUnread, Detail: "it could not be read: " + err.Error()}
}

// strays lists what carries a key of ours at the products that can list, each key once,
// though several names may lead to one product.
func (f finder) strays(ctx context.Context) []incident.Drift {
	names := slices.DeleteFunc(f.set.Names(), f.elsewhere)
	listed := make([][]incident.Drift, len(names))
	engine.SideBySide(len(names), func(i int) { listed[i] = f.straysAt(ctx, names[i]) })
	var found []incident.Drift
	for _, d := range slices.Concat(listed...) {
		at := slices.IndexFunc(found, func(o incident.Drift) bool { return d.Lease != "" && o.Lease == d.Lease })
		switch {
		case at < 0:
			found = append(found, d)
		case strings.Contains(d.Lease, "/"+d.Use+"/"):
			found[at] = d
		}
	}
	return found
}

func (f finder) straysAt(ctx context.Context, name string) []incident.Drift {
	lister, err := integrations.Use[integrations.Lister](f.set, name)
	if err != nil {
		return nil
	}
	bounded, end := within(ctx)
	orders, err := lister.Standing(bounded)
	end()
	if err != nil {
		return []incident.Drift{{Use: name, Kind: incident.DriftUnread, Detail: "what is in place there could not be listed: " + err.Error()}}
	}
	var found []incident.Drift
	for _, o := range orders {
		if f.known[o.Key] {
			continue
		}
		d := incident.Drift{
			Lease: o.Key, Use: name, Host: o.Target.Name(), Kind: incident.DriftStray,
			Detail: "it is in place at " + name + ", and no lease stands for it",
		}
		switch held, err := f.held(ctx, o.Key); {
		case err != nil:
			d.Kind, d.Detail = incident.DriftUnread, "whether a lease stands for it is not known: "+err.Error()
		case held:
			continue
		}
		found = append(found, d)
	}
	return found
}

// held reports whether a lease runs that the list did not have: it may be new.
func (f finder) held(ctx context.Context, key string) (bool, error) {
	if !strings.HasPrefix(key, protocol.LeaseWorkflow+"/") {
		return false, nil
	}
	l, err := f.leases.Lease(ctx, key)
	if integrations.KindOf(err) == integrations.NotFound {
		return false, nil
	}
	return err == nil && !engine.Ended(l), err
}
