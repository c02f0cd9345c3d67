package defenderfake

import (
	"crypto/hmac"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The application permissions that operations ask for.
const (
	readAll       = "Machine.Read.All"
	readWriteAll  = "Machine.ReadWrite.All"
	isolate       = "Machine.Isolate"
	liveResponse  = "Machine.LiveResponse"
	manageLibrary = "Library.Manage"
	readUsers     = "User.Read.All"
	huntingRead   = "ThreatHunting.Read.All"
)

// bearer returns the claims of a request's token, if it is valid for a resource.
func (d *Double) bearer(r *http.Request, resource string) (c claims, reason string) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return c, "Access token is empty."
	}
	var header struct {
		Algorithm string `json:"alg"`
	}
	signed, signature, ok := open(token, &header, &c)
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case !ok || header.Algorithm != "HS256" || !hmac.Equal(signature, seal(d.key, signed)):
		return c, "Access token validation failure. Invalid signature."
	case !d.world.Now().Before(time.Unix(c.Expires, 0)):
		return c, "Lifetime validation failed, the token is expired."
	case c.Audience != resource:
		return c, "Access token validation failure. Invalid audience."
	}
	return c, ""
}

// allow checks the token of a request to Defender and that it has one of the roles.
func (d *Double) allow(r *http.Request, roles ...string) *refusal {
	c, reason := d.bearer(r, defenderResource)
	if reason != "" {
		return refuse(http.StatusUnauthorized, "Unauthorized", "%s", reason)
	}
	if !slices.ContainsFunc(roles, func(role string) bool { return slices.Contains(c.Roles, role) }) {
		return refuse(http.StatusForbidden, "Forbidden", "Missing application roles. API required roles: %s, application roles: %s.",
			strings.Join(roles, ","), strings.Join(c.Roles, ","))
	}
	return nil
}

// window counts the calls of an operation in a minute and in an hour.
type window struct {
	minute, hour         time.Time
	inMinute, inThisHour int
}

// The documented limits of calls.
const (
	perMinute             = 100
	perHour               = 1500
	liveResponsePerMinute = 10
	huntingPerMinute      = 45
)

// limit counts a call of an operation. That a window starts with its first call is
// not documented.
func (d *Double) limit(operation string, minute, hour int) *refusal {
	if r := d.forced(); r != nil {
		return r
	}
	if d.o.Unlimited {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.o.Pace()
	w := d.windows[operation]
	if w == nil {
		w = &window{}
		d.windows[operation] = w
	}
	if now.Sub(w.minute) >= time.Minute {
		w.minute, w.inMinute = now, 0
	}
	if now.Sub(w.hour) >= time.Hour {
		w.hour, w.inThisHour = now, 0
	}
	r := refuse(http.StatusTooManyRequests, "TooManyRequests", "API calls quota exceeded.")
	switch {
	case w.inMinute >= minute:
		r.after = w.minute.Add(time.Minute).Sub(now)
		return r
	case w.inThisHour >= hour:
		r.after = w.hour.Add(time.Hour).Sub(now)
		return r
	}
	w.inMinute++
	w.inThisHour++
	return nil
}

// forced is the refusal that a test asked for.
func (d *Double) forced() *refusal {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.throttle == 0 {
		return nil
	}
	d.throttle--
	r := refuse(http.StatusTooManyRequests, "TooManyRequests", "API calls quota exceeded.")
	r.after = d.after
	return r
}

func (d *Double) before(r *http.Request) {
	if d.o.Before != nil {
		d.o.Before(r)
	}
}
