package wazuh

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

const (
	// maxHits is how many alerts are asked for at once.
	maxHits = 1000
	// maxLooks bounds the pages of alerts in which something is looked for.
	maxLooks = 10
)

// indexer is the search engine in which alerts are.
type indexer struct {
	client *httpx.Client
	origin string
	index  string
	login  integrations.Secret
}

// clause is a part of a search, as the engine's language has it. Searches are made of
// the names of fields in this package, and of values that were checked: ids, addresses,
// numbers and times. No text of an alert is ever in one.
type clause map[string]any

func term(field, value string) clause        { return clause{"term": clause{field: value}} }
func terms(field string, of []string) clause { return clause{"terms": clause{field: of}} }

// received are the alerts that the manager raised in [from, to].
func received(from, to time.Time) clause {
	return clause{"range": clause{"timestamp": clause{"gte": stamp(from), "lte": stamp(to), "format": "strict_date_optional_time"}}}
}

// stamp is a time in the engine's form, in its unit of a millisecond.
func stamp(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }

// alert is one as the index has it.
type alert struct {
	ID     string `json:"_id"`
	Source struct {
		Timestamp moment `json:"timestamp"`
		Agent     struct {
			ID text `json:"id"`
		} `json:"agent"`
		Decoder struct {
			Name   text `json:"name"`
			Parent text `json:"parent"`
		} `json:"decoder"`
		Data struct {
			Win struct {
				System fields `json:"system"`
				Event  fields `json:"eventdata"`
			} `json:"win"`
			Stanch fields `json:"stanch"`
		} `json:"data"`
	} `json:"_source"`
}

// search returns the newest alerts of one agent that match all clauses, at most size of
// them. That the agent is the one that is meant is judged here, too.
func (x indexer) search(ctx context.Context, op string, id agentID, size int, all ...clause) ([]alert, error) {
	in := clause{
		"size": size, "sort": []clause{{"timestamp": clause{"order": "desc"}}},
		"query":   clause{"bool": clause{"filter": append([]clause{term("agent.id", string(id))}, all...)}},
		"_source": []string{"timestamp", "agent.id", "decoder.name", "decoder.parent", "data.win.system", "data.win.eventdata", "data.stanch"},
	}
	var out struct {
		TimedOut bool `json:"timed_out"`
		Shards   struct {
			Failed int `json:"failed"`
		} `json:"_shards"`
		Hits struct {
			Hits []alert `json:"hits"`
		} `json:"hits"`
	}
	r := httpx.Request{
		Op: op, Method: http.MethodPost, URL: x.origin + "/" + x.index + "/_search?allow_no_indices=true&ignore_unavailable=true",
		Header: http.Header{"Authorization": {x.login.Reveal()}}, Members: []string{"hits"},
	}
	a, err := x.client.JSON(ctx, r, in, &out)
	if err != nil {
		return nil, unsearched(a, err)
	}
	if out.TimedOut || out.Shards.Failed > 0 {
		return nil, integrations.Errorf(integrations.Unavailable, op, "the indexer answered in part: %d shards failed", out.Shards.Failed)
	}
	return slices.DeleteFunc(out.Hits.Hits, func(h alert) bool { return string(h.Source.Agent.ID) != string(id) }), nil
}

// unsearched adds to a refusal of the indexer what its body says. That an index is not there
// says nothing of a device.
func unsearched(a httpx.Answer, err error) error {
	e, ok := errors.AsType[*integrations.Error](err)
	if !ok || a.Status < 400 {
		return err
	}
	more := *e
	var body struct {
		Error json.RawMessage `json:"error"`
	}
	var said struct {
		Type   string `json:"type"`
		Reason string `json:"reason"`
	}
	if httpx.Decode(a.Body, &body) == nil && json.Unmarshal(body.Error, &said) == nil && said.Type != "" {
		more.Err = fmt.Errorf("%w: %s: %s", e.Err, httpx.Quote(said.Type), httpx.Quote(said.Reason))
	}
	if e.Kind == integrations.NotFound || e.Kind == integrations.Conflict {
		more.Kind = integrations.Unavailable
	}
	return &more
}

// The times by which an event and its alert can differ: an agent that the manager does not
// hear keeps events until it does, and a machine's clock may be ahead.
const (
	clocksDiffer  = 5 * time.Minute
	comesLate     = time.Hour
	alertsKept    = 90 * 24 * time.Hour
	eventsRelated = 30 * 24 * time.Hour
)

// seen are events of a kind on an agent, the newest first, whose own time is in [from, to).
// It looks through the alerts from the newest on until there are limit of them, and none
// that comes later in the index can be newer.
func (x indexer) seen(ctx context.Context, op string, id agentID, q window, keep func(alert) (time.Time, bool), all ...clause) ([]alert, error) {
	var found []sighted
	known := map[string]bool{}
	to := q.To.Add(comesLate)
	if latest := q.now.Add(clocksDiffer); to.After(latest) {
		to = latest
	}
	from := q.From.Add(-clocksDiffer)
	for range maxLooks {
		page, err := x.search(ctx, op, id, maxHits, append(slices.Clone(all), received(from, to))...)
		if err != nil {
			return nil, err
		}
		fresh := 0
		for _, a := range page {
			if known[a.ID] {
				continue
			}
			known[a.ID] = true
			fresh++
			if at, ok := keep(a); ok && !at.Before(q.From) && at.Before(q.To) {
				found = append(found, sighted{a, at})
			}
		}
		slices.SortStableFunc(found, func(a, b sighted) int { return b.at.Compare(a.at) })
		if len(page) < maxHits {
			return alertsOf(found, q.Limit), nil
		}
		oldest := page[len(page)-1].Source.Timestamp.Time
		if len(found) >= q.Limit && found[q.Limit-1].at.After(oldest.Add(clocksDiffer)) {
			return alertsOf(found, q.Limit), nil
		}
		if fresh == 0 || oldest.IsZero() {
			break
		}
		// Alerts of the oldest millisecond may have been cut: they are asked for again.
		to = oldest
	}
	return nil, integrations.Errorf(integrations.Unavailable, op, "the agent has more alerts than are looked through")
}

type sighted struct {
	alert
	at time.Time
}

func alertsOf(found []sighted, limit int) []alert {
	out := make([]alert, 0, min(len(found), limit))
	for _, s := range found[:min(len(found), limit)] {
		out = append(out, s.alert)
	}
	return out
}

// window is the time of a query's events, and how many are wanted.
type window struct {
	From, To time.Time
	Limit    int
	now      time.Time
}

// window checks the time and the limit of a query.
func (c *Client) window(op string, from, to time.Time, limit int) (window, error) {
	if limit <= 0 || !from.Before(to) {
		return window{}, integrations.Errorf(integrations.Invalid, op, "the query has no time or no limit")
	}
	return window{from, to, limit, c.now()}, nil
}
