package memory_test

import (
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// twoWays is a host that sends 40 Mbit/s to one place and 1 Mbit/s to another.
func twoWays() memory.Host {
	return memory.Host{ID: "ws-042", Name: "ws-042", IPs: []string{"10.20.4.42"}, Processes: []memory.Process{{
		Path: "evil.exe", Name: "evil.exe", PID: 7, Streams: []memory.Stream{
			{Destinations: []string{"192.0.2.1"}, DstPort: 53, Transport: "udp", BitsOut: 40_000_000},
			{Destinations: []string{"192.0.2.2"}, DstPort: 443, Transport: "tcp", BitsOut: 1_000_000},
		},
	}}}
}

// counted is what a containment counted, a minute after it was put in place.
func (w world) counted(o incident.Order) incident.Counters {
	w.t.Helper()
	w.move(time.Minute)
	c := w.read(o).Counters
	if c == nil {
		w.t.Fatalf("%s of %s does not count", o.Action, o.Scope())
	}
	return *c
}

func (w world) sent() int64 {
	w.t.Helper()
	traffic, err := w.Traffic(w.t.Context(), integrations.TrafficQuery{IPs: []string{"10.20.4.42"}, From: w.now().Add(-time.Minute), To: w.now(), Top: 1})
	if err != nil {
		w.t.Fatal(err)
	}
	rate, _ := traffic.Rate.Get()
	return rate
}

// bytesIn is what a rate makes in a minute.
func bytesIn(bitsPerSecond int64) int64 { return bitsPerSecond * 60 / 8 }

func TestALimitCountsWhatItIsFor(t *testing.T) {
	for _, tt := range []struct {
		name            string
		order           func(*incident.Order)
		behaviour       memory.Behaviour
		passed, dropped int64
		sent            int64
	}{
		{"all of a host", func(o *incident.Order) { o.Rate = 2_050_000 }, memory.Behaviour{}, 2_050_000, 38_950_000, 2_050_000},
		{
			"one destination", func(o *incident.Order) {
				o.Filter = &incident.Filter{Direction: incident.Outbound, RemoteIP: "192.0.2.1"}
			},
			memory.Behaviour{},
			2_000_000, 38_000_000, 3_000_000,
		},
		{"a rate above what is sent", func(o *incident.Order) { o.Rate = 100_000_000 }, memory.Behaviour{}, 41_000_000, 0, 41_000_000},
		{"one that limits nothing", func(*incident.Order) {}, memory.Behaviour{Ineffective: true}, 41_000_000, 0, 41_000_000},
		{"one that is passed by", func(*incident.Order) {}, memory.Behaviour{Elsewhere: true}, 0, 0, 41_000_000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, twoWays())
			if err := w.Behave("ws-042", incident.RateLimit, tt.behaviour); err != nil {
				t.Fatal(err)
			}
			o := w.order(incident.RateLimit)
			tt.order(&o)
			w.apply(o)
			got := w.counted(o)
			near := func(got, want int64) bool { return got >= want-2 && got <= want+2 }
			if !near(got.PassedBytes, bytesIn(tt.passed)) || !near(got.DroppedBytes, bytesIn(tt.dropped)) {
				t.Errorf("%+v, want %d and %d bytes", got, bytesIn(tt.passed), bytesIn(tt.dropped))
			}
			if got := w.sent(); got < tt.sent-10 || got > tt.sent+10 {
				t.Errorf("the flow store sees %d, want %d", got, tt.sent)
			}
		})
	}
}

func TestABlockCountsWhatItStops(t *testing.T) {
	w := newWorld(t, twoWays())
	o := w.order(incident.Block)
	w.apply(o)
	if got := w.counted(o); got.PassedBytes != 0 || got.DroppedBytes != bytesIn(40_000_000) {
		t.Errorf("%+v", got)
	}
	isolation := w.order(incident.Isolate)
	w.apply(isolation)
	if got := w.read(isolation).Counters; got != nil {
		t.Errorf("an isolation counts %+v", got)
	}
}

func TestASensorBeforeTheLimitSeesTheFlood(t *testing.T) {
	w := newWorld(t, twoWays())
	w.SensorBefore(true)
	o := w.order(incident.RateLimit)
	w.apply(o)
	got := w.counted(o)
	if got.PassedBytes < bytesIn(1_999_000) || got.PassedBytes > bytesIn(2_000_000) || w.sent() != 41_000_000 {
		t.Errorf("counted %+v, the flow store sees %d", got, w.sent())
	}
	w.undo(o)
	w.apply(w.order(incident.Isolate))
	w.move(time.Minute)
	if sent := w.sent(); sent > 100_000 {
		t.Errorf("the flow store sees %d of an isolated host", sent)
	}
}

func TestWhatIsChangedByHandIsSeen(t *testing.T) {
	w := newWorld(t, twoWays())
	o := w.order(incident.RateLimit)
	w.apply(o)
	if err := w.Retune(o, 5_000_000); err != nil {
		t.Fatal(err)
	}
	if got := w.read(o); got.Rate != 5_000_000 || got.Key != o.Key {
		t.Errorf("read %+v", got)
	}
	if err := w.Lift(o); err != nil {
		t.Fatal(err)
	}
	if got := w.read(o); got.Stands || got.Counters != nil {
		t.Errorf("read %+v", got)
	}
	if err := w.Lift(o); integrations.KindOf(err) != integrations.NotFound {
		t.Errorf("lifted twice: %v", err)
	}
	if n := w.Count("undo", incident.RateLimit); n != 0 {
		t.Errorf("%d undos of ours", n)
	}
}
