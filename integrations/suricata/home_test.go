package suricata

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Which end is ours, and so whether our host attacks, with the home networks of the source and
// without.
func TestWhoseHost(t *testing.T) {
	t.Parallel()
	home := []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("2001:db8::/48")}
	for name, c := range map[string]struct {
		home               []netip.Prefix
		src, dest          string
		toServer, toClient string
		direction          string
		host               string
		bytes              int64
		status             incident.AlertStatus
		doubt              bool
		clientIP, serverIP string
	}{
		"ours sends":                  {home: home, src: "198.51.100.7", dest: "203.0.113.9", toServer: "900", toClient: "5", direction: "to_server", host: "198.51.100.7", bytes: 900, status: incident.Firing},
		"ours answers":                {home: home, src: "198.51.100.7", dest: "203.0.113.9", toServer: "5", toClient: "900", direction: "to_client", host: "198.51.100.7", bytes: 900, status: incident.Firing},
		"ours is the target":          {home: home, src: "203.0.113.9", dest: "198.51.100.7", toServer: "900", toClient: "5", direction: "to_server", host: "198.51.100.7", bytes: 5, status: incident.NotAlerting},
		"ours reflects":               {home: home, src: "203.0.113.9", dest: "198.51.100.7", toServer: "5", toClient: "900", direction: "to_server", host: "198.51.100.7", bytes: 900, status: incident.Firing},
		"as much as it received":      {home: home, src: "203.0.113.9", dest: "198.51.100.7", toServer: "900", toClient: "900", direction: "to_server", host: "198.51.100.7", bytes: 900, status: incident.NotAlerting},
		"IPv6":                        {home: home, src: "2001:0db8:0000:0000:0000:0000:0000:0007", dest: "2001:db8:1::9", toServer: "900", toClient: "5", direction: "to_server", host: "2001:db8::7", bytes: 900, status: incident.Firing},
		"neither is ours":             {home: home, src: "10.0.0.7", dest: "203.0.113.9", toServer: "900", toClient: "5", direction: "to_server", host: "10.0.0.7", bytes: 900, status: incident.Firing, doubt: true},
		"both public":                 {src: "198.51.100.7", dest: "203.0.113.9", toServer: "900", toClient: "5", direction: "to_server", host: "198.51.100.7", bytes: 900, status: incident.Firing, doubt: true},
		"private, to us, no counters": {src: "203.0.113.9", dest: "10.0.0.7", direction: "to_server", host: "10.0.0.7", bytes: -1, status: incident.NotAlerting},
		"no direction":                {src: "10.0.0.7", dest: "203.0.113.9", toServer: "900", toClient: "5", host: "10.0.0.7", bytes: -1, status: incident.Firing},
		"the client is named":         {src: "10.0.0.7", dest: "203.0.113.9", toServer: "900", toClient: "5", clientIP: "10.0.0.7", serverIP: "203.0.113.9", host: "10.0.0.7", bytes: 900, status: incident.Firing},
		"the server is named":         {src: "10.0.0.7", dest: "203.0.113.9", toServer: "900", toClient: "5", clientIP: "203.0.113.9", serverIP: "10.0.0.7", host: "10.0.0.7", bytes: 5, status: incident.Firing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := fmt.Sprintf(`{"event_type":"alert","timestamp":"2026-03-01T03:00:00Z","flow_id":1,"src_ip":%q,"dest_ip":%q,"direction":%q,`+
				`"alert":{"signature_id":1},"flow":{"bytes_toserver":%q,"bytes_toclient":%q,"src_ip":%q,"dest_ip":%q}}`,
				c.src, c.dest, c.direction, c.toServer, c.toClient, c.clientIP, c.serverIP)
			parsed, err := alerts.Source{Spec: Alerts(), Name: "ids", Home: c.home}.Parse([]byte(body), time.Unix(1772334765, 0))
			if err != nil || len(parsed) != 1 || parsed[0].Wrong != nil {
				t.Fatalf("%s is read as %+v, %v", body, parsed, err)
			}
			a := parsed[0].Alert
			bytes, known := a.BytesOut.Get()
			if !known {
				bytes = -1
			}
			if id := a.Host.ID.String(); id != c.host || bytes != c.bytes || a.Status != c.status || (len(a.Host.Doubts) > 0) != c.doubt {
				t.Errorf("the host is %s, it sent %v, and the alert is %s (%s) with the doubts %q; want %s, %d, %s, in doubt: %v",
					id, a.BytesOut, a.Status, a.StatusWhy, a.Host.Doubts, c.host, c.bytes, c.status, c.doubt)
			}
			if (a.Status == incident.NotAlerting) != (a.StatusWhy != "") {
				t.Errorf("the alert is %s because of %q", a.Status, a.StatusWhy)
			}
		})
	}
}
