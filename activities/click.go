package activities

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.temporal.io/sdk/temporal"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// People are those of the configuration, as products know them.
type People interface {
	// Bind returns the one person whose account it is. No person, and more than
	// one, is a denied error that says so.
	Bind(use string, a integrations.Account) (incident.Person, error)
	// Vouch returns those of the directories' groups, as
	// [incident.Approvers.DirectoryGroup] names them, in which the person is now. A
	// directory that does not answer vouches for nothing.
	Vouch(ctx context.Context, person string, groups []string) []string
}

// The activities of a click.
var (
	Answer = Ref[protocol.ClickInput, protocol.Answered]{"answer"}
	Reply  = Ref[ReplyIn, struct{}]{"reply"}
	OnCall = Ref[OnCallIn, OnCallOut]{"on_call"}
)

// Answer finds out who clicked and hands the vote to the case, which decides
// whether it counts. The vote's id makes a repeat one vote.
func (a *Activities) Answer(ctx context.Context, in protocol.ClickInput) (protocol.Answered, error) {
	click := in.Click
	messenger, err := use[integrations.Answerable](a, click.Use)
	if err != nil {
		return protocol.Answered{}, err
	}
	person, err := a.who(ctx, messenger, click)
	if integrations.KindOf(err) == integrations.Denied {
		return protocol.Answered{Refused: protocol.RefusedUnknownPerson, Text: reasonOf(err)}, nil
	}
	if err != nil {
		return protocol.Answered{}, err
	}
	var approval incident.Approval
	err = a.Workflows.Update(ctx, Call{
		ID: protocol.CaseWorkflowID(click.Case), Update: protocol.DecideUpdate, UpdateID: "click/" + click.ID,
		Arg: incident.Vote{
			Person: person, Approve: click.Approve, Reason: click.Reason, Approval: click.Approval,
			PlanDigest: click.PlanDigest, Click: click.ID, Account: click.User, Payload: click.Payload,
		},
	}, &approval)
	refused := protocol.Answered{Person: person.ID}
	if refusal, ok := errors.AsType[*temporal.ApplicationError](err); ok && refusal.NonRetryable() {
		refused.Refused, refused.Text = refusal.Type(), refusal.Message()
	} else if integrations.KindOf(err) == integrations.NotFound {
		refused.Refused, refused.Text = protocol.RefusedNoCase, fmt.Sprintf("Case %s is not open.", click.Case)
	} else {
		return protocol.Answered{Person: person.ID, Approval: approval.State}, err
	}
	return a.unlessCounted(ctx, click, refused)
}

// unlessCounted refuses a click, but for one that is delivered again after it
// has counted: a case that went on since takes the same answer for a late one.
func (a *Activities) unlessCounted(ctx context.Context, click integrations.Click, refused protocol.Answered) (protocol.Answered, error) {
	c, err := a.Workflows.Case(ctx, click.Case, "")
	if integrations.KindOf(err) == integrations.NotFound {
		return refused, nil
	}
	if err != nil {
		return protocol.Answered{}, err
	}
	for _, approval := range c.Approvals {
		if slices.ContainsFunc(approval.Votes, func(v incident.Vote) bool { return v.Click == click.ID }) {
			return protocol.Answered{Person: refused.Person, Approval: approval.State}, nil
		}
	}
	return refused, nil
}

// who resolves a click to one person, with the groups that they are in now.
func (a *Activities) who(ctx context.Context, messenger integrations.Answerable, click integrations.Click) (incident.Person, error) {
	own := incident.GroupsIn(click.Use, click.Groups)
	account, err := messenger.Identify(ctx, click, slices.Sorted(maps.Keys(own)))
	if err != nil {
		return incident.Person{}, err
	}
	person, err := a.People.Bind(click.Use, account)
	if err != nil {
		return incident.Person{}, err
	}
	// For a group of the messenger only the messenger's answer counts.
	person.Groups = slices.DeleteFunc(slices.Clone(person.Groups), func(g string) bool { return slices.Contains(click.Groups, g) })
	for _, group := range account.Groups {
		if name, asked := own[group]; asked {
			person.Groups = append(person.Groups, name)
		}
	}
	others := slices.DeleteFunc(slices.Clone(click.Groups), func(name string) bool {
		use, _ := incident.SplitDirectoryGroup(name)
		return use == "" || use == click.Use
	})
	if len(others) > 0 {
		person.Groups = append(person.Groups, a.People.Vouch(ctx, person.ID, others)...)
	}
	person.Via = click.Use
	return person, nil
}

// reasonOf is the innermost text of an error, for people.
func reasonOf(err error) string {
	if e, ok := errors.AsType[*integrations.Error](err); ok && e.Err != nil {
		return e.Err.Error()
	}
	return err.Error()
}

// ReplyIn is the reply to the person who clicked.
type ReplyIn struct {
	Click integrations.Click `json:"click"`
	Text  string             `json:"text"`
}

func (a *Activities) reply(ctx context.Context, in ReplyIn) (struct{}, error) {
	messenger, err := use[integrations.Answerable](a, in.Click.Use)
	if err != nil {
		return struct{}{}, err
	}
	return struct{}{}, messenger.Reply(ctx, in.Click, in.Text)
}

// OnCallIn asks who is on call now.
type OnCallIn struct {
	OnCall incident.OnCall `json:"on_call"`
}

// OnCallOut are the people on call, by their ids in the configuration. Unbound
// counts the accounts that belong to no person.
type OnCallOut struct {
	People  []string `json:"people,omitempty"`
	Unbound int      `json:"unbound,omitempty"`
}

func (a *Activities) onCall(ctx context.Context, in OnCallIn) (OnCallOut, error) {
	rota, err := use[integrations.OnCall](a, in.OnCall.Use)
	if err != nil {
		return OnCallOut{}, err
	}
	accounts, err := rota.OnCall(ctx, integrations.OnCallQuery{Policy: in.OnCall.Policy, Level: in.OnCall.Level})
	if err != nil {
		return OnCallOut{}, err
	}
	var out OnCallOut
	for _, account := range accounts {
		person, err := a.People.Bind(in.OnCall.Use, account)
		if err != nil {
			out.Unbound++
			continue
		}
		out.People = append(out.People, person.ID)
	}
	return out, nil
}
