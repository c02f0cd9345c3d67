package defendfake

import (
	"cmp"
	"net/http"
	"slices"
)

// Script is one of Kibana's library. The world runs it by its name.
type Script struct {
	ID, Name, File string
	Description    string
	RequiresInput  bool
}

func (d *Double) listScripts(c *call) (any, *refusal) {
	refused := c.onlyQuery("page", "pageSize", "sortField", "sortDirection", "kuery")
	page, size := 1, 10
	if refused == nil {
		page, refused = c.number("page", 1, 1, 1<<31)
	}
	if refused == nil {
		size, refused = c.number("pageSize", 10, 1, 1000)
	}
	if refused != nil {
		return nil, refused
	}
	size = d.page(size)
	keep, err := parseKQL(c.query.Get("kuery"))
	if err != nil {
		// Nothing translates the error of the parser.
		return nil, kibanaError(http.StatusInternalServerError, "An internal server error occurred. Check Kibana server logs for details.")
	}
	found := []map[string]any{}
	for _, s := range d.o.Scripts {
		one := map[string]any{
			"id": s.ID, "name": s.Name, "fileName": s.File, "description": s.Description, "requiresInput": s.RequiresInput,
			"platform": []any{"windows"}, "createdBy": "elastic", "updatedBy": "elastic",
			"createdAt": "2026-11-01T08:00:00.000Z", "updatedAt": "2026-11-01T08:00:00.000Z",
			"downloadUri": "/api/endpoint/scripts_library/" + s.ID + "/download",
		}
		if keep(flatten("", one)) {
			d.extra(one)
			found = append(found, one)
		}
	}
	field, direction := cmp.Or(c.query.Get("sortField"), "name"), cmp.Or(c.query.Get("sortDirection"), "asc")
	slices.SortStableFunc(found, func(a, b map[string]any) int {
		order := cmp.Compare(text(a[field]), text(b[field]))
		if direction == "desc" {
			return -order
		}
		return order
	})
	return map[string]any{
		"data": pageOf(found, page, 1, size), "page": page, "pageSize": size, "sortField": field, "sortDirection": direction, "total": len(found),
	}, nil
}
