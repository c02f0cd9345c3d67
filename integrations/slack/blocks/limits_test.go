package blocks_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/stanch-soar/stanch/integrations/slack/blocks"
)

// limit is what a text may be at most, by where it is.
var limit = map[string]int{
	"header/text": 150, "section/text": 3000, "context/elements": 3000, "button/text": 75, "button/value": 2000, "button/url": 3000,
	"button/confirm/title": 100, "button/confirm/text": 300, "button/confirm/confirm": 30, "button/confirm/deny": 30,
	"input/label": 2000, "input/hint": 2000, "plain_text_input/placeholder": 150, "modal/title": 24, "modal/submit": 24, "modal/close": 24,
	"modal/private_metadata": 3000,
}

// token is the only thing that may be in angle brackets, beside mentions.
var (
	bracketed = regexp.MustCompile(`<[^<>]*>`)
	dateToken = regexp.MustCompile(`^<!date\^-?[0-9]+\^\{time\} \{date_short_pretty\}\|[0-9]{1,2} [A-Z][a-z]{2} -?[0-9]+ [0-9:]{5} UTC>$`)
)

// inspection walks through blocks as JSON and notes what breaks a rule.
type inspection struct {
	problems []string
	mentions []string
	links    []string
}

func inspect(tb testing.TB, v any) *inspection {
	tb.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	var decoded any
	if err := json.Unmarshal(data, &decoded); err != nil {
		tb.Fatal(err)
	}
	in := &inspection{}
	in.walk("", decoded)
	return in
}

func (in *inspection) wrong(format string, args ...any) {
	in.problems = append(in.problems, fmt.Sprintf(format, args...))
}

func (in *inspection) walk(at string, v any) {
	switch v := v.(type) {
	case []any:
		if most := map[string]int{"actions/elements": 25, "context/elements": 10}[at]; most > 0 && len(v) > most || len(v) == 0 {
			in.wrong("%s has %d members", at, len(v))
		}
		for _, e := range v {
			in.walk(at, e)
		}
	case map[string]any:
		in.object(at, v)
	case string:
		in.text(at, v)
	}
}

func (in *inspection) object(at string, o map[string]any) {
	kind, _ := o["type"].(string)
	switch kind {
	case "plain_text":
		if o["emoji"] != false {
			in.wrong("%s draws emoji", at)
		}
		in.text(at, o["text"])
		return
	case "mrkdwn":
		if o["verbatim"] != true {
			in.wrong("%s links by itself", at)
		}
		in.markup(o["text"])
		in.text(at, o["text"])
		return
	case "link":
		in.links = append(in.links, fmt.Sprint(o["url"]))
	case "text", "date", "rich_text", "rich_text_section", "rich_text_list", "rich_text_preformatted",
		"header", "section", "context", "actions", "input", "plain_text_input", "modal":
	case "button":
		if o["url"] != nil {
			in.links = append(in.links, fmt.Sprint(o["url"]))
		}
	case "":
		kind = at // a confirmation has no type
	default:
		in.wrong("an element of type %q", kind)
	}
	for key, v := range o {
		where := kind + "/" + key
		if key == "elements" && strings.HasPrefix(kind, "rich_text") {
			where = kind
		}
		if key != "type" && key != "action_id" && key != "block_id" && key != "callback_id" {
			in.walk(where, v)
		}
	}
}

func (in *inspection) text(at string, v any) {
	s, _ := v.(string)
	n := len(utf16.Encode([]rune(s)))
	most, bounded := limit[at]
	if n == 0 || bounded && n > most || !utf8.ValidString(s) {
		in.wrong("%s has %d characters: %.40q", at, n, s)
	}
}

// markup notes what text that Slack parses would do.
func (in *inspection) markup(v any) {
	s, _ := v.(string)
	for _, b := range bracketed.FindAllString(s, -1) {
		if !dateToken.MatchString(b) {
			in.mentions = append(in.mentions, b)
		}
	}
	if rest := bracketed.ReplaceAllString(s, ""); strings.ContainsAny(rest, "<>`~_") || strings.Contains(rest, "evil") || len(rest) > 500 {
		in.wrong("parsed text holds others' words: %q", s)
	}
}

// checkLimits checks blocks against Slack's limits and ours, and what they
// would do beyond being read.
func checkLimits(tb testing.TB, mention string, allowedLinks []string, r blocks.Rendered) {
	tb.Helper()
	if len(r.Blocks) == 0 || len(r.Blocks) > blocks.MaxBlocks {
		tb.Errorf("%d blocks; want 1 to %d", len(r.Blocks), blocks.MaxBlocks)
	}
	var compact bytes.Buffer
	enc := json.NewEncoder(&compact)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r.Blocks); err != nil {
		tb.Fatal(err)
	}
	if n := utf8.RuneCount(bytes.TrimSpace(compact.Bytes())); n > blocks.MaxCharacters {
		tb.Errorf("the blocks have %d characters; at most %d are allowed", n, blocks.MaxCharacters)
	}
	if r.Text == "" || !utf8.ValidString(r.Text) || utf8.RuneCountInString(r.Text) > 4000 || strings.ContainsAny(r.Text, "<>") {
		tb.Errorf("the text is %q", r.Text)
	}
	if i := strings.LastIndex(r.Text, "&"); i >= 0 && !strings.Contains(r.Text[i:], ";") {
		tb.Errorf("the text ends within an escape: %q", r.Text)
	}
	in := inspect(tb, r.Blocks)
	for _, p := range in.problems {
		tb.Error(p)
	}
	for _, l := range in.links {
		if !slices.Contains(allowedLinks, l) {
			tb.Errorf("the message leads to %q", l)
		}
	}
	var want []string
	if wellFormed(mention) {
		want = strings.Fields(mention)
	}
	if !slices.Equal(want, in.mentions) {
		tb.Errorf("%q are called; want %q", in.mentions, want)
	}
}
