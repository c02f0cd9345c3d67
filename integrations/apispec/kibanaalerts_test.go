package apispec_test

import (
	"net/http"
	"testing"
)

func kibanaAlerts(*testing.T) []exchange {
	const (
		note   = "/api/note"
		search = "/api/detection_engine/signals/search"
		status = "/api/detection_engine/signals/status"
		one    = `{"note":{"eventId":"a1","note":"text","timelineId":""}}`
		stored = `{"noteId":"n","version":"WzEsMV0=","timelineId":"","eventId":"a1","note":"text","created":1785352129126,"createdBy":"u","updated":1785352129126,"updatedBy":"u"}`
		wrote  = `{"code":200,"message":"success","note":` + stored + `}`
		found  = `{"took":1,"timed_out":false,"_shards":{"total":1,"successful":1,"skipped":0,"failed":0},"hits":{"total":{"value":1,"relation":"eq"},"max_score":0,"hits":[{"_index":"i","_id":"a1","_score":0,"_source":{"kibana.alert.workflow_status":"open"}}]}}`
		set    = `{"took":81,"timed_out":false,"total":1,"updated":1,"deleted":0,"batches":1,"version_conflicts":0,"noops":0,"retries":{"bulk":0,"search":0},"throttled_millis":0,"requests_per_second":-1,"throttled_until_millis":0,"failures":[]}`
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
		{name: "write", method: "PATCH", path: note, header: h(), body: one},
		{name: "write in a space", method: "PATCH", path: "/s/soc" + note, header: h(), body: one},
		{name: "write without protection", method: "PATCH", path: note, header: without("kbn-xsrf"), body: one, wrong: "kbn-xsrf"},
		{name: "write without a version", method: "PATCH", path: note, header: without("Elastic-Api-Version"), body: one, wrong: "Elastic-Api-Version"},
		{name: "write with a bearer token", method: "PATCH", path: note, header: h("Authorization", "Bearer t"), body: one, wrong: "ApiKey", ours: "it does not look at what a token begins with"},
		{name: "write at a timeline", method: "PATCH", path: note, header: h(), body: `{"note":{"eventId":"a1","note":"t","timelineId":"x"}}`, wrong: "/note/timelineId"},
		{name: "write without a timeline", method: "PATCH", path: note, header: h(), body: `{"note":{"eventId":"a1","note":"t"}}`, wrong: "timelineId"},
		{name: "write nothing", method: "PATCH", path: note, header: h(), body: `{"note":{"eventId":"a1","note":"","timelineId":""}}`, wrong: "/note/note"},
		{name: "write at no alert", method: "PATCH", path: note, header: h(), body: `{"note":{"note":"t","timelineId":""}}`, wrong: "eventId"},
		{name: "read", method: "GET", path: note + "?documentIds=a1", header: h()},
		{name: "read all", method: "GET", path: note, header: h(), wrong: "documentIds"},
		{name: "search", method: "POST", path: search, header: h(), body: `{"query":{"ids":{"values":["a1"]}},"size":1}`},
		{name: "search all", method: "POST", path: search, header: h(), body: `{"size":1}`, wrong: "query"},
		{name: "close", method: "POST", path: status, header: h(), body: `{"signal_ids":["a1"],"status":"closed"}`},
		{name: "close two", method: "POST", path: status, header: h(), body: `{"signal_ids":["a1","a2"],"status":"closed"}`, wrong: "/signal_ids"},
		{name: "open again", method: "POST", path: status, header: h(), body: `{"signal_ids":["a1"],"status":"open"}`, wrong: "/status"},
		{name: "close by a query", method: "POST", path: status, header: h(), body: `{"query":{"match_all":{}},"status":"closed"}`, wrong: "signal_ids"},

		{name: "written", method: "PATCH", path: note, status: 200, answer: wrote},
		{name: "written in the older way", method: "PATCH", path: note, status: 200, answer: `{"data":{"persistNote":` + wrote + `}}`},
		{name: "written without its code", method: "PATCH", path: note, status: 200, answer: `{"message":"success","note":` + stored + `}`, wrong: `property "code" is missing`},
		{name: "notes", method: "GET", path: note, status: 200, answer: `{"totalCount":1,"notes":[` + stored + `]}`},
		{name: "notes uncounted", method: "GET", path: note, status: 200, answer: `{"notes":[]}`, wrong: "totalCount"},
		{name: "found", method: "POST", path: search, status: 200, answer: found},
		{name: "found without shards", method: "POST", path: search, status: 200, answer: `{"took":1,"timed_out":false,"hits":{"hits":[]}}`, wrong: "_shards"},
		{name: "changed", method: "POST", path: status, status: 200, answer: set},
		{name: "refused by Kibana", method: "PATCH", path: note, status: 403, answer: `{"statusCode":403,"error":"Forbidden","message":"m"}`},
		{name: "refused by its solution", method: "POST", path: status, status: 409, answer: `{"status_code":409,"message":"m"}`},
		{name: "refused without a number", method: "POST", path: status, status: 409, answer: `{"message":"m"}`, wrong: `property "status_code" is missing`},
	}
	for i := range all {
		all[i].spec = "kibana-alerts"
	}
	return all
}

func TestKibanaAlerts(t *testing.T) { judge(t, kibanaAlerts(t)) }
