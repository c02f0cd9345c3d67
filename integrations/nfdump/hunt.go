package nfdump

import (
	"context"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Hosts implements [integrations.Hunter]. nfdump itself ranks the hosts, by
// records within the window and by those around it; what was counted twice is
// corrected afterwards, among twice as many as were requested.
func (s *Store) Hosts(ctx context.Context, q integrations.HostsQuery) ([]incident.HostTraffic, error) {
	const op = "read the hosts with the most egress"
	own, most, err := flowmath.HostsBounds(op, q)
	if err != nil {
		return nil, err
	}
	span, err := s.span(ctx, q.To)
	if err != nil || span.Records == 0 {
		return nil, err
	}
	candidates, err := s.candidates(ctx, op, q, own, 2*most)
	if err != nil || len(candidates) == 0 {
		return nil, err
	}
	one := integrations.TrafficQuery{From: q.From, To: q.To, Top: 1}
	sums := make([]*flowmath.Summary, len(candidates))
	for i := range sums {
		sums[i] = flowmath.NewSummary(one)
	}
	heard := make([]bool, len(candidates))
	err = s.views(ctx, question{op: op, from: q.From, to: q.To}, candidates, func(host int, v *flowmath.View) {
		sums[host].View(v)
		heard[host] = true
	})
	if err != nil {
		return nil, err
	}
	var hosts []incident.HostTraffic
	for i, h := range candidates {
		if heard[i] {
			hosts = append(hosts, flowmath.HostTraffic(h.Addrs[0], sums[i].Traffic(h, span)))
		}
	}
	return flowmath.RankHosts(hosts, most), nil
}

// candidates are the own hosts that may have sent most.
func (s *Store) candidates(ctx context.Context, op string, q integrations.HostsQuery, own flowmath.Networks, most int) ([]flowmath.Host, error) {
	within := timeWindow(q.From, q.To)
	around := timeWindow(q.From.Add(-s.config.Longest), q.To.Add(s.config.Longest))
	var hosts []flowmath.Host
	known := map[netip.Addr]bool{}
	for _, ranking := range []struct{ end, field, order, window string }{
		{"src", "fmt:%sa", "bytes", within},
		{"src", "fmt:%sa", "bytes", around},
		// Records of both directions count what the destination sent separately.
		{"dst", "fmt:%da", "obyte", within},
		{"dst", "fmt:%da", "obyte", around},
	} {
		args := []string{
			"-q", "-N", "-6", "-R", s.config.Folder, "-t", ranking.window, "-A", ranking.end + "ip", "-O", ranking.order,
			"-n", strconv.Itoa(most), "-o", ranking.field, string(s.counted(networkFilter(ranking.end, own))),
		}
		err := s.run(ctx, op, args, func(line []byte) error {
			text := strings.TrimSpace(string(line))
			if text == nothing || text == "" {
				return nil
			}
			a, err := netip.ParseAddr(text)
			if err != nil {
				return broken(op, err)
			}
			if !known[a] {
				known[a] = true
				hosts = append(hosts, flowmath.Host{Addrs: []netip.Addr{a}})
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return hosts, nil
}

const (
	// answered is how many TCP records a sensor must have without one answered
	// among them, to be considered to see one direction only.
	answered = 20
	// asked bounds the TCP records that wait for their answer, of all sensors.
	asked = 1 << 17
)

// Survey implements [integrations.Surveyor].
func (s *Store) Survey(ctx context.Context, from, to time.Time) (incident.Survey, error) {
	const op = "survey the flow records"
	if err := flowmath.CheckWindow(op, from, to); err != nil {
		return incident.Survey{}, err
	}
	span, err := s.span(ctx, to)
	if err != nil || span.Records == 0 {
		return incident.Survey{}, err
	}
	rates, err := s.samplers(ctx)
	if err != nil {
		return incident.Survey{}, err
	}
	l := looks{rates: rates, sensors: map[string]*look{}}
	flows := newSettler(op, s.config.Records, func(v *flowmath.View) {
		if v.Measured {
			l.low, l.high = flowmath.Add(l.low, v.Low), flowmath.Add(l.high, v.High)
		}
	})
	var numbers flowmath.Sensors
	err = s.records(ctx, question{op: op, from: from, to: to}, func(r *flowmath.Record) error {
		sampled := l.add(r)
		return flows.add(viewOf(r, true, numbers.Number(r.Sensor), sampled))
	})
	if err == nil {
		err = flows.finish()
	}
	if err != nil {
		return incident.Survey{}, err
	}
	return l.survey(span, s.sensor), nil
}

// looks are the statistics of the sensors of a window.
type looks struct {
	rates     map[string]int64
	sensors   map[string]*look
	asked     map[asking]struct{}
	low, high int64
}

// look is the statistics of one sensor. TCP without a single answer shows that it
// sees one direction only.
type look struct {
	incident.Sensor
	measured      bool
	tcp, answered int
}

// asking is a TCP connection as one sensor saw it from one end.
type asking struct {
	sensor string
	flowmath.Ends
}

// add counts a record, and reports whether it was sampled.
func (l *looks) add(r *flowmath.Record) bool {
	at, ok := l.sensors[r.Sensor]
	if !ok {
		at = &look{Sensor: incident.Sensor{Sampling: l.rates[router(r.Sensor)]}}
		l.sensors[r.Sensor] = at
	}
	at.Records++
	if end := r.End(); end.After(at.Newest) {
		at.Newest = end
	}
	at.measured = at.measured || !r.OneWay && !r.Empty()
	if r.Empty() {
		at.NoPackets++
	}
	if r.Transport != "tcp" {
		return at.Sampling > 1
	}
	at.tcp++
	this := flowmath.Ends{Local: r.Src, Remote: r.Dst, LocalPort: r.SrcPort, RemotePort: r.DstPort}
	back := flowmath.Ends{Local: r.Dst, Remote: r.Src, LocalPort: r.DstPort, RemotePort: r.SrcPort}
	// The two directions may leave a router through different sides.
	name := router(r.Sensor)
	_, waits := l.asked[asking{name, back}]
	switch {
	case !r.Single && !r.OneWay, waits:
		at.answered++
	case len(l.asked) < asked:
		if l.asked == nil {
			l.asked = map[asking]struct{}{}
		}
		l.asked[asking{name, this}] = struct{}{}
	}
	return at.Sampling > 1
}

func (l *looks) survey(span flowmath.Span, name func(string) string) incident.Survey {
	var sensors []incident.Sensor
	for sensor, at := range l.sensors {
		at.Name = name(sensor)
		at.OneWay = !at.measured || at.tcp >= answered && at.answered == 0
		sensors = append(sensors, at.Sensor)
	}
	return flowmath.Survey(span, sensors, l.low, l.high)
}
