// Package httpx is the HTTP client that integrations share. A call is one
// attempt: the engine waits and retries. The result is either an answer with a
// 2xx status or an integrations.Error of the kind that is right for the product,
// without anything in its text that could be a secret.
package httpx

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"

	"github.com/stanch-soar/stanch/integrations"
)

// Request is one call.
type Request struct {
	// Op names the operation in errors. It must not contain a secret.
	Op     string
	Method string
	URL    string
	Header http.Header
	Body   []byte
	// Write reports whether the call changes something in the product: when its
	// answer is lost it may have been carried out. The method does not decide
	// this, for many products are read by POST.
	Write bool
	// Tokens, where it is set, authorize the call: it is sent with one of them.
	Tokens *Tokens
	// Limit names the limit of [Options] that counts the call, in addition to those
	// that count all; empty: none. Kind is the kind of the call, for limits that count
	// each kind by itself.
	Limit, Kind string
	// Members are those of which the object in the answer to [Client.JSON] has at least one:
	// with none of them it is the answer of another server, however well it can be read.
	Members []string
}

// Answer is a product's answer. For a refusal it is returned with the error,
// for the code in its body; the text in there is the product's.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do makes the call, once. Only a read whose token the product refuses is made
// again, with a new one.
func (c *Client) Do(ctx context.Context, r Request) (Answer, error) {
	if r.Tokens == nil {
		return c.once(ctx, r)
	}
	return c.authorized(ctx, r)
}

// authorized makes the call with a token. One that the product refuses is dropped:
// it may have been revoked before its time. That nothing was done is certain then,
// but a write is left to its caller all the same, who knows whether it is still wanted.
func (c *Client) authorized(ctx context.Context, r Request) (Answer, error) {
	for again := !r.Write; ; again = false {
		token, err := r.Tokens.Get(ctx)
		if err != nil {
			return Answer{}, err
		}
		call := r
		if call.Header = r.Header.Clone(); call.Header == nil {
			call.Header = http.Header{}
		}
		call.Header.Set("Authorization", "Bearer "+token.Reveal())
		a, err := c.once(ctx, call)
		if a.Status != http.StatusUnauthorized || !r.Tokens.Drop(token) || !again {
			return a, err
		}
	}
}

// once makes the call, unless a limit or the breaker holds it back: nothing is sent then.
func (c *Client) once(caller context.Context, r Request) (Answer, error) {
	ctx, cancel := context.WithTimeout(caller, c.timeout)
	defer cancel()
	req, err := c.request(ctx, r)
	if err != nil {
		return Answer{}, err
	}
	tell, err := c.breakers.allow(r.Op, req.URL)
	if err != nil {
		return Answer{}, err
	}
	if err := c.limits.wait(ctx, r); err != nil {
		tell(errNotCounted)
		return Answer{}, err
	}
	a, failed, err := c.send(ctx, r, req)
	switch {
	case failed && caller.Err() != nil:
		// Who asked has given up, which says nothing about the product.
		tell(errNotCounted)
	case failed:
		tell(err)
	case err != nil && a.Status == 0:
		tell(errNotCounted)
	default:
		tell(nil)
	}
	return a, err
}

// send makes the call. Failed reports whether the product did: it gave no answer, or one
// that says so.
func (c *Client) send(ctx context.Context, r Request, req *http.Request) (a Answer, failed bool, err error) {
	var connected atomic.Bool
	req = req.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }}))
	client := c.reads
	if r.Write {
		client = c.writes
	}
	res, err := client.Do(req)
	if err != nil {
		// Without a connection the call was not sent.
		e := r.broken(req.URL, r.Write && connected.Load(), reason(err))
		return Answer{}, e.Kind == integrations.Unavailable || e.Kind == integrations.Ambiguous, e
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, c.maxBody+1))
	a = Answer{res.StatusCode, res.Header, body}
	if refused := c.refusal(r, req.URL, a); refused != nil {
		return a, a.Status >= 500 && a.Status != http.StatusNotImplemented, refused
	}
	if err != nil {
		return a, true, r.broken(req.URL, r.Write, reason(err))
	}
	if int64(len(body)) > c.maxBody {
		return Answer{Status: a.Status, Header: a.Header}, false, r.broken(req.URL, r.Write, fmt.Errorf("the answer is longer than %d bytes", c.maxBody))
	}
	return a, false, nil
}

func (c *Client) request(ctx context.Context, r Request) (*http.Request, error) {
	var body io.Reader
	if r.Body != nil {
		body = bytes.NewReader(r.Body)
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, body)
	// The parser's error quotes the address, which may contain a password.
	if err != nil || req.URL.Host == "" || req.URL.Scheme != "https" && req.URL.Scheme != "http" {
		return nil, integrations.Errorf(integrations.Invalid, r.Op, "invalid method or address of the call")
	}
	for name, values := range r.Header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	req.Header.Set("User-Agent", c.agent)
	return req, nil
}
