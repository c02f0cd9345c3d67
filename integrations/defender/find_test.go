package defender

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// gate answers only once n requests wait, so that a client that asks one by one is stuck.
type gate struct {
	n       int
	mu      sync.Mutex
	waiting int
	open    chan struct{}
}

func (g *gate) pass(ctx context.Context) {
	g.mu.Lock()
	if g.waiting++; g.waiting == g.n {
		close(g.open)
	}
	g.mu.Unlock()
	select {
	case <-g.open:
	case <-ctx.Done():
	}
}

func TestWhatIsIndependentIsAskedAtOnce(t *testing.T) {
	w, c := onDevice(t)
	// The device, its users and actions, its name with and without a domain, two addresses.
	g := &gate{n: 7, open: make(chan struct{})}
	at := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	found := `{"value": [{"id": "` + device + `", "computerDnsName": "ws-042.corp.example", "lastIpAddress": "192.0.2.9", "machineTags": null}]}`
	byIP := func(ip string) string {
		return "/api/machines/findbyip(ip='" + ip + "',timestamp=" + at.Format(time.RFC3339) + ")"
	}
	for path, body := range map[string]string{
		machinePath: `{"id": "` + device + `", "computerDnsName": "ws-042.corp.example", "lastIpAddress": "192.0.2.9"}`, machinePath + "/logonusers": `{"value": [
			{"id": "corp\\old", "accountName": "old", "accountDomain": "corp", "lastSeen": "2020-01-06T08:01:48Z"}, {"accountName": "anna", "accountDomain": "corp", "lastSeen": "2026-01-06T08:01:48Z"},
			{"accountName": "scanner", "accountDomain": "corp", "isOnlyNetworkUser": true}]}`,
		"/api/machineactions": `{"value": []}`, "/api/machines": found, byIP("192.0.2.2"): found, byIP("192.0.2.3"): `{"value": []}`,
	} {
		w.routes["GET "+path] = func(rw http.ResponseWriter, r *http.Request) {
			g.pass(r.Context())
			_, _ = io.WriteString(rw, body)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	got, err := c.Endpoints(ctx, integrations.EndpointQuery{ID: device, Name: "ws-042", IPs: []string{"192.0.2.2", "192.0.2.3", "192.0.2.2"}, At: at})
	if err != nil || len(got) != 1 {
		t.Fatalf("%d devices, %v; %d requests waited", len(got), err, g.waiting)
	}
	e := got[0]
	// 192.0.2.9 is the device's address now, not then.
	for name, got := range map[string][2]string{
		"addresses": {e.IP.String(), "[192.0.2.2]"}, "users": {e.Users.String(), `[corp\anna corp\old]`}, "isolation": {e.Isolation.String(), "none"},
	} {
		if got[0] != got[1] {
			t.Errorf("%s are %s, want %s", name, got[0], got[1])
		}
	}
}

// An address counts for the time that is asked about, or not at all.
func TestAddressesOfAnotherTimeDoNotCount(t *testing.T) {
	w, c := onDevice(t)
	w.routes["GET "+machinePath] = says(http.StatusOK, `{"id": "`+device+`", "lastIpAddress": "192.0.2.9", "ipAddresses": [{"ipAddress": "::ffff:192.0.2.8", "operationalStatus": "Up"},
		{"ipAddress": "192.0.2.7", "operationalStatus": "Down"}, {"ipAddress": "fe80::1%3"}], "lastExternalIpAddress": "203.0.113.1"}`)
	w.routes["GET "+machinePath+"/logonusers"] = says(http.StatusForbidden, `{"error": {"code": "Forbidden", "message": "no"}}`)
	ip := func(q integrations.EndpointQuery) incident.Endpoint {
		got, err := c.Endpoints(t.Context(), q)
		if err != nil || len(got) != 1 {
			t.Fatalf("%+v, %v", got, err)
		}
		return got[0]
	}
	if e := ip(integrations.EndpointQuery{ID: device}); e.IP.String() != "[192.0.2.8 192.0.2.9]" || e.Users.IsKnown() || !strings.Contains(e.Users.Why(), "Forbidden") {
		t.Errorf("now it has %v, and the users %v", e.IP, e.Users)
	}
	for _, ago := range []time.Duration{time.Hour, 40 * 24 * time.Hour} {
		if e := ip(integrations.EndpointQuery{ID: device, At: time.Now().Add(-ago)}); e.IP.IsKnown() || e.IP.Why() == "" {
			t.Errorf("%s ago it had %v, want that unknown with a reason", ago, e.IP)
		}
	}
	_, err := c.Endpoints(t.Context(), integrations.EndpointQuery{IPs: []string{"192.0.2.9"}, At: time.Now().Add(-40 * 24 * time.Hour)})
	if integrations.KindOf(err) != integrations.Invalid || err == nil {
		t.Errorf("an address of 40 days ago: error %v, want an invalid one", err)
	}
	// A moment to come, of a clock that is ahead, is now. The query's own address is not
	// confirmed.
	w.other = says(http.StatusOK, `{"value": []}`)
	if e := ip(integrations.EndpointQuery{ID: device, IPs: []string{"::ffff:192.0.2.9"}, At: time.Now().Add(time.Hour)}); e.IP.String() != "[192.0.2.8]" {
		t.Errorf("it had %v, want 192.0.2.8 alone", e.IP)
	}
}

// What the filter of a product brings is not what is meant.
func TestOnlyTheNameThatIsMeantIsFound(t *testing.T) {
	w, c := onDevice(t)
	w.other = says(http.StatusOK, `{"value": null}`)
	w.routes["GET /api/machines"] = says(http.StatusOK, `{"value": [{"id": "`+device+`", "computerDnsName": "WS-042.corp.example"},
		{"id": "`+strings.Repeat("1", 40)+`", "computerDnsName": "ws-0421.corp.example"}, {"id": "`+strings.Repeat("2", 40)+`", "computerDnsName": "ws-042.other.example"}]}`)
	for name, want := range map[string]int{"ws-042": 2, "ws-042.corp.example": 1, "ws-04": 0} {
		got, err := c.Endpoints(t.Context(), integrations.EndpointQuery{Name: name})
		if err != nil || len(got) != want {
			t.Errorf("%s finds %d devices, %v, want %d", name, len(got), err, want)
		}
	}
}
