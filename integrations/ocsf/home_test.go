package ocsf

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/alerts"
)

// A source that is not in the home networks, beside a device of another address, may be what a
// gateway shows of a machine behind it: it is not acted on.
func TestASourceThatIsNotOursIsInDoubt(t *testing.T) {
	t.Parallel()
	for source, doubt := range map[string]bool{"198.51.100.3": true, "10.20.0.7": false} {
		s := alerts.Source{Spec: Alerts(), Name: "ndr", Home: []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16")}}
		body := strings.Replace(Alerts().Example, `"src_endpoint": { "ip": "10.20.0.42" }`, `"src_endpoint": { "ip": "`+source+`" }`, 1)
		parsed, err := s.Parse([]byte(body), time.Unix(1772334765, 0))
		if err != nil || len(parsed) != 1 || parsed[0].Wrong != nil {
			t.Fatalf("%s is read as %+v, %v", body, parsed, err)
		}
		h := parsed[0].Alert.Host
		if ips, _ := h.IP.Get(); len(ips) != 1 || ips[0] != source || (len(h.Doubts) > 0) != doubt {
			t.Errorf("the source %s is the host %v with the doubts %q; want it in doubt: %t", source, ips, h.Doubts, doubt)
		}
	}
}
