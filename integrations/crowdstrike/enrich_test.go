package crowdstrike

import (
	"net/http"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/crowdstrike/falconfake"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

// enriching returns a client of a double behind a door, with its token at hand, that knows
// one device that sends. A search is done when it is looked at first.
func enriching(t testing.TB, door func(http.Handler) http.Handler) *Falcon {
	t.Helper()
	w := edrtest.New(t, time.Now)
	w.Add(contract.ScriptSender(falconID("ws-042")))
	double := falconfake.New(t, w, falconfake.Options{Polls: -1})
	f, err := open(Config{
		ClientID: "client", ClientSecret: "secret", Cloud: "us-1", Repository: defaultRepository, URL: serve(t, door(double.Handler())),
		Access: httpx.Access{Timeout: 10 * time.Second},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	if _, err := f.tokens.Get(t.Context()); err != nil {
		t.Fatal(err)
	}
	return f
}

// Which device it is is known after one wave of calls, and after two where the alert lacks
// Falcon's id: whether a device is online is asked by that alone. Who sends, and what it ran,
// take two each: a search is started, and looked at.
func TestWavesOfEnrichment(t *testing.T) {
	id, name, ips, earlier := falconID("ws-042"), "ws-042", []string{"192.0.2.2"}, time.Now().Add(-10*time.Minute)
	for what, c := range map[string]struct {
		q     integrations.EndpointQuery
		waves []int
	}{
		"by all":               {integrations.EndpointQuery{ID: id, Name: name, IPs: ips}, []int{2, 4, 3, 4, 3}},
		"by id":                {integrations.EndpointQuery{ID: id}, []int{2, 4, 3, 4, 3}},
		"by id, some time ago": {integrations.EndpointQuery{ID: id, At: earlier}, []int{3, 4, 3, 4, 3}},
		"by name":              {integrations.EndpointQuery{Name: name}, []int{1, 1, 4, 3, 4, 3}},
		"by address":           {integrations.EndpointQuery{IPs: ips}, []int{1, 1, 4, 3, 4, 3}},
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
	contract.BenchEnrichment(b, falconID("ws-042"), func() contract.Enriching { return enriching(b, slowly) })
}
