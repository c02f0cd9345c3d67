package sentinelone

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/sentinelone/sentinelonefake"
)

func TestScripts(t *testing.T) {
	d := judged(t)
	library := []sentinelonefake.Script{{ID: "5000001", Name: "print.ps1"}, {ID: "5000002", Name: "held.ps1", RequiresApproval: true}, {ID: "5000003", Name: "twice.ps1"}, {ID: "5000004", Name: "twice.ps1"}}
	fresh := func(t *testing.T, change ...func(*Config)) (*console, integrations.ScriptOrder) {
		t.Helper()
		x := d.open(t, sentinelonefake.Options{Scripts: library}, change...)
		x.add(edrtest.Host{ID: idOf("ws-042"), Name: "ws-042"})
		x.world.OnScript(func(edrtest.Host, string, string) edrtest.Result {
			return edrtest.Result{Exit: 1, Stdout: "out", Stderr: "err"}
		})
		return x, integrations.ScriptOrder{Key: "key", Target: x.target(t, "ws-042"), Script: "print.ps1"}
	}
	t.Run("completed in failure is failed", func(t *testing.T) {
		x, o := fresh(t)
		if _, err := x.Run(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		x.world.Settle()
		r, err := x.Ran(t.Context(), o)
		if err != nil || r.State != integrations.ScriptFailed || r.Stdout != "out" || r.Stderr != "err" || r.Exit != nil || !strings.Contains(r.Detail, "terminated in failure") {
			t.Errorf("%+v, %v", r, err)
		}
	})
	t.Run("approved by somebody, for another process", func(t *testing.T) {
		x, o := fresh(t)
		o.Script = "held.ps1"
		r, err := x.Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		other, err := open(x.config, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = other.Close() })
		if got, err := other.Ran(t.Context(), o); err != nil || got.State != integrations.ScriptAwaitsApproval {
			t.Errorf("%+v, %v", got, err)
		}
		if again, err := other.Run(t.Context(), o); err != nil || again.Ref != r.Ref {
			t.Errorf("%+v, %v; want %s again", again, err, r.Ref)
		}
		o2 := o
		o2.Key = "other"
		third, err := open(x.config, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = third.Close() })
		_, err = third.Run(t.Context(), o2)
		wants(t, "another script", err, integrations.Conflict, "waits for approval")
		x.decide(t, r.Ref, "approve")
		x.world.Settle()
		if got, err := other.Ran(t.Context(), o); err != nil || got.Stdout != "out" {
			t.Errorf("%+v, %v", got, err)
		}
	})
	t.Run("declined by somebody", func(t *testing.T) {
		x, o := fresh(t)
		o.Script = "held.ps1"
		r, err := x.Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		x.decide(t, r.Ref, "decline")
		if got, err := x.Ran(t.Context(), o); err != nil || got.State != integrations.ScriptFailed || !strings.Contains(got.Detail, "declined") {
			t.Errorf("%+v, %v", got, err)
		}
	})
	t.Run("a name that is not one script's", func(t *testing.T) {
		x, o := fresh(t)
		for name, says := range map[string]string{"twice.ps1": "has 2 scripts", "print": "has 0 scripts"} {
			o.Script = name
			_, err := x.Run(t.Context(), o)
			wants(t, name, err, integrations.Invalid, says)
		}
		if n := len(x.world.Actions("")); n != 0 {
			t.Errorf("%d scripts were ordered", n)
		}
	})
	t.Run("a lost answer is not ordered again", func(t *testing.T) {
		x, o := fresh(t)
		x.server.Break(contract.LoseAnswer)
		_, err := x.Run(t.Context(), o)
		wants(t, "run", err, integrations.Ambiguous, "")
		x.server.Break(contract.Works)
		_, err = x.Run(t.Context(), o)
		wants(t, "run again", err, integrations.Ambiguous, "answer was lost")
		if n := len(x.world.Actions("")); n != 1 {
			t.Errorf("%d scripts were ordered", n)
		}
	})
	t.Run("output elsewhere is not fetched", func(t *testing.T) {
		x, o := fresh(t, func(c *Config) { c.Downloads = nil })
		if _, err := x.Run(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		x.world.OnScript(func(edrtest.Host, string, string) edrtest.Result { return edrtest.Result{Stdout: "out"} })
		x.world.Settle()
		_, err := x.Ran(t.Context(), o)
		wants(t, "ran", err, integrations.Denied, "name the host in downloads")
	})
}

// decide approves or declines an execution, as people do in the console.
func (x *console) decide(t testing.TB, id, action string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPut, managementPath+scriptsPath+"/pending-executions/"+id, strings.NewReader(`{"data":{"action":"`+action+`"}}`))
	r.Header.Set("Authorization", "ApiToken "+secret)
	w := httptest.NewRecorder()
	x.double.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", action, w.Code, w.Body)
	}
}

// A pid that was last another image's is not ended, and nothing is sent for it.
func TestAnotherImageIsNotEnded(t *testing.T) {
	x := judged(t).open(t, sentinelonefake.Options{Scripts: []sentinelonefake.Script{{ID: "5000003", Name: killScript}}})
	x.add(sender())
	r, err := x.Kill(t.Context(), integrations.KillOrder{Key: "key", Target: x.target(t, "ws-042"), PID: 4001, Path: `C:\Tools\other.exe`})
	if err != nil || !strings.Contains(r.Detail, "no such process runs") || len(x.world.Actions("")) != 0 {
		t.Errorf("%+v, %v, %d actions", r, err, len(x.world.Actions("")))
	}
	for path, pid := range map[string]int64{`\Device\HarddiskVolume3\a.exe`: 4001, "/usr/bin/a": 4001, `C:\a.exe`: 0, strings.Repeat("a", 2000): 4001} {
		_, err := x.Kill(t.Context(), integrations.KillOrder{Key: "key", Target: x.target(t, "ws-042"), PID: pid, Path: path})
		wants(t, path, err, integrations.Invalid, "")
	}
}
