package secops

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

const (
	// pageSize is how many detections are asked for at once: each has up to ten events.
	pageSize = 100
	// maxPages bounds the pages of one part of the time, which is halved where there are
	// more.
	maxPages = 200
	// impatient is how long is waited where the API asks to wait and does not say how long.
	impatient = 10 * time.Second
	opList    = "list detections of Google SecOps"
)

// errTooMany is a part of the time with more pages than are asked for.
var errTooMany = errors.New("there are more detections than are listed at once")

// page is a part of an answer.
type page struct {
	Detections []json.RawMessage `json:"detections"`
	Next       string            `json:"nextPageToken"`
	Error      json.RawMessage   `json:"error"`
	// at is the time of the answer by the product's clock; zero is not known.
	at time.Time
}

// list asks for a page of the detections that were created in a part of the time. Where the
// API asks to wait, it waits, and asks for the same page.
func (p *puller) list(ctx context.Context, from, to time.Time, token string, size int) (page, error) {
	query := url.Values{
		"ruleId": {p.config.Rule}, "listBasis": {"CREATED_TIME"}, "pageSize": {strconv.Itoa(size)},
		"startTime": {from.UTC().Format(time.RFC3339Nano)}, "endTime": {to.UTC().Format(time.RFC3339Nano)},
	}
	if token != "" {
		query.Set("pageToken", token)
	}
	for {
		var got page
		answer, err := p.client.JSON(ctx, httpx.Request{
			Op: opList, Method: http.MethodGet, URL: p.base + "/legacy:legacySearchDetections?" + query.Encode(), Tokens: p.tokens,
		}, nil, &got)
		if e, ok := errors.AsType[*integrations.Error](err); ok && e.Kind == integrations.Throttled {
			p.note(time.Time{}, err)
			if err := httpx.Pause(ctx, opList, "Google SecOps", max(e.After, p.impatient)); err != nil {
				return page{}, err
			}
			continue
		}
		if err == nil && got.Error != nil {
			err = integrations.Errorf(integrations.Unavailable, opList, "the answer is an error, with HTTP status %d", answer.Status)
		}
		if err != nil {
			p.note(time.Time{}, err)
			return page{}, err
		}
		got.at, _ = http.ParseTime(answer.Header.Get("Date"))
		p.note(p.now(), nil)
		return got, nil
	}
}
