package slack_test

import (
	"context"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/slack"
	"github.com/stanch-soar/stanch/integrations/slack/blocks"
	"github.com/stanch-soar/stanch/integrations/slack/slackfake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// tray is a desk on which clicks are laid.
type tray chan integrations.Click

func (d tray) Answer(_ context.Context, c integrations.Click) error {
	d <- c
	return nil
}

func (tray) Admit(context.Context, integrations.Click) error { return nil }

func (tray) Case(context.Context, integrations.Click) (incident.Case, error) {
	return incident.Case{}, nil
}

// question is a card that asks, with an alert's hostile words in it.
func question() integrations.Message {
	m := message("case-1/asked")
	m.Mention = "@sec-oncall"
	m.Card = &integrations.Card{
		State: integrations.CardAsking, Case: "case-1", Subject: "ws-042", Severity: "high", Title: "Isolate ws-042 <!channel>?",
		Because: "It sends 4 GiB to <https://evil.example|a friend>", Effect: []string{"Isolates ws-042 for 4 h"},
		Facts: []integrations.CardFact{{Label: "Process", Value: "<!here>.exe", How: "measured by edr"}},
		Question: &integrations.CardQuestion{
			Approval: "on-call", PlanDigest: incident.DigestOf([]byte("plan")), State: incident.Pending,
			Approve: "Isolate ws-042 for 4 h", Quorum: 1, Approvers: "1 of @sec-oncall", Groups: []string{"sec-oncall"},
			AskedAt: time.Now(), ExpiresAt: time.Now().Add(15 * time.Minute),
		},
	}
	return m
}

// TestAnswer goes all the way: the card is posted and calls the group, somebody
// approves, Stanch learns who and tells them, and the card shows it.
func TestAnswer(t *testing.T) {
	for _, mode := range []slack.Mode{slack.Socket, slack.HTTP} {
		t.Run(string(mode), func(t *testing.T) {
			s := workspace(t, nil)
			c := config(s)
			c.Mode, c.SigningSecret = mode, integrations.Secret(s.SigningSecret)
			a, _ := open(t, c, nil)
			desk := make(tray, 1)
			receive(t, s, a, mode, desk)

			m := question()
			r := post(t, a, m)
			ts := strings.TrimPrefix(r.Ref, sec+"/")
			card := only(t, s, sec)
			if diff := cmp.Diff([]string{"<!subteam^S0ONCALL>"}, card.Mentions()); diff != "" {
				t.Errorf("the card calls (-want +got):\n%s", diff)
			}
			delivery, err := s.Click(alice, sec, ts, blocks.ActionApprove)
			must(t, delivery, err)
			answer, err := delivery.Answer(t.Context())
			must(t, answer, err)
			got := <-desk
			if got.User != alice || got.Team != "T0HOME" || got.Channel != sec || got.Message != ts || !got.Approve ||
				got.Case != "case-1" || got.Approval != "on-call" || got.PlanDigest != m.Card.Question.PlanDigest {
				t.Errorf("the click is %+v", got)
			}
			account, err := a.Identify(t.Context(), got, m.Card.Question.Groups)
			must(t, account, err)
			if diff := cmp.Diff(integrations.Account{User: alice, Groups: []string{"sec-oncall"}}, account); diff != "" {
				t.Errorf("the account (-want +got):\n%s", diff)
			}
			if err := a.Reply(t.Context(), got, "Your approval counts."); err != nil {
				t.Fatal(err)
			}
			// That the click was recorded may be told before it or after.
			told := s.Ephemerals(alice)
			if !slices.ContainsFunc(told, func(m slackfake.Message) bool { return strings.Contains(m.Plain(), "Your approval counts.") }) {
				t.Errorf("alice was told %+v", told)
			}
			m.Card.State, m.Card.Title, m.Card.Question.State = integrations.CardConfirmed, "ws-042 is isolated", incident.Approved
			_, err = a.Update(t.Context(), r, m)
			must(t, r, err)
			if shown := only(t, s, sec); strings.Contains(shown.Plain(), "Isolate ws-042 <!channel>?") || len(shown.Buttons()) > 0 {
				t.Errorf("after it was decided people see %q with the buttons %+v", shown.Plain(), shown.Buttons())
			}
		})
	}
}

// receive has the app take answers until the test ends.
func receive(t *testing.T, s *slackfake.Server, a *slack.App, mode slack.Mode, desk integrations.Desk) {
	t.Helper()
	if mode == slack.HTTP {
		server := httptest.NewServer(a.Handler(desk))
		t.Cleanup(server.Close)
		s.SetRequestURL(server.URL)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Listen(ctx, desk) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("listen: %v", err)
		}
	})
	if mode == slack.Socket {
		if err := s.Await(t.Context(), func() bool { return s.Sockets() > 0 }); err != nil {
			t.Fatal(err)
		}
	}
}
