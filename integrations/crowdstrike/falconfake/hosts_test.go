package falconfake_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/integrations/crowdstrike/falconfake"
	"github.com/stanch-soar/stanch/integrations/edrtest"
)

func TestFilter(t *testing.T) {
	n := start(t, falconfake.Options{})
	for filter, want := range map[string][]any{
		"hostname:'srv-01'":                               {srv1, srv2}, // it begins with it
		"hostname:['SRV-01']":                             {srv1},
		"hostname:['srv-01']":                             nil,
		"hostname:['SRV-01','DC-01']":                     {srv1, dc},
		"hostname:*'*-01*'":                               {srv1, srv2, dc},
		"hostname:'*-OLD'":                                {srv2},
		"hostname:!'srv'":                                 {dc},
		"hostname:~'dc'":                                  {dc},
		"local_ip:'10.0.0.5'":                             {srv1},
		"local_ip:'10.0.0.99'":                            nil,
		"local_ip.raw:*'10.0.0.*'":                        {srv1, srv2},
		"product_type_desc:'Domain Controller'":           {dc},
		"hostname:'srv'+local_ip:'10.0.0.6'":              {srv2},
		"local_ip:'10.0.0.5',hostname:'dc'":               {srv1, dc},
		"(hostname:'srv',hostname:'dc')+status:'normal'":  {srv1, srv2, dc},
		"status:'contained'":                              nil,
		"last_seen:>='2026-11-30T00:00:00Z'":              {srv1, dc},
		"last_seen:<'2026-11-30T00:00:00Z'":               {srv2},
		"tags:'FalconGroupingTags/t0'":                    {dc},
		"device_id:['" + srv1 + "','" + gone + "']":       {srv1},
		`hostname:'it\'s'`:                                nil,
		"last_login_user:'ann'+machine_domain:'Example.'": {srv1},
	} {
		got := n.get("/devices/queries/devices/v1", "filter", filter).want(t, http.StatusOK, 0, "")
		if diff := cmp.Diff(want, got.body.Resources); diff != "" && len(want)+len(got.body.Resources) > 0 {
			t.Errorf("%s (-want +got):\n%s", filter, diff)
		}
	}
	for _, bad := range []string{
		"hostname='x'", "nothing:'x'", "Hostname:'x'", "hostname:'x", "hostname:x", "hostname:'x'+", "(hostname:'x'",
		"hostname:['x'", "hostname:'x' status:'normal'", "last_seen:>'yesterday'", "status:~'n'",
	} {
		n.get("/devices/queries/devices/v1", "filter", bad).want(t, http.StatusBadRequest, 400, "Invalid filter expression supplied")
	}
	n.get("/devices/queries/devices/v1", "filter", "local_ip:*'10.0.0.*'").want(t, http.StatusBadRequest, 400, "invalid IP address for local_ip: 10.0.0.*")
}

func TestWholeFleet(t *testing.T) {
	r := &recorder{TB: t}
	n := startOn(t, r, falconfake.Options{})
	if got := n.get("/devices/queries/devices/v1"); len(got.body.Resources) != 3 || !r.said("reads every host") {
		t.Errorf("without a filter: %v, reported %v", got.body.Resources, r.errs)
	}
}

func addHosts(n *tenant, count int) {
	for i := range count {
		n.w.Add(edrtest.Host{ID: fmt.Sprintf("%032x", 1000+i), Name: fmt.Sprintf("WS-%03d", i)})
	}
}

// Pages by numbers, by a token that lives two minutes, and of whole records.
func TestPages(t *testing.T) {
	n := start(t, falconfake.Options{MaxPage: 3})
	addHosts(n, 7)
	const filter = "hostname:'WS-'"
	seen := map[any]bool{}
	for offset := 0; offset < 7; {
		got := n.get("/devices/queries/devices/v1", "filter", filter, "limit", "5000", "offset", fmt.Sprint(offset), "sort", "hostname.desc").want(t, http.StatusOK, 0, "")
		if len(got.body.Resources) > 3 || got.body.Meta.Pagination.Total != 7 {
			t.Fatalf("a page of %d of %d", len(got.body.Resources), got.body.Meta.Pagination.Total)
		}
		for _, id := range got.body.Resources {
			seen[id] = true
		}
		offset = int(got.body.Meta.Pagination.Offset.(float64))
	}
	if len(seen) != 7 {
		t.Errorf("saw %d of 7", len(seen))
	}
	n.rude().get("/devices/queries/devices/v1", "filter", filter, "limit", "5001").want(t, http.StatusBadRequest, 400, "limit")
	n.get("/devices/queries/devices/v1", "filter", filter, "limit", "5000", "offset", "5001").want(t, http.StatusBadRequest, 400, "10000")
	n.get("/devices/queries/devices/v1", "filter", filter, "sort", "size.asc").want(t, http.StatusBadRequest, 400, "sort")

	var names []string
	for offset := "first"; offset != ""; {
		q := []string{"filter", filter, "limit", "10000", "fields", "hostname"}
		if offset != "first" {
			q = append(q, "offset", offset)
		}
		got := n.get("/devices/combined/devices/v1", q...).want(t, http.StatusOK, 0, "")
		for _, r := range got.body.Resources {
			if _, all := r.(map[string]any)["status"]; all {
				t.Error("a field that was not asked for came")
			}
			names = append(names, r.(map[string]any)["hostname"].(string))
		}
		offset = got.body.Meta.Pagination.Next
	}
	if len(names) != 7 || !slices.IsSorted(names) {
		t.Errorf("combined pages gave %v", names)
	}

	got := n.get("/devices/queries/devices-scroll/v1", "filter", filter).want(t, http.StatusOK, 0, "")
	next := got.body.Meta.Pagination.Offset.(string)
	n.get("/devices/queries/devices-scroll/v1", "filter", filter, "offset", next).want(t, http.StatusOK, 0, "")
	n.clock.pass(2 * time.Minute)
	n.get("/devices/queries/devices-scroll/v1", "filter", filter, "offset", next).want(t, http.StatusBadRequest, 400, "invalid offset")
}

func TestDetails(t *testing.T) {
	n := start(t, falconfake.Options{})
	got := n.get("/devices/entities/devices/v2", "ids", srv1, "ids", gone).want(t, http.StatusOK, 404, "not found")
	h := got.first(t)
	for k, want := range map[string]any{
		"hostname": "SRV-01", "status": "normal", "product_type_desc": "Server", "local_ip": "10.0.0.5", "last_seen": "2026-11-30T12:00:00Z",
		"last_login_user": "ann", "machine_domain": "example.org", "os_version": "Windows Server 2022",
	} {
		if h[k] != want {
			t.Errorf("%s is %v, want %v", k, h[k], want)
		}
	}
	if len(got.body.Resources) != 1 || got.body.Errors[0].ID != gone {
		t.Errorf("got %s", got.text)
	}
	// Joined by a comma, two ids are one that there is not.
	if got := n.rude().get("/devices/entities/devices/v2", "ids", srv1+","+srv2); len(got.body.Resources) != 0 || len(got.body.Errors) != 1 {
		t.Errorf("ids joined by a comma found %v", got.body.Resources)
	}
	n.rude().get("/devices/entities/devices/v2").want(t, http.StatusBadRequest, 400, "")
	n.rude().send("GET", "/devices/entities/devices/v2?ids="+strings.Join(slices.Repeat([]string{srv1}, 101), "&ids="), "", "").want(t, http.StatusBadRequest, 400, "100")
	n.post("/devices/entities/devices/v2", map[string]any{"ids": []string{srv1}}).want(t, http.StatusOK, 0, "")
	n.rude().post("/devices/entities/devices/v2", map[string]any{"Ids": []string{srv1}}).want(t, http.StatusBadRequest, 400, "ids is required")
	n.rude().post("/devices/entities/devices/v2", `[]`).want(t, http.StatusBadRequest, 400, "not a JSON object")
	n.rude().post("/devices/entities/devices/v2", `{"ids":"x"}`).want(t, http.StatusBadRequest, 400, "wrong type")
}

func TestOnlineState(t *testing.T) {
	n := start(t, falconfake.Options{})
	got := n.get("/devices/entities/online-state/v1", "ids", srv1, "ids", srv2, "ids", gone).want(t, http.StatusOK, 0, "")
	var states []any
	for _, r := range got.body.Resources {
		states = append(states, r.(map[string]any)["state"])
	}
	if diff := cmp.Diff([]any{"online", "offline", "unknown"}, states); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	n.rude().get("/devices/entities/online-state/v1").want(t, http.StatusBadRequest, 400, "ids")
}

func TestHistory(t *testing.T) {
	n := start(t, falconfake.Options{})
	body := map[string]any{"ids": []string{srv1, gone}}
	got := n.post("/devices/combined/devices/network-address-history/v1", body).want(t, http.StatusOK, 404, "")
	history := got.first(t)["history"].([]any)
	if old := history[1].(map[string]any); old["ip_address"] != "10.0.0.99" || old["timestamp"] != "2026-11-29T12:00:00Z" || len(history) != 2 {
		t.Errorf("history %v", history)
	}
	got = n.post("/devices/combined/devices/login-history/v2", body).want(t, http.StatusOK, 404, "")
	if logins := got.first(t)["recent_logins"].([]any); len(logins) != 2 || logins[0].(map[string]any)["user_name"] != "ann" {
		t.Errorf("logins %v", logins)
	}
	got = n.post("/devices/combined/devices/login-history/v2?from=2026-11-30T00:00:00Z&limit=5", body).want(t, http.StatusOK, 0, "")
	if logins := got.first(t)["recent_logins"].([]any); len(logins) != 1 {
		t.Errorf("logins of today %v", logins)
	}
	n.rude().post("/devices/combined/devices/login-history/v2?from=today", body).want(t, http.StatusBadRequest, 400, "today")
}

func TestNulls(t *testing.T) {
	n := start(t, falconfake.Options{Nulls: true})
	got := n.get("/devices/queries/devices/v1", "filter", "hostname:'none'").want(t, http.StatusOK, 0, "")
	if !strings.Contains(got.text, `"resources":null`) || !strings.Contains(got.text, `"errors":null`) {
		t.Errorf("got %s", got.text)
	}
}

func TestNewFields(t *testing.T) {
	n := start(t, falconfake.Options{NewFields: true})
	got := n.get("/devices/entities/devices/v2", "ids", srv1).want(t, http.StatusOK, 0, "")
	if got.first(t)["added_later"] == nil || strings.Count(got.text, "added_later") != 2 {
		t.Errorf("got %s", got.text)
	}
}

func TestUnknownWords(t *testing.T) {
	n := start(t, falconfake.Options{UnknownWords: true})
	if h := n.get("/devices/entities/devices/v2", "ids", srv1).first(t); h["status"] != "quarantine_review" {
		t.Errorf("status %v", h["status"])
	}
	if h := n.get("/devices/entities/online-state/v1", "ids", srv1).first(t); h["state"] != "quarantine_review" {
		t.Errorf("state %v", h["state"])
	}
}
