package fastnetmon

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/alerts"
)

// An attacker that is not in the home networks may have a forged address, whatever the name is
// that a name service has for it.
func TestAnAttackerThatIsNotOursIsInDoubt(t *testing.T) {
	t.Parallel()
	for address, doubt := range map[string]bool{"203.0.113.7": true, "10.20.0.42": false} {
		s := alerts.Source{Spec: Alerts(), Name: "net", Home: []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16")}}
		parsed, err := s.Parse([]byte(strings.ReplaceAll(example, "10.20.0.42", address)), time.Unix(1772334765, 0))
		if err != nil || len(parsed) != 1 || parsed[0].Wrong != nil {
			t.Fatalf("it is read as %+v, %v", parsed, err)
		}
		if h := parsed[0].Alert.Host; (len(h.Doubts) > 0) != doubt {
			t.Errorf("the attacker %s has the doubts %q; want some: %t", address, h.Doubts, doubt)
		}
	}
}
