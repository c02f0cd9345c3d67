package falconfake_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/crowdstrike/falconfake"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const jobs = "/humio/api/v1/repositories/search-all/queryjobs"

// begin starts a search of the last hour, unless more says otherwise.
func (n *tenant) begin(query string, more ...any) answer {
	n.t.Helper()
	body := map[string]any{"queryString": query, "start": "1h", "end": "now", "isLive": false}
	for i := 0; i+1 < len(more); i += 2 {
		body[more[i].(string)] = more[i+1]
	}
	return n.post(jobs, body)
}

// result is the answer of a search that is done.
func (n *tenant) result(query string, more ...any) answer {
	n.t.Helper()
	id := n.begin(query, more...).want(n.t, http.StatusOK, 0, "").body.ID
	for range 5 {
		if got := n.get(jobs+"/"+id).want(n.t, http.StatusOK, 0, ""); got.body.Done {
			return got
		}
	}
	n.t.Fatalf("%s is not done", query)
	return answer{}
}

const flows = "#event_simpleName=NetworkConnectIP4 aid=" + srv1

// A search is a job that is asked for until it is done; before that it has a part
// of its results.
func TestSearch(t *testing.T) {
	n := start(t, falconfake.Options{PollAfter: 250 * time.Millisecond})
	id := n.begin(flows).want(t, http.StatusOK, 0, "").body.ID
	part := n.get(jobs + "/" + id)
	if part.body.Done || len(part.body.Events) != 1 || part.body.MetaData.PollAfter != 250 {
		t.Errorf("the first answer: %s", part.text)
	}
	got := n.get(jobs + "/" + id)
	if !got.body.Done || len(got.body.Events) != 3 || got.body.MetaData.EventCount != 3 || got.body.MetaData.ProcessedEvents < 4 {
		t.Fatalf("the second answer: %s", got.text)
	}
	e := got.body.Events[0]
	for k, want := range map[string]any{
		"#event_simpleName": "NetworkConnectIP4", "aid": srv1, "ComputerName": "SRV-01", "Protocol": "17", "RemoteAddressIP4": "203.0.113.9",
		"RemotePort": "53", "LocalAddressIP4": "10.0.0.5", "LocalPort": "50000", "ConnectionDirection": "0",
		"@timestamp": strconv.FormatInt(noon.Add(-30*time.Minute).UnixMilli(), 10), "ContextTimeStamp": fmt.Sprintf("%d.000", noon.Add(-30*time.Minute).Unix()),
	} {
		if e[k] != want {
			t.Errorf("%s is %v, want %v", k, e[k], want)
		}
	}
	if strings.Contains(got.text, "1000000000") {
		t.Error("the product tells no bytes")
	}
	// The next job writes the time as a number.
	if e := n.result(flows).body.Events[0]; e["@timestamp"] != float64(noon.Add(-30*time.Minute).UnixMilli()) {
		t.Errorf("@timestamp of the second job is %v", e["@timestamp"])
	}
	n.json("DELETE", jobs+"/"+id, "").want(t, http.StatusOK, 0, "")
	if got := n.get(jobs+"/"+id).want(t, http.StatusNotFound, 0, ""); got.text != "" {
		t.Errorf("a deleted job answers %q", got.text)
	}
}

func TestSearchExpires(t *testing.T) {
	n := start(t, falconfake.Options{})
	id := n.begin(flows).body.ID
	for range 3 {
		n.clock.pass(89 * time.Second)
		n.get(jobs+"/"+id).want(t, http.StatusOK, 0, "")
	}
	n.clock.pass(90 * time.Second)
	n.get(jobs+"/"+id).want(t, http.StatusNotFound, 0, "")
	n.json("DELETE", "/humio/api/v1/repositories/xdr/queryjobs/"+id, "").want(t, http.StatusNotFound, 0, "")
}

func TestSearchTimes(t *testing.T) {
	n := start(t, falconfake.Options{})
	ms := func(d time.Duration) string { return strconv.FormatInt(noon.Add(d).UnixMilli(), 10) }
	for _, c := range []struct {
		start, end any
		want       int
	}{
		{"1h", "now", 3},
		{"31m", "now", 2},
		{"60minutes", "31min", 1},
		{ms(-time.Hour), ms(-30 * time.Minute), 2}, // the end is not in it
		{"1day", ms(-32 * time.Minute), 0},
	} {
		if got := n.result(flows, "start", c.start, "end", c.end); len(got.body.Events) != c.want {
			t.Errorf("%v to %v: %d events, want %d", c.start, c.end, len(got.body.Events), c.want)
		}
	}
	if got := n.rude().result(flows, "start", noon.Add(-time.Hour).UnixMilli()); len(got.body.Events) != 3 {
		t.Errorf("milliseconds as a number: %d events", len(got.body.Events))
	}
	n.begin(flows, "start", "2026-11-30T11:00:00Z").want(t, http.StatusBadRequest, 400, "start: invalid time")
	n.begin(flows, "start", "yesterday").want(t, http.StatusBadRequest, 400, "start: invalid time")
	n.begin(flows, "start", "now", "end", "1h").want(t, http.StatusBadRequest, 400, "not before")
}

func TestRepositories(t *testing.T) {
	n := start(t, falconfake.Options{Polls: -1})
	body := map[string]any{"queryString": flows, "start": "1h"}
	n.post("/humio/api/v1/repositories/other/queryjobs", body).want(t, http.StatusForbidden, 403, "other")
	const third = "/humio/api/v1/repositories/third-party/queryjobs"
	got := n.get(third + "/" + n.post(third, body).want(t, http.StatusOK, 0, "").body.ID)
	if !got.body.Done || len(got.body.Events) != 0 || got.body.MetaData.ProcessedEvents != 0 {
		t.Errorf("a repository without sensors: %s", got.text)
	}
}

// An answer without an aggregate is cut at 200 events, one with at 1500 rows, and
// says so in its metadata alone.
func TestCut(t *testing.T) {
	n := start(t, falconfake.Options{Polls: -1})
	flood(n, 1700)
	const many = "#event_simpleName=NetworkConnectIP4 aid=" + dc
	for query, want := range map[string]int{
		many:                                         200,
		many + " | select([RemotePort])":             200,
		many + " | tail(1600)":                       1600,
		many + " | head(limit=max)":                  1700,
		many + " | table([RemotePort])":              200,
		many + " | sort(LocalPort)":                  200,
		many + " | sort(LocalPort, limit=max)":       1500,
		many + " | table([RemotePort], limit=20000)": 1500,
	} {
		got := n.result(query)
		if len(got.body.Events) != want {
			t.Errorf("%s: %d events, want %d", query, len(got.body.Events), want)
		}
	}
	got := n.result(many)
	if got.body.MetaData.EventCount != 1700 || got.body.MetaData.ExtraData["hasMoreEvents"] != "true" || len(got.body.Warnings) != 0 {
		t.Errorf("metadata %+v", got.body.MetaData)
	}
	rows := start(t, falconfake.Options{Polls: -1, CountRows: true})
	flood(rows, 300)
	if got := rows.result(many); got.body.MetaData.EventCount != 200 {
		t.Errorf("eventCount %d, want 200", got.body.MetaData.EventCount)
	}
	n.begin(many+" | tail(20001)").want(t, http.StatusBadRequest, 400, "invalid limit")
}

// flood gives a host many connections within the last hour.
func flood(n *tenant, count int) {
	n.w.Change(dc, func(h *edrtest.Host) {
		for i := range count {
			h.Connections = append(h.Connections, edrtest.Connection{
				At:    noon.Add(-time.Duration(i+1) * time.Second),
				Tuple: incident.Tuple{SrcIP: "10.0.0.7", SrcPort: i, DstIP: "203.0.113.9", DstPort: 53, Transport: "udp"},
			})
		}
	})
}

func TestAround(t *testing.T) {
	n := start(t, falconfake.Options{Polls: -1})
	all := n.result(flows).body.Events
	got := n.result(flows, "around", map[string]any{"eventId": all[1]["@id"], "numberOfEventsBefore": 5, "numberOfEventsAfter": 0, "timestamp": 0})
	if len(got.body.Events) != 2 || got.body.Events[1]["@id"] != all[2]["@id"] {
		t.Errorf("around the second: %v", got.body.Events)
	}
}

func TestCancelledAndWarned(t *testing.T) {
	n := start(t, falconfake.Options{})
	n.d.CancelSearches(1)
	n.d.Warn("results are partial")
	got := n.result(flows)
	if !got.body.Cancelled || len(got.body.Events) != 1 || got.body.Warnings[0]["message"] != "results are partial" {
		t.Errorf("got %s", got.text)
	}
	n.d.Warn("")
	if got := n.result(flows); got.body.Cancelled || len(got.body.Events) != 3 || len(got.body.Warnings) != 0 {
		t.Errorf("the next: %s", got.text)
	}
}

func TestArguments(t *testing.T) {
	n := start(t, falconfake.Options{})
	const query = "#event_simpleName=?{kind=NetworkConnectIP4} aid=?aid RemotePort=?port | tail(?n)"
	got := n.result(query, "arguments", map[string]string{"aid": srv1, "port": "53", "n": "2"})
	if len(got.body.Events) != 2 {
		t.Errorf("got %d events, want 2", len(got.body.Events))
	}
	n.begin(query, "arguments", map[string]string{"aid": srv1}).want(t, http.StatusBadRequest, 400, `parameter "port" has no value`)
}

// What no client may send is answered and fails the test.
func TestUnboundedSearches(t *testing.T) {
	for query, want := range map[string]string{
		"#event_simpleName=NetworkConnectIP4":  "reads every host in the query",
		"aid=*":                                "reads every host in the query",
		"aid=" + srv1 + " or ComputerName=DC*": "reads every host in the query",
		"not aid=" + srv1:                      "reads every host in the query",
		"#event_simpleName=NetworkConnectIP4 | head(3) | aid=" + srv1:    "reads every host in the query",
		flows + " | join({#event_simpleName=ProcessRollup2}, field=aid)": "the subquery of join",
		`defineTable(name="t", query={aid=*}, include=[aid]) | ` + flows: "the subquery of defineTable",
		flows + " powershell":                             `"powershell", which the product looks for in the text`,
		flows + " | limit 5":                              `"limit"`,
		"aid=" + srv1 + " RemotePort=53 or RemotePort=80": "mixes and with or",
		"aid=" + srv1 + " | join({aid=" + srv1 + " x=1 or y=2}, field=aid) | RemotePort=53":    "mixes and with or",
		"ComputerName=SRV-01 | join({ComputerName=SRV-01 loose}, field=aid)":                   `"loose"`,
		"in(ComputerName, values=[SRV-01, \"DC*\"])":                                           "reads every host in the query",
		"(aid=" + srv1 + " or #event_simpleName=UserLogon) (RemotePort=53 or RemotePort=5353)": "reads every host in the query",
		flows + " | where RemotePort=53":                                                       `"where"`,
	} {
		r := &recorder{TB: t}
		n := startOn(t, r, falconfake.Options{})
		n.begin(query).want(t, http.StatusOK, 0, "")
		if !r.said(want) {
			t.Errorf("%s: reported %q, want %q", query, r.errs, want)
		}
	}
	r := &recorder{TB: t}
	n := startOn(t, r, falconfake.Options{})
	n.post(jobs, map[string]any{"queryString": flows}).want(t, http.StatusOK, 0, "")
	if !r.said("has no start") {
		t.Error("a search without a start did not fail the test")
	}
	n.begin(flows, "isLive", true).want(t, http.StatusBadRequest, 400, "live")
	if !r.said("never ends") {
		t.Error("a live search did not fail the test")
	}
	for _, bound := range []string{
		flows, "in(aid, values=[\"" + srv1 + "\"]) #event_simpleName=*", "(aid=" + srv1 + " or aid=" + dc + ") RemotePort=53",
		"ComputerName=SRV-01", "#event_simpleName=UserLogon | aid=" + srv1 + " | head(1)",
	} {
		start(t, falconfake.Options{}).begin(bound).want(t, http.StatusOK, 0, "")
	}
}
