package estate_test

import (
	"bytes"
	"encoding/csv"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowlog/estate"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

// company is what may be known of an estate from its inventory and its networks.
type company struct {
	*estate.Estate
	hosts []estate.Host
	ahead map[string]time.Duration
	proxy netip.Addr
}

func know(e *estate.Estate) company {
	c := company{Estate: e, hosts: e.Hosts(), ahead: map[string]time.Duration{}}
	for _, s := range e.Sensors() {
		c.ahead[s.Name] = s.Ahead
	}
	proxy, _ := e.Host("proxy-zurich")
	c.proxy = proxy.Addr(e.Start())
	return c
}

// sent is what the record says that one of the company's own addresses sent.
func (c company) sent(r *flowmath.Record) (own, peer netip.Addr, port uint16, opened bool, bytes int64) {
	ours := func(a netip.Addr) bool {
		return slices.ContainsFunc(c.Networks(), func(p netip.Prefix) bool { return p.Contains(a) })
	}
	side := r.Orig
	own, peer, port, opened = r.Src, r.Dst, r.DstPort, true
	if !ours(own) {
		side, own, peer, port, opened = r.Resp, r.Dst, r.Src, r.DstPort, false
	}
	if r.Single { // it may answer
		opened = r.SrcPort >= 49152
		if !opened {
			port = r.SrcPort
		}
	}
	bytes = max(side.IPBytes, side.Bytes, 0) * r.Sampling
	return own, peer, port, opened, bytes
}

// holder is the host that has the address at a time; several share that of a NAT.
func (c company) holder(a netip.Addr, at time.Time) string {
	for _, h := range c.hosts {
		if h.Addr(at) == a || h.V6 == a {
			return h.Name
		}
	}
	return ""
}

// The sensors' totals, and what each host sent with each flow once, are the same when they
// are summed up from the records alone.
func TestTruthIsTheSumOfTheRecords(t *testing.T) {
	c := know(small(t, 11))
	truth := c.Truth(c.Start(), c.End())
	sensors, hosts := map[string]estate.SensorTotal{}, map[string]int64{}
	type flow struct {
		src, dst         netip.Addr
		srcPort, dstPort uint16
		millisecond      int64
	}
	probed := map[flow]bool{}
	key := func(r *flowmath.Record, later time.Duration) flow {
		return flow{r.Src, r.Dst, r.SrcPort, r.DstPort, r.Start.Add(later).UnixMilli()}
	}
	var relayed int64
	for r := range c.Records() {
		own, _, _, _, bytes := c.sent(&r)
		s := sensors[r.Sensor]
		s.Sensor, s.Records, s.Sent = r.Sensor, s.Records+1, s.Sent+bytes
		sensors[r.Sensor] = s
		switch {
		case r.Sensor == "probe-zurich":
			probed[key(&r, 0)] = true
			continue
		case own == c.proxy:
			relayed += bytes
			continue
		}
		hosts[c.holder(own, r.Start.Add(-c.ahead[r.Sensor]))] += bytes
	}
	for r := range c.Records() {
		if r.Sensor == "fw-zurich" {
			delete(probed, key(&r, 20*time.Millisecond))
		}
	}
	if len(probed) > 0 {
		t.Errorf("%d flows were seen by the probe alone", len(probed))
	}
	for _, s := range truth.Sensors {
		if sensors[s.Sensor] != s {
			t.Errorf("the records add up to %+v, the truth is %+v", sensors[s.Sensor], s)
		}
	}
	if relayed != truth.Relayed || relayed == 0 {
		t.Errorf("the proxy sent %d, the truth is %d", relayed, truth.Relayed)
	}
	var again, shared int64
	for _, h := range truth.Hosts {
		host, _ := c.Host(h.Host)
		switch {
		case slices.Contains(truth.Shared, h.Host):
			shared += h.Seen
		case host.Sensor == "fw-boston":
			again += hosts[h.Host] - h.Seen // what the restarted sensor wrote twice
		case hosts[h.Host] != h.Seen:
			t.Errorf("the records say that %s sent %d, the truth is %d", h.Host, hosts[h.Host], h.Seen)
		}
	}
	if again += hosts["nat-boston"] - shared; again != truth.Restart.Bytes || again == 0 {
		t.Errorf("fw-boston counted %d too much, the truth is %d", again, truth.Restart.Bytes)
	}
}

// Cells, hosts and reasons are the same sum.
func TestSums(t *testing.T) {
	e := small(t, 12)
	truth := e.Truth(e.Start(), e.End())
	var cells, hosts estate.Sum
	for _, c := range truth.Cells {
		cells.Flows, cells.Left, cells.Seen, cells.Explained = cells.Flows+c.Flows, cells.Left+c.Left, cells.Seen+c.Seen, cells.Explained+c.Explained
		unexplained := int64(0)
		for why, bytes := range c.Unexplained {
			if why != estate.NoSensor {
				unexplained += bytes
			}
		}
		if c.Explained+unexplained != c.Seen {
			t.Errorf("%+v: %d of %d bytes have a reason", c, unexplained, c.Seen-c.Explained)
		}
	}
	for _, h := range truth.Hosts {
		hosts.Flows, hosts.Left, hosts.Seen, hosts.Explained = hosts.Flows+h.Flows, hosts.Left+h.Left, hosts.Seen+h.Seen, hosts.Explained+h.Explained
	}
	if cells.Flows != hosts.Flows || cells.Left != hosts.Left || cells.Seen != hosts.Seen || cells.Explained != hosts.Explained || cells.Explained == 0 || cells.Explained == cells.Seen {
		t.Errorf("by cells it is %+v, by hosts %+v", cells, hosts)
	}
}

func stranger(a netip.Addr) bool {
	b := a.As4()
	return a.Is4() && b[0] == 198 && b[1] == 19 && b[2] >= 200
}

// What each attack sent is in the records, to the byte, and looks like what it is.
func TestAttacksAreInTheRecords(t *testing.T) {
	c := know(made(t, estate.Small(13)))
	truth := c.Truth(c.Start(), c.End())
	for _, a := range truth.Attacks {
		var sensor string
		if h, _ := c.Host(a.Host); true {
			sensor = h.Sensor
		}
		if a.Exit == incident.ExitDirect && a.Site == estate.Zurich {
			sensor = "fw-zurich"
		}
		seen, peers := int64(0), map[netip.Addr]bool{}
		ahead := c.ahead[sensor]
		var views []flowmath.View
		for r := range c.Between(a.First.Add(ahead), a.Last.Add(ahead+time.Nanosecond)) {
			own, peer, port, opened, bytes := c.sent(&r)
			if own != a.Subject || r.Sensor != sensor {
				continue
			}
			views = append(views, flowmath.ViewOf(&r, r.Src == own, 1))
			if r.Single && r.Src != own || !slices.Contains(a.Ports, int(port)) || opened == a.Answers || r.Transport != a.Transport || own.Is4() && !stranger(peer) {
				continue
			}
			seen += bytes
			peers[peer] = true
		}
		if seen != a.Seen || len(peers) != a.Peers || seen == 0 {
			t.Errorf("%s of %s sent %d to %d peers by the records, the truth is %d to %d", a.Kind, a.Host, seen, len(peers), a.Seen, a.Peers)
		}
		q := integrations.TrafficQuery{IPs: []string{a.Subject.String()}, From: a.First.Add(ahead), To: a.Last.Add(ahead + time.Second), Top: 5}
		host := flowmath.Host{Addrs: []netip.Addr{a.Subject}}
		got := flowmath.Traffic(host, q, flowmath.Span{Records: 1, Oldest: c.Start(), Newest: c.End()}, flowmath.Distinct(views))
		if role, _ := got.Role.Get(); role != string(a.Traffic) {
			t.Errorf("%s of %s looks like a %s, and is a %s", a.Kind, a.Host, role, a.Traffic)
		}
	}
}

// Nobody benign looks like an attack, not even where the host's role is not known.
func TestTheBenignLookBenign(t *testing.T) {
	c := know(made(t, estate.Small(17)))
	truth := c.Truth(c.Start(), c.End())
	for _, b := range truth.Benign {
		h, _ := c.Host(b.Host)
		ahead := c.ahead[h.Sensor]
		to := b.First.Add(time.Hour)
		if b.Last.Before(to) {
			to = b.Last.Add(time.Second)
		}
		var views []flowmath.View
		for r := range c.Between(b.First.Add(ahead), to.Add(ahead)) {
			if own, _, _, _, _ := c.sent(&r); own == b.Subject && r.Sensor == h.Sensor {
				views = append(views, flowmath.ViewOf(&r, r.Src == own, 1))
			}
		}
		limits := traffic.DefaultRoleLimits()
		q := integrations.TrafficQuery{IPs: []string{b.Subject.String()}, From: b.First.Add(ahead), To: to.Add(ahead), Top: 5, Limits: &limits}
		span := flowmath.Span{Records: 1, Oldest: c.Start(), Newest: c.End()}
		got := flowmath.Traffic(flowmath.Host{Addrs: []netip.Addr{b.Subject}}, q, span, flowmath.Distinct(views))
		role, _ := got.Role.Get()
		if len(views) == 0 || role != string(incident.UnknownRole) && role != string(incident.Transfer) {
			t.Errorf("%s of %s looks like a %s", b.Kind, b.Host, role)
		}
	}
}

// An attacker that is to be beyond what is usual for it sends more in a quarter of an hour
// than ever before in one; others of its role send that much every day where that is the point.
func TestBeyondTheBaseline(t *testing.T) {
	c := know(made(t, estate.Small(14)))
	truth := c.Truth(c.Start(), c.End())
	most := map[string]int64{} // of a quarter before
	kinds := []string{"beyond-own-baseline", "usual-for-the-role-only", "at-night", "at-the-weekend", "tool-upload", "through-the-proxy", "through-the-vpn", "slow-exfiltration"}
	var attacks []estate.Planted
	for _, kind := range kinds {
		attacks = append(attacks, truth.Of(kind)...)
	}
	quarters := map[string]map[int64]int64{}
	for r := range c.Records() {
		own, _, _, _, bytes := c.sent(&r)
		if r.Sensor == "probe-zurich" || own == c.proxy {
			continue
		}
		name := c.holder(own, r.Start.Add(-c.ahead[r.Sensor]))
		if quarters[name] == nil {
			quarters[name] = map[int64]int64{}
		}
		quarters[name][r.Start.Unix()/900] += bytes
	}
	for _, a := range attacks {
		for quarter, bytes := range quarters[a.Host] {
			at := time.Unix(quarter*900, 0)
			restart := !at.Before(truth.Restart.At.Add(-15*time.Minute)) && !at.After(truth.Restart.At.Add(15*time.Minute))
			if at.Before(a.First.Add(-15*time.Minute)) && !restart {
				most[a.Host] = max(most[a.Host], bytes)
			}
		}
		each := a.Seen
		if length := a.Last.Sub(a.First); length > 15*time.Minute {
			each = int64(float64(a.Seen) * float64(15*time.Minute) / float64(length))
		}
		if each < 2*most[a.Host] {
			t.Errorf("%s of %s sends %d in a quarter of an hour; it sent %d before", a.Kind, a.Host, each, most[a.Host])
		}
	}
	for _, a := range truth.Of("usual-for-the-role-only") {
		for _, farm := range truth.Of("build-farm") {
			day := farm.Seen / 10 // working days of three pushes
			if day < a.Seen/4 {
				t.Errorf("%s of the build farm sends %d, %s %d", farm.Host, farm.Seen, a.Host, a.Seen)
			}
		}
	}
	if small := truth.Of("beyond-own-baseline"); len(small) == 0 || small[0].Left > 100e6 {
		t.Errorf("what is below all thresholds is %+v", small)
	}
}

// What the EDR says of the connections explains as much of the records as the truth says.
func TestConnectionsExplainTheRecords(t *testing.T) {
	c := know(small(t, 15))
	from := c.Start().Add(7*24*time.Hour + 8*time.Hour)
	to := from.Add(10 * time.Hour)
	truth := c.Truth(from, to)
	explained := map[incident.Tuple]string{}
	for _, h := range c.hosts {
		connections, err := c.Connections(h.Name, from, to)
		if err != nil {
			t.Fatal(err)
		}
		for i, conn := range connections {
			if conn.At.Before(from) || !conn.At.Before(to) || i > 0 && conn.At.Before(connections[i-1].At) {
				t.Fatalf("%s: a connection of %s", h.Name, conn.At)
			}
			path, _ := conn.Process.Path.Get()
			if conn.Process.User.IsKnown() && conn.Process.CommandLine.IsKnown() && !strings.HasSuffix(path, "wallagent.exe") && conn.Process.PID.IsKnown() {
				explained[conn.Tuple] = h.Name
			}
		}
	}
	sums := map[string]int64{}
	for r := range c.Between(from.Add(-time.Hour), to.Add(time.Hour)) {
		at := r.Start.Add(-c.ahead[r.Sensor])
		own, _, _, _, bytes := c.sent(&r)
		if at.Before(from) || !at.Before(to) || r.Sensor == "probe-zurich" || own == c.proxy {
			continue
		}
		tuple := incident.Tuple{SrcIP: r.Src.String(), SrcPort: int(r.SrcPort), DstIP: r.Dst.String(), DstPort: int(r.DstPort), Transport: r.Transport}
		if r.Sensor == "proxy-zurich" {
			tuple.DstIP, tuple.DstPort = c.proxy.String(), 3128
		}
		name, ok := explained[tuple]
		if !ok {
			name, ok = explained[tuple.Reversed()]
		}
		if ok {
			sums[name] += bytes
		}
	}
	var all int64
	for _, h := range truth.Hosts {
		all += h.Explained
		if sums[h.Host] != h.Explained {
			t.Errorf("connections of %s explain %d bytes, the truth is %d", h.Host, sums[h.Host], h.Explained)
		}
	}
	if all == 0 {
		t.Error("nothing is explained")
	}
	if _, err := c.Connections("nobody", from, to); err == nil {
		t.Error("a host that does not exist has connections")
	}
}

// Who used which rule is the same when the export of the rules is read and the firewalls'
// records are matched with it.
func TestRuleUses(t *testing.T) {
	c := know(small(t, 16))
	rows, err := csv.NewReader(bytes.NewReader(c.RulesCSV())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	truth := c.Truth(c.Start(), c.End())
	flows, roles := map[string]int64{}, map[string]map[string]bool{}
	for r := range c.Records() {
		own, peer, port, opened, _ := c.sent(&r)
		if !opened || r.Sensor != "fw-zurich" && r.Sensor != "fw-boston" {
			continue
		}
		rule := ruleOf(t, rows[1:], own, peer, int(port), r.Transport)
		flows[rule]++
		if roles[rule] == nil {
			roles[rule] = map[string]bool{}
		}
		h, _ := c.Host(c.holder(own, r.Start))
		roles[rule][h.Role] = true
	}
	rewritten, unused := int64(0), 0
	for _, u := range truth.Rules {
		rewritten += flows[u.Rule] - u.Flows
		if flows[u.Rule] < u.Flows {
			t.Errorf("%s was used %d times, the truth is %d", u.Rule, flows[u.Rule], u.Flows)
		}
		if u.Flows == 0 {
			unused++
		}
		if got, want := slices.Sorted(maps.Keys(u.Roles)), slices.Sorted(maps.Keys(roles[u.Rule])); !slices.Equal(got, want) {
			t.Errorf("%s is used by %q, by the records by %q", u.Rule, got, want)
		}
	}
	if rewritten != truth.Restart.Records {
		t.Errorf("the firewalls recorded %d flows too many, %d were written again", rewritten, truth.Restart.Records)
	}
	uses := map[string]estate.RuleUse{}
	for _, u := range truth.Rules {
		uses[u.Rule] = u
	}
	if unused < 5 || !slices.Contains(uses["r050"].Unexpected, "workstation") || uses["r021"].Unexpected != nil || len(uses["r190"].Unexpected) == 0 {
		t.Errorf("%d rules were never used; %+v", unused, uses)
	}
}

func ruleOf(t *testing.T, rows [][]string, src, dst netip.Addr, port int, transport string) string {
	t.Helper()
	within := func(field string, a netip.Addr) bool {
		return field == "any" || slices.ContainsFunc(strings.Split(field, ";"), func(s string) bool { return netip.MustParsePrefix(s).Contains(a) })
	}
	open := func(field string) bool {
		return field == "any" || slices.ContainsFunc(strings.Split(field, ";"), func(s string) bool {
			first, last, ranged := strings.Cut(s, "-")
			if !ranged {
				last = first
			}
			from, _ := strconv.Atoi(first)
			to, _ := strconv.Atoi(last)
			return from <= port && port <= to
		})
	}
	for _, row := range rows {
		if (row[2] == "any" || row[2] == transport) && open(row[3]) && within(row[4], src) && within(row[5], dst) {
			return row[0]
		}
	}
	t.Fatalf("no rule lets %s reach %s at %d/%s", src, dst, port, transport)
	return ""
}
