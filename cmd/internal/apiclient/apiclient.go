// Package apiclient reaches a running Stanch over HTTP, for the command line.
package apiclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/stanch-soar/stanch/integrations"
)

// DefaultURL is where stanch serve listens by default.
const DefaultURL = "http://127.0.0.1:8080"

// Limits of one call. The longest call is a release, for which the server waits
// for a device.
const (
	dialTimeout = 5 * time.Second
	callTimeout = 45 * time.Second
	maxAnswer   = 64 << 20
)

// Client calls one server as one person.
type Client struct {
	base  *url.URL
	token integrations.Secret
	http  *http.Client
}

// New returns a client for the server at an address such as
// https://stanch.example. The token may be empty: then only what needs none
// can be called.
func New(address string, token integrations.Secret) (*Client, error) {
	base, err := url.Parse(address)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" || base.RawQuery != "" || base.User != nil {
		// It may hold a password or a token.
		if err != nil || strings.ContainsAny(address, "@?#") {
			return nil, fmt.Errorf("url is not an address such as %s, without a user and a query", DefaultURL)
		}
		return nil, fmt.Errorf("url %q is not an address such as %s", address, DefaultURL)
	}
	base.Path = strings.TrimSuffix(base.Path, "/")
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSHandshakeTimeout: dialTimeout,
		ForceAttemptHTTP2:   true,
	}
	return &Client{base: base, token: token, http: &http.Client{
		Transport: transport, Timeout: callTimeout,
		// A token is for the server that was named, and for no other.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// URL is the server's address.
func (c *Client) URL() string { return c.base.String() }

// Error is an answer of the server other than success.
type Error struct {
	Status int
	// Kind is the rule that refused; Field is what was wrong in the request.
	Kind    string
	Field   string
	Message string
	// Rejected is the id under which a rejected alert was kept; Others is how
	// many more of the request were kept.
	Rejected string
	Others   int
}

func (e *Error) Error() string {
	text := e.Message
	if e.Field != "" {
		text = e.Field + ": " + text
	}
	switch e.Status {
	case http.StatusConflict:
		text = "refused (" + strings.ReplaceAll(e.Kind, "_", " ") + "): " + text
	case http.StatusUnprocessableEntity:
		text = "rejected: " + text
		if e.Rejected != "" {
			text += "; kept as " + e.Rejected
		}
		if e.Others > 0 {
			text += fmt.Sprintf(", and %d more alerts of the request were rejected and kept", e.Others)
		}
	}
	return text
}

// Mistake reports whether the request was wrong, and so nothing was changed;
// otherwise the server or the connection to it is at fault.
func (e *Error) Mistake() bool {
	return e.Status >= 400 && e.Status < 500 && e.Status != http.StatusTooManyRequests
}

// request is one call.
type request struct {
	method string
	// path is the part after the base URL, each segment escaped.
	path  string
	query url.Values
	// body is sent as JSON, unless it is bytes.
	body any
	// stranger leaves out the person's token.
	stranger bool
	edit     func(*http.Request)
}

// call sends a request and decodes the answer.
func (c *Client) call(ctx context.Context, r request, into any) error {
	if c.token == "" && !r.stranger {
		return &Error{Status: http.StatusUnauthorized, Kind: "unauthorized", Message: "no token: " + tokenHelp}
	}
	req, err := c.build(ctx, r)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.unreachable(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", c.base, err)
	}
	if len(data) > maxAnswer {
		return fmt.Errorf("read the answer of %s: it is larger than %d bytes", c.base, maxAnswer)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return c.failure(resp, data, r.stranger)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("read the answer of %s, is it Stanch of this version?: %w", c.base, err)
	}
	return nil
}

func (c *Client) build(ctx context.Context, r request) (*http.Request, error) {
	data, raw := r.body.([]byte)
	if r.body != nil && !raw {
		var err error
		if data, err = json.Marshal(r.body); err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
	}
	address := c.base.String() + r.path
	if len(r.query) > 0 {
		address += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, address, bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", c.base, err)
	}
	req.Header.Set("Accept", "application/json")
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if !r.stranger {
		req.Header.Set("Authorization", "Bearer "+c.token.Reveal())
	}
	if r.edit != nil {
		r.edit(req)
	}
	return req, nil
}

// tokenHelp says where a token comes from.
const tokenHelp = "set STANCH_TOKEN, or STANCH_TOKEN_FILE to a file that holds it; `stanch token` makes one"

// failure is an answer other than success, as an error.
func (c *Client) failure(resp *http.Response, data []byte, stranger bool) error {
	var told struct {
		Error, Kind, Field, Rejected string
		Alerts                       []json.RawMessage
	}
	if err := json.Unmarshal(data, &told); err != nil || told.Error == "" {
		return fmt.Errorf("%s answered %s: is it Stanch?", c.base, resp.Status)
	}
	e := &Error{Status: resp.StatusCode, Kind: told.Kind, Field: told.Field, Message: told.Error, Rejected: told.Rejected, Others: max(0, len(told.Alerts)-1)}
	switch {
	case e.Status == http.StatusUnauthorized && !stranger:
		e.Message = "the token is not known at " + c.base.String() + ": " + tokenHelp
	case e.Status == http.StatusTooManyRequests && resp.Header.Get("Retry-After") != "":
		e.Message += ", in " + resp.Header.Get("Retry-After") + " s"
	}
	return e
}

// unreachable describes why there is no answer. The address is named once, and a
// query is never shown.
func (c *Client) unreachable(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("nothing listens at %s: is `stanch serve` running there?", c.base)
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return fmt.Errorf("%s did not answer in time", c.base)
	}
	return fmt.Errorf("reach %s: %w", c.base, err)
}
