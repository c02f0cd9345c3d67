package elastic

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/elastic/defendfake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func find(t *testing.T, x *deployment, q integrations.EndpointQuery) []incident.Endpoint {
	t.Helper()
	got, err := x.Endpoints(t.Context(), q)
	if err != nil {
		t.Fatalf("%+v: %v", q, err)
	}
	return got
}

// An address is that of who had it at the time, by the events of that time.
func TestAnAddressIsOfItsTime(t *testing.T) {
	x := judged(t).open(t, defendfake.Options{})
	now := time.Now()
	then := now.Add(-5 * time.Hour)
	host := func(name string, offline bool, addresses ...edrtest.Address) {
		x.world.Add(edrtest.Host{
			ID: agentOf(name), Name: name, Offline: offline, LastSeen: now.Add(-2 * time.Hour), Addresses: addresses,
			Processes: []*edrtest.Process{{PID: 1, Path: `C:\a.exe`, Start: then}},
		})
	}
	host("before", false, edrtest.Address{IP: "192.0.2.5", From: then.Add(-time.Hour), To: then.Add(time.Hour)}, edrtest.Address{IP: "192.0.2.6", From: then.Add(time.Hour)})
	host("after", false, edrtest.Address{IP: "192.0.2.5", From: then.Add(time.Hour)})
	host("away", true, edrtest.Address{IP: "192.0.2.5", From: then.Add(time.Hour)})
	for name, c := range map[string]struct {
		q    integrations.EndpointQuery
		want string
		ips  []string
	}{
		"then":          {integrations.EndpointQuery{IPs: []string{"192.0.2.5"}, At: then}, "before", []string{"192.0.2.5"}},
		"now":           {integrations.EndpointQuery{IPs: []string{"192.0.2.5"}}, "after", []string{"192.0.2.5"}},
		"within IPv6":   {integrations.EndpointQuery{IPs: []string{"::ffff:192.0.2.5"}, At: now}, "after", []string{"192.0.2.5"}},
		"of a name":     {integrations.EndpointQuery{Name: "before", At: then}, "before", []string{"192.0.2.5"}},
		"not known":     {integrations.EndpointQuery{Name: "before", At: then.Add(30 * time.Minute)}, "before", nil},
		"of who is off": {integrations.EndpointQuery{Name: "away"}, "away", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := find(t, x, c.q)
			if len(got) != 1 {
				t.Fatalf("%d devices", len(got))
			}
			name, _ := got[0].Name.Get()
			ips, _ := got[0].IP.Get()
			if name != c.want || !slices.Equal(ips, c.ips) {
				t.Errorf("%s with %v (%s), want %s with %v", name, ips, got[0].IP.Why(), c.want, c.ips)
			}
		})
	}
}

// A name is found in any case, with its domain and without, and nothing else is.
func TestNames(t *testing.T) {
	x := judged(t).open(t, defendfake.Options{})
	now := time.Now()
	for _, name := range []string{"MixedCase-1", "ws-1.corp.example", "ws-10.corp.example", "SRV"} {
		x.world.Add(edrtest.Host{ID: agentOf(name), Name: name, Processes: []*edrtest.Process{{PID: 1, Path: `C:\a.exe`, Start: now.Add(-time.Minute)}}})
	}
	for name, want := range map[string]string{
		"mixedcase-1": "MixedCase-1", "MIXEDCASE-1.corp.example": "MixedCase-1", "WS-1": "ws-1.corp.example", "ws-1.CORP.example.": "ws-1.corp.example",
		"ws-1.other.example": "", "srv": "SRV", "sr": "", "ws": "", `SRV" or "ws-1`: "",
	} {
		got := find(t, x, integrations.EndpointQuery{Name: name})
		var names []string
		for _, e := range got {
			n, _ := e.Name.Get()
			names = append(names, n)
		}
		if strings.Join(names, " ") != want {
			t.Errorf("%s finds %q, want %q", name, names, want)
		}
	}
}

// What a device is, as far as Elastic tells, and what it does not.
func TestWhatADeviceIs(t *testing.T) {
	x := judged(t).open(t, defendfake.Options{})
	for name, os := range map[string]string{"a": "Windows 10 Pro", "b": "Windows Server 2019 Datacenter"} {
		x.world.Add(edrtest.Host{ID: agentOf(name), Name: name, OS: os})
	}
	one := func(name string) incident.Endpoint {
		t.Helper()
		got := find(t, x, integrations.EndpointQuery{ID: agentOf(name)})
		if len(got) != 1 {
			t.Fatalf("%s: %d devices", name, len(got))
		}
		return got[0]
	}
	a, b := one("a"), one("b")
	for what, got := range map[string][2]string{
		"os": {a.OS.String(), "windows"}, "role": {a.Role.String(), "workstation"}, "online": {a.Online.String(), "true"}, "isolation": {a.Isolation.String(), "none"},
		"groups": {a.Groups.String(), "[servers]"},
	} {
		if got[0] != got[1] {
			t.Errorf("%s is %s, want %s", what, got[0], got[1])
		}
	}
	if b.Role.IsKnown() || a.Route.IsKnown() || a.Users.IsKnown() || a.Tags.IsKnown() {
		t.Errorf("known are a server's role %s, a route %s, users %s, tags %s", b.Role, a.Route, a.Users, a.Tags)
	}
	if len(a.UnknownRoute()) == 0 {
		t.Error("nobody is asked about the route")
	}
	x.world.Change(agentOf("a"), func(h *edrtest.Host) { h.Offline = true })
	o := incident.Order{Key: "k", Action: incident.Isolate, Target: x.target(t, "a"), Reason: "case 1"}
	if _, err := x.Apply(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	r, err := x.Read(t.Context(), o)
	if err != nil || !r.Pending || r.Key != "k" || !strings.Contains(r.Detail, "the device is offline; queued at Elastic for two weeks") {
		t.Errorf("of an offline device: %+v, %v", r, err)
	}
	if got := one("a").Isolation.String(); got != "isolating" {
		t.Errorf("isolation is %s, want isolating", got)
	}
	x.double.SetStatus(agentOf("a"), "updating")
	if got := one("a").Online.String(); got != "true" {
		t.Errorf("online is %s while the agent is updated", got)
	}
	if got := (device{Status: "sleeping"}).online(); got.IsKnown() || !strings.Contains(got.Why(), "sleeping") {
		t.Errorf("online is %s, want it unknown, with the word", got)
	}
}

// A key without the right to see what was ordered finds devices, without their isolation.
func TestWithoutTheHistory(t *testing.T) {
	few := defendfake.Administrator()
	few.Privileges = []string{defendfake.SecuritySolution}
	x := judged(t).open(t, defendfake.Options{Credentials: []defendfake.Credential{few}})
	x.add(edrtest.Host{ID: agentOf("a"), Name: "a"})
	for _, q := range []integrations.EndpointQuery{{ID: agentOf("a")}, {Name: "a"}} {
		if got := find(t, x, q); len(got) != 1 || got[0].Isolation.IsKnown() || !strings.Contains(got[0].Isolation.Why(), "denied") {
			t.Errorf("%+v finds %+v", q, got)
		}
	}
	_, err := x.Read(t.Context(), incident.Order{Key: "k", Action: incident.Isolate, Target: x.target(t, "a")})
	if integrations.KindOf(err) != integrations.Denied {
		t.Errorf("read: %v, want it denied", err)
	}
}

func TestDefendProbe(t *testing.T) {
	says := func(o defendfake.Options, prepare func(*deployment)) string {
		t.Helper()
		x := judged(t).open(t, o)
		h := sender()
		x.add(h)
		prepare(x)
		var all []string
		for _, f := range x.Probe(t.Context()) {
			mark := "bad: "
			if f.OK && f.Warning {
				mark = "warning: "
			} else if f.OK {
				mark = "ok: "
			}
			all = append(all, mark+f.What)
		}
		if n := len(x.world.Actions("")); n != 0 {
			t.Errorf("the probe ordered %d actions", n)
		}
		return strings.Join(all, "\n")
	}
	nothing := func(*deployment) {}
	blind, deaf := defendfake.Administrator(), defendfake.Administrator()
	blind.Privileges = []string{defendfake.SecuritySolution}
	deaf.Indices = nil
	for name, c := range map[string]struct {
		said string
		want []string
	}{
		"all is well": {says(defendfake.Options{}, nothing), []string{
			"ok: Kibana answers", "ok: the clock agrees", "ok: the API key may read what was ordered", "ok: logs-endpoint.events.network-* have events", "ok: logs-endpoint.events.process-* have events",
			"warning: logs-windows.powershell_operational-* have no event", "warning: cannot tell whether the API key may isolate",
		}},
		"no history":  {says(defendfake.Options{Credentials: []defendfake.Credential{blind}}, nothing), []string{"bad: list actions: denied"}},
		"no events":   {says(defendfake.Options{Credentials: []defendfake.Credential{deaf}}, nothing), []string{"bad: network_indices: ", "bad: process_indices: "}},
		"a clock":     {says(defendfake.Options{}, func(x *deployment) { x.now = func() time.Time { return time.Now().Add(3 * time.Minute) } }), []string{"warning: the clock differs"}},
		"a bad clock": {says(defendfake.Options{}, func(x *deployment) { x.now = func() time.Time { return time.Now().Add(-6 * time.Minute) } }), []string{"bad: the clock differs"}},
		"no space":    {says(defendfake.Options{}, func(x *deployment) { x.kibana.base += "/s/nobody" }), []string{"bad: list devices: not_found"}},
	} {
		for _, want := range c.want {
			if !strings.Contains(c.said, want) {
				t.Errorf("%s: the probe says\n%s\nand not %q", name, c.said, want)
			}
		}
		if name == "all is well" && strings.Contains(c.said, "bad: ") {
			t.Errorf("the probe says\n%s", c.said)
		}
	}
}
