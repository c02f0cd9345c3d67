package splunkfake

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// serveJobs serves the endpoints of searches. It returns false where a path is none of them.
func (d *Double) serveJobs(r *http.Request, by Token) (status int, answer any, refused *refusal, ok bool) {
	parts, ok := d.jobPath(r.URL.Path)
	if !ok {
		return 0, nil, nil, false
	}
	if !slices.Contains(by.Capabilities, Searching) {
		return 0, nil, refuse(http.StatusForbidden, "ERROR", "You (user=%s) do not have permission to perform this operation (requires capability: %s).", by.User, Searching), true
	}
	if err := r.ParseForm(); err != nil {
		return 0, nil, refuse(http.StatusBadRequest, "ERROR", "%v", err), true
	}
	if len(parts) == 0 {
		status, answer, refused = d.createJob(r, by)
		return status, answer, refused, true
	}
	at := d.findJob(parts[0])
	if at < 0 {
		return 0, nil, refuse(http.StatusNotFound, "FATAL", "Unknown sid."), true
	}
	status, answer, refused = d.ofJob(r, at, strings.Join(parts[1:], "/"))
	return status, answer, refused, true
}

// jobPath are the parts of a path below that of searches: by either version, and within a
// user's namespace or without.
func (d *Double) jobPath(path string) ([]string, bool) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case parts[0] == "services":
		parts = parts[1:]
	case parts[0] == "servicesNS" && len(parts) > 3:
		parts = parts[3:]
	default:
		return nil, false
	}
	if len(parts) < 2 || parts[0] != "search" {
		return nil, false
	}
	parts = parts[1:]
	if parts[0] == "v2" && !d.o.Search.Old {
		parts = parts[1:]
	}
	if len(parts) == 0 || parts[0] != "jobs" {
		return nil, false
	}
	return parts[1:], true
}

// findJob is which job has an id, or -1.
func (d *Double) findJob(sid string) int {
	d.forget()
	return slices.IndexFunc(d.search.jobs, func(j *job) bool { return j.sid == sid })
}

// createJob starts a search, and has it done where it is waited for.
func (d *Double) createJob(r *http.Request, by Token) (int, any, *refusal) {
	if r.Method != http.MethodPost {
		return 0, nil, refuse(http.StatusMethodNotAllowed, "ERROR", "Method Not Allowed")
	}
	j, refused := d.start(by, r.Form)
	if refused != nil {
		return 0, nil, refused
	}
	mode := r.Form.Get("exec_mode")
	if mode == "oneshot" || mode == "blocking" {
		j.left = 0
	}
	if mode != "oneshot" {
		return http.StatusCreated, map[string]any{"sid": j.sid}, nil
	}
	d.search.jobs = slices.DeleteFunc(d.search.jobs, func(other *job) bool { return other == j })
	if j.failed() {
		return 0, nil, refuse(http.StatusBadRequest, "FATAL", "%s", j.why())
	}
	// Nothing else tells of what is missing.
	return http.StatusOK, j.page(r.Form, d.most(), j.messages()), nil
}

// why is the last message of a job.
func (j *job) why() string {
	all := j.messages()
	if len(all) == 0 {
		return "The search process has gone."
	}
	return all[len(all)-1]["text"]
}

func (d *Double) most() int { return cmp.Or(d.o.Search.MostResults, 50_000) }

// ofJob serves what there is of one search.
func (d *Double) ofJob(r *http.Request, at int, what string) (int, any, *refusal) {
	j := d.search.jobs[at]
	gone := func() { d.search.jobs = slices.Delete(d.search.jobs, at, at+1) }
	cancelled := map[string]any{"messages": []any{say("INFO", "Search job cancelled.")}}
	switch {
	case what == "" && r.Method == http.MethodGet:
		entry := j.entry(d.now(), d.o.Search.Words)
		j.answer(d.now())
		return http.StatusOK, map[string]any{
			"links": map[string]any{}, "origin": "https://splunk.example:8089" + OldJobs, "updated": d.now().Format(time.RFC3339),
			"generator": map[string]string{"build": "a1b2c3d4e5f6", "version": "9.4.1"}, "entry": []any{entry}, "paging": map[string]any{},
		}, nil
	case what == "" && r.Method == http.MethodDelete:
		gone()
		return http.StatusOK, cancelled, nil
	case what == "control" && r.Method == http.MethodPost:
		if r.Form.Get("action") == "cancel" {
			gone()
			return http.StatusOK, cancelled, nil
		}
		return d.control(j, r.Form)
	case what == "results" && (r.Method == http.MethodGet || r.Method == http.MethodPost):
		if !j.done() {
			j.answer(d.now())
			return http.StatusNoContent, nil, nil
		}
		if j.failure == Gone {
			gone()
			return 0, nil, refuse(http.StatusNotFound, "FATAL", "Unknown sid.")
		}
		j.touched = d.now()
		return http.StatusOK, j.page(r.Form, d.most(), []map[string]string{}), nil
	}
	return 0, nil, refuse(http.StatusNotFound, "ERROR", "Not Found")
}

// control changes how a search goes on. Finalized, it keeps the results that it has; how many
// these are is not documented, here it is the half of them.
func (d *Double) control(j *job, form url.Values) (int, any, *refusal) {
	action := form.Get("action")
	j.touched = d.now()
	switch action {
	case "finalize":
		if !j.done() {
			j.finalized, j.paused, j.left = true, false, 0
			j.found.Rows = j.found.Rows[:len(j.found.Rows)/2]
		}
		action = "finalized"
	case "pause":
		j.paused, action = !j.done(), "paused"
	case "unpause":
		j.paused, action = false, "unpaused"
	case "touch":
		action = "touched"
	case "setttl":
		n, err := strconv.Atoi(form.Get("ttl"))
		if err != nil || n < 0 {
			return 0, nil, refuse(http.StatusBadRequest, "ERROR", "Invalid ttl.")
		}
		j.ttl, action = time.Duration(n)*time.Second, "touched"
	default:
		return 0, nil, refuse(http.StatusBadRequest, "ERROR", "Unknown control action '%s'.", action)
	}
	return http.StatusOK, map[string]any{"messages": []any{say("INFO", "Search job %s.", action)}}, nil
}
