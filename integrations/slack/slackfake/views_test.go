package slackfake_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/integrations/slack/slackfake"
)

func plainWords(s string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.PlainTextType, s, false, false)
}

// reason is an input for why somebody says no.
func reason() *slack.InputBlock {
	e := slack.NewPlainTextInputBlockElement(plainWords("for the record"), "reason")
	e.MinLength, e.MaxLength = 5, 20
	return slack.NewInputBlock("why", plainWords("Why?"), nil, e)
}

// modal is a view that asks for a reason, with changes.
func modal(change func(*slack.ModalViewRequest)) slack.ModalViewRequest {
	v := slack.ModalViewRequest{
		Type: slack.VTModal, Title: plainWords("Deny"), Submit: plainWords("Deny"), Close: plainWords("Back"),
		CallbackID: "deny", PrivateMetadata: "a1", Blocks: slack.Blocks{BlockSet: []slack.Block{reason()}},
	}
	if change != nil {
		change(&v)
	}
	return v
}

// trigger clicks and returns what may open a modal.
func trigger(t *testing.T, s *slackfake.Server, api *slack.Client, a *app) string {
	t.Helper()
	ts := post(t, api, secops, card())
	d, err := s.Click(alice, secops, ts, "deny")
	if err != nil {
		t.Fatal(err)
	}
	id := receive(t, a.got).TriggerID
	answered(t, d)
	return id
}

func open(t *testing.T, s *slackfake.Server, api *slack.Client, a *app, change func(*slack.ModalViewRequest)) string {
	t.Helper()
	v, err := api.OpenViewContext(t.Context(), trigger(t, s, api, a), modal(change))
	if err != nil {
		t.Fatal(err)
	}
	return v.ID
}

func TestOpenView(t *testing.T) {
	clock := slackfake.NewClock(time.Now())
	s, api := start(t, func(o *slackfake.Options) { o.Now = clock.Now; unlimited(o) })
	a := serve(t, s)
	id := trigger(t, s, api, a)
	clock.Advance(3 * time.Second)
	v, err := api.OpenViewContext(t.Context(), id, modal(nil))
	if err != nil {
		t.Fatal(err)
	}
	if v.ID == "" || v.Hash == "" || v.RootViewID != v.ID || v.TeamID != s.Team.ID || v.PrivateMetadata != "a1" || v.State == nil {
		t.Errorf("answered %+v", v.View)
	}
	views := s.Views(alice)
	if len(views) != 1 || views[0].ID != v.ID || views[0].Title != "Deny" || views[0].Close != "Back" || views[0].CallbackID != "deny" {
		t.Errorf("alice sees %+v", views)
	}
	_, err = api.OpenViewContext(t.Context(), id, modal(nil))
	wantCode(t, err, "exchanged_trigger_id")
	_, err = api.OpenViewContext(t.Context(), "1.2.3", modal(nil))
	wantCode(t, err, "invalid_trigger_id")
	id = trigger(t, s, api, a)
	clock.Advance(3*time.Second + time.Millisecond)
	_, err = api.OpenViewContext(t.Context(), id, modal(nil))
	wantCode(t, err, "expired_trigger_id")
}

func TestUpdateView(t *testing.T) {
	s, api := start(t, unlimited)
	a := serve(t, s)
	id := open(t, s, api, a, nil)
	hash := s.Views(alice)[0].Hash
	title := func(s string) func(*slack.ModalViewRequest) {
		return func(v *slack.ModalViewRequest) { v.Title = plainWords(s) }
	}
	if _, err := api.UpdateViewContext(t.Context(), modal(title("Two")), "", hash, id); err != nil {
		t.Fatal(err)
	}
	_, err := api.UpdateViewContext(t.Context(), modal(title("Three")), "", hash, id)
	wantCode(t, err, "hash_conflict")
	_, err = api.UpdateViewContext(t.Context(), modal(nil), "", "", "V0NONE")
	wantCode(t, err, "not_found")
	if v := s.Views(alice)[0]; v.Title != "Two" || v.ID != id {
		t.Errorf("alice sees %+v", v)
	}
}

func TestSubmitView(t *testing.T) {
	s, api := start(t, unlimited)
	a := serve(t, s)
	id := open(t, s, api, a, nil)
	d, err := s.SubmitView(alice, id, map[string]string{"why": "not a miner"})
	if err != nil {
		t.Fatal(err)
	}
	c := receive(t, a.got)
	answered(t, d)
	if c.Type != slack.InteractionTypeViewSubmission || c.User.ID != alice || c.View.ID != id || c.View.PrivateMetadata != "a1" ||
		c.View.CallbackID != "deny" || c.View.State.Values["why"]["reason"].Value != "not a miner" || c.TriggerID == "" {
		t.Errorf("got %+v", c)
	}
	if len(s.Views(alice)) != 0 {
		t.Error("the view stays open")
	}
	if _, err := s.SubmitView(alice, id, nil); err == nil {
		t.Error("a view was submitted that is closed")
	}
}

func TestInputsAreCheckedBySlack(t *testing.T) {
	s, api := start(t, unlimited)
	a := serve(t, s)
	id := open(t, s, api, a, nil)
	for name, values := range map[string]map[string]string{
		"nothing":       {},
		"only space":    {"why": "   "},
		"too short":     {"why": "miné"},
		"too long":      {"why": x(21)},
		"no such input": {"why": "enough", "what": "x"},
	} {
		var refused *slackfake.InputError
		if _, err := s.SubmitView(alice, id, values); !errors.As(err, &refused) || len(refused.Problems) == 0 || !strings.HasPrefix(err.Error(), "submit view: {") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if len(a.got) != 0 {
		t.Error("the app heard of what Slack refuses by itself")
	}
	if _, err := s.SubmitView(alice, id, map[string]string{"why": x(20)}); err != nil {
		t.Fatal(err)
	}
	if state := receive(t, a.got).View.State.Values; state["why"]["reason"].Value != x(20) {
		t.Errorf("state %+v", state)
	}
}

func TestSubmissionAnswers(t *testing.T) {
	next := modal(func(v *slack.ModalViewRequest) { v.Title = plainWords("Next") })
	wide := modal(func(v *slack.ModalViewRequest) { v.Title = plainWords(x(25)) })
	for name, c := range map[string]struct {
		answer  any
		titles  []string
		errors  map[string]string
		trouble bool
	}{
		"nothing to say":  {map[string]any{}, nil, nil, false},
		"clear":           {slack.NewClearViewSubmissionResponse(), nil, nil, false},
		"errors":          {slack.NewErrorsViewSubmissionResponse(map[string]string{"why": "no"}), []string{"Deny"}, map[string]string{"why": "no"}, false},
		"errors nowhere":  {slack.NewErrorsViewSubmissionResponse(map[string]string{"title": "no"}), []string{"Deny"}, nil, true},
		"no errors":       {slack.NewErrorsViewSubmissionResponse(nil), []string{"Deny"}, nil, true},
		"update":          {slack.NewUpdateViewSubmissionResponse(&next), []string{"Next"}, nil, false},
		"update too wide": {slack.NewUpdateViewSubmissionResponse(&wide), []string{"Deny"}, nil, true},
		"no such action":  {map[string]any{"response_action": "explode"}, []string{"Deny"}, nil, true},
		"no object":       {"ok", []string{"Deny"}, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			s, api := start(t, unlimited)
			a := serve(t, s)
			id := open(t, s, api, a, nil)
			a.answer = func(slack.InteractionCallback) any { return c.answer }
			d, err := s.SubmitView(alice, id, map[string]string{"why": "enough"})
			if err != nil {
				t.Fatal(err)
			}
			answered(t, d)
			var titles []string
			for _, v := range s.Views(alice) {
				titles = append(titles, v.Title)
				if v.Title == "Deny" && (v.Trouble != c.trouble || !cmp.Equal(v.Errors, c.errors)) {
					t.Errorf("shows trouble %t and %v", v.Trouble, v.Errors)
				}
			}
			if diff := cmp.Diff(c.titles, titles); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestALateAnswerIsTrouble(t *testing.T) {
	clock := slackfake.NewClock(time.Now())
	s, api := start(t, func(o *slackfake.Options) { o.Now = clock.Now; unlimited(o) })
	a := serve(t, s)
	id := open(t, s, api, a, nil)
	a.answer = func(slack.InteractionCallback) any { clock.Advance(4 * time.Second); return map[string]any{} }
	d, err := s.SubmitView(alice, id, map[string]string{"why": "enough"})
	if err != nil {
		t.Fatal(err)
	}
	answered(t, d)
	if v := s.Views(alice); len(v) != 1 || !v[0].Trouble {
		t.Errorf("alice sees %+v", v)
	}
}
