package wazuh

import (
	"cmp"
	"context"
	"slices"
	"strconv"
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

// Executions implements [integrations.Executions]. They are the starts that Sysmon noted,
// and the scripts that PowerShell logged, for which a rule raised an alert.
func (c *Client) Executions(ctx context.Context, q integrations.ExecutionQuery) ([]incident.Execution, error) {
	op := "read executions on " + q.Target.Name()
	id, err := targeted(op, q.Target)
	if err != nil {
		return nil, err
	}
	w, err := c.window(op, q.From, q.To, q.Limit)
	if err != nil {
		return nil, err
	}
	if len(q.PIDs) > maxPIDs {
		return nil, integrations.Errorf(integrations.Invalid, op, "%d process ids are more than %d", len(q.PIDs), maxPIDs)
	}
	var begun, scripts []alert
	err = httpx.All(
		c.exists(ctx, op, id),
		func() (err error) {
			begun, err = c.indexer.seen(ctx, op, id, w, always, append(event(sysmonChannel, processStarted), ofPIDs("data.win.eventdata.processId", q.PIDs)...)...)
			return err
		},
		func() (err error) {
			// Each script may have been logged in parts.
			parts := w
			parts.Limit = max(w.Limit, maxHits)
			scripts, err = c.indexer.seen(ctx, op, id, parts, always, append(event(powershellChannel, scriptRan), ofPIDs("data.win.system.processID", q.PIDs)...)...)
			return err
		},
	)
	if err != nil {
		return nil, err
	}
	all := executionsOf(begun, scripts)
	return all[:min(len(all), q.Limit)], nil
}

func always(a alert) (time.Time, bool) { return a.happened(), true }

// ofPIDs narrows a search to processes: numbers are text in the index.
func ofPIDs(field string, pids []int64) []clause {
	if len(pids) == 0 {
		return nil
	}
	words := make([]string, 0, len(pids))
	for _, pid := range pids {
		words = append(words, strconv.FormatInt(pid, 10))
	}
	return []clause{terms(field, words)}
}

func executionsOf(begun, scripts []alert) []incident.Execution {
	started := startsOf(begun)
	all := make([]incident.Execution, 0, len(begun))
	for _, a := range begun {
		all = append(all, incident.Execution{At: a.happened(), Process: a.started(started)})
	}
	for _, s := range blocks(scripts) {
		p := nobody()
		if s.pid > 0 {
			p.PID = incident.Known(s.pid, incident.FromEDR)
		}
		// The log of PowerShell tells the process's id alone: the rest is that of its start.
		for _, a := range begun {
			if pid, _ := a.Source.Data.Win.Event.number("processId"); s.pid > 0 && pid == s.pid && !a.happened().After(s.at) {
				p = a.started(started)
				break
			}
		}
		p.Script, p.ScriptText = incident.NotKnown[string]("PowerShell names no file: the script was typed, or came from elsewhere"), known(s.text)
		if s.path != "" {
			p.Script = incident.Known(s.path, incident.FromEDR)
		}
		all = append(all, incident.Execution{At: s.at, Process: p})
	}
	slices.SortStableFunc(all, func(a, b incident.Execution) int { return b.At.Compare(a.At) })
	return all
}

// block is the execution of a script.
type block struct {
	at   time.Time
	pid  int64
	path string
	text string
}

// part is one event of a script: long ones are logged in several.
type part struct {
	alert
	number, total int64
}

// blocks joins the parts of scripts. Of a script of which a part is missing the text is what
// was logged before.
func blocks(alerts []alert) []block {
	parts := map[string][]part{}
	var order []string
	for _, a := range alerts {
		e := a.Source.Data.Win.Event
		key := e.get("scriptBlockId")
		if key == "" {
			key = "alert " + a.ID
		}
		if parts[key] == nil {
			order = append(order, key)
		}
		p := part{alert: a, number: 1, total: 1}
		if n, ok := e.number("messageNumber"); ok {
			p.number = n
		}
		if n, ok := e.number("messageTotal"); ok {
			p.total = n
		}
		parts[key] = append(parts[key], p)
	}
	out := make([]block, 0, len(order))
	for _, key := range order {
		out = append(out, joined(parts[key]))
	}
	return out
}

func joined(parts []part) block {
	slices.SortStableFunc(parts, func(a, b part) int { return cmp.Compare(a.number, b.number) })
	first := parts[0].Source.Data.Win
	b := block{at: parts[0].happened(), path: first.Event.windows("path")}
	b.pid, _ = first.System.number("processID")
	next := int64(1)
	var text strings.Builder
	for _, p := range parts {
		if p.number != next || text.Len() >= maxScript {
			continue // another copy, or what follows a part that is missing
		}
		text.WriteString(p.Source.Data.Win.Event.windows("scriptBlockText"))
		next++
	}
	b.text = text.String()[:min(text.Len(), maxScript)]
	return b
}
