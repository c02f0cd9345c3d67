package traffic

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// FuzzJoin reads records of six bytes, most of them invalid. Regardless of them
// the result must not contradict itself, and must not depend on their order.
func FuzzJoin(f *testing.F) {
	f.Add([]byte("\x00\x01\x02\x03\x04\x05\x01\x01\x02\x03\x04\x05"))
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x01\x00\x00\x00\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		flows, conns := fuzzed(data)
		got := Join(flows, conns)
		if rate, ok := got.JoinRate.Get(); ok && (rate < 0 || rate > 1) {
			t.Errorf("join rate is %v", rate)
		}
		if got.Matched > len(flows) || got.Attribution == incident.Exact && got.Matched == 0 {
			t.Errorf("%d of %d flows matched, and the attribution is %s", got.Matched, len(flows), got.Attribution)
		}
		names := func(p incident.Process) bool { return p.Path.IsKnown() || p.Name.IsKnown() }
		guessed := got.Attribution == incident.Destination || got.Attribution == incident.ProcessList
		if names(got.Process) != (got.Attribution == incident.Exact) || names(got.Candidate) != guessed || got.Attribution != incident.Exact && got.Explained != 0 {
			t.Errorf("attribution %s with the process %v, the candidate %v and %d bytes explained", got.Attribution, got.Process, got.Candidate, got.Explained)
		}
		slices.Reverse(flows)
		slices.Reverse(conns)
		if again := Join(flows, conns); fmt.Sprint(again) != fmt.Sprint(got) {
			t.Errorf("in the other order: %v, not %v", again, got)
		}
	})
}

func fuzzed(data []byte) (flows []incident.Flow, conns []incident.Connection) {
	times := []time.Time{{}, start(), time.Unix(0, 0), time.Unix(1<<40, 0), time.Unix(-1<<40, 0), time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC)}
	ips := []string{"10.0.1.4", "203.0.113.9", "::ffff:10.0.1.4", "fe80::1%eth0", "", "none", "10.0.1.255", "2001:db8::1"}
	lengths := []time.Duration{0, time.Second, -time.Hour, 1<<63 - 1}
	ports := []int{53, 0, -1, 1 << 40, 65535, 65536}
	names := []string{"a.exe", "B.EXE", "b.exe", "", "<unknown process>"}
	for r := range slices.Chunk(data, 6) {
		if len(r) < 6 {
			break
		}
		at := times[int(r[1])%len(times)].Add(time.Duration(r[5]) * time.Second)
		tuple := incident.Tuple{SrcIP: ips[int(r[2])%len(ips)], SrcPort: ports[int(r[3])%len(ports)], DstIP: ips[int(r[4])%len(ips)], DstPort: ports[int(r[4]/8)%len(ports)], Transport: []string{"udp", "TCP"}[r[5]%2]}
		if r[0]%2 == 0 {
			flows = append(flows, incident.Flow{Start: at, Duration: lengths[int(r[0]/2)%len(lengths)], Tuple: tuple, BytesOut: int64(r[0]) - 1})
			continue
		}
		c := incident.Connection{At: at, Tuple: tuple, Process: incident.Process{Name: incident.Known(names[int(r[0]/2)%len(names)], incident.FromEDR)}}
		if r[0] > 64 {
			c.Process.PID = incident.Known(int64(r[0]%3), incident.FromEDR)
		}
		conns = append(conns, c)
	}
	return flows, conns
}
