package sentinel

import (
	"html"
	"reflect"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/sentinel/sentinelfake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

var _ integrations.Replier = (*Client)(nil)

const otherID = "4f2504e0-4f89-41d3-9a0c-0305e82c3301"

func record(name string) incident.AlertRecord {
	return incident.AlertRecord{Source: "sentinel", ID: name}
}

// shown is a comment as the portal shows it: tags are carried out, then references.
func shown(message string) string {
	return html.UnescapeString(strings.ReplaceAll(message, "<br>", "\n"))
}

func TestReplier(t *testing.T) {
	contract.Replier(t, contract.ReplierHarness{
		Knobs: contract.Knobs{Kind: "sentinel", Secrets: []string{sentinelfake.ClientSecret}},
		Open: func(t testing.TB) contract.ReplierWorld {
			w := openWorkspace(t)
			c := w.double.WithComments()
			c.Add(incidentID)
			c.Add(otherID)
			return contract.ReplierWorld{
				Replier: w.Client, Record: record(incidentID), Other: record(otherID), Unknown: record(strings.Replace(incidentID, "3f", "5f", 1)),
				Comments: func(r incident.AlertRecord) (all []string) {
					for _, m := range c.Messages(r.ID) {
						if without := strings.ReplaceAll(m, "<br>", ""); strings.ContainsAny(without, "<>") {
							t.Errorf("the comment %q has another tag than <br>", m)
						}
						all = append(all, shown(m))
					}
					return all
				},
				Closed:      func(r incident.AlertRecord) bool { return c.Property(r.ID, "status") == "Closed" },
				CloseByHand: func(r incident.AlertRecord) { c.Set(r.ID, "status", "Closed") },
				Break:       func(f contract.Fault) { w.fail(t, f) },
			}
		},
	})
}

// Closing an incident keeps what people wrote on it, says the person's verdict, and claims
// none where nobody judged.
func TestCloseKeepsTheIncident(t *testing.T) {
	for verdict, class := range map[incident.CaseVerdict]string{
		incident.NoVerdict: "Undetermined", incident.TruePositive: "TruePositive", incident.Benign: "BenignPositive", incident.FalsePositive: "FalsePositive",
	} {
		w := openWorkspace(t)
		c := w.double.WithComments()
		c.Add(incidentID)
		owner, labels := c.Property(incidentID, "owner"), c.Property(incidentID, "labels")
		r := integrations.Reply{Reply: incident.Reply{Key: "run/3/a", To: record(incidentID), Kind: incident.EvClosed, Text: "Case closed", Verdict: verdict, Close: true}}
		if _, err := w.ReplyTo(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if got := c.Property(incidentID, "classification"); got != class {
			t.Errorf("verdict %q is classified as %v, want %s", verdict, got, class)
		}
		if !reflect.DeepEqual(c.Property(incidentID, "owner"), owner) || !reflect.DeepEqual(c.Property(incidentID, "labels"), labels) || c.Property(incidentID, "title") != "Egress" {
			t.Error("closing lost what people wrote on the incident")
		}
	}
}

// A comment that would be longer than Sentinel takes is cut, and known all the same.
func TestALongCommentIsCut(t *testing.T) {
	w := openWorkspace(t)
	c := w.double.WithComments()
	c.Add(incidentID)
	r := integrations.Reply{Reply: incident.Reply{Key: "run/3/a", To: record(incidentID), Kind: incident.EvAccepted, Text: strings.Repeat("<", 20_000)}}
	if _, err := w.ReplyTo(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if got := c.Messages(incidentID); len(got) != 1 || !strings.HasSuffix(got[0], "...<br>"+r.Mark()) {
		t.Errorf("%d comments", len(got))
	}
}
