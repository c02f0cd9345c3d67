package report

import (
	"strconv"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// What is counted beside the ends of [incident.HoldEnd].
const (
	// heldOpen: it is in place, or its host is watched.
	heldOpen = "open"
	// heldOther: it ended in another way, such as that it was gone at its product.
	heldOther = "other"
)

// heldWords are the ways in which a containment that may be held again ends, in the order
// in which they are listed, and what people read.
func heldWords() [][2]string {
	return [][2]string{
		{string(incident.EndQuiet), "the host was quiet"},
		{string(incident.EndPeople), "by people"},
		{string(incident.EndUsedUp), "hold_at_most used up"},
		{string(incident.EndHeldBack), "held back"},
		{string(incident.EndCannotTell), "cannot tell"},
		{heldOther, "otherwise"},
		{heldOpen, "not yet"},
	}
}

// hold is a containment that may be held again or end early, with all its rounds.
type hold struct {
	last    incident.StepState
	inPlace time.Duration
	// heldBack reports whether a further round was held back, or could not be applied.
	heldBack bool
}

// holdCount adds up those that ended in one way.
type holdCount struct {
	count, again, rounds int
	inPlace              []time.Duration
}

// held adds the containments of a case that may be held again.
func (b *Builder) held(c *incident.Case) {
	for _, h := range holdsOf(c, b.out.Until) {
		end := h.end()
		if end != heldOpen && h.last.EndedAt.Before(b.out.Since) {
			continue
		}
		of := b.holds[end]
		if of == nil {
			of = &holdCount{}
			b.holds[end] = of
		}
		of.count++
		if further := h.last.Held.Round - 1; further > 0 {
			of.again++
			of.rounds += further
		}
		of.inPlace = append(of.inPlace, h.inPlace)
	}
}

// holdsOf puts the rounds of a case's containments together; those that are in place
// are so until now.
func holdsOf(c *incident.Case, now time.Time) []*hold {
	var all []*hold
	latest := map[string]*hold{}
	for _, s := range c.Steps {
		h := latest[s.Name]
		switch {
		case s.Held == nil:
			continue
		case s.AcceptedAt.IsZero():
			if h != nil && (s.Status == incident.StepFailed || s.Status == incident.StepSkipped) && h.goesOnAs(s) {
				h.heldBack = h.last.Held.End == ""
			}
			continue
		case h == nil || !h.goesOnAs(s):
			h = &hold{}
			all, latest[s.Name] = append(all, h), h
		}
		ended := s.EndedAt
		if ended.IsZero() {
			ended = now
		}
		h.last, h.inPlace = s, h.inPlace+max(0, ended.Sub(s.AcceptedAt))
	}
	return all
}

// goesOnAs reports whether a step is a further round: of the same hold, or one that
// people let be taken again.
func (h *hold) goesOnAs(s incident.StepState) bool {
	last := h.last.Held
	return s.Held.Round > last.Round && (s.Held.Since.Equal(last.Since) || last.End == incident.EndUsedUp)
}

// end is how it ended.
func (h *hold) end() string {
	switch {
	case h.last.EndedAt.IsZero(), h.last.Watched():
		return heldOpen
	case h.heldBack:
		return string(incident.EndHeldBack)
	case h.last.Held.End == "":
		return heldOther
	}
	return string(h.last.Held.End)
}

// holdRows are the counts in the order in which they are listed.
func (b *Builder) holdRows() []api.ReportHeld {
	rows := []api.ReportHeld{}
	for _, end := range heldWords() {
		if of := b.holds[end[0]]; of != nil {
			rows = append(rows, api.ReportHeld{End: end[0], Containments: of.count, HeldAgain: of.again, Rounds: of.rounds, InPlace: spread(of.inPlace)})
		}
	}
	return rows
}

// heldTable lists how containments ended that may be held again.
func heldTable(r api.Report) Table {
	t := Table{
		Title: "Held while the host still sent", None: "Nothing was contained that may be held again or end early.",
		Headers: []string{"ENDED", "CONTAINMENTS", "HELD AGAIN", "FURTHER ROUNDS", "IN PLACE P50", "P90", "LONGEST"},
		Note:    "All rounds of a containment are one, in place for the sum of them.",
	}
	for _, end := range heldWords() {
		for _, h := range r.Held {
			if h.End == end[0] {
				t.Rows = append(t.Rows, []string{
					end[1], strconv.Itoa(h.Containments), strconv.Itoa(h.HeldAgain), strconv.Itoa(h.Rounds), took(h.InPlace.P50), took(h.InPlace.P90), took(h.InPlace.Max),
				})
			}
		}
	}
	return t
}
