package sentinelone

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

const (
	scriptsPath = "/remote-scripts"
	// maxArgs bounds all arguments of a script, in bytes.
	maxArgs = 4000
	// maxKept bounds the scripts that are remembered.
	maxKept = 500
)

// run is a script's key on a device.
type run struct {
	agent agentID
	key   string
}

// description marks a script at the console as that of a key on a device.
func (r run) description() string { return ours + digest(r.key) + onDevice + r.agent.digits }

const (
	ours     = "Stanch "
	onDevice = " on "
)

// task is where a script is at the console: a task, or an execution that waits for somebody
// to approve it. With both empty it is one whose order was not answered: what became of it
// cannot be found at the console.
type task struct {
	parent, pending string
	ended           bool
}

func (t task) lost() bool { return t.parent == "" && t.pending == "" }

func (t task) ref() string {
	if t.parent != "" {
		return t.parent
	}
	return t.pending
}

// runs are the scripts that this process has ordered.
type runs struct {
	mu  sync.Mutex
	all map[run]task
}

func (r *runs) get(which run) (task, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t, ok := r.all[which]
	return t, ok
}

func (r *runs) set(which run, t task) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = map[run]task{}
	}
	for old, o := range r.all {
		if len(r.all) < maxKept {
			break
		}
		if o.ended {
			delete(r.all, old)
		}
	}
	r.all[which] = t
}

// open are the scripts on a device that have not ended, as far as is known.
func (r *runs) open(a agentID) map[run]task {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := map[run]task{}
	for which, t := range r.all {
		if which.agent == a && !t.ended && !t.lost() {
			found[which] = t
		}
	}
	return found
}

// scriptOrder checks an order, and returns its device and its arguments as one text: what is
// in them cannot begin another argument.
func scriptOrder(op string, o integrations.ScriptOrder) (run, string, error) {
	id, err := agentOf(op, o.Target)
	if err != nil {
		return run{}, "", err
	}
	name := regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)
	arg := regexp.MustCompile(`^[A-Za-z0-9._:/\\-]+$`)
	if o.Key == "" || !name.MatchString(o.Script) {
		return run{}, "", integrations.Errorf(integrations.Invalid, op, "the order has no key, or an invalid name of a script: %q", httpx.Line(o.Script))
	}
	for _, a := range o.Args {
		if !arg.MatchString(a) {
			return run{}, "", integrations.Errorf(integrations.Invalid, op, "invalid argument %q: letters, digits and ._:/\\- are allowed", httpx.Line(a))
		}
	}
	args := strings.Join(o.Args, " ")
	if len(args) > maxArgs {
		return run{}, "", integrations.Errorf(integrations.Invalid, op, "the arguments are longer than %d bytes", maxArgs)
	}
	return run{id, o.Key}, args, nil
}

// script finds the id of a script of the library by its name.
func (c *Client) script(ctx context.Context, op, name string) (string, error) {
	type entry struct {
		ID   string `json:"id"`
		Name string `json:"scriptName"`
	}
	found, err := list[entry](ctx, c, op, scriptsPath, url.Values{"query": {name}}, fullPage)
	if err != nil {
		return "", err
	}
	var ids []string
	for _, s := range found {
		if s.Name == name && isID(s.ID) {
			ids = append(ids, s.ID)
		}
	}
	if len(ids) != 1 {
		return "", integrations.Errorf(integrations.Invalid, op, "the library has %d scripts with the name %q, and must have one", len(ids), name)
	}
	return ids[0], nil
}

// execution is the body of an order of a script. Its device is always one.
type execution struct {
	Filter filter        `json:"filter"`
	Data   executionData `json:"data"`
}

type executionData struct {
	Script      string `json:"scriptId"`
	Description string `json:"taskDescription"`
	Output      string `json:"outputDestination"`
	Params      string `json:"inputParams,omitempty"`
}

func executionOf(r run, script, args string) execution {
	return execution{
		Filter: filterOf(r.agent),
		Data:   executionData{Script: script, Description: r.description(), Output: "SentinelCloud", Params: args},
	}
}

// execute orders a script, and returns where it is.
func (c *Client) execute(ctx context.Context, op string, e execution) (task, error) {
	type accepted struct {
		Parent    string `json:"parentTaskId"`
		Affected  *int   `json:"affected"`
		Pending   bool   `json:"pending"`
		PendingID string `json:"pendingExecutionId"`
	}
	out, err := ask[accepted](ctx, c, call{op: op, method: http.MethodPost, path: scriptsPath + "/execute", body: e, write: true})
	if err != nil {
		return task{}, err
	}
	d := out.Data
	switch {
	case d.Pending && isID(d.PendingID):
		return task{pending: d.PendingID}, nil
	case d.Pending || !isID(d.Parent):
		return task{}, integrations.Errorf(integrations.Ambiguous, op, "SentinelOne has accepted the script and does not say as what")
	}
	if err := one(op, d.Affected); err != nil {
		return task{}, err
	}
	return task{parent: d.Parent}, nil
}

// waiting is an execution that somebody must approve, or had to.
type waiting struct {
	ID        string        `json:"pendingExecutionId"`
	State     string        `json:"state"`
	Data      executionData `json:"executionData"`
	Scheduled string        `json:"scheduledTaskId"`
}

// pending lists the executions that wait for somebody's approval, and those that did.
func (c *Client) pending(ctx context.Context, op string) ([]waiting, error) {
	return list[waiting](ctx, c, op, scriptsPath+"/pending-executions", url.Values{"sortBy": {"createdAt"}, "sortOrder": {"desc"}}, 10*fullPage)
}
