package httpx

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
)

// maxWait bounds how long a product can ask us to wait: it must not delay the
// release of a containment for ever.
const maxWait = time.Hour

// refusal is the error of an answer that is not 2xx, or nil.
func (c *Client) refusal(r Request, u *url.URL, a Answer) error {
	if a.Status >= 200 && a.Status < 300 {
		return nil
	}
	e := integrations.Errorf(kindOf(a.Status, r.Write), r.Op, "%s: HTTP status %d", origin(u), a.Status)
	if a.Status >= 300 && a.Status < 400 {
		e.Err = fmt.Errorf("%w, a redirect that is not followed: configure its target", e.Err)
	}
	if e.Kind == integrations.Denied && c.credentials != "" && a.Status != http.StatusProxyAuthRequired {
		e.Err = fmt.Errorf("%w: check %s", e.Err, c.credentials)
	}
	if e.Kind == integrations.Throttled {
		e.After = wait(a.Header, c.waitHeader, time.Now())
	}
	return e
}

func kindOf(status int, write bool) integrations.Kind {
	switch status {
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusProxyAuthRequired:
		return integrations.Denied
	case http.StatusNotFound, http.StatusGone:
		return integrations.NotFound
	case http.StatusConflict, http.StatusPreconditionFailed, http.StatusLocked:
		return integrations.Conflict
	case http.StatusTooManyRequests:
		return integrations.Throttled
	case http.StatusTooEarly:
		return integrations.Unavailable
	}
	if status < 500 && status != http.StatusRequestTimeout {
		return integrations.Invalid
	}
	return lost(write)
}

// wait is how long the headers of a 429 ask to wait; zero when they do not.
// A point in time is relative to the product's own clock where it shows it.
func wait(h http.Header, also string, now time.Time) time.Duration {
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	for _, name := range []string{"Retry-After", also} {
		text := h.Get(name)
		if text == "" {
			continue
		}
		if at, err := http.ParseTime(text); err == nil {
			return clamp(at.Sub(now))
		}
		n, err := strconv.ParseUint(text, 10, 63)
		switch {
		case err != nil:
		case n > 1e11: // milliseconds, as CrowdStrike's schema has it, whose API sends seconds
			return clamp(time.UnixMilli(int64(n)).Sub(now))
		case n > 1e9:
			return clamp(time.Unix(int64(n), 0).Sub(now))
		default:
			return clamp(time.Duration(n) * time.Second)
		}
	}
	return 0
}

func clamp(d time.Duration) time.Duration { return max(0, min(d, maxWait)) }

// JSON makes the call with in as its body, none when in is nil, and decodes the
// answer into out, unless that is nil.
func (c *Client) JSON(ctx context.Context, r Request, in, out any) (Answer, error) {
	header := r.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if in != nil {
		body, err := json.Marshal(in)
		if err != nil {
			return Answer{}, integrations.Errorf(integrations.Invalid, r.Op, "encode the request: %w", err)
		}
		r.Body = body
		header.Set("Content-Type", "application/json")
	}
	if header.Get("Accept") == "" {
		header.Set("Accept", "application/json")
	}
	r.Header = header
	a, err := c.Do(ctx, r)
	if err != nil || out == nil && len(r.Members) == 0 {
		return a, err
	}
	if out == nil {
		out = new(json.RawMessage)
	}
	if err := Decode(a.Body, out, r.Members...); err != nil {
		return a, integrations.Errorf(lost(r.Write), r.Op, "%w", err)
	}
	return a, nil
}

// Decode reads a body that is exactly one JSON value. Fields that out does not
// have are ignored, for products add them. Where members are named, the value must be an
// object that has at least one of them. The error shows nothing of the body.
func Decode(body []byte, out any, members ...string) error {
	d := json.NewDecoder(bytes.NewReader(body))
	err := d.Decode(out)
	if err == nil {
		_, err = d.Token()
		if errors.Is(err, io.EOF) {
			return foreign(body, members)
		}
		return fmt.Errorf("unexpected data after the JSON of the answer, at byte %d", d.InputOffset())
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%q of the answer is not of type %s, at byte %d", e.Field, e.Type, e.Offset)
	}
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("the answer is not JSON, at byte %d", e.Offset)
	}
	return errors.New("the answer is not the JSON that was expected")
}

// foreign is the error of a body that has none of the members; nil where none are named.
func foreign(body []byte, members []string) error {
	if len(members) == 0 {
		return nil
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(body, &object) == nil && slices.ContainsFunc(members, func(name string) bool { return object[name] != nil }) {
		return nil
	}
	return fmt.Errorf("the answer has no member %s, so that it is another server's: check the address", strings.Join(members, " or "))
}
