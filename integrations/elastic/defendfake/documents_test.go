package defendfake_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/elastic/defendfake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func source(a answer, i int) map[string]any {
	s, _ := a.at("hits", "hits", i, "_source").(map[string]any)
	return s
}

func TestProcessDocuments(t *testing.T) {
	_, _, c := hosts(t, defendfake.Options{})
	a := c.search(processes, `{"term":{"event.action":"start"}}`, "")
	p, _ := source(a, 0)["process"].(map[string]any)
	same(t, "the process", []any{p["pid"], p["name"], p["command_line"], p["hash"], p["code_signature"]}, []any{
		4242, "powershell.exe", `powershell.exe -File C:\t\up.ps1`,
		map[string]string{"sha256": strings.Repeat("ab", 32)},
		map[string]any{"exists": true, "trusted": true, "status": "trusted", "subject_name": "Microsoft Windows"},
	})
	parent, _ := p["parent"].(map[string]any)
	same(t, "its parent", []any{parent["pid"], parent["executable"]}, []any{600, `C:\Windows\explorer.exe`})
	same(t, "its user", source(a, 0)["user"], map[string]string{"domain": "HOSPITAL", "name": "anna", "id": "S-1-5-21-1-1001"})
	same(t, "the end of the other", actions(c.search(processes, `{"term":{"event.action":"end"}}`, ""), "process", "code_signature", "exists"), []bool{false})
	connection := c.search(network, `{"term":{"destination.port":443}}`, "")
	q, _ := source(connection, 0)["process"].(map[string]any)
	if q["entity_id"] != p["entity_id"] || q["command_line"] != nil {
		t.Errorf("a connection has the process %v, want the id %v and no command line", q, p["entity_id"])
	}
}

// What Sysmon tells: no bytes, ids of its own, the user of its service.
func TestSysmonDocuments(t *testing.T) {
	_, _, c := hosts(t, defendfake.Options{})
	a := c.search(sysmon, `{"term":{"event.code":"3"}}`, `,"sort":["@timestamp"]`)
	want(t, a, http.StatusOK, `"value":3`)
	s := source(a, 0)
	from, _ := s["source"].(map[string]any)
	same(t, "the bytes", from["bytes"], nil)
	same(t, "the user", s["user"], map[string]string{"domain": "HOSPITAL", "name": "anna", "id": "S-1-5-18"})
	same(t, "who began", []any{a.at("hits", "hits", 0, "_source", "winlog", "event_data", "Initiated"), a.at("hits", "hits", 2, "_source", "winlog", "event_data", "Initiated")}, []string{"true", "false"})
	start := c.search(sysmon, `{"term":{"event.code":"1"}}`, "")
	id := start.at("hits", "hits", 0, "_source", "process", "entity_id")
	same(t, "the id of the process", a.at("hits", "hits", 0, "_source", "process", "entity_id"), id)
	if g, _ := id.(string); !strings.HasPrefix(g, "{") {
		t.Errorf("the id is %s, want one in braces", g)
	}
	beat := c.post("/winlogbeat-*/_search", `{"query":{"bool":{"filter":[{"term":{"host.name":"WEB1.hospital.example"}},{"term":{"event.code":"3"}},{"range":{"@timestamp":{"gte":"2026-11-30T11:00:00Z"}}}]}}}`)
	same(t, "of Winlogbeat", beat.at("hits", "total", "value"), 3)
	if beat.at("hits", "hits", 0, "_source", "agent", "id") == web {
		t.Error("Winlogbeat has the id of another agent")
	}
}

// A community id is that of the public specification.
func TestCommunityID(t *testing.T) {
	w, _ := hospital(t)
	w.Change(web, func(h *edrtest.Host) {
		for i, tuple := range []incident.Tuple{
			{SrcIP: "128.232.110.120", SrcPort: 34855, DstIP: "66.35.250.204", DstPort: 80, Transport: "tcp"},
			{SrcIP: "66.35.250.204", SrcPort: 80, DstIP: "128.232.110.120", DstPort: 34855, Transport: "tcp"},
			{SrcIP: "192.168.1.52", SrcPort: 54585, DstIP: "8.8.8.8", DstPort: 53, Transport: "udp"},
		} {
			h.Connections = append(h.Connections, edrtest.Connection{At: noon().Add(-time.Duration(59-i) * time.Minute), Process: h.Processes[0], Tuple: tuple})
		}
	})
	_, c := serve(t, w, defendfake.Options{})
	a := c.search(sysmon, `{"term":{"event.code":"3"}}`, `,"sort":["@timestamp"],"size":3`)
	same(t, "the ids", actions(a, "network", "community_id"), []string{
		"1:LQU9qZlK+B5F3KDmev6m5PMibrg=", "1:LQU9qZlK+B5F3KDmev6m5PMibrg=", "1:d/FP5EW3wiY1vCndhwleRRKHowQ=",
	})
}

// A long script is in parts of one time, which arrive in any order.
func TestScriptBlocks(t *testing.T) {
	_, _, c := hosts(t, defendfake.Options{ScriptBlock: 20})
	a := c.search(powershell, `{"term":{"event.code":"4104"}}`, `,"sort":["@timestamp"]`)
	var parts []string
	for i := range a.list("hits", "hits") {
		s := source(a, i)
		p, _ := s["powershell"].(map[string]any)
		file, _ := p["file"].(map[string]any)
		same(t, "the number of parts", p["total"], 3)
		same(t, "the part", p["sequence"], 3-i)
		parts = append([]string{file["script_block_text"].(string)}, parts...)
		same(t, "the file", s["file"], map[string]string{"path": `C:\t\up.ps1`, "name": "up.ps1", "directory": `C:\t`, "extension": "ps1"})
		same(t, "its process", []any{s["process"], a.at("hits", "hits", i, "_source", "winlog", "process", "pid")}, []any{nil, 4242})
	}
	same(t, "the text", strings.Join(parts, ""), "while ($true) { Send-Data -To 198.51.100.7 }")
	id := a.at("hits", "hits", 0, "_source", "powershell", "file", "script_block_id").(string)
	a = c.post(powershell, `{"query":{"bool":{"filter":[{"term":{"powershell.file.script_block_id":"`+id+`"}},{"range":{"@timestamp":{"gte":"now-1h"}}}]}}}`)
	same(t, "by the id of the script", a.at("hits", "total", "value"), 3)
}

// Every field of an event is one of its index, so that a query can name it.
func TestMappings(t *testing.T) {
	_, _, c := hosts(t, defendfake.Options{AllowUnbounded: true})
	for _, index := range []string{"logs-endpoint.events.network-*", "logs-endpoint.events.process-*", "logs-windows.sysmon_operational-*", "logs-windows.powershell_operational-*", "winlogbeat-*"} {
		columns := map[any]bool{}
		a := c.query("FROM "+index+" | LIMIT 1", "")
		for i := range a.list("columns") {
			columns[a.at("columns", i, "name")] = true
		}
		a = c.post("/"+index+"/_search", `{"size":100,"_source":false,"fields":["*"]}`)
		if len(a.list("hits", "hits")) == 0 {
			t.Errorf("%s has no events", index)
		}
		for i := range a.list("hits", "hits") {
			fields, _ := a.at("hits", "hits", i, "fields").(map[string]any)
			for name := range fields {
				if !columns[name] {
					t.Errorf("%s: the field %s of an event is not one of the index", index, name)
				}
			}
		}
	}
}

// The addresses of a host are those that it had at the time of an event.
func TestAddressesAtATime(t *testing.T) {
	w, _ := hospital(t)
	w.Change(web, func(h *edrtest.Host) {
		h.Connections = []edrtest.Connection{{At: noon().Add(-30 * time.Hour), Tuple: incident.Tuple{SrcIP: "10.0.9.9", DstIP: "192.0.2.1", Transport: "tcp"}}}
	})
	_, c := serve(t, w, defendfake.Options{})
	a := c.post(network, `{"query":{"bool":{"filter":[{"term":{"host.ip":"10.0.9.9"}},{"range":{"@timestamp":{"gte":"now-2d/d"}}}]}}}`)
	same(t, "the addresses", a.at("hits", "hits", 0, "_source", "host", "ip"), []string{"10.0.9.9", "127.0.0.1", "::1"})
	if _, err := json.Marshal(a.body); err != nil {
		t.Error(err)
	}
}
