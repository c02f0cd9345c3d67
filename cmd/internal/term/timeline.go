package term

import (
	"time"

	"github.com/stanch-soar/stanch/playbooks/evidence/account"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Timeline shows events, one line each, with the time since the case was
// opened. It may be called for each event as it comes.
func (p *Printer) Timeline(opened time.Time, events ...incident.Event) error {
	for _, e := range events {
		p.event(opened, account.EventOf(e))
	}
	return p.flush()
}

// The widths of a timeline's columns.
const (
	offsetWidth = 8
	wordWidth   = 13
)

func (p *Printer) event(opened time.Time, e account.Event) {
	spans := []span{
		{p.glyph(e.Kind) + " ", toned(e.Tone)},
		{pad(since(opened, e.At), offsetWidth) + " ", dim},
		{pad(e.Word, wordWidth) + " ", toned(e.Tone)},
	}
	if e.Step != "" {
		spans = append(spans, span{e.Step + ": ", strong})
	}
	spans = append(spans, span{e.Text, plain})
	if e.By != "" {
		spans = append(spans, span{" (" + e.By + ")", dim})
	}
	p.line(spans...)
}

// since is the time between two moments, signed: +1m47s.
func since(from, to time.Time) string {
	if d := to.Sub(from); d >= 0 {
		return "+" + incident.FormatDuration(d.Truncate(time.Second))
	} else {
		return "-" + incident.FormatDuration((-d).Truncate(time.Second))
	}
}

// glyph is the sign of an event, one column wide.
func (p *Printer) glyph(k incident.EventKind) string {
	ascii, sign := "-", "·"
	switch k {
	case incident.EvOpened, incident.EvJoined:
		ascii, sign = ">", "▸"
	case incident.EvDecided:
		ascii, sign = "=", "◆"
	case incident.EvAsked, incident.EvReminded, incident.EvEscalated, incident.EvCannotTell, incident.EvNotConfirmed:
		ascii, sign = "?", "?"
	case incident.EvStarted, incident.EvAccepted, incident.EvExtended:
		ascii, sign = "o", "○"
	case incident.EvConfirmed:
		ascii, sign = "*", "●"
	case incident.EvApproved, incident.EvVerified, incident.EvDone:
		ascii, sign = "+", "✓"
	case incident.EvGivenBack:
		ascii, sign = "<", "↩"
	case incident.EvFailed, incident.EvNotEffective, incident.EvUndoFailing, incident.EvDenied:
		ascii, sign = "x", "✗"
	case incident.EvHeldBack, incident.EvExpired, incident.EvPaged:
		ascii, sign = "!", "!"
	case incident.EvClosed:
		ascii, sign = "#", "■"
	default:
	}
	if p.o.ASCII {
		return ascii
	}
	return sign
}
