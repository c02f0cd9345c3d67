package falconfake

import (
	"net/http"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

const (
	// idle is how long a session lives without a command or a refresh. Asking for a
	// result does not keep it alive.
	idle = 5 * time.Minute
	// queuedFor is how long a session with an offline host and its commands wait.
	queuedFor = 7 * 24 * time.Hour
)

// session is one of real time response.
type session struct {
	id, client, host string
	origin           string
	created, used    time.Time
	deleted          time.Time // zero: it was not
	queued           bool      // it waits for its host
	requests         []string
}

// alive reports whether commands can be given and results be had. The lock must be held.
func (d *Double) alive(s *session) bool {
	now := d.w.Now()
	switch {
	case !s.deleted.IsZero():
		return false
	case s.queued:
		return now.Before(s.created.Add(queuedFor))
	}
	return now.Before(s.used.Add(idle))
}

// session returns one that is alive, of the client. The lock must be held.
func (d *Double) session(id, client string) *session {
	at := slices.IndexFunc(d.sessions, func(s *session) bool { return s.id == id && s.client == client })
	if at < 0 || !d.alive(d.sessions[at]) {
		return nil
	}
	return d.sessions[at]
}

// target reads the body of a request that opens a session or keeps one alive.
func (d *Double) target(c *call) (host edrtest.Host, queue bool, origin string, bad *reply) {
	f, err := c.fields()
	var id string
	if err == nil {
		err = f.read("device_id", true, &id)
	}
	if err == nil {
		err = f.read("queue_offline", false, &queue)
	}
	if err == nil {
		err = f.read("origin", false, &origin)
	}
	if err == nil {
		_, err = c.number("timeout", 30, 1, 300)
	}
	if err != nil {
		r := c.fail(http.StatusBadRequest, 40000, "%v", err)
		return edrtest.Host{}, false, "", &r
	}
	host, ok := d.w.Host(id)
	if !ok || host.Offline && !queue {
		// psfalcon#76. A host that is not there cannot be reached either.
		r := c.fail(http.StatusNotFound, 40401, "Could not establish sensor comms")
		return edrtest.Host{}, false, "", &r
	}
	return host, queue, origin, nil
}

// openSession opens a session, or joins the one that the same client has with the
// host: commands of two workers then run in one session.
func (d *Double) openSession(c *call) reply {
	host, queue, origin, bad := d.target(c)
	if bad != nil {
		return *bad
	}
	now := d.w.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	existing := 0
	var own *session
	for _, s := range d.sessions {
		if s.host != host.ID || !d.alive(s) {
			continue
		}
		existing++
		if s.client == c.client {
			own = s
		}
	}
	if own == nil {
		own = &session{id: d.nextID(), client: c.client, host: host.ID, origin: origin, created: now, queued: host.Offline && queue}
		d.sessions = append(d.sessions, own)
	}
	own.used = now
	return resources(d, c, http.StatusCreated, []object{d.opened(own, existing)}, nil, nil)
}

func (d *Double) opened(s *session, existing int) object {
	o := object{
		"session_id": s.id, "created_at": rtrTime(s.created), "device_id": s.host, "platform": "windows",
		"existing_aid_sessions": existing, "offline_queued": s.queued, "scripts": []any{},
		"previous_commands": d.empty(),
	}
	if !s.queued {
		o["pwd"] = `C:\`
	}
	return o
}

func (d *Double) refreshSession(c *call) reply {
	host, _, _, bad := d.target(c)
	if bad != nil {
		return *bad
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.sessions {
		if s.host == host.ID && s.client == c.client && d.alive(s) {
			s.used = d.w.Now()
			return resources(d, c, http.StatusCreated, []object{d.opened(s, 1)}, nil, nil)
		}
	}
	return noSession(c)
}

// noSession refuses a session that is not there any more. Code and words are not
// documented.
func noSession(c *call) reply {
	return c.fail(http.StatusBadRequest, 40000, "could not find existing session")
}

func (d *Double) deleteSession(c *call) reply {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.session(c.query.Get("session_id"), c.client)
	if s == nil {
		return noSession(c)
	}
	s.deleted = d.w.Now()
	// The vendor's SDK lists a body, which no 204 has.
	return reply{status: http.StatusNoContent, header: unjudged()}
}

// querySessions lists the client's own sessions, oldest first. The user @me is the one
// who asks.
func (d *Double) querySessions(c *call) reply {
	compareUser := func(value string, wanted condition) (bool, error) {
		if wanted.value == "@me" {
			wanted.value = c.client
		}
		return compareExact(value, wanted)
	}
	passes, err := parseFilter(c.query.Get("filter"), map[string]comparison{"aid": compareExact, "device_id": compareExact, "origin": compareExact, "user_id": compareUser})
	if err != nil {
		return c.fail(http.StatusBadRequest, 40000, "%v", err)
	}
	limit, err := c.number("limit", 100, 1, 5000)
	if err != nil {
		return c.fail(http.StatusBadRequest, 40000, "%v", err)
	}
	offset, err := c.number("offset", 0, 0, 1<<30)
	if err != nil {
		return c.fail(http.StatusBadRequest, 40000, "%v", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var found []string
	for _, s := range d.sessions {
		ok, err := passes(object{"aid": s.host, "device_id": s.host, "origin": s.origin, "user_id": s.client})
		if err != nil {
			return c.fail(http.StatusBadRequest, 40000, "%v", err)
		}
		if ok && s.client == c.client && d.alive(s) {
			found = append(found, s.id)
		}
	}
	got := page(d, found, offset, limit)
	return resources(d, c, http.StatusOK, got, nil, object{"offset": offset + len(got), "limit": limit, "total": len(found)})
}

// getSessions tells sessions by their ids, also those that have ended.
func (d *Double) getSessions(c *call) reply {
	named, err := c.ids("ids", 100)
	if err != nil {
		return c.fail(http.StatusBadRequest, 40000, "%v", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var got []object
	for _, s := range d.sessions {
		if s.client != c.client || !slices.Contains(named, s.id) {
			continue
		}
		h, _ := d.w.Host(s.host)
		o := object{
			"id": s.id, "cid": d.o.CID, "device_id": s.host, "hostname": h.Name, "origin": s.origin,
			"created_at": rtrTime(s.created), "updated_at": rtrTime(s.used), "deleted_at": rtrTime(s.deleted),
			"duration": s.used.Sub(s.created).Seconds(), "user_id": s.client, "user_uuid": s.client,
			"offline_queued": s.queued, "commands_queued": s.queued && len(s.requests) > 0,
			"cloud_request_ids": list(d, s.requests), "logs": d.empty(),
		}
		got = append(got, o)
	}
	return resources(d, c, http.StatusOK, got, nil, nil)
}

// rtrTime writes a time as real time response does: with nanoseconds.
func rtrTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
