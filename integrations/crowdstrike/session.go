package crowdstrike

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

const (
	responsePath = "/real-time-response/entities/"
	sessionsPath = responsePath + "sessions/v1"
	detailsPath  = responsePath + "sessions/GET/v1"
	// connectWithin is how long Falcon waits for the sensor, in seconds.
	connectWithin = "30"
	// maxOutput bounds what is kept of a command's output, in bytes.
	maxOutput = 256 << 10
)

// tier is a class of commands of Real Time Response, by its part of the address.
type tier string

const (
	readOnly tier = "command"
	active   tier = "active-responder-command"
	admin    tier = "admin-command"
)

func (t tier) path() string { return responsePath + string(t) + "/v1" }

// tierOf is where the result of a command is found.
func tierOf(base string) tier {
	switch base {
	case "ps", "netstat":
		return readOnly
	case "kill":
		return active
	}
	return admin
}

// session is a session of Real Time Response with a device.
type session struct {
	ID string `json:"session_id"`
	// Existing counts sessions that the device had. Not documented: whether with this one.
	Existing int      `json:"existing_aid_sessions"`
	Before   []string `json:"previous_commands"`
}

// opening is the body of a new session.
type opening struct {
	Device string `json:"device_id"`
	Origin string `json:"origin"`
	// Queue would keep what is ordered of an offline device for days: then nobody
	// expects it any more.
	Queue bool `json:"queue_offline"`
}

// details are what Falcon keeps of a session, also of one that was ended.
type details struct {
	ID       string   `json:"id"`
	Device   string   `json:"device_id"`
	Origin   string   `json:"origin"`
	Created  string   `json:"created_at"`
	Requests []string `json:"cloud_request_ids"`
	Logs     []logged `json:"logs"`
}

// logged is a command in a session.
type logged struct {
	Request string `json:"cloud_request_id"`
	Base    string `json:"base_command"`
	Line    string `json:"command_string"`
}

// requests are the commands of a session, in their order.
func (d details) requests() []logged {
	all := slices.DeleteFunc(slices.Clone(d.Logs), func(l logged) bool { return l.Request == "" })
	for _, id := range d.Requests {
		if !slices.ContainsFunc(all, func(l logged) bool { return l.Request == id }) {
			all = append(all, logged{Request: id})
		}
	}
	return all
}

// connect opens a session with a device. Falcon joins the session that the API client
// already has with it, if there is one: new reports whether nothing was done in it yet.
// While a command of it runs, whoever gave it, that is a conflict.
func (f *Falcon) connect(ctx context.Context, op string, a agentID, origin string) (s session, d details, err error) {
	out, err := ask[session](ctx, f, call{
		op: op, method: http.MethodPost, path: sessionsPath, query: url.Values{"timeout": {connectWithin}},
		body: opening{Device: a.hex, Origin: origin},
	})
	switch {
	case err != nil && integrations.KindOf(err) == integrations.NotFound:
		// The device was read just before: it is its sensor that Falcon cannot find.
		return s, d, integrations.Errorf(integrations.Unavailable, op, "the device is not connected with Falcon: %w", err)
	case err != nil:
		return s, d, err
	case len(out.Resources) != 1 || !handle(out.Resources[0].ID):
		return s, d, integrations.Errorf(integrations.Unavailable, op, "Falcon opened %d sessions, one was asked for", len(out.Resources))
	}
	s = out.Resources[0]
	if s.Existing == 0 && len(s.Before) == 0 {
		return s, details{ID: s.ID, Device: a.hex, Origin: origin}, nil
	}
	d, err = f.details(ctx, op, s.ID)
	if err != nil {
		return s, d, err
	}
	return s, d, f.idle(ctx, op, d)
}

// details reads what Falcon keeps of a session.
func (f *Falcon) details(ctx context.Context, op, id string) (details, error) {
	out, err := ask[details](ctx, f, call{op: op, method: http.MethodPost, path: detailsPath, body: map[string][]string{"ids": {id}}})
	if err != nil {
		return details{}, err
	}
	if len(out.Resources) != 1 {
		return details{}, integrations.Errorf(integrations.Unavailable, op, "Falcon knows %d sessions of one id", len(out.Resources))
	}
	return out.Resources[0], nil
}

// idle returns a conflict while one of the last commands of a session runs.
func (f *Falcon) idle(ctx context.Context, op string, d details) error {
	const last = 3
	all := d.requests()
	for _, l := range all[max(0, len(all)-last):] {
		if !handle(l.Request) {
			continue
		}
		out, err := f.outputOf(ctx, op, tierOf(l.Base), l.Request)
		switch {
		case err != nil:
			return err
		case out.known && !out.done:
			return integrations.Errorf(integrations.Conflict, op, "another command runs in the session with the device")
		}
	}
	return nil
}

// leave ends a session in which nothing was done before: in one that was joined others
// may still want to read what they did. Whoever is next must not join one that is about
// to end: the turn on the device is held until it has.
func (f *Falcon) leave(ctx context.Context, op string, d details) {
	if len(d.requests()) == 0 {
		f.tidy(ctx, ending(op, d.ID))
	}
}

func ending(op, id string) call {
	return call{op: op, method: http.MethodDelete, path: sessionsPath, query: url.Values{"session_id": {id}}}
}

// order is the body of a command. Falcon's schema requires all six, though its tools send
// three.
type command struct {
	Base    string `json:"base_command"`
	Line    string `json:"command_string"`
	Device  string `json:"device_id"`
	ID      int    `json:"id"`
	Persist bool   `json:"persist"`
	Session string `json:"session_id"`
}

// given is an accepted command.
type given struct {
	Request string `json:"cloud_request_id"`
	Queued  bool   `json:"queued_command_offline"`
}

// give gives a command in a session.
func (f *Falcon) give(ctx context.Context, op string, t tier, a agentID, s session, base, line string) (given, error) {
	c := call{
		op: op, method: http.MethodPost, path: t.path(), write: t != readOnly,
		body: command{Base: base, Line: line, Device: a.hex, Session: s.ID},
	}
	out, err := ask[given](ctx, f, c)
	if err != nil {
		return given{}, err
	}
	if len(out.Resources) != 1 || !handle(out.Resources[0].Request) {
		return given{}, integrations.Errorf(lost(c.write), op, "Falcon accepted %d commands, one was given", len(out.Resources))
	}
	return out.Resources[0], nil
}

// piece is a part of a command's output.
type piece struct {
	Complete bool     `json:"complete"`
	Stdout   string   `json:"stdout"`
	Stderr   string   `json:"stderr"`
	Sequence int      `json:"sequence_id"`
	Errors   problems `json:"errors"`
}

// piece reads one part of a command's output; one that there is not is not found.
func (f *Falcon) piece(ctx context.Context, op string, t tier, request string, sequence int) (p piece, found bool, err error) {
	c := call{
		op: op, method: http.MethodGet, path: t.path(),
		query: url.Values{"cloud_request_id": {request}, "sequence_id": {strconv.Itoa(sequence)}},
	}
	out, err := ask[piece](ctx, f, c)
	if err != nil && integrations.KindOf(err) == integrations.NotFound {
		return p, false, nil
	}
	if err != nil || len(out.Resources) == 0 {
		return p, false, err
	}
	return out.Resources[0], true, nil
}

// output is what a command has written.
type output struct {
	stdout, stderr strings.Builder
	// known reports whether Falcon knows the command, and done whether it has ended.
	known, done bool
	// failed is what Falcon says of a command that did not run to its end.
	failed string
}

// outputOf reads what a command has written so far. Falcon hands it out in pieces by a
// number; not documented: how the last of them is known. So the next number is asked for
// until there is nothing under it.
func (f *Falcon) outputOf(ctx context.Context, op string, t tier, request string) (*output, error) {
	out := &output{}
	for n := 0; ; n++ {
		p, found, err := f.piece(ctx, op, t, request, n)
		switch {
		case err != nil:
			return out, err
		case n == 0 && !found:
			return out, nil
		case len(p.Errors) > 0:
			out.known, out.done, out.failed = true, true, "Falcon answers "+p.Errors.text()
			return out, nil
		case !found || n > 0 && p.Sequence != n || p.Stdout == "" && p.Stderr == "":
			out.known, out.done = true, out.done || found && p.Complete
			return out, nil
		}
		out.done = p.Complete
		out.stdout.WriteString(p.Stdout)
		out.stderr.WriteString(p.Stderr)
		if out.stdout.Len()+out.stderr.Len() > maxOutput {
			out.known, out.done = true, true
			return out, nil
		}
	}
}

// await waits for the end of a command and returns what it has written.
func (f *Falcon) await(ctx context.Context, op string, t tier, request string) (*output, error) {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		out, err := f.outputOf(ctx, op, t, request)
		switch {
		case err != nil:
			return out, err
		case !out.known:
			return out, integrations.Errorf(integrations.Unavailable, op, "Falcon does not know the command")
		case out.failed != "":
			return out, integrations.Errorf(integrations.Unavailable, op, "the command failed: %s", out.failed)
		case out.done:
			return out, nil
		}
		if err := httpx.Pause(ctx, op, "Falcon", wait); err != nil {
			return out, err
		}
	}
}

// cut is a text within the bound of outputs.
func cut(text string) string {
	if len(text) > maxOutput {
		return text[:maxOutput]
	}
	return text
}
