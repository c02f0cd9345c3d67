package crowdstrike

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

// killWithin bounds the end of a process.
const killWithin = 3 * time.Minute

// Kill implements [integrations.Killer]. The device lists its processes right before:
// only where the one with the pid has the path is it ended. Where the list has no path,
// the newest start that the sensor reported with the pid says whose it is. Between the
// list and the end a pid could be used again, for as long as a command takes to reach the
// device.
func (f *Falcon) Kill(ctx context.Context, o integrations.KillOrder) (incident.Receipt, error) {
	op := "end a process on " + httpx.Line(o.Target.ID())
	a, err := agentOf(op, o.Target)
	if err != nil {
		return incident.Receipt{}, err
	}
	if o.PID <= 0 || o.Path == "" || o.Key == "" {
		return incident.Receipt{}, integrations.Errorf(integrations.Invalid, op, "the order needs a key, a pid and a path")
	}
	ctx, cancel := context.WithTimeout(ctx, killWithin)
	defer cancel()
	if _, err := f.device(ctx, op, a); err != nil {
		return incident.Receipt{}, err
	}
	var r incident.Receipt
	err = f.within(ctx, op, a, func(s session) error {
		r, err = f.end(ctx, op, a, s, o)
		return err
	})
	return r, err
}

// end ends the process, if it is the one that is meant.
func (f *Falcon) end(ctx context.Context, op string, a agentID, s session, o integrations.KillOrder) (incident.Receipt, error) {
	runs, err := f.runs(ctx, op, a, s, o)
	if err != nil || !runs {
		return incident.Receipt{At: f.now().UTC(), Detail: "no such process runs"}, err
	}
	pid := strconv.FormatInt(o.PID, 10)
	g, err := f.give(ctx, op, active, a, s, "kill", "kill "+pid)
	if err != nil {
		return incident.Receipt{}, err
	}
	out, err := f.await(ctx, op, active, g.Request)
	if err != nil {
		// It was given; whether it was carried out is to be read back.
		return incident.Receipt{}, integrations.Errorf(integrations.Ambiguous, op, "the end of the process was ordered: %w", err)
	}
	if out.stderr.Len() > 0 {
		if runs, err = f.runs(ctx, op, a, s, o); err == nil && runs {
			err = integrations.Errorf(integrations.Unavailable, op, "the device says %q", httpx.Line(out.stderr.String()))
		}
	}
	return incident.Receipt{Ref: g.Request, At: f.now().UTC(), Detail: "ended"}, err
}

// runs reports whether the process that is meant runs on the device.
func (f *Falcon) runs(ctx context.Context, op string, a agentID, s session, o integrations.KillOrder) (bool, error) {
	text, err := f.list(ctx, op, a, s, "ps")
	if err != nil {
		return false, err
	}
	listed, ok := parseProcesses(text)
	if !ok {
		return false, integrations.Errorf(integrations.Unavailable, op, "the device's list of processes is not of the form that is known")
	}
	at := slices.IndexFunc(listed, func(p listedProcess) bool { return p.PID == o.PID })
	switch {
	case at < 0:
		return false, nil
	case listed[at].Path != "" && !traffic.SameImage(listed[at].Path, o.Path):
		return false, nil
	case listed[at].Path != "" && o.Started.IsZero():
		return true, nil
	}
	return f.recorded(ctx, op, a, o, listed[at].Path != "")
}

// recorded reports whether the newest start with the pid was that of the image, at the
// time that is meant, for a list tells no time and not every path. Listed is whether it
// has told the path.
func (f *Falcon) recorded(ctx context.Context, op string, a agentID, o integrations.KillOrder, listed bool) (bool, error) {
	found, err := f.everStarted(ctx, op, a, f.now(), 1, anyOf("RawProcessId", []string{strconv.FormatInt(o.PID, 10)}))
	if err != nil {
		return false, err
	}
	for _, r := range found {
		if image := string(r["ImageFileName"]); image != "" {
			return traffic.SameImage(image, o.Path) && o.StartedAt(when(r["ProcessStartTime"])), nil
		}
	}
	if listed {
		return true, nil // The telemetry has lost its start.
	}
	return false, integrations.Errorf(integrations.Invalid, op, "neither the device nor the telemetry tells the image of process %d: it cannot be told from another one", o.PID)
}
