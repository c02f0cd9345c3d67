package interact

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/slack/blocks"
	"github.com/stanch-soar/stanch/integrations/slack/slackfake"
)

func TestEvidence(t *testing.T) {
	w := newWorld(t, slackfake.Options{})
	w.listen(w.receiver)
	open := w.desk.close()
	if _, a := w.press(alice, w.card, blocks.ActionEvidence); !a.Acked {
		t.Errorf("the click was answered with %+v", a)
	}
	<-w.desk.entered
	if shown := w.shown(alice); !strings.Contains(shown, "Reading case") {
		t.Errorf("before the case is known the view shows %s", shown)
	}
	before := w.Views(alice)[0]
	open()
	w.await("a view that was filled", func() bool { return w.Views(alice)[0].Hash != before.Hash })
	if shown := w.shown(alice); w.Views(alice)[0].CallbackID != blocks.CallbackEvidence || !strings.Contains(shown, "Seen by the EDR") {
		t.Errorf("the view shows %s", shown)
	}
	if n := w.desk.calls(); n > 0 {
		t.Errorf("looking at the evidence gave the desk %d clicks", n)
	}
}

// Whoever may not read sees nothing of a case, and is told so alone; nor does who cannot
// be identified.
func TestEvidenceIsNotForEverybody(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		told string
	}{
		"nobody of stanch.yaml": {integrations.Errorf(integrations.Denied, "op", "account %s is nobody of stanch.yaml", partner), "is nobody of stanch.yaml"},
		"slack does not answer": {integrations.Errorf(integrations.Unavailable, "users.info", "connection refused to 10.0.0.1"), "could not be asked in time who you are"},
		"something else":        {context.DeadlineExceeded, "could not be asked in time who you are"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, slackfake.Options{})
			w.listen(w.receiver)
			w.desk.refused = map[string]error{partner: test.err}
			if _, a := w.press(partner, w.card, blocks.ActionEvidence); !a.Acked {
				t.Errorf("the click was answered with %+v", a)
			}
			if told := w.told(partner, 1)[0]; !strings.Contains(told, test.told) || strings.Contains(told, "10.0.0.1") {
				t.Errorf("the clicker was told %q", told)
			}
			if views := w.Views(partner); len(views) > 0 {
				t.Errorf("a view was opened: %+v", views)
			}
			w.untouched()
		})
	}
}

// shown is what the view on top of a user's holds.
func (w *world) shown(user string) string {
	w.t.Helper()
	views := w.Views(user)
	if len(views) == 0 {
		w.t.Fatalf("%s has no view open", user)
	}
	text, err := json.Marshal(views[len(views)-1].Blocks)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

func TestEvidenceThatCannotBeShown(t *testing.T) {
	tests := []struct {
		name  string
		fail  func(*desk)
		shows string
	}{
		{"the desk is down", (*desk).breakDown, "could not be read"},
		{"the case is gone", func(d *desk) { delete(d.cases, caseID) }, "no such case"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, slackfake.Options{})
			w.listen(w.receiver)
			tt.fail(w.desk)
			w.press(alice, w.card, blocks.ActionEvidence)
			w.await("a view that says so", func() bool { return strings.Contains(w.shown(alice), tt.shows) })
			if shown := w.shown(alice); strings.Contains(shown, "engine") {
				t.Errorf("the desk's own words are shown: %s", shown)
			}
		})
	}
}

func TestFormsThatDoNotOpenAreTold(t *testing.T) {
	for _, action := range []string{blocks.ActionEvidence, blocks.ActionDeny} {
		t.Run(action, func(t *testing.T) {
			w := newWorld(t, slackfake.Options{})
			w.serve()
			w.Fail("views.open", 1, slackfake.Refuse("internal_error"))
			if _, a := w.press(alice, w.card, action); a.Acked {
				t.Errorf("the click was answered with %+v", a)
			}
			if told := w.told(alice, 1)[0]; !strings.Contains(told, "did not open") {
				t.Errorf("the clicker was told %q", told)
			}
			if _, a := w.press(alice, w.card, action); !a.Acked || len(w.Views(alice)) != 1 {
				t.Errorf("the second click was answered with %+v", a)
			}
		})
	}
}
