package contract

import (
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
)

// ConfiguredRate checks a store with a configured sampling rate for sensors that do
// not report theirs.
func ConfiguredRate(t *testing.T, open func(t testing.TB, rate int, records []Seen) integrations.Flows) {
	t.Helper()
	unsaid := Second(time.Minute, 1000, 0)
	unsaid.Sampling, unsaid.PacketsOut = 0, 2
	said := Second(2*time.Minute, 500, 0)
	said.DstIP, said.Sampling, said.PacketsOut = "198.51.100.2", 10, 2
	for rate, want := range map[int]int64{0: 5000, 1: 6000, 100: 105_000} {
		got, err := open(t, rate, []Seen{unsaid, said}).Traffic(t.Context(), Quarter())
		if n, _ := got.BytesOut.Get(); err != nil || n != want {
			t.Errorf("with a rate of %d bytes_out is %v, want %d: %v", rate, got.BytesOut, want, err)
		}
	}
}
