package activities

import (
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// A limit that somebody else has put in place stands for ours only where it is as strict:
// people have approved the lower rate.
func TestALooserLimitIsNotAdopted(t *testing.T) {
	try := func(o *opened) (Applied, error) {
		a := &Activities{Set: integrations.NewSet()}
		a.Set.Add("gateway", integrations.Spec{Kind: "opened"}, o)
		return a.apply(t.Context(), LeaseIn{Use: "gateway", Order: incident.Order{Key: "ours", Action: incident.RateLimit, Rate: 2_000_000}})
	}
	theirs := func(rate int64) incident.Reading { return incident.Reading{Stands: true, Key: "theirs", Rate: rate} }
	for _, rate := range []int64{0, 1_000_000, 2_000_000} {
		if out, err := try(&opened{before: theirs(rate)}); err != nil || !out.Adopted {
			t.Errorf("apply beside a limit of %d: %+v, %v; want it adopted", rate, out, err)
		}
	}
	// The product makes room for ours.
	if out, err := try(&opened{before: theirs(900_000_000), after: incident.Reading{Stands: true, Key: "ours", Rate: 2_000_000}}); err != nil || out.Adopted || !out.Stands {
		t.Errorf("apply beside a looser limit: %+v, %v; want ours in place", out, err)
	}
	// It keeps theirs, and says so or does not.
	if out, err := try(&opened{before: theirs(900_000_000), after: theirs(900_000_000)}); integrations.KindOf(err) != integrations.Conflict {
		t.Errorf("apply where a looser limit stays: %+v, %v; want a conflict", out, err)
	}
	refuses := integrations.Errorf(integrations.Denied, "limit", "no")
	if out, err := try(&opened{before: theirs(900_000_000), refuses: refuses}); integrations.KindOf(err) != integrations.Denied {
		t.Errorf("apply where a looser limit stays: %+v, %v; want the product's own error", out, err)
	}
}
