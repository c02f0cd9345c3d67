package elastic

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

// The requests are made of these types only: outside input is never more than a
// value in them.
type (
	request struct {
		Size           int                `json:"size"`
		Query          query              `json:"query"`
		Fields         []field            `json:"fields,omitempty"`
		Source         bool               `json:"_source"`
		Sort           []map[string]order `json:"sort,omitempty"`
		Aggs           map[string]agg     `json:"aggs,omitempty"`
		TrackTotalHits int                `json:"track_total_hits"`
		Collapse       *field             `json:"collapse,omitempty"`
		Timeout        string             `json:"timeout"`
		TerminateAfter int64              `json:"terminate_after,omitempty"`
	}
	order struct {
		Order string `json:"order"`
		// Missing is where documents without the field are sorted.
		Missing string `json:"missing,omitempty"`
		// Unmapped is the type of the field where an index has no mapping for it.
		Unmapped string `json:"unmapped_type,omitempty"`
	}
	field struct {
		Field  string `json:"field"`
		Format string `json:"format,omitempty"`
	}
	query struct {
		Bool   *boolean         `json:"bool,omitempty"`
		Term   map[string]any   `json:"term,omitempty"`
		Terms  map[string]any   `json:"terms,omitempty"`
		Prefix map[string]any   `json:"prefix,omitempty"`
		Range  map[string]limit `json:"range,omitempty"`
		Exists *field           `json:"exists,omitempty"`
	}
	boolean struct {
		Filter  []query `json:"filter,omitempty"`
		Should  []query `json:"should,omitempty"`
		MustNot []query `json:"must_not,omitempty"`
		Minimum int     `json:"minimum_should_match,omitempty"`
	}
	limit struct {
		From   *int64 `json:"gte,omitempty"`
		Above  *int64 `json:"gt,omitempty"`
		To     *int64 `json:"lt,omitempty"`
		Format string `json:"format,omitempty"`
	}
	agg struct {
		Composite *composite     `json:"composite,omitempty"`
		Terms     *terms         `json:"terms,omitempty"`
		Sum       *field         `json:"sum,omitempty"`
		Min       *field         `json:"min,omitempty"`
		Max       *field         `json:"max,omitempty"`
		Filter    *query         `json:"filter,omitempty"`
		Aggs      map[string]agg `json:"aggs,omitempty"`
	}
	composite struct {
		Size    int                        `json:"size"`
		Sources []map[string]source        `json:"sources"`
		After   map[string]json.RawMessage `json:"after,omitempty"`
	}
	source struct {
		Terms     *sourceTerms     `json:"terms,omitempty"`
		Histogram *sourceHistogram `json:"date_histogram,omitempty"`
	}
	sourceTerms struct {
		Field   string `json:"field"`
		Missing bool   `json:"missing_bucket"`
	}
	sourceHistogram struct {
		Field    string `json:"field"`
		Interval string `json:"fixed_interval"`
		Offset   string `json:"offset"`
	}
	terms struct {
		Field     string            `json:"field"`
		Size      int               `json:"size"`
		ShardSize int               `json:"shard_size"`
		Order     map[string]string `json:"order"`
	}
)

func anyOf(queries ...query) query { return query{Bool: &boolean{Should: queries, Minimum: 1}} }

func allOf(queries ...query) query { return query{Bool: &boolean{Filter: queries}} }

func not(q query) query { return query{Bool: &boolean{MustNot: []query{q}}} }

// stamped selects documents by their time stamp, in [from, to); the zero time is
// no bound.
func stamped(from, to time.Time) query { return between(timeField, from, to) }

// stamped selects records by their stamp, in [from, to); the zero time is no bound.
func (l layout) stamped(from, to time.Time) query { return between(l.time, from, to) }

func between(name string, from, to time.Time) query {
	in := limit{Format: "epoch_millis"}
	if !from.IsZero() {
		first := from.UnixMilli()
		in.From = &first
	}
	if !to.IsZero() {
		last := ceilMilli(to)
		in.To = &last
	}
	return query{Range: map[string]limit{name: in}}
}

// millis is a duration as the cluster reads it.
func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) + "ms" }

func ceilMilli(t time.Time) int64 { return t.Add(time.Millisecond - 1).UnixMilli() }

func positive(name string) query {
	var zero int64
	return query{Range: map[string]limit{name: {Above: &zero}}}
}

// response is the response to a search.
type response struct {
	TimedOut        bool `json:"timed_out"`
	TerminatedEarly bool `json:"terminated_early"`
	Shards          *struct {
		Total      int `json:"total"`
		Successful int `json:"successful"`
		Failed     int `json:"failed"`
	} `json:"_shards"`
	Hits struct {
		Total struct {
			Value int64 `json:"value"`
		} `json:"total"`
		Hits []hit `json:"hits"`
	} `json:"hits"`
	Aggregations map[string]answer `json:"aggregations"`
}

// hit is a document: each field's values, however it was nested.
type hit struct {
	Fields map[string][]json.RawMessage `json:"fields"`
}

type answer struct {
	After   map[string]json.RawMessage `json:"after_key"`
	Buckets []bucket                   `json:"buckets"`
}

// bucket is a group of documents with the sums that every grouping requests.
type bucket struct {
	Key       json.RawMessage `json:"key"`
	Documents int64           `json:"doc_count"`
	Sent      number          `json:"sent"`
	Received  number          `json:"received"`
	Packets   number          `json:"packets"`
	First     number          `json:"first"`
	Last      number          `json:"last"`
	Measured  group           `json:"measured"`
	Unseen    group           `json:"unseen"`
	Uncounted group           `json:"uncounted"`
}

// empty is how many of the documents have no counts, of either end.
func (b bucket) empty() int64 { return max(0, b.Documents-b.Measured.Documents-b.Unseen.Documents) }

type group struct {
	Documents int64 `json:"doc_count"`
}

type number struct {
	Value *float64 `json:"value"`
}

// int64 is the number without a fraction; 0 if no document has one.
func (n number) int64() int64 {
	const most = 1 << 62
	if n.Value == nil {
		return 0
	}
	return int64(max(0, min(*n.Value, most)))
}

// ask makes one search. A partial answer is an error.
func (s *Store) ask(ctx context.Context, op string, r request) (response, error) {
	r.Timeout, r.TerminateAfter = millis(s.config.Timeout), s.config.Documents
	var out response
	a, err := s.client.JSON(ctx, httpx.Request{Op: op, Method: http.MethodPost, URL: s.search, Header: s.credentials()}, r, &out)
	if err != nil {
		return response{}, refused(op, a, err)
	}
	if err := out.whole(op, s.config.Timeout, s.config.Documents); err != nil {
		return response{}, err
	}
	return out, nil
}

// whole returns why an answer is not the whole one, if it is not.
func (r response) whole(op string, timeout time.Duration, documents int64) error {
	switch {
	case r.Shards == nil:
		return integrations.Errorf(integrations.Unavailable, op, "the answer is not that of a search")
	case r.TimedOut:
		return integrations.Errorf(integrations.Unavailable, op, "the search took longer than %s, and has a part of the answer only", timeout)
	case r.Shards.Failed > 0:
		return integrations.Errorf(integrations.Unavailable, op, "%d of %d shards failed", r.Shards.Failed, r.Shards.Total)
	case r.TerminatedEarly:
		return integrations.Errorf(integrations.Invalid, op, "more than %d documents in a shard would have to be visited: ask for a shorter time, or raise documents", documents)
	}
	return nil
}

func (s *Store) credentials() http.Header {
	h := http.Header{}
	switch {
	case s.config.APIKey != "":
		h.Set("Authorization", "ApiKey "+s.config.APIKey.Reveal())
	case s.config.Username != "":
		pair := s.config.Username + ":" + s.config.Password.Reveal()
		h.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
	}
	return h
}

// refused adds the cluster's own name to a refusal, and corrects the kind where
// the status alone misleads: a cluster that is short of memory may answer with a
// status of 5xx, and so may one that would need too many buckets.
func refused(op string, a httpx.Answer, err error) error {
	e, ok := errors.AsType[*integrations.Error](err)
	if !ok || a.Status == 0 || a.Status < 300 {
		return err
	}
	name := complaintOf(a.Body)
	if name == "" {
		return err
	}
	kind := e.Kind
	switch name {
	case "circuit_breaking_exception", "es_rejected_execution_exception", "rejected_execution_exception":
		kind = integrations.Throttled
	case "too_many_buckets_exception", "query_shard_exception", "parsing_exception", "illegal_argument_exception":
		kind = integrations.Invalid
	case "index_closed_exception":
		kind = integrations.Unavailable
	}
	named := integrations.Errorf(kind, op, "%s: %w", name, e.Err)
	named.After = e.After
	return named
}

// complaintOf is the type of an error, the innermost; its reason is not shown,
// for it quotes the documents.
func complaintOf(body []byte) string {
	var in struct {
		Error struct {
			Type  string `json:"type"`
			Roots []struct {
				Type string `json:"type"`
			} `json:"root_cause"`
		} `json:"error"`
	}
	if httpx.Decode(body, &in) != nil {
		return ""
	}
	name := in.Error.Type
	if len(in.Error.Roots) > 0 {
		name = in.Error.Roots[0].Type
	}
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && c != '_' {
			return ""
		}
	}
	if len(name) > 80 {
		return ""
	}
	return name
}
