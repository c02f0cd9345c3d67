package splunkfake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/apispec"
	"github.com/stanch-soar/stanch/integrations/flowmath"
)

const bytesOut = "| tstats sum(All_Traffic.bytes_out) as b from datamodel=Network_Traffic"

func ten() time.Time { return time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC) }

// record is a flow of one second so long before ten.
func record(ago time.Duration, out, in int64) flowmath.Record {
	return flowmath.Record{
		Start: ten().Add(-ago), Duration: time.Second, Src: netip.MustParseAddr("2001:db8::5"), Dst: netip.MustParseAddr("2001:db8::1"),
		SrcPort: 50_000, DstPort: 443, Transport: "tcp", Sampling: 1, Sensor: "fw1",
		Orig: flowmath.Side{Bytes: flowmath.NotSeen, IPBytes: out, Packets: 2}, Resp: flowmath.Side{Bytes: flowmath.NotSeen, IPBytes: in, Packets: flowmath.NotSeen},
	}
}

// searched is an installation at ten with some flows, behind the description of its API.
func searched(t *testing.T, s Search) (http.Handler, *Double) {
	t.Helper()
	if s.Now == nil {
		s.Now = ten
	}
	d := New(t, Options{Search: s})
	for i := range 4 {
		d.AddRecords(Logging{}, record(time.Duration(i+1)*time.Minute, 100, 10))
	}
	return apispec.Load(t, "splunk-es", "splunk-search").Handler(t, d), d
}

func begin(search string, more ...string) url.Values {
	form := url.Values{"search": {search}, "earliest_time": {"-1h"}, "latest_time": {"now"}}
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return form
}

// start starts a search, and returns the path of its job.
func start(t *testing.T, h http.Handler, form url.Values) string {
	t.Helper()
	status, said := ask(t, h, "POST", Jobs+asJSON, form)
	var answer struct{ SID string }
	if err := json.Unmarshal([]byte(said), &answer); err != nil || status != http.StatusCreated || answer.SID == "" {
		t.Fatalf("start: %d %s", status, said)
	}
	return Jobs + "/" + answer.SID
}

type content struct {
	DispatchState                           string
	DoneProgress                            float64
	IsDone, IsFailed, IsFinalized, IsPaused bool
	IsZombie                                bool
	ResultCount, ScanCount, EventCount      int
	Messages                                []struct{ Type, Text string }
}

func jobAt(t *testing.T, h http.Handler, path string) content {
	t.Helper()
	status, said := ask(t, h, "GET", path+asJSON, nil)
	var answer struct{ Entry []struct{ Content content } }
	if err := json.Unmarshal([]byte(said), &answer); err != nil || status != http.StatusOK || len(answer.Entry) != 1 {
		t.Fatalf("%s: %d %s: %v", path, status, said, err)
	}
	return answer.Entry[0].Content
}

// finish asks until the job is at its end.
func finish(t *testing.T, h http.Handler, path string) content {
	t.Helper()
	for range 10 {
		if c := jobAt(t, h, path); c.IsDone || c.IsFailed {
			return c
		}
	}
	t.Fatalf("%s does not end", path)
	return content{}
}

func results(t *testing.T, h http.Handler, path, more string) []map[string]any {
	t.Helper()
	status, said := ask(t, h, "GET", path+"/results"+asJSON+more, nil)
	var answer struct{ Results []map[string]any }
	if err := json.Unmarshal([]byte(said), &answer); err != nil || status != http.StatusOK {
		t.Fatalf("results: %d %s", status, said)
	}
	return answer.Results
}

func TestAJobGoesThroughItsStates(t *testing.T) {
	h, d := searched(t, Search{Answers: 5})
	path := start(t, h, begin(bytesOut))
	// Before it is done there are no results, and no body.
	if status, said := ask(t, h, "GET", path+"/results"+asJSON+"&count=0", nil); status != http.StatusNoContent || said != "" {
		t.Errorf("results before the end: %d %q", status, said)
	}
	var states []string
	for range 5 {
		c := jobAt(t, h, path)
		states = append(states, c.DispatchState)
		if c.IsDone != (c.DispatchState == "DONE") || c.DoneProgress == 1 != c.IsDone {
			t.Errorf("%+v", c)
		}
	}
	if got := strings.Join(states, " "); got != "PARSING RUNNING RUNNING FINALIZING DONE" {
		t.Errorf("states %s", got)
	}
	if c := jobAt(t, h, path); c.ResultCount != 1 || c.ScanCount != 4 || c.EventCount != 4 || len(c.Messages) != 0 {
		t.Errorf("%+v", c)
	}
	// All values are texts.
	if got := results(t, h, path, "&count=10"); len(got) != 1 || got[0]["b"] != "400" {
		t.Errorf("results %v", got)
	}
	want(t, h, "DELETE", path+asJSON, nil, 200, "Search job cancelled.")
	want(t, h, "GET", path+asJSON, nil, 404, `{"messages":[{"type":"FATAL","text":"Unknown sid."}]}`)
	if d.Kept() != 0 {
		t.Error("a job that was taken away is kept")
	}
}

func TestModes(t *testing.T) {
	h, d := searched(t, Search{})
	if c := jobAt(t, h, start(t, h, begin(bytesOut, "exec_mode", "blocking"))); !c.IsDone {
		t.Errorf("a job that was waited for: %+v", c)
	}
	want(t, h, "POST", Jobs+asJSON, begin(bytesOut, "exec_mode", "oneshot"), 200, `"results":[{"b":"400"}]`)
	want(t, h, "POST", "/servicesNS/-/search/search/v2/jobs"+asJSON, begin(bytesOut, "exec_mode", "oneshot"), 200, `"b":"400"`)
	want(t, h, "POST", OldJobs+asJSON, begin(bytesOut, "exec_mode", "oneshot"), 200, `"b":"400"`)
	if d.Kept() != 1 {
		t.Errorf("%d jobs are kept, want the one that was waited for", d.Kept())
	}
	h, _ = searched(t, Search{Old: true})
	want(t, h, "POST", Jobs+asJSON, begin(bytesOut), 404, "Not Found")
	want(t, h, "POST", OldJobs+asJSON, begin(bytesOut), 201, `"sid":`)
	h, d = searched(t, Search{Words: true})
	want(t, h, "GET", start(t, h, begin(bytesOut, "exec_mode", "blocking"))+asJSON, nil, 200, `"isDone":"1"`)
	// What was started without bounds searches all.
	want(t, d, "POST", Jobs+asJSON, url.Values{"search": {bytesOut}, "exec_mode": {"oneshot"}}, 200, `"b":"400"`)
	if sought := d.Sought(); len(sought) != 2 || sought[0].Earliest.IsZero() || !sought[1].Earliest.IsZero() || sought[1].Scanned != 4 {
		t.Errorf("sought %v", sought)
	}
}

// TestPages: 100 results where no number is said, and a most of them where all are asked for.
func TestPages(t *testing.T) {
	h, d := searched(t, Search{MostResults: 150})
	for i := range 300 {
		r := record(time.Minute, 1, 1)
		r.DstPort = uint16(1000 + i)
		d.AddRecords(Logging{}, r)
	}
	const each = "| tstats count from datamodel=Network_Traffic by All_Traffic.dest_port"
	path := start(t, h, begin(each, "exec_mode", "blocking"))
	for more, n := range map[string]int{"": 100, "&count=0": 150, "&count=200": 150, "&count=100&offset=290": 11, "&offset=400": 0} {
		status, said := ask(t, d, "GET", path+"/results"+asJSON+more, nil)
		if got := strings.Count(said, `"count":`); status != 200 || got != n {
			t.Errorf("%q: %d, %d results, want %d", more, status, got, n)
		}
	}
	// More than max_count are not kept, and nothing says so.
	path = start(t, h, begin(each, "exec_mode", "blocking", "max_count", "120"))
	if c := jobAt(t, h, path); c.ResultCount != 120 || len(c.Messages) != 0 || c.IsFinalized {
		t.Errorf("with max_count=120: %+v", c)
	}
}

// TestWhatIsMissingIsToldByTheJobAlone: a search that did not see all ends as done.
func TestWhatIsMissingIsToldByTheJobAlone(t *testing.T) {
	for how, c := range map[Failure]struct {
		kind, text, b string
		finalized     bool
	}{
		PeerDown:    {"WARN", "Unable to distribute to peer", "200", false},
		PeerDied:    {"ERROR", "Search results might be incomplete", "200", false},
		TimeLimit:   {"INFO", "Search auto-finalized after time limit", "200", true},
		DiskLimit:   {"INFO", "Search auto-finalized after disk usage limit", "200", true},
		MemoryLimit: {"WARN", "results might be incomplete", "", false},
	} {
		h, d := searched(t, Search{})
		d.Fail(how, 1)
		path := start(t, h, begin(bytesOut))
		got := finish(t, h, path)
		if got.DispatchState != "DONE" || got.IsFailed || got.IsFinalized != c.finalized || len(got.Messages) != 1 ||
			got.Messages[0].Type != c.kind || !strings.Contains(got.Messages[0].Text, c.text) {
			t.Errorf("%s: %+v", how, got)
		}
		_, said := ask(t, h, "GET", path+"/results"+asJSON+"&count=0", nil)
		if !strings.Contains(said, `"messages":[]`) || strings.Contains(said, `"400"`) || c.b != "" && !strings.Contains(said, `"b":"`+c.b+`"`) {
			t.Errorf("%s: %s", how, said)
		}
		d.Fail(how, 1)
		want(t, h, "POST", Jobs+asJSON, begin(bytesOut, "exec_mode", "oneshot"), 200, c.text)
	}
	h, d := searched(t, Search{})
	d.Fail(PeerDown, 1)
	if got := finish(t, h, start(t, h, begin(bytesOut, "allow_partial_results", "false"))); got.DispatchState != "FAILED" || got.IsDone != true {
		t.Errorf("a part where none is allowed: %+v", got)
	}
}

func TestJobsThatFail(t *testing.T) {
	h, d := searched(t, Search{})
	for _, how := range []Failure{SearchFails, Zombie} {
		d.Fail(how, 1)
		want(t, h, "POST", Jobs+asJSON, begin(bytesOut, "exec_mode", "oneshot"), 400, map[Failure]string{SearchFails: "failed on all peers", Zombie: "has gone"}[how])
		d.Fail(how, 1)
		path := start(t, h, begin(bytesOut))
		if c := finish(t, h, path); c.DispatchState != "FAILED" || !c.IsFailed || c.IsZombie != (how == Zombie) || len(c.Messages) != map[Failure]int{SearchFails: 1}[how] {
			t.Errorf("%s: %+v", how, c)
		}
		if got := results(t, h, path, "&count=0"); len(got) != 0 {
			t.Errorf("%s has results: %v", how, got)
		}
	}
	for how, state := range map[Failure]string{Stuck: "RUNNING", Paused: "PAUSED"} {
		d.Fail(how, 1)
		path := start(t, h, begin(bytesOut))
		for range 10 {
			if c := jobAt(t, h, path); c.IsDone {
				t.Fatalf("%s: %+v", how, c)
			}
		}
		if c := jobAt(t, h, path); c.DispatchState != state {
			t.Errorf("%s: %+v", how, c)
		}
		want(t, h, "POST", path+"/control"+asJSON, url.Values{"action": {"finalize"}}, 200, "finalized")
		if c := jobAt(t, h, path); !c.IsDone || !c.IsFinalized || len(c.Messages) != 0 {
			t.Errorf("%s, finalized: %+v", how, c)
		}
	}
	d.Fail(EndedByHand, 1)
	if c := finish(t, h, start(t, h, begin(bytesOut))); c.DispatchState != "DONE" || !c.IsFinalized || c.ResultCount != 0 || len(c.Messages) != 0 {
		t.Errorf("a search that a person ended: %+v", c)
	}
	d.Fail(Gone, 1)
	path := start(t, h, begin(bytesOut, "exec_mode", "blocking"))
	want(t, h, "GET", path+"/results"+asJSON+"&count=0", nil, 404, "Unknown sid.")
	want(t, h, "GET", path+asJSON, nil, 404, "Unknown sid.")
}

// TestQuota: searches that run count, also those that nobody asks about any more.
func TestQuota(t *testing.T) {
	now := ten()
	h, d := searched(t, Search{Now: func() time.Time { return now }, Answers: 3})
	first := start(t, h, begin(bytesOut))
	for range 2 {
		start(t, h, begin(bytesOut, "auto_cancel", "60", "timeout", "120"))
	}
	want(t, h, "POST", Jobs+asJSON, begin(bytesOut), 503, "The maximum number of concurrent historical searches for this user based on their role quota has been reached., concurrency_category=\\\"historical\\\"")
	finish(t, h, first)
	if n := d.Running(); n != 2 {
		t.Errorf("%d run, want 2", n)
	}
	last := start(t, h, begin(bytesOut))
	want(t, h, "POST", last+"/control"+asJSON, url.Values{"action": {"cancel"}}, 200, "Search job cancelled.")
	want(t, h, "GET", last+asJSON, nil, 404, "Unknown sid.")
	now = now.Add(61 * time.Second)
	if n := d.Running(); n != 0 {
		t.Errorf("%d run after the time in which somebody had to ask", n)
	}
	d.Fail(QuotaFull, 1)
	want(t, h, "POST", Jobs+asJSON, begin(bytesOut), 503, "Search not executed")
	// What is done is kept for its time, and then no more.
	short := start(t, h, begin(bytesOut, "timeout", "10", "exec_mode", "blocking"))
	now = now.Add(11 * time.Second)
	want(t, h, "GET", short+asJSON, nil, 404, "Unknown sid.")
	want(t, h, "GET", first+asJSON, nil, 200, "DONE")
}

func TestSearchesThatAreRefused(t *testing.T) {
	_, d := searched(t, Search{})
	for _, c := range []struct {
		form url.Values
		text string
	}{
		{begin("index=netfw"), `{"messages":[{"type":"FATAL","text":"Unknown search command 'index'."}]}`},
		{begin(""), "Empty search."},
		{begin(bytesOut, "earliest_time", "yesterday"), "Invalid earliest_time."},
		{begin(bytesOut, "earliest_time", "-1h", "latest_time", "-2h"), "Invalid latest_time"},
		{begin(bytesOut, "maximum", "1"), `Argument \"maximum\" is not supported by this handler.`},
		{begin(bytesOut, "max_count", "many"), "Invalid value"},
		{begin(bytesOut, "exec_mode", "soon"), "Invalid value"},
		{begin(bytesOut, "search_mode", "realtime"), "Invalid value"},
	} {
		want(t, d, "POST", Jobs+asJSON, c.form, 400, c.text)
	}
	want(t, d, "GET", Jobs+asJSON, nil, 405, "Method Not Allowed")
	path := start(t, d, begin(bytesOut))
	want(t, d, "POST", path+"/control"+asJSON, url.Values{"action": {"speed"}}, 400, "speed")
	want(t, d, "POST", path+"/control"+asJSON, url.Values{"action": {"setttl"}, "ttl": {"x"}}, 400, "ttl")
	want(t, d, "GET", path+"/else"+asJSON, nil, 404, "Not Found")
	if d.Running() != 1 {
		t.Errorf("%d run: what is refused does not", d.Running())
	}
	for _, c := range []struct{ action, state string }{{"pause", "PAUSED"}, {"touch", "PAUSED"}, {"unpause", "QUEUED"}, {"setttl", "RUNNING"}} {
		want(t, d, "POST", path+"/control"+asJSON, url.Values{"action": {c.action}, "ttl": {"60"}}, 200, "Search job")
		want(t, d, "GET", path+asJSON, nil, 200, `"dispatchState":"`+c.state+`"`)
	}
}

// TestWhoMaySearch: without the capability nothing is searched, and what is in an index that a
// user may not read is not there.
func TestWhoMaySearch(t *testing.T) {
	for name, c := range map[string]struct {
		token  Token
		status int
		text   string
	}{
		"nobody":          {Token{Text: "other", User: "u", Capabilities: []string{Searching}}, 401, "call not properly authenticated"},
		"no capability":   {Token{Text: Analyst().Text, User: "u"}, 403, "requires capability: search"},
		"another index":   {Token{Text: Analyst().Text, User: "u", Capabilities: []string{Searching}, Indexes: []string{"main"}}, 200, `"results":[{"n":"0"}]`},
		"a minute alone":  {Token{Text: Analyst().Text, User: "u", Capabilities: []string{Searching}, Window: time.Minute}, 200, `"results":[{"n":"1"}]`},
		"seconds alone":   {Token{Text: Analyst().Text, User: "u", Capabilities: []string{Searching}, Window: time.Second}, 200, `"results":[{"n":"0"}]`},
		"the right index": {Token{Text: Analyst().Text, User: "u", Capabilities: []string{Searching}, Indexes: []string{"netfw"}}, 200, `"results":[{"n":"1"}]`},
	} {
		t.Run(name, func(t *testing.T) {
			d := New(t, Options{Tokens: []Token{c.token}, Search: Search{Now: ten}})
			d.AddRecords(Logging{}, record(time.Minute, 1, 1))
			h := apispec.Load(t, "splunk-es", "splunk-search").Handler(t, d)
			want(t, h, "POST", Jobs+asJSON, begin("| tstats count as n from datamodel=Network_Traffic", "exec_mode", "oneshot"), c.status, c.text)
		})
	}
}

// TestHowSensorsLog: what the records of a flow look like differs from sensor to sensor.
func TestHowSensorsLog(t *testing.T) {
	named := map[netip.Addr]string{netip.MustParseAddr("2001:db8::5"): "WS-042"}
	unseen := record(time.Minute, flowmath.NotSeen, 7)
	icmp := record(time.Minute, 8, 9)
	icmp.Transport = "icmp"
	const columns = " | table _time src src_ip src_port dest transport bytes bytes_out bytes_in packets_out packets_in duration dvc action session_id"
	for name, c := range map[string]struct {
		how  Logging
		of   flowmath.Record
		want string
	}{
		"as recommended": {Logging{}, record(time.Minute, 100, 10), "09:59:00 2001:db8::5 2001:db8::5 50000 2001:db8::1 tcp 110 100 10 2 - 1 fw1 allowed -"},
		"at the end":     {Logging{Ends: true, Action: "blocked"}, record(time.Minute, 100, 10), "09:59:01 2001:db8::5 2001:db8::5 50000 2001:db8::1 tcp 110 100 10 2 - 1 fw1 blocked -"},
		"sums alone":     {Logging{Totals: true}, record(time.Minute, 100, 10), "09:59:00 2001:db8::5 2001:db8::5 50000 2001:db8::1 tcp 110 - - - - 1 fw1 allowed -"},
		"other letters":  {Logging{Capitals: true, Long: true}, record(time.Minute, 100, 10), "09:59:00 2001:0db8:0000:0000:0000:0000:0000:0005 2001:0db8:0000:0000:0000:0000:0000:0005 50000 2001:0db8:0000:0000:0000:0000:0000:0001 TCP 110 100 10 2 - 1 fw1 allowed -"},
		"names":          {Logging{Names: named}, record(time.Minute, 100, 10), "09:59:00 WS-042 2001:db8::5 50000 2001:db8::1 tcp 110 100 10 2 - 1 fw1 allowed -"},
		"one way":        {Logging{}, unseen, "09:59:00 2001:db8::5 2001:db8::5 50000 2001:db8::1 tcp - - 7 2 - 1 fw1 allowed -"},
		"no ports":       {Logging{}, icmp, "09:59:00 2001:db8::5 2001:db8::5 - 2001:db8::1 icmp 17 8 9 2 - 1 fw1 allowed -"},
	} {
		t.Run(name, func(t *testing.T) {
			d := New(t, Options{Search: Search{Now: ten}})
			d.AddRecords(c.how, c.of)
			path := start(t, d, begin("search index=*"+columns, "exec_mode", "blocking"))
			if got := strings.Join(line(t, results(t, d, path, "&count=0")[0], columns), " "); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
	d := New(t, Options{Search: Search{Now: ten}})
	d.AddRecords(Logging{Interim: 2}, record(time.Minute, 300, 30))
	path := start(t, d, begin("search index=* | sort 0 bytes | stats list(bytes_out) as sent list(action) as done dc(session_id) as n", "exec_mode", "blocking"))
	if got := fmt.Sprint(results(t, d, path, "&count=0")[0]); got != "map[done:[allowed allowed teardown] n:1 sent:[100 200 300]]" {
		t.Errorf("interim events: %s", got)
	}
}

// line are the values of a row, in the order of a command table; a time is that of the day.
func line(t *testing.T, row map[string]any, columns string) []string {
	t.Helper()
	var all []string
	for _, name := range strings.Fields(columns)[2:] {
		text := "-"
		if v, ok := row[name]; ok {
			text = fmt.Sprint(v)
		}
		if name == "_time" {
			text = text[len("2026-03-02T"):len("2026-03-02T09:59:00")]
		}
		all = append(all, text)
	}
	return all
}

// TestAnExport reads events as they are exported.
func TestAnExport(t *testing.T) {
	file, err := os.Open("testdata/network_traffic.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	events := ReadEvents(t, file, "netfw")
	d := New(t, Options{Search: Search{Now: func() time.Time { return events[0].Time.Add(time.Minute) }}})
	d.AddEvents(events...)
	want(t, d, "POST", Jobs+asJSON, begin("| tstats sum(All_Traffic.bytes_out) as b from datamodel=Network_Traffic by All_Traffic.dvc", "exec_mode", "oneshot"), 200,
		`"results":[{"All_Traffic.dvc":"fw1","b":"300000000"}]`)
	// The model says unknown where src is missing, though there is a src_ip.
	want(t, d, "POST", Jobs+asJSON, begin("| tstats count from datamodel=Network_Traffic by All_Traffic.src All_Traffic.src_ip", "exec_mode", "oneshot"), 200,
		`"results":[{"All_Traffic.src":"unknown","All_Traffic.src_ip":"10.20.4.42","count":"1"}]`)
}
