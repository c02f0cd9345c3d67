package crowdstrike

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	one   = "11111111111111111111111111111111"
	two   = "22222222222222222222222222222222"
	three = "33333333333333333333333333333333"
)

func host(id, name, domain, ip string) string {
	return fmt.Sprintf(`{"device_id":%q,"hostname":%q,"machine_domain":%q,"local_ip":%q,"platform_name":"Windows","status":"normal","product_type_desc":"Server","groups":null,"odd":{"new":1}}`, id, name, domain, ip)
}

func ids(found []incident.Endpoint) []string {
	var all []string
	for _, e := range found {
		id, _ := e.ID.Get()
		all = append(all, id)
	}
	return all
}

// Falcon may return more than what is exact: it is checked.
func TestNamesAreExact(t *testing.T) {
	hosts := "[" + strings.Join([]string{host(one, "WS-042", "corp.example", "192.0.2.1"), host(two, "ws-0421", "corp.example", "192.0.2.2"), host(three, "ws-042", "lab.example", "192.0.2.3")}, ",") + "]"
	for _, test := range []struct {
		name string
		want []string
	}{
		{"ws-042", []string{one, three}},
		{"WS-042.", []string{one, three}},
		{"ws-042.CORP.example", []string{one}},
		{"ws-042.lab.example", []string{three}},
		// Not documented: how the domain of DNS and that of the directory go together. Where
		// no device is in the name's domain, each of the short name is shown.
		{"ws-042.elsewhere.example", []string{one, three}},
		{"ws-04", nil},
		{"ws-04*", nil},
		{"ws-042','ws-0421", nil},
		{"", nil},
	} {
		f, r := falcon(t, map[string][]reply{"GET " + searchPath: {ok(hosts)}, "GET " + onlinePath: {ok(`[]`)}})
		found, err := f.Endpoints(t.Context(), integrations.EndpointQuery{Name: test.name})
		if err != nil || !slices.Equal(ids(found), test.want) {
			t.Errorf("%q finds %v, %v; want %v", test.name, ids(found), err, test.want)
		}
		for _, a := range r.requests() {
			if q, _ := url.ParseQuery(a.query); strings.ContainsAny(q.Get("filter"), "*~[]") || strings.Count(q.Get("filter"), "'") != 2*strings.Count(q.Get("filter"), ":") {
				t.Errorf("%q asks with the filter %s", test.name, q.Get("filter"))
			}
		}
	}
}

func TestWhatFalconSaysOfADevice(t *testing.T) {
	f, _ := falcon(t, map[string][]reply{
		"GET " + searchPath: {ok(`[{"device_id":"` + one + `","hostname":"DC-1","platform_name":"Windows","product_type":"2","status":"contained","last_seen":"2026-11-30T06:00:00Z","last_login_user":"anna","tags":["FalconGroupingTags/a"],"groups":["g1"],"local_ip":"192.0.2.1","connection_ip":"192.0.2.9"},
			{"device_id":"` + two + `","hostname":"dc-1","product_type_desc":"Toaster","status":"melted","tags":null,"local_ip":""}]`)},
		"GET " + onlinePath: {ok(`[{"id":"` + one + `","state":"online"},{"id":"` + two + `","state":"unknown"}]`)},
	})
	found, err := f.Endpoints(t.Context(), integrations.EndpointQuery{Name: "dc-1"})
	if err != nil || len(found) != 2 {
		t.Fatalf("found %d devices, %v", len(found), err)
	}
	a, b := found[0], found[1]
	for name, got := range map[string][2]string{
		"os": {a.OS.String(), "windows"}, "role": {a.Role.String(), "domain_controller"}, "isolation": {a.Isolation.String(), "isolated"},
		"users": {a.Users.String(), "[anna]"}, "tags": {a.Tags.String(), "[FalconGroupingTags/a]"}, "groups": {a.Groups.String(), "[g1]"},
		"ip": {a.IP.String(), "[192.0.2.1 192.0.2.9]"}, "online": {a.Online.String(), "true"}, "seen": {a.LastSeen.String(), "2026-11-30 06:00:00 +0000 UTC"},
		"odd role": {b.Role.String(), `unknown (Falcon says "Toaster")`}, "odd isolation": {b.Isolation.String(), `unknown (Falcon says "melted")`},
		"odd online": {b.Online.String(), `unknown (Falcon says "unknown")`}, "no os": {b.OS.String(), "unknown (Falcon does not say)"},
		"no address": {b.IP.String(), "unknown (Falcon knows no address of the device)"}, "no tags": {b.Tags.String(), "[]"},
		"route": {b.Route.String(), "unknown (Falcon does not tell how the sensor reaches its cloud)"},
	} {
		if got[0] != got[1] {
			t.Errorf("%s is %q, want %q", name, got[0], got[1])
		}
	}
}

// An address agrees only where the device had it at the time of the alert.
func TestAddressesOfATime(t *testing.T) {
	at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	entry := func(ip, mac string, ago time.Duration) string {
		return fmt.Sprintf(`{"ip_address":%q,"mac_address":%q,"timestamp":%q}`, ip, mac, at.Add(-ago).Format(time.RFC3339))
	}
	for _, test := range []struct {
		name    string
		entries []string
		want    string
		found   bool // by the address alone
	}{
		{"it had it", []string{entry("10.0.0.5", "a", 24*time.Hour)}, "[10.0.0.5]", true},
		{"it has it since", []string{entry("10.0.0.9", "a", 24*time.Hour), entry("10.0.0.5", "a", -time.Hour)}, "[10.0.0.9]", false},
		{"it had it before", []string{entry("10.0.0.5", "a", 24*time.Hour), entry("10.0.0.9", "a", time.Hour)}, "[10.0.0.9]", false},
		{"two interfaces", []string{entry("10.0.0.5", "a", 24*time.Hour), entry("10.0.1.5", "b", 24*time.Hour-time.Minute)}, "[10.0.1.5 10.0.0.5]", true},
		{"another interface, long ago", []string{entry("10.0.0.5", "a", 24*time.Hour), entry("10.0.1.5", "b", time.Hour)}, "[10.0.1.5]", false},
		{"nothing before", []string{entry("10.0.0.5", "a", -time.Hour)}, "unknown (Falcon's history of the device's addresses says nothing of the time)", true},
		{"nothing", nil, "unknown (Falcon's history of the device's addresses says nothing of the time)", true},
		{"what is no address", []string{`{"ip_address":"","timestamp":"2026-11-01T00:00:00Z"}`, `{"ip_address":"10.0.0.5","timestamp":"soon"}`}, "unknown (Falcon's history of the device's addresses says nothing of the time)", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			answers := map[string][]reply{
				"GET " + searchPath:   {ok("[" + host(one, "ws-1", "", "10.0.0.5") + "]")},
				"GET " + onlinePath:   {ok(`[{"id":"` + one + `","state":"online"}]`)},
				"POST " + historyPath: {ok(`[{"device_id":"` + one + `","history":[` + strings.Join(test.entries, ",") + `]}]`)},
			}
			f, _ := falcon(t, answers)
			found, err := f.Endpoints(t.Context(), integrations.EndpointQuery{ID: one, IPs: []string{"10.0.0.5"}, At: at})
			if err != nil || len(found) != 1 || found[0].IP.String() != test.want {
				t.Errorf("by id: %v, %v; want the addresses %s", found, err, test.want)
			}
			f, _ = falcon(t, answers)
			found, err = f.Endpoints(t.Context(), integrations.EndpointQuery{IPs: []string{"10.0.0.5"}, At: at})
			if err != nil || (len(found) == 1) != test.found {
				t.Errorf("by its address now: %v, %v; want found: %t", ids(found), err, test.found)
			}
		})
	}
}

// The last address of a device that has been away may be another's by now.
func TestAddressesOfADeviceThatIsAway(t *testing.T) {
	seen := time.Now().Add(-48 * time.Hour).UTC().Format(time.RFC3339)
	f, _ := falcon(t, map[string][]reply{
		"GET " + searchPath: {ok(`[{"device_id":"` + one + `","hostname":"ws-1","local_ip":"10.0.0.5","status":"normal","last_seen":"` + seen + `"}]`)},
		"GET " + onlinePath: {ok(`[{"id":"` + one + `","state":"offline"}]`)},
	})
	found, err := f.Endpoints(t.Context(), integrations.EndpointQuery{IPs: []string{"10.0.0.5"}, At: time.Now()})
	if err != nil || len(found) != 1 || found[0].IP.IsKnown() || !strings.Contains(found[0].IP.Why(), "offline since") {
		t.Errorf("found %+v, %v", found, err)
	}
}

// What the API client may not read stays unknown; what may be read later is an error.
func TestFindWithFewerRights(t *testing.T) {
	at := time.Now().Add(-time.Hour)
	for _, test := range []struct {
		name            string
		online, history reply
		fails           bool
	}{
		{"no right to either", reply{403, `{"errors":[{"code":403,"message":"no"}]}`}, reply{403, ``}, false},
		{"down", reply{503, ``}, reply{403, ``}, true},
		{"throttled", reply{403, ``}, reply{429, ``}, true},
	} {
		f, _ := falcon(t, map[string][]reply{
			"GET " + searchPath: {ok("[" + host(one, "ws-1", "", "10.0.0.5") + "]")}, "GET " + onlinePath: {test.online}, "POST " + historyPath: {test.history},
		})
		found, err := f.Endpoints(t.Context(), integrations.EndpointQuery{ID: one, At: at})
		switch {
		case (err != nil) != test.fails:
			t.Errorf("%s: the error is %v", test.name, err)
		case err == nil && (len(found) != 1 || found[0].Online.IsKnown() || found[0].IP.IsKnown()):
			t.Errorf("%s: found %+v", test.name, found)
		}
	}
}

func TestDevicesArePagedToTheEnd(t *testing.T) {
	page := func(total int, next string, hosts ...string) reply {
		return reply{200, fmt.Sprintf(`{"meta":{"pagination":{"total":%d,"next":%q,"limit":1}},"errors":[],"resources":[%s]}`, total, next, strings.Join(hosts, ","))}
	}
	a, b := host(one, "ws-1", "", ""), host(two, "ws-1", "", "")
	for _, test := range []struct {
		name  string
		pages []reply
		want  []string
		wrong string
	}{
		{"two pages", []reply{page(2, "n1", a), page(2, "", b)}, []string{one, two}, ""},
		{"an end that is not told", []reply{page(2, "n1", a), page(2, "n2", b)}, []string{one, two}, ""},
		{"no total", []reply{page(0, "n1", a), page(0, "n2", b), page(0, "n3")}, []string{one, two}, ""},
		{"a page is missing", []reply{page(2, "", a)}, nil, "returns 1"},
		{"a page comes again", []reply{page(9, "n1", a)}, nil, "returns 2"},
		{"too many", []reply{page(5000, "n1", a)}, nil, "more than 1000"},
	} {
		f, _ := falcon(t, map[string][]reply{"GET " + searchPath: test.pages, "GET " + onlinePath: {ok(`[]`)}})
		found, err := f.Endpoints(t.Context(), integrations.EndpointQuery{Name: "ws-1"})
		switch {
		case test.wrong == "" && (err != nil || !slices.Equal(ids(found), test.want)):
			t.Errorf("%s: found %v, %v; want %v", test.name, ids(found), err, test.want)
		case test.wrong != "" && (err == nil || !strings.Contains(err.Error(), test.wrong)):
			t.Errorf("%s: found %v, %v; want an error with %q", test.name, ids(found), err, test.wrong)
		}
	}
}

// One query goes in as many filters as Falcon takes comparisons.
func TestManyAddressesAreSeveralFilters(t *testing.T) {
	var ips []string
	for n := range 45 {
		ips = append(ips, fmt.Sprintf("10.0.0.%d", n))
	}
	f, r := falcon(t, map[string][]reply{"GET " + searchPath: {ok(`[]`)}})
	if _, err := f.Endpoints(t.Context(), integrations.EndpointQuery{IPs: append(ips, "10.0.0.0/8", "x")}); err != nil {
		t.Fatal(err)
	}
	terms := 0
	for _, a := range r.requests() {
		q, _ := url.ParseQuery(a.query)
		n := strings.Count(q.Get("filter"), ":")
		if n > maxTerms {
			t.Errorf("a filter has %d comparisons", n)
		}
		terms += n
	}
	if terms != len(ips) {
		t.Errorf("%d comparisons were made of %d addresses", terms, len(ips))
	}
}
