package contract

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// ExecutionsHarness opens EDRs that report what devices ran.
type ExecutionsHarness struct {
	Knobs
	// Open returns an EDR that has the device, and exactly the executions on it.
	// Where Process.ScriptText is known it is the execution of a script.
	Open func(t testing.TB, device incident.Target, executions []incident.Execution) integrations.Executions
	// Break makes an EDR that Open returned fail.
	Break func(integrations.Executions, Fault)
	// At is the hour around which the executions are laid, for EDRs that keep
	// recent ones only. The zero time means a fixed one.
	At time.Time
}

// Executions checks an [integrations.Executions].
func Executions(t *testing.T, h ExecutionsHarness) {
	t.Helper()
	run(t, "Executions", h, executionsChecks())
}

func executionsChecks() []check[ExecutionsHarness] {
	return slices.Concat([]check[ExecutionsHarness]{
		{"executions come newest first, with command line and parents", checkExecutions},
		{"a script comes with its path and text", checkScript},
		{"executions are bounded, the newest are kept", checkExecutionsLimit},
		{"executions of some processes", checkExecutionsPIDs},
		{"executions of an unknown device are not found, of a zero target invalid", checkExecutionsTarget},
	}, faultChecks(func(t testing.TB, h ExecutionsHarness) (func(Fault), []call) {
		q := h.query(t)
		e := h.Open(t, q.Target, h.ran())
		var breakIt func(Fault)
		if h.Break != nil {
			breakIt = func(fault Fault) { h.Break(e, fault) }
		}
		return breakIt, []call{{"executions", false, func(ctx context.Context) error {
			_, err := e.Executions(ctx, q)
			return err
		}}}
	}))
}

func (h ExecutionsHarness) at() time.Time { return ConnectionsHarness{At: h.At}.at() }

func (h ExecutionsHarness) query(t testing.TB) integrations.ExecutionQuery {
	t.Helper()
	device, err := incident.DeviceTarget(h.id("ws-042"), "accounting-2")
	h.fine(t, "make a target", err)
	return integrations.ExecutionQuery{Target: device, From: h.at().Add(-5 * time.Minute), To: h.at(), Limit: 100}
}

// scriptText is longer than a line, and has what must not end a query or a field.
const scriptText = "# \"quoted\" | 'so'\r\n$u = New-Object System.Net.Sockets.UdpClient\r\nwhile ($true) { $u.Send($b, 1400, '198.51.100.1', 53) }\r\n"

// ran are executions one minute apart: one before the five minutes that the checks
// ask for, five in them, one at their end. The newest but one is a script's.
func (h ExecutionsHarness) ran() []incident.Execution {
	var out []incident.Execution
	edr := incident.FromEDR
	for _, ago := range []int{3, 6, 0, 1, 5, 2, 4} {
		at := h.at().Add(-time.Duration(ago) * time.Minute)
		p := incident.Process{
			Path: incident.Known(fmt.Sprintf(`C:\Tools\sender%d.exe`, ago), edr), Name: incident.Known(fmt.Sprintf("sender%d.exe", ago), edr),
			PID: incident.Known(int64(4000+ago), edr), CommandLine: incident.Known(fmt.Sprintf(`sender%d.exe --to "198.51.100.1"`, ago), edr),
			User: incident.Known(`CORP\anna`, edr), Started: incident.Known(at, edr),
			Parent: incident.Known(`C:\Windows\explorer.exe`, edr), Parents: incident.Known(`C:\Windows\explorer.exe < C:\Windows\System32\userinit.exe`, edr),
		}
		if ago == 2 {
			p.Path, p.Name = incident.Known(`C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`, edr), incident.Known("powershell.exe", edr)
			p.Script, p.ScriptText = incident.Known(`C:\Users\anna\flood.ps1`, edr), incident.Known(scriptText, edr)
			p.CommandLine = incident.Known(`powershell.exe -File C:\Users\anna\flood.ps1`, edr)
		}
		out = append(out, incident.Execution{At: at, Process: p})
	}
	return out
}

// of asks, and returns what was found with the pids of it, each once, newest first.
func (h ExecutionsHarness) of(t testing.TB, q integrations.ExecutionQuery) (found []incident.Execution, pids []int64) {
	t.Helper()
	found, err := h.Open(t, q.Target, h.ran()).Executions(t.Context(), q)
	h.fine(t, "executions", err)
	for i, e := range found {
		if i > 0 && e.At.After(found[i-1].At) {
			t.Errorf("execution %d at %s is newer than the one before it, at %s", i, e.At, found[i-1].At)
		}
		if pid, _ := e.Process.PID.Get(); !slices.Contains(pids, pid) {
			pids = append(pids, pid)
		}
	}
	return found, pids
}

func checkExecutions(t testing.TB, h ExecutionsHarness) {
	found, pids := h.of(t, h.query(t))
	if want := []int64{4001, 4002, 4003, 4004, 4005}; !slices.Equal(pids, want) {
		t.Fatalf("the executions' pids are %v, want %v", pids, want)
	}
	for _, e := range found {
		pid, _ := e.Process.PID.Get()
		if pid == 4002 {
			continue
		}
		ago := int(pid - 4000)
		image(t, "path", e.Process.Path, fmt.Sprintf(`C:\Tools\sender%d.exe`, ago))
		is(t, "command line", e.Process.CommandLine, fmt.Sprintf(`sender%d.exe --to "198.51.100.1"`, ago))
		image(t, "parent", e.Process.Parent, `C:\Windows\explorer.exe`)
		if user, _ := e.Process.User.Get(); !strings.EqualFold(user, `CORP\anna`) && !strings.EqualFold(user, "anna") {
			t.Errorf("the user is %v, want CORP\\anna", e.Process.User)
		}
		if started, ok := e.Process.Started.Get(); !ok || !started.Equal(h.at().Add(-time.Duration(ago)*time.Minute)) {
			t.Errorf("process %d started %v, want %d minutes before %s", pid, e.Process.Started, ago, h.at())
		}
	}
}

func checkScript(t testing.TB, h ExecutionsHarness) {
	found, _ := h.of(t, h.query(t))
	for _, e := range found {
		if !e.Process.ScriptText.IsKnown() {
			continue
		}
		is(t, "the script's path", e.Process.Script, `C:\Users\anna\flood.ps1`)
		is(t, "the script's process", e.Process.PID, int64(4002))
		is(t, "the script's text", e.Process.ScriptText, scriptText)
		return
	}
	t.Errorf("no execution has the script's text")
}

func checkExecutionsLimit(t testing.TB, h ExecutionsHarness) {
	q := h.query(t)
	q.Limit = 1
	if found, pids := h.of(t, q); len(found) != 1 || !slices.Equal(pids, []int64{4001}) {
		t.Errorf("%d executions, of the pids %v, for a limit of 1; want one, of 4001", len(found), pids)
	}
}

func checkExecutionsPIDs(t testing.TB, h ExecutionsHarness) {
	q := h.query(t)
	q.PIDs = []int64{4004, 4006, 4}
	if _, pids := h.of(t, q); !slices.Equal(pids, []int64{4004}) {
		t.Errorf("the executions' pids are %v, want 4004", pids)
	}
}

func checkExecutionsTarget(t testing.TB, h ExecutionsHarness) {
	q := h.query(t)
	e := h.Open(t, q.Target, h.ran())
	q.Target = h.unknownDevice(t)
	_, err := e.Executions(t.Context(), q)
	h.want(t, "executions of an unknown device", err, integrations.NotFound)
	q.Target = incident.Target{}
	_, err = e.Executions(t.Context(), q)
	h.want(t, "executions of a zero target", err, integrations.Invalid)
}
