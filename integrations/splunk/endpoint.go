package splunk

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

// endpoint is Splunk's management port.
type endpoint struct {
	base  string // its address, to which paths can be appended
	token integrations.Secret
	http  *httpx.Client
	// missing is what to do where a path is not there: the paths are fixed.
	missing string
}

// Circuit implements [integrations.Breaker].
func (e endpoint) Circuit() integrations.Circuit { return e.http.Circuit() }

// Close closes the connections.
func (e endpoint) Close() error { return e.http.Close() }

// call is one request. Op names it in errors; form is its body, write says that it changes
// something.
type call struct {
	op, method, path string
	query, form      url.Values
	write            bool
}

// ask makes the call and reads the answer into out.
func (e endpoint) ask(ctx context.Context, r call, out any, members ...string) (httpx.Answer, error) {
	if r.query == nil {
		r.query = url.Values{}
	}
	r.query.Set("output_mode", "json")
	header := http.Header{"Authorization": {"Bearer " + e.token.Reveal()}}
	var body []byte
	if r.form != nil {
		body = []byte(r.form.Encode())
		header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	a, err := e.http.JSON(ctx, httpx.Request{
		Op: r.op, Method: r.method, URL: e.base + r.path + "?" + r.query.Encode(), Body: body, Header: header, Write: r.write, Members: members,
	}, nil, out)
	return a, e.refused(a, err)
}

// message is what Splunk says beside an answer, or instead of one.
type message struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// refused adds to a refusal what its body says. The paths are fixed: what is not there is
// Splunk, or a part of it, and no event.
func (e endpoint) refused(a httpx.Answer, err error) error {
	refusal, ok := errors.AsType[*integrations.Error](err)
	if !ok || a.Status < 400 {
		return err
	}
	more := *refusal
	if more.Kind == integrations.NotFound {
		more.Kind = integrations.Unavailable
		more.Err = fmt.Errorf("%w: %s", more.Err, e.missing)
	}
	var said struct {
		Messages []message `json:"messages"`
		Message  string    `json:"message"`
	}
	if httpx.Decode(a.Body, &said) != nil {
		return &more
	}
	text := said.Message
	if len(said.Messages) > 0 {
		text = said.Messages[0].Text
	}
	if text != "" {
		more.Err = fmt.Errorf("%w: %s", more.Err, httpx.Quote(text))
	}
	return &more
}
