package defendfake_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/elastic/defendfake"
)

// An accepted isolation is no isolation: it is one when the host has carried it
// out, and the host's metadata says so.
func TestIsolate(t *testing.T) {
	w, _, c := hosts(t, defendfake.Options{})
	a := c.post("/api/endpoint/action/isolate", `{"endpoint_ids":["`+web+`"],"agent_type":"endpoint","comment":"egress","alert_ids":["a1"],"case_ids":["k"]}`)
	want(t, a, http.StatusOK, `"status":"pending"`)
	id := a.at("action")
	same(t, "the id", a.at("data", "id"), id)
	same(t, "isCompleted", a.at("data", "isCompleted"), false)
	same(t, "the host", a.at("data", "hosts", web, "name"), "WEB1")
	if c.isolated(web) || w.Isolated(web) {
		t.Error("the host is isolated before it carried the action out")
	}
	pending := c.get("/api/endpoint/action_status?agent_ids=" + web)
	same(t, "what is pending", pending.at("data", 0, "pending_actions"), map[string]any{"isolate": 1})
	w.Settle()
	if !c.isolated(web) {
		t.Error("the host is not isolated after it carried the action out")
	}
	a = c.get("/api/endpoint/action/" + id.(string))
	same(t, "the status", a.at("data", "status"), "successful")
	same(t, "the agent's state", a.at("data", "agentState", web, "wasSuccessful"), true)
	same(t, "the comment", a.at("data", "comment"), "egress")
	same(t, "when", a.at("data", "completedAt"), "2026-11-30T12:00:00.000Z")
	c.order("unisolate", `{"endpoint_ids":["`+web+`"]}`)
	w.Settle()
	if c.isolated(web) || w.Effects(web) != 2 {
		t.Errorf("after the release the host has %d effects", w.Effects(web))
	}
}

// Kibana orders each isolation anew. The fourth in a row makes an endpoint
// unhealthy, and it carries nothing out any more.
func TestRepeatedIsolation(t *testing.T) {
	w, d, c := hosts(t, defendfake.Options{})
	for range 3 {
		c.isolate(web)
		w.Settle()
	}
	same(t, "the health", c.get("/api/endpoint/metadata/"+web).at("host_status"), "healthy")
	c.isolate(web)
	same(t, "the health", c.get("/api/endpoint/metadata/"+web).at("host_status"), "unhealthy")
	c.order("unisolate", `{"endpoint_ids":["`+web+`"]}`)
	w.Settle()
	if !c.isolated(web) {
		t.Error("an unhealthy endpoint has carried a release out")
	}
	d.SetStatus(web, "")
	w.Change(web, func(h *edrtest.Host) { h.Offline = false })
	w.Settle()
	if c.isolated(web) {
		t.Error("the endpoint is not released though it recovered")
	}
}

// An action can stay pending though it was carried out.
func TestStuckAction(t *testing.T) {
	w, _, c := hosts(t, defendfake.Options{})
	id := c.isolate(web)
	w.ChangeAction(id, func(a *edrtest.Action) { a.Sticks = true })
	w.Settle()
	same(t, "the status", c.get("/api/endpoint/action/"+id).at("data", "status"), "pending")
	if !c.isolated(web) {
		t.Error("the host is not isolated")
	}
}

// An isolation can be carried out after the release that was ordered later.
func TestLateIsolation(t *testing.T) {
	w, _, c := hosts(t, defendfake.Options{})
	c.isolate(web)
	c.order("unisolate", `{"endpoint_ids":["`+web+`"]}`)
	w.SettleBy(func(n int) int { return n - 1 })
	if !c.isolated(web) {
		t.Error("the host is not isolated, though the isolation was carried out last")
	}
	same(t, "what is configured", c.get("/api/endpoint/metadata/"+web).at("metadata", "Endpoint", "configuration", "isolation"), false)
}

// The states of an action, by those of the world.
func TestActionStates(t *testing.T) {
	w, clock := hospital(t)
	_, c := serve(t, w, defendfake.Options{})
	status := func(id, status string, completed, expired bool) {
		t.Helper()
		a := c.get("/api/endpoint/action/" + id)
		same(t, "the status", []any{a.at("data", "status"), a.at("data", "isCompleted"), a.at("data", "isExpired")}, []any{status, completed, expired})
	}
	failed := c.isolate(web)
	w.ChangeAction(failed, func(a *edrtest.Action) { a.State = edrtest.Failed })
	status(failed, "failed", true, false)
	if len(c.get("/api/endpoint/action/"+failed).list("data", "errors")) == 0 {
		t.Error("a failed action has no errors")
	}
	cancelled := c.isolate(web)
	w.ChangeAction(cancelled, func(a *edrtest.Action) { a.State = edrtest.Cancelled })
	status(cancelled, "canceled", true, false)
	offline := c.isolate(lab)
	w.Settle()
	status(offline, "pending", false, false)
	clock.pass(15 * 24 * time.Hour)
	status(offline, "failed", false, true)
	same(t, "what is pending", c.get("/api/endpoint/action_status?agent_ids="+lab).at("data", 0, "pending_actions"), map[string]any{})
}

// An action for several hosts is one, which is complete when all have answered;
// hosts that are not there are left out with a remark alone.
func TestSeveralHosts(t *testing.T) {
	w, _, c := hosts(t, defendfake.Options{})
	a := c.post("/api/endpoint/action/isolate", `{"endpoint_ids":["`+web+`","nobody","`+lab+`","`+web+`"]}`)
	same(t, "the agents", a.at("data", "agents"), []string{web, lab})
	want(t, a, http.StatusOK, `not valid: [\"nobody\"] and will not be included`)
	w.Settle()
	a = c.get("/api/endpoint/action/" + a.at("action").(string))
	same(t, "isCompleted", []any{a.at("data", "isCompleted"), a.at("data", "agentState", web, "isCompleted"), a.at("data", "agentState", lab, "isCompleted")}, []bool{false, true, false})
	want(t, c.post("/api/endpoint/action/isolate", `{"endpoint_ids":["nobody"]}`), http.StatusBadRequest, "does not have Elastic Defend")
	if n := w.Effects(""); n != 2 {
		t.Errorf("there are %d effects, want 2", n)
	}
}

func TestListActions(t *testing.T) {
	w, clock := hospital(t)
	_, c := serve(t, w, defendfake.Options{MaxPage: 2})
	for _, agent := range []string{web, mail, lab} {
		c.isolate(agent)
		clock.pass(time.Minute)
	}
	w.Settle()
	c.order("unisolate", `{"endpoint_ids":["`+web+`"]}`)
	for query, agents := range map[string][]any{
		"":                    {web, lab},
		"?page=2&pageSize=50": {mail, web},
		"?page=3":             {},
		"?agentIds=" + web:    {web, web},
		"?agentIds=" + web + "&agentIds=" + lab + "&commands=isolate": {lab, web},
		"?commands=unisolate":                 {web},
		"?statuses=pending":                   {web, lab},
		"?statuses=successful":                {mail, web},
		"?userIds=nobody":                     {},
		"?types=automated":                    {},
		"?startDate=2026-11-30T12:02:00.000Z": {web, lab},
		"?endDate=2026-11-30T12:00:30.000Z":   {web},
		"?startDate=now-90s&endDate=now-30s":  {lab},
	} {
		a := c.get("/api/endpoint/action" + query)
		got := []any{}
		for i := range a.list("data") {
			got = append(got, a.at("data", i, "agents", 0))
		}
		same(t, "the list for "+query, got, agents)
	}
	a := c.get("/api/endpoint/action?pageSize=50")
	same(t, "the page", []any{a.at("total"), a.at("pageSize"), a.at("page")}, []int{4, 2, 1})
	same(t, "the outputs of a list", a.at("data", 0, "outputs"), nil)
	for query, words := range map[string]string{
		"?page=0":           "Value must be equal to or greater than [1]",
		"?pageSize=x":       "expected value of type [number]",
		"?pageSize=10001":   "Value must be equal to or lower than [10000]",
		"?agent_ids=" + web: "[request query.agent_ids]: definition for this key is missing",
		"?commands=delete":  "[request query.commands]",
		"?agentIds=":        "minimum length of [1]",
	} {
		want(t, c.get("/api/endpoint/action"+query), http.StatusBadRequest, words)
	}
	want(t, c.get("/api/endpoint/action/nothing"), http.StatusNotFound, "Action with id 'nothing' not found.")
}

func TestActionStatus(t *testing.T) {
	w, _, c := hosts(t, defendfake.Options{})
	c.isolate(web)
	c.isolate(web)
	c.order("unisolate", `{"endpoint_ids":["`+web+`","`+mail+`"]}`)
	a := c.get("/api/endpoint/action_status?agent_ids=" + web + "&agent_ids=" + mail + "&agent_ids=" + lab)
	same(t, "what is pending", a.at("data"), []any{
		map[string]any{"agent_id": web, "pending_actions": map[string]int{"isolate": 2, "unisolate": 1}},
		map[string]any{"agent_id": mail, "pending_actions": map[string]int{"unisolate": 1}},
		map[string]any{"agent_id": lab, "pending_actions": map[string]int{}},
	})
	w.Settle()
	same(t, "what is pending", c.get("/api/endpoint/action_status?agent_ids="+web).at("data", 0, "pending_actions"), map[string]int{})
	want(t, c.get("/api/endpoint/action_status"), http.StatusBadRequest, "[request query.agent_ids]")
	want(t, c.get("/api/endpoint/action_status?agent_ids=nobody"), http.StatusNotFound, "not found")
	many := "?agent_ids=" + web
	for range 50 {
		many += "&agent_ids=" + web
	}
	want(t, c.get("/api/endpoint/action_status"+many), http.StatusBadRequest, "array size is [51]")
}

// The published schema differs from what the product writes.
func TestPublished(t *testing.T) {
	_, _, c := hosts(t, defendfake.Options{Published: true})
	id := c.isolate(web)
	a := c.get("/api/endpoint/action/" + id)
	same(t, "isComplete, isCompleted", []any{a.at("data", "isComplete"), a.at("data", "isCompleted")}, []any{false, nil})
	a = c.get("/api/endpoint/action_status?agent_ids=" + web)
	same(t, "what is pending", a.at("body", "data", "pending_actions"), map[string]int{"isolate": 1})
	a = c.get("/api/endpoint/action_status?agent_ids=" + web + "&agent_ids=" + lab)
	same(t, "the second agent", a.at("body", "data", 1, "agent_id"), lab)
	want(t, c.get("/api/endpoint/metadata"), http.StatusBadRequest, "[request query.hostStatuses]")
	want(t, c.get("/api/endpoint/metadata?hostStatuses=healthy&page=0"), http.StatusBadRequest, "greater than [1]")
	same(t, "the hosts", len(c.get("/api/endpoint/metadata?hostStatuses=healthy&page=1").list("data")), 2)
	want(t, c.get("/api/endpoint/action?pageSize=101"), http.StatusBadRequest, "lower than [100]")
}

func TestUnknownWords(t *testing.T) {
	_, _, c := hosts(t, defendfake.Options{UnknownWords: true, ExtraFields: true})
	id := c.isolate(web)
	a := c.get("/api/endpoint/action/" + id)
	same(t, "the status", a.at("data", "status"), "queued")
	same(t, "a field that no document names", a.at("data", "meta", "revision"), 7)
	a = c.get("/api/endpoint/metadata/" + web)
	same(t, "the health", a.at("host_status"), "degraded")
	same(t, "a field that no document names", a.at("meta", "revision"), 7)
}
