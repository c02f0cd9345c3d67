package contract

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
)

// AnswerableHarness opens a messenger in which people answer.
type AnswerableHarness struct {
	Knobs
	// Open returns a messenger with people, and without messages yet.
	Open func(t testing.TB) AnswerableWorld
}

// AnswerableWorld is an opened messenger and a view of its state.
type AnswerableWorld struct {
	integrations.Answerable
	// Click is one of a person of the workspace. They are in Group, and not in
	// Other, which exists.
	Click        integrations.Click
	Group, Other string
	// Refused are clicks of accounts that identify no person here, by their kind: a
	// bot, a guest, deactivated, of another workspace.
	Refused map[string]integrations.Click
	// Told are the texts that only a user sees; Public counts the messages that
	// everybody sees.
	Told   func(user string) []string
	Public func() int
	Break  func(Fault)
}

// Answerable checks how an [integrations.Answerable] identifies people and replies
// to them. How clicks arrive is specific to the product and is not checked here.
func Answerable(t *testing.T, h AnswerableHarness) {
	t.Helper()
	run(t, "Answerable", h, answerableChecks())
}

func answerableChecks() []check[AnswerableHarness] {
	return slices.Concat([]check[AnswerableHarness]{
		{"who clicked is identified, with the groups that they are in", checkIdentified},
		{"an account that is no person here is denied, with the reason", checkRefused},
		{"only the person who clicked sees a reply", checkReply},
	}, faultChecks(func(t testing.TB, h AnswerableHarness) (func(Fault), []call) {
		w := h.Open(t)
		return w.Break, []call{
			{"identify", false, func(ctx context.Context) error {
				_, err := w.Identify(ctx, w.Click, []string{w.Group})
				return err
			}},
			{"reply", true, func(ctx context.Context) error { return w.Reply(ctx, w.Click, "recorded") }},
		}
	}))
}

func checkIdentified(t testing.TB, h AnswerableHarness) {
	w := h.Open(t)
	for range 2 { // A cached answer is the same as the first one.
		got, err := w.Identify(t.Context(), w.Click, []string{w.Other, w.Group, "no-such-group-7f3a"})
		h.fine(t, "identify", err)
		if got.User != w.Click.User || !slices.Equal(got.Groups, []string{w.Group}) {
			t.Errorf("%s of the groups is %s of %v, want %s of %s", w.Click.User, got.User, got.Groups, w.Click.User, w.Group)
		}
	}
	got, err := w.Identify(t.Context(), w.Click, nil)
	h.fine(t, "identify without groups", err)
	if got.User != w.Click.User || len(got.Groups) > 0 {
		t.Errorf("without groups it is %s of %v, want %s of none", got.User, got.Groups, w.Click.User)
	}
}

func checkRefused(t testing.TB, h AnswerableHarness) {
	w := h.Open(t)
	if len(w.Refused) == 0 {
		t.Fatal("the harness has no account that is no person")
	}
	refused := maps.Clone(w.Refused)
	unnamed := w.Click
	unnamed.User = ""
	refused["a click that names nobody"] = unnamed
	for _, what := range slices.Sorted(maps.Keys(refused)) {
		got, err := w.Identify(t.Context(), refused[what], []string{w.Group})
		h.want(t, what, err, integrations.Denied)
		if e, ok := errors.AsType[*integrations.Error](err); ok && e.Err == nil {
			t.Errorf("%s: the refusal gives no reason", what)
		}
		if got.User != "" || len(got.Groups) > 0 || got.Email != "" {
			t.Errorf("%s: was refused, and yet is %+v", what, got)
		}
	}
}

func checkReply(t testing.TB, h AnswerableHarness) {
	w := h.Open(t)
	public := w.Public()
	h.fine(t, "reply", w.Reply(t.Context(), w.Click, "You are not among the approvers."))
	told := w.Told(w.Click.User)
	if len(told) != 1 || !strings.Contains(told[0], "not among the approvers") {
		t.Errorf("%s got %q, want the reply", w.Click.User, told)
	}
	if now := w.Public(); now != public {
		t.Errorf("everybody sees %d messages after a reply, and %d before", now, public)
	}
	for what, c := range w.Refused {
		if got := w.Told(c.User); c.User != w.Click.User && len(got) > 0 {
			t.Errorf("%s got %q, which was for another", what, got)
		}
	}
}
