package sentinelonefake

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	forwardTag       = "X-Dataset-Query-Forward-Tag"
	queryPermission  = "Skylight Query API.view"
	queryLife        = 30 * time.Second
	queriesPerSecond = 3
	stepsByDefault   = 2
)

// query is one that was launched.
type query struct {
	id, tag      string
	tags         int
	polled       time.Time
	steps, total int
	table        *table
	fails        string
}

// launch is the body that launches a query.
type launch struct {
	tenant             *bool
	accounts           []string
	startTime, endTime time.Time
	text               string
}

// admitQuery checks the credential and the pace of the query API, which wants the
// same token with another word before it.
func (d *Double) admitQuery(w http.ResponseWriter, r *http.Request, o Options) bool {
	auth := r.Header.Get("Authorization")
	if !strings.HasPrefix(auth, "Bearer ") {
		http.Error(w, fmt.Sprintf("%q", fmt.Sprintf("Header must start with Bearer, but actually starts with %q", auth[:min(len(auth), 6)])), http.StatusInternalServerError)
		return false
	}
	// Not documented: the bodies of these three answers.
	if auth != "Bearer "+o.Token || !d.world.Now().Before(o.Expires) {
		d.refuseQuery(w, http.StatusUnauthorized, "error/client/noPermission", "invalid token")
		return false
	}
	if !o.Unlimited && !d.take(&d.store, o, o.QueriesPerSecond) {
		d.refuseQuery(w, http.StatusTooManyRequests, "error/server/backoff", "too many requests")
		return false
	}
	if o.permit(queryPermission) != nil {
		d.refuseQuery(w, http.StatusForbidden, "error/client/noPermission", "permission denied")
		return false
	}
	return true
}

func (d *Double) refuseQuery(w http.ResponseWriter, status int, code, message string) {
	writeJSON(w, status, map[string]any{"status": code, "message": message})
}

func (d *Double) serveLaunch(w http.ResponseWriter, r *http.Request) {
	o := d.now()
	if !d.admitQuery(w, r, o) {
		return
	}
	l, wrong := readLaunch(r, d.world.Now())
	if wrong != nil {
		d.refuseQuery(w, wrong.status, "error/client/badParam", wrong.detail)
		return
	}
	parsed, err := parsePowerQuery(l.text)
	if err != nil {
		d.refuseQuery(w, http.StatusInternalServerError, "error/client/badParam", err.Error())
		return
	}
	if !parsed.bound() && !o.AllowUnbounded {
		d.errorf("the query names no host, so that it reads the whole fleet: %s", l.text)
	}
	t, err := parsed.run(d.events(o, l))
	if err != nil {
		d.refuseQuery(w, http.StatusInternalServerError, "error/client/badParam", err.Error())
		return
	}
	t.cut(o.QueryCut)
	q := &query{id: fmt.Sprintf("pq%030d", d.next()), table: t, total: o.Steps, fails: o.QueryFails}
	if o.Steps == 0 {
		q.total = stepsByDefault
	}
	if o.Steps < 0 {
		q.steps, q.total = 1, 1
	}
	d.mu.Lock()
	d.launched = append(d.launched, l.text)
	d.queries[q.id] = q
	d.answer(w, o, q, q.steps > 0)
	d.mu.Unlock()
}

// answer writes what is known of a query, with a new tag. The lock must be held. A
// query that was just launched has not told yet how many steps there are.
func (d *Double) answer(w http.ResponseWriter, o Options, q *query, told bool) {
	q.tags++
	q.tag = fmt.Sprintf("__E%d__%s", q.tags, UUID(q.id + strconv.Itoa(q.tags))[:12])
	q.polled = d.world.Now()
	total := 0
	if told {
		total = q.total
	}
	answer := map[string]any{"id": q.id, "stepsCompleted": q.steps, "stepsTotal": total, "cpuUsage": q.steps, "data": nil}
	if o.Older {
		delete(answer, "stepsTotal")
		answer["totalSteps"] = total
	}
	if told && q.steps >= q.total {
		if q.fails != "" {
			answer["error"] = map[string]any{"message": q.fails}
		} else {
			answer["data"] = q.table.document(o)
		}
	}
	w.Header().Set(forwardTag, q.tag)
	writeJSON(w, http.StatusOK, answer)
}

// find returns a query that is alive, if the request comes with the tag of the last
// answer: another leads to a machine that does not know the query. The lock must be
// held.
func (d *Double) find(r *http.Request) *query {
	q := d.queries[r.PathValue("id")]
	if q == nil || d.expired(q) || r.Header.Get(forwardTag) != q.tag {
		return nil
	}
	return q
}

// expired reports whether a query was not polled for too long. The lock must be
// held.
func (d *Double) expired(q *query) bool { return d.world.Now().Sub(q.polled) > queryLife }

func (d *Double) servePoll(w http.ResponseWriter, r *http.Request) {
	o := d.now()
	if !d.admitQuery(w, r, o) {
		return
	}
	if _, err := strconv.Atoi(r.URL.Query().Get("lastStepSeen")); err != nil {
		d.refuseQuery(w, http.StatusBadRequest, "error/client/badParam", "lastStepSeen must be a number")
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	q := d.find(r)
	if q == nil {
		d.refuseQuery(w, http.StatusNotFound, "error/client/badParam", "query not found")
		return
	}
	q.steps = min(q.steps+1, q.total)
	d.answer(w, o, q, true)
}

func (d *Double) serveDelete(w http.ResponseWriter, r *http.Request) {
	if !d.admitQuery(w, r, d.now()) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	q := d.find(r)
	if q == nil {
		d.refuseQuery(w, http.StatusNotFound, "error/client/badParam", "query not found")
		return
	}
	delete(d.queries, q.id)
	w.WriteHeader(http.StatusNoContent)
}

// finds reports whether the scope of a query holds the account of the agents.
// Without a scope a query reads a default one, which is empty.
func (l launch) finds() bool {
	if l.tenant != nil && *l.tenant {
		return true
	}
	return slices.Contains(l.accounts, AccountID)
}
