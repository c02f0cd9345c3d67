package wazuhfake_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/wazuh/wazuhfake"
)

func TestAgents(t *testing.T) {
	b := start(t, t, wazuhfake.Options{Status: map[string]string{"003": "never_connected"}, Agents: map[string]string{"001": "4.1.5"}})
	for filter, want := range map[string][]string{
		"":                                    {"000", "001", "002", "003"}, // the manager is one of them
		"name=WS-0001":                        {"001"},
		"name=ws-0001":                        {},
		"ip=10.1.0.1":                         {"001"},
		"ip=10.1.0.9":                         {}, // an address of the past
		"status=active":                       {"000", "001"},
		"status=disconnected,never_connected": {"002", "003"},
		"agents_list=001,003":                 {"001", "003"},
		"group=wards":                         {"001"},
		"group=default":                       {"002", "003"},
		"search=WS-":                          {"001", "002"},
		"search=-WS-":                         {"000", "003"},
		"older_than=1d":                       {"002"},
		"os.platform=windows":                 {"001", "002"},
		"version=Wazuh%20v4.1.5":              {"001"},
		"q=name=WS-0001":                      {"001"},
		"q=name~ws":                           {"001", "002"},
		"q=name~ws;status!=active":            {"002"},
		"q=id=003,(name~ws;status=active)":    {"001", "003"},
		"q=id>001;id<003":                     {"002"},
		"q=group=wards":                       {"001"},
		"sort=-id&limit=2":                    {"003", "002"},
		"offset=2&limit=1":                    {"002"},
	} {
		a := b.get("/agents?" + filter)
		if a.status != http.StatusOK {
			t.Errorf("%s: %d %s", filter, a.status, a.text)
		}
		same(t, "agents with "+filter, a.items("id"), want)
	}
	same(t, "the count beside a page", b.get("/agents?limit=1").at("data", "total_affected_items"), 4)
	a := b.get("/agents?select=id,os.name&q=id=001")
	same(t, "selected members", a.at("data", "affected_items", 0), map[string]any{"id": "001", "os": map[string]any{"name": "Windows 11"}})
	never, _ := b.get("/agents?agents_list=003").at("data", "affected_items", 0).(map[string]any)
	if _, told := never["os"]; told {
		t.Error("an agent that never came told its system")
	}
	b.double.Change(func(o *wazuhfake.Options) { o.MaxPage = 2; o.Older = true })
	a = b.get("/agents")
	same(t, "a capped page, of how many", []any{a.items("id"), a.at("data", "total_affected_items")}, []any{[]string{"000", "001"}, 4})
	same(t, "the other spelling of a date", a.at("data", "affected_items", 1, "dateAdd"), "2025-11-30 12:00:00+00:00")
}

// What fails for one agent is told within a 200.
func TestAgentThatIsNot(t *testing.T) {
	b := start(t, t, wazuhfake.Options{})
	a := b.get("/agents?agents_list=001,099")
	same(t, "some", []any{a.status, a.at("error"), a.at("data", "failed_items", 0, "error", "code"), a.at("data", "failed_items", 0, "id")},
		[]any{200, 2, 1701, []string{"099"}})
	a = b.get("/agents?agents_list=099")
	same(t, "none", []any{a.status, a.at("error"), a.at("data", "affected_items")}, []any{200, 1, []any{}})
	a = b.get("/syscollector/099/processes")
	same(t, "the inventory of none", []any{a.status, a.at("error"), a.at("data", "failed_items", 0, "error", "code")}, []any{200, 1, 1701})
}

func TestRights(t *testing.T) {
	b := start(t, t, wazuhfake.Options{Rights: map[string][]string{
		"agent:read": {"agent:id:001"}, "active-response:command": {"agent:group:wards"}, "syscollector:read": {"agent:id:*"},
	}, Scripts: map[string]func(wazuhfake.Message) edrtest.Kind{"x.exe": func(wazuhfake.Message) edrtest.Kind { return "" }}})
	same(t, "agents that may be seen", b.get("/agents").items("id"), []string{"001"})
	p := b.get("/security/users/me/policies")
	same(t, "the rights", []any{p.at("data", "active-response:command"), p.at("data", "agent:modify_group"), p.at("data", "rbac_mode")},
		[]any{map[string]any{"agent:group:wards": "allow"}, nil, "white"})
	a := b.do(http.MethodPut, "/active-response?agents_list=001,003", `{"command":"!x.exe"}`)
	same(t, "a response to one that it may and one that it may not", []any{a.at("error"), a.at("data", "affected_items"), a.at("data", "failed_items", 0, "error", "code")},
		[]any{2, []string{"001"}, 4000})
	if a := b.do(http.MethodPut, "/agents/001/group/wards", ""); a.status != http.StatusForbidden || a.at("error") != 4000.0 {
		t.Errorf("a group without the right: %d %s, want 403 with 4000", a.status, a.text)
	}
	if a := b.get("/syscollector/003/os"); a.status != http.StatusOK {
		t.Errorf("the inventory: %d %s", a.status, a.text)
	}
	b.double.Change(func(o *wazuhfake.Options) { o.Rights = map[string][]string{} })
	for method, path := range map[string]string{http.MethodGet: "/agents", http.MethodPut: "/active-response?agents_list=001"} {
		if a := b.do(method, path, `{"command":"!x.exe"}`); a.status != http.StatusForbidden {
			t.Errorf("%s without any right: %d, want 403", path, a.status)
		}
	}
	if a := b.get("/manager/info"); a.status != http.StatusForbidden {
		t.Errorf("the manager without any right: %d, want 403", a.status)
	}
	same(t, "who it is", b.get("/security/users/me").items("username"), []string{"stanch"})
}

func TestGroups(t *testing.T) {
	b := start(t, t, wazuhfake.Options{Groups: []string{"limited"}})
	change := func(method, path string) answer { return b.do(method, "/agents/"+path, "") }
	change(http.MethodPut, "001/group/limited")
	same(t, "the groups after one was added", b.get("/agents?agents_list=001").items("group"), [][]string{{"wards", "limited"}})
	change(http.MethodDelete, "001/group/limited")
	same(t, "the groups after it was taken away", b.get("/agents?agents_list=001").items("group"), [][]string{{"wards"}})
	change(http.MethodPut, "001/group/limited?force_single_group=true")
	same(t, "the groups after it was made the only one", b.get("/agents?agents_list=001").items("group"), [][]string{{"limited"}})
	if h, _ := b.world.Host("001"); len(h.Groups) != 1 || h.Groups[0] != "limited" {
		t.Errorf("the device is in %q", h.Groups)
	}
	a := change(http.MethodPut, "001/group/nothing")
	same(t, "a group that is not", []any{a.status, a.at("error")}, []any{404, 1710})
	same(t, "an agent that is not", change(http.MethodPut, "099/group/limited").at("error"), 1)
}

func TestInventory(t *testing.T) {
	b := start(t, t, wazuhfake.Options{})
	a := b.get("/syscollector/001/processes")
	same(t, "what runs", a.items("pid"), []string{"4100"})
	same(t, "its parent", a.items("ppid"), []int{900})
	same(t, "a name", b.get("/syscollector/001/processes?name=powershell.exe").items("cmd"), []string{powershell})
	same(t, "another name", b.get("/syscollector/001/processes?name=cmd.exe").items("cmd"), []string{})
	a = b.get("/syscollector/001/ports?sort=protocol")
	same(t, "open connections", a.items("remote"), []any{map[string]any{"ip": "198.51.100.8", "port": 123}, map[string]any{"ip": "0.0.0.0", "port": 0}})
	same(t, "whose they are", a.items("process"), []string{"powershell.exe", "powershell.exe"})
	same(t, "those to an address", b.get("/syscollector/001/ports?remote.ip=198.51.100.8").items("pid"), []int{4100})
	same(t, "addresses", b.get("/syscollector/001/netaddr").items("address"), []string{"10.1.0.1"})
	same(t, "users", b.get("/syscollector/001/users?select=user.name").at("data", "affected_items", 0, "user"), map[string]any{"name": "kim"})
	same(t, "the system", b.get("/syscollector/001/os").items("hostname"), []string{"WS-0001"})
	b.double.Change(func(o *wazuhfake.Options) { o.ScannedAt = b.clock().Add(-95 * time.Minute) })
	same(t, "what ran at the last scan", b.get("/syscollector/001/processes").items("pid"), []string{"5"})
	same(t, "the address at the last scan", b.get("/syscollector/001/netaddr").items("address"), []string{"10.1.0.9"})
	same(t, "the manager", b.get("/manager/info").items("version"), []string{"v4.14.7"})
}
