package estate

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// ledger sums up flows as they are made.
type ledger struct {
	e        *Estate
	from, to int64
	w        witness
	records  []flowmath.Record
	cells    map[cellKey]*Cell
	hosts    []Sum
	sensors  []SensorTotal
	planted  []tally
	restart  Restart
	relayed  int64
	rules    []RuleUse
}

type cellKey struct {
	role, site string
	exit       incident.Exit
}

// tally sums up the flows of something planted.
type tally struct {
	Sum
	first, last int64
	flow        flow // the first
	ports       map[uint16]struct{}
	peers       map[netip.Addr]struct{}
}

func newLedger(e *Estate, from, to time.Time) *ledger {
	l := &ledger{
		e: e, from: max(from.UnixNano(), e.start), to: min(to.UnixNano(), e.config.End.UnixNano()), w: witness{e, newDice()},
		cells: map[cellKey]*Cell{}, hosts: make([]Sum, len(e.hosts)), planted: make([]tally, len(e.planted)),
	}
	for _, s := range e.sensors {
		l.sensors = append(l.sensors, SensorTotal{Sensor: s.Name})
	}
	for _, r := range e.rules {
		l.rules = append(l.rules, RuleUse{Rule: r.ID, Roles: map[string]int64{}})
	}
	for i := range e.hosts {
		h := &e.hosts[i]
		if h.profile >= 0 {
			l.cell(h, h.Exit).Hosts++
		}
	}
	return l
}

func (l *ledger) cell(h *Host, exit incident.Exit) *Cell {
	key := cellKey{h.Role, h.Site, exit}
	if l.cells[key] == nil {
		l.cells[key] = &Cell{Role: h.Role, Site: h.Site, Exit: exit}
	}
	return l.cells[key]
}

func (l *ledger) flow(f *flow) {
	if f.at < l.from || f.at >= l.to {
		return
	}
	h := &l.e.hosts[f.host]
	var seen int64
	l.records, seen = l.w.records(f, l.records[:0])
	for i := range l.records {
		l.record(&l.records[i], f.opened)
	}
	why := h.unexplained(f)
	exit := h.Exit
	switch sensor := h.path(f); {
	case sensor == noSensor:
		why = NoSensor
	case f.bypass:
		exit = incident.ExitDirect
	}
	l.cell(h, exit).add(f, seen, why)
	l.hosts[f.host].add(f, seen, why)
	if f.opened {
		l.rule(h, f)
	}
	if f.cause != usual {
		l.planted[f.cause].add(f, seen, why)
	}
}

// record counts a record with its sensor.
func (l *ledger) record(r *flowmath.Record, opened bool) {
	i := slices.IndexFunc(l.sensors, func(s SensorTotal) bool { return s.Sensor == r.Sensor })
	s := &l.sensors[i]
	s.Records++
	side, own := r.Orig, r.Src
	if !opened && !r.Single {
		side, own = r.Resp, r.Dst
	}
	if r.Single && !ours(own) {
		return // the other direction
	}
	bytes := side.IPBytes
	if bytes < 0 {
		bytes = side.Bytes
	}
	s.Sent += bytes * r.Sampling
	if own == proxyAddr() && i == fwZurich {
		l.relayed += bytes
	}
}

func ours(a netip.Addr) bool {
	return slices.ContainsFunc(everybody(), func(p netip.Prefix) bool { return p.Contains(a) })
}

// rule counts the flow with the rule that lets it leave.
func (l *ledger) rule(h *Host, f *flow) {
	sensor, own, role := h.path(f), h.sent(f), h.Role
	switch {
	case sensor == proxyZurich:
		own, role = proxyAddr(), "proxy"
	case sensor != fwZurich && sensor != fwBoston:
		return
	case h.Shared.IsValid():
		role = "nat"
	}
	i := slices.IndexFunc(l.e.rules, func(r Rule) bool { return r.lets(own, f.peer, f.peerPort, transportName(f.transport)) })
	l.rules[i].Flows++
	l.rules[i].Roles[role] += f.left()
}

func (t *tally) add(f *flow, seen int64, why string) {
	if t.Flows == 0 {
		t.first, t.flow = f.at, *f
		t.ports, t.peers = map[uint16]struct{}{}, map[netip.Addr]struct{}{}
	}
	t.Sum.add(f, seen, why)
	t.first, t.last = min(t.first, f.at), max(t.last, f.at+f.last)
	port := f.peerPort
	if !f.opened {
		port = f.ownPort
	}
	t.ports[port] = struct{}{}
	t.peers[f.peer] = struct{}{}
}

// again counts the records of a restart.
func (l *ledger) again(hour int) {
	r := l.e.restart
	if r.at < l.from || r.at >= l.to {
		return
	}
	for _, record := range l.e.restarted(hour) {
		l.record(&record, true)
		l.restart.Records++
		l.restart.Bytes += record.Orig.IPBytes
		l.restart.Subjects = append(l.restart.Subjects, record.Src)
	}
}

func (l *ledger) truth() *Truth {
	e := l.e
	t := &Truth{
		Seed: e.config.Seed, From: time.Unix(0, l.from).UTC(), To: time.Unix(0, l.to).UTC(), Allows: e.Allows(),
		Sensors: l.sensors, Relayed: l.relayed, Restart: l.restart,
	}
	if l.restart.Records > 0 {
		r := &t.Restart
		r.Sensor, r.At, r.Since = e.sensors[e.restart.sensor].Name, time.Unix(0, e.restart.at).UTC(), time.Unix(0, e.restart.since).UTC()
		slices.SortFunc(r.Subjects, netip.Addr.Compare)
		r.Subjects = slices.Compact(r.Subjects)
	}
	for _, c := range slices.SortedFunc(maps.Values(l.cells), compareCells) {
		t.Cells = append(t.Cells, *c)
	}
	for i := range e.hosts {
		if e.hosts[i].profile >= 0 {
			l.host(t, &e.hosts[i])
		}
	}
	for i := range l.planted {
		l.tell(t, &e.planted[i], &l.planted[i])
	}
	for i, u := range l.rules {
		for _, role := range slices.Sorted(maps.Keys(u.Roles)) {
			if !slices.Contains(e.rules[i].Roles, role) {
				u.Unexpected = append(u.Unexpected, role)
			}
		}
		t.Rules = append(t.Rules, u)
	}
	return t
}

func (l *ledger) host(t *Truth, h *Host) {
	t.Hosts = append(t.Hosts, HostTotal{h.Name, l.hosts[h.index]})
	for list, is := range map[*[]string]bool{
		&t.NoAgent: h.Agent == NoAgent, &t.Silent: h.Agent == Silent && h.SilentSince.UnixNano() < l.to,
		&t.NoSensor: h.sensor == noSensor, &t.Shared: h.Shared.IsValid(),
	} {
		if is {
			*list = append(*list, h.Name)
		}
	}
}

// tell adds something planted, if it happened.
func (l *ledger) tell(t *Truth, s *planted, n *tally) {
	if n.Flows == 0 {
		return
	}
	h := &l.e.hosts[s.host]
	p := Planted{
		Class: s.class, Kind: s.kind, Why: s.why, Host: h.Name, Role: h.Role, Site: h.Site, Exit: h.Exit,
		Subject: h.sent(&n.flow), Attributable: !h.Shared.IsValid(), Traffic: s.role, Allow: s.allow,
		First: time.Unix(0, n.first).UTC(), Last: time.Unix(0, n.last).UTC(),
		Transport: transportName(n.flow.transport), Answers: !n.flow.opened, Peers: len(n.peers), Sum: n.Sum,
	}
	if n.flow.bypass {
		p.Exit = incident.ExitDirect
	}
	if h.answers(n.flow.at) {
		p.Process = l.e.process(h, n.flow.program, n.flow.at)
	}
	for port := range n.ports {
		p.Ports = append(p.Ports, int(port))
	}
	slices.SortFunc(p.Ports, cmp.Compare[int])
	switch s.class {
	case Attack:
		t.Attacks = append(t.Attacks, p)
	case Benign:
		t.Benign = append(t.Benign, p)
	case Opening:
		t.Openings = append(t.Openings, p)
	}
}
