package slackfake_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/integrations/slack/slackfake"
)

func TestMentionsAndLinks(t *testing.T) {
	s, api := start(t, unlimited)
	rich := func(e ...slack.RichTextSectionElement) slack.MsgOption {
		return blocks(slack.NewRichTextBlock("", slack.NewRichTextSection(e...)))
	}
	verbatim := func(words string) slack.MsgOption {
		return blocks(slack.NewSectionBlock(slack.NewTextBlockObject(slack.MarkdownType, words, false, true), nil, nil))
	}
	link := blocks(button(func(b *slack.ButtonBlockElement) { b.URL = "https://stanch.example/c1" }))
	for name, c := range map[string]struct {
		say      slack.MsgOption
		mentions []string
		links    []string
	}{
		"words":              {text("nothing to see"), nil, nil},
		"all in text":        {text("<!channel> <!here|here> <!everyone>"), []string{"<!channel>", "<!everyone>", "<!here>"}, nil},
		"a user":             {text("<@U0ALICE> <@U0BOB|bob>"), []string{"<@U0ALICE>", "<@U0BOB>"}, nil},
		"a group":            {text("<!subteam^S0LEADS|@sec-leads>"), []string{"<!subteam^S0LEADS>"}, nil},
		"a date and channel": {text("<!date^1392734382^{date}^https://stanch.example/d|then> <#C0SECOPS>"), nil, []string{"https://stanch.example/d"}},
		"a link":             {text("<https://evil.example|Approve>"), nil, []string{"https://evil.example"}},
		"a bare link":        {text("see https://evil.example/x, now"), nil, []string{"https://evil.example/x"}},
		"escaped":            {text("&lt;!channel&gt; &lt;https://evil.example&gt;"), nil, []string{"https://evil.example&gt"}},
		"in mrkdwn":          {blocks(section("<!channel> <https://evil.example|x>")), []string{"<!channel>"}, []string{"https://evil.example"}},
		"bare calls":         {blocks(section("@channel, @here and mail@everyone")), []string{"<!channel>", "<!here>"}, nil},
		"verbatim":           {verbatim("@channel https://evil.example <@U0BOB>"), []string{"<@U0BOB>"}, nil},
		"in a context":       {blocks(slack.NewContextBlock("", markdown("<@U0BOB>"))), []string{"<@U0BOB>"}, nil},
		"plain text":         {blocks(slack.NewHeaderBlock(plainWords("<!channel> https://evil.example"))), nil, nil},
		"rich text":          {rich(slack.NewRichTextSectionTextElement("<!channel> https://evil.example", nil)), nil, nil},
		"rich link":          {rich(slack.NewRichTextSectionLinkElement("https://stanch.example", "case", nil)), nil, []string{"https://stanch.example"}},
		"a button":           {link, nil, []string{"https://stanch.example/c1"}},
	} {
		t.Run(name, func(t *testing.T) {
			m, ok := s.Message(secops, post(t, api, secops, c.say))
			if !ok {
				t.Fatal("not there")
			}
			if diff := cmp.Diff(c.mentions, m.Mentions()); diff != "" {
				t.Errorf("mentions: %s", diff)
			}
			if diff := cmp.Diff(c.links, m.Links()); diff != "" {
				t.Errorf("links: %s", diff)
			}
		})
	}
}

func TestPlain(t *testing.T) {
	s, api := start(t, unlimited)
	for _, c := range []struct {
		say  []slack.MsgOption
		want string
	}{
		{[]slack.MsgOption{text("a &lt;b&gt; &amp;amp;")}, "a <b> &amp;"},
		{[]slack.MsgOption{text("fallback"), blocks(section("shown"))}, "shown"},
		{[]slack.MsgOption{blocks(slack.NewRichTextBlock("", slack.NewRichTextSection(
			slack.NewRichTextSectionTextElement("raw &lt;", nil), slack.NewRichTextSectionLinkElement("https://stanch.example", "case", nil))))}, "raw &lt;\ncase"},
	} {
		m, _ := s.Message(secops, post(t, api, secops, c.say...))
		if got := m.Plain(); got != c.want {
			t.Errorf("people read %q, want %q", got, c.want)
		}
	}
}

func TestNotified(t *testing.T) {
	s, api := start(t, unlimited)
	for say, want := range map[string]string{
		"nobody": "", "<!here>": "U0ALICE U0BOB U0GUEST U0OTHER", "<@U0BOB>": "U0BOB", "<@U0GONE>": "",
		"<!subteam^S0LEADS>": "U0ALICE U0BOB", "<!subteam^S0OLD>": "",
	} {
		m, _ := s.Message(secops, post(t, api, secops, text(say)))
		if got := strings.Join(s.Notified(m), " "); got != want {
			t.Errorf("%q notifies %q, want %q", say, got, want)
		}
	}
	m, _ := s.Message(secret, post(t, api, secret, text("<!subteam^S0LEADS>")))
	if got := s.Notified(m); !cmp.Equal(got, []string{alice}) {
		t.Errorf("where bob is not: %v", got)
	}
	if got := s.Notified(slackfake.Message{Channel: "C0NOWHERE", Text: "<!here>"}); got != nil {
		t.Errorf("nowhere: %v", got)
	}
}
