package sentinelone

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

const (
	// killScript is the script of the library that ends a process.
	killScript = "stanch-kill.ps1"
	killWait   = 90 * time.Second
	// maxPath bounds the path of an image, in bytes.
	maxPath = 1024
	// kept is how far back the last start of a process is looked for.
	kept = 14 * 24 * time.Hour
)

// Kill implements [integrations.Killer]. SentinelOne's API cannot end a process: a script of
// ours does, and a playbook that kills needs it in the library.
//
// That the process is the one that is meant is looked for twice: in the events, whose last
// start with the pid must be of the image, and by the script on the device, which compares
// path and, where it is known, time of start right before it ends the process.
func (c *Client) Kill(ctx context.Context, o integrations.KillOrder) (incident.Receipt, error) {
	op := fmt.Sprintf("end process %d on %s", o.PID, httpx.Line(o.Target.ID()))
	id, err := agentOf(op, o.Target)
	if err != nil {
		return incident.Receipt{}, err
	}
	switch {
	case o.PID <= 0 || o.PID > 1<<31-1 || o.Path == "" || len(o.Path) > maxPath || o.Key == "":
		return incident.Receipt{}, integrations.Errorf(integrations.Invalid, op, "the order needs a key, a pid and a path")
	case !onVolume(o.Path):
		// The script compares it with what Windows calls the image: another spelling would
		// be taken for another process, and the order for done.
		return incident.Receipt{}, integrations.Errorf(integrations.Invalid, op, `invalid path %q: must be as C:\Tools\a.exe`, httpx.Line(o.Path))
	}
	which := run{id, fmt.Sprintf("kill %d %s", o.PID, o.Key)}
	unlock, err := c.scripts.Take(ctx, op, id)
	if err != nil {
		return incident.Receipt{}, err
	}
	defer unlock()
	// One whose answer was lost is ordered again: the script does nothing to a process that is
	// not there.
	if t, ordered := c.runs.get(which); !ordered || t.lost() {
		started, err := c.sighted(ctx, op, id, o.PID)
		if err != nil {
			return incident.Receipt{}, err
		}
		if started.path != "" && !traffic.SameImage(started.path, o.Path) {
			return incident.Receipt{At: c.now().UTC(), Detail: fmt.Sprintf("no such process runs: %d was last %q", o.PID, httpx.Line(started.path))}, nil
		}
		if !o.StartedAt(started.at) {
			return incident.Receipt{At: c.now().UTC(), Detail: fmt.Sprintf("no such process runs: %d was last started at %s", o.PID, started.at.Format(time.RFC3339))}, nil
		}
		if started.at.IsZero() {
			started.at = o.Started
		}
		// Milliseconds since 1970; 0 where nobody knows.
		since := int64(0)
		if !started.at.IsZero() {
			since = started.at.UnixMilli()
		}
		args := fmt.Sprintf("%d p%s %d", o.PID, base64.RawURLEncoding.EncodeToString([]byte(o.Path)), since)
		if _, err := c.order(ctx, op, which, killScript, args); err != nil {
			return incident.Receipt{}, err
		}
	}
	return c.killed(ctx, op, which)
}

// onVolume reports whether a path begins with the letter of a volume.
func onVolume(path string) bool {
	return len(path) > 3 && (path[0]|0x20 >= 'a' && path[0]|0x20 <= 'z') && path[1:3] == `:\`
}

// sighting is the last process that is known to have had a pid.
type sighting struct {
	path string
	at   time.Time
}

// sighted looks for the last process with a pid: among those that were started, and those
// that have connected, which may have been started before events are kept.
func (c *Client) sighted(ctx context.Context, op string, id agentID, pid int64) (sighting, error) {
	u, err := c.eventsOf(ctx, op, id)
	if err != nil {
		return sighting{}, err
	}
	// The device's clock may be ahead.
	to := c.now().Add(time.Hour)
	look := func(ctx context.Context, event, of string) (sighting, error) {
		rows, err := c.events(ctx, question{
			op: op, agent: u, event: event, from: to.Add(-kept), to: to, limit: 1,
			where: []string{of + ".pid = " + strconv.FormatInt(pid, 10)}, fields: []string{of + ".image.path", of + ".startTime"},
		})
		if err != nil || len(rows) == 0 {
			return sighting{}, err
		}
		return sighting{string(rows[0][of+".image.path"]), when(rows[0][of+".startTime"])}, nil
	}
	var started, connected sighting
	err = httpx.Together(ctx,
		func(ctx context.Context) (err error) { started, err = look(ctx, created, target); return err },
		func(ctx context.Context) (err error) { connected, err = look(ctx, ipConnect, source); return err },
	)
	if connected.at.After(started.at) || started.path == "" {
		return connected, err
	}
	return started, err
}

// killed waits for the script, and reads what it says.
func (c *Client) killed(ctx context.Context, op string, which run) (incident.Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, killWait)
	defer cancel()
	for {
		r, err := c.result(ctx, op, which)
		switch {
		case err != nil:
			return incident.Receipt{}, err
		case r.State == integrations.ScriptDone || r.State == integrations.ScriptFailed:
			t, _ := c.runs.get(which)
			return c.verdict(op, t.ref(), r)
		}
		if err := httpx.Pause(ctx, op, "SentinelOne", c.poll); err != nil {
			return incident.Receipt{}, integrations.Errorf(integrations.Unavailable, op, "the script is %s at SentinelOne: %s", r.State, r.Detail)
		}
	}
}

// verdict is the receipt of a script that has ended. Its last line says what it did.
func (c *Client) verdict(op, ref string, r integrations.ScriptResult) (incident.Receipt, error) {
	var said struct {
		Result string `json:"result"`
		Detail string `json:"detail"`
	}
	lines := strings.Split(strings.TrimSpace(r.Stdout), "\n")
	_ = json.Unmarshal([]byte(strings.TrimSpace(lines[len(lines)-1])), &said)
	receipt := incident.Receipt{Ref: ref, At: c.now().UTC()}
	switch said.Result {
	case "ended":
		receipt.Detail = "ended"
	case "gone":
		receipt.Detail = "no such process runs"
	case "other":
		receipt.Detail = "no such process runs: the pid is that of another now"
	case "failed":
		return incident.Receipt{}, integrations.Errorf(integrations.Invalid, op, "the script could not end the process: %q", httpx.Line(said.Detail))
	default:
		return incident.Receipt{}, integrations.Errorf(integrations.Invalid, op,
			"the script %s did not say what it did (%s): %q", killScript, r.Detail, httpx.Line(strings.TrimSpace(r.Stderr)))
	}
	return receipt, nil
}
