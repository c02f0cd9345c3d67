package contract

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Census checks an [integrations.Census]: the harness must open one.
func Census(t *testing.T, h FlowsHarness) { t.Helper(); run(t, "Census", h, censusChecks()) }

func censusChecks() []check[FlowsHarness] {
	return slices.Concat([]check[FlowsHarness]{
		{"what left is told by host and service", checkCensusServices},
		{"what stays within the networks does not leave", checkCensusInside},
		{"a host that answers sent from its own port", checkCensusAnswers},
		{"what two sensors saw left once, and both are named", checkCensusSensors},
		{"what no sensor saw is unseen, not nothing", checkCensusUnseen},
		{"what left is told by host and window", checkCensusWindows},
		{"the windows of a host add up to what it sent", checkCensusAddsUp},
		{"an error of the caller ends it", checkCensusEnds},
		{"a census of no window or of no network is invalid", checkCensusInvalid},
	}, faultChecks(func(t testing.TB, h FlowsHarness) (func(Fault), []call) {
		f := h.open(t, []incident.Flow{h.flow(-time.Minute, flowsHost, flowsPeer, 1000)})
		return h.breaker(f), []call{{"census", false, func(ctx context.Context) error {
			return census(t, f).HostServices(ctx, h.census(), func(incident.HostService) error { return nil })
		}}}
	}))
}

func census(t testing.TB, f integrations.Flows) integrations.Census {
	t.Helper()
	c, ok := f.(integrations.Census)
	if !ok {
		t.Fatalf("%T is not a Census", f)
	}
	return c
}

// census is a query for the window of the suites.
func (h FlowsHarness) census() integrations.CensusQuery {
	return integrations.CensusQuery{From: h.at().Add(-flowsWindow), To: h.at()}
}

// services returns what left in the window, without its times, which must be within it.
func (h FlowsHarness) services(t testing.TB, f integrations.Flows) []incident.HostService {
	t.Helper()
	q := h.census()
	var list []incident.HostService
	err := census(t, f).HostServices(t.Context(), q, func(s incident.HostService) error {
		if s.First.Before(q.From) || s.Last.After(q.To) || s.Last.Before(s.First) {
			t.Errorf("%s sent from %s to %s, outside of the window from %s to %s", s.IP, s.First, s.Last, q.From, q.To)
		}
		s.First, s.Last = time.Time{}, time.Time{}
		list = append(list, s)
		return nil
	})
	h.fine(t, "services", err)
	slices.SortFunc(list, func(a, b incident.HostService) int {
		return cmp.Or(cmp.Compare(a.IP, b.IP), cmp.Compare(a.Port, b.Port), cmp.Compare(a.Transport, b.Transport))
	})
	return list
}

func (h FlowsHarness) windows(t testing.TB, f integrations.Flows, q integrations.CensusQuery, each time.Duration) []incident.HostWindow {
	t.Helper()
	var list []incident.HostWindow
	err := census(t, f).HostWindows(t.Context(), q, each, func(w incident.HostWindow) error {
		list = append(list, w)
		return nil
	})
	h.fine(t, "windows", err)
	slices.SortFunc(list, func(a, b incident.HostWindow) int {
		return cmp.Or(cmp.Compare(a.IP, b.IP), cmp.Compare(a.Window, b.Window))
	})
	return list
}

// leaves is a flow of five seconds within the window to a service outside.
func (h FlowsHarness) leaves(before time.Duration, src, dst string, port, bytes int64) incident.Flow {
	f := h.flow(-before, src, dst, bytes)
	f.DstPort, f.Duration = int(port), 5*time.Second
	return f
}

const (
	outside     = "198.51.100.7"
	outsideToo  = "203.0.113.9"
	ownHost     = "10.20.4.42"
	ownHostToo  = "10.20.4.43"
	censusBytes = 3000
)

func same[T any](t testing.TB, want, got []T) {
	t.Helper()
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// bare is what of a service every store knows alike.
func bare(list []incident.HostService) []incident.HostService {
	for i := range list {
		list[i].PacketsOut, list[i].BytesIn, list[i].Sensors = 0, 0, nil
	}
	return list
}

func checkCensusServices(t testing.TB, h FlowsHarness) {
	f := h.open(t, []incident.Flow{
		h.leaves(5*time.Minute, ownHost, outside, 443, censusBytes), h.leaves(4*time.Minute, ownHost, outsideToo, 443, 2*censusBytes),
		h.leaves(3*time.Minute, ownHost, outside, 22, censusBytes), h.leaves(3*time.Minute, ownHostToo, outside, 443, censusBytes),
		h.leaves(time.Hour, ownHost, outside, 8443, censusBytes),
	})
	same(t, []incident.HostService{
		{IP: ownHost, Port: 22, Transport: "udp", Opened: true, BytesOut: censusBytes, Flows: 1, Peers: 1, Peer: outside, PeerBytes: censusBytes},
		{IP: ownHost, Port: 443, Transport: "udp", Opened: true, BytesOut: 3 * censusBytes, Flows: 2, Peers: 2, Peer: outsideToo, PeerBytes: 2 * censusBytes},
		{IP: ownHostToo, Port: 443, Transport: "udp", Opened: true, BytesOut: censusBytes, Flows: 1, Peers: 1, Peer: outside, PeerBytes: censusBytes},
	}, bare(h.services(t, f)))
}

// checkCensusInside sends to the own networks, to everybody on the wire, and between strangers.
func checkCensusInside(t testing.TB, h FlowsHarness) {
	f := h.open(t, []incident.Flow{
		h.leaves(5*time.Minute, ownHost, ownHostToo, 445, censusBytes), h.leaves(5*time.Minute, ownHost, "239.255.255.250", 1900, censusBytes),
		h.leaves(4*time.Minute, ownHost, "255.255.255.255", 67, censusBytes), h.leaves(4*time.Minute, ownHost, "169.254.169.254", 80, censusBytes),
		h.leaves(3*time.Minute, outsideToo, outside, 443, censusBytes),
	})
	if got := h.services(t, f); len(got) > 0 {
		t.Errorf("%+v left, want nothing", got)
	}
	q := h.census()
	q.Networks = []string{"203.0.113.0/24"}
	var hosts []string
	err := census(t, f).HostServices(t.Context(), q, func(s incident.HostService) error {
		hosts = append(hosts, s.IP)
		return nil
	})
	h.fine(t, "services", err)
	same(t, []string{outsideToo}, hosts)
}

// checkCensusAnswers has two strangers ask a host of one's own.
func checkCensusAnswers(t testing.TB, h FlowsHarness) {
	ask := func(from string, port int) incident.Flow {
		f := h.leaves(4*time.Minute, from, ownHost, 389, 60)
		f.SrcPort, f.BytesIn = port, censusBytes
		return f
	}
	f := h.open(t, []incident.Flow{ask(outside, 40001), ask(outside, 40002), ask(outsideToo, 40003)})
	same(t, []incident.HostService{
		{IP: ownHost, Port: 389, Transport: "udp", BytesOut: 3 * censusBytes, Flows: 3, Peers: 2, Peer: outside, PeerBytes: 2 * censusBytes},
	}, bare(h.services(t, f)))
}

func checkCensusSensors(t testing.TB, h FlowsHarness) {
	flow, other := h.leaves(4*time.Minute, ownHost, outside, 443, censusBytes), h.leaves(3*time.Minute, ownHost, outside, 22, censusBytes)
	f := h.seen(t, Seen{flow, "north", 1}, Seen{flow, "south", 1}, Seen{other, "south", 1})
	same(t, []incident.HostWindow{{IP: ownHost, BytesOut: 2 * censusBytes}}, h.windows(t, f, h.census(), flowsWindow))
	got := h.services(t, f)
	if len(got) != 2 {
		t.Fatalf("%+v, want two services", got)
	}
	for i, want := range [][]string{{h.named("south")}, {h.named("north"), h.named("south")}} {
		if got[i].BytesOut != censusBytes || got[i].Flows != 1 || !slices.Equal(got[i].Sensors, want) {
			t.Errorf("%+v, want %d bytes in one flow that %v saw", got[i], censusBytes, want)
		}
	}
}

func checkCensusUnseen(t testing.TB, h FlowsHarness) {
	blind := h.leaves(4*time.Minute, ownHost, outside, 443, -1)
	blind.BytesIn, blind.PacketsOut = 9000, -1
	f := h.open(t, []incident.Flow{blind, h.leaves(3*time.Minute, ownHostToo, outside, 443, censusBytes)})
	got := h.services(t, f)
	if len(got) != 2 || !got[0].Unseen || got[0].BytesOut != 0 || got[1].Unseen {
		t.Errorf("services are %+v, want the first one unseen", got)
	}
	windows := h.windows(t, f, h.census(), flowsWindow)
	same(t, []incident.HostWindow{{IP: ownHost, Unseen: true}, {IP: ownHostToo, BytesOut: censusBytes}}, windows)
}

func checkCensusWindows(t testing.TB, h FlowsHarness) {
	q := integrations.CensusQuery{From: h.at().Add(-time.Hour), To: h.at()}
	// One lasts over the end of a window, half in each.
	long := h.leaves(40*time.Minute, ownHost, outside, 443, 2*censusBytes)
	long.Duration = 20 * time.Minute
	flows := []incident.Flow{
		h.leaves(55*time.Minute, ownHost, outside, 443, censusBytes), h.leaves(50*time.Minute, ownHost, outsideToo, 22, censusBytes),
		h.leaves(5*time.Minute, ownHostToo, outside, 443, censusBytes), h.leaves(2*time.Hour, ownHostToo, outside, 443, censusBytes),
	}
	want := []incident.HostWindow{{IP: ownHost, BytesOut: 2 * censusBytes}, {IP: ownHostToo, Window: 1, BytesOut: censusBytes}}
	if !h.Moments {
		flows = append(flows, long)
		want = []incident.HostWindow{
			{IP: ownHost, Window: 0, BytesOut: 3 * censusBytes},
			{IP: ownHost, Window: 1, BytesOut: censusBytes},
			{IP: ownHostToo, Window: 1, BytesOut: censusBytes},
		}
	}
	same(t, want, h.windows(t, h.open(t, flows), q, 30*time.Minute))
}

// checkCensusAddsUp compares the sums with each other: both are of the same flows.
func checkCensusAddsUp(t testing.TB, h FlowsHarness) {
	var flows []incident.Flow
	for i := range 40 {
		flow := h.leaves(time.Duration(14*60-20*i)*time.Second, ownHost, outside, int64(1000+i%3), censusBytes+int64(i))
		flow.SrcPort = 50000 + i
		flows = append(flows, flow)
	}
	f := h.open(t, flows)
	var byService, byWindow int64
	for _, s := range h.services(t, f) {
		byService += s.BytesOut
	}
	for _, w := range h.windows(t, f, h.census(), time.Minute) {
		byWindow += w.BytesOut
	}
	if want := int64(40*censusBytes + 40*39/2); byService != want || byWindow != want {
		t.Errorf("%d bytes left by service and %d by window, want %d", byService, byWindow, want)
	}
}

func checkCensusEnds(t testing.TB, h FlowsHarness) {
	f := h.open(t, []incident.Flow{h.leaves(4*time.Minute, ownHost, outside, 443, censusBytes), h.leaves(4*time.Minute, ownHostToo, outside, 443, censusBytes)})
	enough := errors.New("enough")
	calls := 0
	err := census(t, f).HostServices(t.Context(), h.census(), func(incident.HostService) error { calls++; return enough })
	if calls != 1 || !errors.Is(err, enough) {
		t.Errorf("it was called %d times and returned %v, want once and the error", calls, err)
	}
	calls = 0
	err = census(t, f).HostWindows(t.Context(), h.census(), flowsWindow, func(incident.HostWindow) error { calls++; return enough })
	if calls != 1 || !errors.Is(err, enough) {
		t.Errorf("it was called %d times and returned %v, want once and the error", calls, err)
	}
}

func checkCensusInvalid(t testing.TB, h FlowsHarness) {
	f := h.open(t, nil)
	at := h.at()
	for what, err := range map[string]error{
		"no window":  census(t, f).HostServices(t.Context(), integrations.CensusQuery{From: at, To: at}, nil),
		"no network": census(t, f).HostServices(t.Context(), integrations.CensusQuery{From: at.Add(-time.Hour), To: at, Networks: []string{"ws-042"}}, nil),
		"no length":  census(t, f).HostWindows(t.Context(), h.census(), 0, nil),
		"too short":  census(t, f).HostWindows(t.Context(), h.census(), time.Second, nil),
	} {
		if integrations.KindOf(err) != integrations.Invalid {
			t.Errorf("%s: %v, want invalid", what, err)
		}
	}
}
