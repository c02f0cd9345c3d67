package sentinel

import (
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

// A comment is the same to people whether the portal takes it for HTML or for Markdown.
func TestReplier(t *testing.T) {
	for name, reading := range map[string]sentinelfake.Reading{"as HTML": sentinelfake.AsHTML, "as Markdown": sentinelfake.AsMarkdown} {
		t.Run(name, func(t *testing.T) { testReplier(t, reading) })
	}
}

func testReplier(t *testing.T, reading sentinelfake.Reading) {
	contract.Replier(t, contract.ReplierHarness{
		Knobs: contract.Knobs{Kind: "sentinel", Secrets: []string{secret}},
		Open: func(t testing.TB) contract.ReplierWorld {
			w := openWorkspace(t)
			w.double.Add(sentinelfake.Incident{Name: incidentID})
			w.double.Add(sentinelfake.Incident{Name: otherID})
			return contract.ReplierWorld{
				Replier: w.Client, Record: record(incidentID), Other: record(otherID), Unknown: record(strings.Replace(incidentID, "3f", "5f", 1)),
				Comments: func(r incident.AlertRecord) (all []string) {
					for _, c := range w.double.Comments(r.ID) {
						all = append(all, sentinelfake.Read(c.Message, reading))
					}
					return all
				},
				Closed: func(r incident.AlertRecord) bool { return w.double.Properties(r.ID)["status"] == "Closed" },
				CloseByHand: func(r incident.AlertRecord) {
					w.double.Change(r.ID, func(p map[string]any) { p["status"], p["classification"] = "Closed", "Undetermined" })
				},
				Break: func(f contract.Fault) { w.fail(t, f) },
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
		w.double.Add(sentinelfake.Incident{Name: incidentID, Properties: map[string]any{
			"description": "seen before", "firstActivityTimeUtc": "2026-03-01T03:13:00.1234567Z",
			"owner":  map[string]any{"objectId": otherID, "assignedTo": "kim", "email": nil, "userPrincipalName": nil, "ownerType": "Group"},
			"labels": []any{map[string]any{"labelName": "egress", "labelType": "User"}, map[string]any{"labelName": "auto", "labelType": "AutoAssigned"}},
		}})
		r := integrations.Reply{Reply: incident.Reply{Key: "run/3/a", To: record(incidentID), Kind: incident.EvClosed, Text: "Case closed", Verdict: verdict, Close: true}}
		if _, err := w.ReplyTo(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		got := w.double.Properties(incidentID)
		if got["classification"] != class {
			t.Errorf("verdict %q is classified as %v, want %s", verdict, got["classification"], class)
		}
		for key, want := range map[string]any{
			"title": "Egress", "severity": "Medium", "description": "seen before", "firstActivityTimeUtc": "2026-03-01T03:13:00.1234567Z",
			"owner":  map[string]any{"objectId": otherID, "assignedTo": "kim", "ownerType": "Group"},
			"labels": []any{map[string]any{"labelName": "egress"}, map[string]any{"labelName": "auto"}},
		} {
			if !reflect.DeepEqual(got[key], want) {
				t.Errorf("after closing %s is %v, want %v", key, got[key], want)
			}
		}
	}
}

// A comment that would be longer than Sentinel takes is cut, and known all the same.
func TestALongCommentIsCut(t *testing.T) {
	w := openWorkspace(t)
	w.double.Add(sentinelfake.Incident{Name: incidentID})
	r := integrations.Reply{Reply: incident.Reply{Key: "run/3/a", To: record(incidentID), Kind: incident.EvAccepted, Text: strings.Repeat("<", 20_000)}}
	if _, err := w.ReplyTo(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if got := w.double.Comments(incidentID); len(got) != 1 || !strings.HasSuffix(got[0].Message, "...<br>"+r.Mark()) {
		t.Errorf("%d comments", len(got))
	}
}
