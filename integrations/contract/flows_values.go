package contract

import (
	"testing"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// counts is a number of packets, as far as records count them.
func (h FlowsHarness) counts(packets int64) int64 {
	if h.Uncounted {
		return 0
	}
	return packets
}

// packets fails unless the packets are as wanted, or are not known where nobody counts them.
func (h FlowsHarness) packets(t testing.TB, got incident.Traffic, want int64) {
	t.Helper()
	if h.Uncounted {
		notKnown(t, "packets_out", got.PacketsOut)
		return
	}
	is(t, "packets_out", got.PacketsOut, want)
}

// volumeUnknown fails unless every value that depends on the volume is unknown.
func volumeUnknown(t testing.TB, got incident.Traffic) {
	t.Helper()
	notKnown(t, "bytes_out", got.BytesOut)
	notKnown(t, "rate", got.Rate)
}
