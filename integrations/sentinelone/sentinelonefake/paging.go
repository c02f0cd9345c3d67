package sentinelonefake

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	defaultPage = 10
	mostPage    = 1000
	mostSkip    = 1000
)

// pagingNames are the parameters that every list takes.
func pagingNames() []string {
	return []string{"skip", "limit", "cursor", "countOnly", "skipCount", "sortBy", "sortOrder"}
}

// paging is which part of a list is asked for.
type paging struct {
	skip, limit          int
	cursor               string
	countOnly, skipCount bool
	sortBy               string
	descending           bool
}

// pagingOf reads the parameters of a page. The list can be sorted by these columns.
func pagingOf(q url.Values, columns ...string) (paging, *failure) {
	p := paging{limit: defaultPage, cursor: q.Get("cursor"), sortBy: q.Get("sortBy")}
	for name, into := range map[string]*int{"skip": &p.skip, "limit": &p.limit} {
		if text := q.Get(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil {
				return paging{}, invalid(name + ": Not a valid integer.")
			}
			*into = n
		}
	}
	if p.limit < 1 || p.limit > mostPage {
		return paging{}, invalid(fmt.Sprintf("limit: Must be between 1 and %d.", mostPage))
	}
	if p.skip < 0 || p.skip > mostSkip {
		return paging{}, invalid(fmt.Sprintf("skip: Must be between 0 and %d.", mostSkip))
	}
	for name, into := range map[string]*bool{"countOnly": &p.countOnly, "skipCount": &p.skipCount} {
		if text := q.Get(name); text != "" {
			b, err := strconv.ParseBool(strings.ToLower(text))
			if err != nil {
				return paging{}, invalid(name + ": Not a valid boolean.")
			}
			*into = b
		}
	}
	if p.sortBy != "" && !slices.Contains(columns, p.sortBy) {
		return paging{}, invalid("sortBy: Not a valid choice.")
	}
	switch q.Get("sortOrder") {
	case "", "asc":
	case "desc":
		p.descending = true
	default:
		return paging{}, invalid("sortOrder: Not a valid choice.")
	}
	return p, nil
}

// known refuses parameters that an operation does not have.
func known(q url.Values, names ...string) *failure {
	for name := range q {
		if !slices.Contains(names, name) && !slices.Contains(pagingNames(), name) {
			return invalid(name + ": Unknown field.")
		}
	}
	return nil
}

// item is a member of a list: its id, its document and what it can be sorted by.
type item struct {
	id       string
	document map[string]any
}

// list answers with a page of a list. A cursor holds the id of the last member
// that was seen, as the vendor's example of one does.
func list(o Options, p paging, items []item) (any, *failure) {
	items = slices.Clone(items)
	if p.sortBy != "" {
		slices.SortStableFunc(items, func(a, b item) int { return compareColumn(a, b, p.sortBy) })
	}
	if p.descending {
		slices.Reverse(items)
	}
	total := len(items)
	var next any
	if o.Older {
		next = ""
	}
	if p.countOnly {
		return answerList(o, nil, total, next), nil
	}
	at := min(p.skip, total)
	if p.cursor != "" {
		text, err := base64.StdEncoding.DecodeString(p.cursor)
		last, isCursor := strings.CutPrefix(string(text), "agent_id:")
		seen := slices.IndexFunc(items, func(i item) bool { return i.id == last })
		if err != nil || !isCursor || seen < 0 {
			return nil, invalid("cursor: Invalid cursor.")
		}
		at = seen + 1
	}
	size := p.limit
	if o.MaxPage > 0 {
		size = min(size, o.MaxPage)
	}
	page := items[at:min(at+size, total)]
	if at+size < total {
		next = base64.StdEncoding.EncodeToString([]byte("agent_id:" + page[len(page)-1].id))
	}
	if p.skipCount {
		total = 0
	}
	return answerList(o, page, total, next), nil
}

func compareColumn(a, b item, column string) int {
	return strings.Compare(fmt.Sprint(a.document[column]), fmt.Sprint(b.document[column]))
}

func answerList(o Options, page []item, total int, next any) any {
	documents := make([]any, 0, len(page))
	for _, i := range page {
		if o.Extra {
			i.document["undocumented"] = map[string]any{"since": "tomorrow"}
		}
		documents = append(documents, i.document)
	}
	return map[string]any{
		"data":       documents,
		"pagination": map[string]any{"totalItems": total, "nextCursor": next},
	}
}

// listOf is a list as a member of a document: null where the console writes null
// for an empty one.
func listOf[T any](o Options, values []T) any {
	if len(values) == 0 {
		if o.Nulls {
			return nil
		}
		return []T{}
	}
	return values
}
