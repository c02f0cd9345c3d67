package activities

import (
	"context"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.temporal.io/sdk/temporal"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// refusing is an engine that takes no answer any more.
type refusing struct {
	Workflows
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

func (lobby) Vouch(context.Context, string, []string) []string { return nil }

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
		want   protocol.Answered
	}{
		"it counted, and the case went on": {refusing{with: late, is: decided}, "mine", protocol.Answered{Person: "alice", Approval: incident.Approved}},
		"it counted, and the case closed":  {refusing{with: gone, is: decided}, "mine", protocol.Answered{Person: "alice", Approval: incident.Approved}},
		"it is too late": {
			refusing{with: late, is: decided}, "new", protocol.Answered{Person: "alice", Refused: "not_pending", Text: "on-call is approved already"},
		},
		"the case closed without it": {
			refusing{with: gone, is: decided}, "new", protocol.Answered{Person: "alice", Refused: protocol.RefusedNoCase, Text: "Case p/ws is not open."},
		},
		"there is no case": {refusing{with: gone}, "mine", protocol.Answered{Person: "alice", Refused: protocol.RefusedNoCase, Text: "Case p/ws is not open."}},
	} {
		t.Run(name, func(t *testing.T) {
			set := integrations.NewSet()
			set.Add("slack", integrations.Spec{Kind: "lobby"}, lobby{})
			a := &Activities{Set: set, Workflows: test.engine, People: lobby{}}
			got, err := a.Answer(t.Context(), protocol.ClickInput{Click: integrations.Click{ID: test.click, Use: "slack", Case: "p/ws"}})
			if diff := gocmp.Diff(test.want, got); diff != "" || err != nil {
				t.Errorf("answered (-want +got):\n%s%v", diff, err)
			}
		})
	}
}

// hearing is an engine that takes every answer and records the calls.
type hearing struct {
	Workflows
	calls []Call
	with  error
}

func (h *hearing) Update(_ context.Context, c Call, _ any) error {
	h.calls = append(h.calls, c)
	return h.with
}

// club is a messenger that vouches for an account, or does not, and a directory
// with the groups of stanch.yaml.
type club struct {
	integrations.Answerable
	vouches []string
	fails   error
	groups  []string
	// elsewhere says who is in which groups of other directories.
	elsewhere []string
}

func (c club) Identify(_ context.Context, click integrations.Click, _ []string) (integrations.Account, error) {
	return integrations.Account{User: click.User, Groups: c.vouches}, c.fails
}

func (c club) Vouch(_ context.Context, person string, groups []string) []string {
	return slices.DeleteFunc(slices.Clone(groups), func(g string) bool { return !slices.Contains(c.elsewhere, person+" in "+g) })
}

func (c club) Bind(_ string, a integrations.Account) (incident.Person, error) {
	if a.User != "u-alice" {
		return incident.Person{}, integrations.Errorf(integrations.Denied, "bind", "account %s is nobody of stanch.yaml", a.User)
	}
	return incident.Person{ID: "alice", Groups: c.groups}, nil
}

func clicking(t *testing.T, engine Workflows, c club, click integrations.Click) (protocol.Answered, error) {
	t.Helper()
	set := integrations.NewSet()
	set.Add("slack", integrations.Spec{Kind: "club"}, c)
	return (&Activities{Set: set, Workflows: engine, People: c}).Answer(t.Context(), protocol.ClickInput{Click: click})
}

// The case gets who clicked, with the groups that they are in now: for a group
// of the messenger only its answer counts, regardless of stanch.yaml.
func TestACaseIsToldWhoClicked(t *testing.T) {
	click := integrations.Click{
		ID: "1", Use: "slack", User: "u-alice", Case: "p/ws", Approval: "on-call", PlanDigest: "sha256:1", Approve: false, Reason: "no",
		Groups: []string{"sec-oncall", "sec-leads"}, Payload: "sha256:2",
	}
	for name, c := range map[string]struct {
		club
		want []string
	}{
		"in none":                     {club{}, nil},
		"in a group of the messenger": {club{vouches: []string{"sec-oncall"}}, []string{"sec-oncall"}},
		"in a group of stanch.yaml":   {club{groups: []string{"analysts"}}, []string{"analysts"}},
		"not in it any more":          {club{groups: []string{"sec-oncall", "analysts", "sec-leads"}}, []string{"analysts"}},
		"in one of two":               {club{groups: []string{"sec-oncall", "analysts"}, vouches: []string{"sec-leads"}}, []string{"analysts", "sec-leads"}},
	} {
		engine := &hearing{}
		before := slices.Clone(c.groups)
		if _, err := clicking(t, engine, c.club, click); err != nil || len(engine.calls) != 1 {
			t.Fatalf("%s: %v, %+v", name, err, engine.calls)
		}
		want := Call{
			ID: protocol.CaseWorkflowID("p/ws"), Update: protocol.DecideUpdate, UpdateID: "click/1", Arg: incident.Vote{
				Person: incident.Person{ID: "alice", Groups: c.want, Via: "slack"}, Approve: false, Reason: "no", Approval: "on-call",
				PlanDigest: "sha256:1", Click: "1", Account: "u-alice", Payload: "sha256:2",
			},
		}
		if diff := gocmp.Diff(want, engine.calls[0], cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if !slices.Equal(before, c.groups) {
			t.Errorf("%s: the directory's own groups became %v", name, c.groups)
		}
	}
}

// A group of a named directory is a matter of that directory: another one's group
// of the same name gives nobody a vote.
func TestAGroupBelongsToItsDirectory(t *testing.T) {
	for name, c := range map[string]struct {
		club
		want []string
	}{
		"in the messenger's":       {club{vouches: []string{"sec"}}, []string{"slack/sec"}},
		"in the other directory's": {club{elsewhere: []string{"alice in teams/sec"}}, []string{"teams/sec"}},
		"in both":                  {club{vouches: []string{"sec"}, elsewhere: []string{"alice in teams/sec"}}, []string{"slack/sec", "teams/sec"}},
		"by stanch.yaml alone":     {club{groups: []string{"slack/sec", "teams/sec"}}, nil},
		"in one not asked of":      {club{vouches: []string{"admins"}, elsewhere: []string{"alice in teams/admins"}}, nil},
	} {
		engine := &hearing{}
		_, err := clicking(t, engine, c.club, integrations.Click{
			ID: "1", Use: "slack", User: "u-alice", Case: "p/ws", Approve: true, Groups: []string{"slack/sec", "teams/sec"},
		})
		if err != nil || len(engine.calls) != 1 {
			t.Fatalf("%s: %v, %+v", name, err, engine.calls)
		}
		if vote, ok := engine.calls[0].Arg.(incident.Vote); !ok || !slices.Equal(vote.Person.Groups, c.want) {
			t.Errorf("%s: the vote is %+v, want the groups %v", name, engine.calls[0].Arg, c.want)
		}
	}
}

// A click by an unknown person is refused, and one whose person cannot be looked up
// is not an answer: the case hears of neither. A passing fault is tried again.
func TestAClickOfNobodyReachesNoCase(t *testing.T) {
	denied := integrations.Errorf(integrations.Denied, "identify", "u-alice is a guest")
	down := integrations.Errorf(integrations.Unavailable, "identify", "connection refused")
	for name, c := range map[string]struct {
		club
		user    string
		refused string
	}{
		"a guest":               {club{fails: denied}, "u-alice", protocol.RefusedUnknownPerson},
		"nobody of stanch.yaml": {club{vouches: []string{"sec-oncall"}}, "u-eve", protocol.RefusedUnknownPerson},
		"no account":            {club{vouches: []string{"sec-oncall"}}, "", protocol.RefusedUnknownPerson},
		"the messenger is down": {club{fails: down, groups: []string{"sec-oncall"}}, "u-alice", ""},
	} {
		engine := &hearing{}
		got, err := clicking(t, engine, c.club, integrations.Click{ID: "1", Use: "slack", User: c.user, Case: "p/ws", Approve: true, Groups: []string{"sec-oncall"}})
		if got.Refused != c.refused || (err != nil) != (c.refused == "") || len(engine.calls) > 0 {
			t.Errorf("%s: answered %+v, %v; the case heard %+v", name, got, err, engine.calls)
		}
	}
	engine := &hearing{with: temporal.NewApplicationError("busy", "busy")}
	if got, err := clicking(t, engine, club{}, integrations.Click{ID: "1", Use: "slack", User: "u-alice", Case: "p/ws"}); err == nil || got.Refused != "" {
		t.Errorf("a case that is busy is answered %+v, %v", got, err)
	}
}
