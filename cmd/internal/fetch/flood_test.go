package fetch_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/engine"
	"github.com/stanch-soar/stanch/cmd/internal/fetch"
	"github.com/stanch-soar/stanch/cmd/internal/httpapi"
	"github.com/stanch-soar/stanch/cmd/internal/metrics"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/stanch"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/workflows"
)

// counting is an engine that counts its calls by what they are for.
type counting struct {
	client.Client
	// answer is what a call with these alerts is told; nil tells all that it is done.
	answer func(id string, alerts []incident.Alert) error

	mu    sync.Mutex
	calls map[string]int
	heard map[string][]string
}

func newCounting() *counting { return &counting{calls: map[string]int{}, heard: map[string][]string{}} }

func (c *counting) call(id string, list []incident.Alert) error {
	id = strings.TrimPrefix(id, protocol.CaseWorkflowID(""))
	c.mu.Lock()
	c.calls[id]++
	c.mu.Unlock()
	if c.answer != nil {
		if err := c.answer(id, list); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range list {
		c.heard[id] = append(c.heard[id], a.ID+" "+string(a.Status))
	}
	return nil
}

func (c *counting) count(id string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls[id]
}

func (c *counting) of(id string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.heard[id])
}

type begun struct{ client.WorkflowRun }

func (begun) GetRunID() string { return "run" }

func (c *counting) ExecuteWorkflow(_ context.Context, o client.StartWorkflowOptions, _ any, args ...any) (client.WorkflowRun, error) {
	switch in := args[0].(type) {
	case workflows.CaseInput:
		return begun{}, c.call(o.ID, in.Alerts)
	case protocol.RejectedAlert:
		return begun{}, c.call("rejected", []incident.Alert{{ID: in.Problem}})
	default:
		return nil, fmt.Errorf("start a workflow with %T", in)
	}
}

func (c *counting) SignalWorkflow(_ context.Context, id, _, _ string, arg any) error {
	list, ok := arg.([]incident.Alert)
	if !ok {
		return fmt.Errorf("signal %T", arg)
	}
	return c.call(id, list)
}

func (*counting) ListWorkflow(context.Context, *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	return &workflowservice.ListWorkflowExecutionsResponse{}, nil
}

func (*counting) CountWorkflow(context.Context, *workflowservice.CountWorkflowExecutionsRequest) (*workflowservice.CountWorkflowExecutionsResponse, error) {
	return &workflowservice.CountWorkflowExecutionsResponse{}, nil
}

// receiver is one on this engine.
func (c *counting) receiver(t *testing.T, rate float64) *httpapi.Receiver {
	t.Helper()
	playbook, err := playbooks.Load("ask.yaml", []byte(playbookText))
	if err != nil {
		t.Fatal(err)
	}
	return httpapi.New(httpapi.Options{
		Engine: engine.New(c, engine.Options{}), Playbooks: func() []*playbooks.Playbook { return []*playbooks.Playbook{playbook} },
		Sources: map[string]httpapi.Source{"ndr": {Source: alerts.Source{Spec: stanch.Vendor().Sources[0], Name: "ndr", Category: "high_egress"}, Rate: rate}},
		Ready:   func(context.Context) error { return nil }, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
}

func bodyOf(id, host, status string) []byte {
	return fmt.Appendf(nil, `{"id":%q,"time":"2026-03-01T04:00:00Z","status":%q,"host":{"id":%q,"name":%q,"os":"windows"}}`, id, status, host, host)
}

func flood(host string, n int) (bodies [][]byte) {
	for i := range n {
		bodies = append(bodies, bodyOf(fmt.Sprintf("%s-%d", host, i), host, "firing"))
	}
	return bodies
}

// pile is a queue that hands over all that waits.
type pile struct {
	alerts.Puller
	mu    sync.Mutex
	waits [][]byte
}

func (p *pile) Pull(ctx context.Context, take alerts.Take) error {
	taken, err := take(ctx, p.waits)
	p.mu.Lock()
	p.waits = p.waits[taken:]
	p.mu.Unlock()
	if err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

func (p *pile) Lag(context.Context) (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int64(len(p.waits)), nil
}

func (p *pile) Close() error { return nil }

// The calls for one case are paced: were there one for each message, the case behind the flood
// would open after minutes.
func TestAFloodAboutOneHostHoldsUpNoOther(t *testing.T) {
	const many = 500
	c := newCounting()
	r := c.receiver(t, 0)
	p := &pile{waits: append(flood("a", many), bodyOf("b-0", "b", "firing"))}
	f := &fetch.Fetcher{
		Source: "ndr", Puller: p, Metrics: metrics.New(), Log: slog.New(slog.DiscardHandler),
		Take: func(ctx context.Context, bodies [][]byte) (int, error) { return r.Take(ctx, "ndr", bodies) },
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); f.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	deadline := time.Now().Add(time.Minute)
	for len(c.of("ask/b")) == 0 || len(c.of("ask/a")) < many {
		if time.Now().After(deadline) {
			t.Fatalf("the engine has %d of %d alerts after %d calls, and %d of the other host", len(c.of("ask/a")), many, c.count("ask/a"), len(c.of("ask/b")))
		}
		pause(t, time.Millisecond)
	}
	t.Logf("%d messages took %d calls", many, c.count("ask/a"))
	if n := c.count("ask/a"); n > many/20 {
		t.Errorf("%d messages took %d calls", many, n)
	}
	for i, heard := range c.of("ask/a") {
		if want := fmt.Sprintf("a-%d firing", i); heard != want {
			t.Fatalf("alert %d is %q, want %q: they are out of order", i, heard, want)
		}
	}
}

// While the call for one case lasts, the case of a message behind it is opened.
func TestCasesOfMessagesThatWaitTogetherAreOpenedSideBySide(t *testing.T) {
	c := newCounting()
	opened := make(chan struct{})
	c.answer = func(id string, _ []incident.Alert) error {
		if id == "ask/b" {
			close(opened)
			return nil
		}
		<-opened
		return nil
	}
	bodies := append(flood("a", 50), bodyOf("b-0", "b", "firing"))
	if n, err := c.receiver(t, 0).Take(t.Context(), "ndr", bodies); err != nil || n != len(bodies) {
		t.Errorf("%d of %d are taken, %v", n, len(bodies), err)
	}
}

// What is over must not be told before what began.
func TestACaseHearsOfMessagesInTheirOrder(t *testing.T) {
	c := newCounting()
	bodies := [][]byte{
		bodyOf("1", "a", "firing"), bodyOf("2", "a", "firing"), bodyOf("1", "a", "resolved"),
		bodyOf("3", "a", "firing"), bodyOf("3", "a", "resolved"), bodyOf("2", "a", "resolved"),
	}
	if n, err := c.receiver(t, 0).Take(t.Context(), "ndr", bodies); err != nil || n != len(bodies) {
		t.Errorf("%d of %d are taken, %v", n, len(bodies), err)
	}
	want := []string{"1 firing", "2 firing", "1 resolved", "3 firing", "3 resolved", "2 resolved"}
	if got := c.of("ask/a"); !slices.Equal(got, want) {
		t.Errorf("the case hears %q, want %q", got, want)
	}
}

// Only those before the first that the engine does not hold are taken, whatever it holds of
// those behind.
func TestOnlyThePrefixIsTaken(t *testing.T) {
	c, away := newCounting(), errors.New("the engine rests")
	c.answer = func(id string, _ []incident.Alert) error {
		if id == "ask/c" {
			return away
		}
		return nil
	}
	bodies := [][]byte{
		bodyOf("1", "a", "firing"), []byte("no JSON"), bodyOf("2", "b", "firing"),
		bodyOf("3", "c", "firing"), bodyOf("4", "a", "firing"), bodyOf("5", "c", "resolved"),
	}
	n, err := c.receiver(t, 0).Take(t.Context(), "ndr", bodies)
	if n != 3 || !errors.Is(err, away) {
		t.Errorf("%d are taken, %v; want 3", n, err)
	}
	if got := len(c.of("rejected")); got != 1 {
		t.Errorf("%d messages are kept as rejected, want the one that cannot be read", got)
	}
}

// A message that the engine refuses for good is kept, and takes none of its case with it.
func TestOnlyTheRefusedMessageIsKept(t *testing.T) {
	c := newCounting()
	c.answer = func(_ string, list []incident.Alert) error {
		if slices.ContainsFunc(list, func(a incident.Alert) bool { return a.ID == "a-3" }) {
			return serviceerror.NewInvalidArgument("it is refused")
		}
		return nil
	}
	bodies := append(flood("a", 6), bodyOf("b-0", "b", "firing"))
	if n, err := c.receiver(t, 0).Take(t.Context(), "ndr", bodies); err != nil || n != len(bodies) {
		t.Errorf("%d of %d are taken, %v", n, len(bodies), err)
	}
	want := []string{"a-0 firing", "a-1 firing", "a-2 firing", "a-4 firing", "a-5 firing"}
	if got := c.of("ask/a"); !slices.Equal(got, want) || len(c.of("ask/b")) == 0 || len(c.of("rejected")) != 1 {
		t.Errorf("the case hears %q, the other %q, and %q are kept as rejected", got, c.of("ask/b"), c.of("rejected"))
	}
}

// The rate is that of messages, also where they wait together.
func TestMessagesThatWaitTogetherKeepTheRate(t *testing.T) {
	c := newCounting()
	ctx, cancel := context.WithCancel(t.Context())
	c.answer = func(string, []incident.Alert) error { cancel(); return nil }
	const onceADay = 1.0 / (24 * 60 * 60)
	n, err := c.receiver(t, onceADay).Take(ctx, "ndr", flood("a", 50))
	if n != 1 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d are taken at once, %v; want one", n, err)
	}
}
