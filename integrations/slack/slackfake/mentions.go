package slackfake

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Patterns of what Slack makes of text. A bare address becomes a link when it
// has a scheme; that Slack links some without one is left out.
var (
	webAddress = regexp.MustCompile(`^https?://[^\s<>|]+$`)
	bareURL    = regexp.MustCompile(`\b(?:https?://|mailto:)[^\s<>|]+`)
	entity     = regexp.MustCompile(`<([^<>]*)>`)
	bareCall   = regexp.MustCompile(`(?:^|[^\w@])@(channel|here|everyone)\b`)
)

// reading collects what a message would do beyond being read.
type reading struct {
	mentions map[string]bool
	links    map[string]bool
	plain    []string
}

// read reads all that a message says: its text, and in its blocks every
// text object and the elements of rich_text.
func (m Message) read() *reading {
	r := &reading{mentions: map[string]bool{}, links: map[string]bool{}}
	if len(m.Blocks) == 0 {
		r.plain = append(r.plain, unescape(m.Text))
	}
	r.markup(m.Text)
	r.bare(m.Text)
	for _, b := range m.Blocks {
		r.object(b)
	}
	return r
}

// Mentions returns whom a message calls, as Slack writes it: <!channel>, <!here>,
// <!everyone>, <@U…> and <!subteam^S…>, each once.
func (m Message) Mentions() []string { return slices.Sorted(maps.Keys(m.read().mentions)) }

// Links returns the addresses that a message leads to, each once.
func (m Message) Links() []string { return slices.Sorted(maps.Keys(m.read().links)) }

// Plain returns the words of a message as people read them, a line for every
// text. With blocks, the text of the message is what notifications say, and is
// not among them.
func (m Message) Plain() string { return strings.Join(m.read().plain, "\n") }

// Notified returns the ids of the people who would be called by a message: those
// whom it mentions, and who are in the channel.
func (s *Server) Notified(m Message) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.channelByID(m.Channel)
	if ch == nil || m.For != "" {
		return nil
	}
	called := map[string]bool{}
	for _, mention := range m.Mentions() {
		for _, u := range s.users {
			if ch.has(u.ID) && !u.Bot && !u.Deleted && s.means(mention, u.ID) {
				called[u.ID] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(called))
}

// means reports whether a mention calls a user who is in the channel.
func (s *Server) means(mention, user string) bool {
	group, ok := strings.CutPrefix(mention, "<!subteam^")
	if !ok {
		return strings.HasPrefix(mention, "<!") || mention == "<@"+user+">"
	}
	return slices.ContainsFunc(s.groups, func(g Group) bool {
		return g.ID == strings.TrimSuffix(group, ">") && !g.Disabled && slices.Contains(g.Users, user)
	})
}

func (r *reading) object(o Object) {
	text, _ := o["text"].(string)
	switch o["type"] {
	case "mrkdwn":
		r.markup(text)
		if verbatim, _ := o["verbatim"].(bool); !verbatim {
			r.bare(text)
		}
		r.plain = append(r.plain, unescape(text))
	case "plain_text", "text":
		r.plain = append(r.plain, text)
	case "link":
		r.link(o["url"])
		r.plain = append(r.plain, text)
	case "button":
		r.link(o["url"])
	}
	for _, key := range slices.Sorted(maps.Keys(o)) {
		r.value(o[key])
	}
}

func (r *reading) value(v any) {
	switch v := v.(type) {
	case Object:
		r.object(v)
	case []any:
		for _, e := range v {
			r.value(e)
		}
	}
}

func (r *reading) mention(prefix string, v any) {
	if id, _ := v.(string); id != "" {
		r.mentions[prefix+id+">"] = true
	}
}

func (r *reading) link(v any) {
	if address, _ := v.(string); address != "" {
		r.links[address] = true
	}
}

// markup reads what is in angle brackets. Everything there that is no
// mention, channel or date is an address.
func (r *reading) markup(text string) {
	for _, found := range entity.FindAllStringSubmatch(text, -1) {
		inner, _, _ := strings.Cut(found[1], "|")
		switch {
		case strings.HasPrefix(inner, "@"):
			r.mention("<@", inner[1:])
		case strings.HasPrefix(inner, "!date^"):
			if parts := strings.Split(inner, "^"); len(parts) > 3 {
				r.link(parts[3])
			}
		case strings.HasPrefix(inner, "!"):
			r.mention("<!", inner[1:])
		case strings.HasPrefix(inner, "#"), inner == "":
		default:
			r.link(inner)
		}
	}
}

// bare reads what Slack links although nothing marks it: addresses, and the
// calls to all.
func (r *reading) bare(text string) {
	outside := entity.ReplaceAllString(text, " ")
	for _, address := range bareURL.FindAllString(outside, -1) {
		r.link(strings.TrimRight(address, ".,;:!?)\"'"))
	}
	for _, found := range bareCall.FindAllStringSubmatch(outside, -1) {
		r.mention("<!", found[1])
	}
}

// unescape turns the three characters that Slack escapes back.
func unescape(text string) string {
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(text)
}
