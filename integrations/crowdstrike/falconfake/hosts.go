package falconfake

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// find returns the records that the request's filter passes, in the order of its sort.
func (d *Double) find(c *call) ([]object, error) {
	text := c.query.Get("filter")
	if text == "" && c.query.Get("limit") != "1" {
		d.complain("%s without a filter reads every host", c.r.URL.Path)
	}
	known := properties()
	passes, err := parseFilter(text, known)
	if err != nil {
		return nil, err
	}
	var found []object
	for _, h := range d.w.Hosts() {
		r := d.record(h)
		ok, err := passes(r)
		if err != nil {
			return nil, err
		}
		if ok {
			found = append(found, r)
		}
	}
	if by := c.query.Get("sort"); by != "" {
		property, direction, _ := strings.Cut(strings.ReplaceAll(by, "|", "."), ".")
		if known[property] == nil || direction != "asc" && direction != "desc" {
			return nil, fmt.Errorf("Invalid sort expression %q", by) //nolint:staticcheck // Not documented; written as the filter's.
		}
		slices.SortStableFunc(found, func(a, b object) int {
			order := cmp.Compare(strings.Join(values(a, property), ","), strings.Join(values(b, property), ","))
			if direction == "desc" {
				return -order
			}
			return order
		})
	}
	return found, nil
}

// page cuts a page out. The server may give fewer than the limit.
func page[T any](d *Double, all []T, offset, limit int) []T {
	if d.o.MaxPage > 0 {
		limit = min(limit, d.o.MaxPage)
	}
	offset = min(offset, len(all))
	return all[offset:min(offset+limit, len(all))]
}

func ids(records []object) []string {
	out := make([]string, 0, len(records))
	for _, r := range records {
		if id, ok := r["device_id"].(string); ok {
			out = append(out, id)
		}
	}
	return out
}

// queryHosts pages by numbers; the offset of an answer is where the next page begins,
// as the vendor's samples use it. The window of 10000 is why there is a scroll.
func (d *Double) queryHosts(c *call) reply {
	limit, err := c.number("limit", 100, 1, 5000)
	offset, err2 := c.number("offset", 0, 0, 10000)
	if err := errors.Join(err, err2); err != nil {
		return c.refuse(http.StatusBadRequest, "%v", err)
	}
	if offset+limit > 10000 {
		return c.refuse(http.StatusBadRequest, "offset and limit exceed 10000")
	}
	found, err := d.find(c)
	if err != nil {
		return c.refuse(http.StatusBadRequest, "%v", err)
	}
	got := ids(page(d, found, offset, limit))
	return resources(d, c, http.StatusOK, got, nil, object{"offset": offset + len(got), "limit": limit, "total": len(found)})
}

// scroll is where a scrolled search is.
type scroll struct {
	at    int
	until time.Time
}

// scrollFor is how long the offset of a scroll is good.
const scrollFor = 2 * time.Minute

// next returns the page at the request's token, with the token of the page after it,
// empty for none.
func (d *Double) next(c *call, all []object, limit int) ([]object, string, error) {
	at, now := 0, d.w.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if text := c.query.Get("offset"); text != "" {
		s, ok := d.scrolls[text]
		if !ok || !now.Before(s.until) {
			return nil, "", fmt.Errorf("invalid offset %q", text)
		}
		at = s.at
	}
	got := page(d, all, at, limit)
	if at+len(got) >= len(all) {
		return got, "", nil
	}
	text := "FGluY2x1ZGVf" + strconv.Itoa(len(d.scrolls))
	d.scrolls[text] = scroll{at: at + len(got), until: now.Add(scrollFor)}
	return got, text, nil
}

func (d *Double) scrollHosts(c *call) reply {
	limit, err := c.number("limit", 100, 1, 5000)
	if err != nil {
		return c.refuse(http.StatusBadRequest, "%v", err)
	}
	found, err := d.find(c)
	if err != nil {
		return c.refuse(http.StatusBadRequest, "%v", err)
	}
	got, next, err := d.next(c, found, limit)
	if err != nil {
		return c.refuse(http.StatusBadRequest, "%v", err)
	}
	return resources(d, c, http.StatusOK, ids(got), nil, object{
		"offset": next, "total": len(found), "expires_at": d.w.Now().Add(scrollFor).UnixNano(),
	})
}

func (d *Double) combinedHosts(c *call) reply {
	limit, err := c.number("limit", 100, 1, 10000)
	if err != nil {
		return c.refuse(http.StatusBadRequest, "%v", err)
	}
	found, err := d.find(c)
	if err != nil {
		return c.refuse(http.StatusBadRequest, "%v", err)
	}
	got, next, err := d.next(c, found, limit)
	if err != nil {
		return c.refuse(http.StatusBadRequest, "%v", err)
	}
	if names := c.query.Get("fields"); names != "" {
		for i, r := range got {
			got[i] = chosen(r, strings.Split(names, ","))
		}
	}
	return resources(d, c, http.StatusOK, got, nil, object{"offset": next, "next": next, "limit": limit, "total": len(found)})
}

// chosen keeps the fields that were asked for, and those that every record has.
func chosen(r object, names []string) object {
	out := object{"device_id": r["device_id"], "cid": r["cid"]}
	for _, name := range names {
		if v, ok := r[strings.TrimSpace(name)]; ok {
			out[strings.TrimSpace(name)] = v
		}
	}
	return out
}

func (d *Double) getHosts(c *call) reply {
	named := c.query["ids"]
	if len(named) == 0 || len(named) > 100 {
		return c.refuse(http.StatusBadRequest, "%d ids: 1 to 100", len(named))
	}
	return d.details(c, named)
}

func (d *Double) postHosts(c *call) reply {
	named, err := c.ids("ids", 5000)
	if err != nil {
		return c.refuse(http.StatusBadRequest, "%v", err)
	}
	return d.details(c, named)
}

// each answers for the devices that there are, and says within the same 2xx which
// there are not.
func each[T any](d *Double, c *call, status int, named []string, of func(edrtest.Host) T) reply {
	var got []T
	var errs []apiError
	for _, id := range named {
		h, ok := d.w.Host(id)
		if !ok {
			errs = append(errs, apiError{Code: http.StatusNotFound, ID: id, Message: "Resource not found"})
			continue
		}
		got = append(got, of(h))
	}
	return resources(d, c, status, got, errs, nil)
}

func (d *Double) details(c *call, named []string) reply {
	return each(d, c, http.StatusOK, named, d.record)
}

func (d *Double) onlineStates(c *call) reply {
	named := c.query["ids"]
	if len(named) == 0 {
		return c.refuse(http.StatusBadRequest, "ids are required")
	}
	got := make([]object, 0, len(named))
	for _, id := range named {
		h, ok := d.w.Host(id)
		state := object{"id": id, "cid": d.o.CID, "state": "unknown"}
		switch {
		case !ok:
		case d.o.UnknownWords:
			state["state"] = unknownWord
		case h.Offline:
			state["state"], state["last_seen"] = "offline", stamp(h.LastSeen)
		default:
			state["state"], state["last_seen"] = "online", stamp(h.LastSeen)
		}
		got = append(got, state)
	}
	return resources(d, c, http.StatusOK, got, nil, nil)
}
