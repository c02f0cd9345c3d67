package defender

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/entra"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// killScript is the script of the library that ends a process; its text is beside this
	// file.
	killScript = "stanch-kill.ps1"
	// pollEvery is how often it is looked at, and killWait for how long at most.
	pollEvery = 5 * time.Second
	killWait  = 90 * time.Second
	// maxPath bounds the path of an image, in bytes.
	maxPath = 1024
)

// Kill implements [integrations.Killer]. Defender's API cannot end a process: a script of
// ours does, by live response, and a playbook that kills needs it in the library.
//
// That the process is the one that is meant is looked for twice: in the events, whose last
// start with the pid must be of the image, and by the script on the device, which compares
// path and, where the events have it, time of start right before it ends the process. One
// that is queued counts as unavailable, and is found again by its key.
func (c *Client) Kill(ctx context.Context, o integrations.KillOrder) (incident.Receipt, error) {
	op := fmt.Sprintf("end process %d on %s", o.PID, o.Target.Name())
	id, err := targeted(op, o.Target)
	if err != nil {
		return incident.Receipt{}, err
	}
	switch {
	case o.PID <= 0 || o.PID > 1<<31-1 || o.Path == "" || len(o.Path) > maxPath:
		return incident.Receipt{}, integrations.Errorf(integrations.Invalid, op, "the order needs a pid and a path")
	case !onVolume(o.Path):
		// The script compares it with what Windows calls the image: another spelling would
		// be taken for another process, and the order for done.
		return incident.Receipt{}, integrations.Errorf(integrations.Invalid, op, `invalid path %s: must be as C:\Tools\a.exe`, httpx.Quote(o.Path))
	}
	text, err := comment(op, killComment, o.Key, fmt.Sprintf("process %d", o.PID))
	if err != nil {
		return incident.Receipt{}, err
	}
	done, err := c.writing.Take(ctx, op, id)
	if err != nil {
		return incident.Receipt{}, err
	}
	defer done()
	ref, gone, err := c.orderKill(ctx, op, id, o, text)
	switch {
	case err != nil:
		return incident.Receipt{}, err
	case gone != "":
		return incident.Receipt{At: c.now().UTC(), Detail: gone}, nil
	}
	return c.killed(ctx, op, id, ref)
}

// onVolume reports whether a path begins with the letter of a volume.
func onVolume(path string) bool {
	return len(path) > 3 && (path[0]|0x20 >= 'a' && path[0]|0x20 <= 'z') && path[1:3] == `:\`
}

// orderKill returns the id of the action that ends the process, ordered now or before, or
// why there is nothing to end.
func (c *Client) orderKill(ctx context.Context, op string, id machineID, o integrations.KillOrder, text string) (ref, gone string, err error) {
	var before action
	var started sighting
	err = httpx.All(
		func() error { _, err := c.machine(ctx, op, id); return err },
		func() (err error) { before, _, err = c.script(ctx, op, id, killComment, o.Key); return err },
		func() (err error) { started, err = c.sighted(ctx, op, id, o.PID); return err },
	)
	if err != nil || before.ID != "" && before.Comment == text {
		return before.ID, "", err
	}
	if started.path != "" && !strings.EqualFold(started.path, o.Path) {
		return "", fmt.Sprintf("no such process runs: %d was last %s", o.PID, httpx.Quote(started.path)), nil
	}
	if !o.StartedAt(started.at) {
		return "", fmt.Sprintf("no such process runs: %d was last started at %s", o.PID, started.at.UTC().Format(time.RFC3339)), nil
	}
	if started.at.IsZero() {
		started.at = o.Started
	}
	// Milliseconds since 1970; 0 where Defender does not know.
	since := int64(0)
	if !started.at.IsZero() {
		since = started.at.UnixMilli()
	}
	args := strings.Join([]string{
		strconv.FormatInt(o.PID, 10), "p" + base64.RawURLEncoding.EncodeToString([]byte(o.Path)), strconv.FormatInt(since, 10),
	}, " ")
	r, err := c.live(ctx, op, id, runScript(killScript, args, text))
	return r.Ref, "", err
}

// sighting is the last process that is known to have had a pid.
type sighting struct {
	path string
	at   time.Time
}

// sighted looks for the last process with a pid: among those that were started, and those
// that have connected, which may have been started before events are kept.
func (c *Client) sighted(ctx context.Context, op string, id machineID, pid int64) (sighting, error) {
	look := func(table string, of columns) (sighting, error) {
		rows, err := c.hunt(ctx, op, sightings(table, of, id, pid, c.now()))
		if err != nil || len(rows) == 0 {
			return sighting{}, err
		}
		return sighting{imagePath(rows[0].text(of.folder), rows[0].text(of.name)), rows[0].at(of.started)}, nil
	}
	var started, connected sighting
	err := httpx.All(
		func() (err error) { started, err = look("DeviceProcessEvents", created()); return err },
		func() (err error) { connected, err = look("DeviceNetworkEvents", initiating()); return err },
	)
	if connected.at.After(started.at) || started.path == "" {
		return connected, err
	}
	return started, err
}

// sightings is the query for the last event of a process with a pid.
func sightings(table string, of columns, id machineID, pid int64, now time.Time) string {
	to := now.UTC().Add(time.Hour) // the endpoint's clock may be ahead
	q := events(table, id, to.Add(-huntingKept), to).where(of.pid + " == " + strconv.FormatInt(pid, 10))
	return q.newest(1, append([]string{"Timestamp"}, of.all()...))
}

// killed waits for the script, and reads what it says.
func (c *Client) killed(ctx context.Context, op string, id machineID, ref string) (incident.Receipt, error) {
	end := time.NewTimer(killWait)
	defer end.Stop()
	for {
		a, err := c.actionOf(ctx, op, id, ref)
		if err != nil {
			return incident.Receipt{}, err
		}
		if !a.open() {
			return c.verdict(ctx, op, a)
		}
		again := time.NewTimer(c.poll)
		select {
		case <-again.C:
			continue
		case <-end.C:
			err = integrations.Errorf(integrations.Unavailable, op, "the script is queued at Defender, for 3 days where the device is offline: %s", a)
		case <-ctx.Done():
			err = integrations.Errorf(integrations.Unavailable, op, "wait for the script: %s: %w", a, ctx.Err())
		}
		again.Stop()
		return incident.Receipt{}, err
	}
}

// actionOf reads one action of a device.
func (c *Client) actionOf(ctx context.Context, op string, id machineID, ref string) (action, error) {
	if !entra.IsID(ref) {
		return action{}, integrations.Errorf(integrations.Unavailable, op, "the action has the id %s, which is not one of Defender's", httpx.Quote(ref))
	}
	var a action
	if err := c.api.get(ctx, op, "/api/machineactions/"+ref, &a); err != nil {
		return action{}, err
	}
	if !a.on(id) {
		return action{}, integrations.Errorf(integrations.Unavailable, op, "the action is on the device %s", httpx.Quote(a.Machine))
	}
	return a, nil
}

// verdict is the receipt of a script that has ended. Its last line says what it did.
func (c *Client) verdict(ctx context.Context, op string, a action) (incident.Receipt, error) {
	r, err := c.result(ctx, op, a)
	if err != nil {
		return incident.Receipt{}, err
	}
	var said struct {
		Result string `json:"result"`
		Detail string `json:"detail"`
	}
	lines := strings.Split(strings.TrimSpace(r.Stdout), "\n")
	_ = json.Unmarshal([]byte(strings.TrimSpace(lines[len(lines)-1])), &said)
	receipt := incident.Receipt{Ref: a.ID, At: a.updated()}
	switch said.Result {
	case "ended":
		receipt.Detail = "ended"
	case "gone":
		receipt.Detail = "no such process runs"
	case "other":
		receipt.Detail = "no such process runs: the pid is that of another now"
	case "failed":
		return incident.Receipt{}, integrations.Errorf(integrations.Invalid, op, "the script could not end the process: %s", httpx.Quote(said.Detail))
	default:
		return incident.Receipt{}, integrations.Errorf(integrations.Invalid, op,
			"the script %s did not say what it did (%s); is it in the library? %s", killScript, r.Detail, httpx.Quote(strings.TrimSpace(r.Stderr)))
	}
	return receipt, nil
}
