package defendfake

import (
	"fmt"
	"net/http"
	"slices"
)

const isolationExceptions = "endpoint_host_isolation_exceptions"

// Except adds an entry to the list of what isolated hosts still reach, as a person
// does. An empty policy is all of them; each address is one condition of the entry.
func (d *Double) Except(policy string, addresses ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	tag := "policy:all"
	if policy != "" {
		tag = "policy:" + policy
	}
	entries := []any{}
	for _, a := range addresses {
		entries = append(entries, map[string]any{"field": "destination.ip", "operator": "included", "type": "match", "value": a})
	}
	at := d.w.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	id := fmt.Sprintf("0c5b7c10-9afb-11ec-94b1-%012d", len(d.exceptions)+1)
	d.excepted = append(d.excepted, addresses...)
	d.exceptions = append(d.exceptions, map[string]any{
		"_version": "WzIxMTgsMV0=", "id": id, "item_id": id, "tie_breaker_id": id, "list_id": isolationExceptions, "type": "simple",
		"namespace_type": "agnostic", "name": "leave open", "description": "", "os_types": []any{"windows", "linux", "macos"},
		"tags": []any{tag}, "entries": entries, "comments": []any{},
		"created_at": at, "created_by": "elastic", "updated_at": at, "updated_by": "elastic",
	})
}

// Excepted are the addresses of all entries.
func (d *Double) Excepted() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.excepted)
}

// findExceptions lists the entries. The list is not there before it has one, and not
// in another namespace. Pages count from 1 and have 20 entries unless more are asked
// for.
func (d *Double) findExceptions(c *call) (any, *refusal) {
	refused := c.onlyQuery("list_id", "namespace_type", "page", "per_page", "filter", "search", "sort_field", "sort_order")
	page, size := 1, 20
	if refused == nil {
		page, refused = c.number("page", 1, 1, 1<<31)
	}
	if refused == nil {
		size, refused = c.number("per_page", 20, 0, 10_000)
	}
	if refused != nil {
		return nil, refused
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	list, namespace := c.query.Get("list_id"), c.query.Get("namespace_type")
	switch {
	case list == "":
		return nil, kibanaError(http.StatusBadRequest, "[request query]: list_id: Required")
	case list != isolationExceptions || namespace != "agnostic" || len(d.exceptions) == 0:
		// The words are those of the API of exceptions, whose errors have another form.
		return nil, &refusal{status: http.StatusNotFound, body: map[string]any{
			"message": fmt.Sprintf("exception list id: %q does not exist", list), "status_code": http.StatusNotFound,
		}}
	}
	size = d.page(size)
	return map[string]any{"data": pageOf(d.exceptions, page, 1, size), "page": page, "per_page": size, "total": len(d.exceptions)}, nil
}
