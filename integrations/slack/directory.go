package slack

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/integrations"
)

const (
	// rememberPeople is as long as an answer of Identify may be old.
	rememberPeople = 60 * time.Second
	maxPeople      = 4096
	maxGroups      = 256
	// rememberHandles is for names and addresses of people, which only say whom
	// to call.
	rememberHandles = 10 * time.Minute
	// maxPages bounds what is read of a list. A page has up to pageSize entries.
	maxPages = 20
	pageSize = 1000
)

// directory remembers people and user groups.
type directory struct {
	users   *cache[slack.User]
	groups  *cache[[]slack.UserGroup]
	members *cache[[]string]
	handles *cache[map[string][]string]
	emails  *cache[string]
}

func newDirectory(now func() time.Time) directory {
	return directory{
		users:   newCache[slack.User](now, maxPeople, rememberPeople),
		groups:  newCache[[]slack.UserGroup](now, 1, rememberPeople),
		members: newCache[[]string](now, maxGroups, rememberPeople),
		handles: newCache[map[string][]string](now, 1, rememberHandles),
		emails:  newCache[string](now, maxGroups, rememberHandles),
	}
}

// identity is the app as Slack knows it.
type identity struct{ team, user, bot, name string }

// self asks who the bot token is, once.
func (a *App) self(ctx context.Context) (identity, error) {
	r := reading("ask Slack whose the bot token is")
	me, err := a.whoami.get(ctx, "", func(ctx context.Context) (identity, error) {
		t, err := a.api.AuthTestContext(ctx)
		if err != nil {
			return identity{}, r.failed(err)
		}
		if t.TeamID == "" || t.UserID == "" {
			return identity{}, integrations.Errorf(integrations.Unavailable, r.op, "the answer names nobody")
		}
		return identity{team: t.TeamID, user: t.UserID, bot: t.BotID, name: t.User}, nil
	})
	return me, r.failed(err)
}

// workspace is the one whose members are people.
func (a *App) workspace(ctx context.Context) (string, error) {
	if a.config.Workspace != "" {
		return a.config.Workspace, nil
	}
	me, err := a.self(ctx)
	return me.team, err
}

// user returns an account, as of the last minute.
func (a *App) user(ctx context.Context, id string) (slack.User, error) {
	r := reading("read the Slack account %s", id)
	u, err := a.people.users.get(ctx, id, func(ctx context.Context) (slack.User, error) {
		u, err := a.api.GetUserInfoContext(ctx, id, slack.GetUserInfoOptionIncludeLocale(false))
		if err != nil {
			return slack.User{}, r.failed(err)
		}
		if u.ID != id {
			return slack.User{}, integrations.Errorf(integrations.Unavailable, r.op, "the answer is of another account")
		}
		return *u, nil
	})
	return u, r.failed(err)
}

// unfit says why an account is nobody here, or nothing.
func unfit(u slack.User, workspace string) string {
	const bot = "USLACKBOT"
	switch {
	case u.Deleted:
		return "the account is deactivated"
	case u.IsBot || u.IsWorkflowBot || u.IsConnectorBot || u.ID == bot:
		return "it is a bot"
	case u.IsStranger, u.TeamID != workspace && !slices.Contains(u.Enterprise.Teams, workspace):
		return "the account is of another workspace"
	case u.IsRestricted || u.IsUltraRestricted:
		return "it is a guest of the workspace"
	case u.IsInvitedUser:
		return "the account was invited and has not joined yet"
	}
	return ""
}

// group finds a user group by its handle or its id. There is none when it is
// disabled, or another organisation's.
func (a *App) group(ctx context.Context, name string) (slack.UserGroup, bool, error) {
	r := reading("list Slack's user groups")
	groups, err := a.people.groups.get(ctx, "", func(ctx context.Context) ([]slack.UserGroup, error) {
		list, err := a.api.GetUserGroupsContext(ctx)
		return list, r.failed(err)
	})
	if err != nil {
		return slack.UserGroup{}, false, r.failed(err)
	}
	name = strings.TrimPrefix(name, "@")
	var found []slack.UserGroup
	for _, g := range groups {
		if name != "" && (g.ID == name || strings.EqualFold(g.Handle, name)) && g.DateDelete == 0 && !g.IsExternal {
			found = append(found, g)
		}
	}
	if len(found) != 1 {
		return slack.UserGroup{}, false, nil
	}
	return found[0], true, nil
}

// inGroup returns the accounts in a user group, whatever they are. A group that
// went away since it was listed has none.
func (a *App) inGroup(ctx context.Context, g slack.UserGroup) ([]string, error) {
	r := reading("list the members of the user group @%s", g.Handle)
	members, err := a.people.members.get(ctx, g.ID, func(ctx context.Context) ([]string, error) {
		list, err := a.api.GetUserGroupMembersContext(ctx, g.ID)
		if err = r.failed(err); is(err, integrations.NotFound) {
			return nil, nil
		}
		return list, err
	})
	return members, r.failed(err)
}

// byHandle returns the accounts of a name: the account's own, or the one that
// is displayed, which several may have.
func (a *App) byHandle(ctx context.Context, name string) ([]string, error) {
	r := reading("list Slack's accounts")
	handles, err := a.people.handles.get(ctx, "", func(ctx context.Context) (map[string][]string, error) {
		return a.listHandles(ctx, r)
	})
	return handles[strings.ToLower(name)], r.failed(err)
}

func (a *App) listHandles(ctx context.Context, r request) (map[string][]string, error) {
	workspace, err := a.workspace(ctx)
	if err != nil {
		return nil, err
	}
	handles := map[string][]string{}
	pages := a.api.GetUsersPaginated(slack.GetUsersOptionLimit(pageSize), slack.GetUsersOptionIncludeLocale(false))
	for range maxPages {
		if pages, err = pages.Next(ctx); pages.Done(err) {
			return handles, nil
		} else if err != nil {
			return nil, r.failed(err)
		}
		for _, u := range pages.Users {
			if unfit(u, workspace) != "" {
				continue
			}
			for _, name := range []string{u.Name, u.Profile.DisplayName} {
				name = strings.ToLower(name)
				if name != "" && !slices.Contains(handles[name], u.ID) {
					handles[name] = append(handles[name], u.ID)
				}
			}
		}
	}
	return handles, nil
}
