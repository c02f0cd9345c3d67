package activities

import (
	"context"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/temporal"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// refusing is an engine that takes no answer any more.
type refusing struct {
	Engine
	with error
	is   incident.Case
}

func (r refusing) Update(context.Context, Call, any) error { return r.with }

func (r refusing) Case(context.Context, string, string) (incident.Case, error) {
	if r.is.ID == "" {
		return incident.Case{}, integrations.Errorf(integrations.NotFound, "show case", "there is none")
	}
	return r.is, nil
}

// lobby is a messenger and a directory in which everybody is alice.
type lobby struct{ integrations.Answerable }

func (lobby) Identify(context.Context, integrations.Click, []string) (integrations.Account, error) {
	return integrations.Account{User: "u-alice"}, nil
}

func (lobby) Bind(string, integrations.Account) (incident.Person, error) {
	return incident.Person{ID: "alice"}, nil
}

// A click that is delivered again when its case has gone on or is closed was
// counted, and nobody is told that it was not.
func TestAClickThatHasCountedIsNotRefusedLater(t *testing.T) {
	late := temporal.NewNonRetryableApplicationError("on-call is approved already", "not_pending", nil)
	gone := integrations.Errorf(integrations.NotFound, "update", "it is closed")
	decided := incident.Case{ID: "p/ws", Approvals: []incident.Approval{
		{State: incident.ApprovalExpired}, {State: incident.Approved, Votes: []incident.Vote{{Click: "other"}, {Click: "mine"}}},
	}}
	for name, test := range map[string]struct {
		engine refusing
		click  string
		want   Answered
	}{
		"it counted, and the case went on": {refusing{with: late, is: decided}, "mine", Answered{Person: "alice", Approval: incident.Approved}},
		"it counted, and the case closed":  {refusing{with: gone, is: decided}, "mine", Answered{Person: "alice", Approval: incident.Approved}},
		"it is too late": {
			refusing{with: late, is: decided}, "new", Answered{Person: "alice", Refused: "not_pending", Text: "on-call is approved already"},
		},
		"the case closed without it": {
			refusing{with: gone, is: decided}, "new", Answered{Person: "alice", Refused: RefusedNoCase, Text: "Case p/ws is not open."},
		},
		"there is no case": {refusing{with: gone}, "mine", Answered{Person: "alice", Refused: RefusedNoCase, Text: "Case p/ws is not open."}},
	} {
		t.Run(name, func(t *testing.T) {
			set := integrations.NewSet()
			set.Add("slack", integrations.Spec{Kind: "lobby"}, lobby{})
			a := &Activities{Set: set, Engine: test.engine, People: lobby{}}
			got, err := a.Answer(t.Context(), ClickInput{Click: integrations.Click{ID: test.click, Use: "slack", Case: "p/ws"}})
			if diff := gocmp.Diff(test.want, got); diff != "" || err != nil {
				t.Errorf("answered (-want +got):\n%s%v", diff, err)
			}
		})
	}
}
