package flowspec_test

import (
	"math"
	"testing"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// A limit that somebody else announces takes the place of ours only where it is as strict,
// whatever its rate is.
func TestALooserRuleOfSomebodyElseIsNoLimit(t *testing.T) {
	for name, c := range map[string]struct {
		bytes  float32
		adopts bool
	}{
		"stricter": {1000, true},
		"the same": {250_000, true},
		"looser":   {250_001, false},
		"no limit": {float32(math.Inf(1)), false},
		"too much": {math.MaxFloat32, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRouter(t, "127.0.0.2")
			e := limiter(t, r)
			speak(t, e, r)
			o := limit(t, "k1", nil, "10.1.0.42")
			o.Rate = 2_000_000
			rules, err := e.Rules(o)
			if err != nil {
				t.Fatal(err)
			}
			attributes := rules[0].Attributes
			attributes[len(attributes)-1] = bgp.NewPathAttributeExtendedCommunities([]bgp.ExtendedCommunityInterface{bgp.NewTrafficRateExtended(0, c.bytes)})
			r.announce(rules[0].Family, rules[0].NLRI, attributes...)
			until(t, "the other's rule is there", func() bool { n, err := e.Heard(); return err == nil && n == 1 })
			if s, err := e.Read(t.Context(), o); err != nil || s.Stands != c.adopts || s.Rate < 0 {
				t.Errorf("theirs of %g bytes a second reads %+v, %v; want that it stands for %d bits: %t", c.bytes, s, err, o.Rate, c.adopts)
			}
			apply(t, e, o)
			s, err := e.Read(t.Context(), o)
			if ours := s.Key == o.Key; err != nil || !s.Stands || ours == c.adopts || s.Rate > o.Rate {
				t.Errorf("after apply it reads %+v, %v", s, err)
			}
		})
	}
}
