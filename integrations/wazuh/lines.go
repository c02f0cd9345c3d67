package wazuh

import (
	"context"
	"slices"
	"strings"
	"time"
)

// maxLines is how many of an agent's last lines are read.
const maxLines = 200

// line is what a script of ours wrote to the log of active responses, as the index has it.
type line struct {
	script, verb, key, result string
	// state is whether the machine is isolated after it, and owner the key of whoever isolated
	// it. Each line of the isolating script has both, so that the newest one suffices.
	state, owner string
	detail       string
	order        int64
	// seq counts the lines of the script on its machine.
	seq int64
	at  time.Time // when the manager received it
	// A script's output is in parts, from 1 on.
	part, parts int64
	output      string
	exit        *int
}

// lineOf is the line in an alert. One of another decoder came from another log, in which
// others could write.
func lineOf(a alert) (line, bool) {
	f := a.Source.Data.Stanch
	for _, name := range []text{a.Source.Decoder.Name, a.Source.Decoder.Parent} {
		if name != "" && !strings.HasPrefix(string(name), "ar_log_json") {
			return line{}, false
		}
	}
	l := line{
		script: f.get("script"), verb: f.get("verb"), key: f.get("key"), result: f.get("result"), state: f.get("state"), owner: f.get("owner"),
		detail: f.get("detail"), at: a.Source.Timestamp.Time, output: f.get("output"),
	}
	l.order, _ = f.number("order")
	l.seq, _ = f.number("seq")
	l.part, _ = f.number("part")
	l.parts, _ = f.number("parts")
	if exit, ok := f.number("exit"); ok && exit >= -1<<31 && exit < 1<<32 {
		n := int(exit)
		l.exit = &n
	}
	return l, l.script != "" && !l.at.IsZero()
}

// reports are the last lines of a script on an agent, the newest first.
func (c *Client) reports(ctx context.Context, op string, id agentID, script string, more ...clause) ([]line, error) {
	now := c.now()
	found, err := c.indexer.search(ctx, op, id, maxLines, append(more, term("data.stanch.script", script), received(now.Add(-alertsKept), now.Add(clocksDiffer)))...)
	if err != nil {
		return nil, err
	}
	lines := make([]line, 0, len(found))
	for _, a := range found {
		if l, ok := lineOf(a); ok && l.script == script {
			lines = append(lines, l)
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return b.at.Compare(a.at) })
	return lines, nil
}

// unordered is how long after another line one can be received that was written before it.
const unordered = time.Minute

// newest is the line that was written last. The manager's threads may mix up what came in
// one go: there the machine's own count decides.
func newest(lines []line) (line, bool) {
	if len(lines) == 0 {
		return line{}, false
	}
	last := lines[0]
	for _, l := range lines {
		if lines[0].at.Sub(l.at) < unordered && l.seq > last.seq {
			last = l
		}
	}
	return last, true
}
