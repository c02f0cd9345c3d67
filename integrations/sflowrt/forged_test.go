package sflowrt

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/alerts"
)

// A flood with forged sources goes out too: the address is nobody's that is ours.
func TestOutgoingOfAForeignSource(t *testing.T) {
	t.Parallel()
	const body = `{"timestamp":1772334765123,"thresholdID":"t","direction":"outgoing","keys":"ipsource,ipdestination","flowKey":"203.0.113.7,198.51.100.1"}`
	for _, c := range []struct {
		home   string
		doubts int
	}{{"10.20.0.0/16", 1}, {"203.0.113.0/24", 0}} {
		s := alerts.Source{Spec: Alerts(), Name: "sflow", Home: []netip.Prefix{netip.MustParsePrefix(c.home)}}
		parsed, err := s.Parse([]byte(body), time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC))
		if err != nil || len(parsed) != 1 || parsed[0].Wrong != nil {
			t.Fatalf("the event is read as %+v, %v", parsed, err)
		}
		if doubts := parsed[0].Alert.Host.Doubts; len(doubts) != c.doubts {
			t.Errorf("with the home network %s the host has the doubts %q; want %d", c.home, doubts, c.doubts)
		}
	}
}
