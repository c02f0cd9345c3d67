package edrtest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// Actions take effect in the order in which the device carries them out, not in
// that in which they were ordered.
func TestActionsOutOfOrder(t *testing.T) {
	w := edrtest.New(t, func() time.Time { return time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC) })
	w.Add(edrtest.Host{ID: "h1"})
	isolate := w.Order(edrtest.Action{Kind: edrtest.Isolate, Host: "h1"})
	w.Order(edrtest.Action{Kind: edrtest.Release, Host: "h1"})
	if w.Isolated("h1") {
		t.Fatal("an accepted isolation is carried out")
	}
	w.SettleBy(func(n int) int { return n - 1 })
	if !w.Isolated("h1") || w.Effects("h1") != 2 {
		t.Errorf("isolated is %t with %d effects, want true with 2: the isolation was carried out last", w.Isolated("h1"), w.Effects("h1"))
	}
	if w.CarryOut(isolate.ID) {
		t.Error("an action that has ended was carried out again")
	}
	w.Change("h1", func(h *edrtest.Host) { h.Offline = true })
	w.Order(edrtest.Action{Kind: edrtest.Release, Host: "h1"})
	w.Settle()
	if !w.Isolated("h1") || len(w.Open("h1")) != 1 {
		t.Error("an offline device carried a release out")
	}
}

// What was given up is not carried out by a device that comes back too late.
func TestExpiredAction(t *testing.T) {
	now := time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)
	w := edrtest.New(t, func() time.Time { return now })
	w.Add(edrtest.Host{ID: "h1", Offline: true})
	a := w.Order(edrtest.Action{Kind: edrtest.Isolate, Host: "h1", Expires: now.Add(72 * time.Hour)})
	now = now.Add(73 * time.Hour)
	w.Change("h1", func(h *edrtest.Host) { h.Offline = false })
	if w.CarryOut(a.ID) || w.Isolated("h1") {
		t.Error("an isolation was carried out after it was given up")
	}
	if got, _ := w.Action(a.ID); got.State != edrtest.Expired || !got.Updated.Equal(a.Expires) {
		t.Errorf("the action is %s since %s, want expired since %s", got.State, got.Updated, a.Expires)
	}
}

// A process that is killed ends for its children and connections too, and not in
// what was read before.
func TestKill(t *testing.T) {
	now := time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)
	w := edrtest.New(t, func() time.Time { return now })
	parent := &edrtest.Process{PID: 4}
	child := &edrtest.Process{PID: 8, Parent: parent}
	w.Add(edrtest.Host{ID: "h1", Processes: []*edrtest.Process{parent, child}, Connections: []edrtest.Connection{{Process: child}}})
	before, _ := w.Host("h1")
	w.Order(edrtest.Action{Kind: edrtest.Kill, Host: "h1", PID: 4})
	w.Settle()
	after, _ := w.Host("h1")
	if !before.Processes[0].End.IsZero() {
		t.Error("what was read before the kill has changed")
	}
	killed := after.Processes[0]
	if !killed.End.Equal(now) || after.Connections[0].Process != after.Processes[1] || after.Processes[1].Parent != killed || !child.End.IsZero() {
		t.Errorf("the killed process ended at %s, want %s, and be the parent of the process of the connection", killed.End, now)
	}
}

func TestAddressAtATime(t *testing.T) {
	noon := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	h := edrtest.Host{Addresses: []edrtest.Address{
		{IP: "192.0.2.2", From: noon},
		{IP: "192.0.2.9", From: noon.Add(-time.Hour), To: noon},
	}}
	if got := h.IPsAt(noon.Add(-time.Minute)); len(got) != 1 || got[0] != "192.0.2.9" || h.IP() != "192.0.2.2" {
		t.Errorf("the addresses before noon are %v, now %s; want 192.0.2.9, now 192.0.2.2", got, h.IP())
	}
}

// An isolation that is done by a script is done where the script succeeds.
func TestIsolationByScript(t *testing.T) {
	w := edrtest.New(t, func() time.Time { return time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC) })
	w.Add(edrtest.Host{ID: "h1"})
	for exit, want := range []bool{true, false} {
		w.OnScript(func(edrtest.Host, string, string) edrtest.Result { return edrtest.Result{Exit: exit} })
		w.Order(edrtest.Action{Kind: edrtest.Release, Host: "h1"})
		w.Order(edrtest.Action{Kind: edrtest.Isolate, Host: "h1", Script: "isolate", Input: "{}"})
		w.Settle()
		if w.Isolated("h1") != want {
			t.Errorf("isolated is %t after a script that exits with %d, want %t", w.Isolated("h1"), exit, want)
		}
	}
}

// A device carries out what is open as soon as somebody looks at it, where it is told to.
// A script ends the process that is meant, and no other.
func TestKillingByScript(t *testing.T) {
	now := time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)
	for input, want := range map[string]struct {
		said string
		runs bool
	}{
		"7 pQzpcYS5leGU 1795932001500": {`"result":"ended"`, false}, // the start is as near as a script has it
		"7 pQzpcYS5leGU 0":             {`"result":"ended"`, false},
		"7 pQzpcYS5leGU 1795932003500": {`"result":"other"`, true},
		"7 pQzpcYi5leGU 0":             {`"result":"other"`, true},
		"8 pQzpcYS5leGU 0":             {`"result":"gone"`, true},
		"7 QzpcYS5leGU 0":              {"", true},
	} {
		w := edrtest.New(t, func() time.Time { return now })
		w.Add(edrtest.Host{ID: "h1", Processes: []*edrtest.Process{{PID: 7, Path: `C:\A.exe`, Start: time.UnixMilli(1795932000000)}}})
		w.OnScript(edrtest.Killing("end.ps1"))
		id := w.Order(edrtest.Action{Kind: edrtest.RunScript, Host: "h1", Script: "end.ps1", Input: input}).ID
		if !w.Runs("h1", 7) || w.Kills() != 0 {
			t.Errorf("%s: it was carried out before anybody looked", input)
		}
		w.Prompt()
		a, _ := w.Action(id)
		kills := map[bool]int{true: 0, false: 1}[want.runs]
		if w.Runs("h1", 7) != want.runs || w.Kills() != kills || !strings.Contains(a.Result.Stdout, want.said) || w.Count(edrtest.RunScript) != 1 {
			t.Errorf("%s: it runs: %t, after %d kills, and %+v; want %+v", input, w.Runs("h1", 7), w.Kills(), a.Result, want)
		}
	}
}
