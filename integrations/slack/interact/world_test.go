package interact

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/slack/blocks"
	"github.com/stanch-soar/stanch/integrations/slack/slackfake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	alice, bob = "U0ALICE", "U0BOB"
	partner    = "U0PARTNER"
	secops     = "C0SECOPS"
	caseID     = "high-egress-windows/ws-042"
	label      = "Isolate ws-042 for 4 h"
)

func epoch() time.Time { return time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC) }

// world is a workspace with a card in it, and the desk behind the receiver.
type world struct {
	*slackfake.Server
	t        *testing.T
	desk     *desk
	receiver *Receiver
	card     string
	log      *logged
}

// newWorld starts a workspace whose card has an approve button for each of the
// answers that may be given.
func newWorld(t *testing.T, o slackfake.Options) *world {
	t.Helper()
	o.Users = []slackfake.User{{ID: alice, Name: "alice"}, {ID: bob, Name: "bob"}, {ID: partner, Name: "pat", Team: "T0PARTNER"}}
	o.Channels = []slackfake.Channel{{ID: secops, Name: "sec-oncall"}}
	w := &world{Server: slackfake.New(t, o), t: t, desk: newDesk(), log: &logged{}}
	w.receiver = w.connect()
	w.card = w.post(
		button(blocks.ActionApprove, question(true, false).Encode()),
		button(blocks.ActionDeny, question(false, true).Encode()),
		button(blocks.ActionEvidence, blocks.Answer{Case: caseID}.Encode()),
	)
	return w
}

// connect returns one more receiver, as of one more process of Stanch.
func (w *world) connect() *Receiver {
	w.t.Helper()
	transport := &http.Transport{}
	w.t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	api := slack.New(w.BotToken, slack.OptionAPIURL(w.URL), slack.OptionAppLevelToken(w.AppToken), slack.OptionHTTPClient(client))
	return New(api, Options{
		Use: "slack", Socket: true, SigningSecret: integrations.Secret(w.SigningSecret), API: w.URL, HTTP: client,
		Log: slog.New(slog.NewTextHandler(w.log, nil)), Now: epoch,
	})
}

// listen has the receiver listen until the test ends, or the returned function
// is called, which waits for the end.
func (w *world) listen(r *Receiver) (stop func()) {
	w.t.Helper()
	before := w.Sockets()
	ctx, cancel := context.WithCancel(w.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Listen(ctx, w.desk) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("listen: %v", err)
		}
	})
	w.t.Cleanup(stop)
	w.await("a connection", func() bool { return w.Sockets() > before })
	return stop
}

// await waits for a condition of the workspace.
func (w *world) await(what string, holds func() bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	if err := w.Await(ctx, holds); err != nil {
		w.t.Fatalf("there is not %s: %v", what, err)
	}
}

func (w *world) post(buttons ...slack.BlockElement) string {
	w.t.Helper()
	title := slack.NewHeaderBlock(slack.NewTextBlockObject(slack.PlainTextType, "Isolate ws-042?", false, false))
	_, ts, err := w.receiver.api.PostMessageContext(w.t.Context(), secops, slack.MsgOptionText("Isolate ws-042?", true),
		slack.MsgOptionBlocks(title, slack.NewActionBlock(blocks.AnswerBlock, buttons...)))
	if err != nil {
		w.t.Fatal(err)
	}
	return ts
}

func button(action, value string) slack.BlockElement {
	return slack.NewButtonBlockElement(action, value, slack.NewTextBlockObject(slack.PlainTextType, action, false, false))
}

func question(approve, reason bool) blocks.Answer {
	return blocks.Answer{
		Case: caseID, Approval: "on-call", PlanDigest: incident.DigestOf([]byte("plan")), Approve: approve, Reason: reason, Label: label,
		Groups: []string{"@oncall"},
	}
}

// press clicks a button of the card and returns how the click was answered.
func (w *world) press(user, ts, action string) (*slackfake.Delivery, slackfake.Answer) {
	w.t.Helper()
	d, err := w.Click(user, secops, ts, action)
	if err != nil {
		w.t.Fatal(err)
	}
	return d, w.answer(d)
}

func (w *world) answer(d *slackfake.Delivery) slackfake.Answer {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	a, err := d.Answer(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// told waits until a user alone was shown n texts, and returns them.
func (w *world) told(user string, n int) []string {
	w.t.Helper()
	w.await("an answer to the clicker", func() bool { return len(w.Ephemerals(user)) >= n })
	var texts []string
	for _, m := range w.Ephemerals(user) {
		texts = append(texts, m.Text)
	}
	if len(texts) != n {
		w.t.Fatalf("%s was told %q, want %d texts", user, texts, n)
	}
	return texts
}

// untouched fails when the card is not as the engine wrote it.
func (w *world) untouched() {
	w.t.Helper()
	if m, ok := w.Message(secops, w.card); !ok || m.Edited != "" {
		w.t.Errorf("the card was changed or removed: %+v", m)
	}
}

// desk keeps clicks as the real one does: by their ids, each once.
type desk struct {
	mu       sync.Mutex
	kept     []integrations.Click
	received int
	fault    error
	cases    map[string]incident.Case
	// refused are the accounts that may not look, with why.
	refused map[string]error
	// gate holds everyone up who is not let through it, until they give up.
	gate chan struct{}
	// entered tells of everyone who comes to the gate.
	entered chan struct{}
}

func newDesk() *desk {
	c := incident.Case{
		ID: caseID, Subject: "ws-042", Playbook: "high-egress-windows", Status: "open",
		Timeline: []incident.Event{{At: epoch(), Text: "Seen by the EDR"}},
	}
	return &desk{cases: map[string]incident.Case{caseID: c}, entered: make(chan struct{}, 100)}
}

func (d *desk) Answer(ctx context.Context, c integrations.Click) error {
	if err := d.pass(ctx); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.received++
	if d.fault != nil {
		return d.fault
	}
	if !slices.ContainsFunc(d.kept, func(k integrations.Click) bool { return k.ID == c.ID }) {
		d.kept = append(d.kept, c)
	}
	return nil
}

func (d *desk) Admit(_ context.Context, c integrations.Click) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.refused[c.User]
}

func (d *desk) Case(ctx context.Context, c integrations.Click) (incident.Case, error) {
	if err := d.pass(ctx); err != nil {
		return incident.Case{}, err
	}
	id := c.Case
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fault != nil {
		return incident.Case{}, d.fault
	}
	found, ok := d.cases[id]
	if !ok {
		return found, integrations.Errorf(integrations.NotFound, "read case", "there is no case %q", id)
	}
	return found, nil
}

func (d *desk) pass(ctx context.Context) error {
	d.mu.Lock()
	gate := d.gate
	d.mu.Unlock()
	if gate == nil {
		return nil
	}
	d.entered <- struct{}{}
	select {
	case <-gate:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close holds up all who come, until the returned function is called.
func (d *desk) close() (open func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	gate := make(chan struct{})
	d.gate = gate
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.gate = nil
		close(gate)
	}
}

func (d *desk) breakDown() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = errors.New("the engine is down")
}

func (d *desk) repair() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = nil
}

func (d *desk) clicks() []integrations.Click {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.kept)
}

func (d *desk) calls() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.received
}

// logged is what was logged.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) has(part string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), part)
}
