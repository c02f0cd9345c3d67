package contract

import (
	"context"
	"net/http"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// forgetful posts an update as a message of its own; deaf reports that it updated.
type (
	forgetful struct{ *memory.Estate }
	deaf      struct{ *memory.Estate }
)

func (f forgetful) Update(ctx context.Context, _ incident.Receipt, m integrations.Message) (incident.Receipt, error) {
	m.Key += "/update"
	return f.Post(ctx, m)
}

func (deaf) Update(_ context.Context, r incident.Receipt, _ integrations.Message) (incident.Receipt, error) {
	return r, nil
}

func TestUpdaterSuiteBites(t *testing.T) {
	for _, tt := range []struct {
		name string
		wrap func(*memory.Estate) integrations.Updater
		want []string
	}{
		{"an honest one passes", func(e *memory.Estate) integrations.Updater { return e }, nil},
		{"one that posts again", func(e *memory.Estate) integrations.Updater { return forgetful{e} }, []string{
			"an update shows the new text in the place of the old", "a message that was updated is still the same for post",
			"a message that is not there is not found",
		}},
		{"one that changes nothing", func(e *memory.Estate) integrations.Updater { return deaf{e} }, []string{
			"an update shows the new text in the place of the old", "a message that was updated is still the same for post",
			"a message that is not there is not found", "a cancelled context ends the call",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bites(t, verdicts(t, UpdaterHarness{
				Knobs: Knobs{Unbreakable: "only the checks of the state are meant here"},
				Open: func(t testing.TB) UpdaterWorld {
					e := estate(t)
					return UpdaterWorld{
						Messenger: e, Updater: tt.wrap(e), Channel: "#sec", Unknown: incident.Receipt{Ref: "message-99"},
						Seen: func() []string {
							var seen []string
							for _, sent := range e.Messages() {
								seen = append(seen, sent.Message.Title)
							}
							return seen
						},
					}
				},
			}, updaterChecks()), tt.want...)
		})
	}
}

// gallery shows every picture again.
type gallery struct {
	*memory.Estate
	words []string
}

func (g *gallery) Illustrate(_ context.Context, r incident.Receipt, c integrations.Chart) (incident.Receipt, error) {
	g.words = append(g.words, c.Alt)
	return r, nil
}

func TestIllustratorSuiteBites(t *testing.T) {
	bites(t, verdicts(t, IllustratorHarness{
		Knobs: Knobs{Unbreakable: "only the checks of the state are meant here"},
		Open: func(t testing.TB) IllustratorWorld {
			g := &gallery{Estate: estate(t)}
			return IllustratorWorld{
				Messenger: g, Illustrator: g, Channel: "#sec", Unknown: incident.Receipt{Ref: "message-99"},
				Pictures: func(incident.Receipt) []string { return g.words },
			}
		},
	}, illustratorChecks()), "the same key is one picture", "a chart without key or points is invalid",
		"a picture for a message that is not there is not found", "a cancelled context ends the call")
}

// crier identifies everybody as a member of every group, and replies to all.
type crier struct{ said []string }

func (*crier) Listen(context.Context, integrations.Desk) error { return nil }
func (*crier) Handler(integrations.Desk) http.Handler          { return nil }

func (*crier) Identify(_ context.Context, c integrations.Click, groups []string) (integrations.Account, error) {
	return integrations.Account{User: c.User, Groups: groups}, nil
}

func (c *crier) Reply(_ context.Context, _ integrations.Click, text string) error {
	c.said = append(c.said, text)
	return nil
}

func TestAnswerableSuiteBites(t *testing.T) {
	bites(t, verdicts(t, AnswerableHarness{
		Knobs: Knobs{Unbreakable: "only the checks of the state are meant here"},
		Open: func(testing.TB) AnswerableWorld {
			c := &crier{}
			return AnswerableWorld{
				Answerable: c, Click: integrations.Click{User: "alice"}, Group: "oncall", Other: "leads",
				Refused: map[string]integrations.Click{"a bot": {User: "robot"}},
				Told:    func(string) []string { return c.said }, Public: func() int { return len(c.said) },
			}
		},
	}, answerableChecks()), "who clicked is identified, with the groups that they are in",
		"an account that is no person here is denied, with the reason", "only the person who clicked sees a reply",
		"a cancelled context ends the call")
}
