package wazuhfake_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/wazuh/wazuhfake"
)

// scripts are two: one that isolates or gives back, by its first argument, and one
// that does something else.
func scripts() map[string]func(wazuhfake.Message) edrtest.Kind {
	return map[string]func(wazuhfake.Message) edrtest.Kind{
		"other.exe": func(wazuhfake.Message) edrtest.Kind { return "" },
		"isolate.exe": func(m wazuhfake.Message) edrtest.Kind {
			if len(m.Arguments) > 0 && m.Arguments[0] == "release" || m.Alert["data"] == "release" {
				return edrtest.Release
			}
			return edrtest.Isolate
		},
	}
}

func (b *bench) respond(query, body string) answer {
	b.t.Helper()
	return b.do(http.MethodPut, "/active-response"+query, body)
}

const isolate = `{"command":"!isolate.exe","arguments":["isolate"],"alert":{"data":{"case":"7"}}}`

func TestResponseIsSentOnly(t *testing.T) {
	b := start(t, t, wazuhfake.Options{Scripts: scripts()})
	a := b.respond("?agents_list=001", isolate)
	same(t, "the answer", []any{a.status, a.at("data", "affected_items"), a.at("message"), a.at("error")},
		[]any{200, []string{"001"}, "AR command was sent to all agents", 0})
	if b.world.Isolated("001") || b.world.Effects("001") != 1 {
		t.Error("what was sent is carried out, or was not ordered")
	}
	b.world.Settle()
	if !b.world.Isolated("001") {
		t.Error("it is not isolated")
	}
	b.respond("?agents_list=001", strings.Replace(isolate, `"isolate"`, `"release"`, 1))
	b.world.Settle()
	if b.world.Isolated("001") {
		t.Error("it was not given back")
	}
}

func TestResponseWithoutAgentsGoesToAll(t *testing.T) {
	b := start(t, t, wazuhfake.Options{Scripts: scripts()})
	a := b.respond("", isolate)
	same(t, "the answer", []any{a.status, a.at("data", "affected_items"), a.at("error"), a.at("message")},
		[]any{200, []string{"001", "003"}, 2, "AR command was not sent to some agents"})
	if b.world.Effects("001") != 1 || b.world.Effects("003") != 1 || b.world.Effects("002") != 0 {
		t.Errorf("effects: %d on 001, %d on 002, %d on 003", b.world.Effects("001"), b.world.Effects("002"), b.world.Effects("003"))
	}
}

// Each agent's failure is told within a 200.
func TestResponseThatFails(t *testing.T) {
	b := start(t, t, wazuhfake.Options{Scripts: scripts(), Commands: map[string]string{"isolate0": "isolate.exe"}, Disabled: map[string]bool{"003": true}})
	for _, c := range []struct {
		agent, command string
		code           any
	}{
		{"002", "!isolate.exe", 1707},
		{"001", "isolate", 1652},
		{"000", "!isolate.exe", 1703},
		{"099", "!isolate.exe", 1701},
		{"003", "!isolate.exe", 1750},
		{"001", "isolate0", nil},
		{"001", "!isolate.exe", nil},
	} {
		a := b.respond("?agents_list="+c.agent, `{"command":"`+c.command+`"}`)
		want := 0
		if c.code != nil {
			want = 1
		}
		same(t, c.command+" on "+c.agent, []any{a.status, a.at("error"), a.at("data", "failed_items", 0, "error", "code")}, []any{200, want, c.code})
	}
	if n := b.world.Effects(""); n != 2 {
		t.Errorf("%d effects, want two", n)
	}
}

// A script that the agent does not have is sent as any other, and nothing happens.
func TestScriptThatIsNotThere(t *testing.T) {
	b := start(t, t, wazuhfake.Options{Scripts: scripts()})
	a := b.respond("?agents_list=001", `{"command":"!isolate"}`)
	same(t, "the answer", a.at("data", "affected_items"), []string{"001"})
	if n := len(b.world.Actions("")); n != 0 {
		t.Errorf("%d actions, want none", n)
	}
}

func TestResponsesThatAreRefused(t *testing.T) {
	b := start(t, t, wazuhfake.Options{Scripts: scripts()})
	for _, c := range [][2]string{
		{"?agents_list=001", ``},
		{"?agents_list=001", `{}`},
		{"?agents_list=001", `{"command":"../x"}`},
		{"?agents_list=001", `{"Command":"!x"}`},
		{"?agents_list=001", `{"command":"!x","custom":true}`},
		{"?agents_list=001", `{"command":"!x","arguments":"-"}`},
		{"?agents_list=001", `{"command":"!x","alert":{"rule":{}}}`},
		{"?agents_list=", isolate},
		{"?agents_list=1", isolate},
		{"?agent=001", isolate},
	} {
		if a := b.respond(c[0], c[1]); a.status != http.StatusBadRequest && (c[1] != "" || a.status != http.StatusNotAcceptable) {
			t.Errorf("%s with %s: %d %s, want 400", c[0], c[1], a.status, a.text)
		}
	}
	b.contentType = "text/plain"
	a := b.respond("?agents_list=001", isolate)
	same(t, "a body of another type", []any{a.status, a.at("error")}, []any{406, 6002})
	if n := len(b.world.Actions("")); n != 0 {
		t.Errorf("refused responses left %d actions", n)
	}
}

// Agents from 4.2 on get one line of JSON, those before get arguments.
func TestWhatAScriptIsTold(t *testing.T) {
	b := start(t, t, wazuhfake.Options{Scripts: scripts(), Agents: map[string]string{"003": "4.1.5"}})
	told := map[string]string{}
	b.world.OnScript(func(h edrtest.Host, name, input string) edrtest.Result {
		told[h.ID] = name + " " + input
		return edrtest.Result{}
	})
	b.respond("?agents_list=001,003", strings.Replace(isolate, "isolate.exe", "other.exe", 1))
	b.world.Settle()
	name, line, _ := strings.Cut(told["001"], " ")
	var message struct {
		Version    int
		Command    string
		Origin     struct{ Module string }
		Parameters struct {
			Extra   []string `json:"extra_args"`
			Alert   map[string]any
			Program string
		}
	}
	if err := json.Unmarshal([]byte(line), &message); err != nil || name != "other.exe" || !strings.HasSuffix(line, "\n") {
		t.Fatalf("%s was told %q: %v", name, line, err)
	}
	same(t, "the message", []any{message.Version, message.Command, message.Origin.Module, message.Parameters.Extra, message.Parameters.Alert, message.Parameters.Program},
		[]any{1, "add", "api/framework", []string{"isolate"}, map[string]any{"data": map[string]any{"case": "7"}}, "active-response/bin/other.exe"})
	same(t, "what an older agent was told", told["003"], "other.exe isolate")
	b.respond("?agents_list=003", `{"command":"!other.exe"}`)
	b.world.Settle()
	same(t, "what it was told without arguments", told["003"], "other.exe - -")
}

// The only trace of what a script did is the line that it logs.
func TestLineOfAScript(t *testing.T) {
	b := start(t, t, wazuhfake.Options{Scripts: scripts(), Lag: 30 * time.Second})
	search := func() answer {
		return b.search(query(`{"term":{"agent.id":"001"}},{"term":{"rule.groups":"active_response"}}`))
	}
	b.respond("?agents_list=001", isolate)
	b.world.OnScript(func(edrtest.Host, string, string) edrtest.Result {
		return edrtest.Result{Stdout: "starting\n" + `{"command":"add","state":"isolated","rules":3,"more":{"ok":true}}` + "\n"}
	})
	b.world.Settle()
	same(t, "the alert before it is indexed", search().at("hits", "total", "value"), 0)
	b.pass(time.Minute)
	a := search()
	same(t, "the alert", []any{a.at("hits", "total", "value"), a.at("hits", "hits", 0, "_source", "data")},
		[]any{1, map[string]any{"command": "add", "state": "isolated", "rules": "3", "more": map[string]any{"ok": "true"}}})
	same(t, "its rule", []any{a.at("hits", "hits", 0, "_source", "rule", "id"), a.at("hits", "hits", 0, "_source", "decoder", "name")}, []any{"657", "ar_log_json"})
	line, _ := a.at("hits", "hits", 0, "_source", "full_log").(string)
	if !strings.HasPrefix(line, "2026/11/30 12:00:00 active-response/bin/isolate.exe: {") {
		t.Errorf("the line is %q", line)
	}
	// A script that logs nothing of its own logs what it was told.
	b.world.OnScript(func(edrtest.Host, string, string) edrtest.Result { return edrtest.Result{Exit: 1} })
	b.respond("?agents_list=001", strings.Replace(isolate, `"isolate"`, `"release"`, 1))
	b.world.Settle()
	b.pass(time.Minute)
	a = search()
	same(t, "what it was told", a.at("hits", "hits", 0, "_source", "data", "parameters", "extra_args"), []string{"release"})
	if !b.world.Isolated("001") {
		t.Error("a script that failed gave it back")
	}
}
