package sflowrt

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func harness() contract.AlertsHarness {
	good := func(key string) string {
		return `{"thresholdID":"t","timestamp":1772334765123,"flowKey":"` + key + `","keys":"ipsource"}`
	}
	return contract.AlertsHarness{
		Spec: Alerts(), Cases: "testdata/alerts",
		Several:       "[" + good("10.0.0.1") + `,{"timestamp":1772334765123},` + good("10.0.0.2") + "]",
		NeverResolved: "an event says that a threshold was exceeded, and none that it is no longer",
		Next:          strings.Replace(example, "1772334765123", "1772338365123", 1),
	}
}

func TestAlerts(t *testing.T) { contract.Alerts(t, harness()) }

func FuzzAlerts(f *testing.F) { contract.FuzzAlerts(f, harness()) }

func BenchmarkAlerts(b *testing.B) { contract.BenchmarkAlerts(b, harness()) }

// Which value of a key is the host, and whether it attacks.
func TestWhoseHost(t *testing.T) {
	t.Parallel()
	home := []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
	for name, c := range map[string]struct {
		home                 []netip.Prefix
		keys, key, direction string
		host, destination    string
		status               incident.AlertStatus
		doubts               int
	}{
		"said to go out":            {keys: "ipsource,ipdestination", key: "198.51.100.7,203.0.113.9", direction: "outgoing", host: "198.51.100.7", destination: "203.0.113.9", status: incident.Firing},
		"said to come in":           {keys: "ipsource,ipdestination", key: "203.0.113.9,198.51.100.7", direction: "incoming", host: "203.0.113.9", destination: "198.51.100.7", status: incident.NotAlerting},
		"a private source":          {keys: "ipsource,ipdestination", key: "10.20.0.42,203.0.113.9", host: "10.20.0.42", destination: "203.0.113.9", status: incident.Firing},
		"the other way round":       {keys: "ipdestination,ipsource", key: "203.0.113.9,10.20.0.42", host: "10.20.0.42", destination: "203.0.113.9", status: incident.Firing},
		"a private destination":     {keys: "ipsource,ipdestination", key: "203.0.113.9,10.20.0.42", host: "203.0.113.9", destination: "10.20.0.42", status: incident.NotAlerting},
		"both public":               {keys: "ipsource,ipdestination", key: "198.51.100.7,203.0.113.9", host: "198.51.100.7", destination: "203.0.113.9", status: incident.Firing, doubts: 1},
		"ours by configuration":     {home: home, keys: "ipsource,ipdestination", key: "198.51.100.7,203.0.113.9", host: "198.51.100.7", destination: "203.0.113.9", status: incident.Firing},
		"to ours, by configuration": {home: home, keys: "ipsource,ipdestination", key: "203.0.113.9,198.51.100.7", host: "203.0.113.9", destination: "198.51.100.7", status: incident.NotAlerting},
		"neither is ours":           {home: home, keys: "ipsource,ipdestination", key: "10.0.0.1,203.0.113.9", host: "10.0.0.1", destination: "203.0.113.9", status: incident.Firing, doubts: 1},
		"either family":             {keys: "or:ipsource:ip6source", key: "fd00::7", host: "fd00::7", status: incident.Firing},
		"no source":                 {keys: "ipdestination", key: "203.0.113.9", destination: "203.0.113.9", status: incident.Firing},
		"no source, to ours":        {keys: "ipdestination", key: "10.20.0.42", destination: "10.20.0.42", status: incident.NotAlerting},
		"another number of keys":    {keys: "ipsource", key: "10.20.0.42,203.0.113.9", host: "several", status: incident.Firing, doubts: 2},
		"no names":                  {key: "10.20.0.42", host: "10.20.0.42", status: incident.Firing, doubts: 1},
		"names that say nothing":    {keys: "macsource", key: "000000000001", status: incident.Firing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := fmt.Sprintf(`{"thresholdID":"t","timestamp":1772334765123,"metric":"m","keys":%q,"flowKey":%q,"direction":%q}`, c.keys, c.key, c.direction)
			parsed, err := alerts.Source{Spec: Alerts(), Name: "net", Home: c.home}.Parse([]byte(body), time.Unix(1772334765, 0))
			if err != nil || len(parsed) != 1 || parsed[0].Wrong != nil {
				t.Fatalf("%s is read as %+v, %v", body, parsed, err)
			}
			a := parsed[0].Alert
			host, _ := a.Host.ID.Get()
			destination, _ := a.Destination.IP.Get()
			if strings.HasPrefix(host, "several:") {
				host = "several"
			}
			if host != c.host || destination != c.destination || a.Status != c.status || len(a.Host.Doubts) != c.doubts {
				t.Errorf("the host is %q, the destination %q, and the alert %s (%s) with the doubts %q; want %q, %q, %s, %d doubts",
					host, destination, a.Status, a.StatusWhy, a.Host.Doubts, c.host, c.destination, c.status, c.doubts)
			}
		})
	}
}
