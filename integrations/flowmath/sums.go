package flowmath

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Question is a query to an [Asker], for the flows that overlap [From, To).
type Question struct {
	// Addrs are those of one host or, with Each, of several hosts with one each:
	// what these send to each other counts.
	Addrs []netip.Addr
	Each  bool
	// Own are networks every address of which is a host; set instead of Addrs.
	Own      Networks
	From, To time.Time
	// Most bounds the answer to the largest; where there are more, one more is
	// returned. 0 is no bound.
	Most int
	// Once has each 5-tuple count once though several sensors saw it. A server
	// that always counts so may ignore it.
	Once bool
}

// Line is a sum of flows.
type Line struct {
	// Host is the host of the flows, where the query is for several.
	Host netip.Addr
	// Exchange is the sum. Its service is the zero one where all are summed.
	Exchange
	// Destinations counts the peers that were sent to, where all are summed.
	Destinations int64
	// Several reports whether more than one sensor may have counted the same flows.
	Several bool
}

// Part is what a host sent in one of several windows of equal length.
type Part struct {
	Window           int
	Sent             int64
	Measured, OneWay uint64
	Several          bool
}

// Asker queries the server of a flow store, which sums.
type Asker interface {
	// Views returns flows of a host one by one, as they are in the store: any,
	// or with largest those in which most was sent, more than [SampleFlows] where
	// several records may be one flow.
	Views(ctx context.Context, q Question, largest bool) ([]View, error)
	// Lines returns sums, largest first; see [Lines].
	Lines(ctx context.Context, q Question, of Lines) ([]Line, error)
	// Parts returns what a host sent in each window of the given length.
	Parts(ctx context.Context, q Question, each time.Duration) ([]Part, error)
	// Seen reports whether a host was seen in [From, To); with records of one
	// direction, whether it was seen to send. A zero From is no bound.
	Seen(ctx context.Context, q Question) (bool, error)
}

// Lines is what is summed together.
type Lines int

// What is summed together: each service of a host, for each host the one service
// in which most was sent, all of each host, and all of each address of one's own
// networks as a ranking only, of which just the host is read.
const (
	Services Lines = iota
	LargestService
	Totals
	Ranking
)

// Sums answers queries for flows from a server that sums.
type Sums struct {
	Asker
	From, To time.Time
	// Few is how many flows are read one by one: so few cost less than a second
	// query. MostServices is how many services are summed separately.
	Few, MostServices int
	// Single reports whether records are of one direction, of which a long flow has
	// many: it counts once for each slot.
	Single bool
	Slot   time.Duration
	// Adds reports whether the records of one 5-tuple that one sensor has in the window are
	// summed, as the server does, and never taken for several reports of one flow.
	Adds bool
	// Failed adds the query to an error.
	Failed func(error) error
}

func (s *Sums) question(addrs []netip.Addr) Question {
	return Question{Addrs: addrs, From: s.From, To: s.To}
}

// Traffic answers from the flows themselves where they are few, and else from
// sums and the largest flows.
func (s *Sums) Traffic(ctx context.Context, h Host, q integrations.TrafficQuery, span Span) (incident.Traffic, error) {
	few := s.question(h.Addrs)
	few.Most = s.Few
	views, err := s.Views(ctx, few, false)
	if err != nil {
		return incident.Traffic{}, s.Failed(err)
	}
	sum := NewSummary(q)
	if len(views) <= s.Few {
		s.add(sum, views)
	} else {
		views, err = s.sums(ctx, h, sum)
	}
	if err == nil {
		err = s.listen(ctx, h, sum)
	}
	if err != nil {
		return incident.Traffic{}, s.Failed(err)
	}
	t := sum.Traffic(h, span)
	sum.Sample(&t, Distinct(views), span)
	return t, nil
}

// add sums flows as the server does.
func (s *Sums) add(sum *Summary, views []View) {
	switch {
	case s.Single:
		sum.Tuples(views, s.Slot)
	case s.Adds || SeveralSensors(views):
		sum.Tuples(views, 0)
	default:
		for i := range views {
			sum.View(&views[i])
		}
	}
}

// sums has the server sum what is too much to read, and returns the largest
// flows.
func (s *Sums) sums(ctx context.Context, h Host, sum *Summary) ([]View, error) {
	type sampled struct {
		views []View
		err   error
	}
	sample := make(chan sampled, 1)
	go func() {
		views, err := s.Views(ctx, s.question(h.Addrs), true)
		sample <- sampled{views, err}
	}()
	err := s.summarise(ctx, h, sum)
	largest := <-sample
	if err == nil {
		err = largest.err
	}
	return largest.views, err
}

// summarise sums the services of the host; where these are too many to read,
// the largest of them, and the sums of all.
func (s *Sums) summarise(ctx context.Context, h Host, sum *Summary) error {
	q := s.question(h.Addrs)
	q.Most = s.MostServices
	lines, err := s.lines(ctx, &q, Services)
	if err != nil {
		return err
	}
	for _, l := range lines[:min(len(lines), s.MostServices)] {
		sum.Exchange(l.Exchange)
	}
	if len(lines) <= s.MostServices {
		return nil
	}
	q.Most = 0
	lines, err = s.Lines(ctx, q, Totals)
	for _, l := range lines {
		sum.Total(l.Exchange, l.Destinations)
	}
	return err
}

// lines queries lines, and queries them again, with each flow once, where several
// sensors may have counted one: the question then has Once set.
func (s *Sums) lines(ctx context.Context, q *Question, of Lines) ([]Line, error) {
	lines, err := s.Lines(ctx, *q, of)
	if err != nil || q.Once || !several(lines) {
		return lines, err
	}
	q.Once = true
	return s.Lines(ctx, *q, of)
}

// several reports whether more than one sensor may have seen a flow. Where a
// service has two lines, its peer is written in two spellings, as by two sensors.
func several(lines []Line) bool {
	seen := map[Service]bool{}
	for _, l := range lines {
		if l.Several || l.Peer.IsValid() && seen[l.Service] {
			return true
		}
		seen[l.Service] = true
	}
	return false
}

// listen checks whether silence is a measured zero, where records are of one
// direction: the sensors must have seen the host send something lately.
func (s *Sums) listen(ctx context.Context, h Host, sum *Summary) error {
	if !s.Single || !sum.Unheard() {
		return nil
	}
	heard, err := s.Seen(ctx, Question{Addrs: h.Addrs, From: s.From.Add(-Hearing), To: s.From})
	if err == nil && !heard {
		sum.Deaf()
	}
	return err
}

// Hosts returns the hosts of the networks with the most egress. The order among
// the largest is decided by their own sums.
func (s *Sums) Hosts(ctx context.Context, own Networks, most int, span Span) ([]incident.HostTraffic, error) {
	lines, err := s.Lines(ctx, Question{Own: own, From: s.From, To: s.To, Most: 2 * most}, Ranking)
	if err != nil {
		return nil, s.Failed(err)
	}
	var ranked []netip.Addr
	for _, l := range lines {
		if own.Has(l.Host) {
			ranked = append(ranked, l.Host)
		}
	}
	hosts, err := s.detail(ctx, ranked, span)
	if err != nil {
		return nil, s.Failed(err)
	}
	return RankHosts(hosts, most), nil
}

// detail sums what each of the hosts sent.
func (s *Sums) detail(ctx context.Context, ranked []netip.Addr, span Span) ([]incident.HostTraffic, error) {
	list := make([]incident.HostTraffic, 0, len(ranked))
	if len(ranked) == 0 {
		return list, nil
	}
	q := s.question(ranked)
	q.Each = true
	totals, err := s.lines(ctx, &q, Totals)
	if err != nil {
		return nil, err
	}
	largest, err := s.Lines(ctx, q, LargestService)
	if err != nil {
		return nil, err
	}
	for _, total := range totals {
		h := Host{Addrs: []netip.Addr{total.Host}}
		sum := NewSummary(integrations.TrafficQuery{IPs: h.Strings(), From: s.From, To: s.To, Top: 1})
		if n := slices.IndexFunc(largest, func(l Line) bool { return l.Host == total.Host }); n >= 0 {
			sum.Exchange(largest[n].Exchange)
		}
		sum.Total(total.Exchange, total.Destinations)
		if err := s.listen(ctx, h, sum); err != nil {
			return nil, err
		}
		list = append(list, HostTraffic(total.Host, sum.Traffic(h, span)))
	}
	return list, nil
}

// Fill implements [Reader].
func (s *Sums) Fill(ctx context.Context, h Host, windows *Windows) error {
	q := Question{Addrs: h.Addrs, From: windows.From(), To: windows.To()}
	parts, err := s.Parts(ctx, q, windows.Length())
	if err == nil && slices.ContainsFunc(parts, func(p Part) bool { return p.Several }) {
		q.Once = true
		parts, err = s.Parts(ctx, q, windows.Length())
	}
	if err != nil {
		return s.Failed(err)
	}
	for _, p := range parts {
		windows.Sum(p.Window, p.Sent, p.Measured, p.OneWay)
	}
	return nil
}

// Before implements [Reader].
func (s *Sums) Before(ctx context.Context, h Host, at time.Time) (bool, error) {
	older, err := s.Seen(ctx, Question{Addrs: h.Addrs, To: at})
	if err != nil {
		return false, s.Failed(err)
	}
	return older, nil
}
