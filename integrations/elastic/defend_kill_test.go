package elastic

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/elastic/defendfake"
)

// Nothing is ordered for a process that has ended, or whose pid is another's now.
func TestKillEndsOnlyWhatIsMeant(t *testing.T) {
	now := time.Now()
	d := judged(t)
	path := `C:\Tools\sender.exe`
	for name, c := range map[string]struct {
		processes []*edrtest.Process
		says      string
	}{
		"it has ended":            {[]*edrtest.Process{{PID: 7, Path: path, Start: now.Add(-time.Hour), End: now.Add(-time.Minute)}}, "it has ended"},
		"the pid is another's":    {[]*edrtest.Process{{PID: 7, Path: path, Start: now.Add(-time.Hour), End: now.Add(-30 * time.Minute)}, {PID: 7, Path: `C:\b.exe`, Start: now.Add(-time.Minute)}}, `was last "C:\\b.exe"`},
		"nobody has the pid":      {[]*edrtest.Process{{PID: 8, Path: path, Start: now.Add(-time.Hour)}}, "no event of one"},
		"the pid came back to it": {[]*edrtest.Process{{PID: 7, Path: `C:\b.exe`, Start: now.Add(-time.Hour), End: now.Add(-30 * time.Minute)}, {PID: 7, Path: strings.ToUpper(path), Start: now.Add(-time.Minute)}}, "ended"},
	} {
		t.Run(name, func(t *testing.T) {
			x := d.open(t, defendfake.Options{})
			x.add(edrtest.Host{ID: agentOf("a"), Name: "a", Processes: c.processes})
			x.world.Prompt()
			r, err := x.Kill(t.Context(), integrations.KillOrder{Key: "k", Target: x.target(t, "a"), PID: 7, Path: path})
			if err != nil || !strings.Contains(r.Detail, c.says) {
				t.Fatalf("%+v, %v; want %q", r, err, c.says)
			}
			if n, meant := len(x.world.Actions("")), name == "the pid came back to it"; (n == 1) != meant || n > 1 {
				t.Errorf("%d actions were ordered", n)
			}
		})
	}
}

// An order that waits for its device is found again by its key, and is not given twice.
func TestAKillThatWaits(t *testing.T) {
	x := judged(t).open(t, defendfake.Options{})
	x.add(sender())
	o := integrations.KillOrder{Key: "k", Target: x.target(t, "ws-042"), PID: 4001, Path: `C:\Program Files\Tools\sender.exe`}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := x.Kill(ctx, o); integrations.KindOf(err) != integrations.Unavailable || err == nil {
		t.Fatalf("%v, want it unavailable", err)
	}
	x.world.Prompt()
	if r, err := x.Kill(t.Context(), o); err != nil || r.Detail != "ended" || len(x.world.Actions("")) != 1 {
		t.Errorf("%+v, %v, after %d actions", r, err, len(x.world.Actions("")))
	}
}

func TestKillVerdicts(t *testing.T) {
	for name, c := range map[string]struct {
		a    action
		kind integrations.Kind
		says string
	}{
		"ended":     {action{Completed: true, Success: true}, "", "ended"},
		"not there": {action{Completed: true, Outputs: map[string]output{string(deviceID): {Content: []byte(`{"code":"ra_kill-process_error_not-found"}`)}}}, "", "no such process runs"},
		"by text":   {action{Completed: true, Errors: manyText{"The provided process was not found"}}, "", "no such process runs"},
		"failed":    {action{Completed: true, Outputs: map[string]output{string(deviceID): {Content: []byte(`{"code":"ra_kill-process_error_not-permitted"}`)}}}, integrations.Invalid, "not-permitted"},
		"expired":   {action{Expired: true}, integrations.Invalid, "expired"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := c.a.verdict("end process 7", deviceID)
			if (err == nil) != (c.kind == "") || err != nil && (integrations.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says)) || err == nil && r.Detail != c.says {
				t.Errorf("%+v, %v; want %q", r, err, c.says)
			}
		})
	}
}

// What cannot be read of an archive is said, and the rest is told.
func TestAnArchiveThatCannotBeRead(t *testing.T) {
	if _, _, err := unpacked([]byte("no archive")); err == nil {
		t.Error("a text was read as an archive")
	}
	const id = "00000000-0000-4000-8000-000000000009"
	x := wired(t, func(_, path, _ string) (int, string) {
		if strings.HasSuffix(path, "/download") {
			return 200, "no archive"
		}
		a := `{"id":"` + id + `","command":"execute","agents":["` + string(deviceID) + `"],"comment":"Stanch script k: a.ps1","isCompleted":true,"wasSuccessful":true,"status":"successful"`
		if strings.HasSuffix(path, id) {
			return 200, `{"data":` + a + `,"outputs":{"` + string(deviceID) + `":{"type":"json","content":{"stdout":"begin","stdout_truncated":true,"shell_code":0}}}}}`
		}
		return 200, `{"page":1,"total":1,"data":[` + a + `}]}`
	})
	o := theOrder(t, string(deviceID))
	r, err := x.Ran(t.Context(), integrations.ScriptOrder{Key: "k", Target: o.Target, Script: "a.ps1"})
	if err != nil || r.Stdout != "begin" || r.State != integrations.ScriptDone || !strings.Contains(r.Detail, "cannot be had") {
		t.Errorf("%+v, %v", r, err)
	}
}
