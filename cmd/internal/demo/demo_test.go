package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/cmd/internal/embedded"
	"github.com/stanch-soar/stanch/cmd/internal/service"
	"github.com/stanch-soar/stanch/cmd/internal/term"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/all"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// done counts the changes that were really made to the estate.
func done(estate *memory.Estate) map[string]int {
	counts := map[string]int{}
	for _, e := range estate.Effects() {
		if e.Op != "post" {
			counts[e.Op+" "+string(e.Action)]++
		}
	}
	return counts
}

// person types the next line whenever the terminal waits for one: when the last
// output does not end its line.
type person struct {
	shown bytes.Buffer
	says  []string
	keys  *io.PipeWriter
}

func (p *person) Write(text []byte) (int, error) {
	n, err := p.shown.Write(text)
	if err != nil || bytes.HasSuffix(text, []byte("\n")) || len(p.says) == 0 {
		return n, err
	}
	_, err = fmt.Fprintln(p.keys, p.says[0])
	p.says = p.says[1:]
	return n, err
}

// needsEngine skips a test of cases in a build without the engine.
func needsEngine(t *testing.T) {
	t.Helper()
	if !embedded.BuiltIn {
		t.Skip("this build has no embedded engine")
	}
}

// TestAPersonDenies answers like a person who is not sure at first: an invalid
// word, a look at the evidence, and a denial whose reason is missing at first. A
// line that was typed before the question is not an answer.
func TestAPersonDenies(t *testing.T) {
	needsEngine(t)
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "demo")
	in, keys := io.Pipe()
	defer in.Close()
	out := &person{keys: keys, says: []string{"what?", "e", "d", "", "it is a load test"}}
	go fmt.Fprintln(keys, "approve") // It is read as soon as the question is asked.
	var kept Kept
	err := Run(t.Context(), Options{
		Dir: dir, Answer: AskPerson, In: in, Printer: term.New(out, term.Options{}),
		Next: func(k Kept) []Command { kept = k; return []Command{{"go on", "stanch go on"}} },
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, out.shown.String())
	}
	rest := out.shown.String()
	for _, moment := range []string{
		"asked", "Asked of people: ws-042",
		`as CORP\anna, script C:\Users\anna\AppData\Local\Temp\inv.ps1 (from the EDR)`, "198.51.100.1 udp/53", "(from the flow store)", "How sure", "undone", "see all [e]vidence?", "see all [e]vidence?", "CRITICAL ws-042",
		"see all [e]vidence?", "wants a reason", "wants a reason", "denied", "it is a load test", "skipped", "cut-off (isolate)",
		"given back", "rate_limit is no longer active on ws-042", "The flood is back", "Case closed: refused", "Closed: people said no.", "stanch go on",
	} {
		_, after, found := strings.Cut(rest, moment)
		if !found {
			t.Fatalf("%q does not come where it should; the rest is\n%s", moment, rest)
		}
		rest = after
	}
	estate, err := memory.New(memory.Options{Path: filepath.Join(dir, "estate.jsonl")})
	if err != nil {
		t.Fatal(err)
	}
	defer estate.Close()
	if diff := cmp.Diff(map[string]int{"apply rate_limit": 1, "undo rate_limit": 1}, done(estate)); diff != "" {
		t.Errorf("what was done (-want +got):\n%s", diff)
	}
	if data, err := os.ReadFile(filepath.Join(kept.Evidence, "case.json")); err != nil || !bytes.Contains(data, []byte("it is a load test")) {
		t.Errorf("the evidence does not hold the reason: %v", err)
	}
	checkEvidence(t, kept.Evidence)
}

// checkEvidence checks the order and the words of what a bundle says.
func checkEvidence(t *testing.T, folder string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(folder, "case.json"))
	if err != nil {
		t.Fatal(err)
	}
	var c incident.Case
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	confirmed := 0
	for _, s := range c.Steps {
		if s.ConfirmedAt.IsZero() {
			continue
		}
		confirmed++
		if s.AcceptedAt.Before(s.StartedAt) || s.ConfirmedAt.Before(s.AcceptedAt) {
			t.Errorf("%s started %s, was accepted %s and confirmed %s", s.Name, s.StartedAt, s.AcceptedAt, s.ConfirmedAt)
		}
	}
	page, err := os.ReadFile(filepath.Join(folder, "index.html"))
	if err != nil || confirmed == 0 {
		t.Fatalf("%d steps are confirmed: %v", confirmed, err)
	}
	if at := regexp.MustCompile(`[+-][0-9.]+(ms|µs|ns)`).Find(page); at != nil {
		t.Errorf("the page tells a time as %s", at)
	}
	p := c.Facts.Process
	for what, v := range map[string]incident.Value[string]{
		"user": p.User, "path": p.Path, "script": p.Script, "script's text": p.ScriptText, "parents": p.Parents,
	} {
		text, _ := v.Get()
		if v.From() != incident.FromEDR || !bytes.Contains(page, []byte(html.EscapeString(text))) {
			t.Errorf("the %s is %v, or the page does not show it", what, v)
		}
	}
	if !bytes.Contains(page, []byte(">denied<")) {
		t.Error("the page does not tell the gate as denied")
	}
}

// stopper ends the demo when a text was shown.
type stopper struct {
	bytes.Buffer
	at   string
	stop context.CancelFunc
}

func (s *stopper) Write(p []byte) (int, error) {
	n, err := s.Buffer.Write(p)
	if strings.Contains(s.String(), s.at) {
		s.stop()
	}
	return n, err
}

// TestAStoppedDemoGoesOn interrupts the demo while the host is isolated, and runs
// the command that it prints: the expired lease is given back, once.
func TestAStoppedDemoGoesOn(t *testing.T) {
	needsEngine(t)
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "demo")
	ctx, stop := context.WithCancel(t.Context())
	out := &stopper{at: "cut-off (isolate) accepted", stop: stop}
	if err := Run(ctx, Options{Dir: dir, Answer: Approve, Because: "test", Printer: term.New(out, term.Options{})}); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v\n%s", err, out.String())
	}
	file := filepath.Join(dir, configFile)
	if !strings.Contains(out.String(), "Stopped. ") || !strings.HasSuffix(out.String(), "stanch serve --config "+file+"\n") {
		t.Fatalf("it does not say how to go on:\n%s", out.String())
	}
	c, err := config.Load(file, all.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	again, err := service.Start(t.Context(), service.Options{Config: c, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := again.Stop(); err != nil {
			t.Error(err)
		}
	}()
	estate, err := integrations.Use[*memory.Estate](again.Integrations(), "edr")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"apply rate_limit": 1, "apply isolate": 1, "kill kill_process": 1, "undo isolate": 1}
	deadline := time.After(time.Minute)
	for ticker := time.Tick(look); !cmp.Equal(want, done(estate)); {
		select {
		case <-ticker:
		case <-deadline:
			t.Fatalf("what was done (-want +got):\n%s", cmp.Diff(want, done(estate)))
		}
	}
}

func TestAStopBeforeTheFirstCaseLosesNothing(t *testing.T) {
	needsEngine(t)
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	out := &stopper{at: "flow log", stop: stop}
	err := Run(ctx, Options{Dir: filepath.Join(t.TempDir(), "demo"), Answer: Approve, Because: "test", Printer: term.New(out, term.Options{})})
	if !errors.Is(err, context.Canceled) || !strings.HasSuffix(out.String(), "Stopped. No case was opened.\n") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// Without a folder of its own a demo leaves nothing, whether it is stopped early or
// in the middle of a case.
func TestADemoWithoutAFolderLeavesNothing(t *testing.T) {
	needsEngine(t)
	for _, at := range []string{"receiver", "throttle (rate_limit to 2 Mbit/s) accepted"} {
		temp := t.TempDir()
		t.Setenv("TMPDIR", temp)
		ctx, stop := context.WithCancel(t.Context())
		out := &stopper{at: at, stop: stop}
		err := Run(ctx, Options{Answer: Approve, Because: "test", Printer: term.New(out, term.Options{})})
		if !errors.Is(err, context.Canceled) || !strings.Contains(out.String(), temp) || !strings.Contains(out.String(), "Stopped. ") {
			t.Fatalf("stopped at %q: %v\n%s", at, err, out.String())
		}
		left, err := os.ReadDir(temp)
		if err != nil || len(left) > 0 {
			t.Errorf("stopped at %q, the temporary folder holds %v, %v", at, left, err)
		}
	}
}

// What the demo's configuration simulates, the demo says.
func TestADemoSaysWhatItSimulates(t *testing.T) {
	f, err := layOut(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	s := &show{p: term.New(&out, term.Options{}), folder: f}
	if err := s.introduce(t.Context()); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(f.path(configFile), all.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	simulated, _, _ := strings.Cut(out.String()[strings.Index(out.String(), "simulated"):], "\n")
	said := 0
	for _, i := range c.Opened {
		if i.Spec.Kind != memory.Spec().Kind {
			continue
		}
		said++
		if !strings.Contains(strings.ToLower(simulated), strings.ToLower(i.Name)) {
			t.Errorf("%s is simulated, and the demo says %q", i.Name, simulated)
		}
	}
	if said < 3 {
		t.Errorf("%d integrations are simulated", said)
	}
}
