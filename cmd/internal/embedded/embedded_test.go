//go:build !no_embedded

package embedded

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/stanch-soar/stanch/cmd/internal/engine"
)

// childDir makes the test binary the process that is killed.
const childDir = "STANCH_EMBEDDED_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := child(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	if dir := os.Getenv(busyDir); dir != "" {
		if err := busyChild(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

const queue = "embedded-test"

// nap marks that it began, waits, and marks that it went on.
func nap(ctx workflow.Context, dir string) (string, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	if err := workflow.ExecuteActivity(ctx, mark, dir, "began").Get(ctx, nil); err != nil {
		return "", err
	}
	if err := workflow.Sleep(ctx, 2*time.Second); err != nil {
		return "", err
	}
	if err := workflow.ExecuteActivity(ctx, mark, dir, "went on").Get(ctx, nil); err != nil {
		return "", err
	}
	return "awake", nil
}

// mark adds a line to the file, so that a second run is noticed.
func mark(_ context.Context, dir, text string) error {
	f, err := os.OpenFile(filepath.Join(dir, "marks"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = fmt.Fprintln(f, text)
	return err
}

// four does four activities in a row.
func four(ctx workflow.Context) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	for range 4 {
		if err := workflow.ExecuteActivity(ctx, nothing).Get(ctx, nil); err != nil {
			return err
		}
	}
	return nil
}

func nothing(context.Context) error { return nil }

// connect returns a client and a worker of a running server.
func connect(ctx context.Context, s *Server) (client.Client, worker.Worker, error) {
	c, err := engine.Dial(ctx, engine.Config{Address: s.HostPort(), Namespace: s.Namespace(), TLS: s.TLS()})
	if err != nil {
		return nil, nil, err
	}
	w := worker.New(c, queue, worker.Options{})
	w.RegisterWorkflow(nap)
	w.RegisterWorkflow(four)
	w.RegisterActivity(mark)
	w.RegisterActivity(nothing)
	return c, w, w.Start()
}

func serve(tb testing.TB, o Options) (*Server, client.Client) {
	tb.Helper()
	s, err := Start(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	c, w, err := connect(tb.Context(), s)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		w.Stop()
		c.Close()
		if err := s.Stop(); err != nil {
			tb.Error(err)
		}
	})
	return s, c
}

func keywords(names ...string) map[string]enums.IndexedValueType {
	m := map[string]enums.IndexedValueType{}
	for _, name := range names {
		m[name] = enums.INDEXED_VALUE_TYPE_KEYWORD
	}
	return m
}

// run runs a workflow to its end, with one search attribute.
func run(t *testing.T, c client.Client, id, attribute string) {
	t.Helper()
	r, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: id, TaskQueue: queue, EnableEagerStart: true,
		TypedSearchAttributes: temporal.NewSearchAttributes(temporal.NewSearchAttributeKeyKeyword(attribute).ValueSet("case")),
	}, four)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Get(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
}

// listed waits until exactly these workflows match.
func listed(t *testing.T, c client.Client, query, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		list, err := c.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: query})
		if err != nil {
			t.Fatalf("list %s: %v", query, err)
		}
		var ids []string
		for _, e := range list.GetExecutions() {
			ids = append(ids, e.GetExecution().GetWorkflowId())
		}
		if strings.Join(ids, " ") == want {
			return
		}
	}
}

// A data folder is used again: workflows, search attributes and their values stay,
// new attributes are available at once, and the retention is the new one.
func TestRestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made at start", "50% #1?")
	t.Run("first", func(t *testing.T) {
		_, c := serve(t, Options{DataDir: dir, SearchAttributes: keywords("StanchKind")})
		run(t, c, "first", "StanchKind")
		listed(t, c, `StanchKind = "case" and ExecutionStatus = "Completed"`, "first")
	})
	t.Run("again", func(t *testing.T) {
		_, c := serve(t, Options{DataDir: dir, SearchAttributes: keywords("StanchAction", "StanchKind"), Retention: 48 * time.Hour})
		run(t, c, "second", "StanchAction")
		listed(t, c, `StanchKind = "case"`, "first")
		listed(t, c, `StanchAction = "case"`, "second")
		d, err := c.WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: DefaultNamespace})
		if err != nil {
			t.Fatal(err)
		}
		if got := d.GetConfig().GetWorkflowExecutionRetentionTtl(); got.AsDuration() != 48*time.Hour {
			t.Errorf("retention %s, want 48h", durationpb.New(got.AsDuration()))
		}
		if err := engine.EnsureSearchAttributes(t.Context(), c, DefaultNamespace, keywords("StanchKind", "StanchRule")); err != nil {
			t.Errorf("add a search attribute to a running server: %v", err)
		}
	})
	t.Run("changed type", func(t *testing.T) {
		_, err := Start(t.Context(), Options{DataDir: dir, SearchAttributes: map[string]enums.IndexedValueType{"StanchKind": enums.INDEXED_VALUE_TYPE_INT}})
		const want = `start the embedded engine: register namespace "stanch": search attribute StanchKind has type Keyword and must have type Int`
		if err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	})
}

// child runs a server with a workflow that naps, reports it, and waits to be
// killed. Its worker is stopped, so that only the next process can go on.
func child(dir string) error {
	ctx := context.Background()
	s, err := Start(ctx, Options{DataDir: dir})
	if err != nil {
		return err
	}
	c, w, err := connect(ctx, s)
	if err != nil {
		return err
	}
	if _, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: "nap", TaskQueue: queue}, nap, dir); err != nil {
		return err
	}
	events := c.GetWorkflowHistory(ctx, "nap", "", true, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		if err != nil {
			return err
		}
		if e.GetEventType() == enums.EVENT_TYPE_TIMER_STARTED {
			w.Stop()
			fmt.Println("napping")
			select {}
		}
	}
	return io.ErrUnexpectedEOF
}

// A server that is killed loses nothing that it accepted, and while it runs no
// other process gets its data.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "napping\n" {
		t.Fatalf("the child says %q, %v", line, err)
	}
	_, err = Start(t.Context(), Options{DataDir: dir})
	if want := fmt.Sprintf("start the embedded engine: open engine.db in %q: another process uses it", dir); err == nil || err.Error() != want {
		t.Errorf("a second process: %v, want %s", err, want)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // The error is that it was killed.

	_, c := serve(t, Options{DataDir: dir})
	var result string
	if err := c.GetWorkflow(t.Context(), "nap", "").Get(t.Context(), &result); err != nil || result != "awake" {
		t.Errorf("the workflow ended with %q, %v", result, err)
	}
	marks, err := os.ReadFile(filepath.Join(dir, "marks"))
	if err != nil || string(marks) != "began\nwent on\n" {
		t.Errorf("marks %q, %v", marks, err)
	}
}

// Only this process can connect, and nothing listens on outside addresses.
func TestStrangers(t *testing.T) {
	s, _ := serve(t, Options{})
	other, err := newIdentity()
	if err != nil {
		t.Fatal(err)
	}
	trusting := s.TLS()
	trusting.Certificates = nil
	wrongKey := s.TLS()
	wrongKey.Certificates = other.client.Certificates
	for name, c := range map[string]engine.Config{
		"plain":            {},
		"without a key":    {TLS: trusting},
		"with another key": {TLS: wrongKey},
	} {
		c.Address, c.Namespace = s.HostPort(), s.Namespace()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		if stranger, err := engine.Dial(ctx, c); err == nil {
			stranger.Close()
			t.Errorf("a stranger %s was let in", name)
		}
		cancel()
	}
	if !strings.HasPrefix(s.HostPort(), "127.0.0.1:") {
		t.Errorf("listens at %s", s.HostPort())
	}
}

func TestStartRefuses(t *testing.T) {
	s, err := Start(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Stop() }()
	var taken int
	if _, err := fmt.Sscanf(s.HostPort(), "127.0.0.1:%d", &taken); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, o := range map[string]Options{
		"retention 1m0s is below 1h0m0s":                                      {Retention: time.Minute},
		"invalid port 65536":                                                  {FrontendPort: 65536},
		`search attribute "X" has no name or no type`:                         {SearchAttributes: map[string]enums.IndexedValueType{"X": 0}},
		`search attribute "X" has type Text, which cannot be searched`:        {SearchAttributes: map[string]enums.IndexedValueType{"X": enums.INDEXED_VALUE_TYPE_TEXT}},
		`search attribute "X" has type KeywordList, which cannot be searched`: {SearchAttributes: map[string]enums.IndexedValueType{"X": enums.INDEXED_VALUE_TYPE_KEYWORD_LIST}},
		"address already in use":                                              {FrontendPort: taken},
		"not a directory":                                                     {DataDir: file},
	} {
		if _, err := Start(t.Context(), o); err == nil || !strings.HasPrefix(err.Error(), "start the embedded engine: ") || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, Options{}); err == nil {
		t.Error("started for no client")
	}
}

// Payloads are encrypted on their way into history, errors' messages too.
func TestEncrypted(t *testing.T) {
	s, _ := serve(t, Options{})
	keys, err := engine.ParseKeys("k1:" + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	if err != nil {
		t.Fatal(err)
	}
	c, err := engine.Dial(t.Context(), engine.Config{Address: s.HostPort(), Namespace: s.Namespace(), TLS: s.TLS(), Keys: keys, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	w := worker.New(c, "encrypted", worker.Options{})
	w.RegisterWorkflowWithOptions(func(_ workflow.Context, text string) error {
		return temporal.NewApplicationError("refused: "+text, "refused")
	}, workflow.RegisterOptions{Name: "refuse"})
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	r, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "e", TaskQueue: "encrypted"}, "refuse", "command line")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Get(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "refused: command line") {
		t.Errorf("with the key the error is %v", err)
	}
	history := c.GetWorkflowHistory(t.Context(), "e", "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		e, err := history.Next()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(e.String(), "command line") {
			t.Errorf("history holds the plain text: %s", e)
		}
	}
}
