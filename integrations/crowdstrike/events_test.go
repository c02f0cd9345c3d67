package crowdstrike

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const jobs = "/humio/api/v1/repositories/search-all/queryjobs"

func begin() time.Time { return time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC) }

// found is a search's answer with rows.
func found(rows ...map[string]string) reply {
	if rows == nil {
		rows = []map[string]string{}
	}
	data, _ := json.Marshal(rows)
	return reply{200, `{"done":true,"cancelled":false,"events":` + string(data) + `,"metaData":{"pollAfter":1,"processedEvents":9,"isAggregate":true}}`}
}

func TestQueriesHaveNoTextOfOthers(t *testing.T) {
	a, _ := parseAgent(strings.ToUpper(aid))
	q, err := connectionsAsked("op", a, integrations.ConnectionQuery{
		Target: target(t, aid), From: begin(), To: begin().Add(time.Minute + 1500*time.Microsecond), Limit: 10,
		Tuples: []incident.Tuple{{SrcIP: "192.0.2.2", SrcPort: 50001, DstIP: "198.51.100.1", DstPort: 53, Transport: "udp"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "(#event_simpleName=NetworkConnectIP4 OR #event_simpleName=NetworkConnectIP6 OR #event_simpleName=NetworkReceiveAcceptIP4 OR #event_simpleName=NetworkReceiveAcceptIP6)" +
		" | aid=" + aid + " | ContextTimeStamp>=1795953600.000 | ContextTimeStamp<1795953660.001500000" +
		` | in(field=RemotePort, values=["50001", "53"]) | in(field=RemoteAddressIP4, values=["192.0.2.2", "198.51.100.1"])` +
		" | table([id, aid, ContextTimeStamp, #event_simpleName, ContextProcessId, ContextBaseFileName, ConnectionDirection, Protocol," +
		" LocalAddressIP4, LocalAddressIP6, LocalPort, RemoteAddressIP4, RemoteAddressIP6, RemotePort], sortby=ContextTimeStamp, order=desc, limit=1000)"
	if got := q.cql(q.to, false, 1000); got != want {
		t.Errorf("the query is\n%s\nwant\n%s", got, want)
	}
	for _, ip := range []string{`" OR aid=*`, "192.0.2", ""} {
		_, err := connectionsAsked("op", a, integrations.ConnectionQuery{From: begin(), To: begin().Add(1), Limit: 1, Tuples: []incident.Tuple{{SrcIP: ip, DstIP: "192.0.2.1"}}})
		if integrations.KindOf(err) != integrations.Invalid || err == nil {
			t.Errorf("a tuple of %q: %v", ip, err)
		}
	}
}

func event(n int, at time.Time) map[string]string {
	return map[string]string{
		"id": fmt.Sprint(n), "aid": aid, "ContextTimeStamp": seconds(at), "#event_simpleName": "NetworkConnectIP4", "ContextProcessId": "17",
		"LocalAddressIP4": "192.0.2.2", "LocalPort": fmt.Sprint(40000 + n), "RemoteAddressIP4": "198.51.100.1", "RemotePort": "53", "Protocol": "17",
	}
}

// A page that is full goes on at the time of its last row, without that row again.
func TestRowsArePaged(t *testing.T) {
	var first, second []map[string]string
	for n := range pageRows {
		first = append(first, event(n, begin().Add(time.Hour-time.Duration(n/2)*time.Second)))
	}
	last := begin().Add(time.Hour - time.Duration((pageRows-1)/2)*time.Second)
	second = append(second, first[pageRows-2], first[pageRows-1], event(7000, last), event(7001, begin()))
	f, r := falcon(t, map[string][]reply{"POST " + jobs: {{200, `{"id":"P1-a"}`}}, "GET " + jobs + "/P1-a": {found(first...), found(second...)}})
	a, _ := parseAgent(aid)
	rows, err := f.rows(t.Context(), question{
		op: "op", agent: a, events: connectionEvents(), stamp: "ContextTimeStamp", from: begin(), to: begin().Add(2 * time.Hour), limit: 5000,
		keep: func(r row) bool { return r["LocalPort"] >= "40000" },
	})
	if err != nil || len(rows) != pageRows+2 {
		t.Fatalf("there are %d rows, %v; want %d", len(rows), err, pageRows+2)
	}
	var queries []string
	for _, a := range r.requests() {
		if a.method == http.MethodPost {
			queries = append(queries, a.body)
		}
	}
	// The signs are escaped in JSON, which means the same.
	if len(queries) != 2 || !strings.Contains(queries[1], `ContextTimeStamp\u003c=`+seconds(last)) {
		t.Errorf("the queries are %q", queries)
	}
}

func TestPartsAreNotTakenForAll(t *testing.T) {
	full := func() (all []map[string]string) {
		for n := range pageRows {
			all = append(all, event(n, begin().Add(time.Minute)))
		}
		return all
	}
	for name, test := range map[string]struct {
		answers []reply
		want    string
	}{
		"there are more": {[]reply{{200, `{"done":true,"events":[],"metaData":{"extraData":{"hasMoreEvents":"true"}}}`}}, "returned a part"},
		"a warning":      {[]reply{{200, `{"done":true,"events":[],"metaData":{"warnings":[{"message":"Results are partial"}]}}`}}, "returned a part"},
		"one time":       {[]reply{found(full()...)}, "are of one time"},
		"another device": {[]reply{found(map[string]string{"aid": strings.Repeat("b", 32), "ContextTimeStamp": seconds(begin())})}, "another device"},
		"cancelled":      {[]reply{{200, `{"done":false,"cancelled":true}`}}, "cancelled"},
		"gone":           {[]reply{{404, ``}}, "before its time"},
	} {
		t.Run(name, func(t *testing.T) {
			f, _ := falcon(t, map[string][]reply{"POST " + jobs: {{200, `{"id":"P1"}`}}, "GET " + jobs + "/P1": test.answers})
			a, _ := parseAgent(aid)
			rows, err := f.rows(t.Context(), question{
				op: "op", agent: a, events: connectionEvents(), stamp: "ContextTimeStamp", from: begin(), to: begin().Add(time.Hour), limit: 5000,
				keep: func(row) bool { return true },
			})
			if integrations.KindOf(err) != integrations.Unavailable || err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("there are %d rows, %v; want an error with %q", len(rows), err, test.want)
			}
		})
	}
}

// A search is polled when Falcon says, and ended whatever happens.
func TestSearchesAreEnded(t *testing.T) {
	f, r := falcon(t, map[string][]reply{
		"POST " + jobs:           {{200, `{"id":"P1"}`}},
		"GET " + jobs + "/P1":    {{200, `{"done":false,"events":[],"metaData":{"pollAfter":1}}`}, {200, `{"done":false,"metaData":{"pollAfter":1}}`}, found()},
		"DELETE " + jobs + "/P1": {{200, `{}`}},
	})
	if _, err := f.search(t.Context(), "op", job{Query: "q", Start: "1", End: "2"}); err != nil {
		t.Fatal(err)
	}
	f.ending.Wait()
	deleted, polled := 0, 0
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.asked {
		switch a.method {
		case http.MethodDelete:
			deleted++
		case http.MethodGet:
			polled++
		}
	}
	if deleted != 1 || polled != 3 {
		t.Errorf("it was polled %d times and ended %d times", polled, deleted)
	}
}

func TestTuplesOfEvents(t *testing.T) {
	out := incident.Tuple{SrcIP: "10.0.0.1", SrcPort: 137, DstIP: "203.0.113.1", DstPort: 443, Transport: "udp"}
	base := row{"LocalAddressIP4": "10.0.0.1", "LocalPort": "137", "RemoteAddressIP4": "203.0.113.1", "RemotePort": "443", "Protocol": "17", "ConnectionDirection": "0"}
	with := func(changes row) row {
		r := row{}
		for k, v := range base {
			r[k] = v
		}
		for k, v := range changes {
			r[k] = v
		}
		return r
	}
	for name, test := range map[string]struct {
		row  row
		want incident.Tuple
		ok   bool
	}{
		"as it was recorded": {base, out, true},
		"accepted":           {with(row{"#event_simpleName": "NetworkReceiveAcceptIP4"}), out.Reversed(), true},
		"inbound":            {with(row{"ConnectionDirection": "1"}), out.Reversed(), true},
		"no port":            {with(row{"RemotePort": "", "LocalPort": "", "Protocol": "1"}), incident.Tuple{SrcIP: "10.0.0.1", DstIP: "203.0.113.1", Transport: "icmp"}, true},
		"IPv6": {
			row{"LocalAddressIP6": "2001:DB8:0::1", "RemoteAddressIP6": "2001:db8::2", "LocalPort": "1", "RemotePort": "2", "Protocol": "6"},
			incident.Tuple{SrcIP: "2001:db8::1", SrcPort: 1, DstIP: "2001:db8::2", DstPort: 2, Transport: "tcp"},
			true,
		},
		"an end that is not known": {with(row{"LocalAddressIP4": "0.0.0.0", "LocalPort": "0"}), incident.Tuple{DstIP: "203.0.113.1", DstPort: 443, Transport: "udp"}, true},
		"no address":               {with(row{"RemoteAddressIP4": ""}), incident.Tuple{}, false},
		"odd port":                 {with(row{"RemotePort": "70000"}), incident.Tuple{}, false},
	} {
		if got, ok := tupleOf(test.row); ok != test.ok || ok && got != test.want {
			t.Errorf("%s: %+v, %t; want %+v", name, got, ok, test.want)
		}
	}
}

func TestProcessesAndTheirParents(t *testing.T) {
	known := starts{
		"1": {"TargetProcessId": "1", "ParentProcessId": "2", "RawProcessId": "7412", "ImageFileName": `\Device\HarddiskVolume3\Windows\System32\a.exe`, "CommandLine": "a", "UserSid": "S-1-5-18", "SessionId": "0", "SHA256HashData": text(strings.Repeat("AB", 32)), "ProcessStartTime": "1795953600.402", "ParentBaseFileName": "b.exe"},
		"2": {"TargetProcessId": "2", "ParentProcessId": "3", "ImageFileName": `C:\b.exe`},
		"3": {"TargetProcessId": "3", "ParentProcessId": "1", "ImageFileName": `C:\c.exe`}, // a circle ends
		"4": {},
		"5": {"TargetProcessId": "5", "ParentProcessId": "9", "SHA256HashData": text(strings.Repeat("0", 64)), "ParentBaseFileName": "x.exe"},
	}
	p := known.process("1", "")
	for name, got := range map[string][2]string{
		"path": {p.Path.String(), `\Device\HarddiskVolume3\Windows\System32\a.exe`}, "name": {p.Name.String(), "a.exe"}, "pid": {p.PID.String(), "7412"},
		"user": {p.User.String(), "S-1-5-18"}, "session": {p.Session.String(), "0"}, "digest": {p.SHA256.String(), strings.Repeat("ab", 32)},
		"parent": {p.Parent.String(), `C:\b.exe`}, "parents": {p.Parents.String(), `C:\b.exe < C:\c.exe`},
		"started":  {p.Started.String(), "2026-11-29 12:00:00.402 +0000 UTC"},
		"no start": {known.process("4", "d.exe").Path.String(), "unknown (the start of the process is not in the telemetry)"}, "its name": {known.process("4", "d.exe").Name.String(), "d.exe"},
		"no digest": {known.process("5", "").SHA256.String(), "unknown (the sensor does not tell the image's digest)"},
		"no parent": {known.process("5", "").Parent.String(), `unknown (the start of the parent is not in the telemetry; its name is "x.exe")`},
	} {
		if got[0] != got[1] {
			t.Errorf("%s is %q, want %q", name, got[0], got[1])
		}
	}
	if missing := known.missing([]string{"1", "5", "6", "", "x"}); strings.Join(missing, ",") != "6,9" {
		t.Errorf("missing are %v, want 6 and 9", missing)
	}
}
