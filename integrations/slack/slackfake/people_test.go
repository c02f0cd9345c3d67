package slackfake_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/integrations/slack/slackfake"
)

func TestUsers(t *testing.T) {
	s, api := start(t, nil)
	for _, want := range []slackfake.User{
		{ID: alice, Team: s.Team.ID, Name: "alice"},
		{ID: guest, Team: s.Team.ID, Name: "guest", Restricted: true, UltraRestricted: true},
		{ID: gone, Team: s.Team.ID, Name: "gone", Deleted: true},
		{ID: other, Team: "T0OTHER", Name: "other", Stranger: true},
		{ID: robot, Team: s.Team.ID, Name: "robot", Bot: true},
	} {
		u := must[*slack.User](t)(api.GetUserInfoContext(t.Context(), want.ID))
		got := slackfake.User{
			ID: u.ID, Team: u.TeamID, Name: u.Name, Restricted: u.IsRestricted, UltraRestricted: u.IsUltraRestricted,
			Deleted: u.Deleted, Stranger: u.IsStranger, Bot: u.IsBot,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	_, err := api.GetUserInfoContext(t.Context(), "U0NOBODY")
	wantCode(t, err, "user_not_found")
	s.SetUser(slackfake.User{ID: alice, Name: "alice", Deleted: true})
	if u := must[*slack.User](t)(api.GetUserInfoContext(t.Context(), alice)); !u.Deleted {
		t.Error("a change of a user is not seen")
	}
}

func TestAddressesNeedTheirScope(t *testing.T) {
	_, api := start(t, nil)
	if u := must[*slack.User](t)(api.GetUserInfoContext(t.Context(), alice)); u.Profile.Email != "alice@example.com" {
		t.Errorf("address %q", u.Profile.Email)
	}
	_, api = start(t, func(o *slackfake.Options) { o.Scopes = []string{"users:read"} })
	if u := must[*slack.User](t)(api.GetUserInfoContext(t.Context(), alice)); u.Profile.Email != "" {
		t.Errorf("without users:read.email the address is %q", u.Profile.Email)
	}
	_, err := api.GetUserByEmailContext(t.Context(), "alice@example.com")
	wantCode(t, err, "missing_scope")
}

func TestLookupByEmail(t *testing.T) {
	_, api := start(t, nil)
	if u := must[*slack.User](t)(api.GetUserByEmailContext(t.Context(), "Alice@example.com")); u.ID != alice {
		t.Errorf("found %q", u.ID)
	}
	for _, email := range []string{"gone@example.com", "robot@example.com", "other@partner.example", "nobody@example.com", ""} {
		_, err := api.GetUserByEmailContext(t.Context(), email)
		wantCode(t, err, "users_not_found")
	}
}

func TestGroups(t *testing.T) {
	s, api := start(t, nil)
	list := func(options ...slack.GetUserGroupsOption) map[string][]string {
		found := map[string][]string{}
		for _, g := range must[[]slack.UserGroup](t)(api.GetUserGroupsContext(t.Context(), options...)) {
			if g.TeamID != s.Team.ID || !g.IsUserGroup {
				t.Errorf("group %+v", g)
			}
			found[g.Handle] = g.Users
		}
		return found
	}
	for _, c := range []struct {
		options []slack.GetUserGroupsOption
		want    map[string][]string
	}{
		{nil, map[string][]string{"sec-leads": nil}},
		{[]slack.GetUserGroupsOption{slack.GetUserGroupsOptionIncludeDisabled(true)}, map[string][]string{"sec-leads": nil, "old": nil}},
	} {
		if diff := cmp.Diff(c.want, list(c.options...)); diff != "" {
			t.Error(diff)
		}
	}
	if diff := cmp.Diff([]string{alice, bob}, must[[]string](t)(api.GetUserGroupMembersContext(t.Context(), "S0LEADS"))); diff != "" {
		t.Error(diff)
	}
	for _, id := range []string{"S0NONE", "S0OLD"} {
		_, err := api.GetUserGroupMembersContext(t.Context(), id)
		wantCode(t, err, "no_such_subteam")
	}
	s.SetGroup(slackfake.Group{ID: "S0LEADS", Handle: "sec-leads", Users: []string{bob}})
	if diff := cmp.Diff([]string{bob}, must[[]string](t)(api.GetUserGroupMembersContext(t.Context(), "S0LEADS"))); diff != "" {
		t.Error(diff)
	}
}

func TestAuthTest(t *testing.T) {
	s, api := start(t, nil)
	me := must[*slack.AuthTestResponse](t)(api.AuthTestContext(t.Context()))
	if me.TeamID != s.Team.ID || me.UserID != s.Team.BotUser || me.BotID != s.Team.Bot || me.Team != s.Team.Name || me.URL == "" {
		t.Errorf("got %+v", me)
	}
	if _, err := api.GetUserInfoContext(t.Context(), me.UserID); err != nil {
		t.Errorf("the bot itself is no user: %v", err)
	}
}
