package main_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/lab"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// realAgain is from what rate on a host counts as still sending. A speed above the
	// limit, and below it, shows that nothing is limited, and is no reason to hold again.
	realAgain = 20e6
	realFree  = 15e6
	// realTorrent is what hping3 is asked to send, so that it sends enough on a busy machine.
	realTorrent = 2 * realFlood
	// againCase is the case of its flooding host.
	againCase = "real-flood/ws-042"
	againTTL  = 20 * time.Second
)

// heldAgain has the limit of the real playbook end soon, and held while the host still
// sends.
func heldAgain(ttl, atMost, watch time.Duration) string {
	return strings.NewReplacer("ttl: 1h", fmt.Sprintf("ttl: %s, hold_at_most: %s, watch: %s, again_above: %dMbit",
		incident.FormatDuration(ttl), incident.FormatDuration(atMost), incident.FormatDuration(watch), int64(realAgain/1e6)),
		"within: 2m", "within: "+incident.FormatDuration(ttl)).Replace(realPlaybook)
}

// again starts a Stanch whose limits may be held again. Nothing watches the hosts but the
// case: there is one alert, and no other can come.
func again(t testing.TB, ttl, atMost, watch time.Duration) *realSite {
	t.Helper()
	r := newRealSite(t, lab.Outside, "")
	r.write("playbooks/high-egress-windows.yaml", heldAgain(ttl, atMost, watch))
	r.start("")
	if _, err := r.lab.Flows(t.Context(), lab.Sensor{Interface: lab.Outside, Active: time.Second}, 2*atMost+time.Minute); err != nil {
		t.Fatal(err)
	}
	return r
}

// held waits for an event of a kind after so many of it, and returns it.
func (r *realSite) held(kind incident.EventKind, after int) (e incident.Event) {
	r.t.Helper()
	r.until(fmt.Sprintf("%s to be there %d times", kind, after+1), func() bool {
		events := r.events(kind)
		if len(events) <= after {
			return false
		}
		e = events[after]
		return true
	})
	return e
}

// events are those of the kind that the timeline has of the limit.
func (r *realSite) events(kind incident.EventKind) (events []incident.Event) {
	r.t.Helper()
	for _, e := range r.see(againCase).Timeline {
		if e.Kind == kind && e.Step == "throttle" {
			events = append(events, e)
		}
	}
	return events
}

// oneAlert fails the test unless the case has one alert: whatever was held again was so by
// evidence.
func (r *realSite) oneAlert() {
	r.t.Helper()
	if c := r.see(againCase); c.AlertCount != 1 {
		r.t.Errorf("the case has %d alerts, want one", c.AlertCount)
	}
}

// isLimited reports whether the gateway limits the flooding host, or, with counts, has a
// rule that only counts it.
func (r *realSite) isLimited() bool { return r.inMap("limit_out_ip4") }

func (r *realSite) isCounted() bool { return r.inMap("count_limit_out_ip4") }

func (r *realSite) inMap(name string) bool {
	r.t.Helper()
	_, text, there := strings.Cut(r.rules(), "map "+name+" {")
	text, _, _ = strings.Cut(text, "}\n\n")
	return there && strings.Contains(text, "10.20.4.42")
}

// TestRealFloodThatGoesOn floods for longer than the lease: it goes on, and nothing more
// comes through meanwhile. When all that was approved is used up, people are asked.
func TestRealFloodThatGoesOn(t *testing.T) {
	t.Parallel()
	r := again(t, againTTL, 3*againTTL, time.Minute)
	stop := r.torrent()
	defer stop()
	r.alert("a-1", "ws-042", "10.20.4.42")
	confirmed := r.held(incident.EvConfirmed, 0)
	// What the bucket let through at first is gone by the first look.
	r.until("the bucket to be empty", func() bool { return time.Since(confirmed.At) > 2*time.Second })
	began, before := time.Now(), r.arrived()
	r.held(incident.EvHeldAgain, 0)
	r.until("the first round's end to be over", func() bool { return time.Now().After(confirmed.At.Add(againTTL + 4*time.Second)) })
	r.near("over the end of the lease, UDP", int64(float64(r.arrived()-before)*8/time.Since(began).Seconds()), realLimit, 0.15)
	if saw(r.see(againCase), incident.EvGivenBack, "throttle") {
		t.Error("it was given back, though the host still sent")
	}
	r.until("people to be asked", func() bool { return saw(r.see(againCase), incident.EvAsked, "") })
	if !r.isLimited() {
		t.Error("the limit is gone while people are asked")
	}
	r.oneAlert()
	if status := r.vote(againCase, alice, false); status >= 300 {
		t.Errorf("the answer is answered %d", status)
	}
	r.held(incident.EvGivenBack, 0)
	if r.isLimited() {
		t.Error("people said no, and the limit is in place")
	}
	r.showTimeline(r.last)
	r.stop()
}

// arrived is how many bytes came to the internet.
func (r *realSite) arrived() int64 {
	r.t.Helper()
	n, err := r.lab.Internet.Received(r.t.Context(), "eth0")
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

// torrent has the flooding host flood until the returned function is called.
func (r *realSite) torrent() (stop func()) {
	r.t.Helper()
	p, err := r.lab.Flood(r.flooder, lab.Flood{Rate: realTorrent, For: atMost})
	if err != nil {
		r.t.Fatal(err)
	}
	return p.Stop
}

// floodOnce floods until the limit is effective, and waits until it was given back at its
// end.
func (r *realSite) floodOnce() {
	r.t.Helper()
	stop := r.torrent()
	r.alert("a-1", "ws-042", "10.20.4.42")
	r.held(incident.EvVerified, 0)
	stop()
	r.held(incident.EvGivenBack, 0)
}

// TestRealFloodThatComesBack stops the flood. The lease ends, the speed returns, and a rule
// that only counts is left. Then the flood comes back, and is limited by that evidence.
func TestRealFloodThatComesBack(t *testing.T) {
	t.Parallel()
	r := again(t, againTTL, 5*time.Minute, time.Minute)
	r.floodOnce()
	r.until("a rule that only counts", r.isCounted)
	if r.isLimited() {
		t.Error("it was given back, and the limit is in place")
	}
	// On a slow machine the limit is effective only in a later round of the lease.
	rounds, confirmations := len(r.events(incident.EvHeldAgain)), len(r.events(incident.EvConfirmed))
	r.near("given back and counted, UDP", r.transfer(r.flooder, lab.Probe{UDP: true, Rate: realFree}), realFree, 0.10)
	if len(r.events(incident.EvHeldAgain)) > rounds {
		t.Error("it was held again, though it sent less than counts")
	}
	if _, ok := r.onlyLease(); ok {
		t.Error("what only counts is shown as a lease")
	}

	began := time.Now()
	stop := r.torrent()
	defer stop()
	said := r.held(incident.EvHeldAgain, rounds)
	confirmed := r.held(incident.EvConfirmed, confirmations)
	t.Logf("from the first packet: %.1f s to the evidence, %.1f s to the limit", said.At.Sub(began).Seconds(), confirmed.At.Sub(began).Seconds())
	if !strings.Contains(said.Text, "gateway's counters") {
		t.Errorf("it was held again by %q, want the gateway's counters", said.Text)
	}
	r.oneAlert()
	r.near("held again, TCP", r.transfer(r.second, lab.Probe{}), realLink-realLimit, 0.25)
	stop()
	r.near("held again, UDP", r.transfer(r.flooder, lab.Probe{UDP: true, Rate: 3 * realLimit}), realLimit, 0.10)
	r.letGo(againCase, "throttle")
	r.held(incident.EvGivenBack, 1)
	if r.isLimited() {
		t.Error("it was released, and the limit is in place")
	}
	r.showTimeline(r.last)
	r.stop()
}

// BenchmarkFirstPacketToHeldAgain measures the time from the first packet of a flood that
// comes back, some time after its limit was given back, until it is limited again.
func BenchmarkFirstPacketToHeldAgain(b *testing.B) {
	for _, after := range []time.Duration{5 * time.Second, 2 * time.Minute} {
		b.Run("after "+after.String(), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				r := again(b, againTTL, 20*time.Minute, 10*time.Minute)
				r.patience = 3 * time.Minute
				r.floodOnce()
				given := time.Now()
				rounds, confirmations := len(r.events(incident.EvHeldAgain)), len(r.events(incident.EvConfirmed))
				r.until("the flood's time", func() bool { return time.Since(given) > after })
				b.StartTimer()
				began := time.Now()
				stop := r.torrent()
				said, confirmed := r.held(incident.EvHeldAgain, rounds), r.held(incident.EvConfirmed, confirmations)
				b.StopTimer()
				b.ReportMetric(said.At.Sub(began).Seconds(), "evidence-s")
				b.ReportMetric(confirmed.At.Sub(began).Seconds(), "limited-s")
				stop()
				r.oneAlert()
				r.stop()
				b.StartTimer()
			}
		})
	}
}
