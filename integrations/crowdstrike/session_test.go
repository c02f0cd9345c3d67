package crowdstrike

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
)

// opened is a session that Falcon opened.
func opened(id string, existing int) reply {
	return reply{201, fmt.Sprintf(`{"resources":[{"session_id":%q,"existing_aid_sessions":%d,"previous_commands":null,"scripts":[],"offline_queued":false}],"errors":[]}`, id, existing)}
}

func part(n int, complete bool, stdout, stderr string) reply {
	data, _ := json.Marshal(map[string]any{"session_id": "s-1", "complete": complete, "stdout": stdout, "stderr": stderr, "sequence_id": n})
	return ok("[" + string(data) + "]")
}

// session answers for one session in which read-only and active commands are given.
func answersOf(ps ...reply) map[string][]reply {
	return map[string][]reply{
		"GET " + devicePath:       {ok(record("contained"))},
		"POST " + sessionsPath:    {opened("s-1", 0)},
		"POST " + readOnly.path(): {{201, `{"resources":[{"cloud_request_id":"r-1","session_id":"s-1","queued_command_offline":false}],"errors":[]}`}},
		"GET " + readOnly.path():  ps,
		"POST " + active.path():   {{201, `{"resources":[{"cloud_request_id":"k-1","session_id":"s-1"}],"errors":[]}`}},
		"GET " + active.path():    {part(0, true, "", "")},
	}
}

func kill(t *testing.T) integrations.KillOrder {
	t.Helper()
	return integrations.KillOrder{Key: "k", Target: target(t, aid), PID: 2216, Path: `\Device\HarddiskVolume3\Windows\System32\conhost.exe`}
}

func TestKillIsOfTheProcessThatIsMeant(t *testing.T) {
	listed := []reply{part(0, true, listing, "")}
	for name, test := range map[string]struct {
		change func(*integrations.KillOrder)
		ps     []reply
		killed bool
		kind   integrations.Kind
	}{
		"it":                      {func(*integrations.KillOrder) {}, listed, true, ""},
		"another path":            {func(o *integrations.KillOrder) { o.Path = `C:\Temp\conhost.exe` }, listed, false, ""},
		"gone":                    {func(o *integrations.KillOrder) { o.PID = 2217 }, listed, false, ""},
		"a path that is not told": {func(o *integrations.KillOrder) { o.PID = 488 }, listed, false, integrations.Invalid},
		"no list":                 {func(*integrations.KillOrder) {}, []reply{part(0, true, "?", "")}, false, integrations.Unavailable},
		"no output":               {func(*integrations.KillOrder) {}, []reply{part(0, true, "", "denied")}, false, integrations.Unavailable},
		"no pid":                  {func(o *integrations.KillOrder) { o.PID = 0 }, listed, false, integrations.Invalid},
		"no key":                  {func(o *integrations.KillOrder) { o.Key = "" }, listed, false, integrations.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			f, r := falcon(t, answersOf(test.ps...))
			o := kill(t)
			test.change(&o)
			_, err := f.Kill(t.Context(), o)
			if (err == nil) != (test.kind == "") || err != nil && integrations.KindOf(err) != test.kind {
				t.Errorf("the error is %v, want kind %q", err, test.kind)
			}
			writes := r.writes()
			if (len(writes) == 1) != test.killed || len(writes) > 1 {
				t.Fatalf("the writes are %+v", writes)
			}
			if test.killed && writes[0].body != `{"base_command":"kill","command_string":"kill 2216","device_id":"`+aid+`","id":0,"persist":false,"session_id":"s-1"}` {
				t.Errorf("the command is %s", writes[0].body)
			}
		})
	}
}

// Pieces are joined by their numbers, whichever of them says that it is complete.
func TestOutputIsJoined(t *testing.T) {
	for name, test := range map[string]struct {
		parts []reply
		want  string
		done  bool
	}{
		"one":                      {[]reply{part(0, true, "a", ""), ok(`[]`)}, "a", true},
		"the same again":           {[]reply{part(0, true, "a", "")}, "a", true},
		"three, each complete":     {[]reply{part(0, true, "a", ""), part(1, true, "b", ""), part(2, true, "c", ""), {404, `{"errors":[{"code":404,"message":"no such part"}],"resources":[]}`}}, "abc", true},
		"three, the last complete": {[]reply{part(0, false, "a", ""), part(1, false, "b", ""), part(2, true, "c", ""), ok(`null`)}, "abc", true},
		"an empty end":             {[]reply{part(0, false, "a", ""), part(1, true, "", "")}, "a", true},
		"not yet":                  {[]reply{part(0, false, "", "")}, "", false},
		"a part":                   {[]reply{part(0, false, "a", ""), part(1, false, "", "")}, "a", false},
		"nothing":                  {[]reply{part(0, true, "", "")}, "", true},
		"too much":                 {[]reply{part(0, false, strings.Repeat("a", maxOutput+1), "")}, strings.Repeat("a", maxOutput+1), true},
	} {
		f, _ := falcon(t, map[string][]reply{"GET " + admin.path(): test.parts})
		out, err := f.outputOf(t.Context(), "op", admin, "r-1")
		if err != nil || out.stdout.String() != test.want || out.done != test.done {
			t.Errorf("%s: %q, done %t, %v", name, out.stdout.String()[:min(20, out.stdout.Len())], out.done, err)
		}
	}
}

// A command with an error nested in its answer was not carried out.
func TestNestedErrorsOfCommands(t *testing.T) {
	f, _ := falcon(t, map[string][]reply{"GET " + admin.path(): {ok(`[{"session_id":"3","complete":true,"stdout":"","stderr":"","errors":[{"message":"Some error"}]}]`)}})
	if _, err := f.await(t.Context(), "op", admin, "r"); err == nil || !strings.Contains(err.Error(), "Some error") {
		t.Errorf("the error is %v", err)
	}
}

func TestADeviceThatIsNotConnectedIsUnavailable(t *testing.T) {
	answers := answersOf()
	answers["POST "+sessionsPath] = []reply{{404, `{"meta":{"trace_id":"a-1"},"errors":[{"code":40401,"message":"Could not establish sensor comms"}]}`}}
	f, _ := falcon(t, answers)
	_, err := f.Collect(t.Context(), integrations.CollectOrder{Key: "k", Target: target(t, aid), What: []string{"processes"}})
	if integrations.KindOf(err) != integrations.Unavailable || err == nil || !strings.Contains(err.Error(), "not connected") {
		t.Errorf("the error is %v", err)
	}
}

func TestEvidence(t *testing.T) {
	answers := answersOf(part(0, true, listing, ""), ok(`[]`), part(0, true, "TCP 10.0.0.1:5 10.0.0.2:6\r\n\r\nUDP a b\r\n", ""), ok(`[]`))
	answers["POST /devices/combined/devices/login-history/v2"] = []reply{ok(`[{"device_id":"` + aid + `","recent_logins":[{"login_time":"2026-11-30T05:00:00Z","user_name":"anna"}]}]`)}
	f, r := falcon(t, answers)
	found, err := f.Collect(t.Context(), integrations.CollectOrder{Key: "k", Target: target(t, aid), What: []string{"processes", "connections", "sessions"}})
	if err != nil || len(found) != 3 {
		t.Fatalf("found %d, %v", len(found), err)
	}
	if !strings.Contains(string(found[0].Data), `"path":"C:\\Windows\\system32\\conhost.exe"`) || string(found[1].Data) != `["TCP 10.0.0.1:5 10.0.0.2:6","UDP a b"]` || !strings.Contains(string(found[2].Data), "anna") {
		t.Errorf("the evidence is %s, %s, %s", found[0].Data, found[1].Data, found[2].Data)
	}
	f.ending.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.ContainsFunc(r.asked, func(a asked) bool { return a.method == "DELETE" && a.query == "session_id=s-1" }) {
		t.Error("the session was not ended")
	}
}

// A session that was joined is not used while a command runs in it, and not ended
// afterwards.
func TestJoinedSessions(t *testing.T) {
	detailed := ok(`[{"id":"s-1","device_id":"` + aid + `","origin":"console","cloud_request_ids":["x-1"],"logs":[{"cloud_request_id":"x-1","base_command":"runscript"}]}]`)
	for running, want := range map[bool]integrations.Kind{true: integrations.Conflict, false: ""} {
		answers := answersOf(part(0, true, listing, ""))
		answers["POST "+sessionsPath] = []reply{opened("s-1", 1)}
		answers["POST "+detailsPath] = []reply{detailed}
		answers["GET "+admin.path()] = []reply{part(0, !running, "", "")}
		f, r := falcon(t, answers)
		_, err := f.Collect(t.Context(), integrations.CollectOrder{Key: "k", Target: target(t, aid), What: []string{"processes"}})
		if (err == nil) != (want == "") || err != nil && integrations.KindOf(err) != want {
			t.Errorf("with a command that runs (%t): %v, want kind %q", running, err, want)
		}
		f.ending.Wait()
		if slices.ContainsFunc(r.asked, func(a asked) bool { return a.method == "DELETE" }) {
			t.Error("the session of somebody was ended")
		}
	}
}

// The line that runs a script, and what does not become part of one.
func TestScriptLines(t *testing.T) {
	o := integrations.ScriptOrder{Key: "k", Script: "stanch-limit.ps1", Args: []string{"-Action", "apply", `C:\Tools\a.exe`, "1250000"}}
	line, err := scriptLine("op", o)
	if err != nil || line != `runscript -CloudFile='stanch-limit.ps1' -CommandLine='-Action apply C:\Tools\a.exe 1250000'` {
		t.Errorf("the line is %s, %v", line, err)
	}
	o.Args = nil
	if line, err := scriptLine("op", o); err != nil || line != `runscript -CloudFile='stanch-limit.ps1'` {
		t.Errorf("the line is %s, %v", line, err)
	}
}

// A script that another process has ordered is found by its session's origin, and is
// not ordered again.
func TestScriptsOfAnotherProcessAreFound(t *testing.T) {
	answers := answersOf()
	answers["GET "+listPath] = []reply{ok(`["s-0","s-1"]`)}
	answers["POST "+detailsPath] = []reply{ok(`[{"id":"s-0","device_id":"` + one + `","origin":"` + origin("k") + `","cloud_request_ids":["r-0"]},{"id":"s-1","device_id":"` + aid + `","origin":"` + origin("k") + `","cloud_request_ids":["r-1"],"created_at":"2026-11-30T05:00:00Z"}]`)}
	answers["GET "+admin.path()] = []reply{part(0, true, "{\"ok\":true}\n", "")}
	f, r := falcon(t, answers)
	o := integrations.ScriptOrder{Key: "k", Target: target(t, aid), Script: "limit"}
	receipt, err := f.Run(t.Context(), o)
	if err != nil || receipt.Ref != "r-1" || len(r.writes()) > 0 {
		t.Errorf("the receipt is %+v, %v; the writes are %+v", receipt, err, r.writes())
	}
	got, err := f.Ran(t.Context(), o)
	if err != nil || got.State != integrations.ScriptDone || got.Exit != nil || got.Stdout != "{\"ok\":true}\n" {
		t.Errorf("it ran %+v, %v", got, err)
	}
	// What has ended is known, also when Falcon has forgotten it.
	r.mu.Lock()
	delete(r.answers, "GET "+admin.path())
	r.mu.Unlock()
	if again, err := f.Ran(t.Context(), o); err != nil || again.Stdout != got.Stdout {
		t.Errorf("it ran %+v, %v", again, err)
	}
}
