package elastic

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// pollEvery is how often an action is looked at, and killWait for how long at most.
	pollEvery = 5 * time.Second
	killWait  = 90 * time.Second
	// maxPath bounds the path of an image, in bytes.
	maxPath = 1024
	// sightings is how many of the last events with a pid are looked at.
	sightings = 100
)

// Kill implements [integrations.Killer]. The last process that had the pid, by the device's
// events, must be of the image; it is ended by the id that Elastic gives to each process,
// which, unlike a pid, is not used again. One that is queued counts as unavailable, and is
// found again by its key.
func (d *Defend) Kill(ctx context.Context, o integrations.KillOrder) (incident.Receipt, error) {
	op := fmt.Sprintf("end process %d on %s", o.PID, o.Target.Name())
	id, err := targeted(op, o.Target)
	if err != nil {
		return incident.Receipt{}, err
	}
	if o.PID <= 0 || o.PID > 1<<31-1 || o.Path == "" || len(o.Path) > maxPath {
		return incident.Receipt{}, integrations.Errorf(integrations.Invalid, op, "the order needs a pid and a path")
	}
	text, err := comment(op, killComment, o.Key, fmt.Sprintf("process %d", o.PID))
	if err != nil {
		return incident.Receipt{}, err
	}
	done, err := d.writing.Take(ctx, op, id)
	if err != nil {
		return incident.Receipt{}, err
	}
	defer done()
	ref, gone, err := d.orderKill(ctx, op, id, o, text)
	switch {
	case err != nil:
		return incident.Receipt{}, err
	case gone != "":
		return incident.Receipt{At: d.now().UTC(), Detail: gone}, nil
	}
	return d.killed(ctx, op, id, ref)
}

// orderKill returns the id of the action that ends the process, ordered now or before, or
// why there is nothing to end.
func (d *Defend) orderKill(ctx context.Context, op string, id agentID, o integrations.KillOrder, text string) (ref, gone string, err error) {
	var actions []action
	var rows []row
	err = httpx.All(
		func() error { _, err := d.device(ctx, op, id); return err },
		func() (err error) { actions, err = d.actions(ctx, op, id, cmdKill); return err },
		func() (err error) { rows, err = d.sighted(ctx, op, id, o.PID); return err },
	)
	if err != nil {
		return "", "", err
	}
	for _, a := range actions {
		// The key is that of the step: the process is in the comment, too.
		if a.Comment == text {
			return a.ID, "", nil
		}
	}
	if len(rows) == 0 {
		return "", "no such process runs: Elastic has no event of one with that pid", nil
	}
	last := rows[0]
	entity := last.text("process.entity_id")
	switch {
	case last.text("process.executable") == "":
		return "", "", integrations.Errorf(integrations.Unavailable, op, "the last event with the pid names no image")
	case !strings.EqualFold(last.text("process.executable"), o.Path):
		return "", fmt.Sprintf("no such process runs: %d was last %s", o.PID, httpx.Quote(last.text("process.executable"))), nil
	case slices.ContainsFunc(rows, func(r row) bool { return r.text("event.action") == "end" && r.text("process.entity_id") == entity }):
		return "", "no such process runs: it has ended", nil
	case !isEntity(entity):
		return "", "", integrations.Errorf(integrations.Unavailable, op, "the process has no id that can be used: %s", httpx.Quote(entity))
	}
	if !o.Started.IsZero() {
		started, err := d.startOf(ctx, op, id, rows, entity)
		if err != nil || !o.StartedAt(started) {
			return "", fmt.Sprintf("no such process runs: %d was last started at %s", o.PID, started.Format(time.RFC3339)), err
		}
	}
	r, err := d.order(ctx, op, id, cmdKill, bodyOf(id, text, struct {
		Entity string `json:"entity_id"`
	}{entity}))
	return r.Ref, "", err
}

// startOf is when a process was started: by its start among rows or, for one that has done
// much since, by a search for it. Zero is not known.
func (d *Defend) startOf(ctx context.Context, op string, id agentID, rows []row, entity string) (time.Time, error) {
	e, to := d.events, d.now().Add(time.Hour)
	at := slices.IndexFunc(rows, func(r row) bool { return r.starts() && r.text("process.entity_id") == entity })
	if at < 0 {
		found, err := e.search(ctx, op, e.processes, false,
			newest(1, e.processFields(), id.host(), stamped(to.Add(-startedWithin), to), e.starts, term("process.entity_id", entity)))
		if err != nil || len(found) == 0 {
			return time.Time{}, err
		}
		rows, at = found, 0
	}
	return rows[at].at(), nil
}

// isEntity reports whether a text has the form of Elastic's ids of processes.
func isEntity(text string) bool { return allowed(text, "+/=-_{}") && len(text) <= 256 }

// sighted are the last events of processes with a pid: of starts and ends, and those of
// connections, for it may have been started before events are kept.
func (d *Defend) sighted(ctx context.Context, op string, id agentID, pid int64) ([]row, error) {
	e := d.events
	to := d.now().Add(time.Hour) // the device's clock may be ahead
	return e.search(ctx, op, slices.Concat(e.processes, e.networks), false,
		newest(sightings, e.processFields(), id.host(), stamped(to.Add(-startedWithin), to), term("process.pid", pid)))
}

// killed waits for the action, and reads what it says.
func (d *Defend) killed(ctx context.Context, op string, id agentID, ref string) (incident.Receipt, error) {
	end := time.NewTimer(killWait)
	defer end.Stop()
	for {
		a, err := d.action(ctx, op, id, ref)
		if err != nil {
			return incident.Receipt{}, err
		}
		if a.ended() {
			return a.verdict(op, id)
		}
		again := time.NewTimer(d.poll)
		select {
		case <-again.C:
			continue
		case <-end.C:
			err = integrations.Errorf(integrations.Unavailable, op, "the order is queued at Elastic, for %s where the device is offline: %s", actionsKept, a)
		case <-ctx.Done():
			err = integrations.Errorf(integrations.Unavailable, op, "wait for the device: %s: %w", a, ctx.Err())
		}
		again.Stop()
		return incident.Receipt{}, err
	}
}

// verdict is the receipt of an order to end a process that the device has answered. Of its
// codes the documents tell no more than that there are some: those with not-found in them
// are of a process that is gone.
func (a action) verdict(op string, id agentID) (incident.Receipt, error) {
	var out struct {
		Code string `json:"code"`
	}
	a.left(id, &out)
	r := incident.Receipt{Ref: a.ID, At: a.at(), Detail: "ended"}
	switch said := strings.ToLower(out.Code + " " + strings.Join(a.Errors, " ")); {
	case a.succeeded():
		return r, nil
	case a.Expired && !a.answered():
		return incident.Receipt{}, integrations.Errorf(integrations.Invalid, op, "the order has expired before the device had it")
	case strings.Contains(said, "not-found") || strings.Contains(said, "not_found") || strings.Contains(said, "not found"):
		r.Detail = "no such process runs"
		return r, nil
	}
	return incident.Receipt{}, integrations.Errorf(integrations.Invalid, op, "the device could not end the process: %s", httpx.Quote(strings.TrimSpace(out.Code+" "+strings.Join(a.Errors, "; "))))
}
