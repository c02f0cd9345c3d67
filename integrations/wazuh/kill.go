package wazuh

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	killScript = "kill"
	// maxPath bounds the path of an image, in bytes.
	maxPath = 1024
)

// Kill implements [integrations.Killer]. A script of ours on the agent does it, which compares
// pid, path and, where it is known, time of start right before it ends the process.
func (c *Client) Kill(ctx context.Context, o integrations.KillOrder) (incident.Receipt, error) {
	op := fmt.Sprintf("end process %d on %s", o.PID, o.Target.Name())
	id, err := targeted(op, o.Target)
	if err != nil {
		return incident.Receipt{}, err
	}
	if err := checkKill(op, o); err != nil {
		return incident.Receipt{}, err
	}
	done, err := c.writing.Take(ctx, op, id)
	if err != nil {
		return incident.Receipt{}, err
	}
	defer done()
	l, err := c.killed(ctx, op, id, o)
	if err != nil {
		return incident.Receipt{}, err
	}
	receipt := incident.Receipt{Ref: strconv.FormatInt(l.order, 10), At: l.at}
	switch l.result {
	case "ended":
		receipt.Detail = "ended"
	case "gone":
		receipt.Detail = "no such process runs"
	case "other":
		receipt.Detail = "no such process runs: the pid is that of another now"
	default:
		return incident.Receipt{}, integrations.Errorf(integrations.Invalid, op, "the script did not end the process: %s: %s", httpx.Quote(l.result), httpx.Quote(l.detail))
	}
	return receipt, nil
}

func checkKill(op string, o integrations.KillOrder) error {
	switch {
	case o.PID <= 0 || o.PID > 1<<32-1 || o.Path == "" || len(o.Path) > maxPath:
		return integrations.Errorf(integrations.Invalid, op, "the order needs a pid and a path")
	case !onVolume(o.Path):
		// The script compares it with what Windows calls the image: another spelling would
		// be taken for another process, and the order for done.
		return integrations.Errorf(integrations.Invalid, op, `invalid path %s: must be as C:\Tools\a.exe`, httpx.Quote(o.Path))
	}
	return checkKey(op, o.Key)
}

// onVolume reports whether a path begins with the letter of a volume, and is a line of text.
func onVolume(path string) bool {
	return len(path) > 3 && (path[0]|0x20 >= 'a' && path[0]|0x20 <= 'z') && path[1:3] == `:\` &&
		!strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// killed is the line of the order, which is sent unless it was before.
func (c *Client) killed(ctx context.Context, op string, id agentID, o integrations.KillOrder) (line, error) {
	var a agent
	var l line
	var reported bool
	var started string
	err := httpx.All(
		func() error { return c.supported(ctx, op) },
		func() (err error) { a, err = c.agent(ctx, op, id); return err },
		func() (err error) { l, reported, err = c.byKey(ctx, op, id, killScript, o.Key); return err },
		func() (err error) { started, err = c.startOf(ctx, op, id, o); return err },
	)
	if err != nil || reported && l.carriedOut() {
		return l, err
	}
	number := int64(0)
	for _, before := range c.sent.unanswered(id, nil, verbKill) {
		if before.Key == o.Key && before.open(c.now()) && before.number > l.order {
			number = before.number
		}
	}
	if number == 0 {
		if err := a.reachable(op); err != nil {
			return line{}, err
		}
		sent, err := c.send(ctx, op, id, killCommand, order{
			Verb: verbKill, Key: o.Key, PID: strconv.FormatInt(o.PID, 10), Path: base64.StdEncoding.EncodeToString([]byte(o.Path)), Started: started,
		})
		if err != nil {
			return line{}, err
		}
		number, _ = text(sent.Number).number()
	}
	return c.answered(ctx, op, id, killScript, o.Key, number)
}

// carriedOut reports whether an order of a line was: one that came too late, or after a later
// one, can be sent again.
func (l line) carriedOut() bool { return l.result != "expired" && l.result != "stale" }

// startOf is when the process was started, in milliseconds since 1970: as the order says, or
// of the last start with its pid, if that was of its image. Empty is not known.
func (c *Client) startOf(ctx context.Context, op string, id agentID, o integrations.KillOrder) (string, error) {
	if !o.Started.IsZero() {
		return strconv.FormatInt(o.Started.UnixMilli(), 10), nil
	}
	now := c.now()
	found, err := c.indexer.search(ctx, op, id, 1, append(event(sysmonChannel, processStarted),
		term("data.win.eventdata.processId", strconv.FormatInt(o.PID, 10)), received(now.Add(-eventsRelated), now.Add(clocksDiffer)))...)
	if err != nil || len(found) == 0 || !strings.EqualFold(found[0].Source.Data.Win.Event.windows("image"), o.Path) {
		return "", err
	}
	at := found[0].happened()
	if at.IsZero() {
		return "", nil
	}
	return strconv.FormatInt(at.UnixMilli(), 10), nil
}
