package slack_test

import (
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/slack/slackfake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// many is more calls than any check makes.
const many = 100

// breaker causes the contract's faults. All methods fail alike, but a lost or
// late answer is that of the one method that people see the effect of.
func breaker(s *slackfake.Server, visible ...string) func(contract.Fault) {
	fail := func(f slackfake.Fault) {
		for _, m := range []string{
			"auth.test", "chat.postMessage", "chat.update", "chat.postEphemeral", "chat.getPermalink", "conversations.list",
			"conversations.history", "conversations.replies", "conversations.open", "users.info", "usergroups.list",
			"usergroups.users.list", "files.getUploadURLExternal", "files.completeUploadExternal", "upload",
		} {
			s.Fail(m, many, f)
		}
	}
	return func(f contract.Fault) {
		switch f {
		case contract.Works: // A lost answer is lost once.
		case contract.Throttle:
			fail(slackfake.Throttle(contract.ThrottledFor))
		case contract.Down:
			fail(slackfake.Refuse("service_unavailable"))
		case contract.Deny:
			fail(slackfake.Refuse("invalid_auth"))
		case contract.Hang:
			for _, m := range visible {
				s.Fail(m, many, slackfake.Silence())
			}
		case contract.LoseAnswer:
			for _, m := range visible {
				s.Fail(m, 1, slackfake.Drop())
			}
		}
	}
}

func knobs(s *slackfake.Server) contract.Knobs {
	// Before what hangs comes what is looked up, and a picture is drawn.
	return contract.Knobs{Kind: "slack", Secrets: []string{s.BotToken, s.AppToken}, Patience: 2 * time.Second}
}

// tokens are those with which every fake is opened.
func tokens(t *testing.T) contract.Knobs { return knobs(workspace(t, nil)) }

func TestMessenger(t *testing.T) {
	for name, channel := range map[string]string{"channel": sec, "channel by name": "#sec", "person": "@" + alice} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			contract.Messenger(t, contract.MessengerHarness{Knobs: tokens(t), Open: func(t testing.TB) contract.MessengerWorld {
				s := workspace(t, nil)
				return contract.MessengerWorld{
					Messenger: start(t, s), Channel: channel,
					Sent:  func() int { return len(s.Messages(sec)) + len(s.Messages(s.Direct(alice))) },
					Break: breaker(s, "chat.postMessage"),
				}
			}})
		})
	}
}

func unknown() incident.Receipt { return incident.Receipt{Ref: sec + "/1700000000.000100"} }

func TestUpdater(t *testing.T) {
	t.Parallel()
	contract.Updater(t, contract.UpdaterHarness{Knobs: tokens(t), Open: func(t testing.TB) contract.UpdaterWorld {
		s := workspace(t, nil)
		a := start(t, s)
		return contract.UpdaterWorld{
			Messenger: a, Updater: a, Channel: "#sec", Unknown: unknown(), Break: breaker(s, "chat.update"),
			Seen: func() []string {
				var seen []string
				for _, m := range s.Messages(sec) {
					seen = append(seen, m.Plain())
				}
				return seen
			},
		}
	}})
}

func TestIllustrator(t *testing.T) {
	t.Parallel()
	contract.Illustrator(t, contract.IllustratorHarness{Knobs: tokens(t), Open: func(t testing.TB) contract.IllustratorWorld {
		s := workspace(t, nil)
		a := start(t, s)
		return contract.IllustratorWorld{
			Messenger: a, Illustrator: a, Channel: "#sec", Unknown: unknown(), Break: breaker(s, "files.completeUploadExternal"),
			Pictures: func(under incident.Receipt) []string {
				var seen []string
				for _, m := range s.Thread(sec, under.Ref[len(sec)+1:]) {
					for _, f := range m.Files {
						seen = append(seen, f.AltText)
					}
				}
				return seen
			},
		}
	}})
}

func click(user, team string) integrations.Click {
	return integrations.Click{ID: "1", User: user, Team: team, Channel: sec, Message: "1700000000.000100", At: time.Now()}
}

func TestAnswerable(t *testing.T) {
	t.Parallel()
	contract.Answerable(t, contract.AnswerableHarness{Knobs: tokens(t), Open: func(t testing.TB) contract.AnswerableWorld {
		s := workspace(t, nil)
		return contract.AnswerableWorld{
			Answerable: start(t, s), Click: click(alice, "T0HOME"), Group: "@sec-oncall", Other: leads,
			Refused: map[string]integrations.Click{
				"a guest": click(guest, "T0HOME"), "a guest of one channel": click(single, "T0HOME"),
				"a deactivated account": click(gone, "T0HOME"), "a bot": click(robot, "T0HOME"),
				"a stranger": click(other, "T0OTHER"), "a stranger whose team is not said": click(other, ""),
				"a member's id with another team": click(bob, "T0OTHER"), "an account that is not there": click("U0NOBODY", "T0HOME"),
			},
			Told: func(user string) []string {
				var told []string
				for _, m := range append(s.Ephemerals(user), s.Messages(s.Direct(user))...) {
					told = append(told, m.Plain())
				}
				return told
			},
			Public: func() int { return len(s.Messages(sec)) },
			Break:  breaker(s, "users.info", "chat.postEphemeral"),
		}
	}})
}
