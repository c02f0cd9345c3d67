package sentinelonefake_test

import (
	"net/http"
	"testing"

	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/sentinelone/sentinelonefake"
)

const (
	disconnect = "/agents/actions/disconnect"
	connect    = "/agents/actions/connect"
)

func (b *bench) status(id string) any { return b.get("/agents?ids="+id).at("data", 0, "networkStatus") }

func one(id string) string { return `{"filter":{"ids":["` + id + `"]}}` }

func TestDisconnectTakesItsTime(t *testing.T) {
	b := start(t, t, sentinelonefake.Options{})
	same(t, "the answer", b.post(disconnect, one(ws1)).at("data"), map[string]any{"affected": 1})
	if b.world.Isolated(ws1) {
		t.Error("a command that was accepted is carried out")
	}
	same(t, "the status before", b.status(ws1), "disconnecting")
	b.world.Settle()
	same(t, "the status after", b.status(ws1), "disconnected")
	b.post(connect, one(ws1))
	same(t, "the status while it is given back", b.status(ws1), "connecting")
	b.world.Settle()
	same(t, "the status at the end", b.status(ws1), "connected")
	if b.world.Isolated(ws1) || b.world.Effects(ws1) != 2 || b.world.Effects("") != 2 {
		t.Errorf("isolated: %t, effects: %d of %d", b.world.Isolated(ws1), b.world.Effects(ws1), b.world.Effects(""))
	}
}

// Whatever narrows nothing down is a command for the fleet.
func TestCommandForTheFleet(t *testing.T) {
	for _, body := range []string{`{"filter":{}}`, `{"filter":{"ids":[]}}`, `{"filter":{"ids":null}}`, `{"filter":{"ids":""},"data":{}}`} {
		b := start(t, t, sentinelonefake.Options{})
		a := b.post(disconnect, body)
		if a.status != http.StatusOK || a.at("data", "affected") != 3.0 || b.world.Effects("") != 3 {
			t.Errorf("%s: %d %s with %d effects, want all three agents", body, a.status, a.text, b.world.Effects(""))
		}
	}
}

func TestCommandByText(t *testing.T) {
	b := start(t, t, sentinelonefake.Options{})
	b.post(disconnect, `{"filter":{"computerName__contains":"WS-0001"}}`)
	if b.world.Effects(ws1) != 1 || b.world.Effects(ws2) != 1 {
		t.Error("a part of a name did not match both names that have it")
	}
	same(t, "agents that no filter matches", b.post(disconnect, one("1")).at("data", "affected"), 0)
}

func TestCommandsThatAreRefused(t *testing.T) {
	b := start(t, t, sentinelonefake.Options{})
	for _, body := range []string{
		``, `{}`, `[]`, `{"filter":null}`, `{"data":{}}`, `{"filter":{"IDS":["1"]}}`, `{"filter":{"id":"1"}}`, `{"Filter":{"ids":["1"]}}`,
		`{"filter":{"ids":["1"]},"comment":"x"}`, `{"filter":{"ids":{"a":1}}}`,
	} {
		if a := b.post(disconnect, body); a.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s, want 400", body, a.status, a.text)
		}
	}
	if n := b.world.Effects(""); n != 0 {
		t.Errorf("refused commands had %d effects", n)
	}
	if a := b.do(http.MethodGet, "/web/api/v2.1"+disconnect, ""); a.status == http.StatusOK {
		t.Error("disconnect can be read")
	}
}

func TestDisconnectTwice(t *testing.T) {
	b := start(t, t, sentinelonefake.Options{})
	b.world.Impose(ws1)
	same(t, "affected of an agent that is disconnected", b.post(disconnect, one(ws1)).at("data", "affected"), 1)
	b.double.Change(func(o *sentinelonefake.Options) { o.OnlyChanged = true })
	same(t, "affected where only changes count", b.post(disconnect, one(ws1)).at("data", "affected"), 0)
	if n := b.world.Effects(ws1); n != 1 {
		t.Errorf("%d commands, want one", n)
	}
}

func TestCommandsOutOfOrder(t *testing.T) {
	b := start(t, t, sentinelonefake.Options{})
	b.post(disconnect, one(ws1))
	b.post(connect, one(ws1))
	b.world.SettleBy(func(n int) int { return n - 1 })
	same(t, "the status where the disconnect came last", b.status(ws1), "disconnected")
}

func TestCommandThatSticks(t *testing.T) {
	b := start(t, t, sentinelonefake.Options{})
	b.post(disconnect, one(ws1))
	id := b.world.Open(ws1)[0].ID
	b.world.ChangeAction(id, func(a *edrtest.Action) { a.Sticks = true })
	b.world.Settle()
	same(t, "the status of an agent that is disconnected and did not say so", b.status(ws1), "disconnecting")
	if !b.world.Isolated(ws1) {
		t.Error("it is not isolated")
	}
}

func TestOfflineAndDecommissioned(t *testing.T) {
	b := start(t, t, sentinelonefake.Options{})
	b.post(disconnect, one(ws2))
	b.world.Settle()
	same(t, "the status of an agent that is away", b.status(ws2), "disconnecting")
	b.world.Impose(ws1)
	b.double.Decommission(ws1)
	same(t, "affected of a decommissioned agent", b.post(connect, one(ws1)).at("data", "affected"), 1)
	b.world.Settle()
	same(t, "its status, for ever", b.status(ws1), "connecting")
	same(t, "whether it is decommissioned", b.get("/agents?ids="+ws1).at("data", 0, "isDecommissioned"), true)
	same(t, "agents that are not", b.get("/agents?isDecommissioned=false").column("id"), []string{ws2, dc1})
}

func TestActivitiesTellWhoDidIt(t *testing.T) {
	b := start(t, t, sentinelonefake.Options{MaxPage: 3})
	b.post(disconnect, one(ws1))
	mine := b.get("/activities?agentIds=" + ws1)
	same(t, "activities of a command that is open", mine.column("activityType"), []int{61})
	same(t, "its text", mine.at("data", 0, "primaryDescription"), "The management user Stanch issued a disconnect from network command to the machine WS-0001.")
	same(t, "its user", mine.at("data", 0, "data", "username"), "Stanch")
	b.world.Settle()
	b.world.Impose(dc1)
	b.post(connect, one(ws1))
	b.world.Settle()
	same(t, "all activities of the agent, on their first page", b.get("/activities?agentIds="+ws1).column("activityType"), []int{61, 1001, 62})
	same(t, "those of one type", b.get("/activities?activityTypes=1001,1002&sortBy=id&sortOrder=desc").column("agentId"), []string{ws1, dc1, ws1})
	same(t, "who is named where the agent tells it", b.get("/activities?activityTypes=1001&agentIds="+ws1).column("userId"), []any{nil})
	theirs := b.get("/activities?activityTypes=61&agentIds=" + dc1)
	same(t, "who isolated by hand", theirs.at("data", 0, "data", "username"), "somebody@example.com")
	if theirs.at("data", 0, "userId") == mine.at("data", 0, "userId") {
		t.Error("two users have one id")
	}
	same(t, "activities of tomorrow", b.get("/activities?createdAt__gt=2026-12-01T00:00:00Z").column("id"), []string{})
	if a := b.get("/activities?agentId=" + ws1); a.status != http.StatusBadRequest {
		t.Errorf("an unknown filter: %d, want 400", a.status)
	}
	b.post(disconnect, one(dc1))
	b.world.ChangeAction(b.world.Open(dc1)[0].ID, func(a *edrtest.Action) { a.State = edrtest.Failed })
	same(t, "an agent that could not", b.get("/activities?activityTypes=2010").column("agentId"), []string{dc1})
	if a := b.get("/activities/types"); a.status != http.StatusOK || len(a.column("id")) == 0 {
		t.Errorf("types: %d %s", a.status, a.text)
	}
}

func TestTags(t *testing.T) {
	b := start(t, t, sentinelonefake.Options{})
	made := b.post("/tag-manager", `{"data":{"type":"agents","key":"case","value":"7"}}`)
	id, _ := made.at("data", "id").(string)
	change := func(operation, filter string) answer {
		return b.post("/agents/actions/manage-tags", `{"filter":`+filter+`,"data":[{"operation":"`+operation+`","tagId":"`+id+`"}]}`)
	}
	change("add", `{"ids":["`+ws1+`"]}`)
	change("add", `{"ids":["`+ws1+`"]}`)
	same(t, "agents with tags", b.get("/agents?hasTags=true").column("id"), []string{ws1})
	if h, _ := b.world.Host(ws1); len(h.Tags) != 1 || h.Tags[0] != "case:7" {
		t.Errorf("the tags of the device are %q", h.Tags)
	}
	change("remove", `{"ids":["`+ws1+`"]}`)
	same(t, "agents with tags at the end", b.get("/agents?hasTags=true").column("id"), []string{})
	same(t, "affected by an empty filter", change("override", `{}`).at("data", "affected"), 3)
	if a := change("paint", `{}`); a.status != http.StatusBadRequest {
		t.Errorf("an unknown operation: %d, want 400", a.status)
	}
	id = "0"
	if a := change("add", `{}`); a.status != http.StatusBadRequest {
		t.Errorf("an unknown tag: %d, want 400", a.status)
	}
}

func TestExternalID(t *testing.T) {
	b := start(t, t, sentinelonefake.Options{})
	a := b.post("/agents/actions/set-external-id", `{"filter":{"ids":["`+ws1+`"]},"data":{"externalId":"case-7"}}`)
	same(t, "affected", a.at("data", "affected"), 1)
	same(t, "agents by it", b.get("/agents?externalId__contains=CASE").column("id"), []string{ws1})
	same(t, "the agent's", b.get("/agents?ids="+ws1).at("data", 0, "externalId"), "case-7")
	same(t, "affected by an empty filter", b.post("/agents/actions/set-external-id", `{"filter":{},"data":{"externalId":""}}`).at("data", "affected"), 3)
}
