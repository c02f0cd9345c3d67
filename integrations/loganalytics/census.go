package loganalytics

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// piece is how much of a long time one query sums by window: an answer has 500,000 rows at most.
const piece = 24 * time.Hour

// HostWindows implements [integrations.Census]. Where the table never has all, a window in which nothing was
// sent is unseen.
func (s *Store) HostWindows(ctx context.Context, q integrations.CensusQuery, each time.Duration, yield func(incident.HostWindow) error) error {
	const op = "read what left by window"
	own, n, err := flowmath.CensusWindows(op, q, each)
	if err != nil {
		return err
	}
	a := asker{s, op}
	some := max(1, int(piece/each))
	for first := 0; first < n; first += some {
		count := min(some, n-first)
		from := q.From.Add(time.Duration(first) * each)
		to := from.Add(time.Duration(count) * each)
		if to.After(q.To) {
			to = q.To
		}
		var found []incident.HostWindow
		st := a.leaving(own, from, to).parts(each, count, "Local")
		err := a.rows(ctx, st, func(r *reader) {
			w := incident.HostWindow{IP: r.address("Local").String(), Window: first + int(r.whole("Window")), BytesOut: flowmath.Whole(r.float("Sent"))}
			w.Unseen = r.whole("Measured") == 0 || w.BytesOut == 0 && s.layout.least != ""
			found = append(found, w)
		})
		if err != nil {
			return err
		}
		for _, w := range found {
			if err := yield(w); err != nil {
				return err
			}
		}
	}
	return nil
}

// hostService is a service of a host, to all peers.
type hostService struct {
	host      netip.Addr
	port      uint16
	transport string
	opened    bool
}

func (r *reader) hostService() hostService {
	return hostService{r.address("Local"), r.port("Port"), transport(r.text("Proto")), r.truth("Opened")}
}

// HostServices implements [integrations.Census]. Where the table never has all, a service over which nothing
// was sent is unseen.
func (s *Store) HostServices(ctx context.Context, q integrations.CensusQuery, yield func(incident.HostService) error) error {
	const op = "read what left by service"
	own, err := flowmath.CensusBounds(op, q)
	if err != nil {
		return err
	}
	a := asker{s, op}
	sensors := map[hostService][]string{}
	err = a.rows(ctx, a.leaving(own, q.From, q.To).seers(), func(r *reader) {
		k := r.hostService()
		sensors[k] = append(sensors[k], r.text("Sensor"))
	})
	if err != nil {
		return err
	}
	sums := map[hostService]*incident.HostService{}
	err = a.rows(ctx, a.leaving(own, q.From, q.To).services(), func(r *reader) {
		k := r.hostService()
		sum := sums[k]
		if sum == nil {
			sum = &incident.HostService{
				IP: k.host.String(), Port: int64(k.port), Transport: k.transport, Opened: k.opened, Unseen: true,
				First: q.To.UTC(), Last: q.From.UTC(), Sensors: slices.Compact(slices.Sorted(slices.Values(sensors[k]))),
			}
			sums[k] = sum
		}
		addTo(sum, r.peer().String(), exchange(r), q)
	})
	if err != nil {
		return err
	}
	for _, sum := range sums {
		sum.Unseen = sum.Unseen || sum.BytesOut == 0 && s.layout.least != ""
		if err := yield(*sum); err != nil {
			return err
		}
	}
	return nil
}

// addTo adds what the host exchanged with one peer.
func addTo(sum *incident.HostService, peer string, x flowmath.Exchange, q integrations.CensusQuery) {
	sum.BytesOut, sum.BytesIn = flowmath.Add(sum.BytesOut, x.Sent), flowmath.Add(sum.BytesIn, x.Received)
	sum.PacketsOut, sum.Flows = flowmath.Add(sum.PacketsOut, x.Packets), sum.Flows+x.Flows
	sum.Unseen = sum.Unseen && x.Measured == 0
	sum.Peers++
	if sum.Peer == "" || x.Sent > sum.PeerBytes || x.Sent == sum.PeerBytes && peer < sum.Peer {
		sum.Peer, sum.PeerBytes = peer, x.Sent
	}
	first := time.Unix(0, max(x.First, q.From.UnixNano())).UTC()
	last := time.Unix(0, min(x.Last, q.To.UnixNano())).UTC()
	if first.Before(sum.First) {
		sum.First = first
	}
	if last.After(sum.Last) {
		sum.Last = last
	}
}

// leaving begins the query for what left the networks in [from, to), see [flowmath.Networks.Leaves].
func (a asker) leaving(own flowmath.Networks, from, to time.Time) *statement {
	st := a.statement(flowmath.Question{Own: own, From: from, To: to})
	near := slices.Clone(own)
	for _, text := range []string{
		"224.0.0.0/4", "255.255.255.255/32", "169.254.0.0/16", "127.0.0.0/8", "0.0.0.0/32", "ff00::/8", "fe80::/10", "::1/128", "::/128",
	} {
		near = append(near, netip.MustParsePrefix(text))
	}
	st.where("isnotempty(Peer)")
	// Of an address of the other kind it is not said whether it is in a network.
	st.where("not(coalesce(" + st.l.inAny("Peer", near) + ", false))")
	return st
}

// seers are the sensors that saw some of each service of a host.
func (st *statement) seers() *statement {
	st.then("extend", "Port = iff(Opened == 1, PeerPort, LocalPort)")
	st.summarize([]string{"Records = count()"}, "Local", "Port", "Proto", "Opened", "Sensor")
	return st
}
