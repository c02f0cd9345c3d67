package falconfake_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/integrations/crowdstrike/falconfake"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func TestFilters(t *testing.T) {
	n := start(t, falconfake.Options{Polls: -1})
	for filter, want := range map[string]int{
		"RemotePort=53":                    3,
		"RemotePort=5":                     0,
		"RemotePort=5*":                    3,
		`RemoteAddressIP4="203.0.113.*"`:   3,
		"LocalPort>50000":                  2,
		"LocalPort>=50000 LocalPort<50002": 2,
		"LocalPort!=50000":                 2,
		"LocalPort<>50000":                 2,
		"Absent!=x":                        3,
		"Absent=*":                         0,
		"not Absent=*":                     3,
		"!Absent=*":                        3,
		"remoteport=53":                    0,
		"ComputerName=srv-01":              0,
		"ComputerName=/^srv-/i":            3,
		"ComputerName!=/^srv-/i":           0,
		"(LocalPort=50000 or LocalPort=50002) and RemotePort=53": 2,
		"in(LocalPort, values=[50000, 50001, 9])":                2,
		"!in(LocalPort, values=[50000])":                         2,
		`cidr(RemoteAddressIP4, subnet="203.0.113.0/24")`:        3,
		`cidr(RemoteAddressIP4, subnet=["10.0.0.0/8"])`:          0,
		"/* a comment */ RemotePort=53 // another":               3,
		"port := RemotePort | port=53":                           3,
		`port := "x" | port=x`:                                   3,
		"* | RemotePort=53":                                      3,
	} {
		if got := n.result(flows + " | " + filter); len(got.body.Events) != want {
			t.Errorf("%s: %d events, want %d", filter, len(got.body.Events), want)
		}
	}
}

func TestSyntaxErrors(t *testing.T) {
	n := start(t, falconfake.Options{})
	for _, bad := range []string{
		"|", flows + " |", flows + " | | head(1)", "aid=", "aid='" + srv1 + "'", flows + ")", "(" + flows,
		flows + ` | x="open`, flows + " | x=/open", flows + " | x=/(/", flows + " | head(0)", flows + " | head(many)", flows + " | head(1, 2)",
		flows + " | head(count=1)", flows + " | unknown()", flows + " | LocalPort>x", flows + " head(3)", flows + " | in(aid)", flows + " | in(values=[1])",
		flows + ` | cidr(aid, subnet="x")`, flows + " | table()", flows + " | sort(a, order=up)", flows + " | groupBy(a, function=select(b))",
		flows + " | join({aid=" + srv1 + "})", flows + " | join({aid=" + srv1 + "}, field=[aid,x], key=aid)", flows + " | join(aid, field=aid)",
		flows + " | join({aid=" + srv1 + "}, field=aid, mode=outer)", flows + ` | match(table="none", field=aid)`,
		flows + ` | defineTable(name="t", query={aid=` + srv1 + `}, include=[aid])`, flows + " | rename(aid)", flows + " | x := format(y)",
		flows + " | join({aid=" + srv1 + `}, field=aid, repo="third-party")`, flows + " /* open", flows + " | ?x=1", flows + " | tail(1 | x)",
		`defineTable(name="t", query={aid=` + srv1 + `}, include=[aid]) | ` + flows + " | join({aid=" + srv1 + "}, field=aid)",
	} {
		if got := n.begin(bad); got.status != http.StatusBadRequest || !strings.Contains(got.text, "Could not parse query") {
			t.Errorf("%s: status %d: %s", bad, got.status, got.text)
		}
	}
}

func column(a answer, field string) []any {
	var out []any
	for _, e := range a.body.Events {
		out = append(out, e[field])
	}
	return out
}

func TestStages(t *testing.T) {
	n := start(t, falconfake.Options{Polls: -1})
	for query, want := range map[string][]any{
		"tail(2)":                             {"50000", "50001"}, // the newest
		"head(2)":                             {"50002", "50001"}, // the oldest
		"sort(LocalPort, order=asc, limit=2)": {"50000", "50001"},
		"sort([RemotePort, LocalPort])":       {"50002", "50001", "50000"},
		"table([LocalPort], sortby=LocalPort, order=asc)":               {"50000", "50001", "50002"},
		"rename(LocalPort, as=p) | select(p) | rename(p, as=LocalPort)": {"50000", "50001", "50002"},
		"drop([LocalPort])":                              {nil, nil, nil},
		"head(3) | groupBy([LocalPort], limit=1)":        {"50000"},
		"groupBy([LocalPort], limit=1)":                  {"50000"}, // first by name
		"top(LocalPort, limit=2)":                        {"50000", "50001"},
		"count(as=LocalPort)":                            {"3"},
		"count(RemotePort, distinct=true, as=LocalPort)": {"1"},
		"min(LocalPort, as=LocalPort)":                   {"50000"},
		"max(LocalPort, as=LocalPort)":                   {"50002"},
		"sum(LocalPort, as=LocalPort)":                   {"150003"},
		"groupBy(RemotePort, function=([collect([LocalPort], separator=\",\")]))":       {"50000,50001,50002"},
		"groupBy(RemotePort, function=selectLast([LocalPort]))":                         {"50000"},
		"groupBy(RemotePort, function=[count(as=LocalPort), max(@timestamp, as=last)])": {"3"},
		"groupBy(RemotePort, function=[]) | LocalPort := RemotePort":                    {"53"},
		"sort(LocalPort, order=asc, limit=2) | LocalPort=50001 | head()":                {"50001"},
		"groupBy(Absent)": nil,
		"LocalPort=50001 | tail(9) | table([LocalPort, RemotePort])":                         {"50001"},
		"groupBy([RemotePort,Protocol]) | LocalPort := _count | table([LocalPort,Protocol])": {"3"},
	} {
		if diff := cmp.Diff(want, column(n.result(flows+" | "+query), "LocalPort")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
	if got := n.result(flows + " | groupBy([LocalPort], limit=1)"); len(got.body.Warnings) != 1 || len(got.body.MetaData.Warnings) != 1 || !got.body.MetaData.IsAggregate {
		t.Errorf("a cut groupBy says %s", got.text)
	}
}

const processes = "#event_simpleName=/^(Synthetic)?ProcessRollup2$/ aid=" + srv1

// A connection names its process by the sensor's id of it, not by the one of the
// operating system, and the event of the process is of its start.
func TestProcessOfAConnection(t *testing.T) {
	n := start(t, falconfake.Options{Polls: -1})
	const included = "field=[aid,ContextProcessId], key=[aid,TargetProcessId], include=[ImageFileName,CommandLine,RawProcessId,UserName,SHA256HashData,ParentBaseFileName,Absent]"
	got := n.result(flows + " | join({" + processes + "}, " + included + ")")
	if len(got.body.Events) != 3 {
		t.Fatalf("joined %d, want 3", len(got.body.Events))
	}
	for k, want := range map[string]any{
		"ImageFileName": `\Device\HarddiskVolume3\Windows\System32\powershell.exe`, "CommandLine": `powershell -File "C:\it's.ps1"`,
		"RawProcessId": "4242", "UserName": "ann", "SHA256HashData": strings.Repeat("ab", 32), "ParentBaseFileName": "services.exe", "Absent": "",
	} {
		if got.body.Events[0][k] != want {
			t.Errorf("%s is %v, want %v", k, got.body.Events[0][k], want)
		}
	}
	if got.body.Events[0]["ContextProcessId"] == "4242" {
		t.Error("the sensor's id is the operating system's")
	}
	// The process began before this hour's end, and is not in the last 45 minutes.
	for query, want := range map[string]int{
		flows + " | join({" + processes + "}, " + included + ")":            0,
		flows + " | join({" + processes + "}, mode=left, " + included + ")": 3,
		flows + " | join({" + processes + "}, start=2h, " + included + ")":  3,
	} {
		if got := n.result(query, "start", "45m"); len(got.body.Events) != want {
			t.Errorf("%s: %d events, want %d", query, len(got.body.Events), want)
		}
	}
}

func TestTables(t *testing.T) {
	n := start(t, falconfake.Options{Polls: -1})
	table := `defineTable(name="p", query={` + processes + `}, include=[TargetProcessId, FileName], start=1d) | ` + flows + " | "
	for match, want := range map[string][]any{
		`match(table="p", field=ContextProcessId, column=TargetProcessId)`:                               {"powershell.exe", "powershell.exe", "powershell.exe"},
		`match(file="p", field=ContextProcessId, column=TargetProcessId, include=FileName) | tail(1)`:    {"powershell.exe"},
		`match(table="p", field=ContextProcessId, column=FileName)`:                                      nil,
		`match(table="p", field=ContextProcessId, column=FileName, strict=false) | head(1)`:              {nil},
		`match(table="p", field=ContextProcessId, column=TargetProcessId, include=[FileName]) | head(1)`: {"powershell.exe"},
	} {
		if diff := cmp.Diff(want, column(n.result(table+match), "FileName")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", match, diff)
		}
	}
}

// Without an aggregate a subquery has the newest 200 events alone.
func TestSubqueryIsCut(t *testing.T) {
	n := start(t, falconfake.Options{Polls: -1})
	n.w.Change(srv1, func(h *edrtest.Host) {
		for i := range 250 {
			h.Processes = append(h.Processes, &edrtest.Process{PID: int64(10000 + i), Path: `C:\x.exe`, Start: noon.Add(-40 * time.Minute)})
		}
	})
	const keys = "field=ContextProcessId, key=TargetProcessId"
	if got := n.result(flows + " | join({" + processes + "}, " + keys + ")"); len(got.body.Events) != 0 {
		t.Errorf("found %d in the cut subquery", len(got.body.Events))
	}
	if got := n.result(flows + " | join({" + processes + " | tail(1000)}, " + keys + ")"); len(got.body.Events) != 3 {
		t.Errorf("found %d, want 3", len(got.body.Events))
	}
}

func TestSensorsStart(t *testing.T) {
	n := start(t, falconfake.Options{Polls: -1, SensorStarted: noon.Add(-30 * time.Minute)})
	got := n.result("aid=" + srv1 + " #event_simpleName=SyntheticProcessRollup2 | sort(FileName, order=asc)")
	if diff := cmp.Diff([]any{"powershell.exe", "services.exe"}, column(got, "FileName")); diff != "" {
		t.Errorf("processes that ran before (-want +got):\n%s", diff)
	}
	if got := n.result("aid=" + srv1 + " #event_simpleName=ProcessRollup2"); len(got.body.Events) != 0 {
		t.Errorf("they are told twice: %v", got.body.Events)
	}
}

func TestOtherEvents(t *testing.T) {
	n := start(t, falconfake.Options{Polls: -1})
	got := n.result("aid=" + srv1 + " #event_simpleName=NetworkReceiveAcceptIP6").body.Events
	if len(got) != 1 || got[0]["RemoteAddressIP6"] != "2001:db8::7" || got[0]["LocalPort"] != "3389" || got[0]["ConnectionDirection"] != "1" {
		t.Errorf("the inbound connection: %v", got)
	}
	n.w.Change(dc, func(h *edrtest.Host) {
		h.Connections = []edrtest.Connection{{At: noon.Add(-time.Minute), Inbound: true, Tuple: incident.Tuple{SrcIP: "203.0.113.7", SrcPort: 1, DstIP: "10.0.0.7", DstPort: 53, Transport: "udp"}}}
	})
	got = n.result("aid=" + dc + " #event_simpleName=NetworkReceiveAcceptIP4").body.Events
	if len(got) != 1 || got[0]["RemoteAddressIP4"] != "203.0.113.7" || got[0]["LocalPort"] != "53" || got[0]["ContextProcessId"] != nil {
		t.Errorf("a connection of no process to an address that is not known: %v", got)
	}
	got = n.result("aid=" + srv1 + " #event_simpleName=ScriptControlScanInfo | sort(@timestamp, order=asc)").body.Events
	if len(got) != 2 || got[0]["ScriptContent"] != "while ($true) { flood }" || got[0]["ScriptContentName"] != `C:\it's.ps1` {
		t.Fatalf("scripts: %v", got)
	}
	if process := got[0]["ContextProcessId"]; process == nil || got[1]["TargetProcessId"] != process || got[1]["ContextProcessId"] != nil {
		t.Errorf("the processes of the scripts: %v", got)
	}
	if got := n.result("aid=" + srv1 + " #event_simpleName=CommandHistory").body.Events; len(got) != 1 || got[0]["CommandHistory"] != "flood -To 203.0.113.9" {
		t.Errorf("the history: %v", got)
	}
	if got := n.result("aid="+srv1+" #event_simpleName=EndOfProcess", "start", "2h").body.Events; len(got) != 1 || got[0]["RawProcessId"] != "4242" {
		t.Errorf("the end: %v", got)
	}
	if got := n.result("aid="+srv1+" #event_simpleName=UserLogon", "start", "3h").body.Events; len(got) != 1 || got[0]["UserName"] != "ann" {
		t.Errorf("the logon: %v", got)
	}
}
