package incident

import (
	"fmt"
	"time"
)

// ByStanch is who holds a containment again that nobody asked to be held.
const ByStanch = "Stanch"

// Hold bounds for how long a containment goes on, or is taken again, while the host still
// sends.
type Hold struct {
	// AtMost bounds all its rounds together, from when the first was accepted.
	AtMost time.Duration `json:"at_most"`
	// Watch is how long the host is watched after a round was given back by the clock.
	Watch time.Duration `json:"watch"`
	// AgainAbove is from what rate on the host counts as still sending, in bits per
	// second; zero: that is found when the first round is accepted.
	AgainAbove int64 `json:"again_above,omitempty"`
}

// HoldEnd is why a containment that may be held again is not.
type HoldEnd string

// The closed set of why a containment is not held again.
const (
	// EndQuiet: the evidence says that the host does not send any more.
	EndQuiet HoldEnd = "quiet"
	// EndPeople: people released it, closed the case or said no.
	EndPeople HoldEnd = "people"
	// EndUsedUp: it was in place for as long as the plan lets it, and nobody let it go on.
	EndUsedUp HoldEnd = "used_up"
	// EndHeldBack: the host still sent, and a check held it back, or nobody answered what
	// a check asked.
	EndHeldBack HoldEnd = "held_back"
	// EndCannotTell: nothing could tell whether the host still sends.
	EndCannotTell HoldEnd = "cannot_tell"
)

// Held is how far a containment is that may go on, be taken again or end early.
type Held struct {
	// Round counts the rounds from 1, Length is how long this one is, and Since when the
	// first of them was accepted.
	Round  int           `json:"round"`
	Length time.Duration `json:"length"`
	Since  time.Time     `json:"since"`
	// Above is from what rate on the host counts as still sending, in bits per second, and
	// Of what that is. Zero: it cannot be told, and Of says why.
	Above int64  `json:"above,omitempty"`
	Of    string `json:"of,omitempty"`
	// Request is the id by which the budget cleared it.
	Request string `json:"request,omitempty"`
	// Judged is the end before which it was looked at already. Over reports whether it is
	// not held again, whatever the host sends.
	Judged time.Time `json:"judged,omitzero"`
	Over   bool      `json:"over,omitempty"`
	// End is why no further round follows; empty: one may, or it is not known.
	End HoldEnd `json:"end,omitempty"`
	// WatchUntil is until when the host is watched, since the round was given back; zero:
	// it is not. Suspect is when something first spoke for it to be held again, and Told
	// reports whether anything could tell what it sends.
	WatchUntil time.Time `json:"watch_until,omitzero"`
	Suspect    time.Time `json:"suspect,omitzero"`
	Told       bool      `json:"told,omitempty"`
	// Last is what was counted last.
	Last *Count `json:"last,omitempty"`
	// Quiet is since when the limiter has dropped nothing, by its counters as they were
	// read at QuietRead. Early reports whether it was given back for that, Uncounted
	// whether it does not count.
	Quiet      time.Time `json:"quiet,omitzero"`
	QuietRead  time.Time `json:"quiet_read,omitzero"`
	QuietCount *Counters `json:"quiet_count,omitempty"`
	Early      bool      `json:"early,omitempty"`
	Uncounted  bool      `json:"uncounted,omitempty"`
}

// Count is what was counted of the traffic that a containment is for, since something that
// counts is in place: the containment itself, or, after it, a rule that only counts.
type Count struct {
	At       time.Time `json:"at"`
	Counters Counters  `json:"counters"`
	// Limiter reports whether the containment counted it.
	Limiter bool `json:"limiter,omitempty"`
}

// RateSince is what the host offered to send between two counts, passed and dropped, in
// bits per second. It is not known where they do not follow one another.
func (c Count) RateSince(before *Count) (rate int64, known bool) {
	if before == nil || before.Limiter != c.Limiter {
		return 0, false
	}
	took := c.At.Sub(before.At)
	passed, dropped := c.Counters.PassedBytes-before.Counters.PassedBytes, c.Counters.DroppedBytes-before.Counters.DroppedBytes
	if took <= 0 || passed < 0 || dropped < 0 {
		return 0, false
	}
	return int64(float64(passed+dropped) * 8 / took.Seconds()), true
}

// Watched reports whether the host is watched because a round of the step was given back.
func (s StepState) Watched() bool { return s.Held != nil && !s.Held.WatchUntil.IsZero() }

// Lasts says for how long a containment is in place, with durations as say writes them;
// it is empty for what does not last.
func (s PlannedStep) Lasts(say func(time.Duration) string) string {
	if !s.Action.Leased() || s.TTL <= 0 {
		return ""
	}
	text := "for " + say(s.TTL)
	if s.Hold != nil {
		text += ", at most " + say(s.Hold.AtMost) + " while it still sends"
	}
	if s.QuietFor > 0 {
		text += ", until nothing was dropped for " + say(s.QuietFor)
	}
	return text
}

// SendingAbove returns from what rate on a host counts as still sending, in bits per
// second, and what that is: as the playbook says, else the largest of what the proof
// asks for, what is usual, and a quarter of what the decision was about. It is zero
// where the last is unknown, and of says why. Window is the one that the facts about traffic
// were asked for.
func SendingAbove(s PlannedStep, f Facts, window time.Duration) (above int64, of string) {
	if s.Hold != nil && s.Hold.AgainAbove > 0 {
		return s.Hold.AgainAbove, "again_above"
	}
	sent, known := f.Traffic.BytesOut.Get()
	over, timed := f.Traffic.Window.Get()
	if !timed {
		over = window
	}
	if !known || over <= 0 {
		return 0, Missing{"traffic.bytes_out", f.Traffic.BytesOut.Why()}.String()
	}
	above, of = rateOf(sent, over)/4, "a quarter of what it sent"
	if p99, usual := f.Baseline.P99.Get(); usual && window > 0 && rateOf(p99, window) > above {
		above, of = rateOf(p99, window), "its usual p99"
	}
	if s.Verify != nil && s.Verify.EgressBelow > above {
		above, of = s.Verify.EgressBelow, "egress_below"
	}
	return max(above, 1), of
}

func rateOf(bytes int64, over time.Duration) int64 {
	return int64(float64(bytes) * 8 / over.Seconds())
}

// String says which round it is, and from what rate on the host counts as still sending.
func (h Held) String() string {
	if h.Above == 0 {
		return fmt.Sprintf("round %d; whether it still sends cannot be told: %s", h.Round, h.Of)
	}
	return fmt.Sprintf("round %d; it counts as still sending from %s on (%s)", h.Round, FormatRate(h.Above), h.Of)
}
