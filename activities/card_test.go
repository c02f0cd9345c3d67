package activities

import (
	"slices"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/evidence/casetest"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Every fact on a card says where it is from; one that is unknown says so, why,
// and is no number.
func TestACardSaysWhereItsFactsAreFrom(t *testing.T) {
	const why = "source not attributable: 10.0.0.7 is the NAT address of fw-01"
	known, unknown := casetest.Waiting(t), casetest.Waiting(t)
	unknown.Facts.Disown([]incident.SharedAddress{{IP: "10.0.0.7", Kind: "nat", Asset: "fw-01"}})
	unknown.Facts.Alert.BytesOut = incident.NotKnown[int64]("the alert does not say")
	words := []string{"from the alert", "from the EDR", "from the flow store", "from the inventory", "computed", "assumed", "unknown", "worked out by Stanch"}
	for name, c := range map[string]incident.Case{"known": known, "unknown": unknown, "nothing": {}} {
		facts := CardOf(c, 0).Facts
		if name == "nothing" {
			facts = factsOf(c)
		}
		if len(facts) < 5 {
			t.Errorf("%s: the card has %d facts", name, len(facts))
		}
		for _, f := range facts {
			if f.Value == "" || !slices.Contains(words, f.How) {
				t.Errorf("%s: %s is %q, %q", name, f.Label, f.Value, f.How)
			}
		}
	}
	for label, want := range map[string]string{"How much": "volume unknown: " + why, "Where to": "destination unknown: " + why} {
		facts := CardOf(unknown, 0).Facts
		at := slices.IndexFunc(facts, func(f integrations.CardFact) bool { return f.Label == label })
		if at < 0 || !strings.HasPrefix(facts[at].Value, want) || facts[at].How != "unknown" {
			t.Errorf("the card has %+v, want %s: %q", facts, label, want)
		}
	}
}
