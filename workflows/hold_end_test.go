package workflows_test

import (
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// The case says why a containment is not held again: reports count it.
func TestItIsSaidWhyNothingIsHeldAgain(t *testing.T) {
	t.Parallel()
	release := func(w *world, _ string) {
		w.At(20*time.Minute, func() {
			err := w.Update(leaseOf(incident.RateLimit, "ws-042"), protocol.ReleaseUpdate, "release",
				protocol.ReleaseRequest{By: "bob", Reason: "the wrong host"}, func(any, error) {})
			if err != nil {
				w.t.Error(err)
			}
		})
	}
	for _, tt := range []struct {
		name, keys string
		happens    func(w *world, id string)
		want       incident.HoldEnd
	}{
		{"it stopped", "hold_at_most: 8h", func(w *world, _ string) { w.stops(30 * time.Minute) }, incident.EndQuiet},
		{"it went on and stopped", "hold_at_most: 8h", func(w *world, _ string) { w.stops(170 * time.Minute) }, incident.EndQuiet},
		{"nothing was dropped", "quiet_for: 20m", func(w *world, _ string) { w.stops(10 * time.Minute) }, incident.EndQuiet},
		{"released", "hold_at_most: 8h", release, incident.EndPeople},
		{"closed", "hold_at_most: 8h", func(w *world, id string) { closeAt(w, 20*time.Minute, id) }, incident.EndPeople},
		{"closed while it is watched", "hold_at_most: 8h", func(w *world, id string) { w.stops(30 * time.Minute); closeAt(w, 65*time.Minute, id) }, incident.EndPeople},
		{"denied", "hold_at_most: 1h", func(w *world, id string) { w.vote(62*time.Minute, id, &ballot{who: alice(), deny: true}) }, incident.EndPeople},
		{"nobody lets it go on", "hold_at_most: 1h", func(*world, string) {}, incident.EndUsedUp},
		{"nobody lets it be taken again", "hold_at_most: 1h", func(w *world, _ string) { w.uncounted() }, incident.EndUsedUp},
		{"paused", "hold_at_most: 8h", func(w *world, _ string) { w.pause(30 * time.Minute) }, incident.EndHeldBack},
		{"nothing measures", "hold_at_most: 8h", func(w *world, _ string) {
			w.uncounted()
			w.do(30*time.Minute, func(e *memory.Estate) { e.Fail("traffic", down(), -1) })
		}, incident.EndCannotTell},
		{"it is not known what sending is", "hold_at_most: 8h", func(w *world, _ string) {
			facts := incident.Facts{Traffic: incident.Traffic{BytesOut: incident.NotKnown[int64]("the exporter keeps no counters")}}
			if err := w.estate.SetFacts("ws-042", facts); err != nil {
				w.t.Fatal(err)
			}
		}, incident.EndCannotTell},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, id := holding(t, tt.keys)
			tt.happens(w, id)
			w.run(12 * time.Hour)
			var last incident.StepState
			for _, s := range w.see(id).Steps {
				if s.Name == "throttle" && !s.AcceptedAt.IsZero() {
					last = s
				}
			}
			if last.Held == nil || last.Held.End != tt.want || last.Status != incident.StepEnded {
				t.Errorf("the last round is %s, %+v, want that it ended as %q", last.Status, last.Held, tt.want)
			}
		})
	}
}

// While people let it go on, or it was not decided yet, it has no end.
func TestWhatGoesOnHasNotEnded(t *testing.T) {
	t.Parallel()
	w, id := holding(t, "hold_at_most: 1h")
	w.vote(62*time.Minute, id, &ballot{who: alice()})
	before, asked, after := w.snap(58*time.Minute, id), w.snap(61*time.Minute, id), w.snap(63*time.Minute, id)
	w.run(90 * time.Minute)
	if s := step(t, *before, "throttle"); s.Held.End != "" {
		t.Errorf("before its end it is %q", s.Held.End)
	}
	if s := step(t, *asked, "throttle"); s.Held.End != incident.EndUsedUp {
		t.Errorf("while people are asked it is %q", s.Held.End)
	}
	if s := step(t, *after, "throttle"); s.Held.End != "" || s.Status != incident.StepStanding {
		t.Errorf("once people let it go on it is %q, %s", s.Held.End, s.Status)
	}
}
