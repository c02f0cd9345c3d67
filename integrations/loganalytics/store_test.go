package loganalytics

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const host = "10.20.4.42"

// is fails unless the value is known and as wanted.
func is[T comparable](t *testing.T, what string, v incident.Value[T], want T) {
	t.Helper()
	if got, ok := v.Get(); !ok || got != want {
		t.Errorf("%s is %v, want %v", what, v, want)
	}
}

// sent is a flow of a minute by the host that began so long before the end of the window.
func sent(ago time.Duration, dst string, port int, out, in int64) contract.Seen {
	return contract.Seen{Sensor: "north", Sampling: 1, Flow: incident.Flow{
		Start: at().Add(-ago), Duration: time.Minute, BytesOut: out, BytesIn: in, PacketsOut: max(0, out/1000),
		Tuple: incident.Tuple{SrcIP: host, SrcPort: 50001, DstIP: dst, DstPort: port, Transport: "tcp"},
	}}
}

// later is a record of somebody else from after the window.
func later() contract.Seen {
	f := sent(-time.Minute, "198.51.100.99", 443, 1, 1)
	f.SrcIP = "10.20.9.9"
	return f
}

// both runs a test on the flows one by one, and on the service's sums.
func both(t *testing.T, l Layout, records []record, test func(t *testing.T, s *Store)) {
	t.Helper()
	for name, set := range map[string]func(*Store){"rows": func(*Store) {}, "sums": summed} {
		t.Run(name, func(t *testing.T) {
			copies := make([]record, len(records))
			for i, r := range records {
				copies[i] = record{}
				for k, v := range r {
					copies[i][k] = v
				}
			}
			s := serve(t, l, copies).open(l)
			set(s)
			test(t, s)
		})
	}
}

func traffic(t *testing.T, s *Store) incident.Traffic {
	t.Helper()
	got, err := s.Traffic(t.Context(), quarter())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// but is a record with other values.
func but(r record, set record) record {
	for k, v := range set {
		r[k] = v
		if v == nil {
			delete(r, k)
		}
	}
	return r
}

func csl(f contract.Seen, set record) record { return but(recordOf(CommonSecurityLog, f), set) }

// TestSampleOfCommonSecurityLog has the right total of a sample.
func TestSampleOfCommonSecurityLog(t *testing.T) {
	file, err := os.Open("testdata/network-logs/sentinel_CommonSecurityLog.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var records []record
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var r record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		for k, v := range r {
			if text, ok := v.(string); ok && strings.HasSuffix(k, "Time") || k == "TimeGenerated" {
				if r[k], err = time.Parse(time.RFC3339, text); err != nil {
					t.Fatal(err)
				}
			}
			if n, ok := v.(float64); ok {
				r[k] = int64(n)
			}
		}
		records = append(records, r)
	}
	last := later()
	last.Start = at().Add(20 * time.Minute)
	both(t, CommonSecurityLog, append(records, csl(last, nil)), func(t *testing.T, s *Store) {
		q := quarter()
		q.From, q.To = at(), at().Add(15*time.Minute)
		got, err := s.Traffic(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		is(t, "bytes_out", got.BytesOut, 300_000_000)
		is(t, "bytes_in", got.BytesIn, 5_000_000)
	})
}

// TestWhatDidNotLeave: what a firewall denied, and reports that are no flows of their own.
func TestWhatDidNotLeave(t *testing.T) {
	f := sent(5*time.Minute, "198.51.100.7", 443, 7000, 70)
	records := []record{csl(f, nil), csl(later(), nil)}
	for i, action := range []string{"deny", "Denied", "drop", "Drop ICMP", "blocked", "Reject", "reset-both", "Prevent"} {
		other := sent(5*time.Minute, "198.51.100.8", 1000+i, 9000, 90)
		records = append(records, csl(other, record{"DeviceAction": action}))
	}
	other := sent(5*time.Minute, "198.51.100.9", 443, 500, 5)
	records = append(records,
		csl(other, record{"DeviceEventClassID": "start"}),
		csl(other, record{"DeviceVendor": "Fortinet", "DeviceAction": "start"}),
		csl(other, record{"DeviceVendor": "Fortinet", "DeviceEventClassID": "0000000020", "DeviceAction": "accept"}),
	)
	closed := sent(4*time.Minute, "198.51.100.10", 443, 300, 3)
	records = append(records, csl(closed, record{"DeviceVendor": "Fortinet", "DeviceEventClassID": "00013", "DeviceAction": "client-rst"}))
	both(t, CommonSecurityLog, records, func(t *testing.T, s *Store) {
		got := traffic(t, s)
		is(t, "bytes_out", got.BytesOut, 7300)
		is(t, "flows", got.Flows, 2)
	})
}

// TestMissingBytesAreUnknown, unless another record of the same ends has them.
func TestMissingBytesAreUnknown(t *testing.T) {
	f := sent(5*time.Minute, "198.51.100.7", 443, 7000, 70)
	none := record{"SentBytes": nil, "ReceivedBytes": nil, "Activity": "THREAT", "StartTime": nil, "EndTime": nil}
	both(t, CommonSecurityLog, []record{csl(f, none), csl(later(), nil)}, func(t *testing.T, s *Store) {
		got := traffic(t, s)
		if got.BytesOut.IsKnown() || got.Rate.IsKnown() {
			t.Errorf("bytes_out is %v, want unknown", got.BytesOut)
		}
		is(t, "flows", got.Flows, 1)
		is(t, "coverage", got.Coverage, string(incident.OneWay))
	})
	both(t, CommonSecurityLog, []record{csl(f, none), csl(f, nil), csl(later(), nil)}, func(t *testing.T, s *Store) {
		got := traffic(t, s)
		is(t, "bytes_out", got.BytesOut, 7000)
		is(t, "coverage", got.Coverage, string(incident.BothWays))
	})
	asked := f
	asked.SrcIP, asked.DstIP = f.DstIP, f.SrcIP
	both(t, CommonSecurityLog, []record{csl(asked, record{"ReceivedBytes": nil}), csl(later(), nil)}, func(t *testing.T, s *Store) {
		if got := traffic(t, s); got.BytesOut.IsKnown() {
			t.Errorf("bytes_out of an answer that nobody counted is %v, want unknown", got.BytesOut)
		}
	})
}

// TestBeginningsThatAreNone have a flow count whole at its end.
func TestBeginningsThatAreNone(t *testing.T) {
	f := sent(5*time.Minute, "198.51.100.7", 443, 7000, 70)
	for name, start := range map[string]any{"none": nil, "1970": time.Unix(0, 0), "the future": at().Add(48 * time.Hour)} {
		t.Run(name, func(t *testing.T) {
			both(t, CommonSecurityLog, []record{csl(f, record{"StartTime": start}), csl(later(), nil)}, func(t *testing.T, s *Store) {
				is(t, "bytes_out", traffic(t, s).BytesOut, 7000)
			})
		})
	}
}

// TestOwnTraffic: what a host sends to itself does not leave it.
func TestOwnTraffic(t *testing.T) {
	records := []record{csl(sent(5*time.Minute, "10.20.4.43", 443, 7000, 70), nil), csl(sent(5*time.Minute, "198.51.100.7", 443, 500, 5), nil), csl(later(), nil)}
	both(t, CommonSecurityLog, records, func(t *testing.T, s *Store) {
		q := quarter()
		q.IPs = []string{host, "10.20.4.43"}
		got, err := s.Traffic(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		is(t, "bytes_out", got.BytesOut, 500)
		is(t, "bytes_in", got.BytesIn, 5)
	})
}

// TestAnEndInTheFuture proves nothing, though the flow began in the window.
func TestAnEndInTheFuture(t *testing.T) {
	f := sent(5*time.Minute, "198.51.100.7", 443, 7000, 70)
	f.SrcIP = "10.20.9.9"
	s := serve(t, CommonSecurityLog, []record{csl(f, record{"EndTime": at().Add(8 * time.Hour)})}).open(CommonSecurityLog)
	s.now = at
	got := traffic(t, s)
	if got.Freshness.IsKnown() || got.BytesOut.IsKnown() || len(got.FastClocks) != 1 {
		t.Errorf("freshness is %v, bytes_out %v, and the clocks that are ahead are %v", got.Freshness, got.BytesOut, got.FastClocks)
	}
}

func TestSensorsOfFirewalls(t *testing.T) {
	f := sent(5*time.Minute, "198.51.100.7", 443, 7000, 70)
	named := csl(f, record{"DeviceName": "fw1.example", "DeviceExternalID": "serial"})
	other := csl(sent(4*time.Minute, "198.51.100.8", 443, 100, 1), nil)
	for column, want := range map[string][]string{"": {"fw1.example", "north"}, "DeviceExternalID": {"", "serial"}} {
		w := serve(t, CommonSecurityLog, []record{but(record{}, named), but(record{}, other), csl(later(), nil)})
		got, err := w.open(CommonSecurityLog, func(c *Config) { c.SensorColumn = column }).Survey(t.Context(), quarter().From, quarter().To)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, s := range got.Sensors {
			names = append(names, s.Name)
		}
		if !slices.Equal(names, want) {
			t.Errorf("with the column %q the sensors are %q, want %q", column, names, want)
		}
	}
}

func nta(f contract.Seen, set record) record { return but(recordOf(NTANetAnalytics, f), set) }

// TestPublicAddresses are read from the lists that stand in place of an end.
func TestPublicAddresses(t *testing.T) {
	out := nta(sent(5*time.Minute, "", 443, 9000, 90), record{
		"DestIp": "", "FlowType": "ExternalPublic", "FlowDirection": "Outbound",
		"DestPublicIps": "198.51.100.7|2|2|10|5|6000|60 198.51.100.8|1|1|4|3|3000|30 ",
	})
	in := sent(4*time.Minute, host, 25, 500, 400)
	in.SrcIP = ""
	asked := nta(in, record{"SrcIp": "", "SrcPublicIps": "203.0.113.5|1|1|3|2|500|400"})
	both(t, NTANetAnalytics, []record{out, asked, nta(later(), nil)}, func(t *testing.T, s *Store) {
		got := traffic(t, s)
		is(t, "bytes_out", got.BytesOut, 9400)
		is(t, "bytes_in", got.BytesIn, 590)
		is(t, "packets_out", got.PacketsOut, 16)
		is(t, "destinations", got.Destinations, 3)
		top, _ := got.Top.Get()
		if len(top) != 3 || top[0].IP != "198.51.100.7" || top[0].Bytes != 6000 || top[1].Bytes != 3000 || top[2].IP != "203.0.113.5" {
			t.Errorf("top is %+v", top)
		}
	})
	damaged := nta(sent(5*time.Minute, "", 443, 9000, 90), record{"DestIp": "", "DestPublicIps": "198.51.100.7"})
	both(t, NTANetAnalytics, []record{damaged, nta(later(), nil)}, func(t *testing.T, s *Store) {
		if got := traffic(t, s); got.BytesOut.IsKnown() {
			t.Errorf("bytes_out of an entry without counts is %v, want unknown", got.BytesOut)
		}
	})
}

// TestWhatAnInterfaceSees: records of one direction add up, both directions of one flow do
// not, and what was denied did not leave.
func TestWhatAnInterfaceSees(t *testing.T) {
	f := sent(5*time.Minute, "10.30.0.5", 443, 1000, 10)
	records := []record{
		nta(f, record{"AclRule": "a", "FlowDirection": "Outbound"}), nta(f, record{"AclRule": "b", "FlowDirection": "Outbound"}),
		nta(f, record{"AclRule": "a", "FlowDirection": "Inbound", "BytesSrcToDest": int64(2000)}),
		nta(f, record{"FlowStatus": "Denied", "BytesSrcToDest": int64(5000)}), nta(f, record{"SubType": "StatusMessage"}), nta(later(), nil),
	}
	both(t, NTANetAnalytics, records, func(t *testing.T, s *Store) { is(t, "bytes_out", traffic(t, s).BytesOut, 2000) })
	old := []record{recordOf(AzureNetworkAnalytics, f), but(recordOf(AzureNetworkAnalytics, f), record{"FlowStatus_s": "D"}), recordOf(AzureNetworkAnalytics, later())}
	both(t, AzureNetworkAnalytics, old, func(t *testing.T, s *Store) {
		got := traffic(t, s)
		is(t, "bytes_out", got.BytesOut, 1000)
		is(t, "packets_out", got.PacketsOut, 1)
	})
}

// TestLateIntervals: the newest record is that of the last interval that was processed, not
// the one that was written last.
func TestLateIntervals(t *testing.T) {
	f := sent(90*time.Minute, "198.51.100.7", 443, 1000, 10)
	f.SrcIP = "10.20.9.9"
	r := nta(f, record{"FlowIntervalEndTime": at().Add(-time.Hour), "TimeGenerated": at()})
	both(t, NTANetAnalytics, []record{r}, func(t *testing.T, s *Store) {
		got := traffic(t, s)
		is(t, "freshness", got.Freshness, at().Add(-time.Hour))
		if got.BytesOut.IsKnown() || got.Flows.IsKnown() {
			t.Errorf("bytes_out is %v of %v flows, want both unknown", got.BytesOut, got.Flows)
		}
	})
}

func vm(f contract.Seen, set record) record { return but(recordOf(VMConnection, f), set) }

// TestVMConnection: what was sent is by the view of the machine, and of several processes
// adds up.
func TestVMConnection(t *testing.T) {
	in := sent(6*time.Minute, host, 8080, 333, 137)
	in.SrcIP = "198.51.100.50"
	records := []record{
		vm(sent(5*time.Minute, "198.51.100.7", 443, 1000, 10), record{"ProcessName": "rclone"}),
		vm(sent(5*time.Minute, "198.51.100.7", 443, 500, 10), record{"ProcessName": "chrome"}),
		vm(sent(4*time.Minute, "198.51.100.7", 443, 200, 10), nil),
		vm(sent(3*time.Minute, "198.51.100.7", 443, 0, 0), nil),
		vm(in, record{"Direction": "inbound"}), vm(later(), nil),
	}
	both(t, VMConnection, records, func(t *testing.T, s *Store) {
		got := traffic(t, s)
		is(t, "bytes_out", got.BytesOut, 2033)
		is(t, "bytes_in", got.BytesIn, 167)
		is(t, "coverage", got.Coverage, string(incident.BothWays))
		var sample int64
		for _, f := range got.Sample {
			sample += f.BytesOut
		}
		if sample != 2033 {
			t.Errorf("the sample has %d bytes, want all: %+v", sample, got.Sample)
		}
		if len(got.AtLeast) != 1 || !strings.Contains(got.AtLeast[0], "TCP over IPv4 only") {
			t.Errorf("bytes_out is the least because of %q", got.AtLeast)
		}
		points, err := s.Series(t.Context(), quarter())
		if err != nil || len(points) != 3 {
			t.Errorf("the series is %v: %v, want the minutes in which something was sent", points, err)
		}
	})
	both(t, VMConnection, []record{vm(later(), nil)}, func(t *testing.T, s *Store) {
		if got := traffic(t, s); got.BytesOut.IsKnown() || got.Rate.IsKnown() || !strings.Contains(got.BytesOut.Why(), "TCP over IPv4 only") {
			t.Errorf("bytes_out is %v: UDP is not in the table", got.BytesOut)
		}
	})
}

func TestWhichMachine(t *testing.T) {
	for l, set := range map[Layout]record{VMConnection: {"Computer": "ws-042"}, NTANetAnalytics: {"SrcVm": "group/ws-042"}, AzureNetworkAnalytics: {"VM1_s": "group/ws-042"}} {
		s := serve(t, l, []record{but(recordOf(l, sent(5*time.Minute, "198.51.100.7", 443, 1000, 10)), set)}).open(l)
		got, err := s.Senders(t.Context(), integrations.SendersQuery{IPs: []string{host}, From: quarter().From, To: quarter().To})
		if err != nil || len(got) != 1 || got[0].Device != "ws-042" || got[0].User != "" {
			t.Errorf("%s: the senders are %+v: %v", l, got, err)
		}
	}
}

// TestHuntIsBounded has many hosts of unknown volume, which take no more queries than others.
func TestHuntIsBounded(t *testing.T) {
	records := []record{csl(later(), nil)}
	for i := range 30 {
		f := sent(5*time.Minute, "198.51.100.7", 443, -1, 70)
		f.SrcIP = fmt.Sprintf("10.20.7.%d", i)
		records = append(records, csl(f, nil))
	}
	w := serve(t, CommonSecurityLog, records)
	hosts, err := w.open(CommonSecurityLog).Hosts(t.Context(), integrations.HostsQuery{From: quarter().From, To: quarter().To, Top: 20})
	if err != nil || len(hosts) != 20 {
		t.Fatalf("there are %d hosts: %v, want 20", len(hosts), err)
	}
	if len(w.asked) > 9 {
		t.Errorf("%d queries for 20 hosts", len(w.asked))
	}
}

func TestProbe(t *testing.T) {
	find := func(s *Store) string {
		var all []string
		for _, f := range s.Probe(t.Context()) {
			all = append(all, f.What+"; "+f.Fix)
		}
		return strings.Join(all, "\n")
	}
	vendors := func(names ...string) func(*Config) {
		return func(c *Config) {
			column, err := integrations.ColumnOf("DeviceVendor")
			if err != nil {
				t.Fatal(err)
			}
			m := integrations.Match{Column: column}
			for _, name := range names {
				m.Is = append(m.Is, integrations.LiteralOf(name))
			}
			c.Only = []integrations.Match{m}
		}
	}
	records := func() []record { return []record{csl(later(), nil)} }
	if got := find(serve(t, CommonSecurityLog, records()).open(CommonSecurityLog, vendors("Palo Alto Networks"))); !strings.Contains(got, "the newest of 2026-11-28T23:47:00Z") || !strings.Contains(got, "occurs") {
		t.Errorf("the probe says %s", got)
	}
	if got := find(serve(t, CommonSecurityLog, records()).open(CommonSecurityLog, vendors(`Palo"`))); !strings.Contains(got, "has no flows") || !strings.Contains(got, "letter by letter") {
		t.Errorf("the probe says %s", got)
	}
	if got := find(serve(t, VMConnection, []record{vm(later(), nil)}).open(VMConnection)); !strings.Contains(got, "no effect can be proven") {
		t.Errorf("the probe says %s", got)
	}
	denied := answers(t, 403, `{"error":{"message":"m","code":"InsufficientAccessError"}}`).open(t)
	if got := find(denied); !strings.Contains(got, "Log Analytics Reader on the workspace") || strings.Contains(got, secret) {
		t.Errorf("the probe says %s", got)
	}
}
