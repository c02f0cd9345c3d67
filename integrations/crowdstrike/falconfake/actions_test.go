package falconfake_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/integrations/crowdstrike/falconfake"
	"github.com/stanch-soar/stanch/integrations/edrtest"
)

const actions = "/devices/entities/devices-actions/v2?action_name="

func (n *tenant) status(id string) any {
	n.t.Helper()
	return n.get("/devices/entities/devices/v2", "ids", id).first(n.t)["status"]
}

func idsOf(id ...string) map[string]any { return map[string]any{"ids": id} }

// Containment is a state that is asked for, pending, and then there.
func TestContain(t *testing.T) {
	n := start(t, falconfake.Options{})
	got := n.post(actions+"contain", idsOf(srv1)).want(t, http.StatusAccepted, 0, "")
	if r := got.first(t); r["id"] != srv1 || r["path"] == nil {
		t.Errorf("resource %v", r)
	}
	var states []any
	see := func() { states = append(states, n.status(srv1), n.w.Isolated(srv1)) }
	see()
	n.post(actions+"contain", idsOf(srv1)).want(t, http.StatusConflict, 409, "contain")
	n.w.Settle()
	see()
	n.post(actions+"contain", idsOf(srv1)).want(t, http.StatusConflict, 409, "contain")
	n.post(actions+"lift_containment", idsOf(srv1)).want(t, http.StatusAccepted, 0, "")
	see()
	n.post(actions+"lift_containment", idsOf(srv1)).want(t, http.StatusConflict, 409, "lift_containment")
	n.w.Settle()
	see()
	n.post(actions+"lift_containment", idsOf(srv1)).want(t, http.StatusConflict, 409, "lift_containment")
	want := []any{"containment_pending", false, "contained", true, "lift_containment_pending", true, "normal", false}
	if diff := cmp.Diff(want, states); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	if n.w.Effects("") != 2 {
		t.Errorf("%d effects, want 2", n.w.Effects(""))
	}
}

// A lift that overtakes its containment leaves the host contained.
func TestContainmentOutOfOrder(t *testing.T) {
	n := start(t, falconfake.Options{})
	n.post(actions+"contain", idsOf(srv1)).want(t, http.StatusAccepted, 0, "")
	n.post(actions+"lift_containment", idsOf(srv1)).want(t, http.StatusAccepted, 0, "")
	if got := n.status(srv1); got != "lift_containment_pending" {
		t.Errorf("status %v", got)
	}
	n.w.SettleBy(func(open int) int { return open - 1 })
	if got := n.status(srv1); got != "contained" {
		t.Errorf("status %v, want contained", got)
	}
}

func TestContainmentOfAnOfflineHost(t *testing.T) {
	n := start(t, falconfake.Options{})
	n.post(actions+"contain", idsOf(srv2)).want(t, http.StatusAccepted, 0, "")
	n.w.Settle()
	if got := n.status(srv2); got != "containment_pending" {
		t.Errorf("status %v", got)
	}
	n.w.Change(srv2, func(h *edrtest.Host) { h.Offline = false })
	n.w.Settle()
	if got := n.status(srv2); got != "contained" {
		t.Errorf("status %v", got)
	}
}

// A containment can be open for ever though the host is cut off.
func TestContainmentThatSticks(t *testing.T) {
	n := start(t, falconfake.Options{})
	n.post(actions+"contain", idsOf(srv1)).want(t, http.StatusAccepted, 0, "")
	n.w.ChangeAction(n.w.Open(srv1)[0].ID, func(a *edrtest.Action) { a.Sticks = true })
	n.w.Settle()
	if got := n.status(srv1); got != "containment_pending" || !n.w.Isolated(srv1) {
		t.Errorf("status %v, isolated %t", got, n.w.Isolated(srv1))
	}
}

func TestContainRefusals(t *testing.T) {
	r := &recorder{TB: t}
	n := startOn(t, r, falconfake.Options{})
	got := n.rude().post(actions+"contain", idsOf(gone, srv1)).want(t, http.StatusAccepted, 404, "not found")
	if got.body.Errors[0].ID != gone || n.w.Effects(srv1) != 1 {
		t.Errorf("got %s", got.text)
	}
	n.rude().post(actions+"isolate", idsOf(srv1)).want(t, http.StatusBadRequest, 400, "action_name")
	n.rude().post(actions+"contain", `{"IDs":["`+srv1+`"]}`).want(t, http.StatusBadRequest, 400, "ids is required")
	n.rude().post(actions+"hide_host", idsOf(srv1)).want(t, http.StatusInternalServerError, 500, "")
	if !r.said("hide_host removes a host") {
		t.Error("hide_host did not fail the test")
	}
	// Nothing is contained, and nothing says so.
	if got := n.rude().post(actions+"contain", idsOf()).want(t, http.StatusAccepted, 0, ""); len(got.body.Resources)+len(got.body.Errors) != 0 {
		t.Errorf("got %s", got.text)
	}
}

func TestRepeatsAccepted(t *testing.T) {
	n := start(t, falconfake.Options{AcceptRepeats: true})
	n.w.Impose(srv1)
	n.post(actions+"contain", idsOf(srv1)).want(t, http.StatusAccepted, 0, "")
	if n.w.Effects(srv1) != 1 {
		t.Error("a repeated containment was not ordered")
	}
}

func TestTags(t *testing.T) {
	n := start(t, falconfake.Options{})
	path := "/devices/entities/devices/tags/v1"
	change := func(action string, tags ...string) answer {
		return n.rude().json("PATCH", path, map[string]any{"action": action, "device_ids": []string{srv1, gone}, "tags": tags})
	}
	one, two := change("add", "FalconGroupingTags/case"), change("add", "FalconGroupingTags/case")
	if statuses := []int{one.status, two.status}; !slices.Equal(statuses, []int{http.StatusOK, http.StatusAccepted}) {
		t.Errorf("statuses %v", statuses)
	}
	if failed := one.body.Resources[1].(map[string]any); failed["updated"] != false || failed["device_id"] != gone || failed["code"] != 404.0 {
		t.Errorf("the unknown device: %v", failed)
	}
	h, _ := n.w.Host(srv1)
	if diff := cmp.Diff([]string{"FalconGroupingTags/case"}, h.Tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	change("remove", "FalconGroupingTags/case")
	if h, _ := n.w.Host(srv1); len(h.Tags) != 0 {
		t.Errorf("tags %v after the removal", h.Tags)
	}
	change("add", "case").want(t, http.StatusBadRequest, 400, "invalid tag")
	change("add", "SensorGroupingTags/x").want(t, http.StatusBadRequest, 400, "invalid tag")
	change("set", "FalconGroupingTags/x").want(t, http.StatusBadRequest, 400, "invalid action")
	n.rude().json("PATCH", path, map[string]any{"action": "add", "ids": []string{srv1}, "tags": []string{}}).want(t, http.StatusBadRequest, 400, "device_ids is required")
}
