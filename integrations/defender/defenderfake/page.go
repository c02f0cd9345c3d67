package defenderfake

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// maxPage is the documented largest page.
const maxPage = 10_000

// collection is a list that is filtered, sorted and paged.
type collection struct {
	entity     string
	properties []property
	items      []map[string]any
}

// page writes a page of a collection. Options without their $ are no options of
// OData, so that a filter without it filters nothing.
func (d *Double) page(w http.ResponseWriter, r *http.Request, c collection) *refusal {
	query := r.URL.Query()
	for name := range query {
		known := []string{"$filter", "$top", "$skip", "$orderby", "$count"}
		if strings.HasPrefix(name, "$") && !slices.Contains(known, name) {
			return odataError("The query parameter '%s' is not supported.", name)
		}
	}
	if query.Has("$filter") {
		match, refused := parseFilter(query.Get("$filter"), c.properties)
		if refused != nil {
			return refused
		}
		c.items = slices.DeleteFunc(c.items, func(e map[string]any) bool { return !match(e) })
	}
	if refused := c.sort(query.Get("$orderby")); refused != nil {
		return refused
	}
	top, refused := number(query, "$top", -1)
	if refused != nil {
		return refused
	}
	skip, refused := number(query, "$skip", 0)
	if refused != nil {
		return refused
	}
	if top > maxPage {
		return odataError("The limit of '%d' for Top query has been exceeded. The value from the incoming request is '%d'.", maxPage, top)
	}
	body := map[string]any{"@odata.context": context(c.entity)}
	if query.Get("$count") == "true" {
		body["@odata.count"] = len(c.items)
	}
	rest := c.items[min(skip, len(c.items)):]
	if top >= 0 {
		rest = rest[:min(top, len(rest))]
	}
	size := min(or(d.o.MaxPage, maxPage), len(rest))
	if size < len(rest) {
		body["@odata.nextLink"] = d.next(r, query, skip+size, top-size)
	}
	body["value"] = list(d, rest[:size])
	writeJSON(w, http.StatusOK, body)
	return nil
}

// next is the address of the next page.
func (d *Double) next(r *http.Request, query url.Values, skip, top int) string {
	query.Set("$skip", strconv.Itoa(skip))
	if query.Has("$top") {
		query.Set("$top", strconv.Itoa(top))
	}
	base := d.o.LinkBase
	if base == "" {
		base = "http://" + r.Host
		if r.TLS != nil {
			base = "https://" + r.Host
		}
	}
	return base + r.URL.Path + "?" + query.Encode()
}

func number(query url.Values, name string, absent int) (int, *refusal) {
	if !query.Has(name) {
		return absent, nil
	}
	n, err := strconv.Atoi(query.Get(name))
	if err != nil || n < 0 {
		return 0, odataError("Invalid value '%s' for %s query option found.", query.Get(name), name)
	}
	return n, nil
}

func (c collection) sort(by string) *refusal {
	if by == "" {
		return nil
	}
	name, direction, _ := strings.Cut(strings.TrimSpace(by), " ")
	if !slices.ContainsFunc(c.properties, func(p property) bool { return p.name == name }) ||
		!slices.Contains([]string{"", "asc", "desc"}, direction) {
		return odataError("Could not sort by '%s'.", by)
	}
	slices.SortStableFunc(c.items, func(a, b map[string]any) int {
		x, _ := a[name].(string)
		y, _ := b[name].(string)
		if direction == "desc" {
			x, y = y, x
		}
		return strings.Compare(x, y)
	})
	return nil
}

// oneText matches the filters that want one property to be a text, or to begin with it.
var oneText = regexp.MustCompile(`^(?:(?:machineId|computerDnsName) eq |startswith\(computerDnsName, ?)'([^']+)'\)?$`)

// worth reports which entries a filter may match, by a text that they contain: of many
// devices all others need not be written out for it.
func worth(r *http.Request) func(texts ...string) bool {
	match := oneText.FindStringSubmatch(r.URL.Query().Get("$filter"))
	if match == nil {
		return func(...string) bool { return true }
	}
	want, _, _ := strings.Cut(strings.ToLower(match[1]), ".")
	return func(texts ...string) bool {
		return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(strings.ToLower(text), want) })
	}
}
