package sentinelfake

import (
	"html"
	"regexp"
	"strings"
)

// Reading is how people see a comment. The product's pages say that comments may be plain
// text, basic HTML and Markdown, and not how the two are told apart: a client must be right
// in both.
type Reading int

// The readings: as HTML alone, and as Markdown in which HTML may stand.
const (
	AsHTML Reading = iota
	AsMarkdown
)

var (
	breaks = regexp.MustCompile(`(?i)<br */?>|</?(p|div|li|ul|ol|h[1-6])>`)
	tags   = regexp.MustCompile(`</?[A-Za-z!][^<>]*>`)
	// blocks are what makes a line of Markdown something else than a line of text.
	blocks = regexp.MustCompile(`^ {0,3}(#{1,6} +|[-+*] +|\d{1,9}[.)] +|> ?|(-{3,}|\*{3,}|_{3,}|={3,}) *$)`)
)

// Read returns the text that people see of a message. Markup does what it does, and is not
// seen: a link's address, a tag, an asterisk. What is escaped is seen as it is.
func Read(message string, as Reading) string {
	var seen []string
	for line := range strings.Lines(breaks.ReplaceAllString(message, "\n")) {
		line = strings.TrimRight(line, "\n")
		if as == AsMarkdown {
			line = markdown(line)
		}
		line = tags.ReplaceAllString(line, "")
		// A backslash before a character was carried out by now.
		seen = append(seen, strings.Map(restore, html.UnescapeString(line)))
	}
	return strings.Join(seen, "\n")
}

// private is where characters stand that a backslash made plain, until entities and tags
// were dealt with.
const private = 0xE000

func restore(r rune) rune {
	if r >= private && r < private+0x80 {
		return r - private
	}
	return r
}

var (
	links  = regexp.MustCompile(`!?\[([^\[\]]*)\]\([^()]*\)`)
	active = regexp.MustCompile("[*_`~|]")
)

// markdown carries the markup of a line out.
func markdown(line string) string {
	var plain strings.Builder
	runes := []rune(line)
	for i := 0; i < len(runes); i++ {
		if runes[i] == '\\' && i+1 < len(runes) && strings.ContainsRune("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", runes[i+1]) {
			i++
			plain.WriteRune(private + runes[i])
			continue
		}
		plain.WriteRune(runes[i])
	}
	line = blocks.ReplaceAllString(plain.String(), "")
	line = links.ReplaceAllString(line, "$1")
	return active.ReplaceAllString(line, "")
}
