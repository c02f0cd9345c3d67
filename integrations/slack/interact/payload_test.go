package interact

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/slack/blocks"
	"github.com/stanch-soar/stanch/integrations/slack/slackfake"
)

// submission is a form as Slack would deliver it.
func submission(t *testing.T, callback, metadata, reason string) interaction {
	t.Helper()
	payload, err := json.Marshal(map[string]any{
		"type": "view_submission", "team": map[string]any{"id": "T0HOME"}, "user": map[string]any{"id": bob, "team_id": "T0HOME"},
		"view": map[string]any{
			"id": "V1", "hash": "1.a", "callback_id": callback, "private_metadata": metadata, "type": "modal",
			"state": map[string]any{"values": map[string]any{
				blocks.ReasonBlock: map[string]any{blocks.ReasonInput: map[string]any{"type": "plain_text_input", "value": reason}},
			}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	in, err := parse(payload)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// A click counts for nobody that does not say who answered which question with
// which button, where and when: the desk never has it.
func TestAClickIsWholeOrNothing(t *testing.T) {
	type object = map[string]any
	w := newWorld(t, slackfake.Options{})
	pressed := func() object {
		return object{
			"type": "block_actions", "user": object{"id": alice, "team_id": "T0HOME"}, "channel": object{"id": secops}, "message": object{"ts": w.card},
			"actions": []any{object{"type": "button", "block_id": "b", "action_id": blocks.ActionApprove, "value": question(true, false).Encode(), "action_ts": "1.2"}},
		}
	}
	answer := func(edit func(*blocks.Answer)) string {
		a := question(true, false)
		edit(&a)
		return a.Encode()
	}
	first := func(in object) object {
		button, _ := in["actions"].([]any)[0].(object)
		return button
	}
	filled := func() object {
		form := submission(t, blocks.CallbackReason, "", "no")
		var in object
		if err := json.Unmarshal(form.payload, &in); err != nil {
			t.Fatal(err)
		}
		return in
	}
	origin := func(in object, edit func(*blocks.Answer)) {
		a := question(false, true)
		edit(&a)
		text, err := json.Marshal(blocks.Origin{Answer: a, Channel: secops, Message: w.card})
		if err != nil {
			t.Fatal(err)
		}
		view, _ := in["view"].(object)
		view["private_metadata"] = string(text)
	}
	keep := func(*blocks.Answer) {}
	for name, c := range map[string]struct {
		in   object
		edit func(object)
		want int
	}{
		"whole":                  {pressed(), func(object) {}, 1},
		"nobody pressed it":      {pressed(), func(in object) { delete(in, "user") }, 0},
		"in no channel":          {pressed(), func(in object) { delete(in, "channel") }, 0},
		"on no message":          {pressed(), func(in object) { delete(in, "message") }, 0},
		"at no time":             {pressed(), func(in object) { delete(first(in), "action_ts") }, 0},
		"of no question":         {pressed(), func(in object) { first(in)["value"] = answer(func(a *blocks.Answer) { a.Approval = "" }) }, 0},
		"of no plan":             {pressed(), func(in object) { first(in)["value"] = answer(func(a *blocks.Answer) { a.PlanDigest = "" }) }, 0},
		"another button's value": {pressed(), func(in object) { first(in)["value"] = answer(func(a *blocks.Answer) { a.Approve = false }) }, 0},
		"two buttons":            {pressed(), func(in object) { in["actions"] = []any{first(in), first(in)} }, 0},
		"no button":              {pressed(), func(in object) { in["actions"] = []any{} }, 0},
		"a form":                 {filled(), func(in object) { origin(in, keep) }, 1},
		"a form of nobody":       {filled(), func(in object) { origin(in, keep); delete(in, "user") }, 0},
		"a form without an id": {filled(), func(in object) {
			origin(in, keep)
			view, _ := in["view"].(object)
			delete(view, "id")
		}, 0},
		"a form of no question": {filled(), func(in object) { origin(in, func(a *blocks.Answer) { a.Approval = "" }) }, 0},
		"a form of no plan":     {filled(), func(in object) { origin(in, func(a *blocks.Answer) { a.PlanDigest = "" }) }, 0},
	} {
		c.edit(c.in)
		payload, err := json.Marshal(c.in)
		if err != nil {
			t.Fatal(err)
		}
		in, err := parse(payload)
		if err != nil {
			t.Fatal(err)
		}
		before := w.desk.calls()
		if o := w.receiver.answer(t.Context(), w.desk, in); !o.held {
			t.Errorf("%s: it is answered with %+v", name, o)
		}
		if n := w.desk.calls() - before; n != c.want {
			t.Errorf("%s: the desk has %d clicks, want %d", name, n, c.want)
		}
	}
}

func TestClickIDs(t *testing.T) {
	parts := [][]string{
		{"block_actions", "T1", "U1", "C1", "1.1", "2.2", "stanch.approve"},
		{"block_actions", "T1", "U1", "C1", "1.1", "2.3", "stanch.approve"},
		{"block_actions", "T1", "U1", "C1", "1.1", "2.2", "stanch.deny"},
		{"block_actions", "T1", "U2", "C1", "1.1", "2.2", "stanch.approve"},
		{"block_actions", "T1", "U1", "C11", ".1", "2.2", "stanch.approve"},
		{"block_actions", "T1U1", "", "C1", "1.1", "2.2", "stanch.approve"},
	}
	seen := map[string][]string{}
	for _, p := range parts {
		id := identify(p...)
		if other, twice := seen[id]; twice {
			t.Errorf("%q and %q have the same id", p, other)
		}
		if identify(p...) != id {
			t.Errorf("%q has two ids", p)
		}
		seen[id] = p
	}
}

func TestURLsAreForgotten(t *testing.T) {
	clock := slackfake.NewClock(epoch())
	u := newURLs(clock.Now)
	u.keep("", "https://hooks.slack.com/0")
	u.keep("V0", "")
	for i := range maxURLs + 1 {
		u.keep(fmt.Sprint("V", i+1), fmt.Sprint("https://hooks.slack.com/", i+1))
		clock.Advance(time.Millisecond)
	}
	if got := u.of("V1"); got != "" {
		t.Errorf("the oldest is still %q", got)
	}
	if got := u.of("V2"); got != "https://hooks.slack.com/2" || len(u.byView) != maxURLs {
		t.Errorf("the next is %q, of %d", got, len(u.byView))
	}
	u.forget("V2")
	if got := u.of("V2"); got != "" {
		t.Errorf("what is forgotten is %q", got)
	}
	clock.Advance(urlLives)
	if got := u.of("V3"); got != "" {
		t.Errorf("after its life it is %q", got)
	}
	u.keep("V", "https://hooks.slack.com/v")
	if len(u.byView) != 1 {
		t.Errorf("%d are kept", len(u.byView))
	}
}

func TestCommandsAreSafeToPaste(t *testing.T) {
	for _, id := range []string{"p/ws;reboot", "p/$(id)", "p/ws 042", "p/ws`id`", "--help", "", "p/ws\u202e042", "p/'ws'"} {
		if text := command(integrations.Click{Case: id}); text != "stanch case list" {
			t.Errorf("case %q: the command is %q", id, text)
		}
	}
	if got := command(integrations.Click{Case: caseID}); got != "stanch case deny "+caseID {
		t.Errorf("the command is %q", got)
	}
}

// unreachable is a network that is down.
type unreachable struct{}

func (unreachable) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("the network is down")
}

func FuzzInteraction(f *testing.F) {
	answer := question(true, false).Encode()
	seed := func(kind string, rest string) []byte {
		return fmt.Appendf(nil, `{"type":%q,"team":{"id":"T1"},"user":{"id":"U1","team_id":"T2"},%s}`, kind, rest)
	}
	value, err := json.Marshal(answer)
	if err != nil {
		f.Fatal(err)
	}
	metadata, err := json.Marshal(blocks.Origin{Answer: question(false, true), Channel: secops, Message: "1.1"}.Encode())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed("block_actions", fmt.Sprintf(`"channel":{"id":"C1"},"message":{"ts":"1.1"},"actions":[{"block_id":"b","action_id":"stanch.approve","action_ts":"2.2","value":%s}]`, value)))
	f.Add(seed("block_actions", `"container":{"channel_id":"C1","message_ts":"1.1"},"actions":[{"name":"old"}]`))
	f.Add(seed("block_actions", `"actions":[null]`))
	f.Add(seed("view_submission", fmt.Sprintf(`"view":{"id":"V1","hash":"h","callback_id":"stanch.reason","private_metadata":%s,"state":{"values":{"reason":{"text":{"value":"no"}}}}}`, metadata)))
	f.Add(seed("view_closed", `"is_cleared":true`))
	f.Add(seed("block_actions", `"state":null,"view":null`))
	f.Add([]byte("null"))
	client := &http.Client{Transport: unreachable{}}
	r := New(slack.New("xoxb-1", slack.OptionHTTPClient(client)), Options{Use: "slack", Now: epoch, HTTP: client})
	f.Fuzz(func(t *testing.T, payload []byte) {
		in, err := parse(payload)
		if err != nil {
			return
		}
		d := newDesk()
		o := r.answer(t.Context(), d, in)
		r.afterwards(t.Context(), o)
		for _, c := range d.clicks() {
			if c.ID == "" || c.User == "" || c.Case == "" || c.Approval == "" || c.PlanDigest == "" || !o.held {
				t.Errorf("a click that is not whole reached the desk: %+v", c)
			}
			if in.ResponseURL != "" && strings.Contains(fmt.Sprint(c), in.ResponseURL) {
				t.Errorf("the address of the answer reached the desk: %+v", c)
			}
			if utf8.RuneCountInString(c.Reason) > blocks.MaxReason {
				t.Errorf("a reason without end reached the desk: %+v", c)
			}
		}
	})
}

func TestLongTextsAreCutAtCharacters(t *testing.T) {
	text := cut(strings.Repeat("é", maxTold+1), maxTold)
	if n := utf8.RuneCountInString(text); n != maxTold || !utf8.ValidString(text) || !strings.HasSuffix(text, "é…") {
		t.Errorf("it is %d characters long and ends with %q", n, text[len(text)-5:])
	}
}
