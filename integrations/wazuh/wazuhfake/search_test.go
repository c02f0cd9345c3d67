package wazuhfake_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/wazuh/wazuhfake"
)

const newest = `"sort":[{"timestamp":{"order":"desc"}},{"id":"asc"}]`

// query is a search of the last day that fulfils conditions.
func query(conditions string) string {
	return `{"query":{"bool":{"filter":[{"range":{"timestamp":{"gte":"2026-11-29T13:00:00Z","lte":"2026-11-30T13:00:00Z"}}},` + conditions + `]}},` + newest + `}`
}

func (b *bench) searchIn(path, body string) answer {
	b.t.Helper()
	return b.send(http.MethodPost, b.index+path, body, func(r *http.Request) { r.SetBasicAuth("stanch", b.indexPasswords) })
}

func (b *bench) search(body string) answer {
	b.t.Helper()
	return b.searchIn("/wazuh-alerts-4.x-*/_search", body)
}

// eventData are a member of the event data of all hits.
func (a answer) eventData(name string) []any {
	hits, _ := a.at("hits", "hits").([]any)
	out := []any{}
	for i := range hits {
		out = append(out, a.at("hits", "hits", i, "_source", "data", "win", "eventdata", name))
	}
	return out
}

const on001 = `{"term":{"agent.id":"001"}}`

func TestSysmon(t *testing.T) {
	b := start(t, t, wazuhfake.Options{})
	a := b.search(query(on001 + `,{"term":{"data.win.system.eventID":"3"}},{"term":{"data.win.eventdata.destinationPort":53}}`))
	same(t, "a connection", []any{a.eventData("sourceIp"), a.eventData("sourcePort"), a.eventData("destinationIp"), a.eventData("protocol"), a.eventData("initiated"), a.eventData("processId")},
		[]any{[]string{"10.1.0.1"}, []string{"50123"}, []string{"198.51.100.7"}, []string{"udp"}, []string{"true"}, []string{"4100"}})
	doubled := strings.ReplaceAll(powershell, `\`, `\\`)
	same(t, "its image", a.eventData("image"), []string{doubled})
	same(t, "when", []any{a.at("hits", "hits", 0, "_source", "timestamp"), a.at("hits", "hits", 0, "_index")}, []any{"2026-11-30T11:59:00.000+0000", "wazuh-alerts-4.x-2026.11.30"})
	process := b.search(query(on001 + `,{"term":{"data.win.system.eventID":"1"}},{"term":{"data.win.eventdata.processGuid":"` + fmt.Sprint(a.eventData("processGuid")[0]) + `"}}`))
	same(t, "its process", []any{process.eventData("commandLine"), process.eventData("parentImage"), process.eventData("hashes"), process.eventData("user")},
		[]any{[]string{`powershell -File C:\\x\\send.ps1`}, []string{`C:\\Windows\\explorer.exe`}, []string{"SHA256=" + strings.Repeat("AB", 32)}, []string{`CORP\\kim`}})
	b.double.Change(func(o *wazuhfake.Options) {
		o.SingleBackslashes = true
		o.Respell = func(name string) string { return strings.ToUpper(name[:1]) + name[1:] }
		o.Missing = map[string]bool{"1": true}
	})
	a = b.search(query(on001 + `,{"exists":{"field":"data.win.eventdata.DestinationIp"}}`))
	same(t, "the other spelling", []any{a.at("hits", "total", "value"), a.eventData("Image")[0]}, []any{3, powershell})
	same(t, "events without a rule", b.search(query(on001+`,{"term":{"data.win.system.eventID":"1"}}`)).at("hits", "total", "value"), 0)
}

func TestScriptBlocks(t *testing.T) {
	b := start(t, t, wazuhfake.Options{BlockSize: 5})
	a := b.search(query(on001 + `,{"term":{"data.win.system.eventID":"4104"}}`))
	same(t, "the parts of a script, the last first", a.eventData("scriptBlockText"), []string{"end}", "(1){s", "while"})
}

func TestQueries(t *testing.T) {
	b := start(t, t, wazuhfake.Options{AllowUnbounded: true})
	for q, want := range map[string]int{
		`{"match_all":{}}`:                                                                                           6,
		`{"term":{"agent.name":"WS-0001"}}`:                                                                          6,
		`{"term":{"agent.name":{"value":"ws-0001"}}}`:                                                                0,
		`{"term":{"agent.name":{"value":"ws-0001","case_insensitive":true}}}`:                                        6,
		`{"match":{"agent.name":"WS-0001"}}`:                                                                         6,
		`{"match":{"agent.name":{"query":"WS"}}}`:                                                                    0, // keywords are not divided
		`{"terms":{"data.win.eventdata.destinationPort":["53",123]}}`:                                                2,
		`{"prefix":{"data.win.eventdata.destinationIp":"198.51.100."}}`:                                              3,
		`{"wildcard":{"data.win.eventdata.scriptBlockText":{"value":"*send*"}}}`:                                     1,
		`{"exists":{"field":"data.win.eventdata.scriptBlockText"}}`:                                                  1,
		`{"range":{"data.win.eventdata.destinationPort":{"gte":"123","lt":"53"}}}`:                                   2, // as text: 123, 443
		`{"range":{"rule.level":{"gte":3}}}`:                                                                         6,
		`{"range":{"timestamp":{"gte":"now-5m","lte":"now"}}}`:                                                       2,
		`{"range":{"@timestamp":{"gt":1796036400000,"format":"epoch_millis"}}}`:                                      3,
		`{"bool":{"must_not":{"term":{"data.win.system.eventID":"3"}}}}`:                                             3,
		`{"bool":{"should":[{"term":{"data.win.system.eventID":"1"}},{"term":{"data.win.system.eventID":"4104"}}]}}`: 3,
		`{"bool":{"filter":{"match_all":{}},"should":[{"term":{"agent.id":"x"}}]}}`:                                  6, // no condition
		`{"bool":{"filter":{"match_all":{}},"should":[{"term":{"agent.id":"x"}}],"minimum_should_match":1}}`:         0,
	} {
		a := b.search(`{"query":` + q + `,"size":100}`)
		same(t, q, []any{a.status, a.at("hits", "total", "value")}, []any{200, want})
	}
	for _, body := range []string{
		`{"query":{"terms":{"agent.id":"001"}}}`, `{"query":{"fuzzy":{"agent.id":"001"}}}`, `{"query":{"term":{"a":"b","c":"d"}}}`, `{"query":{}}`,
		`{"query":{"bool":{"filters":[]}}}`, `{"query":{"range":{"timestamp":{"from":"now"}}}}`, `{"query":{"range":{"timestamp":{"gte":"yesterday"}}}}`,
		`{"Query":{"match_all":{}}}`, `{"size":10001}`, `{"from":9999,"size":2}`, `{"size":-1}`, `{"search_after":[1]}`, `{"aggs":{}}`,
		`{"sort":[{"timestamp":{"order":"down"}}]}`, `{"query":{"term":{"agent.id":{"value":"1","boots":2}}}}`, `[`,
	} {
		if a := b.search(body); a.status != http.StatusBadRequest || a.at("error", "type") == nil {
			t.Errorf("%s: %d %s, want 400", body, a.status, a.text)
		}
	}
}

func TestPagesOfHits(t *testing.T) {
	b := start(t, t, wazuhfake.Options{AllowUnbounded: true})
	b.world.Change("003", func(h *edrtest.Host) {
		for i := range 25 {
			h.Connections = append(h.Connections, edrtest.Connection{At: b.clock().Add(-time.Hour), Tuple: tuple(1000+i, "192.0.2.1", 53, "udp")})
		}
	})
	where := `"query":{"term":{"agent.id":"003"}},"sort":[{"timestamp":"asc"},"id"]`
	hits, _ := b.search(`{`+where+`}`).at("hits", "hits").([]any)
	if len(hits) != 10 {
		t.Errorf("%d hits without a size, want the documented 10", len(hits))
	}
	seen, n := map[any]bool{}, 0
	after := ""
	for range 4 {
		a := b.search(`{` + where + after + `,"size":9,"_source":["data.win.eventdata.sourcePort"]}`)
		hits, _ := a.at("hits", "hits").([]any)
		for i := range hits {
			n++
			seen[a.eventData("sourcePort")[i]] = true
		}
		if len(hits) > 0 {
			sort, _ := a.at("hits", "hits", len(hits)-1, "sort").([]any)
			after = fmt.Sprintf(`,"search_after":[%.0f,%q]`, sort[0], sort[1])
		}
	}
	if len(seen) != 25 || n != 25 {
		t.Errorf("the pages held %d events in %d hits, want 25", len(seen), n)
	}
	source, _ := b.search(`{`+where+`,"size":1,"_source":"agent.*"}`).at("hits", "hits", 0, "_source").(map[string]any)
	same(t, "what was asked for", len(source), 1)
	same(t, "nothing", b.search(`{`+where+`,"size":1,"_source":false}`).at("hits", "hits", 0, "_source"), map[string]any{})
	same(t, "no count", b.search(`{`+where+`,"track_total_hits":false}`).at("hits", "total"), nil)
	b.double.Change(func(o *wazuhfake.Options) { o.FailedShards = 1; o.TimedOut = true })
	a := b.search(`{` + where + `,"size":20}`)
	hits, _ = a.at("hits", "hits").([]any)
	same(t, "hits of half the shards", []any{len(hits), a.at("_shards", "failed"), a.at("timed_out"), a.at("hits", "total", "value")}, []any{10, 1, true, 25})
}

func TestIndices(t *testing.T) {
	b := start(t, t, wazuhfake.Options{AllowUnbounded: true})
	all := `{"query":{"match_all":{}}}`
	for path, want := range map[string]int{
		"/wazuh-alerts-4.x-2026.11.30/_search": 6, "/wazuh-alerts-4.x-2026.11.29/_search": 404, "/wazuh-alerts-5.x-*/_search": 0,
		"/wazuh-alerts-*/_search?ignore_unavailable=true": 6, "/wazuh-alerts-*/_search?q=x": 400,
	} {
		a := b.searchIn(path, all)
		if got := a.at("hits", "total", "value"); a.status != want && got != float64(want) {
			t.Errorf("%s: %d %s, want %d", path, a.status, a.text, want)
		}
	}
	info := b.send(http.MethodGet, b.index+"/", "", func(r *http.Request) { r.SetBasicAuth("stanch", "secret") })
	same(t, "the indexer", info.at("version", "distribution"), "opensearch")
	b.indexPasswords = "guess"
	if a := b.search(all); a.status != http.StatusUnauthorized {
		t.Errorf("a wrong password: %d, want 401", a.status)
	}
}

func TestUnboundedSearchFailsTheTest(t *testing.T) {
	r := &recorder{TB: t}
	b := start(t, r, wazuhfake.Options{})
	in := `{"range":{"timestamp":{"gte":"now-1d"}}}`
	for search, want := range map[string]int{
		`{"query":{"bool":{"filter":[` + in + `,` + on001 + `]}}}`:                                                                    0,
		`{"query":{"bool":{"must":[` + in + `,{"terms":{"agent.name":["WS-0001"]}}]}}}`:                                               0,
		`{"query":{"bool":{"filter":` + in + `,"should":[` + on001 + `,{"term":{"agent.ip":"10.1.0.1"}}],"minimum_should_match":1}}}`: 0,
		`{}`: 1, `{"query":` + on001 + `}`: 1, `{"query":` + in + `}`: 1, `{"query":{"bool":{"filter":[` + on001 + `,{"range":{"timestamp":{"lte":"now"}}}]}}}`: 1,
		`{"query":{"bool":{"filter":` + in + `,"must_not":` + on001 + `}}}`: 1,
		`{"query":{"bool":{"filter":` + in + `,"should":` + on001 + `}}}`:   1,
	} {
		r.reported = nil
		if a := b.search(search); a.status != http.StatusOK || len(r.reported) != want {
			t.Errorf("%s: %d, %d reports, want %d", search, a.status, len(r.reported), want)
		}
	}
}
