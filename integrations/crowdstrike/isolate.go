package crowdstrike

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// orders are the words of Falcon's actions on devices.
const (
	contain         = "contain"
	liftContainment = "lift_containment"
	actionsPath     = "/devices/entities/devices-actions/v2"
)

// ours reports whether what is in place or under way on the device was made with the
// key.
func (d device) ours(key string) bool {
	switch d.Status {
	case containing, contained:
		return d.bears(mark(key)) && !d.bears(lifted(key))
	case lifting:
		return d.bears(mark(key)) || d.bears(lifted(key))
	case normal:
	}
	return false
}

// whose is the key of who made what is in place or under way: the one that is asked
// about, or the mark of another one, or empty for somebody who leaves none.
func (d device) whose(key string) string {
	if d.ours(key) {
		return key
	}
	for _, tag := range d.marks() {
		ended := strings.HasPrefix(tag, marked+liftWords)
		if tag != mark(key) && tag != lifted(key) && ended == (d.Status == lifting) {
			return tag
		}
	}
	return ""
}

// reading is the state of the device's containment. While a lift is under way it is not
// taken for one that stands: it ends without further orders.
func (d device) reading(key string) incident.Reading {
	var r incident.Reading
	switch d.Status {
	case contained:
		r.Stands = true
	case containing:
		r.Pending, r.Detail = true, "accepted, not yet carried out by the device"
	case lifting:
		r.Pending, r.Detail = true, "being lifted, not yet carried out by the device"
	case normal:
		return r
	}
	r.Key = d.whose(key)
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

// containment reads a device, and refuses a status that is not known: what may be done
// to it is not known then.
func (f *Falcon) containment(ctx context.Context, op string, a agentID) (device, error) {
	d, err := f.device(ctx, op, a)
	if err == nil && !d.Status.isolation().IsKnown() {
		err = integrations.Errorf(integrations.Unavailable, op, "whether the device is contained is not known: %s", d.Status.isolation().Why())
	}
	return d, err
}

// Read implements [integrations.Enforcer].
func (f *Falcon) Read(ctx context.Context, o incident.Order) (incident.Reading, error) {
	op := "read isolation of " + httpx.Line(o.Target.ID())
	a, err := order(op, o, false)
	if err != nil {
		return incident.Reading{}, err
	}
	var d device
	var online map[string]presence
	err = httpx.Together(ctx,
		func(ctx context.Context) (err error) { d, err = f.containment(ctx, op, a); return err },
		func(ctx context.Context) error {
			// The status is known without it.
			online, _ = f.online(ctx, op, []string{a.hex})
			return nil
		},
	)
	if err != nil {
		return incident.Reading{}, err
	}
	r, p := d.reading(o.Key), online[a.hex]
	if on, known := p.online().Get(); r.Pending && known && !on {
		r.Detail = "the device is offline; queued at Falcon until it is back"
	}
	r.Heard = d.heard(p, f.now())
	return r, nil
}

// Apply implements [integrations.Enforcer]. It marks the device, sees the mark there, and
// then contains it: without the mark nobody could tell whose the containment is.
//
// Who contains the device by hand between the last read and the order leaves a
// containment that looks ours. A lease is one workflow, so that of Stanch there is one
// writer for a device.
func (f *Falcon) Apply(ctx context.Context, o incident.Order) (incident.Receipt, error) {
	op := "isolate " + httpx.Line(o.Target.ID())
	a, err := order(op, o, true)
	if err != nil {
		return incident.Receipt{}, err
	}
	unlock, err := f.devices.Take(ctx, op, a)
	if err != nil {
		return incident.Receipt{}, err
	}
	defer unlock()
	d, err := f.containment(ctx, op, a)
	if err != nil {
		return incident.Receipt{}, err
	}
	if r, done, err := f.standing(op, d, o); done || err != nil {
		return r, err
	}
	if d, err = f.claim(ctx, op, a, d, o.Key); err != nil {
		return incident.Receipt{}, err
	}
	if r, done, err := f.standing(op, d, o); done || err != nil {
		return r, err
	}
	if !slices.Equal(d.marks(), []string{mark(o.Key)}) {
		return incident.Receipt{}, integrations.Errorf(integrations.Conflict, op, "nothing was ordered: Falcon does not show the device's new tag yet")
	}
	if err := f.act(ctx, op, contain, a); err != nil {
		return incident.Receipt{}, err
	}
	return incident.Receipt{At: f.now().UTC(), Detail: "accepted"}, nil
}

// standing is the receipt for a device on which nothing must be ordered, or the conflict
// with what is under way there.
func (f *Falcon) standing(op string, d device, o incident.Order) (r incident.Receipt, done bool, err error) {
	ours := d.ours(o.Key)
	switch {
	case d.Status == normal:
		return r, false, nil
	case d.Status == lifting:
		return r, false, integrations.Errorf(integrations.Conflict, op, "a containment is being lifted")
	case ours:
		return incident.Receipt{At: f.now().UTC(), Detail: "accepted before"}, true, nil
	case d.Status == containing:
		return r, false, integrations.Errorf(integrations.Conflict, op, "somebody else's containment is under way")
	}
	return incident.Receipt{At: f.now().UTC(), Detail: "already in place, made by somebody else"}, true, nil
}

// claim puts the key's mark on a device that is not contained, removes what earlier
// containments have left, and reads the device again.
func (f *Falcon) claim(ctx context.Context, op string, a agentID, d device, key string) (device, error) {
	own := mark(key)
	left := slices.DeleteFunc(d.marks(), func(tag string) bool { return tag == own })
	if err := f.tag(ctx, op, "remove", a, left...); err != nil {
		return d, err
	}
	if !d.bears(own) {
		if err := f.tag(ctx, op, "add", a, own); err != nil {
			return d, err
		}
	}
	if len(left) == 0 && d.bears(own) {
		return d, nil
	}
	return f.containment(ctx, op, a)
}

// Undo implements [integrations.Enforcer].
func (f *Falcon) Undo(ctx context.Context, o incident.Order) (incident.Receipt, error) {
	op := "lift isolation of " + httpx.Line(o.Target.ID())
	a, err := order(op, o, true)
	if err != nil {
		return incident.Receipt{}, err
	}
	unlock, err := f.devices.Take(ctx, op, a)
	if err != nil {
		return incident.Receipt{}, err
	}
	defer unlock()
	d, err := f.containment(ctx, op, a)
	if err != nil {
		return incident.Receipt{}, err
	}
	switch ours := d.ours(o.Key); {
	case d.Status == normal:
		err := f.disclaim(ctx, op, a, d, o.Key)
		return incident.Receipt{At: f.now().UTC(), Detail: "nothing to undo"}, err
	case !ours && d.Status == contained:
		return incident.Receipt{At: f.now().UTC(), Detail: "left in place: made by somebody else"}, nil
	case d.Status == lifting:
		if err := f.disclaim(ctx, op, a, d, o.Key); err != nil {
			return incident.Receipt{}, err
		}
		return incident.Receipt{}, integrations.Errorf(integrations.Conflict, op, "a containment is being lifted already")
	case d.Status != contained:
		return incident.Receipt{}, integrations.Errorf(integrations.Conflict, op, "a containment is under way")
	}
	if err := f.act(ctx, op, liftContainment, a); err != nil {
		return incident.Receipt{}, err
	}
	r := incident.Receipt{At: f.now().UTC(), Detail: "accepted"}
	// The lift is accepted, whatever becomes of the marks: the next look at the device
	// tidies them.
	if d, err = f.containment(ctx, op, a); err == nil {
		_ = f.disclaim(ctx, op, a, d, o.Key)
	}
	return r, nil
}

// disclaim takes the key's mark off a device whose containment was lifted. While the lift
// is under way the mark of the end takes its place, so that the lift is known as ours,
// and that a containment that somebody orders afterwards is not.
func (f *Falcon) disclaim(ctx context.Context, op string, a agentID, d device, key string) error {
	if d.Status == lifting && d.bears(mark(key)) && !d.bears(lifted(key)) {
		if err := f.tag(ctx, op, "add", a, lifted(key)); err != nil {
			return err
		}
	}
	var left []string
	if d.Status == normal && d.bears(lifted(key)) {
		left = append(left, lifted(key))
	}
	if (d.Status == normal || d.Status == lifting) && d.bears(mark(key)) {
		left = append(left, mark(key))
	}
	return f.tag(ctx, op, "remove", a, left...)
}

// targets is the body of an action. It is made from one device, so that it cannot be
// empty, nor hold two.
type targets struct {
	IDs []string `json:"ids"`
}

func targetsOf(a agentID) targets { return targets{IDs: []string{a.hex}} }

// acted is a device that an action was accepted for.
type acted struct {
	ID string `json:"id"`
}

// act orders an action on one device.
func (f *Falcon) act(ctx context.Context, op, action string, a agentID) error {
	c := call{op: op, method: http.MethodPost, path: actionsPath, query: url.Values{"action_name": {action}}, body: targetsOf(a), write: true}
	out, err := ask[acted](ctx, f, c)
	if err != nil {
		return err
	}
	return oneOf(c, a, len(out.Resources), func(i int) string { return out.Resources[i].ID })
}
