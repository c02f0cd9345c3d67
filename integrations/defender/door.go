package defender

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/entra"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

const (
	// maxPages bounds a list, whatever its links say.
	maxPages = 200
	// fullPage is how many entries Microsoft returns at most at once.
	fullPage = 10_000
)

// door is one of Microsoft's APIs.
type door struct {
	client *httpx.Client
	origin string
	tokens *httpx.Tokens
}

// call is one request. Op names it in errors, limit the class of calls that it counts as,
// and write says that it changes something.
type call struct {
	op, method, path string
	limit            string
	write            bool
	// members are those of which the answer has one; see [httpx.Request].
	members []string
}

// ask makes the call with in as its body, unless that is nil, and reads the answer into out,
// unless that is nil.
func (d door) ask(ctx context.Context, c call, in, out any) (httpx.Answer, error) {
	a, err := d.client.JSON(ctx, httpx.Request{
		Op: c.op, Method: c.method, URL: d.origin + c.path, Tokens: d.tokens, Write: c.write, Limit: c.limit, Kind: kindOf(c), Members: c.members,
	}, in, out)
	return a, refused(a, err)
}

// kindOf names the call that a request is one of, as the documents have a page for each.
func kindOf(c call) string {
	path, _, _ := strings.Cut(c.path, "?")
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	if len(parts) > 2 {
		if name, _, function := strings.Cut(parts[2], "("); function {
			parts[2] = name
		} else {
			parts[2] = "{id}"
		}
	}
	return c.method + " " + strings.Join(parts, "/")
}

// get reads what is at a path, an object with one of the members.
func (d door) get(ctx context.Context, op, path string, out any, members ...string) error {
	_, err := d.ask(ctx, call{op: op, method: http.MethodGet, path: path, members: members}, nil, out)
	return err
}

// refused adds to a refusal what its body says: the code, the text, and the id by which
// Microsoft finds the request again.
func refused(a httpx.Answer, err error) error {
	e, ok := errors.AsType[*integrations.Error](err)
	if !ok || a.Status < 400 {
		return err
	}
	var body struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
			Target  string `json:"target"`
			Inner   struct {
				Request string `json:"request-id"`
			} `json:"innerError"`
		} `json:"error"`
	}
	said, more := &body.Error, *e
	if httpx.Decode(a.Body, &body) != nil || said.Code == "" {
		if e.Kind == integrations.NotFound {
			// A device that is not found is named in a body: this is another server.
			more.Kind = integrations.Unavailable
			more.Err = fmt.Errorf("%w, and not Defender's answer: check the address", e.Err)
		}
		return &more
	}
	more.Err = fmt.Errorf("%w: %s: %s", e.Err, httpx.Quote(said.Code), httpx.Quote(said.Message))
	for _, id := range []string{said.Target, said.Inner.Request} {
		if entra.IsID(id) {
			more.Err = fmt.Errorf("%w (request %s)", more.Err, id)
		}
	}
	// The documents give the code for live response, and the text for a release.
	if a.Status == http.StatusBadRequest &&
		(said.Code == "ActiveRequestAlreadyExists" || strings.Contains(strings.ToLower(said.Message), "already in progress")) {
		more.Kind = integrations.Conflict
	}
	return &more
}

// list reads all entries of a list, of which there may be at most this many: more are an
// error, and never left out.
func list[T any](ctx context.Context, d door, op, path string, most int) ([]T, error) {
	var all []T
	seen := map[string]bool{}
	for next := path; next != ""; {
		if seen[next] || len(seen) == maxPages {
			return nil, integrations.Errorf(integrations.Unavailable, op, "the list does not end")
		}
		seen[next] = true
		var page struct {
			Value []T    `json:"value"`
			Next  string `json:"@odata.nextLink"`
		}
		if err := d.get(ctx, op, next, &page, "value"); err != nil {
			return nil, err
		}
		all = append(all, page.Value...)
		if len(all) > most {
			return nil, integrations.Errorf(integrations.Invalid, op, "there are more than %d", most)
		}
		if page.Next == "" && len(page.Value) >= fullPage {
			return nil, integrations.Errorf(integrations.Unavailable, op, "a page of %d has no next one: the list may be cut", len(page.Value))
		}
		following, err := sameList(path, page.Next)
		if err != nil {
			return nil, integrations.Errorf(integrations.Unavailable, op, "%w", err)
		}
		next = following
	}
	return all, nil
}

// sameList is the path of a list's next page; empty where there is none. The page is asked
// for where the first was, so that the token goes nowhere else: Defender's addresses have
// several names, and its documents show links with another than was asked.
func sameList(path, link string) (string, error) {
	if link == "" {
		return "", nil
	}
	first, err := url.Parse(path)
	if err != nil {
		return "", fmt.Errorf("invalid path of a list")
	}
	next, err := url.Parse(link)
	if err != nil || !strings.HasSuffix(next.Path, first.Path) || next.RawQuery == "" {
		return "", fmt.Errorf("the next page is another list")
	}
	return first.Path + "?" + next.RawQuery, nil
}

// query is a path with parameters, in the encoding that OData reads: a blank is %20.
func query(path string, parameters ...string) string {
	parts := make([]string, 0, len(parameters)/2)
	for i := 0; i+1 < len(parameters); i += 2 {
		parts = append(parts, parameters[i]+"="+strings.ReplaceAll(url.QueryEscape(parameters[i+1]), "+", "%20"))
	}
	return path + "?" + strings.Join(parts, "&")
}
