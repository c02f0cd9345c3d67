package slack_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/slack"
	"github.com/stanch-soar/stanch/integrations/slack/blocks"
	"github.com/stanch-soar/stanch/integrations/slack/slackfake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func TestPost(t *testing.T) {
	s := workspace(t, nil)
	a := start(t, s)
	r := post(t, a, message("case-1/asked"))
	m := only(t, s, sec)
	if want := sec + "/" + m.TS; r.Ref != want {
		t.Errorf("the receipt is of %q, want %q", r.Ref, want)
	}
	if want := "https://home.slack.com/archives/C0SEC/p" + strings.ReplaceAll(m.TS, ".", ""); r.Detail != want {
		t.Errorf("the link is %q, want %q", r.Detail, want)
	}
	if r.Rest != 1100*time.Millisecond || time.Since(r.At).Abs() > time.Minute {
		t.Errorf("the receipt is %+v, want one of now that asks for 1.1 s", r)
	}
	if m.UnfurlLinks || m.UnfurlMedia {
		t.Error("links of the message are unfurled")
	}
	if m.Metadata == nil || m.Metadata.EventType != blocks.MetadataEvent || len(m.Metadata.EventPayload) != 1 {
		t.Fatalf("the metadata is %+v, want the digest of the key alone", m.Metadata)
	}
	if id, _ := m.Metadata.EventPayload["key"].(string); len(id) < 64 || strings.Contains(id, "case-1") {
		t.Errorf("the metadata shows %q, want a digest", id)
	}
	updated, err := a.Update(t.Context(), r, integrations.Message{Key: "case-1/asked", Title: "ws-042 is isolated"})
	must(t, updated, err)
	if updated.Ref != r.Ref || updated.Detail != r.Detail || updated.Rest != 1200*time.Millisecond {
		t.Errorf("the receipt of the update is %+v, want that of %+v with 1.2 s of rest", updated, r)
	}
	after := only(t, s, sec)
	if !strings.Contains(after.Plain(), "ws-042 is isolated") || strings.Contains(after.Plain(), "4 GiB") {
		t.Errorf("people see %q after the update", after.Plain())
	}
	if diff := cmp.Diff(m.Metadata, after.Metadata); diff != "" {
		t.Errorf("the update changed the metadata (-before +after):\n%s", diff)
	}
}

func TestThread(t *testing.T) {
	s := workspace(t, nil)
	a := start(t, s)
	root := post(t, a, message("root"))
	reply := message("reply")
	reply.Thread = root.Ref
	under := post(t, a, reply)
	ts := strings.TrimPrefix(root.Ref, sec+"/")
	if thread := s.Thread(sec, ts); len(thread) != 2 || sec+"/"+thread[1].TS != under.Ref {
		t.Errorf("the thread is %+v, want the message and its reply %s", thread, under.Ref)
	}
	elsewhere := message("elsewhere")
	elsewhere.Channel, elsewhere.Thread = "#sec-private", root.Ref
	_, err := a.Post(t.Context(), elsewhere)
	wantKind(t, err, integrations.Invalid, "another conversation")
	elsewhere.Thread = "no receipt"
	_, err = a.Post(t.Context(), elsewhere)
	wantKind(t, err, integrations.Invalid, "no receipt")
	if seen := s.Messages(private); len(seen) != 0 {
		t.Errorf("people see %d messages in the other channel", len(seen))
	}
}

// TestRepeatedPost posts the same again in every way in which the first answer
// can get lost, from the same process and from another.
func TestRepeatedPost(t *testing.T) {
	for name, lose := range map[string]struct {
		fault slackfake.Fault
		kind  integrations.Kind
		seen  int
	}{
		"the connection breaks afterwards": {slackfake.Drop(), integrations.Ambiguous, 1},
		"the connection breaks before":     {slackfake.Cut(), integrations.Ambiguous, 0},
		"bad gateway":                      {slackfake.Status(502), integrations.Ambiguous, 0},
		"fatal error":                      {slackfake.Refuse("fatal_error"), integrations.Ambiguous, 0},
		"the service is away":              {slackfake.Refuse("service_unavailable"), integrations.Unavailable, 0},
	} {
		for _, where := range []string{"in the channel", "in a thread"} {
			t.Run(name+" "+where, func(t *testing.T) {
				s := workspace(t, nil)
				first, second := start(t, s), start(t, s)
				m := message("asked")
				before := 0
				if where == "in a thread" {
					m.Thread = post(t, first, message("root")).Ref
					before = 1
				}
				s.Fail("chat.postMessage", 1, lose.fault)
				_, err := first.Post(t.Context(), m)
				wantKind(t, err, lose.kind)
				if got := len(s.Messages(sec)) - before; got != lose.seen {
					t.Fatalf("people see %d messages, want %d", got, lose.seen)
				}
				again := post(t, second, m)
				if r := post(t, first, m); r.Ref != again.Ref {
					t.Errorf("one process knows it as %s, the other as %s", r.Ref, again.Ref)
				}
				if got := len(s.Messages(sec)) - before; got != 1 {
					t.Errorf("people see %d messages, want one", got)
				}
			})
		}
	}
}

// TestSearchGoesBack finds a lost message behind many others, some of which
// only look like it.
func TestSearchGoesBack(t *testing.T) {
	s := workspace(t, func(o *slackfake.Options) { o.PageSize = 7 })
	a := start(t, s)
	s.Fail("chat.postMessage", 1, slackfake.Drop())
	_, err := a.Post(t.Context(), message("asked"))
	wantKind(t, err, integrations.Ambiguous)
	lost := only(t, s, sec)
	later := start(t, s)
	for _, key := range strings.Fields("a b c d e f g h i j k l m n o p q r s t u v w x y z") {
		post(t, later, message(key))
	}
	if r := post(t, a, message("asked")); r.Ref != sec+"/"+lost.TS {
		t.Errorf("the message is %s, want the lost one, %s", r.Ref, lost.TS)
	}
}

// TestPostWithoutHistory: where the app may not look, it posts again.
func TestPostWithoutHistory(t *testing.T) {
	s := workspace(t, func(o *slackfake.Options) { o.Scopes = []string{"chat:write", "channels:read"} })
	a := start(t, s)
	s.Fail("chat.postMessage", 1, slackfake.Drop())
	_, err := a.Post(t.Context(), message("asked"))
	wantKind(t, err, integrations.Ambiguous)
	post(t, a, message("asked"))
	if got := len(s.Messages(sec)); got != 2 {
		t.Errorf("people see %d messages, want two: the app cannot know better", got)
	}
}

// TestUnsurePostWaits: after a lost answer nothing is posted before it was
// looked for.
func TestUnsurePostWaits(t *testing.T) {
	s := workspace(t, nil)
	a := start(t, s)
	s.Fail("chat.postMessage", 1, slackfake.Drop())
	_, err := a.Post(t.Context(), message("asked"))
	wantKind(t, err, integrations.Ambiguous)
	s.Fail("conversations.history", 1, slackfake.Throttle(9*time.Second))
	_, err = a.Post(t.Context(), message("asked"))
	if e := wantKind(t, err, integrations.Throttled); e.After != 9*time.Second {
		t.Errorf("it is to wait for %s, want 9s", e.After)
	}
	post(t, a, message("asked"))
	only(t, s, sec)
}

func TestPlaces(t *testing.T) {
	s := workspace(t, func(o *slackfake.Options) { o.PageSize = 2 })
	a := start(t, s)
	for i, tt := range []struct{ name, channel string }{
		{"#sec", sec}, {"sec", sec}, {"#SEC", sec}, {sec, sec}, {"#sec-private", private}, {private, private},
	} {
		m := message("place-" + string(rune('a'+i)))
		m.Channel = tt.name
		if r := post(t, a, m); !strings.HasPrefix(r.Ref, tt.channel+"/") {
			t.Errorf("%s is posted as %s, want it in %s", tt.name, r.Ref, tt.channel)
		}
	}
	for i, name := range []string{"@" + alice, alice, "@alice@example.com"} {
		m := message("person-" + string(rune('a'+i)))
		m.Channel = name
		if r := post(t, a, m); !strings.HasPrefix(r.Ref, s.Direct(alice)+"/") {
			t.Errorf("%s is posted as %s, want it in %s", name, r.Ref, s.Direct(alice))
		}
	}
}

func TestPlacesThatAreNone(t *testing.T) {
	s := workspace(t, nil)
	a := start(t, s)
	for name, want := range map[string]struct {
		kind integrations.Kind
		say  string
	}{
		"#no-such-channel": {integrations.NotFound, "/invite"},
		"#sec-hidden":      {integrations.NotFound, "/invite"},
		hidden:             {integrations.NotFound, "/invite"},
		"#general":         {integrations.Invalid, "/invite"},
		"#sec-old":         {integrations.NotFound, "archived"},
		archived:           {integrations.Invalid, "archived"},
		"@U0NOBODY":        {integrations.NotFound, "U0NOBODY"},
		"@" + gone:         {integrations.Invalid, "deactivated"},
		"@" + robot:        {integrations.Invalid, "bot"},
	} {
		m := message("to " + name)
		m.Channel = name
		_, err := a.Post(t.Context(), m)
		wantKind(t, err, want.kind, want.say)
	}
}

// TestRenamedChannel: a remembered name is looked up anew when it leads nowhere.
func TestRenamedChannel(t *testing.T) {
	s := workspace(t, nil)
	a := start(t, s)
	post(t, a, message("before"))
	s.SetChannel(slackfake.Channel{ID: sec, Name: "sec-2025", Private: true, WithoutBot: true})
	s.SetChannel(slackfake.Channel{ID: "C0NEW", Name: "sec", Members: []string{alice}})
	_, err := a.Post(t.Context(), message("after"))
	wantKind(t, err, integrations.NotFound)
	if r := post(t, a, message("after")); !strings.HasPrefix(r.Ref, "C0NEW/") {
		t.Errorf("the message is %s, want it in the channel that has the name now", r.Ref)
	}
}

// TestHostileText posts and updates what an attacker could have put into an
// alert: nobody is called, nothing is linked, and all of it is to be read.
func TestHostileText(t *testing.T) {
	s := workspace(t, nil)
	a := start(t, s)
	hostile := "<!channel> <!here|x> <@U0ALICE> <!subteam^S0ONCALL> <https://evil.example|Approve> @here @channel http://evil.example"
	m := message("asked")
	m.Title, m.Lines = "Isolate "+hostile+"?", []string{"*path* " + hostile, "</code>`x` &amp;lt;"}
	check := func(when, method string) {
		t.Helper()
		seen := only(t, s, sec)
		for _, c := range s.Calls(method) {
			// Of the text, which notifications show, Slack then reads only markup.
			if c.Args.Get("parse") != "none" || strings.ContainsAny(c.Args.Get("text"), "<>") {
				t.Errorf("%s the text %q is sent with parse %q", when, c.Args.Get("text"), c.Args.Get("parse"))
			}
		}
		seen.Text = ""
		if called := s.Notified(seen); len(called) > 0 || len(seen.Mentions()) > 0 {
			t.Errorf("%s it calls %v by %v", when, called, seen.Mentions())
		}
		for _, link := range seen.Links() {
			if strings.Contains(link, "evil") {
				t.Errorf("%s it leads to %s", when, link)
			}
		}
		if !strings.Contains(seen.Plain(), "<https://evil.example|Approve>") {
			t.Errorf("%s people read %q, want the text as it was", when, seen.Plain())
		}
	}
	r := post(t, a, m)
	check("posted", "chat.postMessage")
	m.Lines = append(m.Lines, "contained")
	_, err := a.Update(t.Context(), r, m)
	must(t, r, err)
	check("updated", "chat.update")
}

func TestMentions(t *testing.T) {
	for text, want := range map[string]struct {
		called  []string
		missing string
	}{
		"":                         {},
		"@sec-oncall":              {called: []string{"<!subteam^S0ONCALL>"}},
		"sec-oncall":               {called: []string{"<!subteam^S0ONCALL>"}},
		"@Sec-Oncall, @sec-leads":  {called: []string{"<!subteam^S0LEADS>", "<!subteam^S0ONCALL>"}},
		oncall:                     {called: []string{"<!subteam^S0ONCALL>"}},
		"@" + alice + " " + leads:  {called: []string{"<!subteam^S0LEADS>", "<@U0ALICE>"}},
		"@here":                    {missing: "@here"},
		"@bob@example.com":         {called: []string{"<@U0BOB>"}},
		"@sec-old":                 {missing: "sec-old"},
		"@sec-oncall @no-such-one": {called: []string{"<!subteam^S0ONCALL>"}, missing: "no-such-one"},
		"U0NOBODY":                 {missing: "U0NOBODY"},
		"<!channel>":               {missing: "channel"},
	} {
		t.Run(text, func(t *testing.T) {
			s := workspace(t, nil)
			a, logs := open(t, config(s), nil)
			m := message("asked")
			m.Mention = text
			post(t, a, m)
			seen := only(t, s, sec)
			if diff := cmp.Diff(want.called, seen.Mentions()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			said := strings.Contains(seen.Plain(), want.missing) && strings.Contains(logs.String(), want.missing)
			if want.missing != "" && !said {
				t.Errorf("neither the message, %q, nor the log, %q, say that %q is not there", seen.Plain(), logs, want.missing)
			}
		})
	}
}

// TestMentionThatCannotBeLookedUp holds the message up: it would call nobody.
func TestMentionThatCannotBeLookedUp(t *testing.T) {
	s := workspace(t, nil)
	a := start(t, s)
	m := message("asked")
	m.Mention = "@sec-oncall"
	s.Fail("usergroups.list", 1, slackfake.Status(500))
	_, err := a.Post(t.Context(), m)
	wantKind(t, err, integrations.Unavailable)
	post(t, a, m)
	if called := s.Notified(only(t, s, sec)); !cmp.Equal(called, []string{alice, guest}) {
		t.Errorf("it calls %v, want the members of the group in the channel", called)
	}
}

func TestUpdateRefuses(t *testing.T) {
	s := workspace(t, nil)
	a := start(t, s)
	for _, ref := range []string{"", "C0SEC", "C0SEC/", "/1.000000", "C0SEC/x.000000", "C0SEC/1.5", "../x/1.000000", "C0SEC/1.000000/2"} {
		_, err := a.Update(t.Context(), incident.Receipt{Ref: ref}, message("asked"))
		wantKind(t, err, integrations.Invalid, "receipt")
		_, err = a.Illustrate(t.Context(), incident.Receipt{Ref: ref}, integrations.Chart{Key: "c", Series: []incident.Point{{}}})
		wantKind(t, err, integrations.Invalid, "receipt")
	}
	_, err := a.Update(t.Context(), unknown(), integrations.Message{Title: "no key"})
	wantKind(t, err, integrations.Invalid, "key")
}

// TestWithoutPermalink: a message that cannot be linked was posted all the same.
func TestWithoutPermalink(t *testing.T) {
	s := workspace(t, nil)
	s.Fail("chat.getPermalink", 1, slackfake.Status(500))
	if r := post(t, start(t, s), message("asked")); r.Detail != "" || r.Ref != sec+"/"+only(t, s, sec).TS {
		t.Errorf("the receipt is %+v, want one without a link", r)
	}
}

func TestIllustrateInThread(t *testing.T) {
	s := workspace(t, nil)
	a := start(t, s)
	root := post(t, a, message("digest"))
	m := message("asked")
	m.Thread = root.Ref
	card := post(t, a, m)
	chart := integrations.Chart{
		Key: "case-1/chart", Title: "Egress", Alt: strings.Repeat("é", 5000),
		Series: []incident.Point{{At: time.Now(), BytesOut: 1}, {At: time.Now().Add(time.Minute), BytesOut: 2}},
	}
	for _, app := range []*slack.App{a, a, start(t, s)} {
		_, err := app.Illustrate(t.Context(), card, chart)
		must(t, card, err)
	}
	files := s.Files(sec)
	if len(files) != 1 || sec+"/"+files[0].Thread != root.Ref {
		t.Fatalf("the files are %+v, want one in the thread of %s", files, root.Ref)
	}
	if alt := []rune(files[0].AltText); len(alt) != 1000 || strings.Contains(files[0].Name, "case-1") {
		t.Errorf("the file is %q with %d characters of words, want no key, and 1000", files[0].Name, len(alt))
	}
}
