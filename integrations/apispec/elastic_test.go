package apispec_test

import (
	"net/http"
	"strings"
	"testing"
)

func kibana(*testing.T) []exchange {
	const (
		isolate = "/api/endpoint/action/isolate"
		agent   = "ed518850-681a-4d60-bb98-e22640cae2a8"
		one     = `{"endpoint_ids":["` + agent + `"],"agent_type":"endpoint","comment":"c"}`
		created = `{"action":"233db9ea-6733-4849-9226-5a7039c7161d","data":{"id":"233db9ea-6733-4849-9226-5a7039c7161d","agents":["` + agent + `"],"agentType":"endpoint","command":"isolate","createdBy":"u","startedAt":"2026-07-29T19:08:49.126Z","status":"pending","isCompleted":false,"isExpired":false,"wasSuccessful":false,"agentState":{"` + agent + `":{"isCompleted":false,"wasSuccessful":false}},"hosts":{"` + agent + `":{"name":"srv-1"}},"outputs":{},"parameters":{}}}`
		state   = `{"host_status":"healthy","last_checkin":"2026-07-04T15:48:57.360Z","metadata":{"agent":{"id":"` + agent + `","type":"endpoint","version":"9.2.0"},"host":{"hostname":"srv-1","ip":["10.0.2.15"]},"Endpoint":{"state":{"isolation":false}},"@timestamp":"2026-07-04T15:48:57.3609346Z"}}`
	)
	const (
		exceptions = "/api/exception_lists/items/_find"
		excepted   = `{"data":[{"_version":"W","id":"i","item_id":"i","list_id":"endpoint_host_isolation_exceptions","type":"simple","namespace_type":"agnostic","name":"n","description":"","os_types":["windows"],"tags":["policy:all"],"entries":[{"field":"destination.ip","operator":"included","type":"match","value":"192.0.2.10"}],"comments":[]}],"page":1,"per_page":20,"total":1}`
	)
	h := func(pairs ...string) http.Header {
		return headers(append([]string{"Authorization", "ApiKey k", "kbn-xsrf", "true", "Elastic-Api-Version", "2023-10-31", "Content-Type", "application/json"}, pairs...)...)
	}
	without := func(name string) http.Header {
		all := h()
		all.Del(name)
		return all
	}
	all := []exchange{
		{name: "isolate", method: "POST", path: isolate, header: h(), body: one},
		{name: "isolate in a space", method: "POST", path: "/s/soc" + isolate, header: h(), body: one},
		{name: "isolate nobody", method: "POST", path: isolate, header: h(), body: `{"endpoint_ids":[]}`, wrong: "/endpoint_ids"},
		{name: "isolate two", method: "POST", path: isolate, header: h(), body: `{"endpoint_ids":["a","b"]}`, wrong: "/endpoint_ids"},
		{name: "isolate two in one", method: "POST", path: isolate, header: h(), body: `{"endpoint_ids":["a,b"]}`, wrong: "/endpoint_ids/0"},
		{name: "isolate without names", method: "POST", path: isolate, header: h(), body: `{"comment":"c"}`, wrong: "endpoint_ids"},
		{name: "other letters", method: "POST", path: isolate, header: h(), body: `{"endpointIds":["a"],"endpoint_ids":["a"]}`, wrong: "endpointIds"},
		{name: "no protection", method: "POST", path: isolate, header: without("kbn-xsrf"), body: one, wrong: "kbn-xsrf"},
		{name: "no version", method: "POST", path: isolate, header: without("Elastic-Api-Version"), body: one, wrong: "Elastic-Api-Version"},
		{name: "another version", method: "POST", path: isolate, header: h("Elastic-Api-Version", "1"), body: one, wrong: "Elastic-Api-Version"},
		{name: "a bearer token", method: "POST", path: isolate, header: h("Authorization", "Bearer t"), body: one, wrong: "ApiKey", ours: "it does not look at what a token begins with"},
		{name: "command", method: "POST", path: "/api/endpoint/action/execute", header: h(), body: `{"endpoint_ids":["a"],"parameters":{"command":"whoami","timeout":600}}`},
		{name: "no command", method: "POST", path: "/api/endpoint/action/execute", header: h(), body: `{"endpoint_ids":["a"],"parameters":{"timeout":600}}`, wrong: "command"},
		{name: "kill", method: "POST", path: "/api/endpoint/action/kill_process", header: h(), body: `{"endpoint_ids":["a"],"parameters":{"entity_id":"e"}}`},
		{name: "kill two ways", method: "POST", path: "/api/endpoint/action/kill_process", header: h(), body: `{"endpoint_ids":["a"],"parameters":{"entity_id":"e","pid":4}}`, wrong: "/parameters"},
		{name: "kill all", method: "POST", path: "/api/endpoint/action/kill_process", header: h(), body: `{"endpoint_ids":["a"],"parameters":{}}`, wrong: "/parameters"},
		{name: "pending", method: "GET", path: "/api/endpoint/action_status?agent_ids=" + agent, header: h()},
		{name: "hosts", method: "GET", path: "/api/endpoint/metadata?hostStatuses=healthy&hostStatuses=offline&pageSize=10", header: h()},
		{name: "hosts of no state", method: "GET", path: "/api/endpoint/metadata", header: h(), wrong: "hostStatuses"},
		{name: "exceptions", method: "GET", path: exceptions + "?list_id=endpoint_host_isolation_exceptions&namespace_type=agnostic&page=1&per_page=100", header: h()},
		{name: "exceptions of one space", method: "GET", path: exceptions + "?list_id=endpoint_host_isolation_exceptions&namespace_type=single", header: h(), wrong: "namespace_type"},
		{name: "another list", method: "GET", path: exceptions + "?list_id=endpoint_blocklists&namespace_type=agnostic", header: h(), wrong: "list_id"},
		{name: "excepted", method: "GET", path: exceptions, status: 200, answer: excepted},
		{name: "excepted without a total", method: "GET", path: exceptions, status: 200, answer: strings.Replace(excepted, `,"total":1`, "", 1), wrong: "total"},
		{name: "excepted without conditions", method: "GET", path: exceptions, status: 200, answer: strings.Replace(excepted, `"included"`, `"sometimes"`, 1), wrong: "/data/0/entries/0/operator"},
		{name: "no exceptions", method: "GET", path: exceptions, status: 404, answer: `{"status_code":404,"message":"m"}`},

		{name: "created", method: "POST", path: isolate, status: 200, answer: created},
		{name: "created under the other name", method: "POST", path: isolate, status: 200, answer: strings.Replace(created, `"status":"pending","isCompleted"`, `"status":"pending","isComplete"`, 1)},
		{name: "created and invented", method: "POST", path: isolate, status: 200, answer: strings.Replace(created, `"createdBy"`, `"author"`, 1), wrong: "author"},
		{name: "endpoint", method: "GET", path: "/api/endpoint/metadata/" + agent, status: 200, answer: state},
		{name: "isolated as a text", method: "GET", path: "/api/endpoint/metadata/" + agent, status: 200, answer: strings.Replace(state, `"isolation":false`, `"isolation":"false"`, 1), wrong: "/metadata/Endpoint/state/isolation"},
		{name: "pending of one", method: "GET", path: "/api/endpoint/action_status", status: 200, answer: `{"data":[{"agent_id":"a","pending_actions":{"isolate":1}}]}`},
		{name: "pending within", method: "GET", path: "/api/endpoint/action_status", status: 200, answer: `{"body":{"data":{"agent_id":"a","pending_actions":{}}}}`},
		{name: "refused", method: "POST", path: isolate, status: 403, answer: `{"statusCode":403,"error":"Forbidden","message":"m"}`},
	}
	for i := range all {
		all[i].spec = "kibana"
	}
	return all
}

func elasticsearch(*testing.T) []exchange {
	h := func() http.Header { return headers("Authorization", "ApiKey k", "Content-Type", "application/json") }
	const search = "/logs-endpoint.events.network-*/_search"
	all := []exchange{
		{name: "search", method: "POST", path: search + "?ignore_unavailable=true", header: h(), body: `{"size":100,"query":{"bool":{"filter":[{"term":{"agent.id":"a"}}]}},"sort":[{"@timestamp":"desc"}],"_source":["process"],"track_total_hits":true}`},
		{name: "search of two kinds", method: "POST", path: search, header: h(), body: `{"query":{"term":{"a":"b"},"match_all":{}}}`, wrong: "/query"},
		{name: "search of two lists", method: "POST", path: "/logs-a-*,logs-b-*/_search", header: h(), body: `{"size":1}`, ours: "it takes a text with a comma for a list", theirs: "must be string"},
		{name: "search of everything", method: "POST", path: "/logs-a-*,_all/_search", header: h(), body: `{"size":1}`, wrong: "index"},
		{name: "search by a wrong word", method: "POST", path: search, header: h(), body: `{"filter":{"term":{"a":"b"}}}`, wrong: "filter"},
		{name: "search for too much", method: "POST", path: search, header: h(), body: `{"size":20000}`, wrong: "/size"},
		{name: "ES|QL", method: "POST", path: "/_query?allow_partial_results=false", header: h(), body: `{"query":"FROM logs-* | LIMIT 1","params":["a",{"b":1}]}`},
		{name: "ES|QL by a wrong word", method: "POST", path: "/_query", header: h(), body: `{"esql":"FROM logs-*"}`, wrong: "esql"},
		{name: "privileges", method: "POST", path: "/_security/user/_has_privileges", header: h(), body: `{"index":[{"names":["logs-*"],"privileges":["read"]}]}`},
		{name: "privileges of nothing", method: "POST", path: "/_security/user/_has_privileges", header: h(), body: `{}`, wrong: "minProperties"},
		{name: "found", method: "POST", path: search, status: 200, answer: `{"took":1,"timed_out":false,"_shards":{"total":1,"successful":1,"skipped":0,"failed":0},"hits":{"total":{"value":1,"relation":"eq"},"max_score":null,"hits":[{"_index":"i","_id":"1","_score":null,"_source":{"anything":{"at":1}},"sort":[1]}]}}`},
		{name: "found without shards", method: "POST", path: search, status: 200, answer: `{"took":1,"timed_out":false,"hits":{"hits":[]}}`, wrong: "_shards"},
		{name: "rows", method: "POST", path: "/_query", status: 200, answer: `{"took":1,"is_partial":false,"columns":[{"name":"a","type":"keyword"}],"values":[["x"],[null],[["y","z"]]]}`},
		{name: "failed", method: "POST", path: search, status: 400, answer: `{"error":{"root_cause":[],"type":"parsing_exception","reason":"r"},"status":400}`},
	}
	for i := range all {
		all[i].spec = "elasticsearch"
	}
	return all
}

func TestKibana(t *testing.T) { judge(t, kibana(t)) }

func TestElasticsearch(t *testing.T) { judge(t, elasticsearch(t)) }
