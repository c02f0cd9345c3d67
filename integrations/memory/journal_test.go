package memory_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const childJournal = "STANCH_TEST_JOURNAL"

// TestJournalChild is the process that TestWorldOutlivesKill kills. It acts,
// reports that, and waits to be killed.
func TestJournalChild(t *testing.T) {
	path := os.Getenv(childJournal)
	if path == "" {
		t.Skip("it is run by TestWorldOutlivesKill")
	}
	e, err := memory.New(memory.Options{Path: path})
	must(t, err)
	must(t, e.AddHost(sender("ws-042")))
	w := world{e, newClock(), t}
	w.apply(w.order(incident.RateLimit))
	w.apply(w.order(incident.Isolate))
	w.undo(w.order(incident.RateLimit))
	told, err := e.Post(t.Context(), integrations.Message{Key: "m-1", Channel: "#sec", Title: "told"})
	must(t, err)
	_, err = e.Update(t.Context(), told, integrations.Message{Key: "m-1", Channel: "#sec", Title: "told again"})
	must(t, err)
	_, err = e.Kill(t.Context(), integrations.KillOrder{Key: "k-1", Target: target(t, "ws-042"), PID: 77, Path: `C:\Tools\sender.exe`})
	must(t, err)
	fmt.Println("acted at", e.Start().Format(time.RFC3339Nano))
	<-t.Context().Done()
}

func TestWorldOutlivesKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "estate.jsonl")
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestJournalChild$", "-test.v")
	child.Env = append(os.Environ(), childJournal+"="+path)
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	var started string
	lines := bufio.NewScanner(out)
	for started == "" && lines.Scan() {
		_, started, _ = strings.Cut(lines.Text(), "acted at ")
	}
	must(t, child.Process.Kill())
	if err := child.Wait(); err == nil || started == "" {
		t.Fatalf("the child ended with %v, having started at %q", err, started)
	}

	e := open(t, memory.Options{Path: path})
	must(t, e.AddHost(sender("ws-042")))
	w := world{e, newClock(), t}
	if got := e.Start().Format(time.RFC3339Nano); got != started {
		t.Errorf("the estate started at %s, want %s", got, started)
	}
	if s := w.read(w.order(incident.Isolate)); !s.Stands || s.Key != "lease/isolate" {
		t.Errorf("the isolation reads %+v, want standing", s)
	}
	if w.read(w.order(incident.RateLimit)).Stands {
		t.Error("the limit is in force again, though it was undone")
	}
	if e.Runs("ws-042", 77, `C:\Tools\sender.exe`) {
		t.Error("the killed process runs again")
	}
	w.apply(w.order(incident.Isolate))
	_, err = e.Post(t.Context(), integrations.Message{Key: "m-1", Channel: "#sec", Title: "told"})
	must(t, err)
	var got []string
	for _, f := range e.Effects() {
		got = append(got, f.Op+" "+string(f.Action)+" "+f.Key+" "+f.Target)
	}
	want := []string{
		"apply rate_limit lease/rate_limit ws-042", "apply isolate lease/isolate ws-042", "undo rate_limit lease/rate_limit ws-042",
		"post notify m-1 #sec", "kill kill_process k-1 ws-042",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("effects (-want +got):\n%s", diff)
	}
	if seen := e.Messages(); len(seen) != 1 || seen[0].Message.Title != "told again" {
		t.Errorf("people see %+v, want the one message as it was updated", seen)
	}
}

// TestTornJournal cuts a journal at every byte: complete entries are kept, the rest
// is dropped, and the journal goes on.
func TestTornJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "estate.jsonl")
	e := open(t, memory.Options{Path: path})
	must(t, e.AddHost(sender("ws-042")))
	w := world{e, newClock(), t}
	w.apply(w.order(incident.RateLimit))
	w.apply(w.order(incident.Isolate))
	must(t, e.Close())
	data, err := os.ReadFile(path)
	must(t, err)

	last := bytes.LastIndexByte(data[:len(data)-1], '\n') + 1
	for cut := last; cut < len(data); cut += 7 {
		torn := filepath.Join(t.TempDir(), "torn.jsonl")
		must(t, os.WriteFile(torn, data[:cut], 0o600))
		w := world{open(t, memory.Options{Path: torn}), newClock(), t}
		must(t, w.AddHost(sender("ws-042")))
		if !w.read(w.order(incident.RateLimit)).Stands || w.read(w.order(incident.Isolate)).Stands {
			t.Fatalf("cut at byte %d of %d, the limit or the isolation reads wrongly", cut, len(data))
		}
		w.apply(w.order(incident.Isolate))
		must(t, w.Close())
		w = world{open(t, memory.Options{Path: torn}), newClock(), t}
		must(t, w.AddHost(sender("ws-042")))
		if !w.read(w.order(incident.Isolate)).Stands {
			t.Fatalf("cut at byte %d of %d, what was written afterwards is lost", cut, len(data))
		}
	}
}

func TestDamagedJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "estate.jsonl")
	must(t, os.WriteFile(path, []byte("{\"start\":\"2026-03-02T09:00:00Z\"}\nnot json\n{}\n"), 0o600))
	_, err := memory.New(memory.Options{Path: path})
	if err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("a damaged journal gives %v, want an error that names line 2", err)
	}
	data, err := os.ReadFile(path)
	must(t, err)
	if !strings.Contains(string(data), "not json") {
		t.Error("the damaged journal was changed")
	}
}

func TestClosedEstateRefuses(t *testing.T) {
	e := open(t, memory.Options{Path: filepath.Join(t.TempDir(), "estate.jsonl")})
	must(t, e.AddHost(sender("ws-042")))
	must(t, e.Close())
	w := world{e, newClock(), t}
	if _, err := e.Apply(t.Context(), w.order(incident.Isolate)); integrations.KindOf(err) != integrations.Unavailable {
		t.Errorf("apply: %v, want unavailable", err)
	}
	if w.read(w.order(incident.Isolate)).Stands || len(e.Effects()) != 0 {
		t.Error("what could not be written was done all the same")
	}
}
