package picture

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	textColor  = "#1d1c1d"
	quietColor = "#616061"
	linkColor  = "#1264a3"
)

// letters are how text looks.
type letters struct {
	size               float64
	bold, italic, mono bool
	color, back        string
}

func body() letters { return letters{size: 15, color: textColor} }

func (l letters) heading() letters { l.size, l.bold = 18, true; return l }

func (l letters) small() letters { l.size, l.color = 12.5, quietColor; return l }

func (l letters) typewriter() letters { l.size, l.mono = 12, true; return l }

// run is text that looks alike.
type run struct {
	text    string
	letters letters
}

// runs reads a text object. Only mrkdwn has markup, of which cards use bold,
// moments and mentions.
func (p *page) runs(t textObject, l letters) []run {
	if t.Type != "mrkdwn" {
		return []run{{t.Text, l}}
	}
	var out []run
	for rest := t.Text; rest != ""; {
		i := strings.IndexAny(rest, "*<")
		if i < 0 {
			return append(out, run{unescape(rest), l})
		}
		out = append(out, run{unescape(rest[:i]), l})
		if rest[i] == '*' {
			l.bold, rest = !l.bold, rest[i+1:]
			continue
		}
		token, after, _ := strings.Cut(rest[i+1:], ">")
		out, rest = append(out, p.token(token, l)), after
	}
	return out
}

func boldOf(l letters) letters { l.bold = true; return l }

// token is a moment or a mention, as its reader sees it.
func (p *page) token(token string, l letters) run {
	if rest, ok := strings.CutPrefix(token, "!date^"); ok {
		seconds, rest, _ := strings.Cut(rest, "^")
		format, fallback, _ := strings.Cut(rest, "|")
		if at, err := strconv.ParseInt(seconds, 10, 64); err == nil {
			return run{dated(at, format), l}
		}
		return run{fallback, l}
	}
	id := strings.TrimPrefix(strings.TrimPrefix(token, "@"), "!subteam^")
	name := p.reader.Names[id]
	if name == "" {
		name = id
	}
	l.color, l.back = linkColor, "#e8f5fa"
	return run{"@" + name, l}
}

// dated is a moment for a reader in UTC, on the same day.
func dated(at int64, format string) string {
	clock := time.Unix(at, 0).UTC().Format("15:04")
	return strings.NewReplacer("{date_short_pretty}", "today", "{time}", clock).Replace(format)
}

func unescape(s string) string {
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(s)
}

// The widths of the letters from space to tilde in Helvetica, in thousandths of
// their size. The fonts that readers have instead are made to the same widths.
const (
	regularWidths = "278 278 355 556 556 889 667 191 333 333 389 584 278 333 278 278 " +
		"556 556 556 556 556 556 556 556 556 556 278 278 584 584 584 556 1015 " +
		"667 667 722 722 667 611 778 722 278 500 667 556 833 722 778 667 778 722 667 611 722 667 944 667 667 611 " +
		"278 278 278 469 556 333 " +
		"556 556 500 556 556 278 556 556 222 222 500 222 833 556 556 556 556 333 500 278 556 500 722 500 500 500 334 260 334 584"
	boldWidths = "278 333 474 556 556 889 722 238 333 333 389 584 278 333 278 278 " +
		"556 556 556 556 556 556 556 556 556 556 333 333 584 584 584 611 975 " +
		"722 722 722 722 667 611 778 722 278 556 722 611 833 722 778 667 778 722 667 611 722 667 944 667 667 611 " +
		"333 278 333 584 556 333 " +
		"556 611 556 611 556 333 611 611 278 278 556 278 889 611 611 611 611 389 556 333 611 556 778 556 556 500 389 280 389 584"
)

// parseWidths reads a list of widths.
func parseWidths(list string) []float64 {
	var out []float64
	for _, w := range strings.Fields(list) {
		n, err := strconv.ParseFloat(w, 64)
		if err != nil {
			return nil
		}
		out = append(out, n/1000)
	}
	return out
}

// ruler measures text.
type ruler struct{ regular, bold []float64 }

func newRuler() ruler { return ruler{parseWidths(regularWidths), parseWidths(boldWidths)} }

func (r ruler) measure(s string, l letters) float64 {
	sum := 0.0
	for _, c := range s {
		sum += r.letter(c, l)
	}
	return sum * l.size
}

func (r ruler) letter(c rune, l letters) float64 {
	switch {
	case c >= 0x1f000 || unicode.In(c, unicode.So) && c > 0x2000:
		return 1.3
	case l.mono:
		return 0.602
	case c == '·':
		return 0.3
	case c == '…' || c == '—' || unicode.In(c, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul):
		return 1
	case c >= ' ' && int(c-' ') < len(r.bold) && l.bold:
		return r.bold[c-' ']
	case c >= ' ' && int(c-' ') < len(r.regular):
		return r.regular[c-' ']
	case unicode.Is(unicode.M, c):
		return 0
	default:
		return 0.56
	}
}

// word is what a line is not broken in.
type word struct {
	run
	width float64
	space bool // a space stood before it
	end   bool // a line ends behind it
}

// wordsOf splits runs where a line may be broken. A word of more than a line is
// broken anywhere.
func (r ruler) wordsOf(runs []run, room float64) []word {
	var out []word
	for _, one := range runs {
		for i, text := range strings.Split(one.text, "\n") {
			if i > 0 && len(out) > 0 {
				out[len(out)-1].end = true
			}
			space := false
			for j, part := range strings.Split(text, " ") {
				space = space || j > 0
				if part == "" {
					continue
				}
				for _, piece := range r.pieces(part, one.letters, room) {
					out = append(out, word{run: run{piece, one.letters}, width: r.measure(piece, one.letters), space: space})
					space = false
				}
			}
			if space {
				out = append(out, word{run: run{"", one.letters}, space: true})
			}
		}
	}
	return out
}

func (r ruler) pieces(s string, l letters, room float64) []string {
	var out []string
	for r.measure(s, l) > room {
		n := len(s)
		for n > 0 && r.measure(s[:n], l) > room {
			_, size := utf8.DecodeLastRuneInString(s[:n])
			n -= size
		}
		n = max(n, 1)
		out, s = append(out, s[:n]), s[n:]
	}
	return append(out, s)
}

// attributes are how letters look, in SVG.
func (l letters) attributes() string {
	family := "Helvetica, Arial, 'Liberation Sans', sans-serif"
	if l.mono {
		family = "Menlo, Consolas, 'Liberation Mono', monospace"
	}
	out := fmt.Sprintf(`font-family="%s" font-size="%g" fill="%s"`, family, l.size, l.color)
	if l.bold {
		out += ` font-weight="bold"`
	}
	if l.italic {
		out += ` font-style="italic"`
	}
	return out
}
