package sqlite

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

// The tests of this file run over real records; testdata/SOURCES.md says where
// they are from.

func importFile(t *testing.T, s *Store, name string) ImportResult {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	got, err := s.Import(t.Context(), f, ImportOptions{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// query returns a host's traffic; times are seconds since 1970.
func query(t *testing.T, s *Store, ip string, from, to int64) incident.Traffic {
	t.Helper()
	got, err := s.Traffic(t.Context(), integrations.TrafficQuery{
		IPs: []string{ip}, From: time.Unix(from, 0), To: time.Unix(to, 0), Top: 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func want[T comparable](t *testing.T, what string, v incident.Value[T], want T) {
	t.Helper()
	if got, ok := v.Get(); !ok || got != want {
		t.Errorf("%s is %v, want %v", what, v, want)
	}
}

// sysmonConnections reads Sysmon's EID 3 as two log shippers write it.
func sysmonConnections(t *testing.T, file string) []incident.Connection {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var conns []incident.Connection
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var e map[string]any
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		field := func(name string) string { text, _ := e[name].(string); return text }
		at, err := time.Parse("2006-01-02 15:04:05.000", field("UtcTime"))
		if err != nil {
			t.Fatal(err)
		}
		number := func(s string) int {
			if s == "" { // some shippers leave the process id out
				return 0
			}
			n, err := strconv.Atoi(s)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		conns = append(conns, incident.Connection{
			At: at,
			Tuple: incident.Tuple{
				SrcIP: field("SourceIp"), SrcPort: number(field("SourcePort")),
				DstIP: field("DestinationIp"), DstPort: number(field("DestinationPort")), Transport: field("Protocol"),
			},
			Process: incident.Process{
				Path: incident.Known(field("Image"), incident.FromEDR), PID: incident.Known(int64(number(field("ProcessId"))), incident.FromEDR),
			},
		})
	}
	return conns
}

func TestOneWayCaptureJoinsThoughClocksDiffer(t *testing.T) {
	s := openStore(t, time.Time{})
	if got := importFile(t, s, "03_zeek_conn_paired_with_02.tsv"); got.Records != 26 || got.Bad != 0 {
		t.Fatalf("imported %+v, want 26 records", got)
	}
	seen := query(t, s, "192.168.56.30", 1693975800, 1693976400)
	want(t, "flows", seen.Flows, 26)
	want(t, "coverage", seen.Coverage, string(incident.OneWay))
	if seen.BytesOut.IsKnown() || seen.BytesOut.Why() != "flows: one-way capture" || seen.Rate.IsKnown() || seen.Role.IsKnown() {
		t.Errorf("volume is %v, rate %v, role %v: want them unknown", seen.BytesOut, seen.Rate, seen.Role)
	}
	// The resolver's side was seen.
	if n, ok := query(t, s, "192.168.56.1", 1693975800, 1693976400).BytesOut.Get(); !ok || n == 0 {
		t.Errorf("the resolver sent %d bytes (known: %v), want what was captured", n, ok)
	}

	joined := traffic.Join(seen.Sample, sysmonConnections(t, "testdata/02_sysmon_eid3_svchost_dns_burst.jsonl"))
	want(t, "join rate", joined.JoinRate, 1)
	want(t, "process", joined.Process.Path, `C:\Windows\system32\svchost.exe`)
	want(t, "process id", joined.Process.PID, 1156)
	if joined.Attribution != incident.Exact || joined.Matched != 24 {
		t.Errorf("attribution is %s with %d of %d flows, want exact with 24 of 26", joined.Attribution, joined.Matched, joined.Flows)
	}
	const skew = -43518 * time.Second
	if got, _ := joined.ClockSkew.Get(); got < skew-15*time.Second || got > skew+15*time.Second {
		t.Errorf("clock skew is %s, want about %s", got, skew)
	}
}

// Even if nothing came back, the resolvers of these records are not requesters.
func TestBenignResolversAreNoRequesters(t *testing.T) {
	for _, name := range []string{
		"02_sysmon_eid3_svchost_dns_burst.jsonl", "04_sysmon_eid3_dns_exe_external.jsonl", "05_sysmon_eid3_benign_amp_ports.jsonl",
	} {
		hosts := map[string][]traffic.Peer{}
		for _, c := range sysmonConnections(t, filepath.Join("testdata", name)) {
			hosts[c.SrcIP] = append(hosts[c.SrcIP], traffic.Peer{
				IP: c.DstIP, Port: c.DstPort, Transport: c.Transport, BytesOut: 70, PacketsOut: 1, Flows: 1,
			})
		}
		if len(hosts) == 0 {
			t.Fatalf("%s has no connection", name)
		}
		for host, peers := range hosts {
			shape := traffic.Shape{Host: []string{host}, Active: time.Second, Peers: peers}
			if role := traffic.Classify(shape, traffic.DefaultRoleLimits()); role != incident.UnknownRole && role != incident.Discovery {
				t.Errorf("%s: the role of %s is %s", name, host, role)
			}
		}
	}
}

func TestExfiltrationIntoPrivateSpaceIsATransfer(t *testing.T) {
	s := openStore(t, time.Time{})
	if got := importFile(t, s, "06_zeek_conn_apt29_day1_scranton_slice.jsonl"); got.Records != 30 || got.Bad != 0 {
		t.Fatalf("imported %+v, want 30 records", got)
	}
	seen := query(t, s, "10.0.1.4", 1588206720, 1588206780)
	want(t, "role", seen.Role, string(incident.Transfer))
	want(t, "coverage", seen.Coverage, string(incident.Disagree))
	top, _ := seen.Top.Get()
	if len(top) == 0 || top[0] != (incident.TopFlow{IP: "192.168.0.4", Port: 80, Transport: "tcp", Bytes: 2181167, Packets: 582, Flows: 1}) {
		t.Errorf("top is %+v, want the 2,181,167 bytes to 192.168.0.4 first", top)
	}
}

func TestTwoSensorsCountOnce(t *testing.T) {
	s := openStore(t, time.Time{})
	importFile(t, s, "14_zeek_conn_same_flow_two_sensors.jsonl")
	seen := query(t, s, "10.0.1.4", 1588206600, 1588207800)
	want(t, "flows", seen.Flows, 7)
	// Per flow the larger of what the two sensors counted.
	const bytes = 2181167 + 4261160 + 527300 + 527368 + 197479 + 197639 + 198230
	want(t, "bytes_out", seen.BytesOut, bytes)
	want(t, "coverage", seen.Coverage, string(incident.Disagree))

	points, err := s.Series(t.Context(), integrations.TrafficQuery{IPs: []string{"10.0.1.4"}, From: time.Unix(1588206600, 0), To: time.Unix(1588207800, 0)})
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	for _, p := range points {
		sum += p.BytesOut
	}
	if sum != bytes {
		t.Errorf("the series adds up to %d, want %d", sum, bytes)
	}
}

func TestWorkersOfOneSensorCountOnce(t *testing.T) {
	s := openStore(t, time.Time{})
	if got := importFile(t, s, "07_zeek_conn_currentis_slice.jsonl"); got.Records != 31 || got.Bad != 0 {
		t.Fatalf("imported %+v, want 31 records", got)
	}
	// Two workers saw one flow each way: 148 bytes went out, 148 came back.
	ntp := query(t, s, "192.168.4.235", 1780968000, 1780968005)
	want(t, "flows", ntp.Flows, 1)
	want(t, "bytes_out", ntp.BytesOut, 148)
	want(t, "bytes_in", ntp.BytesIn, 148)

	want(t, "role of multicast DNS and UniFi broadcasts", query(t, s, "192.168.4.1", 1780968000, 1780968060).Role, string(incident.Discovery))

	dns := query(t, s, "192.168.4.250", 1780968020, 1780968030)
	if dns.BytesOut.IsKnown() {
		t.Errorf("bytes_out of queries that were not captured is %v, want unknown", dns.BytesOut)
	}
	want(t, "bytes_in of answers that were captured", dns.BytesIn, 314+362+213)
}

func TestSampledFlowsAreScaled(t *testing.T) {
	s := openStore(t, time.Time{})
	if got := importFile(t, s, "19_goflow2_sflow_sample.json"); got.Records != 1 {
		t.Fatalf("imported %+v, want the one record, which spans lines", got)
	}
	seen := query(t, s, "fd01::1", 1681583290, 1681583300)
	want(t, "bytes_out", seen.BytesOut, 150_000)
	want(t, "packets_out", seen.PacketsOut, 100)
	want(t, "coverage", seen.Coverage, string(incident.Sampled))
	want(t, "bytes_in of the other end", query(t, s, "fd01::2", 1681583290, 1681583300).BytesIn, 150_000)
	top, err := s.Top(t.Context(), TopQuery{From: time.Unix(1681583290, 0), To: time.Unix(1681583300, 0), Limit: 1})
	if err != nil || len(top) != 1 || top[0].IP != "fd01::1" {
		t.Errorf("top is %+v (%v), want fd01::1", top, err)
	}
}

// Exporters write a record for each direction. A host that only received is silent
// where they have seen it send lately, else unheard.
func TestSilenceIsZeroOnlyWhereTheSensorsHear(t *testing.T) {
	const at = int64(1681583295)
	record := func(unix int64, src, dst string) string {
		return fmt.Sprintf(`{"type":"NETFLOW_V9","sampling_rate":1,"time_flow_start_ns":%d,"time_flow_end_ns":%d,"bytes":1500,"packets":3,"src_addr":%q,"dst_addr":%q,"proto":"TCP","src_port":443,"dst_port":50001}`+"\n",
			unix*1e9, unix*1e9, src, dst)
	}
	for name, c := range map[string]struct {
		sent  int64 // when it sent last, 0 is never
		known bool
	}{"never heard": {0, false}, "heard an hour ago": {at - 3600, true}, "heard two days ago": {at - 48*3600, false}} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t, time.Time{})
			log := record(at, "203.0.113.1", "10.0.0.1") + record(at+600, "203.0.113.1", "10.0.0.2")
			if c.sent != 0 {
				log += record(c.sent, "10.0.0.1", "203.0.113.1")
			}
			if _, err := s.Import(t.Context(), strings.NewReader(log), ImportOptions{Name: "exported"}); err != nil {
				t.Fatal(err)
			}
			got := query(t, s, "10.0.0.1", at-60, at+60)
			if n, known := got.BytesOut.Get(); known != c.known || n != 0 {
				t.Errorf("bytes_out is %v, want it known: %v", got.BytesOut, c.known)
			}
			want(t, "bytes_in", got.BytesIn, 1500)
		})
	}
}
