package apispec_test

import (
	"fmt"
	"net/http"
	"testing"
)

func sentinelOne(t *testing.T) []exchange {
	const (
		api       = "/web/api/v2.1"
		one       = `{"filter":{"ids":["657613730168123595"]}}`
		queries   = "/sdl/v2/api/queries"
		launch    = `{"queryType":"PQ","tenant":true,"startTime":"2026-11-21T00:00:00Z","endTime":"2026-11-22T00:00:00Z","queryPriority":"HIGH","pq":{"query":"event.type=*","resultType":"TABLE"}}`
		execution = `{"filter":{"ids":["657613730168123595"]},"data":{"scriptId":"1","taskDescription":"d","outputDestination":"SentinelCloud","inputParams":"-a"}}`
	)
	token := func() http.Header {
		return headers("Authorization", "ApiToken token-of-this-test", "Content-Type", "application/json")
	}
	tagged := bearer()
	tagged.Set("X-Dataset-Query-Forward-Tag", "tag")
	recorded := document(t, "sentinelone-recorded.json")
	list := func(part string) string {
		return fmt.Sprintf(`{"data":[%s],"pagination":{"nextCursor":null,"totalItems":1}}`, recorded[part])
	}
	all := []exchange{
		{name: "isolate", method: "POST", path: api + "/agents/actions/disconnect", header: token(), body: one},
		{name: "release", method: "POST", path: api + "/agents/actions/connect", header: token(), body: one},
		{name: "isolate everybody", method: "POST", path: api + "/agents/actions/disconnect", header: token(), body: `{"filter":{}}`, wrong: "ids"},
		{name: "isolate nobody", method: "POST", path: api + "/agents/actions/disconnect", header: token(), body: `{"filter":{"ids":[]}}`, wrong: "/filter/ids"},
		{name: "isolate two", method: "POST", path: api + "/agents/actions/disconnect", header: token(), body: `{"filter":{"ids":["1","2"]}}`, wrong: "/filter/ids"},
		{name: "isolate by a name", method: "POST", path: api + "/agents/actions/disconnect", header: token(), body: `{"filter":{"computerName":"srv"}}`, wrong: "computerName"},
		{name: "isolate by an id and more", method: "POST", path: api + "/agents/actions/disconnect", header: token(), body: `{"filter":{"ids":["1"],"siteIds":["2"]}}`, wrong: "siteIds"},
		{name: "isolate without a filter", method: "POST", path: api + "/agents/actions/disconnect", header: token(), body: `{"ids":["1"]}`, wrong: "filter"},
		{name: "isolate two ids in one", method: "POST", path: api + "/agents/actions/disconnect", header: token(), body: `{"filter":{"ids":["1,2"]}}`, wrong: "/filter/ids/0"},
		{name: "a bearer token", method: "POST", path: api + "/agents/actions/disconnect", header: bearer(), body: one, wrong: "ApiToken", ours: "it does not look at what a token begins with"},
		{name: "agents", method: "GET", path: api + "/agents?computerName=SRV-1&limit=2&isDecommissioned=True,False&networkInterfaceInet__contains=10.0.0.1", header: token()},
		{name: "agents by an unknown filter", method: "GET", path: api + "/agents?hostname=SRV-1", header: token(), wrong: "no such parameter", ours: "it ignores parameters that it does not know"},
		{name: "too many agents", method: "GET", path: api + "/agents?limit=5000", header: token(), wrong: `query "limit"`},
		{name: "tag", method: "POST", path: api + "/agents/actions/manage-tags", header: token(), body: `{"filter":{"ids":["1"]},"data":[{"tagId":"2","operation":"add"}]}`},
		{name: "mark", method: "POST", path: api + "/agents/actions/set-external-id", header: token(), body: `{"filter":{"ids":["1"]},"data":{"externalId":"case 7"}}`},
		{name: "script", method: "POST", path: api + "/remote-scripts/execute", header: token(), body: execution},
		{name: "script nowhere", method: "POST", path: api + "/remote-scripts/execute", header: token(), body: `{"filter":{"ids":[]},"data":{"scriptId":"1","taskDescription":"d","outputDestination":"SentinelCloud"}}`, wrong: "/filter/ids"},
		{name: "script into the cloud of another name", method: "POST", path: api + "/remote-scripts/execute", header: token(), body: `{"filter":{"ids":["1"]},"data":{"scriptId":"1","taskDescription":"d","outputDestination":"Cloud"}}`, wrong: "/data/outputDestination"},
		{name: "status of all", method: "GET", path: api + "/remote-scripts/status", header: token(), wrong: "parentTaskId"},
		{name: "status", method: "GET", path: api + "/remote-scripts/status?parentTaskId=123456789", header: token()},
		{name: "what waits", method: "GET", path: api + "/remote-scripts/pending-executions?sortBy=createdAt&sortOrder=desc&limit=1000", header: token()},
		{name: "what waits, by its script", method: "GET", path: api + "/remote-scripts/pending-executions?scriptId=1", header: token(), wrong: "no such parameter", ours: "it ignores parameters that it does not know"},
		{name: "results", method: "POST", path: api + "/remote-scripts/fetch-files", header: token(), body: `{"data":{"taskIds":["1"]}}`},
		{name: "query", method: "POST", path: queries, header: bearer(), body: launch},
		{name: "query with the other prefix", method: "POST", path: queries, header: token(), body: launch, wrong: "Bearer"},
		{name: "query of no scope", method: "POST", path: queries, header: bearer(), body: `{"queryType":"PQ","startTime":"24h","endTime":"1h","pq":{"query":"q","resultType":"TABLE"}}`, wrong: "tenant"},
		{name: "query of two scopes", method: "POST", path: queries, header: bearer(), body: `{"queryType":"PQ","tenant":true,"accountIds":["1"],"startTime":"24h","endTime":"1h","pq":{"query":"q","resultType":"TABLE"}}`, wrong: "oneOf"},
		{name: "query of an account", method: "POST", path: queries, header: bearer(), body: `{"queryType":"PQ","tenant":false,"accountIds":["1"],"startTime":"24h","endTime":"1h","pq":{"query":"q","resultType":"TABLE"}}`},
		{name: "query at a local time", method: "POST", path: queries, header: bearer(), body: `{"queryType":"PQ","tenant":true,"startTime":"2026-11-21T00:00:00+01:00","endTime":"1h","pq":{"query":"q","resultType":"TABLE"}}`, wrong: "/startTime"},
		{name: "query of the other kind", method: "POST", path: queries, header: bearer(), body: `{"queryType":"LOG","tenant":true,"startTime":"24h","endTime":"1h","pq":{"query":"q","resultType":"TABLE"}}`, wrong: "anyOf"},
		{name: "poll", method: "GET", path: queries + "/q?lastStepSeen=0", header: tagged},
		{name: "poll without the tag", method: "GET", path: queries + "/q?lastStepSeen=0", header: bearer(), wrong: "X-Dataset-Query-Forward-Tag"},
		{name: "remove", method: "DELETE", path: queries + "/q", header: tagged},
		{name: "a query that is retired", method: "GET", path: api + "/dv/events/pq-ping?queryId=q", header: token(), wrong: "retires", ours: "it takes what is deprecated"},

		{name: "recorded agent", method: "GET", path: api + "/agents", status: 200, answer: list("agent")},
		{name: "recorded task", method: "GET", path: api + "/remote-scripts/status", status: 200, answer: list("remote_script_task")},
		{name: "recorded rows", method: "GET", path: api + "/dv/events/pq-ping", status: 200, answer: string(recorded["power_query"])},
		{name: "waits for approval", method: "POST", path: api + "/remote-scripts/execute", status: 200, answer: `{"data":{"affected":0,"parentTaskId":null,"pending":true,"pendingExecutionId":"5"}}`},
		{name: "isolation without a count", method: "POST", path: api + "/agents/actions/disconnect", status: 200, answer: `{"data":{}}`, wrong: "affected"},
		{name: "isolation with an id", method: "POST", path: api + "/agents/actions/disconnect", status: 200, answer: `{"data":{"affected":1,"actionId":"1"}}`, wrong: "actionId"},
		{name: "refused", method: "POST", path: api + "/agents/actions/disconnect", status: 403, answer: `{"errors":[{"code":4030010,"title":"Insufficient permissions","detail":null}]}`},
		{name: "no error inside", method: "POST", path: api + "/agents/actions/disconnect", status: 403, answer: `{"errors":[]}`, wrong: "/errors"},
		{name: "a query without its tag", method: "POST", path: queries, status: 200, answer: `{"id":"q","stepsCompleted":0,"stepsTotal":0,"cpuUsage":0,"data":null}`, wrong: "X-Dataset-Query-Forward-Tag"},
	}
	for i := range all {
		all[i].spec = "sentinelone"
	}
	return all
}

func TestSentinelOne(t *testing.T) { judge(t, sentinelOne(t)) }
