package activities

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// recalling is an EDR that also knows what was executed.
type recalling struct {
	telling
	executions []incident.Execution
	fails      error
	pids       []int64
}

func (e *recalling) Executions(_ context.Context, q integrations.ExecutionQuery) ([]incident.Execution, error) {
	e.pids = q.PIDs
	return e.executions, e.fails
}

func executed(ago time.Duration, pid int64, path, script, text string) incident.Execution {
	edr := incident.FromEDR
	p := incident.Process{Path: incident.Known(path, edr), PID: incident.Known(pid, edr)}
	if text != "" {
		p.Script, p.ScriptText = incident.Known(script, edr), incident.Known(text, edr)
	} else {
		p.CommandLine, p.User, p.Started = incident.Known("sender --flood", edr), incident.Known(`CORP\anna`, edr), incident.Known(alerted.Add(-ago), edr)
	}
	return incident.Execution{At: alerted.Add(-ago), Process: p}
}

func tellWho(t *testing.T, e *recalling) incident.Process {
	t.Helper()
	var flows []incident.Flow
	for i := range 5 {
		f, conn := sent(10*time.Minute-time.Duration(i)*time.Second, 50000+i, 9_000_000, sender)
		flows, e.connections = append(flows, f), append(e.connections, conn)
	}
	_, joined := findBy(t, e, flows)
	return joined.Process
}

// The sender comes with its start and the script that it ran last before it sent;
// what another process with its id did, or what came later, is not its own.
func TestSenderComesWithItsScript(t *testing.T) {
	e := &recalling{executions: []incident.Execution{
		executed(9*time.Hour, 4711, `C:\Tools\before.exe`, "", ""),
		executed(8*time.Hour, 4711, `C:\Tools\before.exe`, `C:\old.ps1`, "another process of this id"),
		executed(time.Hour, 4711, sender, "", ""),
		executed(20*time.Minute, 4711, sender, `C:\first.ps1`, "first"),
		executed(11*time.Minute, 4711, sender, `C:\flood.ps1`, strings.Repeat("ä", 4000)),
		executed(time.Minute, 4711, sender, `C:\later.ps1`, "later"),
	}}
	p := tellWho(t, e)
	if script, _ := p.Script.Get(); script != `C:\flood.ps1` {
		t.Errorf("the script is %v, want C:\\flood.ps1", p.Script)
	}
	if text, _ := p.ScriptText.Get(); len(text) > maxScriptText+len("…") || !strings.HasSuffix(text, "ä…") {
		t.Errorf("the script's text has %d bytes and ends in %q", len(text), text[len(text)-5:])
	}
	if user, _ := p.User.Get(); user != `CORP\anna` || p.ScriptText.From() != incident.FromEDR {
		t.Errorf("the user is %v, the text is from %s", p.User, p.ScriptText.From())
	}
	if started, ok := p.Started.Get(); !ok || !started.Equal(alerted.Add(-time.Hour)) {
		t.Errorf("started is %v, want an hour before", p.Started)
	}
	if len(e.pids) != 1 || e.pids[0] != 4711 {
		t.Errorf("asked for the pids %v, want the sender's", e.pids)
	}
}

func TestAScriptOfAFormerProcessIsNotTheSenders(t *testing.T) {
	p := tellWho(t, &recalling{executions: []incident.Execution{
		executed(2*time.Hour, 4711, sender, `C:\old.ps1`, "the id's former process"),
		executed(time.Hour, 4711, sender, "", ""),
	}})
	if p.Script.IsKnown() || p.ScriptText.Why() == "" {
		t.Errorf("the script is %v (%q), want unknown with the reason", p.Script, p.ScriptText.Why())
	}
}

// Executions that cannot be read leave who sends as it is, and say why.
func TestExecutionsThatCannotBeRead(t *testing.T) {
	p := tellWho(t, &recalling{fails: integrations.Errorf(integrations.Throttled, "read executions", "too many")})
	if path, _ := p.Path.Get(); path != sender {
		t.Errorf("the sender is %v", p.Path)
	}
	if p.ScriptText.IsKnown() || !strings.Contains(p.ScriptText.Why(), "edr") {
		t.Errorf("the script's text is %v (%q)", p.ScriptText, p.ScriptText.Why())
	}
}
