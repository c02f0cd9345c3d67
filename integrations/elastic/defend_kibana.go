package elastic

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
	// apiVersion is the version of the API that the requests are written for.
	apiVersion = "2023-10-31"
	// fullPage is how many entries are asked for at once, the most that the newest
	// description of the API allows.
	fullPage = 100
)

// kibana is the API of one Kibana, in one space.
type kibana struct {
	client *httpx.Client
	base   string
	key    integrations.Secret
}

// call is one request. Op names it in errors; write says that it changes something.
type call struct {
	op, method, path string
	query            url.Values
	write            bool
	// members are those of which the answer has one; see [httpx.Request].
	members []string
}

// ask makes the call with in as its body, unless that is nil, and reads the answer into out,
// unless that is nil.
func (k kibana) ask(ctx context.Context, c call, in, out any) (httpx.Answer, error) {
	at := k.base + c.path
	if len(c.query) > 0 {
		at += "?" + c.query.Encode()
	}
	a, err := k.client.JSON(ctx, httpx.Request{Op: c.op, Method: c.method, URL: at, Write: c.write, Members: c.members, Header: http.Header{
		"Authorization": {"ApiKey " + k.key.Reveal()}, "Kbn-Xsrf": {"true"}, "Elastic-Api-Version": {apiVersion},
	}}, in, out)
	return a, refusedByKibana(a, err)
}

func (k kibana) get(ctx context.Context, op, path string, q url.Values, out any, members ...string) error {
	_, err := k.ask(ctx, call{op: op, method: http.MethodGet, path: path, query: q, members: members}, nil, out)
	return err
}

// refusedByKibana adds what the body of a refusal says. A 404 that Kibana has not written
// is that of another server, and no statement about a device.
func refusedByKibana(a httpx.Answer, err error) error {
	e, ok := errors.AsType[*integrations.Error](err)
	if !ok || a.Status < 400 {
		return err
	}
	more := *e
	var said struct {
		Status  int    `json:"statusCode"`
		Message string `json:"message"`
	}
	if httpx.Decode(a.Body, &said) != nil || said.Status == 0 && said.Message == "" {
		if e.Kind == integrations.NotFound {
			more.Kind = integrations.Unavailable
			more.Err = fmt.Errorf("%w, and not Kibana's answer: check url and space", e.Err)
		}
		return &more
	}
	more.Err = fmt.Errorf("%w: %s", e.Err, httpx.Quote(said.Message))
	return &more
}

// list reads all entries of a list, of which there may be at most this many: more are an
// error, and never left out. The first page is that of a request without a number: that the
// pages of devices begin at 0, those of actions at 1, and what the newest description says,
// differ. The next is the one after that which the answer names.
func list[T any](ctx context.Context, k kibana, op, path string, q url.Values, most int) ([]T, error) {
	var all []T
	q.Set("pageSize", strconv.Itoa(fullPage))
	q.Del("page")
	for {
		var page struct {
			Data  []T  `json:"data"`
			Page  *int `json:"page"`
			Total *int `json:"total"`
		}
		if err := k.get(ctx, op, path, q, &page, "data"); err != nil {
			if integrations.KindOf(err) == integrations.NotFound {
				return nil, integrations.Errorf(integrations.Unavailable, op, "a list cannot be missing: check url and space: %w", err)
			}
			return nil, err
		}
		all = append(all, page.Data...)
		switch {
		case page.Total == nil && len(page.Data) >= fullPage || page.Total != nil && *page.Total > len(all) && (len(page.Data) == 0 || page.Page == nil):
			return nil, integrations.Errorf(integrations.Unavailable, op, "the list has more entries, and does not say where")
		case len(all) > most || page.Total != nil && *page.Total > most:
			return nil, integrations.Errorf(integrations.Invalid, op, "there are more than %d", most)
		case page.Total == nil || len(all) >= *page.Total:
			return all, nil
		}
		q.Set("page", strconv.Itoa(*page.Page+1))
	}
}
