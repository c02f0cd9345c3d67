package contract

import (
	"testing"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

func reportChecks() []check[FlowsHarness] {
	return []check[FlowsHarness]{
		{"a flow that goes on is recorded when it is cut", checkReportsCut},
		{"a flow is recorded when its sensor gives it up", checkReportsLate},
	}
}

// reports checks how late the store says that records of the host come, while another
// host's are always there.
func (h FlowsHarness) reports(t testing.TB, want time.Duration, records ...incident.Flow) {
	t.Helper()
	if h.AtOnce {
		want = 0
	}
	got := h.traffic(t, h.window(), append(records, h.flow(-time.Second, flowsElse, flowsPeer, 1000))...)
	// What has only the end of a flow may know it to the second.
	if got.Reports < want || got.Reports > want+time.Second {
		t.Errorf("the store says that records come up to %s late, want %s", got.Reports, want)
	}
}

// checkReportsCut has a flood whose flow is cut every half minute, beside one that carries
// next to nothing for far longer.
func checkReportsCut(t testing.TB, h FlowsHarness) {
	const cut = 30 * time.Second
	small := h.flow(-5*time.Minute, flowsHost, "198.51.100.2", 100)
	small.Duration = 5 * time.Minute
	records := []incident.Flow{small}
	for n := 1; n <= 3; n++ {
		f := h.flow(time.Duration(-n*int(cut)), flowsHost, flowsPeer, 100_000)
		f.Duration = cut
		records = append(records, f)
	}
	want := cut
	if h.Moments {
		want = 0
	}
	h.reports(t, want, records...)
}

func checkReportsLate(t testing.TB, h FlowsHarness) {
	var records []incident.Flow
	for n := range 5 {
		f := h.flow(-20*time.Second-time.Duration(n+1)*time.Second, flowsHost, flowsPeer, 1000)
		f.SrcPort += n
		records = append(records, f)
	}
	h.reports(t, 20*time.Second, records...)
}
