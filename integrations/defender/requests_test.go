package defender

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/defender/defenderfake"
	"github.com/stanch-soar/stanch/integrations/edrtest"
)

func TestRequestsOfAnOperation(t *testing.T) {
	d := judged(t)
	contract.Requests(t, contract.RequestsHarness{
		Knobs: knobs(), Spec: Spec(),
		Class: func(r *http.Request) string {
			switch {
			case strings.HasSuffix(r.URL.Path, "/token"):
				return contract.Uncounted
			case strings.HasSuffix(r.URL.Path, "/runHuntingQuery"):
				return huntingCalls
			}
			return ""
		},
		Kind: func(r *http.Request) string {
			path, _, _ := strings.Cut(r.URL.Path, "(")
			return r.Method + strings.ReplaceAll(strings.ToLower(path), idOf("ws-042"), "*")
		},
		Open: func(t testing.TB, count func(http.Handler) http.Handler) contract.RequestsWorld {
			x := d.open(t, defenderfake.Options{})
			h := edrtest.Seen(edrtest.Sender(idOf("ws-042"), "ws-042"), "Windows 10")
			h.Addresses = []edrtest.Address{{IP: "192.0.2.2", From: time.Now().Add(-24 * time.Hour)}}
			x.world.Add(h)
			server := httptest.NewServer(count(x.double.Handler()))
			t.Cleanup(server.Close)
			x.api.origin, x.graph.origin = server.URL, server.URL
			return contract.RequestsWorld{Product: x, Target: x.target(t, "ws-042"), IP: "192.0.2.2", PID: 4001, Settle: x.world.Settle}
		},
	})
}
