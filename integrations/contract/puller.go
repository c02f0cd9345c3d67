package contract

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/alerts"
)

// PullerHarness opens queues from which alerts are fetched.
type PullerHarness struct {
	Knobs
	// Open returns a queue of its own, which is empty.
	Open func(t testing.TB) PullerWorld
	// Unordered is why messages may come in another order than they were sent in; empty
	// where they come in order.
	Unordered string
	// NoLag is why it cannot be told how many messages wait.
	NoLag string
	// Alone is why two pullers at once get every message twice, as the Transport says it.
	Alone string
	// Again is why what was taken may come again in another process, as the Transport says
	// it. Within one process nothing may, and nothing may be lost.
	Again string
	// Body makes a message of a text, where the queue holds none but its own; nil where a
	// message is any text. Different texts must be different messages.
	Body func(text string) string
	// OneByOne is why the server gives out one message at a time, although more wait.
	OneByOne string
	// KeepsUp is why the harness cannot restart the server of the queue.
	KeepsUp string
}

// PullerWorld is a queue.
type PullerWorld struct {
	// New opens another puller of the queue, as another process does.
	New func() alerts.Puller
	// Send leaves messages for it, in this order.
	Send func(bodies ...string)
	// Restart ends the server of the queue and starts it anew, with what it had
	// confirmed.
	Restart func()
	// Break ends the server for good.
	Break func()
}

// pullWithin is how long a check waits for what must come.
const pullWithin = 20 * time.Second

// Puller checks an [alerts.Puller].
func Puller(t *testing.T, h PullerHarness) { t.Helper(); run(t, "Puller", h, pullerChecks()) }

func pullerChecks() []check[PullerHarness] {
	return []check[PullerHarness]{
		{"each message comes, byte for byte and in order", checkPullAll},
		{"what was taken does not come again", checkPullTaken},
		{"what was not taken comes again, and the error is told", checkPullNotTaken},
		{"one process takes nothing twice", checkPullOneProcess},
		{"what waits is handed over together", checkPullTogether},
		{"a message that is being taken is not confirmed", checkPullUnderWay},
		{"what is begun when the context ends is finished and confirmed", checkPullDrains},
		{"the lag is what waits", checkPullLag},
		{"a process that dies again and again loses nothing", checkPullRestarts},
		{"several receivers share what waits", checkPullShared},
		{"a server that restarts loses nothing", checkPullServer},
		{"a connection that is lost is told, and is not needed to open", checkPullLost},
	}
}

// basket is what was taken.
type basket struct {
	mu    sync.Mutex
	taken []string
	grown chan struct{}
	// within is how long it is waited for.
	within time.Duration
}

func (h PullerHarness) basket() *basket {
	return &basket{grown: make(chan struct{}, 1), within: cmp.Or(h.Patience, pullWithin)}
}

func (b *basket) take(_ context.Context, body []byte) error {
	b.mu.Lock()
	b.taken = append(b.taken, string(body))
	b.mu.Unlock()
	select {
	case b.grown <- struct{}{}:
	default:
	}
	return nil
}

func (b *basket) all() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.taken)
}

// until waits until the basket is as wanted.
func (b *basket) until(t testing.TB, what string, holds func(taken []string) bool) {
	t.Helper()
	deadline := time.After(b.within)
	for !holds(b.all()) {
		select {
		case <-b.grown:
		case <-deadline:
			t.Fatalf("waited in vain for %s; %d messages were taken", what, len(b.all()))
		}
	}
}

// holds waits until all of the messages are in it.
func (b *basket) holds(t testing.TB, want []string) {
	t.Helper()
	b.until(t, fmt.Sprintf("%d messages", len(want)), func(taken []string) bool {
		return !slices.ContainsFunc(want, func(w string) bool { return !slices.Contains(taken, w) })
	})
}

// pulling is a Pull that runs.
type pulling struct {
	t      testing.TB
	cancel func()
	done   chan error
}

func pull(t testing.TB, p alerts.Puller, take func(context.Context, []byte) error) *pulling {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r := &pulling{t: t, cancel: cancel, done: make(chan error, 1)}
	go func() {
		err := p.Pull(ctx, alerts.Each(take))
		if err != nil && ctx.Err() == nil {
			t.Logf("Pull returns %v", err)
		}
		r.done <- err
	}()
	return r
}

// ends waits until Pull has returned.
func (r *pulling) ends() error {
	r.t.Helper()
	select {
	case err := <-r.done:
		return err
	case <-time.After(pullWithin):
		r.t.Fatalf("Pull does not return")
		return nil
	}
}

// stop ends the context, and checks how Pull returns then.
func (r *pulling) stop() {
	r.t.Helper()
	r.cancel()
	if err := r.ends(); err != nil && !errors.Is(err, context.Canceled) {
		r.t.Errorf("at the end of the context Pull returns %v", err)
	}
}

// persist calls Pull again and again, as the service does, until the returned function is
// called.
func persist(t testing.TB, p alerts.Puller, take func(context.Context, []byte) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_ = p.Pull(ctx, alerts.Each(take))
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(stop)
	return stop
}

// open opens another puller, which is closed with the check.
func (w PullerWorld) open(t testing.TB) alerts.Puller {
	t.Helper()
	p := w.New()
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return p
}

// after opens the puller that must not bring again what p took: that of another process, or p
// where nothing but its process remembers it.
func (h PullerHarness) after(t testing.TB, w PullerWorld, p alerts.Puller) alerts.Puller {
	t.Helper()
	if h.Again != "" {
		lacks(t, h.Again)
		return p
	}
	return w.open(t)
}

// body is a message of a text.
func (h PullerHarness) body(text string) string {
	if h.Body == nil {
		return text
	}
	return h.Body(text)
}

func (h PullerHarness) messages(from, n int) []string {
	list := make([]string, 0, n)
	for i := range n {
		list = append(list, h.body(fmt.Sprintf(`{"id":"m-%04d"}`, from+i)))
	}
	return list
}

func checkPullAll(t testing.TB, h PullerHarness) {
	w := h.Open(t)
	want := h.messages(0, 40)
	for _, text := range []string{"{\"text\":\"ä \\u0000 \n\r\n\t\"}\n", "[]", " ", strings.Repeat("x", 200<<10)} {
		want = append(want, h.body(text))
	}
	w.Send(want...)
	b := h.basket()
	r := pull(t, w.open(t), b.take)
	b.until(t, "all messages", func(taken []string) bool { return len(taken) >= len(want) })
	r.stop()
	got := b.all()
	if h.Unordered != "" {
		lacks(t, h.Unordered)
		slices.Sort(want)
		slices.Sort(got)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d messages were sent, and %d came, which are others or in another order", len(want), len(got))
	}
}

func checkPullTaken(t testing.TB, h PullerHarness) {
	w := h.Open(t)
	first, next := h.messages(0, 20), h.body("the next")
	w.Send(first...)
	b, p := h.basket(), w.open(t)
	r := pull(t, p, b.take)
	b.holds(t, first)
	r.stop()
	w.Send(next)
	again := h.basket()
	r = pull(t, h.after(t, w, p), again.take)
	again.holds(t, []string{next})
	r.stop()
	if got := again.all(); len(got) != 1 {
		t.Errorf("after the end of the first puller %d messages come, want one: %.200q", len(got), got)
	}
}

// checkPullOneProcess calls Pull of one puller twice. It sends the last message only once the
// one before was taken, so that whatever is looked at again has been by then.
func checkPullOneProcess(t testing.TB, h PullerHarness) {
	w := h.Open(t)
	sent, p, total := h.messages(0, 20), w.open(t), h.basket()
	for _, part := range [][]string{sent[:10], sent[10:]} {
		r := pull(t, p, total.take)
		last := len(part) - 1
		w.Send(part[:last]...)
		total.holds(t, part[:last])
		w.Send(part[last])
		total.holds(t, part)
		r.stop()
	}
	once(t, total.all(), sent)
}

func checkPullNotTaken(t testing.TB, h PullerHarness) {
	notTaken(t, h, h.after)
	if h.Again != "" {
		notTaken(t, h, func(t testing.TB, w PullerWorld, _ alerts.Puller) alerts.Puller { return w.open(t) })
	}
}

// notTaken refuses a message, and looks what comes to the next puller.
func notTaken(t testing.TB, h PullerHarness, next func(testing.TB, PullerWorld, alerts.Puller) alerts.Puller) {
	w := h.Open(t)
	sent := h.messages(0, 10)
	w.Send(sent...)
	b, p, refused := h.basket(), w.open(t), errors.New("the engine rests")
	r := pull(t, p, func(ctx context.Context, body []byte) error {
		if string(body) == sent[4] {
			return refused
		}
		return b.take(ctx, body)
	})
	if err := r.ends(); !errors.Is(err, refused) {
		t.Errorf("Pull returns %v, which does not wrap the error of take", err)
	}
	before := b.all()
	if h.Unordered == "" && !slices.Equal(before, sent[:4]) {
		t.Errorf("%q were taken, and then the fifth was not", before)
	}
	again, q := h.basket(), next(t, w, p)
	r = pull(t, q, again.take)
	again.holds(t, slices.DeleteFunc(slices.Clone(sent), func(body string) bool { return slices.Contains(before, body) }))
	r.stop()
	got := again.all()
	once(t, got, got)
	mayRepeat := h.Again != "" && q != p
	for _, body := range before {
		if slices.Contains(got, body) && !mayRepeat {
			t.Errorf("message %s was taken, and comes again", body)
		}
	}
}

// checkPullUnderWay asks another process what waits while a message is being taken.
func checkPullUnderWay(t testing.TB, h PullerHarness) {
	if h.NoLag != "" {
		lacks(t, h.NoLag)
		return
	}
	w := h.Open(t)
	w.Send(h.messages(0, 3)...)
	held, let := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(let) })
	t.Cleanup(release)
	reached := sync.OnceFunc(func() { close(held) })
	r := pull(t, w.open(t), func(context.Context, []byte) error {
		reached()
		<-let
		return nil
	})
	select {
	case <-held:
	case <-time.After(pullWithin):
		t.Fatalf("no message comes")
	}
	if lag, err := w.open(t).Lag(t.Context()); err != nil || lag != 3 {
		t.Errorf("while the first of 3 messages is being taken, the lag is %d, %v", lag, err)
	}
	release()
	h.lag(t, w, 0)
	r.stop()
}

func checkPullDrains(t testing.TB, h PullerHarness) {
	w := h.Open(t)
	next := h.body("the next")
	w.Send(h.body("the first"))
	b, held := h.basket(), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	p := w.open(t)
	go func() {
		done <- p.Pull(ctx, alerts.Each(func(ctx context.Context, body []byte) error {
			close(held)
			<-ctx.Done()
			return b.take(ctx, body)
		}))
	}()
	select {
	case <-held:
	case <-time.After(b.within):
		t.Fatalf("no message comes")
	}
	cancel()
	r := &pulling{t: t, cancel: cancel, done: done}
	r.stop()
	w.Send(next)
	again := h.basket()
	r = pull(t, h.after(t, w, p), again.take)
	again.holds(t, []string{next})
	r.stop()
	if got := again.all(); len(got) != 1 || len(b.all()) != 1 {
		t.Errorf("a message that was taken while the context ended comes again: %q, then %q", b.all(), got)
	}
}
