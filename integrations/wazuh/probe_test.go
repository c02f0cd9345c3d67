package wazuh

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/wazuh/wazuhfake"
)

func TestProbe(t *testing.T) {
	d := judged(t)
	all := []string{"*:*:*"}
	for _, c := range []struct {
		name   string
		o      wazuhfake.Options
		change func(*Config)
		skew   time.Duration
		says   string
		ok     bool
	}{
		{"all is well", wazuhfake.Options{}, nil, 0, "the user has the rights", true},
		{"release", wazuhfake.Options{}, nil, 0, "Wazuh 4.14.7", true},
		{"scripts", wazuhfake.Options{}, nil, 0, "cannot tell which agents have the scripts", true},
		{"Wazuh 5", wazuhfake.Options{Version: "5.0.0"}, nil, 0, "only 4.x", false},
		{"no agents", wazuhfake.Options{Rights: map[string][]string{command: all, readInventory: all}}, nil, 0, "lacks agent:read", false},
		{"no orders", wazuhfake.Options{Rights: map[string][]string{readAgents: all, readInventory: all}}, nil, 0, "lacks active-response:command", true},
		{"wrong password", wazuhfake.Options{}, func(c *Config) { c.Password = "wrong" }, 0, "log in to Wazuh", false},
		{"wrong password of the indexer", wazuhfake.Options{}, func(c *Config) { c.IndexerPassword = "wrong" }, 0, "search the indexer", false},
		{"clock is a little off", wazuhfake.Options{}, nil, 3 * time.Minute, "the clock differs from the manager's by ", true},
		{"clock is off", wazuhfake.Options{}, nil, -time.Hour, "the clock differs from the manager's by -", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			change := func(*Config) {}
			if c.change != nil {
				change = c.change
			}
			d := d
			if strings.HasPrefix(c.says, "search the indexer") {
				d.indexer = nil // OpenSearch refuses in plain text, which Elasticsearch's description has not
			}
			x := d.open(t, c.o, change)
			x.now = func() time.Time { return time.Now().Add(c.skew) }
			findings := x.Probe(t.Context())
			at := slices.IndexFunc(findings, func(f integrations.Finding) bool { return strings.Contains(f.What, c.says) })
			if at < 0 || findings[at].OK != c.ok || findings[at].Warning && !findings[at].OK {
				t.Errorf("no finding says %q with ok %t: %+v", c.says, c.ok, findings)
			}
			for _, f := range findings {
				if strings.Contains(f.What+f.Fix, "the-secret") || strings.Contains(f.What, "the-other-secret") {
					t.Errorf("a finding shows a password: %+v", f)
				}
			}
			if n := len(x.world.Actions("")); n > 0 {
				t.Errorf("the probe sent %d orders", n)
			}
		})
	}
}

// A kill that came too late on the machine is sent again, and one that was carried out is not.
func TestExpiredKillIsSentAgain(t *testing.T) {
	x := judged(t).open(t, wazuhfake.Options{})
	x.double.Change(func(o *wazuhfake.Options) { o.Before = func(*http.Request) { x.world.Settle() } })
	h := sending()
	x.add(h)
	kill := integrations.KillOrder{Key: "k", Target: target(t, "ws-042"), PID: 4001, Path: h.Processes[0].Path}
	x.byHand(h.ID, killCommand, edrtest.RunScript, order{Verb: verbKill, Key: "k", Number: "1", Expires: "1"})
	if r, err := x.Kill(t.Context(), kill); err != nil || r.Detail != "ended" {
		t.Errorf("kill: %+v, %v; want it ended", r, err)
	}
	if _, err := x.Kill(t.Context(), kill); err != nil || x.world.Kills() != 1 {
		t.Errorf("kill again: %v, %d kills; want one", err, x.world.Kills())
	}
}

// The files that are put on agents are those that are ordered, and the script says what is
// understood here.
func TestScriptsOnAgents(t *testing.T) {
	script, err := os.ReadFile("stanch.ps1")
	if err != nil {
		t.Fatal(err)
	}
	for command, of := range map[string]string{isolateCommand: isolateScript, killCommand: killScript, runCommand: runScript} {
		wrapper, err := os.ReadFile(strings.TrimPrefix(command, "!"))
		if err != nil || !strings.Contains(string(wrapper), `"%~dp0stanch.ps1" `+of+"\r\n") {
			t.Errorf("%s: %v: %q does not start the script for %s", command, err, wrapper, of)
		}
		if !strings.Contains(string(script), "'"+of+"' { Invoke-") {
			t.Errorf("the script has no part %s", of)
		}
	}
	for _, word := range []string{
		verbIsolate, verbRelease, "isolated", "none", "done", "ended", "gone", "other", "expired", "stale",
	} {
		if !strings.Contains(string(script), "'"+word+"'") {
			t.Errorf("the script does not say %s", word)
		}
	}
}

// What is in the air longer than a search sees is pending, and the index's delay changes
// nothing in the end.
func TestLateLines(t *testing.T) {
	x := judged(t).open(t, wazuhfake.Options{})
	x.add(edrtest.Host{ID: idOf("ws-042"), Name: "ws-042"})
	o := isolation042(t)
	o.Target = target(t, "ws-042")
	x.double.Change(func(o *wazuhfake.Options) { o.Lag = time.Hour })
	if _, err := x.Apply(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	x.world.Settle()
	if r, err := x.Read(t.Context(), o); err != nil || r.Stands || !r.Pending || r.Key != o.Key {
		t.Errorf("before its line: %+v, %v; want it pending", r, err)
	}
	x.double.Change(func(o *wazuhfake.Options) { o.Lag = 0 })
	if r, err := x.Read(t.Context(), o); err != nil || !r.Stands || r.Pending || r.Key != o.Key || r.Heard.IsZero() {
		t.Errorf("after its line: %+v, %v; want it in place, and the agent heard", r, err)
	}
}
