package memory_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// world is an estate with one clock and orders on ws-042.
type world struct {
	*memory.Estate
	*clock
	t testing.TB
}

func newWorld(t testing.TB, hosts ...memory.Host) world {
	t.Helper()
	c := newClock()
	w := world{open(t, memory.Options{Now: c.now}), c, t}
	for _, h := range hosts {
		addHost(t, w.Estate, h)
	}
	return w
}

func (w world) order(a incident.Action) incident.Order {
	o := incident.Order{Key: "lease/" + string(a), Action: a, Target: target(w.t, "ws-042")}
	switch a {
	case incident.RateLimit:
		o.Rate = 2_000_000
	case incident.Block:
		o.Filter = &incident.Filter{Direction: incident.Outbound, RemotePort: 53, Transport: "udp"}
	case incident.Notify, incident.Collect, incident.KillProcess, incident.Isolate:
	}
	return o
}

func (w world) apply(o incident.Order) {
	w.t.Helper()
	if _, err := w.Apply(w.t.Context(), o); err != nil {
		w.t.Fatal(err)
	}
}

func (w world) undo(o incident.Order) {
	w.t.Helper()
	if _, err := w.Undo(w.t.Context(), o); err != nil {
		w.t.Fatal(err)
	}
}

func (w world) read(o incident.Order) incident.Reading {
	w.t.Helper()
	s, err := w.Read(w.t.Context(), o)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// last returns the traffic of ws-042 in the time up to now.
func (w world) last(d time.Duration) incident.Traffic {
	w.t.Helper()
	t, err := w.Traffic(w.t.Context(), integrations.TrafficQuery{
		IPs: []string{"10.0.0.42"}, From: w.now().Add(-d), To: w.now(), Top: 20,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return t
}

// sends fails unless the host sent at the rate for the last minute, and exactly the
// bytes.
func (w world) sends(bitsPerSecond int64) {
	w.t.Helper()
	if got, ok := w.last(time.Minute).BytesOut.Get(); !ok || got != bitsPerSecond*60/8 {
		w.t.Errorf("the host sent %d bytes in the last minute, want %d", got, bitsPerSecond*60/8)
	}
}

func TestTrafficFollowsWhatStands(t *testing.T) {
	w := newWorld(t, sender("ws-042"))
	w.move(time.Minute)
	w.sends(8_000_000)

	w.apply(w.order(incident.RateLimit))
	w.move(time.Minute)
	w.sends(2_000_000)
	w.apply(w.order(incident.Isolate))
	w.move(time.Minute)
	w.sends(8_000)
	w.undo(w.order(incident.Isolate))
	w.move(time.Minute)
	w.sends(2_000_000)
	w.undo(w.order(incident.RateLimit))
	w.move(time.Minute)
	w.sends(8_000_000)
	w.apply(w.order(incident.Block))
	w.move(time.Minute)
	w.sends(0)
	w.undo(w.order(incident.Block))
	if _, err := w.Kill(t.Context(), integrations.KillOrder{
		Key: "k", Target: target(t, "ws-042"), PID: 77, Path: `C:\Tools\sender.exe`,
	}); err != nil {
		t.Fatal(err)
	}
	w.move(time.Minute)
	w.sends(0)

	// Earlier flows are not changed by containments that are in force now.
	points, err := w.Series(t.Context(), integrations.TrafficQuery{
		IPs: []string{"10.0.0.42"}, From: w.now().Add(-7 * time.Minute), To: w.now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []int64
	for _, p := range points {
		got = append(got, p.BytesOut*8/60)
	}
	if want := []int64{8e6, 2e6, 8e3, 2e6, 8e6, 0, 0}; !cmp.Equal(got, want) {
		t.Errorf("bits per second, minute by minute, are %v, want %v", got, want)
	}
}

func TestLimitIsSharedAndBlockMatches(t *testing.T) {
	h := sender("ws-042")
	h.Processes[0].Streams = []memory.Stream{
		{Destinations: []string{"198.51.100.1"}, DstPort: 53, Transport: "udp", BitsOut: 6_000_000, From: -time.Hour},
		{Destinations: []string{"198.51.100.2"}, DstPort: 443, Transport: "tcp", BitsOut: 2_000_000, BitsIn: 4_000_000, From: -time.Hour},
		{Destinations: []string{"198.51.100.3"}, SrcPort: 389, Transport: "udp", BitsOut: 1_600_000, BitsIn: 16_000, From: -time.Hour},
	}
	for _, tt := range []struct {
		name   string
		filter *incident.Filter
		rate   int64
		want   map[string]int64 // bits per second by destination
	}{
		{"no containment", nil, 0, map[string]int64{"198.51.100.1": 6e6, "198.51.100.2": 2e6, "198.51.100.3": 1.6e6}},
		{"a limit is shared in proportion", nil, 4_800_000, map[string]int64{"198.51.100.1": 3e6, "198.51.100.2": 1e6, "198.51.100.3": 0.8e6}},
		{"a limit above changes nothing", nil, 100e6, map[string]int64{"198.51.100.1": 6e6, "198.51.100.2": 2e6, "198.51.100.3": 1.6e6}},
		{
			"a limit of a part leaves the rest alone", &incident.Filter{Direction: incident.Outbound, RemoteIP: "198.51.100.1", RemotePort: 53, Transport: "udp"}, 600_000,
			map[string]int64{"198.51.100.1": 0.6e6, "198.51.100.2": 2e6, "198.51.100.3": 1.6e6},
		},
		{
			"a limit of a part is shared by that part", &incident.Filter{Direction: incident.Outbound, Transport: "udp"}, 3_800_000,
			map[string]int64{"198.51.100.1": 3e6, "198.51.100.2": 2e6, "198.51.100.3": 0.8e6},
		},
		{
			"a limit of the answers", &incident.Filter{Direction: incident.Outbound, LocalPort: 389, Transport: "udp"}, 160_000,
			map[string]int64{"198.51.100.1": 6e6, "198.51.100.2": 2e6, "198.51.100.3": 0.16e6},
		},
		{
			"a limit of what is not there", &incident.Filter{Direction: incident.Outbound, RemoteIP: "198.51.100.1", RemotePort: 443}, 1000,
			map[string]int64{"198.51.100.1": 6e6, "198.51.100.2": 2e6, "198.51.100.3": 1.6e6},
		},
		{
			"a destination", &incident.Filter{Direction: incident.Outbound, RemoteIP: "198.51.100.1"}, 0,
			map[string]int64{"198.51.100.2": 2e6, "198.51.100.3": 1.6e6},
		},
		{
			"a port of another transport", &incident.Filter{Direction: incident.Outbound, RemotePort: 53, Transport: "tcp"}, 0,
			map[string]int64{"198.51.100.1": 6e6, "198.51.100.2": 2e6, "198.51.100.3": 1.6e6},
		},
		{
			"requests to the service stop its answers", &incident.Filter{Direction: incident.Inbound, LocalPort: 389}, 0,
			map[string]int64{"198.51.100.1": 6e6, "198.51.100.2": 2e6},
		},
		{
			"inbound does not stop what the host sends", &incident.Filter{Direction: incident.Inbound, RemoteIP: "198.51.100.2"}, 0,
			map[string]int64{"198.51.100.1": 6e6, "198.51.100.2": 2e6, "198.51.100.3": 1.6e6},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, h)
			if tt.filter != nil && tt.rate == 0 {
				o := w.order(incident.Block)
				o.Filter = tt.filter
				w.apply(o)
			}
			if tt.rate > 0 {
				o := w.order(incident.RateLimit)
				o.Rate, o.Filter = tt.rate, tt.filter
				w.apply(o)
			}
			w.move(time.Minute)
			got := map[string]int64{}
			top, _ := w.last(time.Minute).Top.Get()
			for _, f := range top {
				if f.Bytes > 0 {
					got[f.IP] += f.Bytes * 8 / 60
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("bits per second by destination (-want +got):\n%s", diff)
			}
		})
	}
}

// Limits of a part and of the whole hold beside each other: no part has more than its
// own, and the whole not more than its.
func TestLimitsHoldBesideEachOther(t *testing.T) {
	for _, first := range []bool{true, false} {
		h := sender("ws-042")
		h.Processes[0].Streams = []memory.Stream{
			{Destinations: []string{"198.51.100.1"}, DstPort: 53, Transport: "udp", BitsOut: 6_000_000, From: -time.Hour},
			{Destinations: []string{"198.51.100.2"}, DstPort: 443, Transport: "tcp", BitsOut: 2_000_000, From: -time.Hour},
		}
		w := newWorld(t, h)
		all, part := w.order(incident.RateLimit), w.order(incident.RateLimit)
		all.Rate, part.Rate, part.Key = 1_500_000, 1_000_000, "part"
		part.Filter = &incident.Filter{Direction: incident.Outbound, RemoteIP: "198.51.100.1"}
		if first {
			w.apply(part)
		}
		w.apply(all)
		w.apply(part)
		w.move(time.Minute)
		w.sends(1_500_000)
		w.undo(all)
		w.move(time.Minute)
		w.sends(3_000_000)
		w.undo(part)
		w.move(time.Minute)
		w.sends(8_000_000)
	}
}

// A lower rate for the key that holds a limit takes its place from then on, in one
// step and not for what was before; a higher one does not.
func TestALimitIsTightenedInPlace(t *testing.T) {
	w := newWorld(t, sender("ws-042"))
	o := w.order(incident.RateLimit)
	for _, rate := range []int64{4_000_000, 1_000_000, 2_000_000, 500_000} {
		o.Rate = rate
		w.apply(o)
		w.move(time.Minute)
	}
	points, err := w.Series(t.Context(), integrations.TrafficQuery{IPs: []string{"10.0.0.42"}, From: w.now().Add(-4 * time.Minute), To: w.now()})
	if err != nil {
		t.Fatal(err)
	}
	var got []int64
	for _, p := range points {
		got = append(got, p.BytesOut*8/60)
	}
	if want := []int64{4e6, 1e6, 1e6, 5e5}; !cmp.Equal(got, want) {
		t.Errorf("bits per second, minute by minute, are %v, want %v", got, want)
	}
	if is := w.read(o); is.Rate != 500_000 || is.Copies != 0 {
		t.Errorf("in the end there is %+v", is)
	}
	if made, lower, undone := w.Count("apply", incident.RateLimit), w.Count("tighten", incident.RateLimit), w.Count("undo", incident.RateLimit); made != 1 || lower != 2 || undone != 0 {
		t.Errorf("it was made %d times, tightened %d times and undone %d times, want 1, 2 and 0", made, lower, undone)
	}
	w.undo(o)
	w.move(time.Minute)
	w.sends(8_000_000)
}

// TestVolumesAdd queries one stretch of time in pieces of every odd length: no byte
// is lost or counted twice, also where a rate is not a whole number of bytes and
// changes within a piece. The exporter's records add up to the same.
func TestVolumesAdd(t *testing.T) {
	h := sender("ws-042")
	h.Processes[0].Streams[0].BitsOut = 1_234_567
	h.Processes[0].Streams = append(h.Processes[0].Streams, memory.Stream{
		Destinations: []string{"198.51.100.7", "198.51.100.8", "198.51.100.9"}, DstPort: 123, Transport: "udp",
		BitsOut: 1_000_001, From: 90 * time.Second, To: 29*time.Minute + 7*time.Millisecond, Swing: 40,
	})
	w := newWorld(t, h)
	begin := w.now()
	for _, a := range []incident.Action{incident.RateLimit, incident.Isolate} {
		w.move(7*time.Minute + 333*time.Millisecond)
		w.apply(w.order(a))
		w.move(3*time.Minute + 17*time.Microsecond)
		w.undo(w.order(a))
	}
	w.move(61 * time.Minute)
	whole, _ := w.last(w.now().Sub(begin)).BytesOut.Get()
	for _, piece := range []time.Duration{13 * time.Second, 97 * time.Second, 1001 * time.Millisecond, 50 * time.Minute} {
		var traffic, records int64
		for at := begin; at.Before(w.now()); at = at.Add(piece) {
			end := at.Add(piece)
			if end.After(w.now()) {
				end = w.now()
			}
			got, err := w.Traffic(t.Context(), integrations.TrafficQuery{IPs: []string{"10.0.0.42"}, From: at, To: end})
			if err != nil {
				t.Fatal(err)
			}
			n, _ := got.BytesOut.Get()
			traffic += n
			for _, f := range w.Records(at, end) {
				records += f.BytesOut
			}
		}
		if traffic != whole || records != whole {
			t.Errorf("in pieces of %s it is %d bytes, and %d as records, want %d", piece, traffic, records, whole)
		}
	}
}

func TestContainmentsAsHostsTakeThem(t *testing.T) {
	isolate := incident.Isolate
	t.Run("asynchronous", func(t *testing.T) {
		w := newWorld(t, sender("ws-042"))
		must(t, w.Behave("ws-042", isolate, memory.Behaviour{Pending: time.Minute}))
		w.apply(w.order(isolate))
		if s := w.read(w.order(isolate)); s.Stands || !s.Pending {
			t.Errorf("right after acceptance it reads %+v, want pending", s)
		}
		w.isolation("isolating")
		w.move(time.Minute)
		w.sends(8_000_000)
		w.isolation("isolated")
		w.undo(w.order(isolate))
		w.isolation("releasing")
		w.move(time.Minute)
		w.isolation("none")
	})
	t.Run("offline", func(t *testing.T) {
		w := newWorld(t, sender("ws-042"))
		must(t, w.SetOnline("ws-042", false))
		w.apply(w.order(isolate))
		w.move(time.Hour)
		w.sends(8_000_000)
		if s := w.read(w.order(isolate)); s.Stands || !s.Pending {
			t.Errorf("on an offline host it reads %+v, want pending", s)
		}
		must(t, w.SetOnline("ws-042", true))
		w.move(time.Minute)
		w.sends(8_000)
		if s := w.read(w.order(isolate)); !s.Stands || s.Pending {
			t.Errorf("once the host is back it reads %+v, want standing", s)
		}
	})
	t.Run("given up while offline", func(t *testing.T) {
		w := newWorld(t, sender("ws-042"))
		must(t, w.SetOnline("ws-042", false))
		w.apply(w.order(isolate))
		w.undo(w.order(isolate))
		must(t, w.SetOnline("ws-042", true))
		w.move(time.Minute)
		w.sends(8_000_000)
	})
	t.Run("a liar", func(t *testing.T) {
		w := newWorld(t, sender("ws-042"))
		must(t, w.Behave("ws-042", isolate, memory.Behaviour{Lies: true}))
		w.apply(w.order(isolate))
		w.move(time.Hour)
		w.sends(8_000_000)
		if s := w.read(w.order(isolate)); s.Stands || s.Pending || len(w.Effects()) != 0 {
			t.Errorf("a liar reads %+v after %d effects", s, len(w.Effects()))
		}
	})
	t.Run("not effective", func(t *testing.T) {
		w := newWorld(t, sender("ws-042"))
		must(t, w.Behave("ws-042", isolate, memory.Behaviour{Ineffective: true}))
		w.apply(w.order(isolate))
		w.move(time.Minute)
		w.sends(8_000_000)
		if !w.read(w.order(isolate)).Stands {
			t.Error("it is not in force")
		}
	})
	t.Run("an undo that is stuck", func(t *testing.T) {
		w := newWorld(t, sender("ws-042"))
		must(t, w.Behave("ws-042", isolate, memory.Behaviour{Stuck: true}))
		w.apply(w.order(isolate))
		w.undo(w.order(isolate))
		w.move(time.Minute)
		w.sends(8_000)
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w world) isolation(want string) {
	w.t.Helper()
	found, err := w.Endpoints(w.t.Context(), integrations.EndpointQuery{ID: "ws-042"})
	if err != nil || len(found) != 1 {
		w.t.Fatalf("endpoints: %v, %v", found, err)
	}
	if got, _ := found[0].Isolation.Get(); got != want {
		w.t.Errorf("isolation is %q, want %q", got, want)
	}
}

func TestAmbiguousWrites(t *testing.T) {
	ambiguous := integrations.Error{Kind: integrations.Ambiguous}
	for name, tt := range map[string]struct {
		fail func(w world)
		done bool
	}{
		"it was done":     {func(w world) { w.FailAfter("apply isolate", ambiguous, 1) }, true},
		"it was not done": {func(w world) { w.Fail("apply isolate", ambiguous, 1) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, sender("ws-042"))
			tt.fail(w)
			w.apply(w.order(incident.RateLimit)) // another action is not affected
			if _, err := w.Apply(t.Context(), w.order(incident.Isolate)); integrations.KindOf(err) != integrations.Ambiguous {
				t.Fatalf("apply: %v, want ambiguous", err)
			}
			if got := w.read(w.order(incident.Isolate)).Stands; got != tt.done {
				t.Errorf("it is in force: %t, want %t", got, tt.done)
			}
			w.apply(w.order(incident.Isolate))
			if n := len(w.Effects()); n != 2 {
				t.Errorf("there are %d effects, want one per action: %v", n, w.Effects())
			}
		})
	}
}

func TestReceiptsTellWhoseItIs(t *testing.T) {
	w := newWorld(t, sender("ws-042"))
	ours, theirs := w.order(incident.Isolate), w.order(incident.Isolate)
	theirs.Key = "lease/other"
	first, err := w.Apply(t.Context(), ours)
	must(t, err)
	again, err := w.Apply(t.Context(), ours)
	must(t, err)
	other, err := w.Apply(t.Context(), theirs)
	must(t, err)
	if first.Ref == "" || again.Ref != first.Ref || other.Ref != "" {
		t.Errorf("receipts are %+v, %+v and another's %+v, want our ref twice and none", first, again, other)
	}
}
