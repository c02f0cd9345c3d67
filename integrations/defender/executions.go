package defender

import (
	"context"
	"encoding/json"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// maxScript bounds the text of one script, in bytes.
	maxScript = 64 << 10
	// maxPIDs bounds the processes of one query.
	maxPIDs = 1000
)

// Executions implements [integrations.Executions].
func (c *Client) Executions(ctx context.Context, q integrations.ExecutionQuery) ([]incident.Execution, error) {
	op := "read executions on " + q.Target.Name()
	id, err := targeted(op, q.Target)
	if err != nil {
		return nil, err
	}
	if err := c.window(op, q.From, q.To, q.Limit); err != nil {
		return nil, err
	}
	if len(q.PIDs) > maxPIDs {
		return nil, integrations.Errorf(integrations.Invalid, op, "%d process ids are more than %d", len(q.PIDs), maxPIDs)
	}
	var starts, scripts []incident.Execution
	err = httpx.All(
		func() (err error) { starts, err = c.starts(ctx, op, id, q); return err },
		func() (err error) { scripts, err = c.scripts(ctx, op, id, q); return err },
	)
	if err != nil {
		return nil, err
	}
	all := append(starts, scripts...)
	if len(all) == 0 {
		if err := c.known(ctx, op, id); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(all, func(a, b incident.Execution) int { return b.At.Compare(a.At) })
	return all[:min(len(all), q.Limit)], nil
}

// starts are the processes that were started.
func (c *Client) starts(ctx context.Context, op string, id machineID, q integrations.ExecutionQuery) ([]incident.Execution, error) {
	rows, err := c.hunt(ctx, op, startsQuery(id, q))
	if err != nil {
		return nil, err
	}
	return executions(op, rows, func(r row) incident.Process {
		p := created().process(r)
		p.Signed, p.Signer = signatureOf(r)
		return p
	})
}

func startsQuery(id machineID, q integrations.ExecutionQuery) string {
	of := created()
	query := events("DeviceProcessEvents", id, q.From, q.To).where(`ActionType == "ProcessCreated"`)
	if len(q.PIDs) > 0 {
		query.where(of.pid + " in " + anyOf(q.PIDs))
	}
	query.top(min(q.Limit, maxRows)).join(signatures(id, q.To), "SHA1")
	return query.project(slices.Concat([]string{"Timestamp", "IsSigned", "IsTrusted", "Signer"}, of.all()))
}

// signatures are the last checks of the signatures of a device's files.
func signatures(id machineID, to time.Time) *kql {
	q := events("DeviceFileCertificateInfo", id, to.Add(-huntingKept), to)
	q.WriteString("\n| summarize arg_max(Timestamp, IsSigned, IsTrusted, Signer) by SHA1")
	return q
}

// signatureOf is whether an image carries a signature that Windows trusts, and whose it is.
// One that was not checked on the device is unknown.
func signatureOf(r row) (signed incident.Value[bool], signer incident.Value[string]) {
	const unchecked = "Defender has no check of the image's signature"
	is, ok := r.truth("IsSigned")
	if !ok {
		return incident.NotKnown[bool](unchecked), incident.NotKnown[string](unchecked)
	}
	if !is {
		return incident.Known(false, incident.FromEDR), incident.NotKnown[string]("the image is not signed")
	}
	signer = text(r.text("Signer"))
	trusted, ok := r.truth("IsTrusted")
	if !ok {
		return incident.NotKnown[bool]("Defender does not say whether the signature is trusted"), signer
	}
	return incident.Known(trusted, incident.FromEDR), signer
}

// The events that hold a script. Their names, and where in AdditionalFields the text is,
// are in queries that Microsoft and others publish; no page documents them.
// typed is the name of those that hold one command of a process, such as a cmdlet that a
// script calls: where a process has the text of a script, they say less.
const typed = "PowerShellCommand"

func scriptEvents() []string { return []string{typed, "ScriptContent", "AmsiScriptContent"} }

func scriptFields() []string { return []string{"ScriptContent", "Content", "Command"} }

// scripts are the scripts that processes executed.
func (c *Client) scripts(ctx context.Context, op string, id machineID, q integrations.ExecutionQuery) ([]incident.Execution, error) {
	of := initiating()
	rows, err := c.hunt(ctx, op, scriptsQuery(id, q))
	if err != nil {
		return nil, err
	}
	told := map[int64]bool{}
	for _, r := range rows {
		pid, _ := r.number(of.pid)
		_, text := scriptOf(r)
		told[pid] = told[pid] || r.text("ActionType") != typed && text.IsKnown()
	}
	// Without a text it is no more than that the process runs.
	rows = slices.DeleteFunc(rows, func(r row) bool {
		pid, _ := r.number(of.pid)
		_, text := scriptOf(r)
		return !text.IsKnown() || told[pid] && r.text("ActionType") == typed
	})
	return executions(op, rows, func(r row) incident.Process {
		p := of.process(r)
		p.Script, p.ScriptText = scriptOf(r)
		return p
	})
}

func scriptsQuery(id machineID, q integrations.ExecutionQuery) string {
	of := initiating()
	query := events("DeviceEvents", id, q.From, q.To).where("ActionType in " + anyOf(scriptEvents()))
	if len(q.PIDs) > 0 {
		query.where(of.pid + " in " + anyOf(q.PIDs))
	}
	return query.newest(min(q.Limit, maxRows), append([]string{"Timestamp", "ActionType", "FileName", "FolderPath", "AdditionalFields"}, of.all()...))
}

func executions(op string, rows []row, process func(row) incident.Process) ([]incident.Execution, error) {
	all := make([]incident.Execution, 0, len(rows))
	for _, r := range rows {
		at := r.at("Timestamp")
		if at.IsZero() {
			return nil, integrations.Errorf(integrations.Unavailable, op, "an event has no time")
		}
		all = append(all, incident.Execution{At: at, Process: process(r)})
	}
	return all, nil
}

// scriptOf is the path of the script that an event is about, where it was a file, and
// its text as far as Defender recorded it.
func scriptOf(r row) (file, content incident.Value[string]) {
	file = incident.NotKnown[string]("Defender names no file: the script was typed, or came from elsewhere")
	if name := r.text("FileName"); isScript(name) {
		file = incident.Known(imagePath(r.text("FolderPath"), name), incident.FromEDR)
	}
	content = incident.NotKnown[string]("Defender has no text of the script")
	var fields map[string]any
	if json.Unmarshal([]byte(r.text("AdditionalFields")), &fields) != nil {
		return file, content
	}
	for _, name := range scriptFields() {
		// A command that is a script's name is not its text.
		if s, ok := fields[name].(string); ok && s != "" && !isScript(s) {
			return file, incident.Known(s[:min(len(s), maxScript)], incident.FromEDR)
		}
	}
	return file, content
}

// isScript reports whether a file's name is that of a script: the events' column may also
// name the program that runs one.
func isScript(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".ps1", ".psm1", ".psd1", ".vbs", ".vbe", ".js", ".jse", ".wsf", ".hta", ".bat", ".cmd", ".py":
		return true
	}
	return false
}
