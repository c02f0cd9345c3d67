package crowdstrike

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

const (
	// searchWithin bounds a search.
	searchWithin = 2 * time.Minute
	// Falcon says when to look at a search again. A search that nobody looks at for 90 s
	// is ended.
	soonest, latest = 50 * time.Millisecond, 15 * time.Second
)

// job is a search to start.
type job struct {
	Query string `json:"queryString"`
	// Start and End bound the time at which events reached the cloud, in milliseconds
	// since 1970.
	Start string `json:"start"`
	End   string `json:"end"`
	Live  bool   `json:"isLive"`
}

// row is an event, or what a query makes of some: every value is a text.
type row map[string]text

// text is a value as text, also where it is a number.
type text string

// UnmarshalJSON implements [json.Unmarshaler].
func (t *text) UnmarshalJSON(data []byte) error {
	raw := string(data)
	if strings.HasPrefix(raw, `"`) {
		unquoted, err := unquote(data)
		*t = text(unquoted)
		return err
	}
	if raw != "null" {
		*t = text(raw)
	}
	return nil
}

// results are what a search has found so far.
type results struct {
	Done      bool  `json:"done"`
	Cancelled bool  `json:"cancelled"`
	Events    []row `json:"events"`
	Meta      struct {
		PollAfter int64  `json:"pollAfter"` // milliseconds
		Processed int64  `json:"processedEvents"`
		Warning   text   `json:"warning"`
		Warnings  []text `json:"warnings"`
		Extra     struct {
			More text `json:"hasMoreEvents"`
		} `json:"extraData"`
	} `json:"metaData"`
}

// partial is why the results are known not to be all; empty where they may be. Of
// warnings only those count that say so: others are advice to whoever wrote the query.
func (r results) partial() string {
	if r.Meta.Extra.More == "true" {
		return "there are more"
	}
	for _, w := range append(r.Meta.Warnings, r.Meta.Warning) {
		lower := strings.ToLower(string(w))
		for _, word := range []string{"partial", "incomplete", "limit", "exceed"} {
			if strings.Contains(lower, word) {
				return "it says " + strconv.Quote(httpx.Line(string(w)))
			}
		}
	}
	return ""
}

func (f *Falcon) jobsPath() string {
	return "/humio/api/v1/repositories/" + url.PathEscape(f.config.Repository) + "/queryjobs"
}

// search runs a query in the sensors' events to its end, within one call. The search is
// ended at Falcon in any case.
func (f *Falcon) search(ctx context.Context, op string, j job) (results, error) {
	ctx, cancel := context.WithTimeout(ctx, searchWithin)
	defer cancel()
	var started struct {
		ID string `json:"id"`
	}
	c := call{op: op, method: http.MethodPost, path: f.jobsPath(), body: j}
	a, err := f.send(ctx, c, &started)
	switch err = refused(c, a, err); {
	case err != nil && integrations.KindOf(err) == integrations.NotFound:
		// That is not said of a device.
		return results{}, integrations.Errorf(integrations.Invalid, op, "Falcon has no repository %q for searches", f.config.Repository)
	case err != nil:
		return results{}, err
	}
	if !handle(started.ID) {
		return results{}, integrations.Errorf(integrations.Unavailable, op, "Falcon started a search without an id")
	}
	path := f.jobsPath() + "/" + started.ID
	// Nobody has to wait for that.
	defer f.ending.Go(func() { f.tidy(ctx, call{op: op, method: http.MethodDelete, path: path}) })
	for {
		var r results
		c := call{op: op, method: http.MethodGet, path: path, members: []string{"done"}}
		a, err := f.send(ctx, c, &r)
		switch {
		case err != nil && integrations.KindOf(err) == integrations.NotFound:
			return r, integrations.Errorf(integrations.Unavailable, op, "Falcon has ended the search before its time")
		case err != nil:
			return r, refused(c, a, err)
		case r.Cancelled:
			return r, integrations.Errorf(integrations.Unavailable, op, "Falcon has cancelled the search")
		case r.Done:
			return r, nil
		}
		if err := httpx.Pause(ctx, op, "Falcon", min(max(time.Duration(r.Meta.PollAfter)*time.Millisecond, soonest), latest)); err != nil {
			return r, err
		}
	}
}
