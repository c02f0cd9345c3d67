package contract

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// MessengerHarness opens a product that sends messages to people.
type MessengerHarness struct {
	Knobs
	// Open returns a product without messages.
	Open func(t testing.TB) MessengerWorld
}

// MessengerWorld is an opened product and a view of its state.
type MessengerWorld struct {
	integrations.Messenger
	// Channel is one that exists.
	Channel string
	// Sent counts the messages that people see.
	Sent  func() int
	Break func(Fault)
}

// Messenger checks an [integrations.Messenger].
func Messenger(t *testing.T, h MessengerHarness) {
	t.Helper()
	run(t, "Messenger", h, messengerChecks())
}

func messengerChecks() []check[MessengerHarness] {
	return slices.Concat([]check[MessengerHarness]{
		{"the same key is sent once", checkSentOnce},
		{"a message without key or channel is invalid", checkUnsendable},
		{"a lost answer is ambiguous, and is not sent twice", checkSentLostAnswer},
	}, faultChecks(func(t testing.TB, h MessengerHarness) (func(Fault), []call) {
		w := h.Open(t)
		return w.Break, []call{{"post", true, func(ctx context.Context) error {
			_, err := w.Post(ctx, message(w.Channel, "stanch-key-1"))
			return err
		}}}
	}))
}

// message has texts that an attacker could have put into an alert.
func message(channel, key string) integrations.Message {
	return integrations.Message{
		Key: key, Channel: channel, Severity: "high", Title: "ws-042 sends <!channel> *4 GiB* %s%n",
		Lines: []string{"path: C:\\Tools\\`x`.exe", "<script>alert(1)</script> @here https://evil.example"},
		URL:   "https://stanch.example/cases/1",
	}
}

func (w MessengerWorld) sent(t testing.TB, when string, n int) {
	t.Helper()
	if got := w.Sent(); got != n {
		t.Errorf("%s: people see %d messages, want %d", when, got, n)
	}
}

func checkSentOnce(t testing.TB, h MessengerHarness) {
	w := h.Open(t)
	for _, key := range []string{"stanch-key-1", "stanch-key-1", "stanch-key-2", "stanch-key-1"} {
		_, err := w.Post(t.Context(), message(w.Channel, key))
		h.fine(t, "post", err)
	}
	w.sent(t, "after four posts with two keys", 2)
}

func checkUnsendable(t testing.TB, h MessengerHarness) {
	w := h.Open(t)
	_, err := w.Post(t.Context(), message(w.Channel, ""))
	h.want(t, "post without key", err, integrations.Invalid)
	_, err = w.Post(t.Context(), message("", "stanch-key-1"))
	h.want(t, "post without channel", err, integrations.Invalid)
	w.sent(t, "after refused posts", 0)
}

func checkSentLostAnswer(t testing.TB, h MessengerHarness) {
	w := h.Open(t)
	if w.Break == nil {
		h.unbreakable(t)
	}
	w.Break(LoseAnswer)
	_, err := w.Post(t.Context(), message(w.Channel, "stanch-key-1"))
	h.want(t, "post", err, integrations.Ambiguous)
	w.Break(Works)
	_, err = w.Post(t.Context(), message(w.Channel, "stanch-key-1"))
	h.fine(t, "post again", err)
	w.sent(t, "after a lost answer and a second post", 1)
}

// UpdaterHarness opens a product whose messages can be changed.
type UpdaterHarness struct {
	Knobs
	// Open returns a product without messages.
	Open func(t testing.TB) UpdaterWorld
}

// UpdaterWorld is an opened product and a view of its state.
type UpdaterWorld struct {
	integrations.Messenger
	integrations.Updater
	// Channel is one that exists.
	Channel string
	// Unknown is a receipt in the product's form for a message that does not exist.
	Unknown incident.Receipt
	// Seen are the texts of the messages that people see, oldest first.
	Seen func() []string
	// Break makes updates fail.
	Break func(Fault)
}

// Updater checks an [integrations.Updater].
func Updater(t *testing.T, h UpdaterHarness) { t.Helper(); run(t, "Updater", h, updaterChecks()) }

func updaterChecks() []check[UpdaterHarness] {
	return slices.Concat([]check[UpdaterHarness]{
		{"an update shows the new text in the place of the old", checkUpdated},
		{"a message that was updated is still the same for post", checkPostedAfterUpdate},
		{"a message that is not there is not found", checkUpdateUnknown},
		{"a lost answer is ambiguous, and the update can be repeated", checkUpdateLostAnswer},
	}, faultChecks(func(t testing.TB, h UpdaterHarness) (func(Fault), []call) {
		w := h.Open(t)
		r := h.post(t, w, "stanch-key-1")
		return w.Break, []call{{"update", true, func(ctx context.Context) error {
			_, err := w.Update(ctx, r, message(w.Channel, "stanch-key-1"))
			return err
		}}}
	}))
}

func (h UpdaterHarness) post(t testing.TB, w UpdaterWorld, key string) incident.Receipt {
	t.Helper()
	r, err := w.Post(t.Context(), message(w.Channel, key))
	h.fine(t, "post", err)
	return r
}

// changed is the message with another title.
func changed(channel, key, title string) integrations.Message {
	m := message(channel, key)
	m.Title = title
	return m
}

// shows fails unless the messages that people see have these words, each its own
// only.
func (w UpdaterWorld) shows(t testing.TB, when string, words ...string) {
	t.Helper()
	seen := w.Seen()
	if len(seen) != len(words) {
		t.Errorf("%s: people see %d messages, want %d", when, len(seen), len(words))
		return
	}
	for i, text := range seen {
		for j, word := range words {
			if strings.Contains(text, word) != (i == j) {
				t.Errorf("%s: message %d says %q, want it to hold %q alone", when, i+1, text, words[i])
			}
		}
	}
}

func checkUpdated(t testing.TB, h UpdaterHarness) {
	w := h.Open(t)
	first := h.post(t, w, "stanch-key-1")
	h.post(t, w, "stanch-key-2")
	for range 2 { // It is safe to repeat.
		r, err := w.Update(t.Context(), first, changed(w.Channel, "stanch-key-1", "contained"))
		h.fine(t, "update", err)
		if r.Ref != first.Ref {
			t.Errorf("the receipt of an update is of %q, want that of the message, %q", r.Ref, first.Ref)
		}
		w.shows(t, "after an update", "contained", "4 GiB")
	}
}

func checkPostedAfterUpdate(t testing.TB, h UpdaterHarness) {
	w := h.Open(t)
	first := h.post(t, w, "stanch-key-1")
	_, err := w.Update(t.Context(), first, changed(w.Channel, "stanch-key-1", "contained"))
	h.fine(t, "update", err)
	if again := h.post(t, w, "stanch-key-1"); again.Ref != first.Ref {
		t.Errorf("the same key is %q after an update, and was %q", again.Ref, first.Ref)
	}
	w.shows(t, "after an update and a repeated post", "contained")
}

func checkUpdateUnknown(t testing.TB, h UpdaterHarness) {
	w := h.Open(t)
	h.post(t, w, "stanch-key-1")
	_, err := w.Update(t.Context(), w.Unknown, changed(w.Channel, "stanch-key-2", "contained"))
	h.want(t, "update of a message that is not there", err, integrations.NotFound)
	w.shows(t, "after that", "4 GiB")
}

func checkUpdateLostAnswer(t testing.TB, h UpdaterHarness) {
	w := h.Open(t)
	if w.Break == nil {
		h.unbreakable(t)
	}
	r := h.post(t, w, "stanch-key-1")
	w.Break(LoseAnswer)
	_, err := w.Update(t.Context(), r, changed(w.Channel, "stanch-key-1", "contained"))
	h.want(t, "update", err, integrations.Ambiguous)
	w.Break(Works)
	_, err = w.Update(t.Context(), r, changed(w.Channel, "stanch-key-1", "given back"))
	h.fine(t, "update again", err)
	w.shows(t, "after a lost answer and a second update", "given back")
}
