package crowdstrike

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

// Falcon is one customer of CrowdStrike Falcon. It is safe for concurrent use.
type Falcon struct {
	config Config
	base   string
	api    *httpx.Client
	tokens *httpx.Tokens
	now    func() time.Time
	// devices holds one lock per device: what is written on a device is written in turn.
	// sessions are such locks for commands, which an isolation must not wait for.
	devices, sessions httpx.Turns[agentID]
	// scripts are those that this process has ordered.
	scripts ordered
	// ending are the searches that are being ended at Falcon.
	ending sync.WaitGroup
}

func newFalcon(c Config, base string, api *httpx.Client) *Falcon {
	form := url.Values{}
	if c.MemberCID != "" {
		form.Set("member_cid", c.MemberCID)
	}
	f := &Falcon{config: c, base: base, api: api, now: time.Now}
	f.tokens = api.OAuth(httpx.Credentials{URL: base + tokenPath, Client: c.ClientID, Secret: c.ClientSecret, Form: form, Explain: f.elsewhere})
	return f
}

const tokenPath = "/oauth2/token"

// Close waits for what is being tidied up, and closes the connections.
func (f *Falcon) Close() error {
	f.ending.Wait()
	return f.api.Close()
}

// Share implements [integrations.Sharer].
func (f *Falcon) Share(processes int) { f.api.Share(processes) }

// Circuit implements [integrations.Breaker].
func (f *Falcon) Circuit() integrations.Circuit { return f.api.Circuit() }

// call is one request to the API.
type call struct {
	op, method, path string
	query            url.Values
	body             any
	// write reports whether it changes something; see [httpx.Request].
	write bool
	// members are those of which the answer has one; see [httpx.Request].
	members []string
}

// answer is the form of all of Falcon's answers but those of searches.
type answer[T any] struct {
	Meta      meta     `json:"meta"`
	Errors    problems `json:"errors"`
	Resources []T      `json:"resources"`
}

type meta struct {
	TraceID    string     `json:"trace_id"`
	Pagination pagination `json:"pagination"`
}

type pagination struct {
	Total int    `json:"total"`
	Next  string `json:"next"`
}

// problem is an error in the body of an answer, whatever the answer's status.
type problem struct {
	Code    code   `json:"code"`
	ID      string `json:"id"`
	Message string `json:"message"`
}

type problems []problem

// code is a status, or a status with two more digits, such as 40401.
type code int

// UnmarshalJSON implements [json.Unmarshaler]. A code that is no number is none.
func (c *code) UnmarshalJSON(data []byte) error {
	text := string(data)
	if unquoted, err := strconv.Unquote(text); err == nil {
		text = unquoted
	}
	n, _ := strconv.Atoi(text)
	*c = code(n)
	return nil
}

// status is the HTTP status that the code stands for; 0 is none.
func (c code) status() int {
	for c >= 1000 {
		c /= 10
	}
	return int(c)
}

// kind is what went wrong by the code. A write of which that is not clear may have been
// done.
func (p problem) kind(write bool) integrations.Kind {
	switch status := p.Code.status(); status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return integrations.Denied
	case http.StatusNotFound:
		return integrations.NotFound
	case http.StatusConflict:
		return integrations.Conflict
	case http.StatusTooManyRequests:
		return integrations.Throttled
	default:
		if status >= 400 && status < 500 {
			return integrations.Invalid
		}
	}
	if write {
		return integrations.Ambiguous
	}
	return integrations.Unavailable
}

// of returns the error that an answer with problems is; nil without any.
func (p problems) of(c call, traced string) error {
	if len(p) == 0 {
		return nil
	}
	return integrations.Errorf(p[0].kind(c.write), c.op, "Falcon answers %s%s", p.text(), traced)
}

// text is the first problem for people.
func (p problems) text() string {
	return strconv.Itoa(int(p[0].Code)) + " " + strconv.Quote(httpx.Line(p[0].Message))
}

// trace is Falcon's id of the exchange for its support.
func (m meta) trace(h http.Header) string {
	id := m.TraceID
	if id == "" {
		id = h.Get("X-Cs-Traceid")
	}
	if !handle(id) {
		return ""
	}
	return ", trace " + id
}

// ask makes a call whose answer has Falcon's usual form. Problems in the body are an
// error also where the status says that all is well.
func ask[T any](ctx context.Context, f *Falcon, c call) (answer[T], error) {
	var out answer[T]
	a, err := f.send(ctx, c, nil)
	if err != nil {
		return out, f.astray(a, refused(c, a, err))
	}
	if err := httpx.Decode(a.Body, &out, "meta", "errors", "resources"); err != nil {
		return out, integrations.Errorf(lost(c.write), c.op, "%w", err)
	}
	return out, out.Errors.of(c, out.Meta.trace(a.Header))
}

// send makes a call with a token and decodes its answer into out, unless that is nil.
func (f *Falcon) send(ctx context.Context, c call, out any) (httpx.Answer, error) {
	address := f.base + c.path
	if len(c.query) > 0 {
		address += "?" + c.query.Encode()
	}
	return f.api.JSON(ctx, httpx.Request{Op: c.op, Method: c.method, URL: address, Write: c.write, Members: c.members, Tokens: f.tokens}, c.body, out)
}

// refused adds to an error what Falcon says in the body of its refusal. What is not there is
// told in a body: a 404 without one is another server's, and no statement about a device.
func refused(c call, a httpx.Answer, err error) error {
	e, ok := errors.AsType[*integrations.Error](err)
	var said answer[json.RawMessage]
	if !ok || a.Status == 0 {
		return err
	}
	more := *e
	if httpx.Decode(a.Body, &said) != nil || len(said.Errors) == 0 {
		if e.Kind == integrations.NotFound {
			more.Kind, more.Err = integrations.Unavailable, fmt.Errorf("%w, and not Falcon's answer: check cloud, url and repository", e.Err)
		}
		return &more
	}
	more.Err = fmt.Errorf("%w: %s%s", e.Err, said.Errors.text(), said.Meta.trace(a.Header))
	return &more
}

// astray adds to a refusal that the customer is in another cloud, where Falcon says so. The
// wrong cloud may give a token, and refuse it afterwards.
func (f *Falcon) astray(a httpx.Answer, err error) error {
	e, ok := errors.AsType[*integrations.Error](err)
	if !ok || e.Kind != integrations.Denied || f.elsewhere(a) == "" {
		return err
	}
	more := *e
	more.Err = fmt.Errorf("%w: %s", e.Err, f.elsewhere(a))
	return &more
}

// elsewhere says that the customer is in another cloud of Falcon's, where an answer names
// it; empty where it does not.
func (f *Falcon) elsewhere(a httpx.Answer) string {
	region := strings.ToLower(a.Header.Get("X-Cs-Region"))
	if region == "" || region == f.config.Cloud || clouds()[region] == "" {
		return ""
	}
	return fmt.Sprintf("the customer is in the cloud %s, and cloud is %s: write cloud: %s", region, f.config.Cloud, region)
}

// lost is the kind of a call whose answer cannot be used.
func lost(write bool) integrations.Kind {
	if write {
		return integrations.Ambiguous
	}
	return integrations.Unavailable
}
