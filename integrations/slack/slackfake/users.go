package slackfake

import (
	"slices"
	"strings"
)

// User is a person or a bot.
type User struct {
	ID    string
	Name  string
	Email string
	Bot   bool
	// Restricted and UltraRestricted are guests of several channels and of one.
	Restricted      bool
	UltraRestricted bool
	Deleted         bool
	// Stranger is of another workspace, whose channels are not shared with us.
	Stranger bool
	// Team is the user's workspace; empty: the one of the server.
	Team string
}

func (s *Server) user(id string) (User, bool) {
	if i := slices.IndexFunc(s.users, func(u User) bool { return u.ID == id }); i >= 0 {
		return s.users[i], true
	}
	return User{}, false
}

func (s *Server) usersInfo(c *call) (Object, *refusal) {
	u, ok := s.user(c.arg("user"))
	if !ok {
		return nil, refuse("user_not_found")
	}
	return Object{"user": s.userObject(u)}, nil
}

// usersList lists the accounts of the workspace, those that were switched off
// and those of others that share a channel included.
func (s *Server) usersList(c *call) (Object, *refusal) {
	var found []Object
	for _, u := range s.users {
		found = append(found, s.userObject(u))
	}
	page, next, no := s.page(c, found)
	if no != nil {
		return nil, no
	}
	return Object{"members": page, "response_metadata": Object{"next_cursor": next}}, nil
}

// lookupByEmail finds the active members of the workspace only.
func (s *Server) lookupByEmail(c *call) (Object, *refusal) {
	email := c.arg("email")
	for _, u := range s.users {
		if email != "" && strings.EqualFold(u.Email, email) && !u.Deleted && !u.Bot && u.Team == s.Team.ID {
			return Object{"user": s.userObject(u)}, nil
		}
	}
	return nil, refuse("users_not_found")
}

// userObject is a user as the token may see them: without the scope for it,
// without the address.
func (s *Server) userObject(u User) Object {
	profile := Object{"real_name": u.Name, "display_name": u.Name, "team": u.Team}
	if u.Email != "" && s.hasScope("users:read.email") {
		profile["email"] = u.Email
	}
	o := Object{
		"id": u.ID, "team_id": u.Team, "name": u.Name, "real_name": u.Name, "deleted": u.Deleted,
		"profile": profile, "is_bot": u.Bot, "is_restricted": u.Restricted || u.UltraRestricted,
		"is_ultra_restricted": u.UltraRestricted, "is_app_user": false, "updated": 1700000000,
		"tz": "Europe/Berlin", "is_admin": false, "is_owner": false, "is_primary_owner": false,
	}
	if u.Stranger {
		o["is_stranger"] = true
	}
	return o
}

// Group is a user group.
type Group struct {
	ID       string
	Handle   string
	Name     string
	Users    []string
	Disabled bool
}

func (s *Server) groupsList(c *call) (Object, *refusal) {
	list := []Object{}
	for _, g := range s.groups {
		if !g.Disabled || c.flag("include_disabled") {
			list = append(list, s.groupObject(g))
		}
	}
	return Object{"usergroups": list}, nil
}

func (s *Server) groupObject(g Group) Object {
	const created, disabled = 1600000000, 1700000000
	o := Object{
		"id": g.ID, "team_id": s.Team.ID, "is_usergroup": true, "name": or(g.Name, g.Handle), "description": "",
		"handle": g.Handle, "is_external": false, "date_create": created, "date_update": created, "date_delete": 0,
		"auto_type": nil, "created_by": s.Team.BotUser, "updated_by": s.Team.BotUser, "deleted_by": nil,
		"prefs": Object{"channels": []string{}, "groups": []string{}},
	}
	if g.Disabled {
		o["date_delete"], o["deleted_by"] = disabled, s.Team.BotUser
	}
	return o
}

func (s *Server) groupUsers(c *call) (Object, *refusal) {
	for _, g := range s.groups {
		if g.ID == c.arg("usergroup") && (!g.Disabled || c.flag("include_disabled")) {
			return Object{"users": slices.Concat([]string{}, g.Users)}, nil
		}
	}
	return nil, refuse("no_such_subteam")
}
