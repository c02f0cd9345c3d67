package sqlite

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// estate makes flows of an estate of the given number of hosts over 14 days, sorted by
// time: mostly web and DNS, a few thousand servers, now and then a big upload.
type estate struct {
	rng   *rand.Rand
	hosts int
	at    time.Time
	step  time.Duration
}

func begin() time.Time { return time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC) }

func newEstate(hosts, records int) *estate {
	return &estate{
		rng: rand.New(rand.NewPCG(1, uint64(hosts))), hosts: hosts, at: begin(),
		step: 14 * 24 * time.Hour / time.Duration(records),
	}
}

func (g *estate) next() flowmath.Record {
	g.at = g.at.Add(time.Duration(g.rng.Int64N(int64(2*g.step) + 1)))
	h := g.rng.IntN(g.hosts)
	r := flowmath.Record{
		Start: g.at, Duration: time.Duration(g.rng.ExpFloat64() * float64(3*time.Second)).Truncate(time.Microsecond),
		Src: netip.AddrFrom4([4]byte{10, 1, byte(h >> 8), byte(h)}), SrcPort: uint16(1024 + g.rng.IntN(60000)),
		Sampling: 1, Transport: "tcp", DstPort: 443,
	}
	server := g.rng.IntN(4000)
	r.Dst = netip.AddrFrom4([4]byte{198, 51, byte(server >> 8), byte(server)})
	out, in := int64(g.rng.ExpFloat64()*4000), int64(g.rng.ExpFloat64()*60000)
	if g.rng.IntN(10) < 4 {
		r.Transport, r.DstPort, r.Duration = "udp", 53, time.Duration(g.rng.IntN(90))*time.Millisecond
		r.Dst = netip.AddrFrom4([4]byte{10, 1, 255, byte(g.rng.IntN(2))})
		out, in = 40+int64(g.rng.IntN(30)), 60+int64(g.rng.IntN(200))
	} else if g.rng.IntN(1000) == 0 {
		out *= 20000
	}
	packets := func(n int64) int64 { return 1 + n/1200 }
	r.Orig = flowmath.Side{Bytes: out, IPBytes: out + 40*packets(out), Packets: packets(out)}
	r.Resp = flowmath.Side{Bytes: in, IPBytes: in + 40*packets(in), Packets: packets(in)}
	return r
}

func zeekTSV(g *estate, n int) []byte {
	b := bytes.NewBufferString("#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n" +
		"#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\tresp_bytes\tconn_state" +
		"\tlocal_orig\tlocal_resp\tmissed_bytes\thistory\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\ttunnel_parents\n")
	for i := range n {
		r := g.next()
		fmt.Fprintf(b, "%.6f\tC%017x\t%s\t%d\t%s\t%d\t%s\t-\t%.6f\t%d\t%d\tSF\tT\tF\t0\tShADadFf\t%d\t%d\t%d\t%d\t-\n",
			float64(r.Start.UnixMicro())/1e6, i, r.Src, r.SrcPort, r.Dst, r.DstPort, r.Transport, r.Duration.Seconds(),
			r.Orig.Bytes, r.Resp.Bytes, r.Orig.Packets, r.Orig.IPBytes, r.Resp.Packets, r.Resp.IPBytes)
	}
	return b.Bytes()
}

func zeekJSON(g *estate, n int) []byte {
	var b bytes.Buffer
	for i := range n {
		r := g.next()
		fmt.Fprintf(&b, `{"ts":%.6f,"uid":"C%017x","id.orig_h":"%s","id.orig_p":%d,"id.resp_h":"%s","id.resp_p":%d,"proto":"%s",`+
			`"service":"ssl","duration":%.6f,"orig_bytes":%d,"resp_bytes":%d,"conn_state":"SF","local_orig":true,"local_resp":false,`+
			`"missed_bytes":0,"history":"ShADadFf","orig_pkts":%d,"orig_ip_bytes":%d,"resp_pkts":%d,"resp_ip_bytes":%d}`+"\n",
			float64(r.Start.UnixMicro())/1e6, i, r.Src, r.SrcPort, r.Dst, r.DstPort, r.Transport, r.Duration.Seconds(),
			r.Orig.Bytes, r.Resp.Bytes, r.Orig.Packets, r.Orig.IPBytes, r.Resp.Packets, r.Resp.IPBytes)
	}
	return b.Bytes()
}

func goflowJSON(g *estate, n int) []byte {
	var b bytes.Buffer
	for range n {
		r := g.next()
		fmt.Fprintf(&b, `{"type":"SFLOW_5","time_received_ns":%d,"sequence_num":2999,"sampling_rate":100,"sampler_address":"192.168.0.1",`+
			`"time_flow_start_ns":%d,"time_flow_end_ns":%d,"bytes":%d,"packets":1,"src_addr":"%s","dst_addr":"%s","etype":"IPv4",`+
			`"proto":"%s","src_port":%d,"dst_port":%d}`+"\n", r.Start.UnixNano(), r.Start.UnixNano(), r.Start.UnixNano(),
			60+r.Orig.Bytes%1400, r.Src, r.Dst, map[string]string{"tcp": "TCP", "udp": "UDP"}[r.Transport], r.SrcPort, r.DstPort)
	}
	return b.Bytes()
}

// BenchmarkImport measures records per second into a store on disk, on one
// core.
func BenchmarkImport(b *testing.B) {
	const records = 300_000
	for _, c := range []struct {
		name  string
		hosts int
		write func(*estate, int) []byte
	}{
		{"zeek-tsv/5000-hosts", 5000, zeekTSV},
		{"zeek-tsv/1-host", 1, zeekTSV},
		{"zeek-json/5000-hosts", 5000, zeekJSON},
		{"goflow2-json/5000-hosts", 5000, goflowJSON},
	} {
		log := c.write(newEstate(c.hosts, records), records)
		b.Run(c.name, func(b *testing.B) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			before := cpuTime(b)
			for b.Loop() {
				s := openStore(b, begin().AddDate(0, 0, 30))
				got, err := s.Import(b.Context(), bytes.NewReader(log), ImportOptions{Name: c.name})
				if err != nil || got.Records != records {
					b.Fatal(got, err)
				}
			}
			b.ReportMetric(float64(records)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
			// On a machine with other load this is the figure to use.
			b.ReportMetric(float64(records)*float64(b.N)/(cpuTime(b)-before).Seconds(), "records/cpu-s")
		})
	}
}

// cpuTime is what the process has used of all cores, system calls included.
func cpuTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkQuery measures queries in a store of five million records.
func BenchmarkQuery(b *testing.B) {
	const records = 5_000_000
	for _, hosts := range []int{5000, 1} {
		s := openStore(b, begin().AddDate(0, 0, 30))
		g := newEstate(hosts, records)
		part := make([]flowmath.Record, 100_000)
		for range records / len(part) {
			for i := range part {
				part[i] = g.next()
			}
			if err := s.Append(b.Context(), part); err != nil {
				b.Fatal(err)
			}
		}
		to := begin().AddDate(0, 0, 7)
		q := integrations.TrafficQuery{IPs: []string{"10.1.0.0"}, From: to.Add(-time.Hour), To: to, Top: 20}
		b.Run(fmt.Sprintf("traffic-hour/%d-hosts", hosts), func(b *testing.B) {
			before := cpuTime(b)
			for b.Loop() {
				if _, err := s.Traffic(b.Context(), q); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/1e3/float64(b.N), "cpu-ms/op")
		})
		b.Run(fmt.Sprintf("baseline-14d/%d-hosts", hosts), func(b *testing.B) {
			for b.Loop() {
				_, err := s.Baseline(b.Context(), integrations.BaselineQuery{IPs: q.IPs, To: begin().AddDate(0, 0, 13), Days: 14, Window: 15 * time.Minute})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("series-day/%d-hosts", hosts), func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Series(b.Context(), integrations.TrafficQuery{IPs: q.IPs, From: to.AddDate(0, 0, -1), To: to}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("top-hour/%d-hosts", hosts), func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Top(b.Context(), TopQuery{From: q.From, To: q.To, Limit: 20, Top: 3}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
