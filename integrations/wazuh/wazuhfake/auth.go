package wazuhfake

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

const (
	mostAttempts = 50
	blockedFor   = 300 * time.Second
)

// attempts are the failed logins from each address.
type attempts map[string]attempt

type attempt struct {
	n    int
	last time.Time
}

// window counts the requests of one minute.
type window struct {
	since time.Time
	n     int
}

// login checks name and password, and that the address is not blocked: after 50
// failures it is, for five minutes, for those who know the password as well.
func (d *Double) login(o Options, r *http.Request) *failure {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.logins == nil {
		d.logins = attempts{}
	}
	from, _, _ := net.SplitHostPort(r.RemoteAddr)
	now := o.Pace()
	a := d.logins[from]
	if a.n >= mostAttempts {
		if now.Sub(a.last) < blockedFor {
			return &failure{
				http.StatusForbidden, 6000, "Permission Denied",
				"Limit of login attempts reached. The current IP has been blocked due to a high number of login attempts",
			}
		}
		a = attempt{}
	}
	if user, password, given := r.BasicAuth(); !given || user != o.User || password != o.Password {
		d.logins[from] = attempt{a.n + 1, now}
		return &failure{http.StatusUnauthorized, 0, "Unauthorized", "Invalid credentials"}
	}
	delete(d.logins, from)
	return nil
}

func (d *Double) serveLogin(w http.ResponseWriter, r *http.Request) {
	o := d.now()
	f := known(r.URL.Query(), []string{"raw"})
	if f == nil {
		f = d.login(o, r)
	}
	if f != nil {
		d.refuse(w, o, f)
		return
	}
	d.mu.Lock()
	d.serial++
	token := fmt.Sprintf("eyJhbGciOiJFUzUxMiJ9.%06d.sig", d.serial)
	d.tokens[token] = d.world.Now().Add(o.TokenLife)
	d.mu.Unlock()
	if r.URL.Query().Get("raw") == "true" {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write([]byte(token)) // a client that went away is its own affair
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"data": map[string]any{"token": token}, "error": 0})
}

// serveLogout ends all tokens of the user.
func (d *Double) serveLogout(w http.ResponseWriter, r *http.Request) {
	o := d.now()
	if f := d.admit(o, r); f != nil {
		d.refuse(w, o, f)
		return
	}
	d.mu.Lock()
	clear(d.tokens)
	d.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{"message": "User " + o.User + " was successfully logged out", "error": 0})
}

// admit checks the token and the pace.
func (d *Double) admit(o Options, r *http.Request) *failure {
	auth := r.Header.Get("Authorization")
	if auth == "" {
		return &failure{http.StatusUnauthorized, 0, "Unauthorized", "No authorization token provided"}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	ends, known := d.tokens[strings.TrimPrefix(auth, "Bearer ")]
	if !known || !strings.HasPrefix(auth, "Bearer ") || !d.world.Now().Before(ends) {
		return &failure{http.StatusUnauthorized, 0, "Unauthorized", "Invalid token"}
	}
	now := o.Pace()
	if passed := now.Sub(d.minute.since); passed < 0 || passed >= time.Minute {
		d.minute = window{since: now}
	}
	if d.minute.n++; d.minute.n > o.PerMinute {
		return &failure{http.StatusTooManyRequests, 6001, "Wazuh Error", "Maximum number of requests per minute reached"}
	}
	return nil
}
