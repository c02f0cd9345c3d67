package sentinelonefake

import (
	"archive/zip"
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// pendingExecutions are those that somebody must approve, or had to.
func (d *Double) pendingExecutions(o Options, r *http.Request) (any, *failure) {
	q := r.URL.Query()
	if f := known(q, "siteIds", "accountIds", "groupIds"); f != nil {
		return nil, f
	}
	p, f := pagingOf(q, "id", "createdAt", "state")
	if f != nil {
		return nil, f
	}
	var items []item
	for _, run := range d.allRuns() {
		if run.pending == "" {
			continue
		}
		items = append(items, item{run.pending, map[string]any{
			"pendingExecutionId": run.pending, "state": d.reviewed(run), "creator": o.User, "creatorId": userID, "scheduledTaskId": nullable(run.parent),
			"totalEndpoints": len(run.actions), "canApproveOrDecline": false,
			"scriptData":    map[string]any{"id": run.script.ID, "scriptName": run.script.Name, "scriptType": run.script.kind()},
			"executionData": map[string]any{"scriptId": run.script.ID, "taskDescription": run.description, "outputDestination": "SentinelCloud"},
		}})
	}
	return list(o, p, items)
}

// reviewed is the console's word for what became of an execution that waited.
func (d *Double) reviewed(r run) string {
	word := "approved"
	for _, id := range r.actions {
		switch a, _ := d.world.Action(id); a.State {
		case edrtest.AwaitsApproval:
			return "waiting"
		case edrtest.Cancelled:
			word = "declined"
		case edrtest.Expired:
			word = "expired"
		case edrtest.Pending, edrtest.Running, edrtest.Done, edrtest.Failed:
		}
	}
	return word
}

// decide approves or declines an execution.
func (d *Double) decide(_ Options, r *http.Request) (any, *failure) {
	body, f := readBody(r, "data")
	if f != nil {
		return nil, f
	}
	var data struct{ Action string }
	if f := readData(body, &data, "action"); f != nil {
		return nil, f
	}
	to, known := map[string]edrtest.State{"approve": edrtest.Pending, "decline": edrtest.Cancelled}[data.Action]
	if !known {
		return nil, invalid("data -> action: Not a valid choice.")
	}
	runs := d.allRuns()
	at := slices.IndexFunc(runs, func(run run) bool { return run.pending != "" && run.pending == r.PathValue("pending") })
	if at < 0 {
		return nil, &failure{http.StatusNotFound, 4040010, "Not found", "Pending execution not found"}
	}
	if to == edrtest.Pending {
		// That the task that is scheduled then is the parent of those on the agents is not
		// documented; no other member could name it.
		id := fmt.Sprintf("18%016d", d.next())
		d.mu.Lock()
		d.runs[at].parent = id
		d.mu.Unlock()
	}
	for _, id := range runs[at].actions {
		d.world.ChangeAction(id, func(a *edrtest.Action) {
			if a.State == edrtest.AwaitsApproval {
				a.State = to
			}
		})
	}
	return map[string]any{"data": map[string]any{"success": true}}, nil
}

// fetchFiles answers with where the results of tasks can be fetched. That is not
// the console: it is a store of another host, by a link that carries its own
// signature.
func (d *Double) fetchFiles(_ Options, r *http.Request) (any, *failure) {
	body, f := readBody(r, "data")
	if f != nil {
		return nil, f
	}
	var data struct{ TaskIDs, ComputerNames []string }
	if f := readData(body, &data, "taskIds", "computerNames"); f != nil {
		return nil, f
	}
	links := []any{}
	for _, id := range data.TaskIDs {
		if a, found := d.taskAction(id); found && a.State == edrtest.Done {
			links = append(links, map[string]any{
				"taskId": id, "fileName": id + ".zip", "downloadUrl": d.bucketURL() + "/results/" + id + "?X-Amz-Signature=" + UUID(id),
			})
		}
	}
	return map[string]any{"data": map[string]any{"download_links": links, "errors": []any{}}}, nil
}

// taskAction is the action of the world behind a task.
func (d *Double) taskAction(task string) (edrtest.Action, bool) {
	for _, r := range d.allRuns() {
		for n, id := range r.actions {
			if r.parent != "" && r.taskID(n) == task {
				return d.world.Action(id)
			}
		}
	}
	return edrtest.Action{}, false
}

// bucketURL is where the store of results listens.
func (d *Double) bucketURL() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bucketAt == "" {
		d.bucket = httptest.NewServer(d.results())
		d.bucketAt = d.bucket.URL
	}
	return d.bucketAt
}

// ServeStore has a test serve the store of results: serve returns its address.
func (d *Double) ServeStore(serve func(http.Handler) string) {
	at := serve(d.results())
	d.mu.Lock()
	defer d.mu.Unlock()
	d.bucketAt = at
}

func (d *Double) results() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /results/{task}", d.serveResult)
	return mux
}

// serveResult serves the archive of a task's results. The names of the files in it
// are not documented. A request with a token besides the signature is refused, as
// stores of this kind do.
func (d *Double) serveResult(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "" {
		http.Error(w, "<Error><Code>InvalidArgument</Code><Message>Only one auth mechanism allowed</Message></Error>", http.StatusBadRequest)
		return
	}
	a, found := d.taskAction(r.PathValue("task"))
	if !found || r.URL.Query().Get("X-Amz-Signature") != UUID(r.PathValue("task")) {
		http.Error(w, "<Error><Code>AccessDenied</Code></Error>", http.StatusForbidden)
		return
	}
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	for name, text := range map[string]string{"stdout.txt": a.Result.Stdout, "stderr.txt": a.Result.Stderr} {
		into, err := z.Create(name)
		if err == nil {
			_, err = strings.NewReader(text).WriteTo(into)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	if err := z.Close(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/zip")
	_, _ = w.Write(archive.Bytes()) // a client that went away is its own affair
}
