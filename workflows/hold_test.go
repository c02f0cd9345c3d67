package workflows_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// limitedBy is how a throttle of the playbook is written, of which tests edit the end.
const limitedBy = "with: { rate: 2Mbit }, ttl: 1h, unsure: act, verify: { egress_below: 3Mbit, within: 2m }"

// holding returns a world in which a flood is limited by a step with more keys, and what
// other edits say; its case is open. The host's sender is ws-042's, or given.
func holding(t *testing.T, keys string, edit ...string) (*world, string) {
	t.Helper()
	edit = append([]string{"do: [evidence, throttle, cut-off, tell]", "do: [throttle, tell]", limitedBy, limitedBy + ", " + keys}, edit...)
	w := newWorld(t, memory.Flood, "high-egress-windows", edit...)
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	return w, id
}

// stops has the flood end at a time, as by the hand of its user.
func (w *world) stops(after time.Duration) {
	w.do(after, func(e *memory.Estate) {
		target, err := incident.DeviceTarget("ws-042", "ws-042.corp.example")
		if err != nil {
			w.t.Fatal(err)
		}
		_, err = e.Kill(context.Background(), integrations.KillOrder{
			Key: "its user", Target: target, PID: 7316, Path: `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`,
		})
		if err != nil {
			w.t.Error(err)
		}
	})
}

// sending is what ws-042 sends at a time, in bits per second over half a minute.
func (w *world) sending(after time.Duration) *int64 {
	var rate int64
	w.do(after, func(e *memory.Estate) {
		at := start.Add(after)
		seen, err := e.Traffic(context.Background(), integrations.TrafficQuery{IPs: []string{"10.20.4.42"}, From: at.Add(-30 * time.Second), To: at, Top: 1})
		if err != nil {
			w.t.Error(err)
		}
		rate, _ = seen.Rate.Get()
	})
	return &rate
}

// uncounted has nothing count what a limiter drops, or what flows after it.
func (w *world) uncounted() {
	w.t.Helper()
	behave(w.t, w.estate, incident.RateLimit, memory.Behaviour{Uncounted: true})
}

// rounds are the rounds that the case took, each by how long it was in place.
func rounds(c incident.Case, name string) (lengths []time.Duration) {
	for _, s := range c.Steps {
		if s.Name == name && !s.AcceptedAt.IsZero() {
			lengths = append(lengths, s.EndedAt.Sub(s.AcceptedAt).Round(time.Minute))
		}
	}
	return lengths
}

// A flood that goes on is held on by what the limiter drops, for twice as long each time,
// without a gap, until hold_at_most; then people are asked, and it stands until they
// answer.
func TestAFloodThatGoesOnIsHeldOn(t *testing.T) {
	t.Parallel()
	w, id := holding(t, "hold_at_most: 5h")
	rates := []*int64{w.sending(65 * time.Minute), w.sending(185 * time.Minute), w.sending(5*time.Hour + 2*time.Minute)}
	asked := w.snap(5*time.Hour+time.Minute, id)
	w.run(12 * time.Hour)
	for _, rate := range rates {
		if *rate > 2_100_000 {
			t.Errorf("it sends %s", incident.FormatRate(*rate))
		}
	}
	w.contained(incident.RateLimit, 1, 1)
	c := w.see(id)
	on := happened(c, incident.EvHeldAgain)
	if len(on) != 2 || !strings.Contains(on[0].Text, "round 2 until 2026-03-02T06:00") || !strings.Contains(on[0].Text, "still sends 40 Mbit/s (gateway's counters)") {
		t.Errorf("it went on: %+v", on)
	}
	if len(asked.Approvals) != 1 || asked.Approvals[0].State != incident.Pending || !asked.Approvals[0].Extends.Still ||
		!strings.Contains(asked.Approvals[0].Because, "its hold_at_most of 5h is used up") {
		t.Fatalf("people are asked %+v", asked.Approvals)
	}
	if len(c.Alerts) != 1 {
		t.Errorf("%d alerts came", len(c.Alerts))
	}
	s := step(t, c, "throttle")
	if got := s.EndedAt.Sub(c.Approvals[0].ExpiresAt); got < 0 || got > time.Minute {
		t.Errorf("it was given back %s after the question had ended", got)
	}
	if len(w.told("page/", "nobody decided")) != 1 {
		t.Error("nobody is told that it was given back")
	}
	w.ended(id, incident.OutcomeGivenBack)
}

// Where nothing counts, the limiter's drops are not seen: it is given back, seen to send,
// and held again within seconds. One that has stopped is not.
func TestAFloodThatGoesOnIsHeldAgain(t *testing.T) {
	t.Parallel()
	w, id := holding(t, "hold_at_most: 8h")
	w.uncounted()
	rate := w.sending(62 * time.Minute)
	w.stops(100 * time.Minute)
	during := w.snap(62*time.Minute, id)
	watched := w.snap(3*time.Hour+10*time.Minute, id)
	w.run(12 * time.Hour)
	c := w.ended(id, incident.OutcomeGivenBack)
	if *rate > 2_100_000 {
		t.Errorf("a minute after it was given back it sends %s", incident.FormatRate(*rate))
	}
	first, second := during.Steps[0], step(t, *during, "throttle")
	if gap := second.AcceptedAt.Sub(first.EndedAt); gap > 15*time.Second || second.Held.Round != 2 || second.Status != incident.StepStanding {
		t.Errorf("it was held again after %s, round %+v, %s", gap, second.Held, second.Status)
	}
	if got := rounds(c, "throttle"); len(got) != 2 || got[0] != time.Hour || got[1] != 2*time.Hour {
		t.Errorf("the rounds are %v", got)
	}
	if watched.Status != incident.Watching {
		t.Errorf("while it is watched the case is %s", watched.Status)
	}
	if len(c.Alerts) != 1 || len(happened(c, incident.EvHeldAgain)) != 1 {
		t.Errorf("%d alerts, held again: %+v", len(c.Alerts), happened(c, incident.EvHeldAgain))
	}
	if !strings.Contains(happened(c, incident.EvHeldAgain)[0].Text, "the flow store") {
		t.Errorf("it is not said who saw it: %+v", happened(c, incident.EvHeldAgain))
	}
	if len(texts(c, incident.EvEnriched, "process 7316")) != 1 {
		t.Errorf("the EDR's word is missing: %v", happened(c, incident.EvEnriched))
	}
	w.contained(incident.RateLimit, 2, 2)
	if end := c.ClosedAt.Sub(start); end < 3*time.Hour+15*time.Minute || end > 3*time.Hour+16*time.Minute {
		t.Errorf("the case was closed after %s", end)
	}
}

// Without the keys a containment ends by its time, and the case with it.
func TestWithoutTheKeysNothingIsHeldAgain(t *testing.T) {
	t.Parallel()
	w, id := holding(t, "timeout: 1m")
	w.run(3 * time.Hour)
	c := w.ended(id, incident.OutcomeGivenBack)
	w.contained(incident.RateLimit, 1, 1)
	if end := c.ClosedAt.Sub(start); end > 61*time.Minute {
		t.Errorf("the case was closed after %s", end)
	}
}

// What a person gives back stays given back.
func TestWhatAPersonGaveBackStaysGivenBack(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*world, string){
		"released": func(w *world, _ string) {
			w.At(20*time.Minute, func() {
				err := w.Update(leaseOf(incident.RateLimit, "ws-042"), protocol.ReleaseUpdate, "release",
					protocol.ReleaseRequest{By: "bob", Reason: "the wrong host"}, func(any, error) {})
				if err != nil {
					w.t.Error(err)
				}
			})
		},
		"closed":            func(w *world, id string) { closeAt(w, 20*time.Minute, id) },
		"closed as watched": func(w *world, id string) { w.stops(30 * time.Minute); closeAt(w, 65*time.Minute, id) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id := holding(t, "hold_at_most: 8h")
			end(w, id)
			w.run(5 * time.Hour)
			w.contained(incident.RateLimit, 1, 1)
			if c := w.see(id); c.Status != incident.Closed || len(happened(c, incident.EvHeldAgain)) > 0 || c.ClosedAt.Sub(start) > 66*time.Minute {
				t.Errorf("the case is %s since %s: %+v", c.Status, c.ClosedAt, happened(c, incident.EvHeldAgain))
			}
		})
	}
}

// What was counted before says nothing about now, and what is quiet is not held on.
func TestAFloodThatStoppedIsNotHeldOn(t *testing.T) {
	t.Parallel()
	w, id := holding(t, "hold_at_most: 8h, watch: 20m")
	w.stops(170 * time.Minute)
	w.run(5 * time.Hour)
	c := w.ended(id, incident.OutcomeGivenBack)
	if on := happened(c, incident.EvHeldAgain); len(on) != 1 || !strings.Contains(on[0].Text, "round 2") {
		t.Errorf("it went on: %+v", on)
	}
	w.contained(incident.RateLimit, 1, 1)
	if end := c.ClosedAt.Sub(start); end < 3*time.Hour+20*time.Minute || end > 3*time.Hour+21*time.Minute {
		t.Errorf("the case was closed after %s", end)
	}
}

// A busy host is not a flood: what is below a quarter of it is given back, though a limiter
// drops much of it and it is more than the proof asks for.
func TestABusyHostIsNotHeldAgain(t *testing.T) {
	t.Parallel()
	for name, counted := range map[string]bool{"counted": true, "uncounted": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id := holding(t, "hold_at_most: 8h")
			if !counted {
				w.uncounted()
			}
			w.sends(6_000_000, 0, 24*time.Hour)
			w.stops(30 * time.Minute)
			rate := w.sending(70 * time.Minute)
			w.run(3 * time.Hour)
			c := w.ended(id, incident.OutcomeGivenBack)
			if *rate < 6_000_000 || len(happened(c, incident.EvHeldAgain)) > 0 {
				t.Errorf("it sends %s, held again: %+v", incident.FormatRate(*rate), happened(c, incident.EvHeldAgain))
			}
			w.contained(incident.RateLimit, 1, 1)
		})
	}
}

// sends has ws-042 send by another process, from one time until another.
func (w *world) sends(bits int64, from, to time.Duration) {
	w.t.Helper()
	err := w.estate.AddProcess("ws-042", memory.Process{
		Path: `C:\Program Files\Sync\sync.exe`, Name: "sync.exe", PID: 9000 + int64(from/time.Minute), User: `CORP\anna`, Signed: true,
		Streams: []memory.Stream{{Destinations: []string{"203.0.113.77"}, DstPort: 443, Transport: "tcp", BitsOut: bits, From: from, To: to}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// A host that sends now and then is held again, each time for twice as long, and no longer
// in all than hold_at_most.
func TestFlappingIsDamped(t *testing.T) {
	t.Parallel()
	w, id := holding(t, "hold_at_most: 10h, watch: 30m", "ttl: 1h, unsure: act", "ttl: 30m, unsure: act")
	w.stops(5 * time.Minute)
	// It is quiet at each end, and sends five minutes after.
	for _, from := range []time.Duration{35 * time.Minute, 101 * time.Minute, 227 * time.Minute, 473 * time.Minute} {
		w.sends(40_000_000, from, from+10*time.Minute)
	}
	w.run(14 * time.Hour)
	c := w.ended(id, incident.OutcomeGivenBack)
	got := rounds(c, "throttle")
	want := []time.Duration{30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour}
	if len(got) < 4 || !slices.Equal(got[:4], want) {
		t.Errorf("the rounds are %v, want %v", got, want)
	}
	var last time.Time
	for _, s := range c.Steps {
		if s.Name == "throttle" {
			last = s.EndedAt
		}
	}
	if all := last.Sub(c.Steps[0].AcceptedAt); all > 10*time.Hour+time.Minute {
		t.Errorf("all rounds took %s", all)
	}
	w.contained(incident.RateLimit, len(got), len(got))
}
