package blocks_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/slack/blocks"
	"github.com/stanch-soar/stanch/integrations/slack/blocks/cardtest"
	"github.com/stanch-soar/stanch/integrations/slack/slackfake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

var update = flag.Bool("update", false, "write the golden files and the messages in docs/approvals.md")

const channel = "C0ONCALL"

// workspace is a Slack that checks every limit, and one message in it.
type workspace struct {
	fake *slackfake.Server
	api  *slack.Client
	ts   string
}

func newWorkspace(tb testing.TB) *workspace {
	tb.Helper()
	fake := slackfake.New(tb, slackfake.Options{
		Channels:  []slackfake.Channel{{ID: channel, Name: "sec-oncall"}},
		Unlimited: true,
	})
	api := slack.New(fake.BotToken, slack.OptionAPIURL(fake.URL), slack.OptionHTTPClient(http.DefaultClient))
	_, ts, err := api.PostMessageContext(tb.Context(), channel, slack.MsgOptionText("first", false))
	if err != nil {
		tb.Fatal(err)
	}
	return &workspace{fake, api, ts}
}

// show lets Slack show a message, and returns what it understands.
func (w *workspace) show(tb testing.TB, r blocks.Rendered) slackfake.Message {
	tb.Helper()
	options := []slack.MsgOption{slack.MsgOptionText(r.Text, false), slack.MsgOptionBlocks(r.Blocks...)}
	if r.Metadata.EventType != "" {
		options = append(options, slack.MsgOptionMetadata(r.Metadata))
	}
	_, _, _, err := w.api.UpdateMessageContext(tb.Context(), channel, w.ts, options...)
	if err != nil {
		tb.Fatalf("Slack refuses the message: %+v\n%s", err, encode(tb, r.Blocks))
	}
	m, ok := w.fake.Message(channel, w.ts)
	if !ok {
		tb.Fatal("the message is gone")
	}
	return m
}

func encode(tb testing.TB, v any) string {
	tb.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

func TestSamples(t *testing.T) {
	w := newWorkspace(t)
	for _, s := range cardtest.Samples() {
		t.Run(s.Name, func(t *testing.T) {
			r := blocks.Render(s.Message, s.Mention)
			checkMessage(t, w, s.Message, s.Mention, r)
			compare(t, filepath.Join("testdata", s.Name+".json"), encode(t, struct {
				Text   string
				Blocks []slack.Block
			}{r.Text, r.Blocks}))
		})
	}
}

// compare compares a file with what it is to hold, or writes it.
func compare(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(got), want); diff != "" {
		t.Errorf("%s differs (-file +code); -update writes it:\n%s", path, diff)
	}
}

// checkMessage checks what holds of every message, whatever it says, with our
// own eyes and with those of a Slack.
func checkMessage(tb testing.TB, w *workspace, m integrations.Message, mention string, r blocks.Rendered) {
	tb.Helper()
	links := addresses(m)
	checkLimits(tb, mention, links, r)
	shown := w.show(tb, r)
	var called []string
	if wellFormed(mention) {
		called = strings.Fields(mention)
		slices.Sort(called)
	}
	if diff := cmp.Diff(called, shown.Mentions()); diff != "" {
		tb.Errorf("other people are called (-want +got):\n%s", diff)
	}
	for _, l := range shown.Links() {
		if !slices.Contains(links, l) {
			tb.Errorf("the message leads to %q", l)
		}
	}
}

// addresses are what a message may lead to: where its sender says that the case
// is.
func addresses(m integrations.Message) []string {
	links := []string{m.URL}
	if m.Card != nil {
		links = append(links, m.Card.URL)
	}
	return links
}

// wellFormed reports whether a mention is one, by another way than Render does.
func wellFormed(mention string) bool {
	if mention == "" || mention != strings.Join(strings.Split(mention, " "), " ") || strings.HasPrefix(mention, " ") {
		return false
	}
	parts := strings.Split(strings.TrimSuffix(mention, " "), " ")
	for _, p := range parts {
		id, user := strings.CutPrefix(p, "<@")
		if !user {
			id, _ = strings.CutPrefix(p, "<!subteam^")
		}
		id, closed := strings.CutSuffix(id, ">")
		first := "S"
		if user {
			first = "UW"
		}
		if !closed || len(id) < 2 || len(id) > 31 || !strings.Contains(first, id[:1]) ||
			strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" || id == p {
			return false
		}
	}
	return len(parts) <= 10
}

func TestAMentionIsTheOnlyMarkup(t *testing.T) {
	w := newWorkspace(t)
	for _, mention := range []string{
		"", "<@U0ALICE>", "<!subteam^S0ONCALL>", "<@U0ALICE> <!subteam^S0ONCALL>",
		"<!channel>", "<!here>", "@here", "<@U0ALICE|x>", "<!subteam^S1|@x>", "<@U0ALICE> hello", "<https://evil.example|Approve>", "<@u0alice>", "*_~`", "<@U1><@U2>",
		"<@U0ALICE>\n<!channel>", strings.Repeat("<@U0ALICE> ", 11), cardtest.Attack(),
	} {
		for _, m := range []integrations.Message{{Title: "told"}, {Card: new(cardtest.Asking())}} {
			checkMessage(t, w, m, mention, blocks.Render(m, mention))
		}
	}
}

func TestEmptyMessages(t *testing.T) {
	w := newWorkspace(t)
	for name, m := range map[string]integrations.Message{
		"nothing":        {},
		"empty card":     {Card: &integrations.Card{}},
		"empty question": {Card: &integrations.Card{State: integrations.CardAsking, Question: &integrations.CardQuestion{}}},
		"empty lines":    {Title: "t", Lines: []string{"", " ", "\n"}},
		"empty parts": {Card: &integrations.Card{
			State: "new", Case: "p/x", Facts: make([]integrations.CardFact, 3), Missing: []string{""}, Effect: []string{""}, Impact: []string{""},
			Steps: make([]integrations.CardStep, 2), Commands: []string{""},
			Question: &integrations.CardQuestion{Votes: make([]integrations.CardVote, 2), Notes: []string{""}},
		}},
	} {
		t.Run(name, func(t *testing.T) { checkMessage(t, w, m, "", blocks.Render(m, "")) })
	}
}

func TestButtonsAreThereWhileItAsks(t *testing.T) {
	for _, s := range cardtest.Samples() {
		if s.Message.Card == nil {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			asks := s.Message.Card.State == integrations.CardAsking
			buttons := pressable(blocks.Render(s.Message, "").Blocks)
			if !asks {
				if len(buttons) > 0 {
					t.Errorf("%d buttons on a card that is %s", len(buttons), s.Message.Card.State)
				}
				return
			}
			q := s.Message.Card.Question
			for id, approve := range map[string]bool{blocks.ActionApprove: true, blocks.ActionDeny: false} {
				b := buttons[id]
				if b == nil {
					t.Fatalf("no button %s", id)
				}
				want := blocks.Answer{
					Case: s.Message.Card.Case, Approval: q.Approval, PlanDigest: q.PlanDigest, Approve: approve, Groups: q.Groups,
					Reason: approve && q.ApproveReason || !approve && q.DenyReason,
				}
				got, err := blocks.ParseAnswer(b.Value)
				got.Label = ""
				if diff := cmp.Diff(want, got); err != nil || diff != "" {
					t.Errorf("%s carries another answer (-want +got), %v:\n%s", id, err, diff)
				}
			}
			if confirms := buttons[blocks.ActionApprove].Confirm != nil; confirms != q.Critical {
				t.Errorf("asks again: %t; critical: %t", confirms, q.Critical)
			}
		})
	}
}

func pressable(list []slack.Block) map[string]*slack.ButtonBlockElement {
	buttons := map[string]*slack.ButtonBlockElement{}
	for _, b := range list {
		if a, ok := b.(*slack.ActionBlock); ok {
			for _, e := range a.Elements.ElementSet {
				if button, ok := e.(*slack.ButtonBlockElement); ok {
					buttons[button.ActionID] = button
				}
			}
		}
	}
	return buttons
}

func TestAQuestionThatNoButtonHolds(t *testing.T) {
	w := newWorkspace(t)
	c := cardtest.Asking()
	c.Case = strings.Repeat(`"\`, 495)
	m := integrations.Message{Card: &c}
	r := blocks.Render(m, cardtest.OnCall)
	checkMessage(t, w, m, cardtest.OnCall, r)
	if len(pressable(r.Blocks)) > 0 {
		t.Error("there are buttons")
	}
	if text := w.show(t, r).Plain(); !strings.Contains(text, "Answer it in a terminal") || !strings.Contains(text, "stanch case approve") {
		t.Errorf("the card does not say how to answer:\n%s", text)
	}
}

// TestTheCardSaysWhatMatters reads the card as a person does.
func TestTheCardSaysWhatMatters(t *testing.T) {
	w := newWorkspace(t)
	digest := cardtest.PlanDigest()
	for name, want := range map[string][]string{
		"asking": {
			"🟠 HIGH · Isolate WS-042 for 4 h?", "updatesvc.exe (pid 6612)", "from the EDR", "203.0.113.77", "asset.role is unknown (inventory: timed out",
			"Isolate WS-042 for 4 h, then undone by itself", "owner finance", "earlier with stanch lease release", "rule unexplained-volume",
			"0 of 1 needed approval", "sec-oncall", "<!date^1773458940^{time} {date_short_pretty}|14 Mar 2026 03:29 UTC>",
			"stanch case approve high-egress-windows/ws-042 --plan " + digest, "stanch case deny high-egress-windows/ws-042 --plan " + digest + " --reason …",
		},
		"critical":      {"🔴 CRITICAL", "1 of 2 needed approvals", "alice", "👍 approved", "Seen on the firewall as well."},
		"effective":     {"EFFECTIVE: egress was measured", "effective", "cut-off (isolate)"},
		"not-effective": {"NOT EFFECTIVE", "not effective", "31.4 Mbit/s"},
		"cannot-tell":   {"CANNOT TELL", "cannot tell", "22 min old"},
		"confirmed":     {"CONFIRMED: the device reports that it is done", "confirmed, effect not proven"},
		"accepted":      {"ACCEPTED", "accepted, not confirmed"},
		"given-back":    {"GIVEN BACK", "given back"},
		"denied":        {"DENIED", "bob", "CHG-1042"},
		"expired":       {"EXPIRED", "not an approval"},
		"digest":        {"41 wait for an answer", "srv-mail-2"},
		"hostile":       {"<!channel>", "*bold*", ":fire:", "[U+202E]", "more)"},
	} {
		i := slices.IndexFunc(cardtest.Samples(), func(s cardtest.Sample) bool { return s.Name == name })
		s := cardtest.Samples()[i]
		text := w.show(t, blocks.Render(s.Message, s.Mention)).Plain()
		for _, part := range want {
			if !strings.Contains(text, part) {
				t.Errorf("%s: the card does not say %q:\n%s", name, part, text)
			}
		}
	}
}

func TestAShadowSaysSo(t *testing.T) {
	c := cardtest.Asking()
	c.Shadow = true
	r := blocks.Render(integrations.Message{Card: &c}, "")
	if text := newWorkspace(t).show(t, r).Plain(); !strings.Contains(text, "HIGH · SHADOW · ") || !strings.Contains(text, "nothing is done to the host") {
		t.Errorf("the card does not say that it is a shadow:\n%s", text)
	}
	if !strings.Contains(r.Text, "nothing is done to the host") {
		t.Errorf("the text does not say that it is a shadow: %s", r.Text)
	}
}

func TestMessagesAreToldApartByTheirKeys(t *testing.T) {
	r := blocks.Render(integrations.Message{Key: "case/p/ws-042", Title: "t"}, "")
	if r.Metadata.EventType != blocks.MetadataEvent || r.Metadata.EventPayload["key"] != incident.DigestOf([]byte("case/p/ws-042")) {
		t.Errorf("the metadata is %+v", r.Metadata)
	}
}

func FuzzCard(f *testing.F) {
	f.Add(cardtest.Attack()[:900], cardtest.OnCall, 3, 2)
	f.Add("\"\\\"\\", "<@U1>", 20, 7)
	f.Add(strings.Repeat("🔥", 300), "", 12, 1)
	f.Add(strings.Repeat("\u0301", 90), "<!here>", 1, 0)
	f.Fuzz(func(t *testing.T, text, mention string, n, seed int) {
		m := integrations.Message{Key: text, Severity: text, Title: text, Lines: []string{text, text}, Card: fuzzed(text, n, seed)}
		checkLimits(t, mention, nil, blocks.Render(m, mention))
		m.Card, m.Lines = nil, slices.Repeat([]string{text}, max(0, n%60))
		checkLimits(t, mention, nil, blocks.Render(m, mention))
	})
}

// fuzzed is a hostile card with text in every place.
func fuzzed(text string, n, seed int) *integrations.Card {
	c := cardtest.Hostile()
	states := []integrations.CardState{
		integrations.CardAsking, integrations.CardDenied, integrations.CardNotEffective, integrations.CardTold, integrations.CardState(text),
	}
	many := slices.Repeat([]string{text}, max(0, n%40))
	c.State = states[max(0, seed)%len(states)]
	c.URL, c.Case, c.Title, c.Severity, c.Because, c.Undo, c.Rule, c.Playbook = "", text, text, text, text, text, text, text
	c.Effect, c.Impact, c.Missing, c.Commands, c.Shadow = many, many, many, many, seed%2 == 0
	q := c.Question
	q.Approve, q.Approvers, q.Approval, q.PlanDigest, q.Groups, q.Notes = text, text, text, text, many, many
	for i := range c.Facts {
		c.Facts[i] = integrations.CardFact{Label: text, Value: text, How: text}
		c.Steps[i] = integrations.CardStep{Text: text, Status: incident.StepStanding, Proof: text, Problem: text}
		q.Votes[i] = integrations.CardVote{Person: text, Via: text, Reason: text}
	}
	return &c
}

func BenchmarkRender(b *testing.B) {
	for name, c := range map[string]integrations.Card{"asking": cardtest.Asking(), "hostile": cardtest.Hostile()} {
		m := integrations.Message{Key: "k", Card: &c}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				blocks.Render(m, cardtest.OnCall)
			}
		})
	}
}
