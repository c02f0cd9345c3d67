package defendfake_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/elastic/defendfake"
)

// where is what every honest query begins with.
const where = `FROM logs-endpoint.events.network-* | WHERE agent.id == "` + web + `" AND @timestamp >= "2026-11-30T11:00:00Z" AND @timestamp < "2026-11-30T12:00:00Z" `

// query runs a query of ES|QL, with what else its body holds.
func (c *client) query(esql, more string) answer {
	c.tb.Helper()
	text, err := json.Marshal(esql)
	if err != nil {
		c.tb.Fatal(err)
	}
	return c.post("/_query", `{"query":`+string(text)+more+`}`)
}

func TestQuery(t *testing.T) {
	_, _, c := hosts(t, defendfake.Options{})
	a := c.query(where+`
		| WHERE event.action == "disconnect_received" /* the end */ // with bytes
		| EVAL megabytes = source.bytes / 1000000, from = TO_LOWER(host.name)
		| KEEP @timestamp, source.*, megabytes, process.pid, from
		| DROP source.address
		| RENAME process.pid AS pid
		| SORT @timestamp DESC
		| LIMIT 10`, "")
	want(t, a, http.StatusOK, `"is_partial":false`)
	same(t, "the columns", a.at("columns"), []map[string]string{
		{"name": "@timestamp", "type": "date"},
		{"name": "source.bytes", "type": "long"},
		{"name": "source.ip", "type": "ip"},
		{"name": "source.port", "type": "long"},
		{"name": "megabytes", "type": "long"},
		{"name": "pid", "type": "long"},
		{"name": "from", "type": "keyword"},
	})
	same(t, "the rows", a.at("values"), [][]any{
		{"2026-11-30T11:55:00.000Z", 20, "10.0.0.77", 40_000, 0, 600, "web1"},
		{"2026-11-30T11:40:00.000Z", 9_000_000, "10.0.0.5", 50_000, 9, 4242, "web1"},
	})
	same(t, "the warnings", len(a.header.Values("Warning")), 0)
	a = c.query(where+`| KEEP destination.port | LIMIT 1`, `,"columnar":true`)
	same(t, "by column", a.at("values"), [][]any{{443}})
	a = c.query(where+`| STATS n = COUNT(*), bytes = SUM(source.bytes), last = MAX(@timestamp) BY destination.ip, port = destination.port | SORT bytes DESC NULLS LAST | LIMIT 2`, "")
	same(t, "the sums", a.at("values"), [][]any{
		{2, 70_000_000, "2026-11-30T11:50:00.000Z", "198.51.100.7", 53}, {2, 9_000_000, "2026-11-30T11:40:00.000Z", "198.51.100.7", 443},
	})
	a = c.query(where+`| WHERE destination.port == 1 | STATS COUNT(*), SUM(source.bytes), MIN(source.port), COUNT_DISTINCT(process.name), VALUES(process.name)`, "")
	same(t, "the sums of nothing", []any{a.at("columns", 0, "name"), a.at("values", 0)}, []any{"COUNT(*)", []any{0, nil, nil, 0, nil}})
	a = c.query(where+`| STATS COUNT(source.bytes), COUNT_DISTINCT(process.name), VALUES(process.name), MIN(destination.port)`, "")
	same(t, "of all", a.at("values", 0), []any{3, 2, []string{"explorer.exe", "powershell.exe"}, 53})
}

// Each condition with how many of the six events meet it.
func TestConditions(t *testing.T) {
	_, _, c := hosts(t, defendfake.Options{})
	for condition, n := range map[string]int{
		`true`:                                                  6,
		`destination.port == 443`:                               2,
		`443 == destination.port`:                               2,
		`destination.port != 443`:                               4,
		`source.bytes != 1`:                                     3, // null is neither
		`NOT source.bytes == 1`:                                 3,
		`source.bytes IS NULL`:                                  3,
		`source.bytes IS NOT NULL`:                              3,
		`source.bytes > 1000 OR destination.port == 445`:        4,
		`destination.port IN (53, 443)`:                         4,
		`destination.port NOT IN (53, 443)`:                     2,
		`process.name LIKE "power*"`:                            4,
		`process.name NOT LIKE "power*"`:                        2,
		`process.name LIKE "Power*"`:                            0,
		`TO_LOWER(process.executable) LIKE "*system32*"`:        4,
		`STARTS_WITH(process.name, "power")`:                    4,
		`ENDS_WITH(process.name, ".exe")`:                       6,
		`destination.ip == "198.51.100.7"`:                      4,
		`CIDR_MATCH(destination.ip, "198.51.100.0/24", "::/0")`: 4,
		`destination.ip IN ("198.51.100.7", "192.0.2.1")`:       4,
		`destination.ip == TO_IP("198.51.100.7")`:               4,
		`@timestamp >= NOW() - 15 minutes`:                      4,
		`@timestamp > TO_DATETIME("2026-11-30T11:49:00Z")`:      4,
		`source.port + 1 == 50001`:                              4,
		`source.port - 50000 == -0`:                             4,
		`source.port * 2 / 2 == 50000`:                          4,
		`source.port / 0 == 1`:                                  0,
		`COALESCE(source.bytes, 7) == 7`:                        3,
		`TO_STRING(destination.port) == "443"`:                  2,
		`process.code_signature.trusted == true`:                6,
		`host.ip == "10.0.0.5"`:                                 0, // it has several
		`(destination.port == 443 AND event.action == "disconnect_received") OR false`: 1,
		"`destination.port` == 443":                           2,
		`process.executable == """C:\Windows\explorer.exe"""`: 2,
		`process.executable == "C:\\Windows\\explorer.exe"`:   2,
		`source.bytes > 8999999.5`:                            2,
	} {
		a := c.query(where+`| WHERE `+condition+` | STATS COUNT(*)`, "")
		same(t, "the events for which "+condition, a.at("values", 0, 0), n)
	}
}

// What is wrong with a query, and where.
func TestQueryErrors(t *testing.T) {
	_, _, c := hosts(t, defendfake.Options{})
	for query, words := range map[string]string{
		``:                                 "[query] is required",
		`SELECT 1`:                         "line 1:1: mismatched input 'SELECT' expecting {'from'",
		`FROM nothing`:                     "Unknown index [nothing]",
		`FROM nothing-*`:                   "Unknown index [nothing-*]",
		`FROM`:                             "UNQUOTED_SOURCE",
		where + `| FILTER a == 1`:          "mismatched input 'FILTER'",
		where + `| WHERE nope == 1`:        "Unknown column [nope]",
		where + `| WHERE destination.port`: "Condition expression needs to be boolean",
		where + `| WHERE destination.port == "443"`:              `is [numeric] so second argument must also be [numeric] but was [keyword]`,
		where + `| WHERE process.name == 1`:                      `is [keyword] so second argument must also be [keyword] but was [numeric]`,
		where + `| WHERE @timestamp > "noon"`:                    "Cannot convert string [noon] to [DATETIME]",
		where + `| WHERE source.ip == "here"`:                    "'here' is not an IP string literal",
		where + `| WHERE destination.port AND true`:              "must be [boolean]",
		where + `| WHERE destination.port LIKE "4*"`:             "must be [string]",
		where + `| WHERE process.name LIKE 1`:                    "expecting QUOTED_STRING",
		where + `| WHERE process.name RLIKE "x"`:                 "mismatched input 'RLIKE'",
		where + `| WHERE destination.port = 443`:                 "mismatched input '='",
		where + `| WHERE a ==`:                                   "Unknown column [a]",
		where + `| WHERE destination.port ==`:                    "mismatched input '<EOF>'",
		where + `| WHERE (true`:                                  "expecting ')'",
		where + `| WHERE MAGIC(destination.port) == 1`:           "Unknown function [MAGIC]",
		where + `| WHERE process.name == "x`:                     "token recognition error",
		where + `| WHERE process.name == 'x'`:                    "token recognition error at: '''",
		where + `| WHERE process.name IN "x"`:                    "expecting '('",
		where + `| WHERE process.name IN ("x"`:                   "expecting {',', ')'}",
		where + `| WHERE process.name + 1 == 2`:                  "incompatible types",
		where + `| WHERE process.name IS 1`:                      "expecting 'null'",
		where + `| KEEP nope`:                                    "Unknown column [nope]",
		where + `| KEEP nope*`:                                   "No matches found for pattern [nope*]",
		where + `| DROP nope`:                                    "Unknown column [nope]",
		where + `| RENAME nope AS x`:                             "Unknown column [nope]",
		where + `| RENAME process.pid x`:                         "expecting 'as'",
		where + `| SORT nope`:                                    "Unknown column [nope]",
		where + `| SORT process.pid NULLS`:                       "expecting {'first', 'last'}",
		where + `| LIMIT x`:                                      "Unknown column [x]",
		where + `| LIMIT "x"`:                                    "must be a non negative integer",
		where + `| LIMIT 1 2`:                                    "expecting <EOF>",
		where + `| EVAL 1`:                                       "expecting '='",
		where + `| MV_EXPAND nope`:                               "Unknown column [nope]",
		where + `| STATS MEDIAN(process.pid)`:                    "Unknown function [MEDIAN]",
		where + `| STATS SUM(process.name)`:                      "must be [numeric",
		where + `| STATS SUM(*)`:                                 "Unknown function [SUM]",
		where + `| WHERE process.pid == ?`:                       "Not enough actual parameters 0",
		where + `| WHERE process.pid == ?pid`:                    "Unknown query parameter [pid]",
		"FROM logs-endpoint.events.network-* METADATA _score":    "unsupported metadata field [_score]",
		"FROM logs-endpoint.events.network-*\n| WHERE nope == 1": "line 2:9: Unknown column [nope]",
	} {
		a := c.query(query, "")
		if a.status != http.StatusBadRequest || !strings.Contains(a.at("error", "reason").(string), words) {
			t.Errorf("%s is answered by %d %s, want 400 with %s", query, a.status, a.text, words)
		}
	}
	want(t, c.post("/_query", `{"query":"FROM x","size":1}`), http.StatusBadRequest, "failed to parse")
	want(t, c.post("/_query?format=csv", `{"query":"FROM x"}`), http.StatusBadRequest, "unrecognized parameter: [format]")
}

func TestQueryParameters(t *testing.T) {
	_, _, c := hosts(t, defendfake.Options{})
	from := `FROM logs-endpoint.events.network-* | WHERE @timestamp >= ?begin AND host.name == ?host AND destination.port == ?port | STATS COUNT(*)`
	a := c.query(from, `,"params":[{"begin":"2026-11-30T11:00:00Z"},{"host":"WEB1"},{"port":443}]`)
	same(t, "by name", a.at("values", 0, 0), 2)
	from = `FROM logs-endpoint.events.network-* | WHERE @timestamp >= ? AND host.name == ? | WHERE source.bytes > ? | STATS COUNT(*)`
	a = c.query(from, `,"params":["2026-11-30T11:00:00Z","WEB1",1000.5]`)
	same(t, "in their order", a.at("values", 0, 0), 2)
	from = `FROM logs-endpoint.events.network-* | WHERE host.name == ?2 AND @timestamp >= ?1 AND (true == ?3 OR ?4 IS NULL) | STATS COUNT(*)`
	a = c.query(from, `,"params":["2026-11-30T11:00:00Z","WEB1\" OR true //",true,null]`)
	same(t, "by number, with what is no query", a.at("values", 0, 0), 0)
	want(t, c.query(where+`| WHERE process.pid == ?`, `,"params":[[1]]`), http.StatusBadRequest, "is a list or an object")
	want(t, c.query(where, `,"params":[{"a":1,"b":2}]`), http.StatusBadRequest, "an object of one name")
	a = c.query(`FROM logs-endpoint.events.network-* METADATA _id, _index | KEEP _id, _index | LIMIT 1`, `,"filter":{"bool":{"filter":[`+bounded+`]}}`)
	same(t, "with a filter", a.at("values", 0, 1), ".ds-logs-endpoint.events.network-default-2026.11.01-000001")
}

// A query without a limit has one, of which only a header tells; no query is
// answered by more than a number of rows, of which nothing tells.
func TestCutRows(t *testing.T) {
	_, d, c := hosts(t, defendfake.Options{DefaultRows: 4, MostRows: 5})
	a := c.query(where, "")
	same(t, "the rows", len(a.list("values")), 4)
	same(t, "the warning", a.header.Get("Warning"), `299 Elasticsearch-8.19.7-0000000 "No limit defined, adding default limit of [4]"`)
	a = c.query(where+`| LIMIT 100`, "")
	same(t, "the rows and the warning", []any{len(a.list("values")), a.header.Get("Warning")}, []any{5, ""})
	d.SetPartial(defendfake.ShardsFailed)
	a = c.query(where+`| LIMIT 100`, "")
	same(t, "a partial answer", []any{a.status, a.at("is_partial")}, []any{200, true})
	if n := len(a.list("values")); n >= 5 {
		t.Errorf("a partial answer has %d rows", n)
	}
	a = c.post("/_query?allow_partial_results=false", `{"query":"FROM logs-endpoint.* | LIMIT 1","filter":{"bool":{"filter":[`+bounded+`]}}}`)
	want(t, a, http.StatusInternalServerError, "no_shard_available_action_exception")
}

// Of several values of a field no comparison is true, and there is a warning.
func TestSeveralValues(t *testing.T) {
	_, _, c := hosts(t, defendfake.Options{})
	a := c.query(where+`| WHERE CIDR_MATCH(host.ip, "10.0.0.0/8") | LIMIT 1`, "")
	same(t, "the rows", a.list("values"), []any{})
	if w := strings.Join(a.header.Values("Warning"), "\n"); !strings.Contains(w, "evaluation of [host.ip] failed") || !strings.Contains(w, "single-value function encountered multi-value") {
		t.Errorf("the warnings are %s", w)
	}
	a = c.query(where+`| WHERE event.action == "connection_accepted" | MV_EXPAND host.ip | SORT host.ip | KEEP host.ip | LIMIT 9`, "")
	same(t, "a row for each", a.at("values"), [][]any{{"::1"}, {"10.0.0.5"}, {"127.0.0.1"}})
	a = c.query(where+`| WHERE event.action == "connection_accepted" | STATS n = COUNT(*) BY host.ip | SORT host.ip | LIMIT 9`, "")
	same(t, "a group for each", a.at("values"), [][]any{{1, "::1"}, {1, "10.0.0.5"}, {1, "127.0.0.1"}})
	a = c.query(where+`| KEEP host.ip | LIMIT 1`, "")
	same(t, "all", a.at("values", 0, 0), []string{"10.0.0.5", "127.0.0.1", "::1"})
	a = c.query(where+`| SORT source.bytes | KEEP source.bytes | LIMIT 9`, "")
	same(t, "the least, and what is null last", []any{a.at("values", 0, 0), a.at("values", 5, 0)}, []any{20, nil})
	a = c.query(where+`| SORT source.bytes DESC | KEEP source.bytes | LIMIT 9`, "")
	same(t, "what is null first", []any{a.at("values", 0, 0), a.at("values", 5, 0)}, []any{nil, 20})
}

// A query that is bounded by no host or no time fails the test.
func TestQueryBounds(t *testing.T) {
	const from, time, host = "FROM logs-endpoint.events.network-* ", `@timestamp >= "2026-11-30T11:00:00Z"`, `host.name == "WEB1"`
	for query, bad := range map[string]bool{
		where: false,
		from + `| WHERE ` + time + ` | WHERE ` + host:                                false,
		from + `| WHERE "2026-11-30T11:00:00Z" < @timestamp AND "WEB1" == host.name`: false,
		from + `| WHERE ` + time + ` AND TO_LOWER(host.name) == "web1"`:              false,
		from + `| WHERE ` + time + ` AND host.name IN ("WEB1", "WEB2")`:              false,
		from + `| WHERE ` + time + ` AND CIDR_MATCH(source.ip, "10.0.0.5/32")`:       false,
		from + `| WHERE ` + time + ` AND (` + host + ` OR agent.id == "x")`:          false,
		from:                     true,
		from + `| WHERE ` + time: true,
		from + `| WHERE ` + host: true,
		from + `| WHERE ` + host + ` AND @timestamp < NOW()`:                 true,
		from + `| WHERE ` + time + ` AND host.name != "WEB1"`:                true,
		from + `| WHERE ` + time + ` OR ` + host:                             true,
		from + `| WHERE ` + time + ` AND NOT ` + host:                        true,
		from + `| WHERE ` + time + ` AND host.name NOT IN ("WEB1")`:          true,
		from + `| WHERE ` + time + ` AND host.name LIKE "WEB*"`:              true,
		from + `| WHERE ` + time + ` AND (` + host + ` OR process.pid == 1)`: true,
		from + `| LIMIT 5 | WHERE ` + time + ` AND ` + host:                  true,
		from + `| EVAL host.name = "WEB1" | WHERE ` + time + ` AND ` + host:  true,
	} {
		w, _ := hospital(t)
		watched := &watch{TB: t}
		_, c := serve(watched, w, defendfake.Options{})
		want(t, c.query(query, ""), http.StatusOK, "values")
		same(t, "the complaint about "+query, watched.complaints() > 0, bad)
	}
}
