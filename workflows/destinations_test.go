package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// A destination at which others are reached, too, is not blocked, unless the playbook
// asks for just that; to limit what goes there is fine.
func TestADestinationOfManyIsNotBlocked(t *testing.T) {
	t.Parallel()
	block := "action: block, use: gateway, with: { match: top_destination }, ttl: 1h,"
	limit := "action: rate_limit, use: gateway, with: { rate: 2Mbit, match: top_destination }, ttl: 1h, unsure: act,"
	for name, c := range map[string]struct {
		to, step string
		why      string
	}{
		"a resolver":               {"8.8.8.8", block, "a block of 8.8.8.8 would stop all that is reached there: 8.8.8.8/32 is the resolver Google Public DNS; limit it instead, or write shared: block in the step"},
		"a CDN":                    {"151.101.1.69", block, "151.101.0.0/16 is the CDN Fastly"},
		"a CDN by IPv6":            {"2606:4700::6810:84e5", block, "2606:4700::/32 is the CDN Cloudflare"},
		"one of the site's own":    {"203.0.113.9", block, "203.0.113.0/24 is in shared_destinations of stanch.yaml"},
		"a resolver, all the same": {"8.8.8.8", block + " shared: block,", ""},
		"what the EDR needs":       {"10.1.0.5", block + " shared: block,", "10.1.0.5 is never blocked: 10.1.0.0/28 is infrastructure by stanch.yaml; limit it instead"},
		"Stanch itself":            {"10.1.0.99", block, "10.1.0.99 is never blocked: it is the machine that Stanch runs on"},
		"a limit of what it needs": {"10.1.0.5", limit, ""},
		"a limit":                  {"8.8.8.8", limit, ""},
		"any other":                {"198.51.100.7", block, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, memory.Flood, "high-egress-windows", "do: [evidence, throttle, cut-off, tell]", "do: [throttle, tell]",
				"action: rate_limit, use: gateway, with: { rate: 2Mbit }, ttl: 1h, unsure: act,", c.step)
			w.activities.SharedNetworks = networks("203.0.113.0/24")
			w.activities.Infrastructure = incident.Infrastructure{Networks: networks("10.1.0.0/28"), Own: []string{"10.1.0.99"}}
			w.pinned()
			err := w.estate.SetFacts("ws-042", incident.Facts{Traffic: incident.Traffic{
				Role: incident.Known(string(incident.Requester), incident.FromFlows),
				Top:  incident.Known([]incident.TopFlow{{IP: c.to, Port: 53, Transport: "udp", Bytes: 1 << 30}}, incident.FromFlows),
			}})
			if err != nil {
				t.Fatal(err)
			}
			id := w.open(alertFor("ws-042", "10.20.4.42"))
			w.explainOnFailure(id)
			soon := w.snap(2*time.Minute, id)
			w.run(5 * time.Hour)
			s := step(t, *soon, "throttle")
			if c.why == "" {
				if s.Status != incident.StepStanding || s.Filter == nil || s.Filter.RemoteIP != c.to {
					t.Errorf("it is %s of %v: %s", s.Status, s.Filter, s.Problem)
				}
				return
			}
			if s.Status != incident.StepFailed || !strings.Contains(s.Problem, c.why) {
				t.Errorf("it is %s: %s; want it to have failed: %s", s.Status, s.Problem, c.why)
			}
			w.contained(incident.Block, 0, 0)
		})
	}
}
