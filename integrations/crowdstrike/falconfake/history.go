package falconfake

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// addressHistory tells the addresses that devices had, newest first, each with the
// time since which it did. Until when is not told.
func (d *Double) addressHistory(c *call) reply {
	named, err := c.ids("ids", 500)
	if err != nil {
		return c.refuse(http.StatusBadRequest, "%v", err)
	}
	return each(d, c, http.StatusOK, named, func(h edrtest.Host) object {
		history := make([]object, 0, len(h.Addresses))
		for _, a := range h.Addresses {
			history = append(history, object{"ip_address": a.IP, "mac_address": mac(h.ID), "timestamp": stamp(a.From)})
		}
		return object{"device_id": h.ID, "cid": d.o.CID, "history": history}
	})
}

// loginHistory tells who logged on when, newest first.
func (d *Double) loginHistory(c *call) reply {
	named, err := c.ids("ids", 500)
	limit, err2 := c.number("limit", 10, 1, 100)
	from, err3 := c.time("from", time.Time{})
	to, err4 := c.time("to", d.w.Now())
	if err := errors.Join(err, err2, err3, err4); err != nil {
		return c.refuse(http.StatusBadRequest, "%v", err)
	}
	return each(d, c, http.StatusOK, named, func(h edrtest.Host) object {
		sessions := slices.DeleteFunc(slices.Clone(h.Sessions), func(s edrtest.Session) bool {
			return s.Since.Before(from) || s.Since.After(to)
		})
		slices.SortStableFunc(sessions, func(a, b edrtest.Session) int { return b.Since.Compare(a.Since) })
		logins := []object{}
		for _, s := range sessions[:min(limit, len(sessions))] {
			logins = append(logins, object{"user_name": s.User, "login_time": stamp(s.Since)})
		}
		return object{"device_id": h.ID, "cid": d.o.CID, "recent_logins": logins}
	})
}

// time reads a parameter that is a time.
func (c *call) time(name string, fallback time.Time) (time.Time, error) {
	if !c.query.Has(name) {
		return fallback, nil
	}
	return time.Parse(time.RFC3339, c.query.Get(name))
}
