package crowdstrike

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/crowdstrike/falconfake"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func TestRequestsOfAnOperation(t *testing.T) {
	contract.Requests(t, contract.RequestsHarness{
		Knobs: knobs(), Spec: Spec(),
		Class: func(r *http.Request) string {
			if r.URL.Path == tokenPath {
				return contract.Uncounted
			}
			return ""
		},
		Open: func(t testing.TB, count func(http.Handler) http.Handler) contract.RequestsWorld {
			a, _, hosts := pair(t)
			hosts[0].Addresses = []edrtest.Address{{IP: "192.0.2.2", From: time.Now().Add(-24 * time.Hour)}}
			p := &edrtest.Process{PID: 4001, Path: `C:\Program Files\Tools\sender.exe`, Start: time.Now().Add(-10 * time.Minute)}
			hosts[0].Processes = []*edrtest.Process{p}
			hosts[0].Connections = []edrtest.Connection{{At: time.Now().Add(-time.Minute), Process: p, Tuple: incident.Tuple{
				SrcIP: "192.0.2.2", SrcPort: 50001, DstIP: "198.51.100.1", DstPort: 53, Transport: "udp",
			}}}
			n := tenantOf(t, falconfake.Options{}, time.Now, hosts...)
			server := httptest.NewServer(count(n.double.Handler()))
			t.Cleanup(server.Close)
			n.base = server.URL
			return contract.RequestsWorld{Product: n, Target: a, IP: "192.0.2.2", PID: 4001, Settle: n.world.Settle, Idle: n.ending.Wait}
		},
	})
}
