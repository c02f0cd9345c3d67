package crowdstrike

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// maxArgs bounds all arguments of a script.
	maxArgs = 4000
	// lookBack is how old a session can be in which a script may have been ordered.
	lookBack = 7 * 24 * time.Hour
	// perList and maxLists bound the sessions that are looked through.
	perList, maxLists = 100, 10
	listPath          = "/real-time-response/queries/sessions/v1"
)

// origin marks the session in which the script of a key was ordered, so that another
// process finds it.
func origin(key string) string { return "stanch-" + digest(key) }

// script is one that was ordered.
type script struct {
	session, request string
	queued           bool
	result           *integrations.ScriptResult // once it has ended
}

// ordered are the scripts that this process knows.
type ordered struct {
	mu  sync.Mutex
	all map[run]script
}

// run is a script's key on a device.
type run struct {
	agent agentID
	key   string
}

func (o *ordered) get(r run) (script, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s, ok := o.all[r]
	return s, ok
}

// maxKept bounds the scripts that are remembered. One that is forgotten is looked for at
// Falcon.
const maxKept = 100

func (o *ordered) set(r run, s script) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.all == nil {
		o.all = map[run]script{}
	}
	for old := range o.all {
		if len(o.all) < maxKept {
			break
		}
		delete(o.all, old)
	}
	o.all[r] = s
}

// unread are the scripts on a device whose end was not read.
func (o *ordered) unread(a agentID) map[run]script {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := map[run]script{}
	for r, s := range o.all {
		if r.agent == a && s.result == nil {
			all[r] = s
		}
	}
	return all
}

// scriptLine is the command that runs a script of the cloud's library. Falcon joins
// its arguments to a command line, so that they must not hold anything that could
// become another one.
func scriptLine(op string, o integrations.ScriptOrder) (string, error) {
	name := regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)
	arg := regexp.MustCompile(`^[A-Za-z0-9._:/\\-]+$`)
	if o.Key == "" || !name.MatchString(o.Script) {
		return "", integrations.Errorf(integrations.Invalid, op, "the order has no key, or an invalid name of a script: %q", httpx.Line(o.Script))
	}
	for _, a := range o.Args {
		if !arg.MatchString(a) {
			return "", integrations.Errorf(integrations.Invalid, op, "invalid argument %q: letters, digits and ._:/\\- are allowed", httpx.Line(a))
		}
	}
	args := strings.Join(o.Args, " ")
	if len(args) > maxArgs {
		return "", integrations.Errorf(integrations.Invalid, op, "the arguments are longer than %d bytes", maxArgs)
	}
	line := "runscript -CloudFile='" + o.Script + "'"
	if args != "" {
		line += " -CommandLine='" + args + "'"
	}
	return line, nil
}

// Run implements [integrations.Runner]. The session stays open until the script has
// ended and [Falcon.Ran] has read that.
func (f *Falcon) Run(ctx context.Context, o integrations.ScriptOrder) (incident.Receipt, error) {
	op := "run a script on " + httpx.Line(o.Target.ID())
	a, err := agentOf(op, o.Target)
	if err != nil {
		return incident.Receipt{}, err
	}
	line, err := scriptLine(op, o)
	if err != nil {
		return incident.Receipt{}, err
	}
	unlock, err := f.sessions.Take(ctx, op, a)
	if err != nil {
		return incident.Receipt{}, err
	}
	defer unlock()
	if known, err := f.find(ctx, op, a, o.Key); err != nil || known.request != "" {
		return incident.Receipt{Ref: known.request, At: f.now().UTC(), Detail: "accepted before"}, err
	}
	if _, err := f.device(ctx, op, a); err != nil {
		return incident.Receipt{}, err
	}
	s, err := f.own(ctx, op, a, origin(o.Key))
	if err != nil {
		return incident.Receipt{}, err
	}
	g, err := f.give(ctx, op, admin, a, s, "runscript", line)
	if err != nil {
		return incident.Receipt{}, err
	}
	f.scripts.set(run{a, o.Key}, script{session: s.ID, request: g.Request, queued: g.Queued})
	return incident.Receipt{Ref: g.Request, At: f.now().UTC(), Detail: "accepted"}, nil
}

// own opens a session that is marked as that of one script. An idle one that it joined
// is ended first, once what this process has ordered in it is read.
func (f *Falcon) own(ctx context.Context, op string, a agentID, mark string) (session, error) {
	s, d, err := f.connect(ctx, op, a, mark)
	if err != nil || d.Origin == mark {
		return s, err
	}
	if err := f.harvest(ctx, op, a); err != nil {
		return s, err
	}
	f.tidy(ctx, ending(op, s.ID))
	s, d, err = f.connect(ctx, op, a, mark)
	if err == nil && d.Origin != mark {
		err = integrations.Errorf(integrations.Conflict, op, "another session of the API client is open with the device")
	}
	return s, err
}

// harvest reads the results of scripts that have ended on a device.
func (f *Falcon) harvest(ctx context.Context, op string, a agentID) error {
	for r, s := range f.scripts.unread(a) {
		if _, err := f.result(ctx, op, r, s); err != nil {
			return err
		}
	}
	return nil
}

// Ran implements [integrations.Runner]. Falcon tells no exit code: a script says on its
// last line how it went. It must be called more often than every five minutes.
func (f *Falcon) Ran(ctx context.Context, o integrations.ScriptOrder) (integrations.ScriptResult, error) {
	op := "read a script's result on " + httpx.Line(o.Target.ID())
	a, err := agentOf(op, o.Target)
	if err != nil {
		return integrations.ScriptResult{}, err
	}
	known, err := f.find(ctx, op, a, o.Key)
	switch {
	case err != nil:
		return integrations.ScriptResult{}, err
	case known.request == "":
		return integrations.ScriptResult{}, integrations.Errorf(integrations.NotFound, op, "no script was ordered with the key")
	case known.result != nil:
		return *known.result, nil
	}
	unlock, err := f.sessions.Take(ctx, op, a)
	if err != nil {
		return integrations.ScriptResult{}, err
	}
	defer unlock()
	return f.result(ctx, op, run{a, o.Key}, known)
}

// result reads how far a script is. The session of one that has ended is ended.
func (f *Falcon) result(ctx context.Context, op string, which run, s script) (integrations.ScriptResult, error) {
	out, err := f.outputOf(ctx, op, admin, s.request)
	switch {
	case err != nil:
		return integrations.ScriptResult{}, err
	case !out.known:
		return integrations.ScriptResult{}, integrations.Errorf(integrations.Unavailable, op, "Falcon does not know the command")
	case !out.done && s.queued:
		return integrations.ScriptResult{State: integrations.ScriptQueued, Detail: "the device is offline; queued at Falcon for 7 days"}, nil
	case !out.done:
		return f.stillRuns(ctx, op, which.agent), nil
	}
	r := integrations.ScriptResult{State: integrations.ScriptDone, Stdout: cut(out.stdout.String()), Stderr: cut(out.stderr.String())}
	if out.failed != "" {
		r.State, r.Detail = integrations.ScriptFailed, out.failed
	}
	s.result = &r
	f.scripts.set(which, s)
	if s.session != "" {
		f.tidy(ctx, ending(op, s.session))
	}
	return r, nil
}

// stillRuns is the state of a script that has not ended. Its session is refreshed: one in
// which nothing is ordered for five minutes ends, and with it the result is lost.
func (f *Falcon) stillRuns(ctx context.Context, op string, a agentID) integrations.ScriptResult {
	_, err := ask[session](ctx, f, call{
		op: op, method: http.MethodPost, path: responsePath + "refresh-session/v1", body: opening{Device: a.hex, Origin: "stanch"},
	})
	if err != nil && !integrations.KindOf(err).Retryable() {
		return integrations.ScriptResult{
			State:  integrations.ScriptFailed,
			Detail: "the session with the device ended before the script's result was there: what it did is unknown",
		}
	}
	return integrations.ScriptResult{State: integrations.ScriptRunning}
}

// find looks for the script of a key: among those of this process, and then among the
// sessions that Falcon keeps of the API client. A zero script is none.
func (f *Falcon) find(ctx context.Context, op string, a agentID, key string) (script, error) {
	if s, ok := f.scripts.get(run{a, key}); ok {
		return s, nil
	}
	for n := range maxLists {
		ids, err := ask[string](ctx, f, call{op: op, method: http.MethodGet, path: listPath, query: url.Values{
			"filter": {"user_id:'@me'"}, "sort": {"created_at|desc"}, "limit": {strconv.Itoa(perList)}, "offset": {strconv.Itoa(n * perList)},
		}})
		if err != nil || len(ids.Resources) == 0 {
			return script{}, err
		}
		all, err := ask[details](ctx, f, call{op: op, method: http.MethodPost, path: detailsPath, body: map[string][]string{"ids": ids.Resources}})
		if err != nil {
			return script{}, err
		}
		past := true
		for _, d := range all.Resources {
			created, err := time.Parse(time.RFC3339, d.Created)
			past = past && err == nil && f.now().Sub(created) > lookBack
			if s, ok := d.scriptOf(a, key); ok {
				f.scripts.set(run{a, key}, s)
				return s, nil
			}
		}
		if past || len(ids.Resources) < perList {
			return script{}, nil
		}
	}
	return script{}, integrations.Errorf(integrations.Unavailable, op, "the API client has more than %d sessions in %s: whether the script was ordered before cannot be told", maxLists*perList, lookBack)
}

// scriptOf is the script that was ordered in a session with a key.
func (d details) scriptOf(a agentID, key string) (script, bool) {
	all := d.requests()
	if !strings.EqualFold(d.Device, a.hex) || d.Origin != origin(key) || len(all) == 0 || !handle(all[0].Request) {
		return script{}, false
	}
	return script{session: d.ID, request: all[0].Request}, true
}
