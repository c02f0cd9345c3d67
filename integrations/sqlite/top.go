package sqlite

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

// errFound ends a search.
var errFound = errors.New("found")

// TopQuery selects the hosts that sent most in [From, To). Networks are those of
// one's own hosts; empty means all private addresses.
type TopQuery struct {
	Networks []netip.Prefix
	From, To time.Time
	// Limit bounds the hosts, Top the destinations of each.
	Limit, Top int
	// Limits returns the limits by which the role of a host's traffic is decided;
	// nil means the defaults.
	Limits func(host netip.Addr) *traffic.RoleLimits
}

// LimitsOf are the limits by which the role of a host's traffic is decided; nil
// means the defaults.
func (q TopQuery) LimitsOf(host string) *traffic.RoleLimits {
	if a, err := netip.ParseAddr(host); err == nil && q.Limits != nil {
		return q.Limits(a)
	}
	return nil
}

// Talker is one address and what it sent.
type Talker struct {
	IP      string           `json:"ip"`
	Traffic incident.Traffic `json:"traffic"`
}

// Top returns the own hosts that sent most, largest first. Hosts of which the
// volume is unknown come last.
func (s *Store) Top(ctx context.Context, q TopQuery) ([]Talker, error) {
	const op = "read the top hosts"
	if err := flowmath.CheckWindow(op, q.From, q.To); err != nil {
		return nil, err
	}
	dbs, err := s.dbs(ctx)
	if err != nil {
		return nil, err
	}
	sent := map[netip.Addr]int64{}
	for bucket := range buckets {
		if err := dbs.rankBucket(ctx, bucket, q, sent); err != nil {
			return nil, failed(op, err)
		}
	}
	ranked := make([]netip.Addr, 0, len(sent))
	for a := range sent {
		ranked = append(ranked, a)
	}
	slices.SortFunc(ranked, func(a, b netip.Addr) int { return cmp.Or(cmp.Compare(sent[b], sent[a]), a.Compare(b)) })
	// The minutes count a flow once for each sensor, so the order among the
	// largest is decided by the flows themselves.
	if q.Limit > 0 {
		ranked = ranked[:min(len(ranked), 2*q.Limit)]
	}
	talkers := make([]Talker, 0, len(ranked))
	for _, a := range ranked {
		one := integrations.TrafficQuery{IPs: []string{a.String()}, From: q.From, To: q.To, Top: q.Top}
		if q.Limits != nil {
			one.Limits = q.Limits(a)
		}
		t, err := s.Traffic(ctx, one)
		if err != nil {
			return nil, err
		}
		t.Sample = nil
		talkers = append(talkers, Talker{a.String(), t})
	}
	slices.SortStableFunc(talkers, func(a, b Talker) int { return cmp.Compare(volume(b), volume(a)) })
	if q.Limit > 0 {
		talkers = talkers[:min(len(talkers), q.Limit)]
	}
	return talkers, nil
}

func volume(t Talker) int64 {
	if n, ok := t.Traffic.BytesOut.Get(); ok {
		return n
	}
	return -1
}

// rankBucket adds what the own hosts of a bucket sent in the minutes of the
// query.
func (p *pools) rankBucket(ctx context.Context, bucket int, q TopQuery, sent map[netip.Addr]int64) error {
	from, to := q.From.UnixNano(), q.To.UnixNano()
	wanted := func(addr []byte) bool { return q.own(addrOf(addr)) }
	return p.eachBlock(ctx, "minutes", bucket, from, to, func(first int64, data []byte) error {
		return eachMinute(data, minuteOf(first), wanted, func(m minuteSum) {
			v := flowmath.View{Start: m.from, End: m.to, Sent: m.bytes}
			if v.Overlaps(from, to) {
				sent[m.addr] = flowmath.Add(sent[m.addr], v.Share(v.Sent, from, to))
			}
		})
	})
}

func (q TopQuery) own(a netip.Addr) bool {
	if len(q.Networks) == 0 {
		return a.IsPrivate()
	}
	return slices.ContainsFunc(q.Networks, func(p netip.Prefix) bool { return p.Contains(a) })
}
