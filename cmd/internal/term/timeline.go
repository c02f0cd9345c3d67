package term

import (
	"strings"
	"time"

	"github.com/stanch-soar/stanch/playbooks/evidence/wording"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Timeline shows events, one line each, with the time since the case was
// opened. It may be called for each event when it happens.
func (p *Printer) Timeline(opened time.Time, events ...incident.Event) error {
	for _, e := range events {
		p.event(opened, wording.EventOf(e))
	}
	return p.flush()
}

// The widths of a timeline's columns.
const (
	offsetWidth = 8
	wordWidth   = 13
)

func (p *Printer) event(opened time.Time, e wording.Event) {
	spans := p.when(opened, e)
	if step := stepOf(e); step != "" {
		spans = append(spans, span{step + ": ", strong})
	}
	spans = append(spans, span{e.Text, plain})
	if by := byOf(e); by != "" {
		spans = append(spans, span{" " + by, dim})
	}
	p.line(spans...)
}

// Event shows one event whole: where [Printer.Timeline] cuts its text, it is
// wrapped.
func (p *Printer) Event(opened time.Time, event incident.Event) error {
	e := wording.EventOf(event)
	const margin = 2 + offsetWidth + 1 + wordWidth + 1
	for _, s := range p.when(opened, e) {
		p.out.WriteString(p.paint(s.style, p.text(s.text)))
	}
	var spans []span
	if step := stepOf(e); step != "" {
		spans = append(spans, span{step + ":", strong})
	}
	spans = append(spans, span{e.Text, plain})
	if by := byOf(e); by != "" {
		spans = append(spans, span{by, dim})
	}
	for i, line := range p.wrap(spans, p.o.Width-margin) {
		if i > 0 {
			p.out.WriteString(strings.Repeat(" ", margin))
		}
		for _, s := range line {
			p.out.WriteString(p.paint(s.style, s.text))
		}
		p.out.WriteByte('\n')
	}
	return p.flush()
}

// when is the sign, the time and the word of an event, in columns.
func (p *Printer) when(opened time.Time, e wording.Event) []span {
	return []span{
		{p.glyph(e.Kind) + " ", toned(e.Tone)},
		{pad(wording.Since(opened, e.At), offsetWidth) + " ", dim},
		{pad(e.Word, wordWidth) + " ", toned(e.Tone)},
	}
}

// stepOf is the step of an event whose text does not name it.
func stepOf(e wording.Event) string {
	if strings.Contains(e.Text, e.Step) {
		return ""
	}
	return e.Step
}

// byOf is the person or product of an event, where the text does not begin with
// it.
func byOf(e wording.Event) string {
	if strings.HasPrefix(e.Text, e.By) {
		return ""
	}
	return "(" + e.By + ")"
}

// glyph is the sign of an event, one column wide.
func (p *Printer) glyph(k incident.EventKind) string {
	ascii, sign := "-", "·"
	switch k {
	case incident.EvOpened, incident.EvJoined:
		ascii, sign = ">", "▸"
	case incident.EvDecided:
		ascii, sign = "=", "◆"
	case incident.EvAsked, incident.EvReminded, incident.EvEscalated, incident.EvCannotTell, incident.EvNotConfirmed, incident.EvUntold:
		ascii, sign = "?", "?"
	case incident.EvStarted, incident.EvAccepted, incident.EvExtended, incident.EvHeldAgain:
		ascii, sign = "o", "○"
	case incident.EvConfirmed:
		ascii, sign = "*", "●"
	case incident.EvApproved, incident.EvVerified, incident.EvDone, incident.EvHeard, incident.EvAsHeld:
		ascii, sign = "+", "✓"
	case incident.EvGivenBack:
		ascii, sign = "<", "↩"
	case incident.EvFailed, incident.EvNotEffective, incident.EvUndoFailing, incident.EvDenied, incident.EvUnheard, incident.EvDrifted:
		ascii, sign = "x", "✗"
	case incident.EvHeldBack, incident.EvPaused, incident.EvExpired, incident.EvPaged:
		ascii, sign = "!", "!"
	case incident.EvClosed:
		ascii, sign = "#", "■"
	case incident.EvEnriched, incident.EvTarget, incident.EvCleared, incident.EvResumed, incident.EvShown, incident.EvNotShown,
		incident.EvVoted, incident.EvSuperseded, incident.EvReleased, incident.EvSkipped, incident.EvShadowed, incident.EvMerged,
		incident.EvWatched, incident.EvReplied, incident.EvNotReplied:
	}
	if p.o.ASCII {
		return ascii
	}
	return sign
}
