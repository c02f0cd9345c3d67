package elastic

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

// searcher is where events are searched.
type searcher struct {
	client  *httpx.Client
	base    string // its address, without a slash at the end
	key     integrations.Secret
	timeout time.Duration
}

// search makes one search of all the indices. One of them that is not there is an error,
// unless they may be missing. A partial answer is an error, too.
func (c searcher) search(ctx context.Context, op string, indices []string, missing bool, r request) ([]row, error) {
	r.Timeout = millis(c.timeout)
	in := url.Values{
		"allow_no_indices": {strconv.FormatBool(missing)}, "ignore_unavailable": {strconv.FormatBool(missing)}, "allow_partial_search_results": {"false"},
	}
	h := http.Header{}
	if c.key != "" {
		h.Set("Authorization", "ApiKey "+c.key.Reveal())
	}
	var out response
	a, err := c.client.JSON(ctx, httpx.Request{
		Op: op, Method: http.MethodPost, URL: c.base + "/" + strings.Join(indices, ",") + "/_search?" + in.Encode(), Header: h, Members: []string{"hits"},
	}, r, &out)
	if err != nil {
		if integrations.KindOf(err) == integrations.NotFound {
			// An index, and not the device that is asked about.
			return nil, integrations.Errorf(integrations.Unavailable, op, "%s: there is no such index or no such cluster: %w", strings.Join(indices, ", "), err)
		}
		return nil, refused(op, a, err)
	}
	if err := out.whole(op, c.timeout, 0); err != nil {
		return nil, err
	}
	rows := make([]row, 0, len(out.Hits.Hits))
	for _, h := range out.Hits.Hits {
		rows = append(rows, row(h))
	}
	return rows, nil
}

// row is one event.
type row hit

// texts are the values of a field as text.
func (r row) texts(name string) []string {
	var all []string
	for _, raw := range r.Fields[name] {
		var s string
		if json.Unmarshal(raw, &s) != nil {
			s = strings.TrimSpace(string(raw))
		}
		if s != "" && s != "null" {
			all = append(all, s)
		}
	}
	return all
}

// text is the first value of a field; empty where it has none.
func (r row) text(name string) string {
	if all := r.texts(name); len(all) > 0 {
		return all[0]
	}
	return ""
}

// number is a field's whole number.
func (r row) number(name string) (int64, bool) {
	n, err := strconv.ParseInt(r.text(name), 10, 64)
	return n, err == nil
}

// at is when the event happened, to the millisecond, by the clock of who recorded it.
func (r row) at() time.Time {
	text := r.text(timeField)
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.UnixMilli(ms).UTC()
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}

// newest is a search for the newest of the documents that fit all queries.
func newest(size int, names []string, queries ...query) request {
	r := request{Size: size, Query: allOf(queries...), Sort: []map[string]order{{timeField: {Order: "desc"}}}}
	for _, name := range names {
		r.Fields = append(r.Fields, field{Field: name})
	}
	r.Fields = append(r.Fields, field{Field: timeField, Format: "epoch_millis"})
	return r
}

func term(name string, value any) query { return query{Term: map[string]any{name: value}} }

// oneOf selects documents with one of the values.
func oneOf[T string | int | int64](name string, values []T) query {
	return query{Terms: map[string]any{name: values}}
}

// likeName selects documents whose field is the name, in any case.
func likeName(name, value string) query {
	return term(name, map[string]any{"value": value, "case_insensitive": true})
}
