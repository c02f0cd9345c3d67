package crowdstrike

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

// collectWithin bounds the taking of evidence.
const collectWithin = 3 * time.Minute

// collectable are what can be collected.
func collectable() []string { return []string{"processes", "connections", "sessions"} }

// Collect implements [integrations.Collector]. Processes and connections are listed on
// the device itself, by Real Time Response, which a device that is contained still
// allows. Sessions are the last logons that Falcon recorded.
func (f *Falcon) Collect(ctx context.Context, o integrations.CollectOrder) ([]integrations.Artifact, error) {
	op := "collect from " + httpx.Line(o.Target.ID())
	a, err := agentOf(op, o.Target)
	if err != nil {
		return nil, err
	}
	if len(o.What) == 0 {
		return nil, integrations.Errorf(integrations.Invalid, op, "the order has nothing to collect")
	}
	live := false
	for _, what := range o.What {
		if !slices.Contains(collectable(), what) {
			return nil, integrations.Errorf(integrations.Invalid, op, "%q cannot be collected: must be one of %s", httpx.Line(what), strings.Join(collectable(), ", "))
		}
		live = live || what != "sessions"
	}
	ctx, cancel := context.WithTimeout(ctx, collectWithin)
	defer cancel()
	if _, err := f.device(ctx, op, a); err != nil {
		return nil, err
	}
	if !live {
		return f.evidence(ctx, op, a, session{}, o.What)
	}
	var found []integrations.Artifact
	err = f.within(ctx, op, a, func(s session) error {
		found, err = f.evidence(ctx, op, a, s, o.What)
		return err
	})
	return found, err
}

// within runs a function in a session with a device, one at a time on each device.
func (f *Falcon) within(ctx context.Context, op string, a agentID, do func(session) error) error {
	unlock, err := f.sessions.Take(ctx, op, a)
	if err != nil {
		return err
	}
	s, d, err := f.connect(ctx, op, a, "stanch")
	if err != nil {
		unlock()
		return err
	}
	defer func() {
		end := func() { f.leave(ctx, op, d); unlock() }
		if ctx.Err() != nil {
			// Who has given up does not wait for the end; who is next on the device does.
			f.ending.Go(end)
			return
		}
		end()
	}()
	return do(s)
}

func (f *Falcon) evidence(ctx context.Context, op string, a agentID, s session, whats []string) ([]integrations.Artifact, error) {
	var found []integrations.Artifact
	for _, what := range whats {
		content, err := f.content(ctx, op, a, s, what)
		if err != nil {
			return nil, err
		}
		data, err := json.Marshal(content)
		if err != nil {
			return nil, integrations.Errorf(integrations.Unavailable, op, "encode the evidence: %w", err)
		}
		found = append(found, integrations.Artifact{What: what, At: f.now().UTC(), Data: data})
	}
	return found, nil
}

// content is one kind of evidence.
func (f *Falcon) content(ctx context.Context, op string, a agentID, s session, what string) (any, error) {
	switch what {
	case "processes":
		out, err := f.list(ctx, op, a, s, "ps")
		if err != nil {
			return nil, err
		}
		if listed, ok := parseProcesses(out); ok {
			return listed, nil
		}
		return lines(out), nil
	case "connections":
		out, err := f.list(ctx, op, a, s, "netstat")
		return lines(out), err
	}
	return f.logons(ctx, op, a)
}

// list runs a command that only reads, and returns what it has written.
func (f *Falcon) list(ctx context.Context, op string, a agentID, s session, base string) (string, error) {
	g, err := f.give(ctx, op, readOnly, a, s, base, base)
	if err != nil {
		return "", err
	}
	out, err := f.await(ctx, op, readOnly, g.Request)
	if err != nil {
		return "", err
	}
	if out.stdout.Len() == 0 {
		return "", integrations.Errorf(integrations.Unavailable, op, "%s on the device answers nothing but %q", base, httpx.Line(out.stderr.String()))
	}
	return cut(out.stdout.String()), nil
}

// lines are the lines of an output whose form is not documented.
func lines(out string) []string {
	found := []string{}
	for text := range strings.Lines(out) {
		if text = strings.TrimRight(text, "\r\n "); text != "" {
			found = append(found, text)
		}
	}
	return found
}

// logon is one that Falcon recorded.
type logon struct {
	User string `json:"user_name"`
	At   string `json:"login_time"`
}

// logons reads the last logons on a device.
func (f *Falcon) logons(ctx context.Context, op string, a agentID) ([]logon, error) {
	type recorded struct {
		Recent []logon `json:"recent_logins"`
	}
	out, err := ask[recorded](ctx, f, call{
		op: op, method: http.MethodPost, path: "/devices/combined/devices/login-history/v2", body: targetsOf(a),
	})
	found := []logon{}
	for _, r := range out.Resources {
		found = append(found, r.Recent...)
	}
	return found, err
}
