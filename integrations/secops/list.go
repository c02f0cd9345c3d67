package secops

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	// longestWait bounds what the API may ask for.
	longestWait = 10 * time.Minute
	opList      = "list detections of Google SecOps"
)

// errTooMany is a part of the time with more pages than are asked for.
var errTooMany = errors.New("there are more detections than are listed at once")

// errTruncated is a page that the API has cut by its size: what it has cut off is on no other
// page. [errTooLarge] is one of a single detection.
var (
	errTruncated = errors.New("the API has cut a page by its size")
	errTooLarge  = errors.New("a detection is too large for the API to list, and was left out")
)

// page is a part of an answer.
type page struct {
	Detections []json.RawMessage `json:"detections"`
	Next       string            `json:"nextPageToken"`
	Truncated  bool              `json:"respTooLargeDetectionsTruncated"`
	Error      json.RawMessage   `json:"error"`
	// at is the time of the answer by the product's clock; zero is not known.
	at time.Time
}

// list asks for a page of the detections that were created in a part of the time. Where the
// API asks to wait, it waits, and asks for the same page.
func (p *puller) list(ctx context.Context, from, to time.Time, token string, size int) (page, error) {
	query := url.Values{
		"ruleId": {p.config.rule()}, "listBasis": {"CREATED_TIME"}, "pageSize": {strconv.Itoa(size)},
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
		err = told(answer, err)
		if e, ok := errors.AsType[*integrations.Error](err); ok && e.Kind == integrations.Throttled {
			p.note(time.Time{}, err)
			if err := httpx.Pause(ctx, opList, "Google SecOps", cmp.Or(e.After, p.impatient)); err != nil {
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

// told adds to a refusal what its body says: the reason, and how long to wait. Google says the
// latter in the details of its errors.
//
// https://google.aip.dev/193
func told(a httpx.Answer, err error) error {
	e, ok := errors.AsType[*integrations.Error](err)
	if !ok || a.Status < 400 {
		return err
	}
	var body struct {
		Error struct {
			Status  string `json:"status"`
			Message string `json:"message"`
			Details []struct {
				Delay string `json:"retryDelay"`
			} `json:"details"`
		} `json:"error"`
	}
	if httpx.Decode(a.Body, &body) != nil || body.Error.Status == "" {
		return err
	}
	more := *e
	more.Err = fmt.Errorf("%w: %s: %s", e.Err, httpx.Quote(body.Error.Status), httpx.Quote(body.Error.Message))
	for _, d := range body.Error.Details {
		if delay, err := time.ParseDuration(d.Delay); err == nil && delay > 0 && e.Kind == integrations.Throttled {
			more.After = max(more.After, min(delay, longestWait))
		}
	}
	return &more
}
