package activities

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/evidence/casetest"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// samplesFile has the messages that the tests of messengers and the documents
// show. They are of the code that makes them, so that no picture says what
// nobody is ever shown.
const samplesFile = "../integrations/slack/blocks/cardtest/messages.json"

// TestSampleMessages compares the file with what the code makes; UPDATE_GOLDEN=1
// writes it.
func TestSampleMessages(t *testing.T) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(samples(t)); err != nil {
		t.Fatal(err)
	}
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(samplesFile, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(samplesFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(got), out.String()); diff != "" {
		t.Errorf("%s differs (-file +code); UPDATE_GOLDEN=1 writes it:\n%s", samplesFile, diff)
	}
}

// sampleCase is a flood that asks whether to isolate its host.
func sampleCase(t *testing.T) incident.Case {
	t.Helper()
	c := casetest.Waiting(t)
	target, err := incident.DeviceTarget("a3f1c2d4e5b60718", "WS-042")
	if err != nil {
		t.Fatal(err)
	}
	c.Target, c.Plan.Target = &target, &target
	a := &c.Approvals[0]
	a.PlanDigest, a.Gates = incident.DigestOf([]byte("plan")), []string{"cut-off (isolate)"}
	a.AskedAt, a.ExpiresAt, a.Reminded = asked(), asked().Add(15*time.Minute), 0
	c.Facts.Asset.Owner = incident.Known("finance", incident.FromInventory)
	c.Steps = c.Steps[:4]
	return c
}

func asked() time.Time { return time.Date(2026, 3, 14, 3, 14, 0, 0, time.UTC) }

// samples are the messages by their names: one case in every state of its question.
func samples(t *testing.T) map[string]integrations.Message {
	t.Helper()
	after := func(d time.Duration) time.Time { return asked().Add(d) }
	vote := func(c *incident.Case, state incident.ApprovalState, person string, reason string) {
		a := &c.Approvals[0]
		a.State, a.EndedAt = state, after(4*time.Minute)
		a.Votes = []incident.Vote{{Person: incident.Person{ID: person, Via: "slack"}, Approve: state == incident.Approved, Reason: reason, PlanDigest: a.PlanDigest, At: a.EndedAt}}
		c.Steps[3].Status = incident.StepSkipped
	}
	approved := func(status incident.StepStatus, problem string) func(*incident.Case) {
		return func(c *incident.Case) {
			vote(c, incident.Approved, "alice", "")
			c.Steps[3].Status, c.Steps[3].Problem = status, problem
		}
	}
	standing := func(confirmed bool, proof incident.Proof, detail string) func(*incident.Case) {
		return func(c *incident.Case) {
			approved(incident.StepStanding, "")(c)
			s := &c.Steps[3]
			s.AcceptedAt, s.Until = after(5*time.Minute), after(4*time.Hour+5*time.Minute)
			if s.Proof, s.ProofDetail = proof, detail; confirmed {
				s.ConfirmedAt = after(6 * time.Minute)
			}
			if proof == incident.Verified {
				s.ProvenAt = after(7 * time.Minute)
			}
		}
	}
	pause := &incident.Pause{By: "carol", Reason: "Change freeze until the core switches are back.", At: after(-20 * time.Minute)}
	states := map[string]func(*incident.Case){
		"asking": func(*incident.Case) {},
		"critical": func(c *incident.Case) {
			c.Decision.Severity, c.Decision.Because, c.Decision.Unsure = "critical", "A process on a workstation drives a reflection attack.", nil
			c.Facts.Asset.Role = incident.Known("workstation", incident.FromInventory)
			a := &c.Approvals[0]
			a.Name, a.Because, a.Missing, a.Quorum, a.ReasonRequired = "two-people", "", nil, 2, []string{"approve", "deny"}
			a.Approvers, c.Steps[2].Approve = incident.Approvers{SlackGroup: "sec-leads"}, "two-people"
			a.Notes = []string{"reminded after 5 min", "escalated to @sec-manager"}
			a.Votes = []incident.Vote{{Person: incident.Person{ID: "alice", Via: "slack"}, Approve: true, Reason: "Seen on the firewall as well.", PlanDigest: a.PlanDigest, At: after(3 * time.Minute)}}
		},
		"asking-paused":    func(c *incident.Case) { c.Approvals[0].Paused = pause },
		"paused":           func(c *incident.Case) { approved(incident.StepWaiting, "")(c); c.Approvals[0].Paused = pause },
		"approved-running": approved(incident.StepRunning, ""),
		"held-back": func(c *incident.Case) {
			approved(incident.StepSkipped, "containment is paused by carol: Change freeze until the core switches are back.; it was not resumed before 2026-03-14T03:29:00Z")(c)
			c.Approvals[0].Paused, c.Steps[3].HeldBack = pause, true
		},
		"accepted":      standing(false, incident.NoProof, ""),
		"confirmed":     standing(true, incident.NoProof, ""),
		"effective":     standing(true, incident.Verified, "egress is 10 kbit/s, below 64 kbit/s"),
		"not-effective": standing(true, incident.NotEffective, "egress still is 31.4 Mbit/s after 5m, not below 64 kbit/s"),
		"cannot-tell":   standing(true, incident.CannotTell, "the newest flow is 22 min old"),
		"given-back": func(c *incident.Case) {
			standing(true, incident.Verified, "egress is 10 kbit/s, below 64 kbit/s")(c)
			c.Steps[3].Status, c.Steps[3].EndedAt = incident.StepEnded, after(4*time.Hour+5*time.Minute)
		},
		"denied": func(c *incident.Case) {
			vote(c, incident.ApprovalDenied, "bob", "A restore test of finance, announced in CHG-1042.")
		},
		"expired": func(c *incident.Case) {
			vote(c, incident.ApprovalExpired, "", "")
			a := &c.Approvals[0]
			a.Votes, a.EndedAt, a.Notes = nil, a.ExpiresAt, []string{"reminded after 5 min"}
		},
		"void":   func(c *incident.Case) { vote(c, incident.Superseded, "", ""); c.Approvals[0].Votes = nil },
		"failed": approved(incident.StepFailed, "the EDR refused: the agent is offline"),
	}
	out := map[string]integrations.Message{}
	request := protocol.ShowRequest{Key: "case/high-egress-windows/ws-042", Kind: incident.ShownQuestion, Severity: "high"}
	for name, change := range states {
		c := sampleCase(t)
		change(&c)
		req := request
		req.Severity, req.Title = c.Decision.Severity, TitleOf(c, 0)
		out[name] = MessageOf(c, req)
	}
	c := sampleCase(t)
	standing(true, incident.Verified, "egress is 10 kbit/s, below 64 kbit/s")(&c)
	c.Status = incident.Contained
	out["notice"] = MessageOf(c, protocol.ShowRequest{Key: "notice/1", Kind: incident.ShownNotice, Severity: "high", Title: "ws-042 is contained"})
	out["reminder"] = MessageOf(c, protocol.ShowRequest{
		Key: "reminder/1", Kind: incident.ShownReminder, Severity: "high", Title: "Still waiting for an answer to on-call, until 03:29 UTC",
	})
	out["digest"] = digestOf(SummariseIn{Key: "storm/1", Waiting: 41, Over: 12, First: []string{
		"CRITICAL Isolate WS-042 for 4 h? · stanch case show high-egress-windows/ws-042",
		"HIGH Isolate WS-107 for 4 h? · stanch case show high-egress-windows/ws-107",
		"HIGH Limit SRV-MAIL-2 to 2 Mbit/s for 1 h? · stanch case show high-egress-windows/srv-mail-2",
		"and 38 more: stanch case list --status awaiting",
	}})
	return out
}

// Where people have not said how the API is reached, a message has no address: a
// path alone leads nowhere. No message has a page for people, as there is none.
func TestAMessageHasNoRelativeAddress(t *testing.T) {
	for public, want := range map[string]string{
		"": "", "https://stanch.example": "https://stanch.example/v1/leases", "https://stanch.example/": "https://stanch.example/v1/leases",
	} {
		a := &Activities{PublicURL: public}
		if got := a.apiAddress("/v1/leases"); got != want {
			t.Errorf("with public_url %q the address is %q, want %q", public, got, want)
		}
	}
	for name, m := range samples(t) {
		if m.URL != "" || m.Card != nil && m.Card.URL != "" {
			t.Errorf("%s leads to %q", name, m.URL)
		}
	}
}
