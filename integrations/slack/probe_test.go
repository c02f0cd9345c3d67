package slack_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/slack"
	"github.com/stanch-soar/stanch/integrations/slack/slackfake"
)

// judge wants exactly the findings that hold the words, in their order: those
// that begin with ! are not OK, and have a fix.
func judge(t *testing.T, got []integrations.Finding, want ...string) {
	t.Helper()
	var all []string
	for _, f := range got {
		all = append(all, fmt.Sprintf("%t %s (fix: %s)", f.OK, f.What, f.Fix))
		if f.OK == (f.Fix != "") {
			t.Errorf("finding %q is OK %t with the fix %q", f.What, f.OK, f.Fix)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d findings, want %d:\n%s", len(got), len(want), strings.Join(all, "\n"))
	}
	for i, w := range want {
		word, bad := strings.CutPrefix(w, "!")
		if got[i].OK == bad || !strings.Contains(got[i].What+" "+got[i].Fix, word) {
			t.Errorf("finding %d is %s, want %q", i, all[i], w)
		}
	}
}

func TestProbe(t *testing.T) {
	ok := []string{"@stanch in the workspace Home (T0HOME)", "11 scopes", "clock", "Socket Mode"}
	with := func(i int, finding ...string) []string {
		return slices.Replace(slices.Clone(ok), i, i+1, finding...)
	}
	for _, tt := range []struct {
		name      string
		workspace func(*slackfake.Options)
		config    func(*slack.Config)
		fail      func(*slackfake.Server)
		now       func() time.Time
		want      []string
	}{
		{name: "all is well", want: ok},
		{name: "it is checked for what is configured", config: func(c *slack.Config) {
			c.MatchEmail, c.Workspace = true, "T0HOME"
			c.Mode, c.SigningSecret, c.AppToken = slack.HTTP, "secret", ""
		}, want: []string{ok[0], "12 scopes", "clock", "signed requests"}},
		{name: "scopes are missing", workspace: func(o *slackfake.Options) {
			o.Scopes = slices.DeleteFunc(scopes(), func(s string) bool { return s == "usergroups:read" || s == "files:write" })
		}, want: with(1, "!usergroups:read", "!files:write")},
		{name: "the scope for addresses is missing", config: func(c *slack.Config) { c.MatchEmail = true }, workspace: func(o *slackfake.Options) {
			o.Scopes = slices.DeleteFunc(scopes(), func(s string) bool { return s == "users:read.email" })
		}, want: with(1, "!users:read.email")},
		{name: "the token is refused", config: func(c *slack.Config) { c.BotToken = "xoxb-revoked" }, want: []string{"!invalid_auth", ok[3]}},
		{name: "the app token is refused", config: func(c *slack.Config) { c.AppToken = "xapp-revoked" }, want: with(3, "!connections:write")},
		{name: "another workspace", config: func(c *slack.Config) { c.Workspace = "T0OTHER" }, want: with(0, ok[0], "!the bot token is of T0HOME")},
		{name: "the clock is wrong", now: func() time.Time { return time.Now().Add(-450 * time.Second) }, want: with(2, "!by -7m")},
		{name: "Slack is away", fail: func(s *slackfake.Server) { s.Outage(true) }, want: []string{"!503", "!503"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := workspace(t, tt.workspace)
			c := config(s)
			if tt.config != nil {
				tt.config(&c)
			}
			if tt.fail != nil {
				tt.fail(s)
			}
			a, _ := open(t, c, tt.now)
			findings := a.Probe(t.Context())
			judge(t, findings, tt.want...)
			for _, f := range findings {
				if strings.Contains(f.What+f.Fix, c.BotToken.Reveal()) || c.AppToken != "" && strings.Contains(f.What+f.Fix, c.AppToken.Reveal()) {
					t.Errorf("finding %q shows a token", f.What)
				}
			}
			if len(s.Messages(sec)) > 0 {
				t.Error("the probe posted something")
			}
		})
	}
}

func TestCheckUse(t *testing.T) {
	s := workspace(t, nil)
	a := start(t, s)
	judge(t, a.CheckUse(t.Context(), []string{"#sec", "#sec", "#sec-private", "@" + alice}, []integrations.GroupUse{{Group: "sec-oncall", Quorum: 1}, {Group: "@sec-oncall"}}),
		"the app is in the channel #sec", "#sec-private", "@U0ALICE", "@sec-oncall has 4 members")
	judge(t, a.CheckUse(t.Context(), []string{"#no-such-channel", "#general", archived, "@U0NOBODY"}, nil),
		"!/invite", "!/invite @stanch", "!archived", "!U0NOBODY")
	groups := []integrations.GroupUse{
		{Group: "no-such-group", Quorum: 1},
		{Group: "sec-old", Quorum: 1},
		{Group: "sec-empty"},
		{Group: "@sec-oncall", Quorum: 1},
		{Group: "sec-oncall", Quorum: 2},
		{Group: leads, Quorum: 1},
	}
	judge(t, a.CheckUse(t.Context(), nil, groups), "!no user group @no-such-group", "!no user group @sec-old", "!nobody in the user group @sec-empty", "!of the user group @sec-oncall 1 can answer, and 2 must", "@S0LEADS has 1 members")
	s.Fail("usergroups.users.list", many, slackfake.Status(500))
	fresh := start(t, s)
	judge(t, fresh.CheckUse(t.Context(), nil, []integrations.GroupUse{{Group: "sec-leads", Quorum: 1}}), "!500")
}
