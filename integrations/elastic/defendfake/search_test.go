package defendfake_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/elastic/defendfake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	network    = "/logs-endpoint.events.network-*/_search"
	processes  = "/logs-endpoint.events.process-*/_search"
	sysmon     = "/logs-windows.sysmon_operational-*/_search"
	powershell = "/logs-windows.powershell_operational-*/_search"
	// bounded is what every honest search has.
	bounded = `{"term":{"agent.id":"` + web + `"}},{"range":{"@timestamp":{"gte":"2026-11-30T11:00:00Z","lt":"2026-11-30T12:00:00Z"}}}`
)

// search asks for documents that meet more than [bounded] clauses.
func (c *client) search(path, more, rest string) answer {
	c.tb.Helper()
	return c.post(path, `{"query":{"bool":{"filter":[`+strings.TrimSuffix(bounded+","+more, ",")+`]}}`+rest+`}`)
}

// actions are the events that a search finds.
func actions(a answer, path ...any) []any {
	out := []any{}
	for i := range a.list("hits", "hits") {
		out = append(out, a.at(append([]any{"hits", "hits", i, "_source"}, path...)...))
	}
	return out
}

func TestSearchNetwork(t *testing.T) {
	_, _, c := hosts(t, defendfake.Options{})
	a := c.search(network, `{"term":{"event.action":"disconnect_received"}}`, `,"sort":[{"@timestamp":"asc"}]`)
	want(t, a, http.StatusOK, `"relation":"eq"`)
	same(t, "the shards", a.at("_shards"), map[string]int{"total": 1, "successful": 1, "skipped": 0, "failed": 0})
	at := func(path ...any) any { return a.at(append([]any{"hits", "hits"}, path...)...) }
	same(t, "an outgoing connection", []any{at(0, "_source", "source", "bytes"), at(0, "_source", "destination", "bytes"), at(0, "_source", "network", "direction"), at(0, "_source", "process", "pid"), at(0, "_source", "user", "name"), at(0, "sort", 0)},
		[]any{9_000_000, 1_000, "egress", 4242, "anna", noon().Add(-20 * time.Minute).UnixMilli()})
	same(t, "an incoming one: who began it is the source", []any{at(1, "_source", "source", "ip"), at(1, "_source", "source", "bytes"), at(1, "_source", "destination", "bytes"), at(1, "_source", "network", "direction")},
		[]any{"10.0.0.77", 20, 30, "ingress"})
	same(t, "the index", at(0, "_index"), ".ds-logs-endpoint.events.network-default-2026.11.01-000001")
	a = c.search(network, `{"terms":{"event.action":["connection_attempted","connection_accepted"]}}`, "")
	for i := range a.list("hits", "hits") {
		same(t, "the bytes of a begin", at(i, "_source", "source", "bytes"), nil)
	}
	same(t, "the begins", actions(a, "event", "action"), []string{"connection_attempted", "connection_accepted"})
	same(t, "the flows of UDP", actions(c.search(network, `{"term":{"network.transport":"udp"}}`, ""), "event", "action"), []string{"udp_flow_outbound", "udp_flow_ended"})
	_, _, old := hosts(t, defendfake.Options{TCPOnly: true})
	same(t, "of an old agent", actions(old.search(network, `{"term":{"network.transport":"udp"}}`, ""), "event", "action"), []string{})
	_, _, all := hosts(t, defendfake.Options{AllowUnbounded: true})
	if got := all.post(network, `{}`).at("hits", "total", "value"); fmt.Sprint(got) != "8" {
		t.Errorf("a search for everything finds %v events, want those of all hosts, 8", got)
	}
}

func TestDeduplication(t *testing.T) {
	w, _ := hospital(t)
	w.Change(web, func(h *edrtest.Host) {
		again := h.Connections[0]
		again.At, again.SrcPort, again.BytesOut, again.BytesIn = again.At.Add(time.Minute), again.SrcPort+1, 10, 10
		h.Connections = append(h.Connections, again)
	})
	for below, n := range map[int64]int{0: 2, 1_000: 1} {
		_, c := serve(t, w, defendfake.Options{DeduplicateBelow: below})
		a := c.search(network, `{"term":{"event.action":"connection_attempted"}}`, "")
		same(t, fmt.Sprintf("the connections without those below %d", below), len(a.list("hits", "hits")), n)
	}
}

// The parts of the query language, each with how many events of the network it
// finds among the six of the host.
func TestQueries(t *testing.T) {
	_, _, c := hosts(t, defendfake.Options{})
	for query, n := range map[string]int{
		``:                                    6,
		`{"match_all":{}}`:                    6,
		`{"match_none":{}}`:                   0,
		`{"term":{"destination.port":443}}`:   2,
		`{"term":{"destination.port":"443"}}`: 2,
		`{"term":{"destination.port":{"value":53}}}`:                                                           2,
		`{"term":{"destination.ip":"198.51.100.0/24"}}`:                                                        4,
		`{"term":{"process.name":"PowerShell.exe"}}`:                                                           0,
		`{"term":{"process.name":{"value":"PowerShell.exe","case_insensitive":true}}}`:                         4,
		`{"term":{"process.name.caseless":"powershell.exe"}}`:                                                  4,
		`{"term":{"nothing":"x"}}`:                                                                             0,
		`{"terms":{"destination.port":[443,445]}}`:                                                             4,
		`{"exists":{"field":"source.bytes"}}`:                                                                  3,
		`{"exists":{"field":"source.nothing"}}`:                                                                0,
		`{"wildcard":{"process.executable":{"value":"C:\\Windows\\Sys*"}}}`:                                    4,
		`{"prefix":{"process.name":"expl"}}`:                                                                   2,
		`{"match":{"message":"endpoint NETWORK"}}`:                                                             6,
		`{"term":{"message":"network"}}`:                                                                       6,
		`{"term":{"message":"Endpoint network event"}}`:                                                        0,
		`{"range":{"destination.port":{"gt":53,"lte":443}}}`:                                                   2,
		`{"range":{"@timestamp":{"gte":"now-15m"}}}`:                                                           4,
		`{"range":{"@timestamp":{"gte":"now-15m/h"}}}`:                                                         6,
		`{"range":{"@timestamp":{"lt":1796038800000,"format":"epoch_millis"}}}`:                                0,
		`{"range":{"@timestamp":{"gt":"2026-11-30T11:40:00.000Z"}}}`:                                           4,
		`{"bool":{"must":{"term":{"destination.port":443}},"must_not":[{"exists":{"field":"source.bytes"}}]}}`: 1,
		`{"bool":{"should":[{"term":{"destination.port":443}},{"term":{"destination.port":53}}]}}`:             4,
		// Next to a filter a should alone chooses nothing.
		`{"bool":{"filter":[{"match_all":{}}],"should":[{"term":{"destination.port":443}}]}}`:                              6,
		`{"bool":{"filter":[{"match_all":{}}],"should":[{"term":{"destination.port":443}}],"minimum_should_match":1}}`:     2,
		`{"bool":{"should":[{"term":{"destination.port":443}},{"term":{"process.pid":4242}}],"minimum_should_match":"2"}}`: 2,
		`{"term":{"host.ip":"10.0.0.5"}}`:                 6, // one of several
		`{"term":{"host.name":"WEB1"}}`:                   6,
		`{"term":{"event.category":"network"}}`:           6,
		`{"term":{"process.code_signature.exists":true}}`: 6,
	} {
		a := c.search(network, query, "")
		same(t, "the events that "+query+" finds", a.at("hits", "total", "value"), n)
	}
	id := c.search(network, "", "").at("hits", "hits", 0, "_id").(string)
	same(t, "by id", c.search(network, `{"ids":{"values":["`+id+`"]}}`, "").at("hits", "total", "value"), 1)
	for body, words := range map[string]string{
		`{"query":{"regexp":{"a":"b"}}}`:                         "unknown query [regexp]",
		`{"query":{}}`:                                           "query malformed",
		`{"query":{"bool":{"filters":[]}}}`:                      "[bool] query does not support [filters]",
		`{"query":{"term":{"a":{"values":"b"}}}}`:                "[term] query does not support [values]",
		`{"query":{"term":{"a":null}}}`:                          "value cannot be null",
		`{"query":{"terms":{"a":"b"}}}`:                          "[terms] query requires a list",
		`{"query":{"range":{"@timestamp":{"gte":"yesterday"}}}}`: "failed to parse date field [yesterday]",
		`{"query":{"range":{"@timestamp":{"from":1}}}}`:          "[range] query does not support [from]",
		`{"size":-1}`:    "cannot be negative",
		`{"size":"x"}`:   "Failed to parse [size]",
		`{"size":10001}`: "Result window is too large",
		`{"aggs":{}}`:    "unknown key [aggs]",
		`{"sort":[{"@timestamp":{"order":"up"}}]}`:            "unknown field [order]",
		`{"sort":["nothing"]}`:                                "all shards failed",
		`{"search_after":[1]}`:                                "Sort must contain at least one field",
		`{"sort":["@timestamp"],"search_after":[1,2]}`:        "search_after has 2 value(s) but sort has 1",
		`{"sort":["@timestamp"],"search_after":[1],"from":1}`: "must be set to 0",
		`{"track_total_hits":"yes"}`:                          "[track_total_hits]",
		`{"fields":"a"}`:                                      "[fields] is no list",
		`{"fields":[{}]}`:                                     "without [field]",
		`{"_source":1}`:                                       "[_source]",
		`{"query":`:                                           "parsing_exception",
	} {
		_, _, free := hosts(t, defendfake.Options{AllowUnbounded: true})
		want(t, free.post(network, body), http.StatusBadRequest, words)
	}
}

// A search that only looks whether there is anything needs no host, and a short time.
func TestLooks(t *testing.T) {
	const minutes, hours = `{"range":{"@timestamp":{"gte":"now-15m","lte":"now"}}}`, `{"range":{"@timestamp":{"gte":"now-2h"}}}`
	for body, bad := range map[string]bool{
		`{"size":1,"track_total_hits":0,"query":` + minutes + `}`:                               false,
		`{"size":1,"track_total_hits":false,"query":{"bool":{"filter":[` + minutes + `]}}}`:     false,
		`{"size":2,"track_total_hits":0,"query":` + minutes + `}`:                               true,
		`{"size":1,"query":` + minutes + `}`:                                                    true,
		`{"track_total_hits":0,"query":` + minutes + `}`:                                        true,
		`{"size":1,"track_total_hits":0,"query":` + hours + `}`:                                 true,
		`{"size":1,"track_total_hits":0,"query":{"range":{"@timestamp":{"lte":"now"}}}}`:        true,
		`{"size":1,"track_total_hits":0,"query":{"bool":{"must_not":[` + minutes + `]}}}`:       true,
		`{"size":1,"track_total_hits":0,"query":{"range":{"event.created":{"gte":"now-15m"}}}}`: true,
	} {
		w, _ := hospital(t)
		watched := &watch{TB: t}
		_, c := serve(watched, w, defendfake.Options{})
		want(t, c.post(network, body), http.StatusOK, "hits")
		same(t, "the complaint about "+body, watched.complaints() > 0, bad)
	}
}

// A search that is bounded by no host or no time fails the test.
func TestBounds(t *testing.T) {
	for query, bad := range map[string]bool{
		`{"bool":{"filter":[` + bounded + `]}}`:                                                           false,
		`{"bool":{"must":[` + bounded + `]}}`:                                                             false,
		`{"bool":{"should":[` + bounded + `]}}`:                                                           true,
		`{"bool":{"filter":[{"term":{"agent.id":"` + web + `"}}]}}`:                                       true,
		`{"bool":{"filter":[{"range":{"@timestamp":{"gte":"now-1h"}}}]}}`:                                 true,
		`{"bool":{"filter":[{"term":{"agent.id":"` + web + `"}},{"range":{"@timestamp":{"lt":"now"}}}]}}`: true,
		`{"bool":{"filter":[{"wildcard":{"host.name":"W*"}},{"range":{"@timestamp":{"gte":"now-1h"}}}]}}`: true,
		`{"bool":{"must_not":[` + bounded + `]}}`:                                                         true,
		`{"bool":{"filter":[{"range":{"@timestamp":{"gte":"now-1h"}}},{"bool":{"should":[{"term":{"host.name":"WEB1"}},{"term":{"host.id":"x"}}]}}]}}`:   false,
		`{"bool":{"filter":[{"range":{"@timestamp":{"gte":"now-1h"}}},{"bool":{"should":[{"term":{"host.name":"WEB1"}},{"term":{"user.name":"x"}}]}}]}}`: true,
	} {
		w, _ := hospital(t)
		watched := &watch{TB: t}
		_, c := serve(watched, w, defendfake.Options{})
		want(t, c.post(network, `{"query":`+query+`}`), http.StatusOK, "hits")
		same(t, "the complaint about "+query, watched.complaints() > 0, bad)
	}
	w, _ := hospital(t)
	watched := &watch{TB: t}
	_, c := serve(watched, w, defendfake.Options{})
	want(t, c.post("/_search", ``), http.StatusOK, "hits")
	same(t, "the complaint about a search without a body", watched.complaints(), 1)
}

func TestSourceAndFields(t *testing.T) {
	_, _, c := hosts(t, defendfake.Options{})
	hit := func(rest string) map[string]any {
		h, _ := c.search(network, `{"term":{"event.action":"disconnect_received"}}`, rest).at("hits", "hits", 0).(map[string]any)
		return h
	}
	h := hit(`,"_source":false,"fields":["source.*",{"field":"@timestamp","format":"epoch_millis"},"event.type"]`)
	same(t, "the source", h["_source"], nil)
	same(t, "the fields", h["fields"], map[string]any{
		"source.ip": []string{"10.0.0.5"}, "source.address": []string{"10.0.0.5"}, "source.port": []int{50_000}, "source.bytes": []int{9_000_000},
		"@timestamp": []string{fmt.Sprint(noon().Add(-20 * time.Minute).UnixMilli())}, "event.type": []string{"end"},
	})
	same(t, "some of the source", hit(`,"_source":["process.pid","destination"]`)["_source"], map[string]any{
		"process": map[string]any{"pid": 4242}, "destination": map[string]any{"ip": "198.51.100.7", "address": "198.51.100.7", "port": 443, "bytes": 1_000},
	})
	same(t, "without some", hit(`,"_source":{"includes":"x","excludes":["p*","a*","d*","e*","h*","n*","s*","m*","u*"]}`)["_source"], map[string]any{"@timestamp": "2026-11-30T11:40:00Z"})
}

// Ten documents are a page that asks for none. The next page follows the sorting
// of the last document; of documents that are sorted alike, it loses some.
func TestPagesOfDocuments(t *testing.T) {
	w, _ := hospital(t)
	at := noon().Add(-15 * time.Minute)
	w.Change(web, func(h *edrtest.Host) {
		for i := range 12 {
			h.Connections = append(h.Connections, edrtest.Connection{At: at, Process: h.Processes[1], Tuple: incident.Tuple{SrcIP: "10.0.0.5", SrcPort: 2000 + i, DstIP: "203.0.113.9", DstPort: 80, Transport: "tcp"}})
		}
	})
	_, c := serve(t, w, defendfake.Options{CountedHits: 5})
	const only = `{"term":{"destination.port":80}},{"term":{"event.action":"connection_attempted"}}`
	a := c.search(network, only, "")
	same(t, "the page", []any{len(a.list("hits", "hits")), a.at("hits", "total")}, []any{10, map[string]any{"value": 5, "relation": "gte"}})
	same(t, "counted", c.search(network, only, `,"track_total_hits":true`).at("hits", "total"), map[string]any{"value": 12, "relation": "eq"})
	same(t, "not counted", c.search(network, only, `,"track_total_hits":false`).at("hits", "total"), nil)
	a = c.search(network, `{"exists":{"field":"source.bytes"}}`, `,"size":100,"sort":[{"source.ip":"desc"}]`)
	same(t, "by address", []any{a.at("hits", "hits", 0, "sort", 0), a.at("hits", "hits", 1, "sort", 0)}, []string{"10.0.0.77", "10.0.0.5"})
	a = c.search("/logs-endpoint.*/_search", "", `,"size":100,"terminate_after":2,"sort":[{"@timestamp":"desc"}]`)
	same(t, "ended early", []any{a.at("terminated_early"), len(a.list("hits", "hits"))}, []any{true, 4})
	a = c.search(network, `{"match_none":{}}`, `,"terminate_after":2`)
	same(t, "not ended early", a.at("terminated_early"), false)
	same(t, "from", len(c.search(network, only, `,"from":10`).list("hits", "hits")), 2)
	all := map[any]bool{}
	after := ""
	for range 3 {
		a := c.search(network, only, `,"size":5,"sort":[{"@timestamp":"asc"},{"source.port":{"order":"desc"}}]`+after)
		for i := range a.list("hits", "hits") {
			all[a.at("hits", "hits", i, "sort", 1)] = true
			after = fmt.Sprintf(`,"search_after":[%.0f,%.0f]`, a.at("hits", "hits", i, "sort", 0), a.at("hits", "hits", i, "sort", 1))
		}
	}
	same(t, "all documents", len(all), 12)
	a = c.search(network, only, fmt.Sprintf(`,"size":5,"sort":["@timestamp"],"search_after":[%d]`, at.UnixMilli()))
	same(t, "the documents after the time that all have", len(a.list("hits", "hits")), 0)
	pit := c.post("/logs-endpoint.events.network-*/_pit?keep_alive=1m", "").at("id").(string)
	seen := map[any]bool{}
	after = ""
	for range 3 {
		a := c.search("/_search", only, `,"size":5,"sort":[{"@timestamp":{"order":"asc","format":"strict_date_optional_time_nanos"}}],"pit":{"id":"`+pit+`","keep_alive":"1m"}`+after)
		same(t, "the point in time", a.at("pit_id"), pit)
		for i := range a.list("hits", "hits") {
			seen[a.at("hits", "hits", i, "_id")] = true
			after = fmt.Sprintf(`,"search_after":["%s","%s"]`, a.at("hits", "hits", i, "sort", 0), a.at("hits", "hits", i, "sort", 1))
		}
	}
	same(t, "all documents of a point in time", len(seen), 12)
	want(t, c.do(http.MethodDelete, "/_pit", `{"id":"`+pit+`"}`), http.StatusOK, `"succeeded":true`)
	want(t, c.do(http.MethodDelete, "/_pit", `{"id":"`+pit+`"}`), http.StatusNotFound, "No search context")
	want(t, c.search("/_search", only, `,"pit":{"id":"`+pit+`"}`), http.StatusNotFound, "No search context")
	want(t, c.search(network, only, `,"pit":{"id":"`+pit+`"}`), http.StatusBadRequest, "cannot be used with point in time")
	want(t, c.post("/logs-*/_pit", ""), http.StatusBadRequest, "keep_alive")
}

// A part of a search can fail within an answer that is good.
func TestPartialAnswers(t *testing.T) {
	_, d, c := hosts(t, defendfake.Options{})
	d.SetPartial(defendfake.ShardsFailed)
	a := c.search(network, "", "")
	same(t, "the failed shards", []any{a.status, a.at("_shards", "failed"), a.at("timed_out"), a.at("hits", "total", "value")}, []any{200, 1, false, 3})
	want(t, a, http.StatusOK, "no_shard_available_action_exception")
	want(t, c.search(network+"?allow_partial_search_results=false", "", ""), http.StatusServiceUnavailable, "Partial shards failure")
	d.SetPartial(defendfake.TimedOut)
	a = c.search(network, "", "")
	same(t, "the time", []any{a.at("timed_out"), a.at("_shards", "failed")}, []any{true, 0})
	d.SetPartial(defendfake.Whole)
	same(t, "the whole", c.search(network+"?allow_partial_search_results=false", "", "").at("hits", "total", "value"), 6)
	a = c.search("/logs-endpoint.*/_search", "", `,"sort":["destination.port"]`)
	same(t, "an index without the field", []any{a.at("_shards", "failed"), a.at("hits", "total", "value")}, []any{1, 6})
	a = c.search("/logs-endpoint.*/_search", "", `,"sort":[{"destination.port":{"unmapped_type":"long"}}]`)
	same(t, "the same with a type", []any{a.at("_shards", "failed"), a.at("hits", "total", "value")}, []any{0, 8})
}

func TestIndices(t *testing.T) {
	w, _ := hospital(t)
	key := defendfake.Administrator()
	_, c := serve(t, w, defendfake.Options{Streams: []string{"logs-endpoint.events.network-default", "logs-endpoint.events.process-default"}})
	want(t, c.search("/winlogbeat-8.19.7/_search", "", ""), http.StatusNotFound, "no such index [winlogbeat-8.19.7]")
	want(t, c.search("/winlogbeat-8.19.7/_search?ignore_unavailable=true", "", ""), http.StatusOK, `"total":0`)
	want(t, c.search("/winlogbeat-*/_search", "", ""), http.StatusOK, `"value":0`)
	want(t, c.search("/winlogbeat-*/_search?allow_no_indices=false", "", ""), http.StatusNotFound, "no such index [winlogbeat-*]")
	same(t, "two indices", c.search("/logs-endpoint.events.network-default,logs-endpoint.events.process-*/_search", "", "").at("hits", "total", "value"), 8)
	same(t, "all but one", c.search("/logs-*,-logs-endpoint.events.process-*/_search", "", "").at("hits", "total", "value"), 6)
	key.Indices = []string{"logs-endpoint.events.network-*"}
	_, c = serve(t, w, defendfake.Options{Credentials: []defendfake.Credential{key}})
	want(t, c.search("/logs-endpoint.events.process-default/_search", "", ""), http.StatusForbidden, "action [indices:data/read/search] is unauthorized for user [stanch]")
	same(t, "a pattern passes by what may not be read", c.search("/logs-endpoint.*/_search", "", "").at("hits", "total", "value"), 6)
	key.Indices = nil
	_, c = serve(t, w, defendfake.Options{Credentials: []defendfake.Credential{key}})
	want(t, c.search(network, "", ""), http.StatusForbidden, "security_exception")
	want(t, c.post("/logs-*/_count", ""), http.StatusBadRequest, "no handler found")
	want(t, c.with("Content-Type", "text/plain").post("/_search", "{}"), http.StatusNotAcceptable, "media_type_header_exception")
}
