package falconfake

import (
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// token is one that was given.
type token struct {
	client string
	scopes []string
	until  time.Time
}

func (d *Double) giveToken(c *call) reply {
	form, ok := c.form()
	if !ok || form.Get("client_id") == "" || form.Get("client_secret") == "" {
		return c.refuse(http.StatusBadRequest, "client_id and client_secret are required as a form")
	}
	away := d.o.Elsewhere != d.o.Region
	if away && d.o.Redirects {
		header := unjudged()
		header.Set("Location", "https://api."+d.o.Elsewhere+".crowdstrike.com/oauth2/token")
		return reply{status: http.StatusPermanentRedirect, header: header}
	}
	at := slices.IndexFunc(d.o.Credentials, func(o Credential) bool {
		return o.ID == form.Get("client_id") && o.Secret == form.Get("client_secret")
	})
	// A tenant without others below it has no member.
	if at < 0 || form.Get("member_cid") != "" {
		return c.refuse(http.StatusForbidden, "access denied, authorization failed")
	}
	now := d.w.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	text := "eyJhbGciOiJSUzI1NiJ9." + strings.ReplaceAll(d.nextID(), "-", "") + ".signature"
	if !away {
		d.tokens[text] = token{client: d.o.Credentials[at].ID, scopes: d.o.Credentials[at].Scopes, until: now.Add(d.o.TokenLifetime)}
	}
	return reply{status: http.StatusCreated, body: object{
		"access_token": text, "token_type": "bearer", "expires_in": int(d.o.TokenLifetime.Seconds()) - 1,
	}}
}

func (d *Double) revokeToken(c *call) reply {
	form, ok := c.form()
	if !ok || form.Get("token") == "" {
		return c.refuse(http.StatusBadRequest, "token is required as a form")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.tokens, form.Get("token"))
	return reply{status: http.StatusOK, body: object{"meta": c.meta(), "errors": d.empty()}}
}

// form reads a body that is a form, and nothing else.
func (c *call) form() (url.Values, bool) {
	kind, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, false
	}
	form, err := url.ParseQuery(string(c.body))
	return form, err == nil
}

// authorize checks the token and its scopes.
func (d *Double) authorize(c *call, scope string) (reply, bool) {
	text, ok := strings.CutPrefix(c.r.Header.Get("Authorization"), "Bearer ")
	d.mu.Lock()
	given, known := d.tokens[text]
	d.mu.Unlock()
	if !ok || !known || !d.w.Now().Before(given.until) {
		return c.refuse(http.StatusUnauthorized, "access denied, invalid bearer token"), true
	}
	if given.scopes != nil && !slices.Contains(given.scopes, scope) {
		return c.refuse(http.StatusForbidden, "access denied, authorization failed"), true
	}
	c.client = given.client
	return reply{}, false
}

// window counts the requests of one minute.
type window struct {
	start time.Time
	used  int
}

// count counts a request and writes the headers of the limit; over the limit it
// refuses. The token endpoint has a limit of its own. Its 429 has no header with
// the time: PSFalcon does not read one there.
func (d *Double) count(h http.Header, path string) (reply, bool) {
	name, limit := "api", d.o.Limit
	if path == "/oauth2/token" {
		name, limit = "token", d.o.TokenLimit
	}
	now := d.o.Pace()
	d.mu.Lock()
	defer d.mu.Unlock()
	w := d.windows[name]
	if w == nil || now.Sub(w.start) >= time.Minute {
		w = &window{start: now}
		d.windows[name] = w
	}
	over := w.used >= limit
	switch {
	case d.throttled > 0:
		d.throttled--
		over = true
	case !over:
		w.used++
	}
	h.Set("X-Ratelimit-Limit", strconv.Itoa(limit))
	h.Set("X-Ratelimit-Remaining", strconv.Itoa(limit-w.used))
	if !over {
		return reply{}, false
	}
	if name == "api" {
		// Seconds since 1970, and no Retry-After.
		h.Set("X-Ratelimit-Retryafter", strconv.FormatInt(w.start.Add(time.Minute).Unix(), 10))
	}
	refused := &call{by: gateway}
	return refused.refuse(http.StatusTooManyRequests, "API rate limit exceeded."), true
}
