package defender

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/defender/defenderfake"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

// enriching returns a client of a double behind a door, with the tokens at hand, that knows
// one device that sends.
func enriching(t testing.TB, door func(http.Handler) http.Handler) *Client {
	t.Helper()
	w := edrtest.New(t, time.Now)
	double := defenderfake.New(t, w, defenderfake.Options{ClientSecret: "the-secret"})
	w.Add(contract.ScriptSender(idOf("ws-042")))
	server := httptest.NewServer(door(double.Handler()))
	t.Cleanup(server.Close)
	c, err := Open(Config{
		Tenant: double.Tenant, ClientID: double.ClientID, ClientSecret: "the-secret",
		URL: server.URL, GraphURL: server.URL, LoginURL: server.URL, Access: httpx.Access{Timeout: 10 * time.Second},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	contract.Enrichment{EDR: c, Query: integrations.EndpointQuery{ID: idOf("ws-042")}}.Ask(t) // It fetches the tokens.
	return c
}

// Which device it is, who sends and what it ran are known after three waves of calls,
// however the device is found.
func TestWavesOfEnrichment(t *testing.T) {
	id, name, ips := idOf("ws-042"), "ws-042", []string{"192.0.2.2"}
	for what, c := range map[string]struct {
		q     integrations.EndpointQuery
		waves []int
	}{
		"by all":     {integrations.EndpointQuery{ID: id, Name: name, IPs: ips}, []int{6, 1, 2}},
		"by id":      {integrations.EndpointQuery{ID: id}, []int{3, 1, 2}},
		"by name":    {integrations.EndpointQuery{Name: name}, []int{4, 1, 2}},
		"by address": {integrations.EndpointQuery{IPs: ips}, []int{3, 1, 2}},
	} {
		t.Run(what, func(t *testing.T) {
			var waves *edrtest.Waves
			edr := enriching(t, func(h http.Handler) http.Handler { waves = edrtest.NewWaves(t, h); return waves })
			waves.Expect(func() { contract.Enrichment{EDR: edr, Query: c.q}.Ask(t) }, c.waves...)
		})
	}
}

func BenchmarkEnrichment(b *testing.B) {
	slowly := func(h http.Handler) http.Handler { return edrtest.Slow(contract.Latency, h) }
	contract.BenchEnrichment(b, idOf("ws-042"), func() contract.Enriching { return enriching(b, slowly) })
}
