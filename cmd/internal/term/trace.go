package term

import (
	"strings"

	"github.com/stanch-soar/stanch/playbooks/evidence/wording"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Trace shows the reasons of a decision, and of the rules that were not chosen.
func (p *Printer) Trace(d incident.Decision) error {
	p.trace(wording.TraceOf(d))
	return p.flush()
}

func (p *Printer) trace(t wording.Trace) {
	if len(t.Let) > 0 {
		p.title("Let")
	}
	for _, l := range t.Let {
		p.field(2, labelWidth, span{l.Name, strong}, span{l.Value, plain}, l.Problem)
	}
	p.conditions("Guardrails", t.Guardrails)
	p.conditions("Rules", t.Rules)
}

func (p *Printer) conditions(title string, conditions []wording.Condition) {
	if len(conditions) == 0 {
		return
	}
	p.title(title)
	for _, c := range conditions {
		name := span{"  " + c.Name, plain}
		if c.Chosen {
			name = span{p.chosen() + c.Name, strong}
		}
		p.line(name)
		p.field(4, labelWidth, span{c.Mark.Word, toned(c.Mark.Tone)}, span{c.Why, plain}, "")
		for _, part := range c.Parts {
			note := strings.Join(part.Values, ", ")
			if part.Missing != "" {
				note = part.Missing
			}
			p.field(6, labelWidth-2, span{part.Mark.Word, toned(part.Mark.Tone)}, span{part.Expr, plain}, note)
		}
	}
}

func (p *Printer) chosen() string {
	if p.o.ASCII {
		return "> "
	}
	return "▸ "
}
