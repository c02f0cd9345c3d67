package term

import (
	"fmt"
	"time"
)

// repaint is the shortest time between two updates of a progress line.
const repaint = 100 * time.Millisecond

// Progress is a progress line. On a terminal it is overwritten; elsewhere one
// line is written for every tenth.
type Progress struct {
	p     *Printer
	label string
	total int
	// tenth is the last tenth that was shown, at when the line was painted.
	tenth int
	at    time.Time
	open  bool
}

// Progress starts a line; total is how many there are to do, 0 if unknown.
func (p *Printer) Progress(label string, total int) *Progress {
	return &Progress{p: p, label: label, total: total}
}

// Set updates the number of finished ones. The text describes the current one.
func (r *Progress) Set(done int, text string) error {
	if r.p.o.TTY {
		return r.over(done, text)
	}
	if r.total <= 0 {
		return nil
	}
	tenth := min(10, done*10/r.total)
	if tenth <= r.tenth {
		return nil
	}
	r.tenth = tenth
	r.p.line(span{r.say(done, text), plain})
	return r.p.flush()
}

func (r *Progress) say(done int, text string) string {
	s := fmt.Sprintf("%s %d", r.label, done)
	if r.total > 0 {
		s = fmt.Sprintf("%s %d of %d", r.label, done, r.total)
	}
	if text != "" {
		s += ": " + text
	}
	return s
}

func (r *Progress) over(done int, text string) error {
	now := r.p.o.Now()
	if r.open && done != r.total && now.Sub(r.at) < repaint {
		return nil
	}
	r.at, r.open = now, true
	line := r.p.text(r.say(done, text))
	if r.p.o.Width > 0 {
		// A full last column would make some terminals start a new line.
		line = r.p.cut(line, r.p.o.Width-1)
	}
	fmt.Fprintf(&r.p.out, "\r\x1b[K%s", line)
	return r.p.flush()
}

// End closes the line: the text replaces the progress.
func (r *Progress) End(text string) error {
	r.wipe()
	r.p.line(span{text, plain})
	return r.p.flush()
}

// Clear removes the progress from a terminal, before other output.
func (r *Progress) Clear() error {
	r.wipe()
	return r.p.flush()
}

func (r *Progress) wipe() {
	if r.open {
		r.p.out.WriteString("\r\x1b[K")
		r.open = false
	}
}
