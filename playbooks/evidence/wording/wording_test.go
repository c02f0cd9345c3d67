package wording_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stanch-soar/stanch/playbooks/evidence/casetest"
	"github.com/stanch-soar/stanch/playbooks/evidence/wording"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// texts returns every string that is reachable from v.
func texts(v reflect.Value) []string {
	var out []string
	switch v.Kind() {
	case reflect.String:
		out = append(out, v.String())
	case reflect.Slice:
		for i := range v.Len() {
			out = append(out, texts(v.Index(i))...)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				out = append(out, texts(v.Field(i))...)
			}
		}
	default:
	}
	return out
}

func TestEveryStringOfAnAccountIsInert(t *testing.T) {
	all := texts(reflect.ValueOf(wording.Of(casetest.Hostile(t))))
	if len(all) < 300 {
		t.Fatalf("only %d strings were looked at", len(all))
	}
	hostile := 0
	for _, s := range all {
		if i := strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("%q does not print at %d", s, i)
		}
		if n := len([]rune(s)); n > 3000 {
			t.Errorf("a string has %d characters: %.80q…", n, s)
		}
		if strings.Contains(s, "<script>") {
			hostile++
		}
	}
	// Fewer would mean that the hostile case no longer reaches the account.
	if hostile < 60 {
		t.Errorf("only %d strings hold the hostile text", hostile)
	}
}

func TestInert(t *testing.T) {
	for _, tt := range []struct {
		name, in, want string
	}{
		{"plain text is kept", "Zürich 日本 <b>&", "Zürich 日本 <b>&"},
		{"an escape sequence is visible", "a\x1b[31mb", "a[U+001B][31mb"},
		{"a C1 control is visible", "a\u009b31m", "a[U+009B]31m"},
		{"a bidi override is visible", "gpj\u202eexe", "gpj[U+202E]exe"},
		{"a zero-width space is visible", "a\u200bb", "a[U+200B]b"},
		{"a line separator is visible", "a\u2028b", "a[U+2028]b"},
		{"a newline is a space", "a\r\nb\tc", "a  b c"},
		{"broken UTF-8 is replaced", "a\xffb", "a\ufffdb"},
		{"the rest is counted", strings.Repeat("é", 1210), strings.Repeat("é", 10) + "… (1,200 more characters)"},
		{"exactly the bound is kept", strings.Repeat("é", 10), strings.Repeat("é", 10)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			limit := 40
			if strings.HasPrefix(tt.in, "é") {
				limit = 10
			}
			if got := wording.Inert(tt.in, limit); got != tt.want {
				t.Errorf("Inert(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func FuzzInert(f *testing.F) {
	f.Add(casetest.Attack(), 50)
	f.Add("\xf0\x9f", 1)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = min(max(limit, 0), 1000)
		got := wording.Inert(s, limit)
		if i := strings.IndexFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("Inert(%q, %d) = %q does not print at %d", s, limit, got, i)
		}
		if n := len([]rune(got)); n > 10*limit+60 {
			t.Errorf("Inert(%q, %d) has %d characters", s, limit, n)
		}
	})
}

func find[T any](t *testing.T, list []T, want func(T) bool) T {
	t.Helper()
	i := slices.IndexFunc(list, want)
	if i < 0 {
		t.Fatalf("not found in %+v", list)
	}
	return list[i]
}

func TestTheTraceSaysWhyNotTheOthers(t *testing.T) {
	a := wording.Of(casetest.Flood(t))
	for name, want := range map[string]string{
		"sanctioned-transfer":              `not this one: process.path = C:\Users\m.keller\AppData\Local\Temp\updatesvc.exe`,
		"amplification-from-a-workstation": "not this one: traffic.role = flooder",
		"unexplained-volume":               "every part is true",
		"otherwise":                        "a rule above was chosen",
	} {
		got := find(t, a.Trace.Rules, func(c wording.Condition) bool { return c.Name == name })
		if got.Why != want || got.Chosen != (name == "unexplained-volume") {
			t.Errorf("rule %s: chosen %t, why %q, want %q", name, got.Chosen, got.Why, want)
		}
	}
	if got, want := a.Trace.Guardrails[0].Why, "cannot be told: asset.role is unknown (inventory: timed out after 5s)"; got != want {
		t.Errorf("guardrail: %q, want %q", got, want)
	}
}

func TestAcceptanceIsNeverToldAsProof(t *testing.T) {
	at := casetest.Opened()
	verify := &incident.Verify{EgressBelow: 64e3, Within: time.Minute}
	for _, tt := range []struct {
		name string
		step incident.StepState
		want string
	}{
		{"only accepted", incident.StepState{Status: incident.StepStanding, AcceptedAt: at}, "yes, not yet, not yet"},
		{"read back, flows silent", incident.StepState{Status: incident.StepStanding, AcceptedAt: at, ConfirmedAt: at, Proof: incident.CannotTell}, "yes, yes, cannot tell"},
		{"still flooding", incident.StepState{Status: incident.StepStanding, AcceptedAt: at, ConfirmedAt: at, Proof: incident.NotEffective}, "yes, yes, no"},
		{"proven", incident.StepState{Status: incident.StepStanding, AcceptedAt: at, ConfirmedAt: at, Proof: incident.Verified}, "yes, yes, yes"},
		{"adopted", incident.StepState{Status: incident.StepStanding, Adopted: true, ConfirmedAt: at}, "stood before, yes, not yet"},
		{"given back without ever being confirmed", incident.StepState{Status: incident.StepEnded, AcceptedAt: at}, "yes, no, no"},
		{"failed", incident.StepState{Status: incident.StepFailed}, "no, no, no"},
		{"waiting", incident.StepState{Status: incident.StepWaiting}, "not started, not started, not started"},
		{"shadowed", incident.StepState{Status: incident.StepShadowed}, "not asked, not asked, not asked"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.step.Action, tt.step.Verify = incident.Isolate, verify
			var answers []string
			for _, p := range wording.Of(incident.Case{Steps: []incident.StepState{tt.step}}).Steps[0].Proofs {
				answers = append(answers, p.Answer)
			}
			if got := strings.Join(answers, ", "); got != tt.want {
				t.Errorf("proofs are %q, want %q", got, tt.want)
			}
		})
	}
}

func TestAPendingApprovalSaysWhatEachAnswerDoes(t *testing.T) {
	a := wording.Of(casetest.Waiting(t)).Approvals[0]
	want := []wording.Answer{
		{Word: "approve", Does: "runs cut-off (isolate), tell (notify)"},
		{Word: "deny", Does: "runs tell (notify #sec-egress) instead; still standing: throttle until 04:12 UTC", Reason: true},
		{Word: "no answer", Does: "those steps do not run; still standing: throttle until 04:12 UTC"},
	}
	if !a.Pending || !reflect.DeepEqual(a.Answers, want) {
		t.Errorf("pending %t, answers %+v, want %+v", a.Pending, a.Answers, want)
	}
}

func TestACaseSaysThatContainmentIsPaused(t *testing.T) {
	c := casetest.Waiting(t)
	c.Approvals[0].Paused = &incident.Pause{By: "carol", Reason: "change freeze", At: c.OpenedAt}
	want := "Containment is paused by carol: change freeze. An approval waits until it is resumed, and is held back if that is not before " +
		wording.Clock(c.Approvals[0].ExpiresAt) + "."
	if got := wording.Of(c).Approvals[0].Paused; got != want {
		t.Errorf("while it is asked: %q, want %q", got, want)
	}
	c.Approvals[0].State, c.Status = incident.Approved, incident.Working
	a := wording.Of(c)
	if !strings.Contains(a.Approvals[0].Paused, "The approval waits until it is resumed") || a.Standing != "Approved, and waits until containment is resumed." {
		t.Errorf("while it waits: %q, %q", a.Approvals[0].Paused, a.Standing)
	}
	c.Approvals[0].Paused = nil
	if a := wording.Of(c); a.Approvals[0].Paused != "" || wording.PauseOf(c) != "" {
		t.Errorf("after the resumption: %q", a.Approvals[0].Paused)
	}
}

func TestLeasesNameWhoLetThemHappen(t *testing.T) {
	leases := wording.Of(casetest.Flood(t)).Leases
	if len(leases) != 2 {
		t.Fatalf("%d leases, want 2", len(leases))
	}
	for i, want := range []string{"the policy (no approval was needed)", "alice"} {
		if leases[i].Approver != want || leases[i].Stands() {
			t.Errorf("lease %s: approver %q, stands %t; want %q, given back", leases[i].Step, leases[i].Approver, leases[i].Stands(), want)
		}
	}
	waiting := wording.Of(casetest.Waiting(t)).Leases
	if len(waiting) != 1 || !waiting[0].Stands() {
		t.Errorf("while waiting: %+v, want the throttle standing", waiting)
	}
}

func TestAVoteForAnotherPlanIsMarked(t *testing.T) {
	c := casetest.Flood(t)
	c.Approvals[0].Votes[0].PlanDigest = "sha256:other"
	if !wording.Of(c).Approvals[0].Votes[0].OtherPlan {
		t.Error("a vote for another plan reads like one for this plan")
	}
	if wording.Of(casetest.Flood(t)).Approvals[0].Votes[0].OtherPlan {
		t.Error("a vote for this plan is marked as one for another")
	}
}

func TestUnknownFactsSayWhy(t *testing.T) {
	a := wording.Of(casetest.Flood(t))
	asset := find(t, a.Facts, func(g wording.FactGroup) bool { return g.Name == "asset" })
	role := find(t, asset.Values, func(f wording.Fact) bool { return f.Path == "asset.role" })
	if role.Known || role.Text != "" || role.Why != "inventory: timed out after 5s" {
		t.Errorf("asset.role is told as %+v", role)
	}
	traffic := find(t, a.Facts, func(g wording.FactGroup) bool { return g.Name == "traffic" })
	sent := find(t, traffic.Values, func(f wording.Fact) bool { return f.Path == "traffic.bytes_out" })
	if want := (wording.Fact{Path: "traffic.bytes_out", Known: true, Text: "4.1 GiB", From: "from the flow store"}); !reflect.DeepEqual(sent, want) {
		t.Errorf("traffic.bytes_out is told as %+v, want %+v", sent, want)
	}
}

func TestAStaleFlowStoreIsTold(t *testing.T) {
	fresh := func(at time.Time) incident.Value[time.Time] { return incident.Known(at, incident.FromFlows) }
	opened := casetest.Opened()
	for _, tt := range []struct {
		name   string
		newest incident.Value[time.Time]
		alert  time.Time
		want   string
	}{
		{"a fresh one", fresh(opened.Add(-time.Minute)), opened, ""},
		{"one that lags", fresh(opened.Add(-12 * time.Minute)), opened, "the flow store is stale: its newest record is 12m older than the case"},
		{"one that reaches the time of a late alert", fresh(opened.Add(-3 * time.Hour)), opened.Add(-3 * time.Hour), ""},
		{"one that does not say", incident.NotKnown[time.Time]("flows: not told"), opened, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := casetest.Flood(t)
			c.OpenedAt, c.Facts.Traffic.Freshness = opened, tt.newest
			c.Facts.Alert.Time = incident.Known(tt.alert, incident.FromAlert)
			line := find(t, wording.Of(c).Headline, func(l wording.Line) bool { return l.Label == "How much" })
			stale := tt.want != ""
			if strings.Contains(line.Text, "stale") != stale || !strings.Contains(line.Text, tt.want) || (line.Tone == wording.Warn) != stale {
				t.Errorf("told as %q (%v), want %q", line.Text, line.Tone, tt.want)
			}
		})
	}
}

func TestASensorThatIsAheadIsTold(t *testing.T) {
	c := casetest.Flood(t)
	c.Facts.Traffic.FastClocks = []incident.FastClock{{Sensor: "10.0.0.9", Newest: casetest.Opened().Add(8 * time.Hour), Ahead: 8 * time.Hour}}
	line := find(t, wording.Of(c).Headline, func(l wording.Line) bool { return l.Label == "Clock" })
	if want := "the clock of sensor 10.0.0.9 is ahead by 8h; what it recorded of the future proves nothing"; line.Text != want || line.Tone != wording.Warn {
		t.Errorf("told as %q (%v), want %q", line.Text, line.Tone, want)
	}
}

func TestACaseWithNothingInItIsTold(t *testing.T) {
	a := wording.Of(incident.Case{Status: incident.Working})
	for _, l := range a.Headline {
		if l.Text == "" || l.Label == "" {
			t.Errorf("an empty line: %+v", l)
		}
	}
	if len(a.Headline) < 6 || a.Standing == "" {
		t.Errorf("headline %+v, standing %q", a.Headline, a.Standing)
	}
}

// People see how much of the traffic the process accounts for, and who is only
// guessed.
func TestHowSureSaysWhatIsExplained(t *testing.T) {
	c := casetest.Flood(t)
	c.Facts.Traffic.Explained = incident.Known(0.62, incident.Computed)
	if text := headline(c, "How sure"); !strings.Contains(text, "it explains 62 % of the bytes") {
		t.Errorf("how sure: %q", text)
	}
	c.Facts.Traffic.Attribution = incident.Known("destination", incident.Computed)
	c.Facts.Alert.Process = incident.AlertProcess{}
	c.Facts.DisownGuess()
	if text := headline(c, "Who"); !strings.Contains(text, "only guessed, by the destination; perhaps ") {
		t.Errorf("who: %q", text)
	}
}

func headline(c incident.Case, label string) string {
	for _, l := range wording.Of(c).Headline {
		if l.Label == label {
			return l.Text
		}
	}
	return ""
}
