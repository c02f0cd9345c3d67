package incident_test

import (
	"testing"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// What counts as still sending is the playbook's own rate, else the largest of three, and
// not known where it is not known what was sent.
func TestSendingAbove(t *testing.T) {
	bytes := func(n int64) incident.Value[int64] { return incident.Known(n, incident.FromFlows) }
	const minute = 60
	for name, tt := range map[string]struct {
		written   int64
		sent, p99 incident.Value[int64]
		proof     int64
		above     int64
		of        string
	}{
		"written":             {written: 20e6, above: 20e6, of: "again_above"},
		"a quarter":           {sent: bytes(40e6 / 8 * minute), p99: bytes(1e6 / 8 * minute), proof: 3e6, above: 10e6, of: "a quarter of what it sent"},
		"the usual":           {sent: bytes(40e6 / 8 * minute), p99: bytes(15e6 / 8 * minute), proof: 3e6, above: 15e6, of: "its usual p99"},
		"the proof":           {sent: bytes(40e6 / 8 * minute), proof: 12e6, above: 12e6, of: "egress_below"},
		"a quiet host":        {sent: bytes(0), proof: 0, above: 1, of: "a quarter of what it sent"},
		"nothing is known":    {proof: 3e6, of: "traffic.bytes_out is unknown"},
		"only what is normal": {p99: bytes(15e6 / 8 * minute), proof: 3e6, of: "traffic.bytes_out is unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			s := incident.PlannedStep{Hold: &incident.Hold{AgainAbove: tt.written}, Verify: &incident.Verify{EgressBelow: tt.proof}}
			var f incident.Facts
			f.Traffic.BytesOut, f.Baseline.P99 = tt.sent, tt.p99
			if above, of := incident.SendingAbove(s, f, time.Minute); above != tt.above || of != tt.of {
				t.Errorf("it is %d, %q, want %d, %q", above, of, tt.above, tt.of)
			}
		})
	}
}

// Two counts tell a rate only where one follows the other.
func TestRateSince(t *testing.T) {
	at := time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC)
	count := func(after time.Duration, passed, dropped int64, limiter bool) incident.Count {
		return incident.Count{At: at.Add(after), Counters: incident.Counters{PassedBytes: passed, DroppedBytes: dropped}, Limiter: limiter}
	}
	first := count(0, 1000, 5000, true)
	for name, tt := range map[string]struct {
		now   incident.Count
		rate  int64
		known bool
	}{
		"passed and dropped": {count(8*time.Second, 2000, 12000, true), 8000, true},
		"counted anew":       {count(8*time.Second, 10, 12000, true), 0, false},
		"another counter":    {count(8*time.Second, 2000, 12000, false), 0, false},
		"at once":            {count(0, 2000, 12000, true), 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			if rate, known := tt.now.RateSince(&first); rate != tt.rate || known != tt.known {
				t.Errorf("%d, %v, want %d, %v", rate, known, tt.rate, tt.known)
			}
		})
	}
	if _, known := first.RateSince(nil); known {
		t.Error("one count tells a rate")
	}
}

// For how long a containment is in place is said with what may make it longer or shorter.
func TestLasts(t *testing.T) {
	s := incident.PlannedStep{Action: incident.RateLimit, TTL: time.Hour}
	for want, change := range map[string]func(){
		"for 1h": func() {},
		"for 1h, at most 8h while it still sends":   func() { s.Hold = &incident.Hold{AtMost: 8 * time.Hour} },
		"for 1h, until nothing was dropped for 20m": func() { s.Hold, s.QuietFor = nil, 20*time.Minute },
	} {
		s.Hold, s.QuietFor = nil, 0
		if change(); s.Lasts(incident.FormatDuration) != want {
			t.Errorf("it lasts %q, want %q", s.Lasts(incident.FormatDuration), want)
		}
	}
	if s.Action = incident.Notify; s.Lasts(incident.FormatDuration) != "" {
		t.Error("a notify lasts")
	}
}
