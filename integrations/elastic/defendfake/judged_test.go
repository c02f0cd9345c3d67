package defendfake_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/apispec"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/elastic/defendfake"
)

// What the double answers to all that can be asked well is what descriptions of
// the products, which are not of its author, say.
func TestAnswersAreAsDescribed(t *testing.T) {
	for name, o := range map[string]defendfake.Options{
		"as the product writes": {OutputBytes: 4, ScriptBlock: 10},
		"as it is published":    {OutputBytes: 4, ScriptBlock: 10, Published: true},
		"with unknown words":    {UnknownWords: true, ExtraFields: true},
	} {
		t.Run(name, func(t *testing.T) {
			w, clock := hospital(t)
			w.OnScript(func(edrtest.Host, string, string) edrtest.Result { return edrtest.Result{Exit: 1, Stdout: "output"} })
			o.Scripts = []defendfake.Script{{ID: "7c1f2a9e-0000-4000-8000-000000000001", Name: "Limit", File: "limit.ps1"}}
			d, c := serve(t, w, o)
			server := httptest.NewServer(apispec.Load(t, "kibana", "elasticsearch").Handler(t, d.Handler()))
			t.Cleanup(server.Close)
			c.url = server.URL
			askKibana(t, c, w, clock)
			askElasticsearch(t, c, d)
		})
	}
}

func askKibana(t *testing.T, c *client, w *edrtest.World, clock *clock) {
	t.Helper()
	const ids = `{"endpoint_ids":["` + web + `"],"agent_type":"endpoint","comment":"x"`
	var orders []string
	for _, o := range []struct{ command, body string }{
		{"isolate", ids + `}`},
		{"unisolate", ids + `}`},
		{"execute", ids + `,"parameters":{"command":"x","timeout":60}}`},
		{"runscript", ids + `,"parameters":{"scriptId":"7c1f2a9e-0000-4000-8000-000000000001"}}`},
		{"kill_process", ids + `,"parameters":{"pid":4242}}`},
		{"kill_process", ids + `,"parameters":{"entity_id":"nothing"}}`},
		{"running_procs", ids + `}`},
		{"isolate", `{"endpoint_ids":["` + lab + `"]}`},
	} {
		orders = append(orders, c.order(o.command, o.body))
	}
	for range 3 { // pending, carried out, expired
		for _, id := range orders {
			want(t, c.get("/api/endpoint/action/"+id), http.StatusOK, "agentState")
		}
		for _, path := range []string{
			"/api/status",
			"/api/endpoint/action?page=1&pageSize=100&agentIds=" + web + "&agentIds=" + lab,
			"/api/endpoint/action_status?agent_ids=" + web,
			"/api/endpoint/action_status?agent_ids=" + web + "&agent_ids=" + lab,
			"/api/endpoint/metadata/" + web,
			"/api/endpoint/metadata/" + lab,
			"/s/default/api/endpoint/metadata?page=1&hostStatuses=healthy&hostStatuses=offline",
			"/api/endpoint/scripts_library",
		} {
			want(t, c.get(path), http.StatusOK, "")
		}
		w.Settle()
		clock.pass(8 * 24 * time.Hour)
	}
	file := "/api/endpoint/action/" + orders[2] + "/file/" + orders[2] + "." + web
	want(t, c.get(file), http.StatusOK, "READY")
	want(t, c.get(file+"/download"), http.StatusOK, "PK")
	want(t, c.get("/api/endpoint/metadata/nobody"), http.StatusNotFound, "")
	want(t, c.get("/api/endpoint/action/00000000-0000-4000-8000-000000000000"), http.StatusNotFound, "")
	want(t, c.with("Authorization", "ApiKey bm9ib2R5OngK").get("/api/endpoint/metadata/"+web), http.StatusUnauthorized, "")
}

func askElasticsearch(t *testing.T, c *client, d *defendfake.Double) {
	t.Helper()
	for _, partial := range []defendfake.Partial{defendfake.Whole, defendfake.ShardsFailed, defendfake.TimedOut} {
		d.SetPartial(partial)
		for _, index := range []string{network, processes, sysmon, powershell, "/winlogbeat-*/_search"} {
			want(t, c.search(index, "", `,"sort":[{"@timestamp":"asc"}],"track_total_hits":true,"fields":["*"]`), http.StatusOK, "hits")
		}
		want(t, c.query(where, `,"columnar":true`), http.StatusOK, "is_partial")
	}
	a := c.get("/_security/_authenticate")
	same(t, "who it is", []any{a.at("username"), a.at("api_key", "id")}, []any{"stanch", "VuaCfGcBCdbkQm-e5aOx"})
	want(t, c.get("/"), http.StatusOK, "8.19.7")
	want(t, c.post("/_security/user/_has_privileges", `{"index":[{"names":["logs-*"],"privileges":["read"]}]}`), http.StatusOK, "has_all_requested")
	want(t, c.search("/nothing/_search", "", ""), http.StatusNotFound, "index_not_found_exception")
	want(t, c.query("FROM nothing", ""), http.StatusBadRequest, "verification_exception")
	want(t, c.with("Authorization", "ApiKey bm9ib2R5OngK").query("FROM nothing", ""), http.StatusUnauthorized, "security_exception")
	pit := c.post("/logs-*/_pit?keep_alive=1m", "").at("id").(string)
	want(t, c.do(http.MethodDelete, "/_pit", `{"id":"`+pit+`"}`), http.StatusOK, "succeeded")
}
