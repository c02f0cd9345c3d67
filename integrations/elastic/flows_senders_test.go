package elastic

import (
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
)

func TestSendersContract(t *testing.T) {
	contract.Senders(t, contract.SendersHarness{
		Knobs: contract.Knobs{Kind: "elasticflows", Secrets: []string{testKey}},
		Open: func(t testing.TB, records []contract.Named) integrations.Senders {
			var docs []document
			for _, r := range records {
				for _, d := range documentsOf(PANOS, r.Seen) {
					for name, v := range map[string]string{sourceUser: r.User, "panw.panos.src.host": r.Device} {
						if v != "" {
							d[name] = v
						}
					}
					docs = append(docs, d)
				}
			}
			return start(t, docs).open(PANOS)
		},
	})
}

// A layout whose writer knows nobody names nobody, and one that knows users only no device.
func TestSendersOfOtherLayouts(t *testing.T) {
	for l, want := range map[Layout]int{Zeek: 0, FortiGate: 1} {
		docs := documentsOf(l, seen(time.Minute, ownHost, "198.51.100.1", 443, 5000, 10))
		for _, d := range docs {
			d[sourceUser], d["host.name"] = "alice", "collector"
		}
		got, err := start(t, docs).open(l).Senders(t.Context(), integrations.SendersQuery{IPs: []string{ownHost}, From: noon().Add(-time.Hour), To: noon()})
		if err != nil || len(got) != want {
			t.Errorf("%s: %v (%v), want %d", l, got, err, want)
		}
		if len(got) > 0 && (got[0].User != "alice" || got[0].Device != "" || got[0].Sensor != "north") {
			t.Errorf("%s: %+v sent, want alice, by north", l, got[0])
		}
	}
}
