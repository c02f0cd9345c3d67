package slackfake_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/integrations/slack/slackfake"
)

func markdown(s string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.MarkdownType, s, false, false)
}

func repeat[T any](n int, make func(i int) T) []T {
	list := []T{}
	for i := range n {
		list = append(list, make(i))
	}
	return list
}

func button(change func(*slack.ButtonBlockElement)) slack.Block {
	b := slack.NewButtonBlockElement("approve", "v", plainWords("Approve"))
	if change != nil {
		change(b)
	}
	return slack.NewActionBlock("", b)
}

func confirm(title, words, yes int) slack.Block {
	return button(func(b *slack.ButtonBlockElement) {
		b.Confirm = slack.NewConfirmationBlockObject(plainWords(x(title)), markdown(x(words)), plainWords(x(yes)), plainWords(x(yes)))
	})
}

// TestBlockLimits posts what is just allowed, and what is just too much.
func TestBlockLimits(t *testing.T) {
	_, api := start(t, unlimited)
	for name, c := range map[string]struct {
		make   func(n int) []slack.Block
		most   int
		says   string
		needed bool // 0 is too little
	}{
		"blocks": {
			func(n int) []slack.Block {
				return repeat(n, func(int) slack.Block { return section("x") })
			}, 50, "no more than 50 items allowed [json-pointer:/blocks]", false,
		},
		"section text": {func(n int) []slack.Block { return []slack.Block{section(x(n))} }, 3000, "must be less than 3001 characters [json-pointer:/blocks/0/text/text]", true},
		"header":       {func(n int) []slack.Block { return []slack.Block{slack.NewHeaderBlock(plainWords(x(n)))} }, 150, "must be less than 151 characters", true},
		"actions": {func(n int) []slack.Block {
			return []slack.Block{slack.NewActionBlock("", repeat(n, func(i int) slack.BlockElement {
				return slack.NewButtonBlockElement(fmt.Sprint("a", i), "v", plainWords("x"))
			})...)}
		}, 25, "no more than 25 items allowed [json-pointer:/blocks/0/elements]", true},
		"context": {func(n int) []slack.Block {
			return []slack.Block{slack.NewContextBlock("", repeat(n, func(int) slack.MixedElement { return markdown("x") })...)}
		}, 10, "no more than 10 items allowed", true},
		"button text": {func(n int) []slack.Block {
			return []slack.Block{button(func(b *slack.ButtonBlockElement) { b.Text = plainWords(x(n)) })}
		}, 75, "must be less than 76 characters [json-pointer:/blocks/0/elements/0/text/text]", true},
		"button value": {func(n int) []slack.Block {
			return []slack.Block{button(func(b *slack.ButtonBlockElement) { b.Value = x(n) })}
		}, 2000, "must be less than 2001 characters [json-pointer:/blocks/0/elements/0/value]", false},
		"action_id": {func(n int) []slack.Block {
			return []slack.Block{button(func(b *slack.ButtonBlockElement) { b.ActionID = x(n) })}
		}, 255, "must be less than 256 characters [json-pointer:/blocks/0/elements/0/action_id]", false},
		"block_id": {func(n int) []slack.Block {
			return []slack.Block{slack.NewSectionBlock(markdown("x"), nil, nil, slack.SectionBlockOptionBlockID(x(n)))}
		}, 255, "must be less than 256 characters [json-pointer:/blocks/0/block_id]", false},
		"confirm title":  {func(n int) []slack.Block { return []slack.Block{confirm(n, 1, 1)} }, 100, "/confirm/title/text", true},
		"confirm text":   {func(n int) []slack.Block { return []slack.Block{confirm(1, n, 1)} }, 300, "/confirm/text/text", true},
		"confirm button": {func(n int) []slack.Block { return []slack.Block{confirm(1, 1, n)} }, 30, "/confirm/deny/text", true},
	} {
		t.Run(name, func(t *testing.T) {
			post(t, api, secops, text("x"), blocks(c.make(c.most)...))
			_, _, err := api.PostMessageContext(t.Context(), secops, text("x"), blocks(c.make(c.most+1)...))
			if no := wantCode(t, err, "invalid_blocks"); !contains(no.ResponseMetadata.Messages, c.says) {
				t.Errorf("says %q, want %q", no.ResponseMetadata.Messages, c.says)
			}
			_, _, err = api.PostMessageContext(t.Context(), secops, text("x"), blocks(c.make(0)...))
			if c.needed {
				wantCode(t, err, "invalid_blocks")
			} else if err != nil {
				t.Errorf("with none of it: %v", err)
			}
		})
	}
}

// TestAllBlocksTogether is the limit that no document names.
func TestAllBlocksTogether(t *testing.T) {
	_, api := start(t, unlimited)
	filled := func(n int) slack.MsgOption {
		return blocks(section(x(3000)), section(x(3000)), section(x(3000)), section(x(3000)), section(x(n)))
	}
	frame, err := json.Marshal(repeat(5, func(int) slack.Block { return section("") }))
	if err != nil {
		t.Fatal(err)
	}
	left := 13_200 - 4*3000 - len(frame)
	post(t, api, secops, text("x"), filled(left))
	_, _, err = api.PostMessageContext(t.Context(), secops, text("x"), filled(left+1))
	wantCode(t, err, "msg_blocks_too_long")
}

// raws are blocks that no builder of ours makes, and why Slack refuses them.
func raws() map[string]struct{ blocks, says string } {
	return map[string]struct{ blocks, says string }{
		"no type":                {`[{"text":"x"}]`, "unsupported type: <nil> [json-pointer:/blocks/0/type]"},
		"no such type":           {`[{"type":"banner"}]`, "unsupported type: banner [json-pointer:/blocks/0/type]"},
		"only for streams":       {`[{"type":"alert"}]`, "unsupported type: alert"},
		"no object":              {`["x"]`, "must be an object [json-pointer:/blocks/0]"},
		"section without words":  {`[{"type":"section"}]`, "missing required field: text [json-pointer:/blocks/0]"},
		"text is no object":      {`[{"type":"section","text":"x"}]`, "must be an object [json-pointer:/blocks/0/text]"},
		"text is no text":        {`[{"type":"section","text":{"type":"mrkdwn","text":1}}]`, "must provide a string"},
		"text of no kind":        {`[{"type":"section","text":{"type":"html","text":"x"}}]`, "unsupported type: html"},
		"mrkdwn with emoji":      {`[{"type":"section","text":{"type":"mrkdwn","text":"x","emoji":true}}]`, "invalid additional property: emoji"},
		"plain with verbatim":    {`[{"type":"section","text":{"type":"plain_text","text":"x","verbatim":true}}]`, "invalid additional property: verbatim"},
		"emoji is no boolean":    {`[{"type":"section","text":{"type":"plain_text","text":"x","emoji":"yes"}}]`, "must provide a boolean"},
		"header in mrkdwn":       {`[{"type":"header","text":{"type":"mrkdwn","text":"x"}}]`, "must be one of the following: plain_text"},
		"button in mrkdwn":       {`[{"type":"actions","elements":[{"type":"button","text":{"type":"mrkdwn","text":"x"}}]}]`, "must be one of the following: plain_text"},
		"a type of others":       {`[{"type":"divider"}]`, "unsupported type: divider"},
		"unknown member":         {`[{"type":"section","colour":"red","text":{"type":"plain_text","text":"x"}}]`, "invalid additional property: colour [json-pointer:/blocks/0]"},
		"element of no type":     {`[{"type":"actions","elements":[{"type":"lever"}]}]`, "unsupported type: lever"},
		"element is no object":   {`[{"type":"actions","elements":[1]}]`, "must be an object"},
		"no elements":            {`[{"type":"actions"}]`, "missing required field: elements"},
		"style":                  {`[{"type":"actions","elements":[{"type":"button","style":"huge","text":{"type":"plain_text","text":"x"}}]}]`, "must be one of the following: primary, danger"},
		"link of a button":       {`[{"type":"actions","elements":[{"type":"button","url":"file:///etc","text":{"type":"plain_text","text":"x"}}]}]`, "invalid url"},
		"same block_id":          {`[{"type":"section","block_id":"a"},{"type":"section","block_id":"a"}]`, "`block_id` \"a\" already exists"},
		"same action_id":         {`[{"type":"actions","elements":[{"type":"button","action_id":"a","text":{"type":"plain_text","text":"x"}},{"type":"button","action_id":"a","text":{"type":"plain_text","text":"y"}}]}]`, "`action_id` \"a\" already exists"},
		"input of a button":      {`[{"type":"input","label":{"type":"plain_text","text":"x"},"element":{"type":"button","text":{"type":"plain_text","text":"x"}}}]`, "unsupported type: button"},
		"input without element":  {`[{"type":"input","label":{"type":"plain_text","text":"x"}}]`, "missing required field: element"},
		"rich_text of no type":   {`[{"type":"rich_text","elements":[{"type":"rich_text_song"}]}]`, "unsupported type: rich_text_song"},
		"rich_text of a word":    {`[{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"shout"}]}]}]`, "unsupported type: shout"},
		"rich_text mentions":     {`[{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"user"}]}]}]`, "unsupported type: user"},
		"rich_text leads astray": {`[{"type":"rich_text","elements":[{"type":"rich_text_list","elements":[{"type":"rich_text_section","elements":[{"type":"link","url":"ftp://x"}]}]}]}]`, "invalid url"},
	}
}

func TestBlocksAreChecked(t *testing.T) {
	s, api := start(t, unlimited)
	for name, c := range raws() {
		t.Run(name, func(t *testing.T) {
			_, _, err := api.PostMessageContext(t.Context(), secops, text("x"), rawBlocks(s, c.blocks))
			if no := wantCode(t, err, "invalid_blocks"); !contains(no.ResponseMetadata.Messages, c.says) {
				t.Errorf("says %q, want %q", no.ResponseMetadata.Messages, c.says)
			}
		})
	}
	for _, broken := range []string{"{", `{"type":"divider"}`, `"x"`} {
		_, _, err := api.PostMessageContext(t.Context(), secops, text("x"), rawBlocks(s, broken))
		wantCode(t, err, "invalid_blocks_format")
	}
}

// rawBlocks sends blocks as they are written.
func rawBlocks(s *slackfake.Server, raw string) slack.MsgOption {
	return slack.UnsafeMsgOptionEndpoint(s.URL+"chat.postMessage", func(v url.Values) { v.Set("blocks", raw) })
}

func TestViewLimits(t *testing.T) {
	s, api := start(t, unlimited)
	a := serve(t, s)
	for name, c := range map[string]struct {
		change func(v *slack.ModalViewRequest, n int)
		most   int
		says   string
	}{
		"title":            {func(v *slack.ModalViewRequest, n int) { v.Title = plainWords(x(n)) }, 24, "must be less than 25 characters [json-pointer:/view/title/text]"},
		"submit":           {func(v *slack.ModalViewRequest, n int) { v.Submit = plainWords(x(n)) }, 24, "/view/submit/text"},
		"close":            {func(v *slack.ModalViewRequest, n int) { v.Close = plainWords(x(n)) }, 24, "/view/close/text"},
		"private_metadata": {func(v *slack.ModalViewRequest, n int) { v.PrivateMetadata = x(n) }, 3000, "must be less than 3001 characters [json-pointer:/view/private_metadata]"},
		"callback_id":      {func(v *slack.ModalViewRequest, n int) { v.CallbackID = x(n) }, 255, "/view/callback_id"},
		"blocks": {func(v *slack.ModalViewRequest, n int) {
			v.Blocks.BlockSet = repeat(n, func(int) slack.Block { return section("x") })
		}, 100, "no more than 100 items allowed [json-pointer:/view/blocks]"},
		"min_length": {func(v *slack.ModalViewRequest, n int) {
			r := reason()
			r.Element.(*slack.PlainTextInputBlockElement).MinLength = n
			v.Blocks.BlockSet = []slack.Block{r}
		}, 3000, "must be a number between 0 and 3000"},
	} {
		t.Run(name, func(t *testing.T) {
			open(t, s, api, a, func(v *slack.ModalViewRequest) { c.change(v, c.most) })
			_, err := api.OpenViewContext(t.Context(), trigger(t, s, api, a), modal(func(v *slack.ModalViewRequest) { c.change(v, c.most+1) }))
			if no := wantCode(t, err, "invalid_arguments"); !contains(no.ResponseMetadata.Messages, c.says) {
				t.Errorf("says %q, want %q", no.ResponseMetadata.Messages, c.says)
			}
		})
	}
}

func TestViewsAreChecked(t *testing.T) {
	s, api := start(t, unlimited)
	a := serve(t, s)
	for says, change := range map[string]func(*slack.ModalViewRequest){
		"unsupported type: home":         func(v *slack.ModalViewRequest) { v.Type = slack.VTHomeTab },
		"missing required field: title":  func(v *slack.ModalViewRequest) { v.Title = nil },
		"missing required field: submit": func(v *slack.ModalViewRequest) { v.Submit = nil },
		"must be one of the following":   func(v *slack.ModalViewRequest) { v.Title = markdown("x") },
		"must be less than 3001":         func(v *slack.ModalViewRequest) { v.Blocks.BlockSet = []slack.Block{section(x(3001))} },
	} {
		_, err := api.OpenViewContext(t.Context(), trigger(t, s, api, a), modal(change))
		if no := wantCode(t, err, "invalid_arguments"); !contains(no.ResponseMetadata.Messages, says) {
			t.Errorf("says %q, want %q", no.ResponseMetadata.Messages, says)
		}
	}
	_, err := api.OpenViewContext(t.Context(), trigger(t, s, api, a), modal(func(v *slack.ModalViewRequest) {
		v.Blocks.BlockSet = repeat(90, func(int) slack.Block { return section(strings.Repeat("x", 3000)) })
	}))
	wantCode(t, err, "view_too_large")
}

func TestSlackNamesBlocksWithoutName(t *testing.T) {
	s, api := start(t, nil)
	ts := post(t, api, secops, blocks(button(nil), confirm(1, 1, 1)))
	m, _ := s.Message(secops, ts)
	buttons := m.Buttons()
	if len(buttons) != 2 || buttons[0].Block == "" || buttons[0].Block == buttons[1].Block {
		t.Errorf("buttons %+v", buttons)
	}
	if buttons[0].Asks || !buttons[1].Asks {
		t.Error("a confirmation appeared, or is lost")
	}
}
