package defender

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/defender/defenderfake"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// latency is how long Defender takes to answer in these tests.
const latency = 50 * time.Millisecond

// enrichment asks what a case asks of the EDR: which device it is, and who sends.
type enrichment struct {
	*Client
	slow *edrtest.Slow
	at   time.Time
}

func slowly(t testing.TB) enrichment {
	t.Helper()
	w := edrtest.New(t, time.Now)
	double := defenderfake.New(t, w, defenderfake.Options{ClientSecret: "the-secret"})
	h, since := sender(), time.Now().Add(-24*time.Hour)
	h.Addresses = []edrtest.Address{{IP: "192.0.2.2", From: since}}
	w.Add(h)
	slow := edrtest.NewSlow(latency, double.Handler())
	server := httptest.NewServer(slow)
	t.Cleanup(server.Close)
	c, err := Open(Config{
		Tenant: double.Tenant, ClientID: double.ClientID, ClientSecret: "the-secret",
		URL: server.URL, GraphURL: server.URL, LoginURL: server.URL, Access: httpx.Access{Timeout: 10 * time.Second},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	e := enrichment{c, slow, time.Now()}
	e.ask(t) // It fetches the tokens.
	slow.Waves()
	return e
}

func (e enrichment) ask(t testing.TB) {
	t.Helper()
	found, err := e.Endpoints(t.Context(), integrations.EndpointQuery{ID: idOf("ws-042"), Name: "ws-042", IPs: []string{"192.0.2.2"}, At: e.at})
	if err != nil || len(found) != 1 {
		t.Fatalf("found %d devices, %v", len(found), err)
	}
	target, err := incident.DeviceTarget(idOf("ws-042"), "ws-042")
	if err != nil {
		t.Fatal(err)
	}
	from, to := e.at.Add(-15*time.Minute), e.at.Add(15*time.Minute)
	connections, err := e.Connections(t.Context(), integrations.ConnectionQuery{Target: target, From: from, To: to, Limit: 500})
	if err != nil || len(connections) != 1 {
		t.Fatalf("%d connections, %v", len(connections), err)
	}
	if _, err := e.Executions(t.Context(), integrations.ExecutionQuery{Target: target, From: from, To: to, Limit: 500, PIDs: []int64{4001}}); err != nil {
		t.Fatal(err)
	}
}

// Which device it is, who sends and what it ran are known after three waves of calls.
func TestEnrichmentTakesThreeWaves(t *testing.T) {
	e := slowly(t)
	e.ask(t)
	if n := e.slow.Waves(); n > 3 {
		t.Errorf("it took %d waves of calls, want at most 3", n)
	}
}

func BenchmarkEnrichment(b *testing.B) {
	e := slowly(b)
	for b.Loop() {
		e.ask(b)
	}
}
