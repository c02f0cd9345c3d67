package falconfake

import (
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// act contains hosts or lifts that. No id of an action comes back: a client sees
// what becomes of it in the status of the device.
func (d *Double) act(c *call) reply {
	name := c.query.Get("action_name")
	kind, ok := map[string]edrtest.Kind{"contain": edrtest.Isolate, "lift_containment": edrtest.Release}[name]
	switch {
	case name == "hide_host" || name == "unhide_host":
		d.complain("%s removes a host from the console or brings it back", name)
		return c.refuse(http.StatusInternalServerError, "the double does not %s", name)
	case !ok:
		return c.refuse(http.StatusBadRequest, "invalid action_name %q", name)
	}
	named, err := c.ids("ids", 5000)
	if err != nil {
		return c.refuse(http.StatusBadRequest, "%v", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var settled []string
	for _, id := range named {
		if h, known := d.w.Host(id); known && !d.o.AcceptRepeats && d.repeats(h, kind) {
			settled = append(settled, id)
		}
	}
	if len(settled) > 0 {
		return c.refuse(http.StatusConflict, "%s: the status of %s does not allow it", name, strings.Join(settled, ", "))
	}
	return each(d, c, http.StatusAccepted, named, func(h edrtest.Host) object {
		d.w.Order(edrtest.Action{Kind: kind, Host: h.ID, By: c.client})
		return object{"id": h.ID, "path": "/devices/entities/devices/v1?ids=" + h.ID}
	})
}

// repeats reports whether a device is already as the action makes it, or about to be.
func (d *Double) repeats(h edrtest.Host, kind edrtest.Kind) bool {
	status := d.status(h)
	if kind == edrtest.Isolate {
		return status == contained || status == containing
	}
	return status == normal || status == lifting
}

// tags of this prefix are the tenant's; those of SensorGroupingTags are the sensor's
// and are not changed here.
var groupingTag = regexp.MustCompile(`^FalconGroupingTags/[A-Za-z0-9_/-]{1,237}$`)

// tag adds tags to devices or removes them. Both are safe to repeat. It answers 200
// or 202, by turns: both are listed. What failed is told by device within the 2xx.
func (d *Double) tag(c *call) reply {
	f, err := c.fields()
	var action string
	var tags, named []string
	for name, out := range map[string]any{"action": &action, "tags": &tags, "device_ids": &named} {
		if err == nil {
			err = f.read(name, true, out)
		}
	}
	switch {
	case err != nil:
		return c.refuse(http.StatusBadRequest, "%v", err)
	case action != "add" && action != "remove":
		return c.refuse(http.StatusBadRequest, "invalid action %q", action)
	}
	for _, t := range tags {
		if !groupingTag.MatchString(t) {
			return c.refuse(http.StatusBadRequest, "invalid tag %q", t)
		}
	}
	got := make([]object, 0, len(named))
	for _, id := range named {
		if _, ok := d.w.Host(id); !ok {
			got = append(got, object{"device_id": id, "updated": false, "code": http.StatusNotFound, "error": "device not found"})
			continue
		}
		d.w.Change(id, func(h *edrtest.Host) {
			kept := slices.DeleteFunc(slices.Clone(h.Tags), func(t string) bool { return slices.Contains(tags, t) })
			if action == "add" {
				kept = append(kept, tags...)
			}
			h.Tags = kept
		})
		got = append(got, object{"device_id": id, "updated": true, "code": http.StatusOK})
	}
	d.mu.Lock()
	d.tagged++
	status := []int{http.StatusAccepted, http.StatusOK}[d.tagged%2]
	d.mu.Unlock()
	return resources(d, c, status, got, nil, nil)
}
