package defenderfake_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/integrations/defender/defenderfake"
	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// An order is accepted long before the device carries it out.
func TestIsolation(t *testing.T) {
	n := open(t, defenderfake.Options{})
	a := n.isolate(ws1)
	for key, want := range map[string]any{
		"type": "Isolate", "scope": "Full", "status": "Pending", "machineId": ws1, "computerDnsName": "ws-1.corp.example",
		"requestorComment": "case 1", "requestor": n.ClientID, "errorHResult": 0.0,
		"creationDateTimeUtc": "2026-11-30T09:00:00Z", "lastUpdateDateTimeUtc": "2026-11-30T09:00:00Z",
	} {
		if diff := cmp.Diff(want, a.body[key]); diff != "" {
			t.Errorf("%s differs (-want +got):\n%s", key, diff)
		}
	}
	if n.world.Isolated(ws1) {
		t.Error("an accepted isolation is carried out")
	}
	n.advance(time.Minute)
	n.world.ChangeAction(a.text1("id"), func(a *edrtest.Action) { a.State = edrtest.Running })
	if got := n.action(a.text1("id")).text1("status"); got != "InProgress" {
		t.Errorf("a running isolation is %s, want InProgress", got)
	}
	n.world.Settle()
	done := n.action(a.text1("id"))
	if done.text1("status") != "Succeeded" || done.text1("lastUpdateDateTimeUtc") != "2026-11-30T09:01:00Z" || !n.world.Isolated(ws1) {
		t.Errorf("the isolation is %s since %s", done.text1("status"), done.text1("lastUpdateDateTimeUtc"))
	}
	release := n.unisolate(ws1)
	n.world.Settle()
	if n.world.Isolated(ws1) || n.action(release.text1("id")).text1("type") != "Unisolate" {
		t.Error("a release was carried out, and the device is isolated")
	}
	// Without an isolation a release is accepted, and does nothing.
	n.unisolate(ws2)
	n.world.Settle()
	if n.world.Isolated(ws2) {
		t.Error("a release isolated a device")
	}
}

func TestRefusedOrders(t *testing.T) {
	n := open(t, defenderfake.Options{Unmanaged: []string{ws2}}).rude()
	full := func(comment, kind any) map[string]any {
		return map[string]any{"Comment": comment, "IsolationType": kind}
	}
	for _, tt := range []struct {
		id     string
		body   map[string]any
		status int
		code   string
	}{
		{"nobody", full("c", "Full"), 404, "ResourceNotFound"},
		{ws1, full("c", "full"), 400, "InvalidInput"},
		{ws1, full("c", nil), 400, "MissingRequiredParameter"},
		{ws1, full("", "Full"), 400, "MissingRequiredParameter"},
		{ws1, full(5, "Full"), 400, "InvalidRequestBody"},
		{ws1, map[string]any{"comment": "c", "IsolationType": "Full"}, 400, "MissingRequiredParameter"},
		{ws1, map[string]any{"Comment": "c", "IsolationType": "Full", "Force": true}, 400, "InvalidRequestBody"},
		{ws1, full("c", "UnManagedDevice"), 400, "InvalidInput"},
		{ws2, full("c", "Full"), 400, "InvalidInput"},
	} {
		n.call(http.MethodPost, "/api/machines/"+tt.id+"/isolate", tt.body, tt.status, tt.code)
	}
	n.call(http.MethodPost, "/api/machines/"+ws1+"/unisolate", map[string]any{}, 400, "MissingRequiredParameter")
	r := n.request(http.MethodPost, "/api/machines/"+ws1+"/isolate", full("c", "Full"))
	r.Header.Del("Content-Type")
	n.want(n.do(r), 400, "InvalidRequestBody")
	n.world.Change(ws1, func(h *edrtest.Host) { h.OS = "Windows 7 Professional" })
	n.call(http.MethodPost, "/api/machines/"+ws1+"/isolate", full("c", "Full"), 400, "OsPlatformNotSupported")
	if got := n.world.Effects(""); got != 0 {
		t.Errorf("refused orders had %d effects", got)
	}
	n.call(http.MethodPost, "/api/machines/"+ws2+"/isolate", full("c", "UnManagedDevice"), 201, "")
	if diff := cmp.Diff(1, n.world.Effects(ws2)); diff != "" {
		t.Errorf("the effects differ (-want +got):\n%s", diff)
	}
}

func TestRepeatIsRefused(t *testing.T) {
	n := open(t, defenderfake.Options{})
	n.isolate(ws1)
	a := n.call(http.MethodPost, "/api/machines/"+ws1+"/isolate", map[string]any{"Comment": "c", "IsolationType": "Full"}, 400, "ActiveRequestAlreadyExists")
	if a.body["error"].(map[string]any)["message"] != "Action is already in progress" {
		t.Errorf("the refusal is %s", a.text)
	}
	n.unisolate(ws1)
	n.call(http.MethodPost, "/api/machines/"+ws1+"/unisolate", map[string]any{"Comment": "c"}, 400, "ActiveRequestAlreadyExists")
	if got := n.world.Effects(ws1); got != 2 {
		t.Errorf("an isolation and a release had %d effects", got)
	}
}

func TestRepeatAnswersWithPending(t *testing.T) {
	n := open(t, defenderfake.Options{Repeated: defenderfake.AnswerPending})
	first, second := n.isolate(ws1), n.isolate(ws1)
	if first.text1("id") != second.text1("id") || n.world.Effects(ws1) != 1 {
		t.Errorf("the second isolation is %s after %s", second.text1("id"), first.text1("id"))
	}
}

// A second isolation stays Pending and can be carried out after the releases: the
// device ends isolated.
func TestRepeatStaysPending(t *testing.T) {
	n := open(t, defenderfake.Options{Repeated: defenderfake.StayPending})
	n.isolate(ws1)
	stuck := n.isolate(ws1)
	n.unisolate(ws1)
	ids := []int{0, 1, 0} // isolate, unisolate, isolate
	n.world.SettleBy(func(int) int {
		next := ids[0]
		ids = ids[1:]
		return next
	})
	if !n.world.Isolated(ws1) {
		t.Error("the isolation that was carried out last has no effect")
	}
	if got := n.action(stuck.text1("id")).text1("status"); got != "Pending" {
		t.Errorf("the second isolation is %s, want Pending", got)
	}
}

// An isolation of a device that is isolated stays Pending.
func TestIsolatedAlready(t *testing.T) {
	n := open(t, defenderfake.Options{})
	n.world.Impose(ws1)
	a := n.isolate(ws1)
	n.world.Settle()
	if got := n.action(a.text1("id")).text1("status"); got != "Pending" {
		t.Errorf("the isolation is %s, want Pending", got)
	}
}

func TestOfflineDevice(t *testing.T) {
	for status, o := range map[string]defenderfake.Options{"TimeOut": {}, "Failed": {GivesUpAsFailed: true}} {
		n := open(t, o)
		a := n.isolate(srv)
		n.advance(71 * time.Hour)
		n.world.Settle()
		n.login()
		if got := n.action(a.text1("id")).text1("status"); got != "Pending" {
			t.Errorf("the isolation of an offline device is %s, want Pending", got)
		}
		n.advance(time.Hour)
		n.world.Change(srv, func(h *edrtest.Host) { h.Offline = false })
		n.world.Settle()
		n.login()
		if got := n.action(a.text1("id")).text1("status"); got != status || n.world.Isolated(srv) {
			t.Errorf("after three days the isolation is %s, want %s", got, status)
		}
	}
}

func TestListOfActions(t *testing.T) {
	n := open(t, defenderfake.Options{})
	n.world.Impose(ws2)
	first := n.isolate(ws1).text1("id")
	n.advance(time.Second)
	second := n.unisolate(ws1).text1("id")
	list := func(query string) []string {
		t.Helper()
		return n.rude().call(http.MethodGet, "/api/machineactions?"+query, nil, http.StatusOK, "").ids()
	}
	// The newest come first.
	judged := n.call(http.MethodGet, "/api/machineactions?$top=2&$filter=machineId+eq+'"+ws1+"'+and+status+eq+'Pending'", nil, http.StatusOK, "")
	if got := judged.ids(); !slices.Equal(got, []string{second, first}) {
		t.Errorf("the pending actions are %v, want %v and %v", got, second, first)
	}
	if got := list("$filter=machineId+eq+'" + ws1 + "'"); !slices.Equal(got, []string{second, first}) {
		t.Errorf("the actions are %v, want %v and %v", got, second, first)
	}
	if got := list("$filter=machineId+eq+'" + ws1 + "'&$top=1"); !slices.Equal(got, []string{second}) {
		t.Errorf("the latest action is %v, want %v", got, second)
	}
	if got := list("$filter=type+eq+'Isolate'+and+status+in+('Pending','InProgress')"); !slices.Equal(got, []string{first}) {
		t.Errorf("the pending isolations are %v, want %v", got, first)
	}
	if got := list("$filter=creationDateTimeUtc+gt+2026-11-30T09:00:00Z"); !slices.Equal(got, []string{second}) {
		t.Errorf("the later actions are %v, want %v", got, second)
	}
	if got := list("$orderby=creationDateTimeUtc+asc"); got[len(got)-1] != second {
		t.Errorf("in the order of time the actions are %v", got)
	}
	// What somebody did by hand is there, too, and filters without their $ do nothing.
	if got := list("filter=machineId+eq+'nobody'"); len(got) != 3 {
		t.Errorf("all actions are %v", got)
	}
	for _, bad := range []string{"$filter=computerDnsName+eq+'x'", "$filter=type+eq+'isolate'", "$orderby=scope", "$select=id"} {
		n.rude().call(http.MethodGet, "/api/machineactions?"+bad, nil, http.StatusBadRequest, "ODataError")
	}
	// The two pages spell the time of the last change differently.
	item := n.call(http.MethodGet, "/api/machineactions?$top=1", nil, http.StatusOK, "").list()[0]
	if item["lastUpdateTimeUtc"] != "2026-11-30T09:00:01Z" || item["lastUpdateDateTimeUtc"] != nil {
		t.Errorf("an action of a list is %v", item)
	}
	n.rude().call(http.MethodGet, "/api/machineactions/nothing", nil, http.StatusNotFound, "ResourceNotFound")
}

func TestCancel(t *testing.T) {
	n := open(t, defenderfake.Options{})
	id := n.isolate(srv).text1("id")
	a := n.call(http.MethodPost, "/api/machineactions/"+id+"/cancel", map[string]any{"Comment": "too late"}, http.StatusOK, "")
	if a.text1("status") != "Cancelled" || a.text1("cancellationComment") != "too late" || a.text1("cancellationRequestor") != n.ClientID {
		t.Errorf("the cancelled action is %s", a.text)
	}
	n.world.Change(srv, func(h *edrtest.Host) { h.Offline = false })
	n.world.Settle()
	if n.world.Isolated(srv) {
		t.Error("a cancelled isolation was carried out")
	}
	n.call(http.MethodPost, "/api/machineactions/"+id+"/cancel", map[string]any{"Comment": "again"}, http.StatusBadRequest, "BadRequest")
	n.rude().call(http.MethodPost, "/api/machineactions/x/cancel", map[string]any{"Comment": "c"}, http.StatusNotFound, "ResourceNotFound")
	id = n.isolate(ws1).text1("id")
	n.SetRoles("Machine.LiveResponse")
	n.login()
	n.call(http.MethodPost, "/api/machineactions/"+id+"/cancel", map[string]any{"Comment": "c"}, http.StatusForbidden, "Forbidden")
}

func TestExternalID(t *testing.T) {
	n := open(t, defenderfake.Options{})
	a := n.rude().call(http.MethodPost, "/api/machines/"+ws1+"/isolate", map[string]any{"Comment": "c", "IsolationType": "Selective", "ExternalId": "case-1"}, http.StatusCreated, "")
	if a.text1("externalId") != "case-1" || a.text1("scope") != "Selective" {
		t.Errorf("the action is %s", a.text)
	}
}
