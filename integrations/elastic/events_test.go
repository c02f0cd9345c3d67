package elastic

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/elastic/defendfake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// rowOf is an event with these values.
func rowOf(t *testing.T, fields map[string]any) row {
	t.Helper()
	r := row{Fields: map[string][]json.RawMessage{}}
	for name, v := range fields {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		r.Fields[name] = []json.RawMessage{raw}
	}
	return r
}

// The parts of a script are put together by their numbers, up to the first that is missing.
func TestScriptsOfParts(t *testing.T) {
	part := func(n int, text string) row {
		return rowOf(t, map[string]any{
			timeField: at(n).UnixMilli(), "powershell.sequence": n, "powershell.total": 3, "powershell.file.script_block_text": text,
			"winlog.process.pid": 7, "file.path": `C:\a.ps1`, "winlog.computer_name": "ws-042",
		})
	}
	for name, c := range map[string]struct {
		parts []row
		want  string
	}{
		"in any order":           {[]row{part(3, "c"), part(1, " a\n"), part(2, "b")}, " a\nbc"},
		"one twice":              {[]row{part(2, "b"), part(1, "a"), part(2, "b"), part(3, "c")}, "abc"},
		"one is missing":         {[]row{part(3, "c"), part(1, "a")}, "a"},
		"the first is missing":   {[]row{part(3, "c"), part(2, "b")}, ""},
		"one without its number": {[]row{rowOf(t, map[string]any{timeField: 1, "powershell.file.script_block_text": "a"})}, "a"},
	} {
		if got := scriptOf(c.parts); got.text != c.want {
			t.Errorf("%s: %q, want %q", name, got.text, c.want)
		}
	}
	if s := scriptOf([]row{part(2, "b"), part(1, "a")}); !s.at.Equal(at(1).Time) || s.pid != 7 || s.file != `C:\a.ps1` {
		t.Errorf("the script is %+v", s)
	}
}

// The events of a begin and of its end are one connection; an end alone is one, too.
func TestEndsAreOfTheirBegins(t *testing.T) {
	e := events{dialect: endpointDialect()}
	event := func(minute int, action, process string, port int) contact {
		return contact{
			rowOf(t, map[string]any{"event.action": action, "process.entity_id": process}), at(minute).Time,
			incident.Tuple{SrcIP: "192.0.2.2", SrcPort: port, DstIP: "198.51.100.1", DstPort: 53, Transport: "udp"},
		}
	}
	got := e.merged([]contact{
		event(5, "disconnect_received", "a", 1), event(1, "connection_attempted", "a", 1), // one
		event(2, "udp_flow_ended", "a", 2),                                        // its begin is before the window
		event(7, "udp_flow_ended", "b", 3), event(7, "udp_flow_outbound", "b", 3), // at one time
		event(8, "connection_attempted", "b", 4), event(9, "connection_attempted", "b", 4), event(10, "disconnect_received", "b", 4),
	})
	var minutes []int
	for _, c := range got {
		minutes = append(minutes, c.at.Minute())
	}
	if want := []int{9, 8, 7, 2, 1}; !slices.Equal(minutes, want) {
		t.Errorf("the connections are of the minutes %v, want %v", minutes, want)
	}
}

// A busy device's connections are looked through in pages, and none is lost between them.
func TestManyConnections(t *testing.T) {
	x := judged(t).open(t, defendfake.Options{})
	now := time.Now().UTC().Truncate(time.Second)
	p := &edrtest.Process{PID: 9, Path: `C:\a.exe`, Start: now.Add(-time.Hour)}
	h := edrtest.Host{ID: agentOf("a"), Name: "a", Processes: []*edrtest.Process{p}}
	tuple := func(i int) incident.Tuple {
		return incident.Tuple{SrcIP: "192.0.2.2", SrcPort: 1024 + i, DstIP: "198.51.100.1", DstPort: 53, Transport: "udp"}
	}
	x.events.page = 100
	const n = 120 // twice as many events: three pages
	for i := range n {
		h.Connections = append(h.Connections, edrtest.Connection{At: now.Add(-time.Duration(i) * time.Millisecond), Tuple: tuple(i), Process: p})
	}
	x.add(h)
	q := integrations.ConnectionQuery{Target: x.target(t, "a"), From: now.Add(-time.Hour), To: now.Add(time.Second), Limit: 10, Tuples: []incident.Tuple{tuple(n - 1), tuple(0)}}
	got, err := x.Connections(t.Context(), q)
	if err != nil || len(got) != 2 || got[0].Tuple != tuple(0) || got[1].Tuple != tuple(n-1) {
		t.Errorf("%d connections, %v", len(got), err)
	}
	// Too many in one millisecond cannot be told apart by their time.
	for i := range h.Connections {
		h.Connections[i].At = now.Add(-time.Millisecond)
	}
	h.ID, h.Name = agentOf("b"), "b"
	x.add(h)
	q.Target, q.Limit, q.Tuples = x.target(t, "b"), 60, nil
	if got, err := x.Connections(t.Context(), q); err == nil && len(got) < q.Limit {
		t.Errorf("%d connections were left out without a word", q.Limit-len(got))
	}
}

// What runs is told with its signature, and what led to it, also by the start of its parent.
func TestWhatLedToAProcess(t *testing.T) {
	x := judged(t).open(t, defendfake.Options{})
	start := time.Now().Add(-time.Hour)
	root := &edrtest.Process{PID: 800, Path: `C:\Windows\System32\userinit.exe`, Start: start.Add(-24 * time.Hour)}
	parent := &edrtest.Process{PID: 900, Path: `C:\Windows\explorer.exe`, Start: start.Add(-23 * time.Hour), Parent: root}
	p := &edrtest.Process{PID: 4001, Path: `C:\Tools\a.exe`, CommandLine: "a.exe --fast", Signer: "Example Ltd", Start: start, Parent: parent, SHA256: fmt.Sprintf("%064x", 7)}
	x.add(edrtest.Host{ID: agentOf("a"), Name: "a", Processes: []*edrtest.Process{root, parent, p}, Connections: []edrtest.Connection{{
		At: start.Add(time.Minute), Process: p, Tuple: incident.Tuple{SrcIP: "192.0.2.2", SrcPort: 1, DstIP: "198.51.100.1", DstPort: 443, Transport: "tcp"},
	}}})
	got, err := x.Connections(t.Context(), integrations.ConnectionQuery{Target: x.target(t, "a"), From: start, To: time.Now(), Limit: 10})
	if err != nil || len(got) != 1 {
		t.Fatalf("%d connections, %v", len(got), err)
	}
	of := got[0].Process
	for what, got := range map[string][2]string{
		"signed": {of.Signed.String(), "true"}, "signer": {of.Signer.String(), "Example Ltd"}, "command line": {of.CommandLine.String(), "a.exe --fast"},
		"parent": {of.Parent.String(), `C:\Windows\explorer.exe`}, "parents": {of.Parents.String(), `C:\Windows\explorer.exe < C:\Windows\System32\userinit.exe`},
		"digest": {of.SHA256.String(), p.SHA256},
	} {
		if got[0] != got[1] {
			t.Errorf("%s is %s, want %s", what, got[0], got[1])
		}
	}
	if at, ok := of.Started.Get(); !ok || at.Sub(start).Abs() > time.Millisecond {
		t.Errorf("it was started %s, want %s", of.Started, start)
	}
}

// A part of an answer is an error, and so is an index that is not there.
func TestPartsOfAnAnswer(t *testing.T) {
	x := judged(t).open(t, defendfake.Options{})
	x.add(sender())
	q := integrations.ConnectionQuery{Target: x.target(t, "ws-042"), From: time.Now().Add(-time.Hour), To: time.Now(), Limit: 10}
	for _, p := range []defendfake.Partial{defendfake.ShardsFailed, defendfake.TimedOut} {
		x.double.SetPartial(p)
		if got, err := x.Connections(t.Context(), q); integrations.KindOf(err) != integrations.Unavailable || err == nil {
			t.Errorf("%s: %d connections, %v", p, len(got), err)
		}
	}
	x.double.SetPartial(defendfake.Whole)
	x.events.networks = []string{"logs-nothing-*"}
	if got, err := x.Connections(t.Context(), q); integrations.KindOf(err) != integrations.Unavailable || err == nil {
		t.Errorf("without the index: %d connections, %v", len(got), err)
	}
	x.events.scripts = []string{"logs-nothing-*"}
	if got, err := x.Executions(t.Context(), integrations.ExecutionQuery{Target: q.Target, From: q.From, To: q.To, Limit: 10}); err != nil || len(got) != 1 {
		t.Errorf("without PowerShell's log: %d executions, %v", len(got), err)
	}
}

// Where logs are forwarded the collector ships those of many: what another computer ran is
// not told of it.
func TestForwardedScriptsAreNotTheShippers(t *testing.T) {
	when := time.Now().Add(-time.Minute)
	x := wired(t, func(method, path, query string) (int, string) {
		if !strings.Contains(path, "powershell") {
			return calm("")(method, path, query)
		}
		var hits []string
		for i, computer := range []string{"WS-042.corp.example", "other.corp.example", "ws-0421"} {
			hits = append(hits, fmt.Sprintf(`{"fields":{"@timestamp":["%d"],"winlog.process.pid":[%d],"winlog.computer_name":[%q],"powershell.file.script_block_id":["b"],`+
				`"powershell.sequence":[1],"powershell.total":[1],"powershell.file.script_block_text":["text %d"]}}`, when.UnixMilli(), i+1, computer, i+1))
		}
		return 200, `{"timed_out":false,"_shards":{"total":1,"successful":1,"failed":0},"hits":{"hits":[` + strings.Join(hits, ",") + `]}}`
	})
	o := theOrder(t, string(deviceID))
	got, err := x.Executions(t.Context(), integrations.ExecutionQuery{Target: o.Target, From: when.Add(-time.Hour), To: time.Now(), Limit: 10})
	if err != nil || len(got) != 1 || got[0].Process.ScriptText.String() != "text 1" {
		t.Errorf("%+v, %v; want the script of ws-042 alone", got, err)
	}
}
