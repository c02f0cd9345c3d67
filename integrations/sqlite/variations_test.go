package sqlite

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

// variation is another way in which the same real traffic could have been
// recorded: its role must not change.
type variation struct {
	name string
	// address maps every address; equal networks stay equal.
	address func(netip.Addr) netip.Addr
	// shift is added to every time.
	shift time.Duration
	// parts is in how many files the records come, dealt out in turn.
	parts int
	// sampling, above 1, is the rate, one packet in n, and each direction of a flow
	// then has a record of its own.
	sampling int64
}

func variations() []variation {
	same := func(a netip.Addr) netip.Addr { return a }
	return []variation{
		{"as recorded", same, 0, 1, 1},
		{"other addresses", elsewhere, 0, 1, 1},
		{"IPv6", inIPv6, 0, 1, 1},
		{"another year", same, -397*24*time.Hour + 12345678*time.Millisecond, 1, 1},
		{"before daylight saving ends", same, -200*24*time.Hour - 59*time.Minute, 1, 1},
		{"in three files", same, 0, 3, 1},
		{"in as many files as records", same, 0, 100, 1},
		{"in directions", same, 0, 1, 2},
		{"sampled", same, 0, 1, 10},
		{"sampled, IPv6, in files, later", inIPv6, 48 * time.Hour, 4, 16},
	}
}

// elsewhere moves networks and keeps hosts, also what is broadcast.
func elsewhere(a netip.Addr) netip.Addr {
	b := a.As4()
	if a.IsMulticast() || b[0] == 255 {
		return a
	}
	return netip.AddrFrom4([4]byte{172, 16 + b[0]%8, b[1] ^ b[2], b[3]})
}

// inIPv6 gives each /24 a /64, and maps multicast to the group of all nodes.
func inIPv6(a netip.Addr) netip.Addr {
	b := a.As4()
	if a.IsMulticast() || b[3] == 255 {
		return netip.MustParseAddr("ff02::1")
	}
	return netip.AddrFrom16([16]byte{0xfd, 0x00, 0, b[0], 0, b[1], 0, b[2], 15: b[3]})
}

// conn is a record of Zeek's conn.log with the fields of what was sent.
type conn map[string]any

func (c conn) number(key string) float64 { n, _ := c[key].(float64); return n }

// zeek reads a fixture of any shipper.
func zeek(t *testing.T, name string) []conn {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var conns []conn
	var columns []string
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		line := lines.Text()
		c := conn{}
		if header, ok := strings.CutPrefix(line, "#fields\t"); ok {
			columns = strings.Split(header, "\t")
			continue
		}
		switch {
		case strings.HasPrefix(line, "#"):
			continue
		case strings.HasPrefix(line, "{"):
			if err := json.Unmarshal([]byte(line), &c); err != nil {
				t.Fatal(err)
			}
			if inner, ok := c["data"].(map[string]any); ok {
				c = inner
			}
		default:
			for i, text := range strings.Split(line, "\t") {
				if text == "-" {
					continue
				}
				c[columns[i]] = text
				if n, err := strconv.ParseFloat(text, 64); err == nil {
					c[columns[i]] = n
				}
			}
		}
		conns = append(conns, c.dotted())
	}
	if len(conns) == 0 {
		t.Fatalf("%s has no record", name)
	}
	return conns
}

// dotted gives the ends of the flow Zeek's own names.
func (c conn) dotted() conn {
	for _, key := range []string{"orig_h", "orig_p", "resp_h", "resp_p"} {
		if v, ok := c["id_"+key]; ok {
			c["id."+key] = v
			delete(c, "id_"+key)
		}
	}
	return c
}

// varied writes the records as the variation has them, and returns its files.
func (v variation) varied(t *testing.T, conns []conn) [][]byte {
	t.Helper()
	files := make([][]byte, min(v.parts, len(conns)))
	for i, original := range conns {
		c := conn{}
		for key, value := range original {
			if text, ok := value.(string); ok && ipv4.MatchString(text) {
				value = v.address(netip.MustParseAddr(text)).String()
			}
			c[key] = value
		}
		c["ts"] = json.Number(strconv.FormatFloat(c.number("ts")+v.shift.Seconds(), 'f', 6, 64))
		lines := []any{c}
		if v.sampling > 1 {
			lines = v.directions(t, c)
		}
		for _, one := range lines {
			line, err := json.Marshal(one)
			if err != nil {
				t.Fatal(err)
			}
			files[i%len(files)] = append(append(files[i%len(files)], line...), '\n')
		}
	}
	return slices.DeleteFunc(files, func(f []byte) bool { return len(f) == 0 })
}

var ipv4 = regexp.MustCompile(`^\d+\.\d+\.\d+\.\d+$`)

// directions are the records of an exporter that samples, without a direction
// that the sensor did not see.
func (v variation) directions(t *testing.T, c conn) []any {
	t.Helper()
	ts, _ := c["ts"].(json.Number)
	begin, err := ts.Float64()
	if err != nil {
		t.Fatal(err)
	}
	start := int64(begin * 1e9)
	record := func(from, to, bytes, packets string) any {
		sent := max(c.number(bytes+"_bytes"), c.number(bytes+"_ip_bytes"))
		if c.number(packets+"_pkts") == 0 {
			return nil
		}
		return map[string]any{
			"type": "NETFLOW_V9", "sampling_rate": v.sampling, "sampler_address": "192.0.2.250",
			"time_flow_start_ns": start, "time_flow_end_ns": start + int64(c.number("duration")*1e9),
			"bytes": int64(sent) / v.sampling, "packets": max(1, int64(c.number(packets+"_pkts"))/v.sampling),
			"src_addr": c["id."+from+"_h"], "dst_addr": c["id."+to+"_h"], "src_port": c["id."+from+"_p"], "dst_port": c["id."+to+"_p"],
			"proto": strings.ToUpper(fmt.Sprint(c["proto"])),
		}
	}
	both := []any{record("orig", "resp", "orig", "orig"), record("resp", "orig", "resp", "resp")}
	return slices.DeleteFunc(both, func(r any) bool { return r == nil })
}

// laid is a store with a fixture in a variation.
type laid struct {
	*Store
	variation
	from, to time.Time
	hosts    []string
}

func lay(t *testing.T, v variation, name string) laid {
	t.Helper()
	conns := zeek(t, name)
	l := laid{Store: openStore(t, time.Time{}), variation: v}
	for i, data := range v.varied(t, conns) {
		got, err := l.Import(t.Context(), bytes.NewReader(data), ImportOptions{Name: fmt.Sprintf("%s.%d", name, i)})
		if err != nil || got.Bad != 0 || got.Records == 0 {
			t.Fatalf("import of part %d: %+v, %v", i, got, err)
		}
	}
	first, last := conns[0].number("ts"), 0.0
	for _, c := range conns {
		first, last = min(first, c.number("ts")), max(last, c.number("ts")+c.number("duration"))
		for _, end := range []string{"id.orig_h", "id.resp_h"} {
			host := l.at(fmt.Sprint(c[end]))
			if a := netip.MustParseAddr(host); !a.IsMulticast() && !slices.Contains(l.hosts, host) {
				l.hosts = append(l.hosts, host)
			}
		}
	}
	l.from = time.Unix(int64(first), 0).Add(v.shift - time.Second)
	l.to = time.Unix(int64(last)+1, 0).Add(v.shift + time.Second)
	return l
}

// at is an address in the variation.
func (l laid) at(ip string) string {
	a, err := netip.ParseAddr(ip)
	if err != nil || !a.Is4() {
		return ip
	}
	return l.address(a).String()
}

func (l laid) traffic(t *testing.T, ip string, from, to time.Time) incident.Traffic {
	t.Helper()
	got, err := l.Traffic(t.Context(), integrations.TrafficQuery{IPs: []string{l.at(ip)}, From: from, To: to, Top: 20})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// moment is a time of the fixture in the variation.
func (l laid) moment(unix int64) time.Time { return time.Unix(unix, 0).Add(l.shift) }

func eachVariation(t *testing.T, test func(*testing.T, variation)) {
	t.Helper()
	for _, v := range variations() {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			test(t, v)
		})
	}
}

// Nothing in the real records is an attack on a third party, for any host, over
// the whole time or any quarter of an hour of it.
func TestNoHostOfTheRecordsIsAnAttacker(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"03_zeek_conn_paired_with_02.tsv", "06_zeek_conn_apt29_day1_scranton_slice.jsonl",
		"07_zeek_conn_currentis_slice.jsonl", "14_zeek_conn_same_flow_two_sensors.jsonl",
	} {
		eachVariation(t, func(t *testing.T, v variation) {
			l := lay(t, v, name)
			for _, host := range l.hosts {
				for from, step := l.from, max(15*time.Minute, l.to.Sub(l.from)/8); from.Before(l.to); from = from.Add(step) {
					for _, to := range []time.Time{from.Add(15 * time.Minute), l.to} {
						role := l.traffic(t, host, from, to).Role
						if got, _ := role.Get(); slices.Contains([]string{"requester", "reflector", "flooder"}, got) {
							t.Errorf("%s: %s is a %s from %s to %s", name, host, got, from, to)
						}
					}
				}
			}
		})
	}
}

// What the sensor did not see is unknown, never zero.
func TestOneWayIsUnknownHoweverItIsRecorded(t *testing.T) {
	t.Parallel()
	eachVariation(t, func(t *testing.T, v variation) {
		l := lay(t, v, "03_zeek_conn_paired_with_02.tsv")
		got := l.traffic(t, "192.168.56.30", l.from, l.to)
		if got.BytesOut.IsKnown() || got.BytesOut.Why() == "" || got.Rate.IsKnown() || got.Role.IsKnown() || got.PacketsOut.IsKnown() {
			t.Errorf("volume is %v, rate %v, role %v: want them unknown, with a reason", got.BytesOut, got.Rate, got.Role)
		}
		if n, ok := got.BytesIn.Get(); !ok || n == 0 {
			t.Errorf("bytes_in is %v, want what was captured", got.BytesIn)
		}
	})
}

func TestTheftIsATransferHoweverItIsRecorded(t *testing.T) {
	t.Parallel()
	eachVariation(t, func(t *testing.T, v variation) {
		l := lay(t, v, "06_zeek_conn_apt29_day1_scranton_slice.jsonl")
		got := l.traffic(t, "10.0.1.4", l.moment(1588206720), l.moment(1588206780))
		want(t, "role", got.Role, string(incident.Transfer))
		top, _ := got.Top.Get()
		if len(top) == 0 || top[0].IP != l.at("192.168.0.4") || top[0].Port != 80 || top[0].Bytes < 2181167-v.sampling || top[0].Bytes > 2181167 {
			t.Errorf("top is %+v, want the 2,181,167 bytes to %s first", top, l.at("192.168.0.4"))
		}
	})
}

func TestTwoSensorsCountOnceHoweverTheyRecord(t *testing.T) {
	t.Parallel()
	eachVariation(t, func(t *testing.T, v variation) {
		v.sampling = 1 // The one exporter of the others is one sensor.
		l := lay(t, v, "14_zeek_conn_same_flow_two_sensors.jsonl")
		got := l.traffic(t, "10.0.1.4", l.moment(1588206600), l.moment(1588207800))
		want(t, "flows", got.Flows, 7)
		want(t, "bytes_out", got.BytesOut, 2181167+4261160+527300+527368+197479+197639+198230)
		want(t, "coverage", got.Coverage, string(incident.Disagree))
	})
}

func TestDiscoveryIsDiscoveryHoweverItIsRecorded(t *testing.T) {
	t.Parallel()
	eachVariation(t, func(t *testing.T, v variation) {
		l := lay(t, v, "07_zeek_conn_currentis_slice.jsonl")
		got := l.traffic(t, "192.168.4.1", l.moment(1780968000), l.moment(1780968060))
		want(t, "role", got.Role, string(incident.Discovery))
	})
}

// The connections of Sysmon have no volume: they make no host a requester,
// regardless of the replies, the time and the default limits.
func TestBenignConnectionsAreNoRequestersHoweverTheyAreRecorded(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"02_sysmon_eid3_svchost_dns_burst.jsonl", "04_sysmon_eid3_dns_exe_external.jsonl", "05_sysmon_eid3_benign_amp_ports.jsonl",
	} {
		for _, v := range variations() {
			for _, c := range []struct {
				in, packets int64
				active      time.Duration
			}{{0, 1, 0}, {0, 2, time.Second}, {30, 1, time.Second}, {200, 1, time.Minute}, {4000, 3, time.Hour}} {
				hosts := map[string][]traffic.Peer{}
				for _, s := range sysmonConnections(t, filepath.Join("testdata", name)) {
					at := func(ip string) string {
						if a := netip.MustParseAddr(ip); a.Is4() {
							return v.address(a).String()
						}
						return ip
					}
					p := traffic.Peer{
						IP: at(s.DstIP), Port: s.DstPort, Transport: s.Transport, BytesOut: 70 * c.packets, BytesIn: c.in, PacketsOut: c.packets, Flows: 1,
					}
					hosts[at(s.SrcIP)] = append(hosts[at(s.SrcIP)], p)
				}
				for host, peers := range hosts {
					for _, role := range append(traffic.ResolverRoles(), "workstation") {
						limits := traffic.LimitsByRole{}.For(role)
						got := traffic.Classify(traffic.Shape{Host: []string{host}, Active: c.active, Peers: peers}, limits)
						if got != incident.UnknownRole && got != incident.Discovery {
							t.Errorf("%s, %s, %+v: %s is a %s", name, v.name, c, host, got)
						}
					}
				}
			}
		}
	}
}
