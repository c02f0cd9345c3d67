package activities

import (
	"context"
	"slices"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// movedAway is a gateway from whose networks the host was taken while a limit of it stands.
type movedAway struct {
	opened
	undone []string
}

func (m *movedAway) Read(context.Context, incident.Order) (incident.Reading, error) {
	return incident.Reading{}, integrations.Errorf(integrations.NotFound, "read", "10.1.0.5 is in none of the networks behind this gateway")
}

func (m *movedAway) Undo(_ context.Context, o incident.Order) (incident.Receipt, error) {
	m.undone = append(m.undone, o.Key)
	return incident.Receipt{Detail: "taken away"}, nil
}

// A limit is given back also where the configuration does not say any more that the host is
// behind the gateway. Of a device that an EDR does not know, nothing is known.
func TestWhatIsOutsideOfAGatewayNowIsGivenBack(t *testing.T) {
	gateway := &movedAway{}
	a := &Activities{Set: integrations.NewSet()}
	a.Set.Add("gateway", integrations.Spec{Kind: "moved"}, gateway)
	in := LeaseIn{Use: "gateway", Order: incident.Order{Key: "ours", Action: incident.RateLimit, Rate: 1, Addresses: []string{"10.1.0.5"}}}
	if r, err := a.undo(t.Context(), in); err != nil || r.Detail != "" || !slices.Equal(gateway.undone, []string{"ours"}) {
		t.Errorf("undo: %+v, %v, lifted %q", r, err, gateway.undone)
	}
	if _, err := a.read(t.Context(), in); integrations.KindOf(err) != integrations.NotFound {
		t.Errorf("read: %v; want that it is not found", err)
	}
	in.Undone = true
	if r, err := a.read(t.Context(), in); err != nil || r != (incident.Reading{}) {
		t.Errorf("read after undo: %+v, %v", r, err)
	}
	in.Order.Addresses = nil
	if _, err := a.undo(t.Context(), in); integrations.KindOf(err) != integrations.NotFound || len(gateway.undone) != 1 {
		t.Errorf("undo at an EDR: %v, lifted %q", err, gateway.undone)
	}
	if _, err := a.read(t.Context(), in); integrations.KindOf(err) != integrations.NotFound {
		t.Errorf("read at an EDR after undo: %v", err)
	}
}
