package sentinelonefake_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/sentinelone/sentinelonefake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const queries = "/sdl/v2/api/queries"

// edr is what makes a query find the events of agents.
const edr = "dataSource.name='SentinelOne' dataSource.category='security' "

func body(text string, more map[string]any) string {
	b := map[string]any{
		"queryType": "PQ", "tenant": true, "startTime": "2026-11-30T09:00:00Z", "endTime": "2026-11-30T12:00:00Z",
		"pq": map[string]any{"query": text, "resultType": "TABLE"},
	}
	for name, v := range more {
		if b[name] = v; v == nil {
			delete(b, name)
		}
	}
	out, _ := json.Marshal(b)
	return string(out)
}

const tagHeader = "X-Dataset-Query-Forward-Tag"

// ask runs a query to its end and returns its last answer.
func (b *bench) ask(text string, more map[string]any) answer {
	b.t.Helper()
	a := b.do(http.MethodPost, queries, body(text, more))
	for range 10 {
		id, _ := a.at("id").(string)
		if a.status != http.StatusOK || a.at("data") != nil || a.at("error") != nil {
			if id != "" {
				b.do(http.MethodDelete, queries+"/"+id, "", tagHeader, a.header.Get(tagHeader))
			}
			return a
		}
		b.pass(time.Second)
		a = b.do(http.MethodGet, queries+"/"+id+"?lastStepSeen=0", "", tagHeader, a.header.Get(tagHeader))
	}
	b.t.Fatalf("the query does not end: %s", a.text)
	return a
}

func TestQueryLifeCycle(t *testing.T) {
	b := start(t, t, sentinelonefake.Options{})
	text := edr + "endpoint.name='WS-0001' event.type='IP Connect' | columns src.process.pid, dst.ip.address"
	a := b.do(http.MethodPost, queries, body(text, nil))
	same(t, "the first answer", []any{a.at("stepsCompleted"), a.at("stepsTotal"), a.at("data")}, []any{0, 0, nil})
	id, _ := a.at("id").(string)
	first := a.header.Get(tagHeader)
	poll := func(tag, step string) answer { return b.do(http.MethodGet, queries+"/"+id+step, "", tagHeader, tag) }
	if a := poll("", "?lastStepSeen=0"); a.status != http.StatusNotFound {
		t.Errorf("without the tag: %d, want 404", a.status)
	}
	if a := poll(first, ""); a.status != http.StatusBadRequest {
		t.Errorf("without lastStepSeen: %d, want 400", a.status)
	}
	b.pass(time.Second)
	a = poll(first, "?lastStepSeen=0")
	second := a.header.Get(tagHeader)
	same(t, "the second answer", []any{a.at("stepsCompleted"), a.at("stepsTotal"), a.at("data")}, []any{1, 2, nil})
	if a := poll(first, "?lastStepSeen=1"); a.status != http.StatusNotFound || first == second {
		t.Errorf("with the tag of before: %d, want 404", a.status)
	}
	b.pass(time.Second)
	a = poll(second, "?lastStepSeen=1")
	same(t, "the rows", a.at("data", "values"), []any{[]any{4100, "198.51.100.7"}})
	same(t, "the columns", a.at("data", "columns", 1, "name"), "dst.ip.address")
	if n := b.double.OpenQueries(); n != 1 {
		t.Errorf("%d queries are open, want one", n)
	}
	if a := b.do(http.MethodDelete, queries+"/"+id, "", tagHeader, a.header.Get(tagHeader)); a.status != http.StatusNoContent {
		t.Errorf("delete: %d, want 204", a.status)
	}
	if b.double.OpenQueries() != 0 || b.double.Queries()[0] != text {
		t.Errorf("open: %d, launched: %q", b.double.OpenQueries(), b.double.Queries())
	}
}

func TestQueryDies(t *testing.T) {
	b := start(t, t, sentinelonefake.Options{})
	a := b.do(http.MethodPost, queries, body(edr+"endpoint.name='WS-0001' | limit 1", nil))
	id, _ := a.at("id").(string)
	b.pass(31 * time.Second)
	if a := b.do(http.MethodGet, queries+"/"+id+"?lastStepSeen=0", "", tagHeader, a.header.Get(tagHeader)); a.status != http.StatusNotFound {
		t.Errorf("31 s after the launch: %d, want 404", a.status)
	}
	if b.double.OpenQueries() != 0 {
		t.Error("a dead query is open")
	}
}

func TestQueryAuthorization(t *testing.T) {
	b := start(t, t, sentinelonefake.Options{})
	launch := func(auth string) answer {
		return b.do(http.MethodPost, queries, body(edr+"endpoint.name='x' | limit 1", nil), "Authorization", auth)
	}
	a := launch("ApiToken s1-token")
	same(t, "the answer to ApiToken", []any{a.status, a.at()}, []any{500, `Header must start with Bearer, but actually starts with "ApiTok"`})
	if a := launch("Bearer no"); a.status != http.StatusUnauthorized {
		t.Errorf("a wrong token: %d, want 401", a.status)
	}
	b.double.Change(func(o *sentinelonefake.Options) { o.Permissions = []string{} })
	if a := launch("Bearer s1-token"); a.status != http.StatusForbidden {
		t.Errorf("without the permission: %d, want 403", a.status)
	}
}

func TestThreeQueriesASecond(t *testing.T) {
	b := start(t, t, sentinelonefake.Options{Steps: -1})
	launch := func() int { return b.do(http.MethodPost, queries, body(edr+"endpoint.name='x' | limit 1", nil)).status }
	got := []int{launch(), launch(), launch(), launch()}
	b.pass(time.Second)
	same(t, "four in a second and one later", append(got, launch()), []int{200, 200, 200, 429, 200})
	b.double.Change(func(o *sentinelonefake.Options) { o.Unlimited = true })
	for range 5 {
		if s := launch(); s != http.StatusOK {
			t.Errorf("without the limit: %d", s)
		}
	}
}

func TestQueryBodies(t *testing.T) {
	b := start(t, t, sentinelonefake.Options{Unlimited: true, Steps: -1})
	text := edr + "endpoint.name='WS-0001' | limit 1"
	for want, more := range map[string]map[string]any{
		"Query type must be specified":                         {"queryType": nil},
		"Unexpected value 'LOG'":                               {"pq": map[string]any{"query": text, "resultType": "LOG"}},
		"tenant=false should be used when querying accountIds": {"accountIds": []string{sentinelonefake.AccountID}},
		"pq.query must be specified":                           {"pq": nil},
		"limit: Unknown field.":                                {"limit": 5},
		"Unexpected value 'SOON'":                              {"queryPriority": "SOON"},
		`startTime: parsing time "" as "2006-01-02T15:04:05.999999999Z07:00": cannot parse "" as "2006"`: {"startTime": nil},
	} {
		if a := b.do(http.MethodPost, queries, body(text, more)); a.status != http.StatusBadRequest || a.at("message") != want {
			t.Errorf("%v: %d %s, want 400 with %q", more, a.status, a.text, want)
		}
	}
	for name, more := range map[string]map[string]any{
		"no scope": {"tenant": nil}, "another account": {"tenant": false, "accountIds": []string{"1"}},
	} {
		a := b.ask(text, more)
		same(t, "what a query with "+name+" finds, without a word", []any{a.status, a.at("data", "matchCount")}, []any{200, 0})
	}
	a := b.ask(text, map[string]any{"tenant": false, "accountIds": []string{sentinelonefake.AccountID}, "startTime": "3h"})
	if n, _ := a.at("data", "matchCount").(float64); n == 0 {
		t.Errorf("with the account: %s", a.text)
	}
	same(t, "what a query without the data source finds", b.ask("endpoint.name='WS-0001' | limit 1", nil).at("data", "matchCount"), 0)
	b.double.Change(func(o *sentinelonefake.Options) { o.AnyDataSource = true })
	if n, _ := b.ask("endpoint.name='WS-0001' | limit 1", nil).at("data", "matchCount").(float64); n == 0 {
		t.Error("nothing is found where the store holds nothing else")
	}
}

// Rows that were cut off are told of beside them only.
func TestThousandRows(t *testing.T) {
	b := start(t, t, sentinelonefake.Options{Unlimited: true, Steps: -1})
	b.world.Change(ws1, func(h *edrtest.Host) {
		for i := range 1200 {
			h.Connections = append(h.Connections, edrtest.Connection{
				At:    time.Date(2026, 11, 30, 11, 0, 0, i, time.UTC),
				Tuple: incident.Tuple{SrcIP: "10.1.0.1", SrcPort: 1024 + i, DstIP: "198.51.100.9", DstPort: 123, Transport: "udp"},
			})
		}
	})
	text := edr + "agent.uuid='" + sentinelonefake.UUID(ws1) + "' dst.port.number=123 | columns src.port.number"
	a := b.ask(text, nil)
	rows, _ := a.at("data", "values").([]any)
	advice, _ := a.at("data", "recommendations").([]any)
	same(t, "rows, matches and recommendations", []any{len(rows), a.at("data", "matchCount"), len(advice)}, []any{1000, 1200, 1})
	a = b.ask(text+" | limit 5000", nil)
	rows, _ = a.at("data", "values").([]any)
	advice, _ = a.at("data", "recommendations").([]any)
	same(t, "rows and recommendations with a limit", []any{len(rows), len(advice)}, []any{1200, 0})
	b.double.Change(func(o *sentinelonefake.Options) { o.QueryCut, o.Nulls = true, true })
	a = b.ask(text+" | limit 10", nil)
	rows, _ = a.at("data", "values").([]any)
	same(t, "a query that ran out of time", []any{len(rows), a.at("data", "partialResultsDueToTimeLimit"), a.at("data", "recommendations")}, []any{5, true, nil})
	b.double.Change(func(o *sentinelonefake.Options) { o.QueryFails = "shard is gone" })
	a = b.ask(text, nil)
	same(t, "an error within a 200", []any{a.status, a.at("error", "message"), a.at("data")}, []any{200, "shard is gone", nil})
}

func TestOlderStore(t *testing.T) {
	b := start(t, t, sentinelonefake.Options{Unlimited: true, Steps: -1, Older: true})
	a := b.ask(edr+"endpoint.name='WS-0001' event.type='IP Connect' | columns dst.port.number", nil)
	same(t, "a number in a column of strings", a.at("data", "values", 0, 0), "53")
	same(t, "the old name of the steps", []any{a.at("totalSteps"), a.at("stepsTotal")}, []any{1, nil})
}

func TestUnboundedQueryFailsTheTest(t *testing.T) {
	r := &recorder{TB: t}
	b := start(t, r, sentinelonefake.Options{Unlimited: true, Steps: -1})
	for _, text := range []string{
		edr + "event.type=* | group n=count() by endpoint.name", edr + "endpoint.name='WS-0001' or dst.port.number=53 | limit 1",
		edr + "!(endpoint.name='WS-0001') | limit 1", edr + "| group n=count() by endpoint.name | filter endpoint.name='WS-0001'",
	} {
		r.reported = nil
		if a := b.ask(text, nil); a.status != http.StatusOK || len(r.reported) != 1 {
			t.Errorf("%s: %d, %d reports, want one", text, a.status, len(r.reported))
		}
	}
	r.reported = nil
	b.ask(edr+"| filter endpoint.name in ('WS-0001','DC-01') | limit 1", nil)
	b.ask(edr+"(src.ip.address='10.1.0.1' or endpoint.name='DC-01') | limit 1", nil)
	b.double.Change(func(o *sentinelonefake.Options) { o.AllowUnbounded = true })
	b.ask(edr+"event.type=* | limit 1", nil)
	if len(r.reported) != 0 {
		t.Errorf("reported %q", r.reported)
	}
}
