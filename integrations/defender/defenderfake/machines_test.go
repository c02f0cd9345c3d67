package defenderfake_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/integrations/defender/defenderfake"
	"github.com/stanch-soar/stanch/integrations/edrtest"
)

func TestMachine(t *testing.T) {
	n := open(t, defenderfake.Options{Extra: map[string]any{"managedByStatus": "Unknown"}})
	byID := n.call(http.MethodGet, "/api/machines/"+ws1, nil, http.StatusOK, "")
	want := map[string]any{
		"id": ws1, "computerDnsName": "ws-1.corp.example", "osPlatform": "Windows11", "lastIpAddress": "10.0.0.9",
		"lastSeen": "2026-11-30T09:00:00Z", "firstSeen": "2026-11-28T09:00:00Z", "healthStatus": "Active",
		"onboardingStatus": "Onboarded", "rbacGroupName": "Wards", "machineTags": []any{"lab", "floor 2"}, "managedByStatus": "Unknown",
	}
	for key, v := range want {
		if diff := cmp.Diff(v, byID.body[key]); diff != "" {
			t.Errorf("%s differs (-want +got):\n%s", key, diff)
		}
	}
	byName := n.call(http.MethodGet, "/api/machines/ws-1.corp.example", nil, http.StatusOK, "")
	if diff := cmp.Diff(byID.body, byName.body); diff != "" {
		t.Errorf("by its name the machine differs (-id +name):\n%s", diff)
	}
	n.call(http.MethodGet, "/api/machines/"+strings.Repeat("0", 40), nil, http.StatusNotFound, "ResourceNotFound")
	n.rude().call(http.MethodGet, "/api/nothing", nil, http.StatusNotFound, "NotFound")
	// A machine that was not heard of for a week is Inactive; one that is merely
	// offline is not.
	if got := n.call(http.MethodGet, "/api/machines/"+ws2, nil, 200, "").text1("healthStatus"); got != "Inactive" {
		t.Errorf("the health of a silent machine is %s, want Inactive", got)
	}
	if got := n.call(http.MethodGet, "/api/machines/"+srv, nil, 200, "").text1("healthStatus"); got != "Active" {
		t.Errorf("the health of an offline machine is %s, want Active", got)
	}
}

func TestFilters(t *testing.T) {
	n := open(t, defenderfake.Options{})
	for _, tt := range []struct {
		filter string
		want   []string
	}{
		{"computerDnsName eq 'ws-1.corp.example'", []string{ws1}},
		{"ComputerDnsName eq 'ws-1.corp.example'", []string{ws1}},
		{"computerDnsName eq 'WS-1.corp.example'", nil},
		{"startswith(computerDnsName,'ws-')", []string{ws1, ws2}},
		{"contains(computerDnsName,'s')", []string{ws1, ws2, srv}},
		{"endswith(computerDnsName,'example') and not startswith(computerDnsName,'ws')", []string{srv}},
		{"lastIpAddress eq '10.0.0.1' or id eq '" + srv + "'", []string{ws2, srv}},
		{"healthStatus ne 'Active' AND osPlatform eq 'Windows10'", []string{ws2}},
		{"lastSeen gt 2026-11-30T08:00:00Z", []string{ws1}},
		{"lastSeen lt 2026-11-30Z", []string{ws2}},
		{"machineTags/any(tag: tag eq 'floor 2')", []string{ws1}},
		{"id in ('" + ws1 + "','" + srv + "')", []string{ws1, srv}},
		{"computerDnsName eq 'o''neil'", nil},
	} {
		if diff := cmp.Diff(tt.want, n.rude().machines(tt.filter)); diff != "" {
			t.Errorf("%s: the machines differ (-want +got):\n%s", tt.filter, diff)
		}
	}
	for _, bad := range []string{
		"hostname eq 'x'", "computerDnsName", "computerDnsName = 'x'", "computerDnsName eq x", "computerDnsName eq 'x", "",
		"healthStatus eq 'active'", "id eq 'x' or", "machineTags eq 'x'", "(id eq 'x'", "id eq 'x') or (id ne 'x'",
	} {
		n.rude().call(http.MethodGet, "/api/machines?$filter="+url.QueryEscape(bad), nil, http.StatusBadRequest, "ODataError")
	}
}

func TestPages(t *testing.T) {
	n := open(t, defenderfake.Options{MaxPage: 2})
	first := n.rude().call(http.MethodGet, "/api/machines?$count=true", nil, http.StatusOK, "")
	if diff := cmp.Diff([]string{ws1, ws2}, first.ids()); diff != "" || first.body["@odata.count"] != 3.0 {
		t.Errorf("the first page has a count of %v and differs (-want +got):\n%s", first.body["@odata.count"], diff)
	}
	next, ok := strings.CutPrefix(first.text1("@odata.nextLink"), n.raw)
	if !ok {
		t.Fatalf("the next page is at %q", first.text1("@odata.nextLink"))
	}
	last := n.rude().call(http.MethodGet, next, nil, http.StatusOK, "")
	if diff := cmp.Diff([]string{srv}, last.ids()); diff != "" || last.body["@odata.nextLink"] != nil {
		t.Errorf("the last page is followed by %v and differs (-want +got):\n%s", last.body["@odata.nextLink"], diff)
	}
	one := n.call(http.MethodGet, "/api/machines?$top=1&$skip=1", nil, http.StatusOK, "")
	if diff := cmp.Diff([]string{ws2}, one.ids()); diff != "" || one.body["@odata.nextLink"] != nil {
		t.Errorf("one machine is followed by %v and differs (-want +got):\n%s", one.body["@odata.nextLink"], diff)
	}
	n.rude().call(http.MethodGet, "/api/machines?$top=10001", nil, http.StatusBadRequest, "ODataError")
	n.rude().call(http.MethodGet, "/api/machines?$skip=-1", nil, http.StatusBadRequest, "ODataError")
}

// Where links lead is the tenant's to say: the samples name an older host.
func TestLinksElsewhere(t *testing.T) {
	n := open(t, defenderfake.Options{MaxPage: 1, LinkBase: "https://api.securitycenter.microsoft.com"})
	a := n.call(http.MethodGet, "/api/machines", nil, http.StatusOK, "")
	if !strings.HasPrefix(a.text1("@odata.nextLink"), "https://api.securitycenter.microsoft.com/api/machines?") {
		t.Errorf("the next page is at %q", a.text1("@odata.nextLink"))
	}
}

func TestEmptyList(t *testing.T) {
	for _, found := range []bool{true, false} {
		n := open(t, defenderfake.Options{})
		n.Double = defenderfake.New(t, edrtest.New(t, n.clock), defenderfake.Options{EmptyIsNotFound: !found})
		n.serve()
		if found {
			n.call(http.MethodGet, "/api/machines", nil, http.StatusOK, "")
			continue
		}
		n.call(http.MethodGet, "/api/machines", nil, http.StatusNotFound, "ResourceNotFound")
	}
}

func byIP(ip string, at time.Time) string {
	return fmt.Sprintf("/api/machines/findbyip(ip='%s',timestamp=%s)", ip, at.Format(time.RFC3339))
}

func TestFindByIP(t *testing.T) {
	n := open(t, defenderfake.Options{})
	moved := start.Add(-time.Hour)
	for _, tt := range []struct {
		at   time.Time
		want []string
	}{
		{moved.Add(-16 * time.Minute), []string{ws1}},
		{moved.Add(-14 * time.Minute), []string{ws1, ws2}},
		{moved.Add(14 * time.Minute), []string{ws1, ws2}},
		{moved.Add(16 * time.Minute), []string{ws2}},
		{moved.Add(-72 * time.Hour), nil},
	} {
		got := n.call(http.MethodGet, byIP("10.0.0.1", tt.at), nil, http.StatusOK, "").ids()
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: the machines differ (-want +got):\n%s", tt.at, diff)
		}
	}
	n.call(http.MethodGet, byIP("10.0.0.1", start.Add(-31*24*time.Hour)), nil, http.StatusBadRequest, "InvalidInput")
	n.call(http.MethodGet, byIP("10.0.0.1", start.Add(time.Minute)), nil, http.StatusBadRequest, "InvalidInput")
	n.rude().call(http.MethodGet, byIP("10.0.0", start), nil, http.StatusBadRequest, "InvalidIpAddress")
}

func TestTags(t *testing.T) {
	n := open(t, defenderfake.Options{})
	tag := func(value, action string) any {
		t.Helper()
		return n.call(http.MethodPost, "/api/machines/"+ws1+"/tags", map[string]any{"Value": value, "Action": action}, http.StatusOK, "").body["machineTags"]
	}
	if diff := cmp.Diff([]any{"lab", "floor 2", "case 1"}, tag("case 1", "Add")); diff != "" {
		t.Errorf("the tags differ (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]any{"floor 2", "case 1"}, tag("lab", "Remove")); diff != "" {
		t.Errorf("the tags differ (-want +got):\n%s", diff)
	}
	n.rude().call(http.MethodPost, "/api/machines/"+ws1+"/tags", map[string]any{"Value": "x", "Action": "add"}, http.StatusBadRequest, "InvalidInput")
	n.SetRoles("Machine.Read.All")
	n.login()
	n.call(http.MethodPost, "/api/machines/"+ws1+"/tags", map[string]any{"Value": "x", "Action": "Add"}, http.StatusForbidden, "Forbidden")
}

// Two devices can have one name; by it the product answers with one of them.
func TestTwoOfOneName(t *testing.T) {
	n := open(t, defenderfake.Options{})
	n.world.Change(ws2, func(h *edrtest.Host) { h.Name = "WS-1" })
	if diff := cmp.Diff([]string{ws1, ws2}, n.machines("computerDnsName eq 'ws-1.corp.example'")); diff != "" {
		t.Errorf("the machines differ (-want +got):\n%s", diff)
	}
	if got := n.call(http.MethodGet, "/api/machines/ws-1.corp.example", nil, http.StatusOK, "").text1("id"); got != ws1 {
		t.Errorf("the machine is %s, want %s, which was seen last", got, ws1)
	}
}

func TestLogonUsers(t *testing.T) {
	n := open(t, defenderfake.Options{})
	users := n.call(http.MethodGet, "/api/machines/"+ws1+"/logonusers", nil, http.StatusOK, "").list()
	if len(users) != 1 || users[0]["id"] != `corp\ann` || users[0]["accountName"] != "ann" || users[0]["accountSid"] != "S-1-5-21-1-2-3-1001" {
		t.Errorf("the users are %v", users)
	}
	n.rude().call(http.MethodGet, "/api/machines/x/logonusers", nil, http.StatusNotFound, "ResourceNotFound")
}

// The product may write null where there is nothing to list, and words that are new.
func TestHostileAnswers(t *testing.T) {
	n := open(t, defenderfake.Options{NullLists: true, Respell: map[string]string{"Active": "PartlyActive"}})
	a := n.rude().call(http.MethodGet, "/api/machines/"+srv, nil, http.StatusOK, "")
	if a.body["machineTags"] != nil || a.body["healthStatus"] != "PartlyActive" {
		t.Errorf("tags are %v and health %v, want null and PartlyActive", a.body["machineTags"], a.body["healthStatus"])
	}
}
