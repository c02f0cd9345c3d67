package wazuh

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/wazuh/wazuhfake"
)

func TestRequestsOfAnOperation(t *testing.T) {
	d := judged(t)
	contract.Requests(t, contract.RequestsHarness{
		Knobs: knobs(), Spec: Spec(),
		Class: func(r *http.Request) string {
			if strings.HasSuffix(r.URL.Path, "/authenticate") {
				return contract.Uncounted
			}
			return ""
		},
		Open: func(t testing.TB, count func(http.Handler) http.Handler) contract.RequestsWorld {
			x := d.open(t, wazuhfake.Options{})
			h := edrtest.Seen(edrtest.Sender(idOf("ws-042"), "ws-042"), "Microsoft Windows 10 Pro")
			h.Addresses = []edrtest.Address{{IP: "192.0.2.2", From: time.Now().Add(-24 * time.Hour)}}
			x.world.Add(h)
			server := httptest.NewServer(count(x.double.Handler()))
			t.Cleanup(server.Close)
			x.Client.manager.origin = server.URL
			return contract.RequestsWorld{Product: x, Target: target(t, "ws-042"), IP: "192.0.2.2", PID: 4001, Settle: x.world.Settle}
		},
	})
}
