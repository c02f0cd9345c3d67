package crowdstrike

import (
	"context"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// maxScripts bounds the scripts that are looked for beside connections, and maxText
	// the text of one, in bytes.
	maxScripts = 200
	maxText    = 64 << 10
)

// scriptEvents are those that carry the content of a script, as the operating system
// handed it to the sensor when it was run.
func scriptEvents() []string {
	return []string{"ScriptControlScanTelemetry", "ScriptControlScanInfo", "ScriptControlDetectInfo"}
}

// script asks for the newest scripts in [from, to).
func (f *Falcon) scriptsRun(ctx context.Context, op string, a agentID, from, to time.Time, limit int) ([]row, error) {
	return f.rows(ctx, question{
		op: op, agent: a, events: scriptEvents(), stamp: "ContextTimeStamp", from: from, to: to,
		fields: []string{"ContextProcessId", "TargetProcessId", "ScriptContentName", "ScriptContent", "ImageFileName"}, limit: limit,
	})
}

// runner is Falcon's id of the process that runs a script. Which of two fields has it
// is not documented for all of the events.
func runner(r row) string {
	if id := r["ContextProcessId"]; id != "" {
		return string(id)
	}
	return string(r["TargetProcessId"])
}

// withScript sets the script of a process.
func withScript(p incident.Process, r row) incident.Process {
	p.Script = told(r["ScriptContentName"], "the script's name")
	content := r["ScriptContent"]
	if len(content) > maxText {
		content = content[:maxText]
	}
	p.ScriptText = told(content, "the script's text")
	return p
}

// newest is the newest script that a process had run by a time, of scripts newest first;
// nil for none.
func newest(scripts []row, id string, by time.Time) row {
	for _, r := range scripts {
		if runner(r) == id && !when(r["ContextTimeStamp"]).After(by) {
			return r
		}
	}
	return nil
}
