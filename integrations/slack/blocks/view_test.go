package blocks_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/integrations/slack/blocks"
	"github.com/stanch-soar/stanch/integrations/slack/blocks/cardtest"
	"github.com/stanch-soar/stanch/playbooks/evidence/casetest"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// checkView checks a view against Slack's limits, and that it calls nobody and
// leads nowhere.
func checkView(t *testing.T, v slack.ModalViewRequest) string {
	t.Helper()
	in := inspect(t, v)
	for _, p := range in.problems {
		t.Error(p)
	}
	if len(in.mentions)+len(in.links) > 0 {
		t.Errorf("the view calls %q and leads to %q", in.mentions, in.links)
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(v.Blocks.BlockSet); n == 0 || n > 100 || len(data) > 100_000 {
		t.Errorf("the view has %d blocks and %d bytes", n, len(data))
	}
	return encode(t, v)
}

func TestReasonView(t *testing.T) {
	answer := blocks.Answer{
		Case: "high-egress-windows/ws-042", Approval: "on-call", PlanDigest: cardtest.PlanDigest(),
		Groups: []string{"sec-oncall"}, Label: "Isolate WS-042 for 4 h",
	}
	for _, tt := range []struct {
		name              string
		approve, required bool
		title, submit     string
	}{
		{"deny, with a reason", false, true, "Deny", "Deny"},
		{"deny, a reason is welcome", false, false, "Deny", "Deny"},
		{"approve, with a reason", true, true, "Approve", "Approve"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := answer
			a.Approve, a.Reason = tt.approve, tt.required
			origin := blocks.Origin{Answer: a, Channel: "C1", Message: "1773458040.000100"}
			v, err := blocks.ReasonView(origin)
			if err != nil {
				t.Fatal(err)
			}
			text := checkView(t, v)
			if v.CallbackID != blocks.CallbackReason || v.Title.Text != tt.title || v.Submit.Text != tt.submit || !strings.Contains(text, a.Label) {
				t.Errorf("the view is %s", text)
			}
			input, ok := v.Blocks.BlockSet[len(v.Blocks.BlockSet)-1].(*slack.InputBlock)
			if !ok || input.BlockID != blocks.ReasonBlock || input.Optional == tt.required {
				t.Errorf("the input is %+v; required: %t", input, tt.required)
			}
			origin.Answer.Label = ""
			got, err := blocks.ParseOrigin(v.PrivateMetadata)
			if diff := cmp.Diff(origin, got); err != nil || diff != "" {
				t.Errorf("another origin (-want +got), %v:\n%s", err, diff)
			}
		})
	}
}

func TestReasonViewOfHostileText(t *testing.T) {
	v, err := blocks.ReasonView(blocks.Origin{Answer: blocks.Answer{Case: "p/<!channel>\u202e", Approval: "<@U1>", Label: cardtest.Attack()}})
	if err != nil {
		t.Fatal(err)
	}
	checkView(t, v)
	if _, err := blocks.ReasonView(blocks.Origin{}); err == nil {
		t.Error("a view without a case was drawn")
	}
}

func TestEvidenceView(t *testing.T) {
	v := blocks.EvidenceView(casetest.Flood(t))
	text := checkView(t, v)
	for _, want := range []string{
		"Evidence of ws-042", "process.path", "from the EDR", "is unknown: the alert carries no byte counts", // facts
		"Guardrails", "unexplained-volume", "every part is true", "traffic.role = flooder", // trace
		"Timeline", `"type": "date"`, "effective yes", // what happened
		"stanch case show high-egress-windows/ws-042 --timeline",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the view does not say %q", want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

func TestEvidenceViewOfOtherCases(t *testing.T) {
	long := casetest.Flood(t)
	for range 500 {
		long.Timeline = append(long.Timeline, incident.Event{Kind: incident.EvJoined, Text: strings.Repeat("joined ", 60)})
	}
	for name, c := range map[string]incident.Case{"hostile": casetest.Hostile(t), "empty": {}, "long": long} {
		t.Run(name, func(t *testing.T) {
			text := checkView(t, blocks.EvidenceView(c))
			if name == "long" && !strings.Contains(text, "older events are left out") {
				t.Error("the view does not say what it leaves out")
			}
			if name == "hostile" && strings.Contains(text, "stanch case show") {
				t.Error("a command with the attacker's text is shown")
			}
		})
	}
}

func TestNoticeViews(t *testing.T) {
	for _, v := range []slack.ModalViewRequest{
		blocks.LoadingView("p/ws-042"), blocks.LoadingView(cardtest.Attack()), blocks.LoadingView(""),
		blocks.NoticeView("There is no such case any more."), blocks.NoticeView(cardtest.Attack()),
	} {
		checkView(t, v)
	}
	if text := encode(t, blocks.NoticeView("There is no such case any more.")); !strings.Contains(text, "no such case") {
		t.Errorf("the notice is lost: %s", text)
	}
}
