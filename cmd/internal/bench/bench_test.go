package bench

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/embedded"
	"github.com/stanch-soar/stanch/cmd/internal/engine"
)

// The counts of a small measurement are right: no case is lost or doubled, no alert
// is lost.
func TestSmallMeasurementCounts(t *testing.T) {
	if !embedded.BuiltIn {
		t.Skip("this build has no embedded engine")
	}
	o := Options{
		Cases: 8, InFlight: 4, Alone: 2, StormAlerts: 60, StormSubjects: 3, StormSenders: 20, Dir: t.TempDir(), SyncDelay: time.Millisecond,
		Progress: func(string, int, int) {},
	}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.StormCases != o.StormSubjects || r.StormRecorded != o.StormAlerts {
		t.Errorf("the storm ended in %d cases with %d alerts; want %d with %d", r.StormCases, r.StormRecorded, o.StormSubjects, o.StormAlerts)
	}
	if r.CaseRatio <= 0 || r.CaseP50 <= 0 || r.BareP50 <= 0 || r.ColdStart <= 0 || r.PeakMemory <= 0 {
		t.Errorf("something was not measured: %+v", r)
	}
	for what, n := range map[string]float64{
		"the disk": float64(r.SyncTime), "cases": r.CasesPerSecond, "their syncs": r.CaseSyncs, "their processor time": float64(r.CaseProcessor),
		"the stock engine": r.StockPerSecond, "its syncs": r.StockSyncs, "its processor time": float64(r.StockProcessor),
		"the ratio": r.StockRatio, "the floor": r.FloorPerSecond,
	} {
		if n <= 0 {
			t.Errorf("of %s nothing was measured", what)
		}
	}
	if r.SyncDelay != o.SyncDelay {
		t.Errorf("the delay is reported as %s", r.SyncDelay)
	}
	// Each sync takes at least its delay, and a case at rest, as any workflow, waits for several in a row.
	if took := time.Duration(r.StockSyncsAtRest * float64(o.SyncDelay)); r.StockSyncsAtRest < 10 || r.StockP50 < took/2 {
		t.Errorf("a bare workflow on the stock engine takes %s and %.1f syncs", r.StockP50, r.StockSyncsAtRest)
	}
	if r.CaseSyncsAtRest < 5 || r.CaseP50 < 5*o.SyncDelay {
		t.Errorf("a case at rest takes %s and %.1f syncs", r.CaseP50, r.CaseSyncsAtRest)
	}
	for name, most := range map[string]engine.Cost{
		"case": {Events: 21, WorkflowTasks: 2, Actions: 7}, "claim": {Events: 4, WorkflowTasks: 1, Actions: 1},
		"lease": {Events: 14, WorkflowTasks: 2, Actions: 5}, "budget": {Events: 5, WorkflowTasks: 1, Actions: 1},
	} {
		got := r.CaseCost[name]
		if got.Events == 0 || got.Events > most.Events || got.WorkflowTasks > most.WorkflowTasks || got.Actions > most.Actions {
			t.Errorf("a contained case takes %+v of its %s, at most %+v are expected", got, name, most)
		}
	}
	t.Logf("%+v", r.CaseCost)
	if r.Decide <= 0 || r.Load <= 0 {
		t.Errorf("the policy was not measured: %+v", r)
	}
}

// A twentieth of the storm that limits.md speaks of ends in a case for each host,
// with every alert in it once, also those that had to be sent again.
func TestAStormIsInOneCaseAHost(t *testing.T) {
	if !embedded.BuiltIn {
		t.Skip("this build has no embedded engine")
	}
	o := Options{
		Cases: 4, InFlight: 1, Alone: 1, StormAlerts: 5000, StormSubjects: 100, StormSenders: 500, Dir: t.TempDir(),
		Progress: func(string, int, int) {},
	}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.StormCases != o.StormSubjects || r.StormRecorded != o.StormAlerts {
		t.Errorf("the storm ended in %d cases with %d alerts; want %d with %d", r.StormCases, r.StormRecorded, o.StormSubjects, o.StormAlerts)
	}
	t.Logf("%.0f alerts a second, %d sent again", r.StormPerSecond, r.StormAgain)
}

// While a storm goes on its hosts are contained: what is sent for a case that is
// there leaves the engine to what the cases do.
func TestHostsAreContainedDuringAStorm(t *testing.T) {
	if !embedded.BuiltIn {
		t.Skip("this build has no embedded engine")
	}
	const hosts = 100
	b := &bench{Options: Options{StormSubjects: hosts, InFlight: 1, Dir: t.TempDir()}}
	if err := b.start(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := b.service.Stop(); err != nil {
			t.Error(err)
		}
	}()
	storm, end := context.WithCancel(t.Context())
	var sending sync.WaitGroup
	sending.Go(func() {
		// It is cancelled long before it ends.
		if sent, err := (Storm{Address: b.service.Address(), Subjects: hosts, Alerts: 10_000_000, Senders: 1000}).Send(storm); err == nil {
			t.Errorf("the storm ended: %+v", sent)
		}
	})
	patience, give := context.WithTimeout(t.Context(), 3*time.Minute)
	defer give()
	if err := b.isolated(patience, hosts); err != nil {
		t.Error(err)
	}
	end()
	sending.Wait()
}
