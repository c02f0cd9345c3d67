package sentinelonefake_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/sentinelone/sentinelonefake"
)

func TestFilters(t *testing.T) {
	b := start(t, t, sentinelonefake.Options{})
	for filter, want := range map[string][]string{
		"":                                   {ws1, ws2, dc1},
		"ids=" + ws1 + "," + dc1:             {ws1, dc1},
		"idsNin=" + ws1:                      {ws2, dc1},
		"ids=":                               {ws1, ws2, dc1}, // a filter without a value is none
		"uuids=" + sentinelonefake.UUID(ws1): {ws1},
		"computerName=WS-0001":               {ws1},
		"computerName=ws-0001":               {},
		"computerName__contains=ws-0001":     {ws1, ws2}, // any part, in any case
		"networkInterfaceInet__contains=10.1.0.1":        {ws1, ws2}, // 10.1.0.10, too
		"networkInterfaceInet__contains=10.1.0.9":        {},         // an address of the past is not known
		"externalIp__contains=203.0.113.1":               {ws1, ws2, dc1},
		"isActive=true":                                  {ws1, dc1},
		"isActive=True,False":                            {ws1, ws2, dc1},
		"machineTypes=server":                            {dc1},
		"networkStatuses=disconnected":                   {},
		"lastActiveDate__lt=2026-11-29T00:00:00.000000Z": {ws2},
		"query=DC-": {dc1},
	} {
		a := b.get("/agents?" + filter)
		if a.status != http.StatusOK {
			t.Errorf("%s: %d %s", filter, a.status, a.text)
		}
		same(t, "filter "+filter, a.column("id"), want)
	}
	for _, bad := range []string{"computername=WS-0001", "id=" + ws1, "limit=0", "limit=1001", "skip=1001", "sortBy=color", "cursor=%20", "limit=x"} {
		if a := b.get("/agents?" + bad); a.status != http.StatusBadRequest || a.at("errors", 0, "title") != "Validation Error" {
			t.Errorf("%s: %d %s, want 400", bad, a.status, a.text)
		}
	}
	same(t, "the count", b.get("/agents/count?isActive=false").at("data", "total"), 1)
}

// The members of an agent are those of a recorded answer, in kind.
func TestAgentLikeARecordedOne(t *testing.T) {
	b := start(t, t, sentinelonefake.Options{Older: true})
	asRecorded(t, "agent", b.get("/agents?ids="+ws1).at("data", 0))
}

// asRecorded checks that a document has the members of a recorded one, in kind.
func asRecorded(t *testing.T, name string, document any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "apispec", "testdata", "sentinelone-recorded.json"))
	if err != nil {
		t.Fatal(err)
	}
	var recorded map[string]any
	if err := json.Unmarshal(text, &recorded); err != nil {
		t.Fatal(err)
	}
	have, _ := document.(map[string]any)
	want, _ := recorded[name].(map[string]any)
	if len(want) == 0 {
		t.Fatalf("there is no recorded %s", name)
	}
	for member, recorded := range want {
		got, found := have[member]
		if !found {
			t.Errorf("the %s has no %s", name, member)
		}
		if got, want := kind(got), kind(recorded); got != want && got != "null" && want != "null" {
			t.Errorf("%s of the %s is a %s, recorded is a %s", member, name, got, want)
		}
	}
}

func kind(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "string"
	case bool:
		return "bool"
	case float64:
		return "number"
	case []any:
		return "list"
	}
	return "object"
}

func TestPaging(t *testing.T) {
	b := start(t, t, sentinelonefake.Options{MaxPage: 2})
	first := b.get("/agents?limit=1000")
	same(t, "the first page", first.column("id"), []string{ws1, ws2})
	same(t, "the count", first.at("pagination", "totalItems"), 3)
	cursor, _ := first.at("pagination", "nextCursor").(string)
	second := b.get("/agents?limit=1000&cursor=" + url.QueryEscape(cursor))
	same(t, "the second page", second.column("id"), []string{dc1})
	same(t, "the last cursor", second.at("pagination", "nextCursor"), nil)
	same(t, "a count alone", b.get("/agents?countOnly=true").column("id"), []string{})
	same(t, "an uncounted list", b.get("/agents?skipCount=true").at("pagination", "totalItems"), 0)
	same(t, "a list from its end", b.get("/agents?sortBy=computerName&sortOrder=desc&limit=1").column("id"), []string{ws2})
	same(t, "a list without its start", b.get("/agents?skip=2").column("id"), []string{dc1})
	b.double.Change(func(o *sentinelonefake.Options) { o.MaxPage = 0; o.Older = true })
	for i := range 9 {
		b.world.Add(edrtest.Host{ID: "6576137301681300" + string(rune('0'+i)), Name: "X"})
	}
	all := b.get("/agents")
	if n := len(all.column("id")); n != 10 {
		t.Errorf("a page has %d agents without a limit, want the documented 10", n)
	}
	same(t, "the last cursor of an older console", b.get("/agents?limit=100").at("pagination", "nextCursor"), "")
}

func TestAgentTells(t *testing.T) {
	b := start(t, t, sentinelonefake.Options{
		Tags: []sentinelonefake.Tag{{ID: "801", Key: "tier", Value: "0"}}, NetworkStatus: map[string]string{ws2: "thinking"}, Nulls: true, Extra: true,
	})
	b.world.Change(ws1, func(h *edrtest.Host) {
		h.Tags = []string{"tier:0"}
		h.Groups = []string{"Wards"}
		h.Proxy = "proxy:3128"
	})
	a := b.get("/agents?ids=" + ws1)
	same(t, "the address", a.at("data", 0, "networkInterfaces", 0, "inet"), []string{"10.1.0.1"})
	same(t, "an empty list", a.at("data", 0, "networkInterfaces", 0, "inet6"), nil)
	same(t, "the tag", a.at("data", 0, "tags", "sentinelone", 0, "id"), "801")
	same(t, "the group", a.at("data", 0, "groupName"), "Wards")
	same(t, "the user", a.at("data", 0, "lastLoggedInUserName"), "kim")
	same(t, "the proxy", a.at("data", 0, "proxyStates", "consoleProxyAddress"), "proxy:3128")
	if a.at("data", 0, "undocumented") == nil {
		t.Error("there is no extra member")
	}
	same(t, "a word that is not known", b.get("/agents?ids="+ws2).at("data", 0, "networkStatus"), "thinking")
	same(t, "where a domain controller is", b.get("/agents?ids="+dc1).at("data", 0, "activeDirectory", "computerDistinguishedName"),
		"CN=DC-01,OU=Domain Controllers,DC=corp,DC=example")
	same(t, "an agent by its tag", b.get("/agents?tagsData="+url.QueryEscape(`{"tier":["0","1"]}`)).column("id"), []string{ws1})
	same(t, "agents without a tag", b.get("/agents?tagsData="+url.QueryEscape(`{"tier__nin":["0"]}`)).column("id"), []string{ws2, dc1})
}
