package crowdstrike

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/crowdstrike/falconfake"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// An order for a device that is offline waits at Falcon, and is said to.
func TestOfflineDevicesAreContainedWhenTheyAreBack(t *testing.T) {
	a, _, hosts := pair(t)
	hosts[0].Offline = true
	n := tenantOf(t, falconfake.Options{}, time.Now, hosts...)
	o := incident.Order{Key: "lease/1", Action: incident.Isolate, Target: a}
	if _, err := n.Apply(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	n.world.Settle()
	r, err := n.Read(t.Context(), o)
	if err != nil || r.Stands || !r.Pending || r.Key != o.Key || !strings.Contains(r.Detail, "offline; queued at Falcon") {
		t.Errorf("it reads %+v, %v", r, err)
	}
	n.world.Change(a.ID(), func(h *edrtest.Host) { h.Offline = false })
	n.world.Settle()
	if r, err := n.Read(t.Context(), o); err != nil || !r.Stands || r.Pending {
		t.Errorf("it reads %+v, %v", r, err)
	}
	found, err := n.Endpoints(t.Context(), integrations.EndpointQuery{ID: a.ID()})
	if err != nil || len(found) != 1 || found[0].Isolation.String() != "isolated" {
		t.Errorf("found %+v, %v", found, err)
	}
}

// Another process of ours knows the containment by the device's tag, and gives it back.
// What a person contains afterwards is left alone, though the key is the same.
func TestOwnershipIsKeptAtFalcon(t *testing.T) {
	a, _, hosts := pair(t)
	n := tenantOf(t, falconfake.Options{}, time.Now, hosts...)
	other, err := open(n.config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	o := incident.Order{Key: "lease/1", Action: incident.Isolate, Target: a}
	if _, err := n.Apply(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	n.world.Settle()
	if _, err := other.Undo(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	n.world.Settle()
	if n.world.Isolated(a.ID()) {
		t.Fatal("another process could not give the device back")
	}
	n.world.Impose(a.ID())
	r, err := n.Read(t.Context(), o)
	if err != nil || !r.Stands || r.Key != "" {
		t.Errorf("what a person contained reads %+v, %v", r, err)
	}
	if _, err := n.Undo(t.Context(), o); err != nil || !n.world.Isolated(a.ID()) || n.world.Effects("") != 2 {
		t.Errorf("what a person contained is isolated: %t, %v", n.world.Isolated(a.ID()), err)
	}
}

// A containment that somebody ordered at Falcon, and that is open, stops ours.
func TestSomebodysOpenActionIsAConflict(t *testing.T) {
	for _, kind := range []edrtest.Kind{edrtest.Isolate, edrtest.Release} {
		a, _, hosts := pair(t)
		n := tenantOf(t, falconfake.Options{}, time.Now, hosts...)
		n.world.Order(edrtest.Action{Kind: kind, Host: a.ID(), By: "somebody"})
		before := n.world.Effects("")
		o := incident.Order{Key: "lease/1", Action: incident.Isolate, Target: a}
		if _, err := n.Apply(t.Context(), o); integrations.KindOf(err) != integrations.Conflict || err == nil {
			t.Errorf("apply while a %s is open: %v", kind, err)
		}
		if _, err := n.Undo(t.Context(), o); integrations.KindOf(err) != integrations.Conflict || err == nil {
			t.Errorf("undo while a %s is open: %v", kind, err)
		}
		if n.world.Effects("") != before {
			t.Errorf("something was ordered while a %s was open", kind)
		}
	}
}

func TestAWordThatIsNotKnownStopsEverything(t *testing.T) {
	a, _, hosts := pair(t)
	n := tenantOf(t, falconfake.Options{UnknownWords: true}, time.Now, hosts...)
	o := incident.Order{Key: "lease/1", Action: incident.Isolate, Target: a}
	if _, err := n.Apply(t.Context(), o); err == nil || n.world.Effects("") != 0 {
		t.Errorf("apply: %v, %d effects", err, n.world.Effects(""))
	}
	found, err := n.Endpoints(t.Context(), integrations.EndpointQuery{ID: a.ID()})
	if err != nil || len(found) != 1 || found[0].Isolation.IsKnown() || !strings.Contains(found[0].Isolation.Why(), "quarantine_review") {
		t.Errorf("found %+v, %v", found, err)
	}
}

// Devices are found by the address of the alert's time.
func TestAddressesHaveAHistory(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	n := tenantOf(t, falconfake.Options{}, at(now),
		edrtest.Host{ID: falconID("a"), Name: "laptop", LastSeen: now, Addresses: []edrtest.Address{
			{IP: "10.0.0.9", From: now.Add(-time.Hour)}, {IP: "10.0.0.5", From: now.Add(-48 * time.Hour), To: now.Add(-time.Hour)},
		}},
		edrtest.Host{ID: falconID("b"), Name: "server", LastSeen: now, Addresses: []edrtest.Address{{IP: "10.0.0.5", From: now.Add(-time.Hour)}}},
	)
	alert := now.Add(-2 * time.Hour)
	found, err := n.Endpoints(t.Context(), integrations.EndpointQuery{Name: "laptop", IPs: []string{"10.0.0.5"}, At: alert})
	if err != nil || len(found) != 2 {
		t.Fatalf("found %v, %v; want the laptop, and the server of which the time is not known", ids(found), err)
	}
	for _, e := range found {
		name, _ := e.Name.Get()
		if ip, known := e.IP.Get(); (name == "laptop") != known || known && ip[0] != "10.0.0.5" {
			t.Errorf("%s has the addresses %s", name, e.IP)
		}
	}
}

// A process is ended on the device, once, and one that is gone is done.
func TestKill(t *testing.T) {
	for name, system := range map[string]string{"a path in the list": "", "a path in the telemetry": `NT AUTHORITY\SYSTEM`} {
		t.Run(name, func(t *testing.T) {
			a, _, hosts := pair(t)
			now := time.Now().UTC()
			hosts[0].Processes = []*edrtest.Process{{PID: 4242, Path: `C:\Tools\a.exe`, User: system, Start: now.Add(-time.Hour)}, {PID: 7, Path: `C:\b.exe`, Start: now.Add(-time.Hour)}}
			n := tenantOf(t, falconfake.Options{}, time.Now, hosts...)
			n.world.Prompt()
			o := integrations.KillOrder{Key: "k", Target: a, PID: 4242, Path: `\Device\HarddiskVolume3\Tools\a.exe`}
			for _, want := range []string{"ended", "no such process runs"} {
				if r, err := n.Kill(t.Context(), o); err != nil || r.Detail != want {
					t.Errorf("kill: %+v, %v; want %s", r, err, want)
				}
			}
			o.PID = 7
			if r, err := n.Kill(t.Context(), o); err != nil || r.Detail != "no such process runs" {
				t.Errorf("kill of another image: %+v, %v", r, err)
			}
			h, _ := n.world.Host(a.ID())
			if h.Processes[0].End.IsZero() || !h.Processes[1].End.IsZero() || len(n.world.Actions(a.ID())) != 1 {
				t.Errorf("the processes ended at %s and %s; the actions are %+v", h.Processes[0].End, h.Processes[1].End, n.world.Actions(a.ID()))
			}
		})
	}
}

func TestProbeOfTheDouble(t *testing.T) {
	now := time.Now().UTC()
	_, _, hosts := pair(t)
	hosts[0].Processes = []*edrtest.Process{{PID: 1, Path: `C:\a.exe`, Start: now.Add(-time.Minute)}}
	n := tenantOf(t, falconfake.Options{}, time.Now, hosts...)
	for _, f := range n.Probe(t.Context()) {
		if !f.OK || f.Warning && !strings.Contains(f.What, "cannot be told without writing") {
			t.Errorf("found %+v", f)
		}
	}
	if n.world.Effects("") != 0 || len(n.world.Actions("")) != 0 {
		t.Error("the probe changed something")
	}
}

// One event is looked for, of the Windows device that was heard last; without one it is
// said that nothing was told.
func TestProbeLooksAtOneDevice(t *testing.T) {
	now := time.Now().UTC()
	_, _, hosts := pair(t)
	hosts[0].LastSeen, hosts[1].LastSeen = now, now.Add(-time.Hour)
	hosts[1].Processes = []*edrtest.Process{{PID: 1, Path: `C:\a.exe`, Start: now.Add(-time.Minute)}}
	if found := tenantOf(t, falconfake.Options{}, time.Now, hosts...).Probe(t.Context()); !has(found, "of the device "+hosts[0].ID+", which Falcon heard last, no event", true, true) {
		t.Errorf("with a silent device: %+v", found)
	}
	hosts[1].LastSeen = now.Add(time.Second)
	if found := tenantOf(t, falconfake.Options{}, time.Now, hosts...).Probe(t.Context()); !has(found, "events of the device "+hosts[1].ID+" are there", true, false) {
		t.Errorf("with a device that sends: %+v", found)
	}
	if found := tenantOf(t, falconfake.Options{}, time.Now).Probe(t.Context()); !has(found, "cannot be told without a Windows device", true, true) {
		t.Errorf("without a device: %+v", found)
	}
}

// A process that ran before the sensor did, for longer than events are kept, is told of
// by the sensor when it comes.
func TestProcessesThatAreOlderThanTheSensor(t *testing.T) {
	a, _, hosts := pair(t)
	now := time.Now().UTC()
	p := &edrtest.Process{PID: 700, Path: `C:\Windows\System32\dns.exe`, Start: now.Add(-60 * 24 * time.Hour)}
	hosts[0].Processes = []*edrtest.Process{p}
	hosts[0].Connections = []edrtest.Connection{{At: now.Add(-time.Minute), Process: p, Tuple: incident.Tuple{SrcIP: "192.0.2.2", SrcPort: 53, DstIP: "192.0.2.9", DstPort: 5, Transport: "udp"}}}
	n := tenantOf(t, falconfake.Options{SensorStarted: now.Add(-20 * 24 * time.Hour)}, time.Now, hosts...)
	found, err := n.Connections(t.Context(), integrations.ConnectionQuery{Target: a, From: now.Add(-time.Hour), To: now, Limit: 10})
	if err != nil || len(found) != 1 || found[0].Process.Name.String() != "dns.exe" || found[0].Process.PID.String() != "700" {
		t.Errorf("found %+v, %v", found, err)
	}
}

// The script that a sender runs is told with its connections: the one that it had run by
// then.
func TestConnectionsTellTheScript(t *testing.T) {
	a, _, hosts := pair(t)
	now := time.Now().UTC().Truncate(time.Millisecond)
	p := &edrtest.Process{PID: 42, Path: `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`, Start: now.Add(-time.Hour), Scripts: []edrtest.Script{
		{At: now.Add(-30 * time.Minute), Path: `C:\a.ps1`, Text: "first"}, {At: now.Add(-20 * time.Minute), Path: `C:\b.ps1`, Text: "second"}, {At: now.Add(-time.Minute), Path: `C:\c.ps1`, Text: "third"},
	}}
	hosts[0].Processes = []*edrtest.Process{p}
	hosts[0].Connections = []edrtest.Connection{{At: now.Add(-10 * time.Minute), Process: p, Tuple: incident.Tuple{SrcIP: "192.0.2.2", SrcPort: 5, DstIP: "192.0.2.9", DstPort: 53, Transport: "udp"}}}
	n := tenantOf(t, falconfake.Options{}, time.Now, hosts...)
	found, err := n.Connections(t.Context(), integrations.ConnectionQuery{Target: a, From: now.Add(-time.Hour), To: now, Limit: 10})
	if err != nil || len(found) != 1 || found[0].Process.Script.String() != `C:\b.ps1` || found[0].Process.ScriptText.String() != "second" {
		t.Errorf("found %+v, %v", found, err)
	}
}

// What the API client may not do is found by the probe, and so is the wrong cloud.
func TestProbeFindsWhatIsWrong(t *testing.T) {
	_, _, hosts := pair(t)
	n := tenantOf(t, falconfake.Options{Credentials: []falconfake.Credential{{ID: "client", Secret: "the-secret", Scopes: []string{"devices:read"}}}}, time.Now, hosts...)
	found := n.Probe(t.Context())
	for words, right := range map[string]bool{"Hosts: read": true, "Real time response: read": false, "Real time response (admin): write": false, "NGSIEM: read and write": false} {
		if !has(found, words, right, false) {
			t.Errorf("%s is not found to be there: %t; %+v", words, right, found)
		}
	}
	for _, redirects := range []bool{false, true} {
		o := falconfake.Options{Elsewhere: "us-2", Redirects: redirects}
		w := edrtest.New(t, time.Now)
		f, err := open(Config{
			ClientID: "client", ClientSecret: "secret", Cloud: "us-1", Repository: defaultRepository,
			URL: serve(t, falconfake.New(t, w, o).Handler()), Access: httpx.Access{Timeout: 10 * time.Second},
		})
		if err != nil {
			t.Fatal(err)
		}
		if found := f.Probe(t.Context()); !has(found, "write cloud: us-2", false, false) {
			t.Errorf("the right cloud is not named: %+v", found)
		}
		_ = f.Close()
	}
}

func serve(t testing.TB, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// A script that the hosts' policy does not allow is refused, and one that fails on the
// device has failed.
func TestScriptsThatFail(t *testing.T) {
	a, _, hosts := pair(t)
	n := tenantOf(t, falconfake.Options{ScriptsOff: true}, time.Now, hosts...)
	n.upload(t, "print")
	o := integrations.ScriptOrder{Key: "k", Target: a, Script: "print"}
	if _, err := n.Run(t.Context(), o); integrations.KindOf(err) != integrations.Invalid || err == nil {
		t.Errorf("run of what is not allowed: %v", err)
	}
	for nested, want := range map[bool]string{true: "Command is not valid", false: "the script failed"} {
		n = tenantOf(t, falconfake.Options{NestedErrors: nested, Polls: -1}, time.Now, hosts...)
		n.upload(t, "print")
		if _, err := n.Run(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		n.world.Settle()
		got, err := n.Ran(t.Context(), o)
		if err != nil || !strings.Contains(got.Detail+got.Stderr, want) || (got.State == integrations.ScriptFailed) != nested {
			t.Errorf("it ran %+v, %v; want %q", got, err, want)
		}
	}
}

// A script whose session ended before its result was there has failed: what it did is
// unknown.
func TestASessionThatEndsLosesTheResult(t *testing.T) {
	a, _, hosts := pair(t)
	var mu sync.Mutex
	now := time.Now()
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	pass := func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(d) }
	n := tenantOf(t, falconfake.Options{Polls: -1}, clock, hosts...)
	n.upload(t, "print")
	n.world.OnScript(func(edrtest.Host, string, string) edrtest.Result { return edrtest.Result{Stdout: "done"} })
	o := integrations.ScriptOrder{Key: "k", Target: a, Script: "print"}
	if _, err := n.Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	for range 3 { // Asking keeps the session open.
		pass(4 * time.Minute)
		if got, err := n.Ran(t.Context(), o); err != nil || got.State != integrations.ScriptRunning {
			t.Fatalf("it ran %+v, %v", got, err)
		}
	}
	pass(6 * time.Minute)
	if got, err := n.Ran(t.Context(), o); err != nil || got.State != integrations.ScriptFailed || !strings.Contains(got.Detail, "what it did is unknown") {
		t.Errorf("it ran %+v, %v", got, err)
	}
}
