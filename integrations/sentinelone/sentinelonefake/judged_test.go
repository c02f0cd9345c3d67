package sentinelonefake_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stanch-soar/stanch/integrations/apispec"
	"github.com/stanch-soar/stanch/integrations/sentinelone/sentinelonefake"
)

// What the double answers is what the description of the API allows.
func TestAnswersAreJudged(t *testing.T) {
	for name, o := range map[string]sentinelonefake.Options{"today": {}, "older": {Older: true}} {
		t.Run(name, func(t *testing.T) {
			o.Scripts, o.Tags, o.Unlimited = library(), []sentinelonefake.Tag{{ID: "801", Key: "case"}}, true
			b := start(t, t, o)
			server := httptest.NewServer(apispec.Load(t, "sentinelone").Handler(t, b.double.Handler()))
			t.Cleanup(server.Close)
			b.url = server.URL
			for _, a := range []answer{
				b.get("/system/info"), b.get("/user"), b.post("/users/api-token-details", `{"data":{"apiToken":"s1-token"}}`),
				b.post("/agents/actions/manage-tags", `{"filter":{"ids":["`+ws1+`"]},"data":[{"operation":"add","tagId":"801"}]}`),
				b.post("/agents/actions/set-external-id", `{"filter":{"ids":["`+ws1+`"]},"data":{"externalId":"case-7"}}`),
				b.get("/agents?limit=1"), b.get("/agents?computerName__contains=WS-0001&isActive=true,false&sortBy=computerName"),
				b.post(disconnect, one(ws1)), b.get("/agents?ids=" + ws1), b.post(connect, one(ws1)), b.get("/remote-scripts?query=list"),
				b.post("/remote-scripts/guardrails/check", `{"data":{"scriptId":"502","agentIds":["`+ws1+`"]}}`),
				b.post("/remote-scripts/execute", ordered("502", onWS1, "")),
				b.do(http.MethodPost, queries, body(edr+"endpoint.name='WS-0001' | limit 2", nil)),
			} {
				if a.status != http.StatusOK {
					t.Errorf("%d %s", a.status, a.text)
				}
			}
			parent, _ := b.post("/remote-scripts/execute", ordered("503", onWS1, "")).at("data", "parentTaskId").(string)
			b.world.Settle()
			task, _ := b.get("/remote-scripts/status?parentTaskId="+parent).at("data", 0, "id").(string)
			if a := b.post("/remote-scripts/fetch-files", `{"data":{"taskIds":["`+task+`"]}}`); a.status != http.StatusOK {
				t.Errorf("%d %s", a.status, a.text)
			}
			if a := b.ask(edr+"agent.uuid='"+sentinelonefake.UUID(ws1)+"' | columns event.type, timestamp", nil); a.at("data", "values") == nil {
				t.Errorf("%d %s", a.status, a.text)
			}
			b.double.Change(func(o *sentinelonefake.Options) { o.Permissions = []string{} })
			if a := b.post(disconnect, one(ws1)); a.status != http.StatusForbidden {
				t.Errorf("%d %s", a.status, a.text)
			}
			if a := b.do(http.MethodPost, queries, body(edr+"endpoint.name='x' | limit 2", nil)); a.status != http.StatusForbidden {
				t.Errorf("%d %s", a.status, a.text)
			}
		})
	}
}
