package contract

import "testing"

// BenchmarkAlerts measures how long the alert of the Spec's Example takes to be parsed and
// made an alert of ours.
func BenchmarkAlerts(b *testing.B, h AlertsHarness) {
	body := []byte(h.Spec.Example)
	b.ReportAllocs()
	for b.Loop() {
		h.only(b, "the example", body)
	}
}
