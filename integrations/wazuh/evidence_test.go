package wazuh

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/wazuh/wazuhfake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Addresses are those of the inventory. For a query about the past they are not told, and one
// from which the agent reports is not taken for its own.
func TestAddresses(t *testing.T) {
	x := judged(t).open(t, wazuhfake.Options{})
	x.add(edrtest.Host{ID: idOf("ws-042"), Name: "WS-042.corp.example", Addresses: []edrtest.Address{{IP: "192.0.2.2"}}, Sessions: []edrtest.Session{{User: "anna", Since: time.Now().Add(-time.Hour)}}})
	for _, q := range []integrations.EndpointQuery{{Name: "ws-042"}, {Name: "ws-042.CORP.example"}, {IPs: []string{"192.0.2.2"}}} {
		found, err := x.Endpoints(t.Context(), q)
		if err != nil || len(found) != 1 {
			t.Fatalf("%+v finds %v, %v", q, found, err)
		}
		e := found[0]
		users, _ := e.Users.Get()
		role, _ := e.Role.Get()
		if ips, _ := e.IP.Get(); !slices.Equal(ips, []string{"192.0.2.2"}) || !slices.Equal(users, []string{"anna"}) || role != "workstation" {
			t.Errorf("%+v finds %+v", q, e)
		}
		q.At = time.Now().Add(-2 * time.Hour)
		if found, err = x.Endpoints(t.Context(), q); err != nil || len(found) != 1 || found[0].IP.IsKnown() {
			t.Errorf("two hours ago %+v finds %v, %v; want one without addresses", q, found, err)
		}
	}
	if found, err := x.Endpoints(t.Context(), integrations.EndpointQuery{Name: "ws-042.other.example"}); err != nil || len(found) > 0 {
		t.Errorf("another domain finds %v, %v", found, err)
	}
	w := wired(t)
	w.agent = `{"id":"042","name":"ws-042","ip":"198.51.100.9","status":"active"}`
	found, err := w.Endpoints(t.Context(), integrations.EndpointQuery{IPs: []string{"198.51.100.9"}})
	if err != nil || len(found) != 1 || found[0].IP.IsKnown() {
		t.Errorf("without an inventory: %v, %v; want one without addresses", found, err)
	}
}

// The process of a connection is told as fully as its start, and the machine's end comes
// first, whoever began.
func TestSender(t *testing.T) {
	x := judged(t).open(t, wazuhfake.Options{})
	h := sending()
	h.Processes[0].CommandLine, h.Processes[0].SHA256 = `"C:\Program Files\Tools\sender.exe" -x`, strings.Repeat("ab", 32)
	h.Processes[0].Parent = &edrtest.Process{PID: 9, Path: `C:\Windows\explorer.exe`, Start: time.Now().Add(-time.Hour)}
	in := h.Connections[0]
	in.Inbound, in.Tuple, in.At = true, in.Reversed(), in.At.Add(-time.Second)
	h.Connections = append(h.Connections, in)
	x.add(h)
	found, err := x.Connections(t.Context(), integrations.ConnectionQuery{Target: target(t, "ws-042"), From: time.Now().Add(-time.Hour), To: time.Now(), Limit: 9})
	if err != nil || len(found) != 2 {
		t.Fatalf("found %v, %v", found, err)
	}
	for _, c := range found {
		line, _ := c.Process.CommandLine.Get()
		sum, _ := c.Process.SHA256.Get()
		parent, _ := c.Process.Parent.Get()
		if c.SrcIP != "192.0.2.2" || c.DstPort != 53 || line != h.Processes[0].CommandLine || sum != h.Processes[0].SHA256 || parent != `C:\Windows\explorer.exe` {
			t.Errorf("the connection is %+v", c)
		}
	}
}

// More alerts than come in one answer are read to the end, each once.
func TestManyConnections(t *testing.T) {
	x := judged(t).open(t, wazuhfake.Options{})
	h := sending()
	first, now := h.Connections[0], time.Now().Truncate(time.Second)
	h.Connections = nil
	for i := range 1100 {
		c := first
		c.At, c.SrcPort = now.Add(-time.Duration(i+1)*time.Second), 10_000+i
		h.Connections = append(h.Connections, c)
	}
	x.add(h)
	q := integrations.ConnectionQuery{Target: target(t, "ws-042"), From: now.Add(-time.Hour), To: now, Limit: 1050}
	found, err := x.Connections(t.Context(), q)
	if err != nil || len(found) != 1050 {
		t.Fatalf("%d connections, %v; want 1050", len(found), err)
	}
	for i, c := range found {
		if c.SrcPort != 10_000+i {
			t.Fatalf("connection %d is from port %d, want %d: the newest first, each once", i, c.SrcPort, 10_000+i)
		}
	}
	q.Limit, q.Tuples = 1, []incident.Tuple{h.Connections[1080].Tuple}
	if found, err = x.Connections(t.Context(), q); err != nil || len(found) != 1 || found[0].SrcPort != 11_080 {
		t.Errorf("of one tuple: %v, %v", found, err)
	}
}

// Evidence is the inventory, with when it was made.
func TestCollected(t *testing.T) {
	x := judged(t).open(t, wazuhfake.Options{})
	h := sending()
	h.Sessions = []edrtest.Session{{User: "anna", Since: time.Now().Add(-time.Hour)}}
	x.add(h)
	got, err := x.Collect(t.Context(), integrations.CollectOrder{Key: "k", Target: target(t, "ws-042"), What: []string{"sessions", "processes", "connections"}})
	if err != nil || len(got) != 3 {
		t.Fatalf("%v, %v", got, err)
	}
	for i, word := range []string{"anna", "sender.exe", "50001"} {
		if text := string(got[i].Data); !strings.Contains(text, word) || !strings.Contains(text, `"scanned":"20`) {
			t.Errorf("%s is %s, want %s and the time of the scan", got[i].What, text, word)
		}
	}
}
