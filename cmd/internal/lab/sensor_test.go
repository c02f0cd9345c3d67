package lab

import (
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/nfdump"
)

// TestReportsAddUp has each kind of sensor report a transfer: the flow store has as many
// bytes as the host's interface, sampled or not.
func TestReportsAddUp(t *testing.T) {
	if err := ReadyToSample(); err != nil {
		t.Skipf("SKIPPED: no sensor that samples: %v", err)
	}
	for name, tt := range map[string]struct {
		sensor    Sensor
		tolerance float64
	}{
		"flows":                        {Sensor{Active: time.Second}, 0.03},
		"samples of one packet in ten": {Sensor{Sampling: 10}, 0.15},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := build(t)
			tt.sensor.Interface = Inside
			folder, err := l.Flows(t.Context(), tt.sensor, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			store, err := nfdump.Open(nfdump.Config{Folder: folder, Program: "nfdump", Longest: time.Hour, Records: 1e6, Timeout: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			bytesOut := func(ip string) int64 {
				now := time.Now()
				traffic, err := store.Traffic(t.Context(), integrations.TrafficQuery{IPs: []string{ip}, From: now.Add(-time.Minute), To: now, Top: 1})
				if err != nil {
					t.Fatal(err)
				}
				n, _ := traffic.BytesOut.Get()
				return n
			}
			sent := func(n *Node) int64 {
				t.Helper()
				n64, err := n.Sent(t.Context(), "eth0")
				if err != nil {
					t.Fatal(err)
				}
				return n64
			}
			before := sent(l.Hosts[0])
			for i, rate := range []int64{40e6, 2e6} {
				if _, err := l.Measure(t.Context(), l.Hosts[i], Probe{UDP: true, Rate: rate, For: 2 * time.Second}); err != nil {
					t.Fatal(err)
				}
			}
			// What came later is there, and so is all that was sent before.
			eventually(t, "the second host's transfer is there", func() bool { return bytesOut("10.20.4.17") > 250e3 })
			within(t, "bytes", bytesOut("10.20.4.42"), sent(l.Hosts[0])-before, tt.tolerance)
		})
	}
}
