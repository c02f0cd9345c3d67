package defendfake

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
)

func badQuery(format string, args ...any) *refusal {
	return elasticError(http.StatusBadRequest, "parsing_exception", format, args...)
}

func (d *Double) readSearch(in map[string]any) (*search, *refusal) {
	s := &search{size: 10, count: d.o.CountedHits, match: func(document) bool { return true }, source: func(string) bool { return true }}
	for key, v := range in {
		var refused *refusal
		switch key {
		case "query":
			s.match, s.bound, refused = d.parseQuery(v)
		case "size":
			s.size, refused = whole(key, v)
		case "terminate_after":
			s.most, refused = whole(key, v)
		case "from":
			s.from, refused = whole(key, v)
		case "sort":
			refused = s.readSorts(v)
		case "search_after":
			list, ok := v.([]any)
			if !ok {
				refused = badQuery("Unknown key for a VALUE_STRING in [search_after].")
			}
			s.after = list
		case "track_total_hits":
			refused = s.readCount(v)
		case "fields":
			refused = s.readFields(v)
		case "_source":
			refused = s.readSource(v)
		case "pit":
			o, _ := v.(map[string]any)
			if s.pit = text(o["id"]); s.pit == "" {
				refused = badQuery("Required [id]")
			}
		case "collapse":
			o, _ := v.(map[string]any)
			if s.collapse = text(o["field"]); s.collapse == "" || len(o) != 1 {
				refused = badQuery("[collapse] must be provided with a [field]")
			}
		case "timeout":
			if text(v) == "" {
				refused = badQuery("failed to parse setting [timeout] with value [%v]", v)
			}
		default:
			refused = badQuery("unknown key [%s] for a value in the search", key)
		}
		if refused != nil {
			return nil, refused
		}
	}
	return s, d.finishSearch(s)
}

// finishSearch checks what depends on more than one key.
func (d *Double) finishSearch(s *search) *refusal {
	if s.from+s.size > d.o.ResultWindow {
		return elasticError(http.StatusBadRequest, "illegal_argument_exception", "Result window is too large, from + size must be less than or equal to: [%d] but was [%d].", d.o.ResultWindow, s.from+s.size)
	}
	if s.pit != "" {
		s.sortsInBody = true
		s.sorts = append(s.sorts, sorting{field: "_shard_doc"})
	}
	if s.after == nil {
		return nil
	}
	switch {
	case len(s.sorts) == 0:
		return elasticError(http.StatusBadRequest, "illegal_argument_exception", "Sort must contain at least one field.")
	case s.from > 0:
		return elasticError(http.StatusBadRequest, "action_request_validation_exception", "Validation Failed: 1: `from` parameter must be set to 0 when `search_after` is used;")
	case len(s.after) != len(s.sorts) && (s.pit == "" || len(s.after) != len(s.sorts)-1):
		return elasticError(http.StatusBadRequest, "illegal_argument_exception", "search_after has %d value(s) but sort has %d.", len(s.after), len(s.sorts))
	}
	return nil
}

func whole(key string, v any) (int, *refusal) {
	n, ok := v.(json.Number)
	i, err := strconv.Atoi(n.String())
	if !ok || err != nil {
		return 0, badQuery("Failed to parse [%s]: [%v] is no integer", key, v)
	}
	if i < 0 {
		return 0, elasticError(http.StatusBadRequest, "illegal_argument_exception", "[%s] parameter cannot be negative, found [%d]", key, i)
	}
	return i, nil
}

func (s *search) readCount(v any) *refusal {
	switch v := v.(type) {
	case bool:
		s.count = -1
		if v {
			s.count = 1 << 31
		}
		return nil
	case json.Number:
		n, refused := whole("track_total_hits", v)
		s.count = n
		return refused
	}
	return badQuery("[track_total_hits] is neither a number nor a boolean")
}

func (s *search) readSorts(v any) *refusal {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	s.sortsInBody = true
	for _, e := range list {
		by := sorting{}
		switch e := e.(type) {
		case string:
			by.field = e
		case map[string]any:
			if len(e) != 1 {
				return badQuery("[sort] malformed: one field in each entry")
			}
			for field, how := range e {
				by.field = field
				if refused := by.read(how); refused != nil {
					return refused
				}
			}
		default:
			return badQuery("malformed sort format, within the sort array, an object, or an actual string are allowed")
		}
		s.sorts = append(s.sorts, by)
	}
	return nil
}

func (by *sorting) read(how any) *refusal {
	if order, ok := how.(string); ok {
		how = map[string]any{"order": order}
	}
	options, ok := how.(map[string]any)
	if !ok {
		return badQuery("malformed sort of [%s]", by.field)
	}
	for key, v := range options {
		switch {
		case key == "order" && (v == "asc" || v == "desc"):
			by.descending = v == "desc"
		case key == "missing" && (v == "_first" || v == "_last"):
			by.missingFirst = v == "_first"
		case key == "format" && text(v) != "":
			by.format = text(v)
		case key == "unmapped_type" && text(v) != "":
			by.unmapped = true
		default:
			return badQuery("[field_sort] unknown field [%s] with the value [%v]", key, v)
		}
	}
	return nil
}

func (s *search) readFields(v any) *refusal {
	list, ok := v.([]any)
	if !ok {
		return badQuery("[fields] is no list")
	}
	for _, e := range list {
		want := wantedField{}
		switch e := e.(type) {
		case string:
			want.field = e
		case map[string]any:
			want.field, want.format = text(e["field"]), text(e["format"])
		}
		if want.field == "" {
			return badQuery("[fields] has an entry without [field]")
		}
		s.fields = append(s.fields, want)
	}
	return nil
}

// readSource reads which part of a document is wanted.
func (s *search) readSource(v any) *refusal {
	var includes, excludes []any
	switch v := v.(type) {
	case bool:
		if !v {
			s.source = nil
		}
		return nil
	case string:
		includes = []any{v}
	case []any:
		includes = v
	case map[string]any:
		includes, _ = v["includes"].([]any)
		excludes, _ = v["excludes"].([]any)
	default:
		return badQuery("[_source] is no boolean, text, list or object")
	}
	among := func(list []any, field string) bool {
		return slices.ContainsFunc(list, func(p any) bool {
			return matchesPattern(text(p), field) || matchesPattern(text(p)+".*", field)
		})
	}
	s.source = func(field string) bool {
		return (len(includes) == 0 || among(includes, field)) && !among(excludes, field)
	}
	return nil
}

// openPIT keeps indices for a search in pages.
func (d *Double) openPIT(by Credential, index string, r *http.Request) (any, *refusal) {
	if r.URL.Query().Get("keep_alive") == "" {
		return nil, elasticError(http.StatusBadRequest, "action_request_validation_exception", "Validation Failed: 1: [keep_alive] is not specified;")
	}
	if _, refused := d.resolve(by, index, r.URL.Query()); refused != nil {
		return nil, refused
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	id := uuid("pit", strconv.Itoa(len(d.pits)), index)
	d.pits[id] = index
	return map[string]any{"id": id, "_shards": parts{total: 1}.body()}, nil
}

func (d *Double) closePIT(r *http.Request) (any, *refusal) {
	var in struct{ ID string }
	if refused := decodeStrict(r, &in); refused != nil {
		return nil, refused
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, open := d.pits[in.ID]; !open {
		return nil, elasticError(http.StatusNotFound, "search_context_missing_exception", "No search context found for id [%s]", in.ID)
	}
	delete(d.pits, in.ID)
	return map[string]any{"succeeded": true, "num_freed": 1}, nil
}
