package sentinelone

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/sentinelone/sentinelonefake"
)

func TestRequestsOfAnOperation(t *testing.T) {
	d := judged(t)
	contract.Requests(t, contract.RequestsHarness{
		Knobs: knobs(), Spec: Spec(),
		Class: func(r *http.Request) string {
			if strings.Contains(r.URL.Path, "/sdl/") {
				return eventCalls
			}
			return contract.Uncounted
		},
		Open: func(t testing.TB, count func(http.Handler) http.Handler) contract.RequestsWorld {
			x := d.open(t, sentinelonefake.Options{})
			h := edrtest.Seen(edrtest.Sender(idOf("ws-042"), "ws-042"), "Windows 10")
			h.Addresses = []edrtest.Address{{IP: "192.0.2.2", From: time.Now().Add(-24 * time.Hour)}}
			x.world.Add(h)
			server := httptest.NewServer(count(x.double.Handler()))
			t.Cleanup(server.Close)
			x.base = server.URL
			return contract.RequestsWorld{Product: x, Target: x.target(t, "ws-042"), IP: "192.0.2.2", PID: 4001, Settle: x.world.Settle, Idle: x.ending.Wait}
		},
	})
}
