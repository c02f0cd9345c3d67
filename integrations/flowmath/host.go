// Package flowmath is what flow stores have in common once their records are
// read: the share of a flow in a window, flows that several sensors saw, the sums,
// coverage and shape of a host's traffic, and the statistics of its windows. It
// reads nothing itself.
//
// A store that returns single flows makes a [Record] or a [View] of each, passes
// the views through [Distinct], and calls [Traffic] and [Windows.View]. A store
// that sums by itself passes sums to [Summary.Exchange] and [Windows.Sum].
package flowmath

import (
	"net/netip"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Host is the addresses of one host, each once, in the order of the query.
type Host struct{ Addrs []netip.Addr }

// HostOf reads the addresses of a query. The error is an invalid one.
func HostOf(op string, ips []string) (Host, error) {
	var h Host
	for _, ip := range ips {
		a, err := netip.ParseAddr(ip)
		if err != nil {
			return Host{}, integrations.Errorf(integrations.Invalid, op, "%q is not an address", ip)
		}
		if a = a.Unmap().WithZone(""); !h.Has(a) {
			h.Addrs = append(h.Addrs, a)
		}
	}
	if len(h.Addrs) == 0 {
		return Host{}, integrations.Errorf(integrations.Invalid, op, "the host has no address")
	}
	return h, nil
}

// Has reports whether the address is the host's.
func (h Host) Has(a netip.Addr) bool { return slices.Contains(h.Addrs, a) }

// Strings returns the addresses as text.
func (h Host) Strings() []string {
	text := make([]string, len(h.Addrs))
	for i, a := range h.Addrs {
		text[i] = a.String()
	}
	return text
}

// TrafficHost reads a query for traffic: the host, in a window that is not
// empty. The error is an invalid one.
func TrafficHost(op string, q integrations.TrafficQuery) (Host, error) {
	h, err := HostOf(op, q.IPs)
	if err != nil {
		return Host{}, err
	}
	return h, CheckWindow(op, q.From, q.To)
}

// CheckWindow returns an invalid error for a window that is empty.
func CheckWindow(op string, from, to time.Time) error {
	if !from.Before(to) {
		return integrations.Errorf(integrations.Invalid, op, "the window from %s to %s is empty",
			from.Format(time.RFC3339), to.Format(time.RFC3339))
	}
	return nil
}

// Sensors numbers the names of sensors.
type Sensors struct{ numbers map[string]uint64 }

// Number returns the sensor's number, the same for the same name.
func (s *Sensors) Number(name string) uint64 {
	if s.numbers == nil {
		s.numbers = map[string]uint64{}
	}
	n, ok := s.numbers[name]
	if !ok {
		n = uint64(len(s.numbers)) + 1
		s.numbers[name] = n
	}
	return n
}

// Span is what a store holds, of all hosts, that counts at a [Moment].
type Span struct {
	// Oldest is the first start, if the store has it. Newest is the last
	// end of any flow that counts; zero when none does.
	Oldest, Newest time.Time
	// Records is the number of flows; for a store that does not count them it is 1
	// unless the store is empty.
	Records int64
	// Fast are sensors whose clocks are ahead.
	Fast []incident.FastClock
	// Longer is the length of a flow that is longer than the store's Limit, 0
	// without one.
	Longer, Limit time.Duration
}

// Quiet reports whether an answer without a flow is a measured zero, and else
// why it is not: the store must have a record of about the window's end.
func (s Span) Quiet(to time.Time) (bool, string) {
	lag, stale := incident.Lag(s.Newest, to)
	switch {
	case s.Records == 0:
		return false, "flows: the store is empty"
	case s.Newest.IsZero() && len(s.Fast) > 0:
		return false, "flows: " + s.Fast[0].String() + ", and nothing else was recorded"
	case s.Oldest.After(to.Add(incident.ClockTolerance)):
		return false, "flows: oldest record is " + incident.FormatDuration(s.Oldest.Sub(to)) + " younger than the window"
	case s.Newest.IsZero():
		return false, "flows: the oldest record is younger than the window"
	case stale:
		return false, "flows: newest record is " + incident.FormatDuration(lag) + " old"
	}
	return true, ""
}

// NewestText is the newest record's time as it is shown to people.
func (s Span) NewestText() string {
	if s.Newest.IsZero() {
		return "no time up to now"
	}
	return s.Newest.UTC().Format(time.RFC3339)
}

// reaches reports whether the store has records up to a time, in nanoseconds since
// 1970.
func (s Span) reaches(at int64) bool { return !s.Newest.IsZero() && at <= s.Newest.UnixNano() }
