package slack_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/slack"
	"github.com/stanch-soar/stanch/integrations/slack/slackfake"
)

func TestIdentifyGroups(t *testing.T) {
	s := workspace(t, nil)
	a, logs := open(t, config(s), nil)
	for _, tt := range []struct {
		user  string
		asked []string
		in    []string
	}{
		{alice, []string{"sec-oncall"}, []string{"sec-oncall"}},
		{alice, []string{"@sec-oncall", oncall, "sec-oncall"}, []string{"@sec-oncall", oncall, "sec-oncall"}},
		{alice, []string{"Sec-OnCall", "Sec-OnCall"}, []string{"Sec-OnCall"}},
		{alice, []string{"sec-leads", leads}, nil},
		{alice, []string{"sec-old", old}, nil}, // disabled
		{alice, []string{"", "@", "sec", "S0", "no-such-group"}, nil},
		{bob, []string{"sec-oncall", "sec-leads"}, []string{"sec-leads"}},
	} {
		got, err := a.Identify(t.Context(), click(tt.user, "T0HOME"), tt.asked)
		must(t, got, err)
		if diff := cmp.Diff(integrations.Account{User: tt.user, Groups: tt.in}, got); diff != "" {
			t.Errorf("%s of %q (-want +got):\n%s", tt.user, tt.asked, diff)
		}
	}
	for _, group := range []string{"no-such-group", "sec-old"} {
		if !strings.Contains(logs.String(), "group="+group) {
			t.Errorf("the log does not say that %s is not there:\n%s", group, logs)
		}
	}
}

func TestIdentifySaysWhyNot(t *testing.T) {
	s := workspace(t, nil)
	a := start(t, s)
	for user, why := range map[string]string{
		guest: "guest", single: "guest", gone: "deactivated", robot: "bot", other: "another workspace", "U0NOBODY": "no such account",
		"U0ALICE|x": "names no account", "alice": "names no account",
	} {
		_, err := a.Identify(t.Context(), click(user, "T0HOME"), nil)
		wantKind(t, err, integrations.Denied, why)
	}
	c := config(s)
	c.Workspace = "T0ELSEWHERE"
	elsewhere, _ := open(t, c, nil)
	_, err := elsewhere.Identify(t.Context(), click(alice, "T0HOME"), nil)
	wantKind(t, err, integrations.Denied, "another workspace")
	_, err = elsewhere.Identify(t.Context(), click(alice, "T0ELSEWHERE"), nil)
	wantKind(t, err, integrations.Denied, "another workspace")
}

// TestIdentifyForgets: what changed counts after a minute at the latest, and
// until then Slack is asked once.
func TestIdentifyForgets(t *testing.T) {
	clock := slackfake.NewClock(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))
	s := workspace(t, nil)
	a, _ := open(t, config(s), clock.Now)
	identify := func() (integrations.Account, error) {
		return a.Identify(t.Context(), click(alice, "T0HOME"), []string{"sec-oncall"})
	}
	for range 3 {
		got, err := identify()
		if must(t, got, err); len(got.Groups) != 1 {
			t.Fatalf("alice is in %v, want the group", got.Groups)
		}
	}
	for _, method := range []string{"auth.test", "users.info", "usergroups.list", "usergroups.users.list"} {
		if n := len(s.Calls(method)); n != 1 {
			t.Errorf("%s was called %d times, want once", method, n)
		}
	}
	s.SetGroup(slackfake.Group{ID: oncall, Handle: "sec-oncall", Users: []string{bob}})
	clock.Advance(60 * time.Second)
	got, err := identify()
	if must(t, got, err); len(got.Groups) != 0 {
		t.Errorf("alice is in %v a minute after she was taken out", got.Groups)
	}
	s.SetUser(slackfake.User{ID: alice, Name: "alice", Deleted: true})
	clock.Advance(60 * time.Second)
	_, err = identify()
	wantKind(t, err, integrations.Denied, "deactivated")
}

// TestIdentifyFailsClosed: whatever cannot be looked up is an error, also when
// the rest is remembered, and never a membership.
func TestIdentifyFailsClosed(t *testing.T) {
	for method, faults := range map[string][]slackfake.Fault{
		"auth.test":             {slackfake.Status(500), slackfake.Cut()},
		"users.info":            {slackfake.Status(500), slackfake.Cut(), slackfake.Throttle(time.Second), slackfake.Refuse("fatal_error")},
		"usergroups.list":       {slackfake.Status(500), slackfake.Cut(), slackfake.Throttle(time.Second)},
		"usergroups.users.list": {slackfake.Status(500), slackfake.Cut(), slackfake.Throttle(time.Second)},
	} {
		t.Run(method, func(t *testing.T) {
			s := workspace(t, nil)
			a := start(t, s)
			for _, f := range faults {
				s.Fail(method, 1, f)
				got, err := a.Identify(t.Context(), click(alice, "T0HOME"), []string{"sec-oncall"})
				if k := integrations.KindOf(err); err == nil || k != integrations.Unavailable && k != integrations.Throttled {
					t.Errorf("got error %v, want unavailable or throttled", err)
				}
				if got.User != "" || len(got.Groups) > 0 {
					t.Errorf("it failed, and yet it is %+v", got)
				}
			}
			got, err := a.Identify(t.Context(), click(alice, "T0HOME"), []string{"sec-oncall"})
			if must(t, got, err); len(got.Groups) != 1 {
				t.Errorf("alice is in %v afterwards, want the group", got.Groups)
			}
		})
	}
	s := workspace(t, func(o *slackfake.Options) { o.Scopes = []string{"chat:write", "users:read"} })
	_, err := start(t, s).Identify(t.Context(), click(alice, "T0HOME"), []string{"sec-oncall"})
	wantKind(t, err, integrations.Denied, "usergroups:read", "missing_scope")
}

func TestMatchEmail(t *testing.T) {
	confirmed := func(is bool) func(url.Values) any {
		return func(url.Values) any {
			return map[string]any{"ok": true, "user": map[string]any{
				"id": alice, "team_id": "T0HOME", "is_email_confirmed": is, "profile": map[string]any{"email": "alice@example.com"},
			}}
		}
	}
	for _, tt := range []struct {
		name             string
		match, confirmed bool
		want             string
	}{
		{"on, confirmed", true, true, "alice@example.com"},
		{"on, not confirmed", true, false, ""},
		{"off, confirmed", false, true, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := workspace(t, nil)
			c := config(s)
			c.MatchEmail = tt.match
			c.APIURL = front(t, s, map[string]func(url.Values) any{"users.info": confirmed(tt.confirmed)})
			a, _ := open(t, c, nil)
			got, err := a.Identify(t.Context(), click(alice, "T0HOME"), nil)
			if must(t, got, err); got.Email != tt.want {
				t.Errorf("the address is %q, want %q", got.Email, tt.want)
			}
		})
	}
}

// TestHandles calls people by their names, which two may have.
func TestHandles(t *testing.T) {
	account := func(id, name, display string, more map[string]any) map[string]any {
		u := map[string]any{"id": id, "team_id": "T0HOME", "name": name, "profile": map[string]any{"display_name": display}}
		for k, v := range more {
			u[k] = v
		}
		return u
	}
	pages := map[string][]any{
		"":  {account(alice, "alice.a", "Ally", nil), account("U0TWIN", "twin", "Bobby", nil)},
		"2": {account(bob, "bob", "Bobby", nil), account(robot, "ally", "ally", map[string]any{"is_bot": true})},
	}
	s := workspace(t, nil)
	c := config(s)
	c.APIURL = front(t, s, map[string]func(url.Values) any{"users.list": func(form url.Values) any {
		next := ""
		if form.Get("cursor") == "" {
			next = "2"
		}
		return map[string]any{"ok": true, "members": pages[form.Get("cursor")], "response_metadata": map[string]any{"next_cursor": next}}
	}})
	a, _ := open(t, c, nil)
	m := message("calls")
	m.Mention = "@ally @Bobby @bob @alice.a"
	post(t, a, m)
	seen := only(t, s, sec)
	if diff := cmp.Diff([]string{"<@U0ALICE>", "<@U0BOB>"}, seen.Mentions()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if !strings.Contains(seen.Plain(), "@Bobby") {
		t.Errorf("the message says %q, and not that @Bobby, whom two are called, was not called", seen.Plain())
	}
	m = message("direct")
	m.Channel = "@bob"
	if r := post(t, a, m); !strings.HasPrefix(r.Ref, s.Direct(bob)+"/") {
		t.Errorf("the message to @bob is %s, want it in %s", r.Ref, s.Direct(bob))
	}
	m.Key, m.Channel = "ambiguous", "@Bobby"
	_, err := a.Post(t.Context(), m)
	wantKind(t, err, integrations.NotFound, "2 people")
}

func TestReplyInThread(t *testing.T) {
	s := workspace(t, nil)
	a := start(t, s)
	root := post(t, a, message("digest"))
	m := message("asked")
	m.Thread = root.Ref
	card := post(t, a, m)
	rootTS, cardTS := strings.TrimPrefix(root.Ref, sec+"/"), strings.TrimPrefix(card.Ref, sec+"/")
	for name, tt := range map[string]struct {
		app         *slack.App
		under, want string
	}{
		"the message in the channel":          {a, rootTS, ""},
		"the message in the thread":           {a, cardTS, rootTS},
		"another process, in the channel":     {start(t, s), rootTS, ""},
		"another process, in the thread":      {start(t, s), cardTS, rootTS},
		"a message that is gone":              {a, "1700000000.000100", ""},
		"a click that does not say on what":   {a, "", ""},
		"a click that says what is no moment": {a, "x", ""},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(s.Ephemerals(alice))
			c := click(alice, "T0HOME")
			c.Message = tt.under
			if err := tt.app.Reply(t.Context(), c, "recorded"); err != nil {
				t.Fatal(err)
			}
			told := s.Ephemerals(alice)
			if len(told) != before+1 || told[before].Thread != tt.want {
				t.Errorf("alice was told %+v, want one more, in the thread %q", told, tt.want)
			}
		})
	}
}

func TestReplyFallsBackToDirect(t *testing.T) {
	for name, channel := range map[string]string{
		"the app is not there": without, "the person is not there": private, "archived": archived, "unknown": "C0NONE", "no channel": "",
	} {
		t.Run(name, func(t *testing.T) {
			s := workspace(t, nil)
			c := click(bob, "T0HOME")
			c.Channel = channel
			if err := start(t, s).Reply(t.Context(), c, "Denied: <!channel> *you* are not among the approvers of <https://evil.example|x>\u202e."); err != nil {
				t.Fatal(err)
			}
			told := only(t, s, s.Direct(bob))
			if !strings.Contains(told.Plain(), "<!channel> *you* are") || len(told.Mentions()) > 0 || strings.ContainsAny(told.Text+told.Plain(), "\u202e") || strings.ContainsAny(told.Text, "<>") {
				t.Errorf("bob was told %q, calling %v", told.Plain(), told.Mentions())
			}
			if len(s.Ephemerals(bob)) > 0 {
				t.Error("bob was told in the channel as well")
			}
		})
	}
	s := workspace(t, nil)
	s.Fail("chat.postEphemeral", 1, slackfake.Status(500))
	err := start(t, s).Reply(t.Context(), click(alice, "T0HOME"), "recorded")
	wantKind(t, err, integrations.Ambiguous)
	if s.Direct(alice) != "" {
		t.Error("a failure of the moment opened a direct conversation")
	}
}
