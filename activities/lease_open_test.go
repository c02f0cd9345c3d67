package activities

import (
	"context"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// opened is a device on which somebody else has an action open.
type opened struct {
	before, after incident.Reading
	refuses       error
	applied       bool
}

func (o *opened) Read(context.Context, incident.Order) (incident.Reading, error) {
	if o.applied {
		return o.after, nil
	}
	return o.before, nil
}

func (o *opened) Apply(context.Context, incident.Order) (incident.Receipt, error) {
	o.applied = o.refuses == nil
	return incident.Receipt{Detail: "accepted"}, o.refuses
}

func (o *opened) Undo(context.Context, incident.Order) (incident.Receipt, error) {
	return incident.Receipt{}, nil
}

// An isolation whose end somebody else has ordered is not adopted: it is waited
// for, whatever is in place now.
func TestWhatIsBeingLiftedIsNotAdopted(t *testing.T) {
	try := func(o *opened) (Applied, error) {
		a := &Activities{Set: integrations.NewSet()}
		a.Set.Add("edr", integrations.Spec{Kind: "opened"}, o)
		return a.apply(t.Context(), LeaseIn{Use: "edr", Order: incident.Order{Key: "ours", Action: incident.Isolate}})
	}
	waits := integrations.Errorf(integrations.Conflict, "isolate", "a release is open")
	if out, err := try(&opened{before: incident.Reading{Stands: true, Pending: true}, refuses: waits}); integrations.KindOf(err) != integrations.Conflict {
		t.Errorf("apply while a release is open: %+v, %v; want a conflict", out, err)
	}
	if out, err := try(&opened{before: incident.Reading{Stands: true}, refuses: waits}); err != nil || !out.Adopted {
		t.Errorf("apply on what somebody else has in place: %+v, %v; want it adopted", out, err)
	}
	// So is an end that is ours, of a lease before.
	if out, err := try(&opened{before: incident.Reading{Pending: true, Key: "ours"}, refuses: waits}); integrations.KindOf(err) != integrations.Conflict {
		t.Errorf("apply while our own release is open: %+v, %v; want a conflict", out, err)
	}
	// A product that carries out in order takes it for the one that is coming.
	if out, err := try(&opened{before: incident.Reading{Pending: true}, after: incident.Reading{Pending: true}}); err != nil || !out.Adopted {
		t.Errorf("apply while somebody else's isolation is open: %+v, %v; want it adopted", out, err)
	}
}
