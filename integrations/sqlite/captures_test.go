package sqlite

import (
	"cmp"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

// pair is the records of sensors and of an endpoint of the same time.
type pair struct {
	name, host string
	traffic    incident.Traffic
	conns      []incident.Connection
}

// judged is the result of joining a pair, flow by flow.
type judged struct {
	Connections, Flows int
	// Joined is how many flows got a process, Wrong how many of them another one
	// than the endpoint reports for their 5-tuple, None how many got no process.
	Joined, Wrong, None int
	// Explained is the share of the bytes that the process explains, or why that
	// is not known, Role the traffic's.
	Attribution, Explained, Role string
}

// judge finds the sender of each flow by a join in which that flow has all bytes.
func (p pair) judge() judged {
	all := traffic.Join(p.traffic.Sample, p.conns)
	j := judged{
		Connections: len(p.conns), Flows: len(p.traffic.Sample), Attribution: string(all.Attribution),
		Role: cmp.Or(textOf(p.traffic.Role), "unknown: "+p.traffic.Role.Why()),
	}
	share := all.Share(p.traffic.BytesOut)
	j.Explained = "unknown: " + share.Why()
	if part, ok := share.Get(); ok {
		j.Explained = fmt.Sprintf("%.3f", part)
	}
	senders := map[incident.Tuple]map[string]bool{}
	for _, c := range p.conns {
		for _, tuple := range []incident.Tuple{c.Tuple, c.Reversed()} {
			if senders[tuple] == nil {
				senders[tuple] = map[string]bool{}
			}
			senders[tuple][strings.ToLower(textOf(c.Process.Path))] = true
		}
	}
	flows := slices.Clone(p.traffic.Sample)
	for i := range flows {
		flows[i].BytesOut = 0
	}
	for i := range flows {
		flows[i].BytesOut = 1
		got := traffic.Join(flows, p.conns)
		flows[i].BytesOut = 0
		switch {
		case got.Attribution != incident.Exact:
			j.None++
		case !senders[flows[i].Tuple][strings.ToLower(textOf(got.Process.Path))]:
			j.Wrong++
			j.Joined++
		default:
			j.Joined++
		}
	}
	return j
}

func textOf(v incident.Value[string]) string {
	text, _ := v.Get()
	return text
}

// recorded is a pair of a log of flows and one of Sysmon, of the host that made
// most of the connections.
func recorded(t *testing.T, name, flows, connections string) pair {
	t.Helper()
	s := openStore(t, time.Time{})
	f, err := os.Open(flows)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := s.Import(t.Context(), f, ImportOptions{Name: flows}); err != nil {
		t.Fatal(err)
	}
	p := pair{name: name, conns: sysmonConnections(t, connections)}
	made := map[string]int{}
	for _, c := range p.conns {
		if made[c.SrcIP]++; made[c.SrcIP] > made[p.host] {
			p.host = c.SrcIP
		}
	}
	span, err := s.Span(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p.traffic, err = s.Traffic(t.Context(), integrations.TrafficQuery{
		IPs: []string{p.host}, From: span.Oldest.Add(-time.Second), To: span.Newest.Add(time.Second), Top: 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// alone is a capture of connections without any flows: flows are made from it, by a
// clock that is three hours off. No sensor has flows that stay on the link.
func alone(t *testing.T, name, connections string) pair {
	t.Helper()
	p := pair{name: name, host: "all", conns: sysmonConnections(t, connections)}
	shape := traffic.Shape{Active: time.Minute}
	for i, c := range p.conns {
		if c.SrcIP == c.DstIP || onLink(c.SrcIP) || onLink(c.DstIP) {
			continue
		}
		sent := int64(60 + i)
		p.traffic.Sample = append(p.traffic.Sample, incident.Flow{
			Start: c.At.Add(-3*time.Hour - time.Duration(i%10)*time.Second), Tuple: c.Tuple, BytesOut: sent, BytesIn: 120, PacketsOut: 1,
		})
		shape.Peers = append(shape.Peers, traffic.Peer{IP: c.DstIP, Port: c.DstPort, Transport: c.Transport, BytesOut: sent, BytesIn: 120, PacketsOut: 1, Flows: 1})
	}
	var bytes int64
	for _, f := range p.traffic.Sample {
		bytes += f.BytesOut
	}
	p.traffic.BytesOut = incident.Known(bytes, incident.FromFlows)
	p.traffic.Role = incident.Known(string(traffic.Classify(shape, traffic.DefaultRoleLimits())), incident.Computed)
	return p
}

func onLink(ip string) bool {
	a, err := netip.ParseAddr(ip)
	return err != nil || a.IsLinkLocalUnicast() || a.IsLoopback() || a.IsMulticast() || strings.HasSuffix(ip, ".255")
}

var captures = flag.String("captures", "", "`folder` with more captures: in each folder below it a flow log, conn*, and Sysmon's events 3 as JSON lines, sysmon*")

func more(t *testing.T) []pair {
	t.Helper()
	var pairs []pair
	if *captures == "" {
		return nil
	}
	logs, err := filepath.Glob(filepath.Join(*captures, "*", "conn*"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("no capture below %s: %v", *captures, err)
	}
	for _, log := range logs {
		dir := filepath.Dir(log)
		events, err := filepath.Glob(filepath.Join(dir, "sysmon*"))
		if err != nil || len(events) != 1 {
			t.Fatalf("%s holds %d files of Sysmon's events: %v", dir, len(events), err)
		}
		pairs = append(pairs, recorded(t, filepath.Base(dir), log, events[0]))
	}
	return pairs
}

// TestCaptures joins real captures and, with -v, prints the result. None
// may name a wrong process; -captures adds others.
func TestCaptures(t *testing.T) {
	at := func(name string) string { return filepath.Join("testdata", name) }
	want := map[string]judged{
		"LSASS campaign 5": {
			Connections: 24, Flows: 26, Joined: 24, None: 2, Attribution: "exact",
			Explained: "unknown: flows: one-way capture", Role: "unknown: flows: one-way capture",
		},
		"LSASS campaign 5, its connections":         {Connections: 24, Flows: 24, Joined: 24, Attribution: "exact", Explained: "1.000", Role: "unknown"},
		"a forwarding name server, its connections": {Connections: 24, Flows: 4, Joined: 4, Attribution: "exact", Explained: "1.000", Role: "unknown"},
	}
	pairs := append([]pair{
		recorded(t, "LSASS campaign 5", at("03_zeek_conn_paired_with_02.tsv"), at("02_sysmon_eid3_svchost_dns_burst.jsonl")),
		alone(t, "LSASS campaign 5, its connections", at("02_sysmon_eid3_svchost_dns_burst.jsonl")),
		alone(t, "a forwarding name server, its connections", at("04_sysmon_eid3_dns_exe_external.jsonl")),
		alone(t, "eleven hosts at amplification ports, their connections", at("05_sysmon_eid3_benign_amp_ports.jsonl")),
	}, more(t)...)
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "capture\thost\tconnections\tflows\tjoined\twrong\tnone\tattribution\texplained\trole")
	for _, p := range pairs {
		got := p.judge()
		_, _ = fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%s\t%s\t%s\n", p.name, p.host, got.Connections, got.Flows, got.Joined, got.Wrong,
			got.None, got.Attribution, got.Explained, got.Role)
		if want, ok := want[p.name]; ok && got != want {
			t.Errorf("%s: %+v, want %+v", p.name, got, want)
		}
		if got.Wrong > 0 || got.Joined+got.None != got.Flows {
			t.Errorf("%s: %+v, want no wrong process", p.name, got)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + table.String())
}
