package slack

import (
	"context"
	"slices"

	"github.com/stanch-soar/stanch/integrations"
)

// Identify implements [integrations.Answerable]. Groups are handles or ids of
// user groups; one that Slack does not have has no members.
func (a *App) Identify(ctx context.Context, c integrations.Click, groups []string) (integrations.Account, error) {
	op := "identify " + c.User
	denied := func(format string, args ...any) (integrations.Account, error) {
		return integrations.Account{}, integrations.Errorf(integrations.Denied, op, format, args...)
	}
	if !isID(c.User, "UW") {
		return denied("the click names no account")
	}
	workspace, err := a.workspace(ctx)
	if err != nil {
		return integrations.Account{}, err
	}
	if c.Team != "" && c.Team != workspace && !isID(c.Team, "E") {
		return denied("the account is of another workspace")
	}
	u, err := a.user(ctx, c.User)
	if is(err, integrations.NotFound) {
		return denied("the workspace has no such account")
	}
	if err != nil {
		return integrations.Account{}, err
	}
	if why := unfit(u, workspace); why != "" {
		return denied("%s", why)
	}
	account := integrations.Account{User: u.ID}
	if a.config.MatchEmail && u.IsEmailConfirmed {
		account.Email = u.Profile.Email
	}
	for _, name := range groups {
		in, err := a.isMember(ctx, u.ID, name)
		if err != nil {
			return integrations.Account{}, err
		}
		if in && !slices.Contains(account.Groups, name) {
			account.Groups = append(account.Groups, name)
		}
	}
	return account, nil
}

func (a *App) isMember(ctx context.Context, user, name string) (bool, error) {
	g, ok, err := a.group(ctx, name)
	if err != nil {
		return false, err
	}
	if !ok {
		a.log.WarnContext(ctx, "a group of approvers is not in Slack: nobody is in it", "group", name)
		return false, nil
	}
	members, err := a.inGroup(ctx, g)
	return slices.Contains(members, user), err
}
