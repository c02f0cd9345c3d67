package memory

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

// The sensors of a survey: the estate's own, and that of AddFlows.
const (
	ownSensor  = "estate"
	laidSensor = "capture"
)

// recorded is one record of a sensor.
type recorded struct {
	flowmath.Record
	sensor uint64
	// opened reports whether the record's source opened the flow.
	opened bool
}

func recordOf(f incident.Flow, sensor uint64, sampling int64) recorded {
	unseen := flowmath.Unseen()
	r := recorded{sensor: sensor, opened: !answering(f.Tuple)}
	r.Record = flowmath.Record{
		Start: f.Start, Duration: f.Duration, SrcPort: uint16(f.SrcPort), DstPort: uint16(f.DstPort), Transport: f.Transport,
		Orig:     flowmath.Side{Bytes: unseen.Bytes, IPBytes: f.BytesOut, Packets: f.PacketsOut},
		Resp:     flowmath.Side{Bytes: unseen.Bytes, IPBytes: f.BytesIn, Packets: unseen.Packets},
		Sampling: sampling, OneWay: f.BytesOut < 0,
	}
	// An address that cannot be read belongs to no host.
	r.Src, _ = netip.ParseAddr(f.SrcIP)
	r.Dst, _ = netip.ParseAddr(f.DstIP)
	return r
}

func (r *recorded) view(fromSource bool) flowmath.View {
	v := flowmath.ViewOf(&r.Record, fromSource, r.sensor)
	v.Opened = fromSource == r.opened
	return v
}

// answering reports whether the source is the server, judged by the ports: it sends
// from the port of a service to another port.
func answering(t incident.Tuple) bool {
	_, from := traffic.Amplification(t.SrcPort, t.Transport)
	_, to := traffic.Amplification(t.DstPort, t.Transport)
	return from && !to
}

// Hosts implements [integrations.Hunter].
func (e *Estate) Hosts(ctx context.Context, q integrations.HostsQuery) ([]incident.HostTraffic, error) {
	var list []incident.HostTraffic
	u := use{op: "hosts"}
	err := e.perform(ctx, u, func() error {
		own, most, err := flowmath.HostsBounds(u.String(), q)
		if err != nil {
			return err
		}
		for _, a := range e.addresses() {
			if !own.Has(a) {
				continue
			}
			h := flowmath.Host{Addrs: []netip.Addr{a}}
			t, _ := e.traffic(h, integrations.TrafficQuery{IPs: h.Strings(), From: q.From, To: q.To, Top: 1})
			if n, ok := t.Flows.Get(); ok && n > 0 {
				list = append(list, flowmath.HostTraffic(a, t))
			}
		}
		list = flowmath.RankHosts(list, most)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// addresses are the first of each host and those of recorded flows, each once.
func (e *Estate) addresses() []netip.Addr {
	var found, taken []netip.Addr
	for _, h := range e.hosts {
		for i, ip := range h.IPs {
			if a, err := netip.ParseAddr(ip); err == nil && i == 0 {
				found = append(found, a)
			} else if err == nil {
				taken = append(taken, a)
			}
		}
	}
	for i := range e.recorded {
		for _, a := range []netip.Addr{e.recorded[i].Src, e.recorded[i].Dst} {
			if !slices.Contains(taken, a) {
				found = append(found, a)
			}
		}
	}
	slices.SortFunc(found, netip.Addr.Compare)
	return slices.Compact(found)
}

// Survey implements [integrations.Surveyor].
func (e *Estate) Survey(ctx context.Context, from, to time.Time) (incident.Survey, error) {
	var survey incident.Survey
	u := use{op: "survey"}
	err := e.perform(ctx, u, func() error {
		if err := flowmath.CheckWindow(u.String(), from, to); err != nil {
			return err
		}
		tally := flowmath.NewTally(from, to)
		for i := range e.recorded {
			tally.Record(&e.recorded[i].Record, e.recorded[i].sensor)
		}
		for _, h := range e.hosts {
			e.minutes(h, from, to, func(_ lane, f incident.Flow) {
				r := recordOf(f, 0, 1)
				tally.Record(&r.Record, 0)
			})
		}
		survey = tally.Survey(e.span(to), func(sensor uint64) string { return e.sensors[sensor] })
		return nil
	})
	if err != nil {
		return incident.Survey{}, err
	}
	return survey, nil
}

// AddFlows adds flow records to the estate's flow store, such as those of a
// capture. They do not react to containments.
func (e *Estate) AddFlows(flows ...incident.Flow) { e.AddSeen(laidSensor, 1, flows...) }

// AddSeen is like AddFlows, for the records of one sensor of several, which saw
// one packet of sampling. The counters are as it wrote them.
func (e *Estate) AddSeen(sensor string, sampling int64, flows ...incident.Flow) {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := slices.Index(e.sensors, sensor)
	if n < 0 {
		n = len(e.sensors)
		e.sensors = append(e.sensors, strings.Clone(sensor))
	}
	for _, f := range flows {
		e.recorded = append(e.recorded, recordOf(f, uint64(n), sampling))
	}
}
