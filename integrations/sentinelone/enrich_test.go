package sentinelone

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/integrations/sentinelone/sentinelonefake"
)

// enriching returns a client of a double behind a door that knows one device that sends. A
// query is done when it is started. The limits are the client's alone.
func enriching(t testing.TB, limits []integrations.Limit, door func(http.Handler) http.Handler) *Client {
	t.Helper()
	w := edrtest.New(t, time.Now)
	w.Add(contract.ScriptSender(idOf("ws-042")))
	server := httptest.NewServer(door(sentinelonefake.New(t, w, sentinelonefake.Options{Token: secret, Steps: -1, Unlimited: true}).Handler()))
	t.Cleanup(server.Close)
	c, err := open(Config{URL: server.URL, Token: secret, Identifier: Refuse, Downloads: []string{"127.0.0.1"}, Access: httpx.Access{Timeout: 10 * time.Second}}, limits)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Which device it is is known after one wave of calls. Who sends, and what it ran, take two
// each: the events have another name of the device, which its record tells.
func TestWavesOfEnrichment(t *testing.T) {
	id, name, ips := idOf("ws-042"), "ws-042", []string{"192.0.2.2"}
	for what, c := range map[string]struct {
		q     integrations.EndpointQuery
		waves []int
	}{
		"by all":     {integrations.EndpointQuery{ID: id, Name: name, IPs: ips}, []int{4, 1, 2, 1, 2}},
		"by id":      {integrations.EndpointQuery{ID: id}, []int{1, 1, 2, 1, 2}},
		"by name":    {integrations.EndpointQuery{Name: name}, []int{2, 1, 2, 1, 2}},
		"by address": {integrations.EndpointQuery{IPs: ips}, []int{1, 1, 2, 1, 2}},
	} {
		t.Run(what, func(t *testing.T) {
			var waves *edrtest.Waves
			edr := enriching(t, nil, func(h http.Handler) http.Handler { waves = edrtest.NewWaves(t, h); return waves })
			waves.Expect(func() { contract.Enrichment{EDR: edr, Query: c.q}.Ask(t) }, c.waves...)
		})
	}
}

func BenchmarkEnrichment(b *testing.B) {
	slowly := func(h http.Handler) http.Handler { return edrtest.Slow(contract.Latency, h) }
	contract.BenchEnrichment(b, idOf("ws-042"), func() contract.Enriching { return enriching(b, limits(), slowly) })
}
