// Package term shows cases on a terminal. Text of an attacker reaches it as
// printable characters only: no escape sequence, no bidi control, no newline.
//
// Colour and layout are for the eye; the words alone carry the meaning, so that
// the same output can be piped.
package term

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/fatih/color"
	"golang.org/x/term"

	"github.com/stanch-soar/stanch/playbooks/evidence/wording"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Options describe the output. The zero Options are those of a pipe to a
// program that reads UTF-8.
type Options struct {
	// Width is the number of columns; 0 is no limit: nothing is cut or wrapped.
	Width int
	// Color allows colours, TTY allows lines that are overwritten.
	Color, TTY bool
	// ASCII allows ASCII characters only.
	ASCII bool
	// Now is the clock of countdowns; nil is the real one.
	Now func() time.Time
}

// narrowest is the width below which nothing can be laid out any more.
const narrowest = 40

// Detect returns the options of w: whether it is a terminal, its width, and
// whether it may be coloured (NO_COLOR, TERM) and shows UTF-8 (LC_ALL, LC_CTYPE,
// LANG).
func Detect(w io.Writer, env func(string) string) Options {
	o := Options{ASCII: !utf8Locale(env)}
	f, ok := w.(interface{ Fd() uintptr })
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return o
	}
	dumb := env("TERM") == "dumb"
	o.TTY, o.Color, o.Width = !dumb, env("NO_COLOR") == "" && !dumb, 80
	if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
		o.Width = width
	}
	return o
}

// utf8Locale reads the first of the variables that is set, as setlocale does.
func utf8Locale(env func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale := strings.ToLower(env(name)); locale != "" {
			return strings.Contains(locale, "utf-8") || strings.Contains(locale, "utf8")
		}
	}
	return false
}

// Printer writes parts of cases to one output. It is not safe for concurrent use.
type Printer struct {
	w io.Writer
	o Options
	// out collects the output of one call, so that it is written at once.
	out bytes.Buffer
	// live reports whether the line at the cursor will be overwritten.
	live bool
}

// New returns a printer on w.
func New(w io.Writer, o Options) *Printer {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Width > 0 {
		o.Width = max(o.Width, narrowest)
	}
	return &Printer{w: w, o: o}
}

// clear erases the line at the cursor.
const clear = "\r\x1b[K"

// flush writes the collected output, in place of a live line.
func (p *Printer) flush() error {
	text := p.out.Bytes()
	if p.live {
		text = append([]byte(clear), text...)
	}
	p.live = false
	_, err := p.w.Write(text)
	p.out.Reset()
	if err != nil {
		return fmt.Errorf("show on the terminal: %w", err)
	}
	return nil
}

// Countdown returns the time until then, or since.
func (p *Printer) Countdown(until time.Time) string {
	left := until.Sub(p.o.Now())
	switch {
	case until.IsZero():
		return "no end known"
	case left < 0:
		return incident.FormatDuration((-left).Truncate(time.Second)) + " overdue"
	default:
		return incident.FormatDuration(left.Truncate(time.Second)) + " left"
	}
}

// style is how a span looks.
type style int

const (
	plain style = iota
	strong
	dim
	good
	warn
	bad
)

func toned(t wording.Tone) style {
	switch t {
	case wording.Good:
		return good
	case wording.Warn:
		return warn
	case wording.Bad:
		return bad
	case wording.Plain:
	}
	return plain
}

func (p *Printer) paint(s style, text string) string {
	if !p.o.Color || s == plain || text == "" {
		return text
	}
	c := color.New(attribute(s))
	// The library checks the process's standard output; these options are for the
	// actual output.
	c.EnableColor()
	return c.Sprint(text)
}

func attribute(s style) color.Attribute {
	switch s {
	case strong:
		return color.Bold
	case dim:
		return color.Faint
	case good:
		return color.FgGreen
	case warn:
		return color.FgYellow
	case bad:
		return color.FgRed
	case plain:
	}
	return color.Reset
}
