package defender

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/defender/defenderfake"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// byName is a device that is found by its name, an isolation of another one, and what is asked
// for afterwards: whose filter names a device, and who is logged on to it.
type byName struct {
	*wire
	*Client
	// all answers what is asked of all devices, users the hunting for users.
	all, users http.HandlerFunc

	mu         sync.Mutex
	afterwards []string
}

// asked notes what was asked for: the client asks for both at once.
func (x *byName) asked(what string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.afterwards = append(x.afterwards, what)
}

func byNameOf(t *testing.T) *byName {
	t.Helper()
	x := &byName{all: says(http.StatusOK, `{"value": []}`), users: says(http.StatusOK, `{"results": []}`)}
	x.wire, x.Client = onDevice(t)
	x.routes["GET /api/machines"] = says(http.StatusOK, `{"value": [{"id": "`+device+`", "computerDnsName": "ws-042"}]}`)
	x.routes["GET /api/machineactions"] = func(w http.ResponseWriter, r *http.Request) {
		if filter := r.URL.Query().Get("$filter"); strings.HasPrefix(filter, "machineId") {
			x.asked("actions")
			_, _ = io.WriteString(w, `{"value": [`+actionBody("Isolate", "by hand", device, "Pending")+`]}`)
			return
		}
		x.all(w, r)
	}
	x.routes["GET "+machinePath+"/logonusers"] = func(w http.ResponseWriter, _ *http.Request) {
		x.asked("users")
		_, _ = io.WriteString(w, `{"value": [{"accountName": "bob", "accountDomain": "corp"}]}`)
	}
	x.routes["POST /v1.0/security/runHuntingQuery"] = func(w http.ResponseWriter, r *http.Request) { x.users(w, r) }
	return x
}

// find finds the device, and returns its isolation and its users.
func (x *byName) find(t *testing.T) (isolation, users string) {
	t.Helper()
	x.afterwards = nil
	got, err := x.Endpoints(t.Context(), integrations.EndpointQuery{Name: "ws-042"})
	if err != nil || len(got) != 1 {
		t.Fatalf("%d devices, %v", len(got), err)
	}
	slices.Sort(x.afterwards)
	return got[0].Isolation.String(), got[0].Users.String()
}

// What was ordered on all devices says whether one is isolated, where it is all: else the
// device is asked about.
func TestIsolationsOfAllDevices(t *testing.T) {
	long := strings.Replace(actionBody("Isolate", "by hand", strings.ToUpper(device), "Succeeded"), "2026-", "2024-", 1)
	other := actionBody("Isolate", "by hand", strings.Repeat("1", 40), "Succeeded")
	page := func(more string, actions ...string) http.HandlerFunc {
		return says(http.StatusOK, `{"value": [`+strings.Join(actions, ",")+`]`+more+`}`)
	}
	for name, c := range map[string]struct {
		all   http.HandlerFunc
		want  string
		asked bool
	}{
		"none":                        {page(""), "none", false},
		"no list":                     {says(http.StatusOK, `{"value": null}`), "none", false},
		"one long ago":                {page("", other, long), "isolated", false},
		"another device's":            {page("", other), "none", false},
		"almost a page":               {page("", slices.Repeat([]string{other}, maxIsolations-1)...), "none", false},
		"a page":                      {page("", slices.Repeat([]string{other}, maxIsolations)...), "isolating", true},
		"there are more":              {page(`, "@odata.nextLink": "https://api.security.microsoft.com/api/machineactions?$skip=1"`, other), "isolating", true},
		"the filter is refused":       {says(http.StatusBadRequest, `{"error": {"code": "ODataError", "message": "no"}}`), "isolating", true},
		"an answer of something else": {says(http.StatusOK, `{}`), "isolating", true},
	} {
		x := byNameOf(t)
		x.all = c.all
		if got, _ := x.find(t); got != c.want || slices.Contains(x.afterwards, "actions") != c.asked {
			t.Errorf("%s: it is %s, and afterwards %q was asked for; want %s, asked for its actions %t", name, got, x.afterwards, c.want, c.asked)
		}
	}
}

// An order that was accepted a moment ago counts, though the list of all lacks it.
func TestAnOrderThatTheListOfAllLacks(t *testing.T) {
	x := byNameOf(t)
	x.ordered.Add(action{ID: guid, Type: "Isolate", Status: "Pending", Machine: device}, time.Now())
	if got, _ := x.find(t); got != "isolating" {
		t.Errorf("it is %s, want isolating", got)
	}
}

// Hunting tells who is logged on of the devices that it knows. Of others, and where it does
// not answer, the device is asked.
func TestUsersByHunting(t *testing.T) {
	report := func(id, users string) string {
		text, err := json.Marshal(users)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf(`{"DeviceId": %q, "LoggedOnUsers": %s}`, id, text)
	}
	rows := func(all ...string) http.HandlerFunc {
		return says(http.StatusOK, `{"results": [`+strings.Join(all, ",")+`]}`)
	}
	const anna = `[{"UserName": "anna", "DomainName": "corp", "Sid": "S-1"}, {"UserName": "anna", "DomainName": "CORP"}, {"UserName": "root", "DomainName": null}]`
	const told, asked = `[corp\anna CORP\anna root]`, `[corp\bob]`
	for name, c := range map[string]struct {
		users http.HandlerFunc
		want  string
	}{
		"a report":               {rows(report(strings.ToUpper(device), anna)), told},
		"with another device's":  {rows(report(strings.Repeat("1", 40), `[{"UserName": "eve"}]`), report(device, anna)), told},
		"another device's alone": {rows(report(strings.Repeat("1", 40), anna)), asked},
		"of no device":           {rows(report("ws-042", anna)), asked},
		"nobody":                 {rows(report(device, "[]")), asked},
		"what is no list":        {rows(report(device, `{"UserName": "anna"}`)), asked},
		"users without a name":   {rows(report(device, `[{"Sid": "S-1"}]`)), asked},
		"hunting is refused":     {says(http.StatusForbidden, `{"error": {"code": "Forbidden", "message": "no"}}`), asked},
		"hunting has no time":    {says(http.StatusTooManyRequests, `{"error": {"code": "TooManyRequests", "message": "no"}}`), asked},
		"hunting fails":          {says(http.StatusInternalServerError, `{"error": {"code": "UnknownError", "message": ""}}`), asked},
	} {
		x := byNameOf(t)
		x.users = c.users
		if _, got := x.find(t); got != c.want || slices.Contains(x.afterwards, "users") != (c.want == asked) {
			t.Errorf("%s: the users are %s, want %s; afterwards %q was asked for", name, got, c.want, x.afterwards)
		}
	}
}

// A device that is found does not wait long for hunting.
func TestUsersAreNotWaitedForLong(t *testing.T) {
	x := byNameOf(t)
	x.Client = x.open(t, func(c *Config) { c.Timeout = maxTimeout })
	x.users = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	x.patience = time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	got, err := x.Endpoints(ctx, integrations.EndpointQuery{Name: "ws-042"})
	if err != nil || len(got) != 1 || got[0].Users.String() != `[corp\bob]` {
		t.Errorf("%+v, %v", got, err)
	}
}

// A device whose id is known is asked about at once, and no other: hunting's calls are few.
func TestByItsIDTheDeviceAloneIsAsked(t *testing.T) {
	x := byNameOf(t)
	x.users = func(http.ResponseWriter, *http.Request) { t.Error("hunting was asked for users") }
	x.all = func(http.ResponseWriter, *http.Request) { t.Error("all devices' isolations were asked for") }
	got, err := x.Endpoints(t.Context(), integrations.EndpointQuery{ID: device, Name: "ws-042"})
	if err != nil || len(got) != 1 || got[0].Isolation.String() != "isolating" || got[0].Users.String() != `[corp\bob]` {
		t.Errorf("%+v, %v", got, err)
	}
}

// Of two devices with one name each has its own users and isolation; and so has one of two
// that had an address.
func TestTwoDevicesOfOneName(t *testing.T) {
	d := judged(t)
	for name, o := range map[string]defenderfake.Options{"plain": {}, "no hunting": {Plan: defenderfake.Business}, "pages of one": {MaxPage: 1, NullLists: true}} {
		t.Run(name, func(t *testing.T) {
			x := d.open(t, o)
			since := time.Now().Add(-time.Hour)
			host := func(id, domain, user string) {
				x.add(edrtest.Host{
					ID: idOf(id), Name: "ws-042", Domain: domain, Sessions: []edrtest.Session{{User: user, Domain: "CORP", Since: since}},
					Addresses: []edrtest.Address{{IP: "192.0.2.2"}},
				})
			}
			host("a", "corp.example", "anna")
			host("b", "", "bob")
			x.add(edrtest.Host{ID: idOf("c"), Name: "ws-0421", Sessions: []edrtest.Session{{User: "eve", Domain: "CORP", Since: since}}})
			o := incident.Order{Key: "key-1", Action: incident.Isolate, Target: x.target(t, "b")}
			if _, err := x.Apply(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			x.world.Settle()
			want := map[string]string{idOf("a"): `none [CORP\anna]`, idOf("b"): `isolated [CORP\bob]`}
			for _, q := range []integrations.EndpointQuery{{Name: "WS-042"}, {IPs: []string{"192.0.2.2"}}} {
				got, err := x.Endpoints(t.Context(), q)
				if err != nil || len(got) != 2 {
					t.Fatalf("%+v finds %d devices, %v", q, len(got), err)
				}
				for _, e := range got {
					id, _ := e.ID.Get()
					if is := e.Isolation.String() + " " + e.Users.String(); is != want[id] {
						t.Errorf("%+v: device %s: %s, want %s", q, id, is, want[id])
					}
				}
			}
		})
	}
}

// Who is logged on is told of the time that is asked about; where nobody is, who was last.
func TestUsersAreThoseOfTheTime(t *testing.T) {
	x := judged(t).open(t, defenderfake.Options{})
	now := time.Now()
	x.add(edrtest.Host{ID: idOf("ws-042"), Name: "ws-042", Sessions: []edrtest.Session{
		{User: "anna", Domain: "CORP", Since: now.Add(-5 * time.Hour)}, {User: "bob", Domain: "CORP", Since: now.Add(-time.Hour)},
	}})
	for ago, want := range map[time.Duration]string{0: `[CORP\anna CORP\bob]`, 3 * time.Hour: `[CORP\anna]`} {
		got, err := x.Endpoints(t.Context(), integrations.EndpointQuery{Name: "ws-042", At: now.Add(-ago)})
		if err != nil || len(got) != 1 || got[0].Users.String() != want {
			t.Errorf("%s ago: %+v, %v; want the users %s", ago, got, err, want)
		}
	}
}

// Nothing of an alert gets into a query but names of the plainest form, and addresses.
func TestQueriesForUsers(t *testing.T) {
	at := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	const window = "\n| where Timestamp >= datetime(2026-11-29T12:00:00.0000000Z) and Timestamp < datetime(2026-11-30T12:15:00.0000000Z)"
	for _, c := range []struct {
		name string
		ips  []string
		want string
	}{
		{"WS-042", nil, "DeviceInfo\n| where DeviceName =~ \"ws-042\" or DeviceName startswith \"ws-042.\"" + window},
		{"ws-042.corp.example.", []string{"192.0.2.2"}, "DeviceInfo\n| where DeviceName in~ (\"ws-042.corp.example\", \"ws-042\")" + window},
		{"", []string{"::ffff:192.0.2.2", "2001:DB8::1%eth0", `x" or "`}, "DeviceInfo\n| where DeviceId in (DeviceNetworkInfo\n| where IPAddresses has_any (\"192.0.2.2\", \"2001:db8::1\")" + window + "\n| distinct DeviceId)" + window},
		{`a" or "1" == "1`, nil, ""},
		{"a\n| union DeviceInfo", nil, ""},
		{`a\`, nil, ""},
		{"büro", nil, ""},
		{"", []string{`192.0.2.2")`}, ""},
	} {
		got := usersQuery(c.name, addressesOf(c.ips), at)
		if c.want != "" {
			c.want += "\n| where LoggedOnUsers !in (\"\", \"[]\")\n| summarize arg_max(Timestamp, LoggedOnUsers) by DeviceId\n| top 1000 by Timestamp desc\n| project DeviceId, LoggedOnUsers"
		}
		if got != c.want {
			t.Errorf("%q %q is asked for by\n%s\nwant\n%s", c.name, c.ips, got, c.want)
		}
	}
}

// Of a time that hunting has no events of it is not asked.
func TestHuntingIsNotAskedOfLongAgo(t *testing.T) {
	x := byNameOf(t)
	x.users = func(http.ResponseWriter, *http.Request) { t.Error("hunting was asked") }
	got, err := x.Endpoints(context.WithoutCancel(t.Context()), integrations.EndpointQuery{Name: "ws-042", At: time.Now().Add(-31 * 24 * time.Hour)})
	if err != nil || len(got) != 1 || got[0].Users.String() != `[corp\bob]` {
		t.Errorf("%+v, %v", got, err)
	}
}
