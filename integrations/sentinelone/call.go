package sentinelone

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

const (
	managementPath = "/web/api/v2.1"
	// fullPage is how many entries the console returns at most at once.
	fullPage = 1000
)

// call is one request to the management API. Write says that it changes something; see
// [httpx.Request].
type call struct {
	op, method, path string
	query            url.Values
	body             any
	write            bool
}

// answer is the form of the management API's answers.
type answer[T any] struct {
	Data       T          `json:"data"`
	Errors     problems   `json:"errors"`
	Pagination pagination `json:"pagination"`
}

type pagination struct {
	Total int    `json:"totalItems"`
	Next  string `json:"nextCursor"`
}

// problem is an error in the body of an answer.
type problem struct {
	Code   number `json:"code"`
	Detail string `json:"detail"`
	Title  string `json:"title"`
}

type problems []problem

func (p problems) text() string {
	said := p[0].Detail
	if said == "" {
		said = p[0].Title
	}
	return strconv.FormatInt(int64(p[0].Code), 10) + " " + strconv.Quote(httpx.Line(said))
}

// ask makes a call of the management API. Problems in the body are an error also where the
// status says that all is well.
func ask[T any](ctx context.Context, c *Client, k call) (answer[T], error) {
	var out answer[T]
	a, err := c.send(ctx, k)
	if err != nil {
		return out, refused(a, err)
	}
	if err := httpx.Decode(a.Body, &out, "data", "errors"); err != nil {
		return out, integrations.Errorf(lost(k.write), k.op, "%w", err)
	}
	if len(out.Errors) > 0 {
		kind := integrations.Invalid
		if k.write {
			kind = integrations.Ambiguous
		}
		return out, integrations.Errorf(kind, k.op, "SentinelOne answers %s", out.Errors.text())
	}
	return out, nil
}

func (c *Client) send(ctx context.Context, k call) (httpx.Answer, error) {
	address := c.base + managementPath + k.path
	if len(k.query) > 0 {
		address += "?" + k.query.Encode()
	}
	header := http.Header{"Authorization": {"ApiToken " + c.config.Token.Reveal()}}
	return c.api.JSON(ctx, httpx.Request{Op: k.op, Method: k.method, URL: address, Header: header, Write: k.write}, k.body, nil)
}

// refused adds to an error what the console says in the body of its refusal. A 404 that
// says nothing is of another server: a device that is not there is an empty list.
func refused(a httpx.Answer, err error) error {
	e, ok := errors.AsType[*integrations.Error](err)
	if !ok || a.Status == 0 {
		return err
	}
	more := *e
	var said answer[any]
	if httpx.Decode(a.Body, &said) == nil && len(said.Errors) > 0 {
		more.Err = fmt.Errorf("%w: %s", e.Err, said.Errors.text())
	}
	if e.Kind == integrations.NotFound {
		more.Kind, more.Err = integrations.Unavailable, fmt.Errorf("%w: check url", more.Err)
	}
	return &more
}

// lost is the kind of a call whose answer cannot be used.
func lost(write bool) integrations.Kind {
	if write {
		return integrations.Ambiguous
	}
	return integrations.Unavailable
}

// list reads all entries that a query matches, to the last page. More than most are an
// error.
func list[T any](ctx context.Context, c *Client, op, path string, query url.Values, most int) ([]T, error) {
	var found []T
	seen := map[string]bool{}
	asked := url.Values{"limit": {strconv.Itoa(min(fullPage, most))}}
	for name, values := range query {
		asked[name] = values
	}
	for {
		out, err := ask[[]T](ctx, c, call{op: op, method: http.MethodGet, path: path, query: asked})
		if err != nil {
			return nil, err
		}
		found = append(found, out.Data...)
		page := out.Pagination
		switch {
		case len(found) > most || page.Total > most:
			return nil, integrations.Errorf(integrations.Unavailable, op, "more than %d match", most)
		case page.Next == "" && len(found) < page.Total:
			return nil, integrations.Errorf(integrations.Unavailable, op, "SentinelOne has %d that match, and returns %d", page.Total, len(found))
		case page.Next == "":
			return found, nil
		case seen[page.Next]:
			return nil, integrations.Errorf(integrations.Unavailable, op, "SentinelOne returns one page again and again")
		}
		seen[page.Next] = true
		asked.Set("cursor", page.Next)
	}
}

// filter names the devices of a write. It is made from one device, so that it cannot be
// empty, nor hold two: the console acts on everything that a filter matches.
type filter struct {
	IDs []string `json:"ids"`
}

func filterOf(a agentID) filter { return filter{IDs: []string{a.digits}} }

// affected is how many devices a write was about.
type affected struct {
	Affected *int `json:"affected"`
}

// act makes a write about one device.
func (c *Client) act(ctx context.Context, op, path string, body any) error {
	out, err := ask[affected](ctx, c, call{op: op, method: http.MethodPost, path: path, body: body, write: true})
	if err != nil {
		return err
	}
	return one(op, out.Data.Affected)
}

// one checks that a write was about the one device that was meant.
func one(op string, n *int) error {
	switch {
	case n == nil:
		return integrations.Errorf(integrations.Ambiguous, op, "SentinelOne does not say how many devices were affected")
	case *n != 1:
		return integrations.Errorf(integrations.Ambiguous, op, "%d devices were affected, 1 was meant", *n)
	}
	return nil
}
