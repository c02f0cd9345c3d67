package playbooks

import (
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// mask replaces text that is not shown.
const mask = "…"

// Shown lists the words that messages about a file with secrets may show: keys
// and the words of closed sets. Of such a file (see [FileTwin]) nothing else of a
// line is quoted: a secret may be anywhere on it, also by mistake, and on a line
// that is not YAML its beginning is unknown.
func Shown(words []string) Option {
	return func(d *document) {
		d.shown = map[string]bool{}
		for _, w := range words {
			d.shown[w] = true
		}
	}
}

// WordsOf returns the keys of a type, those of secrets' files included, and the
// words that its fields are restricted to.
func WordsOf(t reflect.Type, secret reflect.Type) []string {
	words := map[string]bool{"true": true, "false": true}
	collectWords(t, secret, words, map[reflect.Type]bool{})
	out := make([]string, 0, len(words))
	for w := range words {
		out = append(out, w)
	}
	slices.Sort(out)
	return out
}

func collectWords(t, secret reflect.Type, into map[string]bool, seen map[reflect.Type]bool) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || seen[t] {
		return
	}
	seen[t] = true
	for _, f := range fields(t) {
		into[f.name] = true
		if f.typ == secret {
			into[f.name+"_file"] = true
		}
		for _, word := range f.enum {
			into[word] = true
		}
		collectWords(f.typ, secret, into, seen)
	}
}

// Inline calls found for every secret that is in the file itself.
func Inline(found func()) Option { return func(d *document) { d.inline = found } }

func (d *document) noteInline(n *yaml.Node, text string, v reflect.Value) {
	if d.inline != nil && v.Type() == d.twin && n.Value == text && text != "" {
		d.inline()
	}
}

// private reports whether the file may hold secrets.
func (d *document) private() bool { return d.twin != nil || d.misplaced }

// configuration matches lines of stanch.yaml that no playbook or test has.
var configuration = regexp.MustCompile(`(?m)^["']?(people|listen|public_url|standing|telemetry|log)["']?\s*:|(^|[{,\s"'])(sources|integrations|temporal|encryption_keys|token_sha256|auth|bearer|hmac|basic|bot_token)["']?\s*:`)

// secretKey matches a key that looks like one of a secret, in files without
// secrets.
var secretKey = regexp.MustCompile(`(?i)[\w.-]*(?:token|secret|passw|passphrase|bearer|api_?key|routing_?key|private_?key|encryption_?key|dsn|credential)[\w.-]*["']?\s*[:=]`)

// oneWord matches a value without any text of its neighbours.
var oneWord = regexp.MustCompile(`^[A-Za-z0-9._:/+@-]{1,64}$`)

// quote quotes a value in a complaint. In a file with secrets only a single word
// is quoted, of a key that is not for a secret, and only if it does not look like
// one: a value with blanks may include its neighbour, and a value from the
// environment is not in the file.
func (d *document) quote(n *yaml.Node, text string, f field) string {
	if d.private() && (n.Value != text || f.private || f.typ == d.twin || f.typ == nil || !oneWord.MatchString(text) || mayBeSecret(text)) {
		return "the value"
	}
	return strconv.Quote(text)
}

// withoutValue removes a value from the text of an error, which may quote it.
func (d *document) withoutValue(n *yaml.Node, text string, f field, err error) string {
	message := err.Error()
	if quoted := d.quote(n, text, f); !strings.HasPrefix(quoted, `"`) {
		message = strings.ReplaceAll(message, strconv.Quote(text), quoted)
		if text != "" && strings.Contains(message, text) {
			if f.typ == nil {
				return "the value cannot be read"
			}
			return "the value cannot be read as " + wants(f.typ, f)
		}
	}
	return message
}

// kindOf describes the kind of a node, for people. The text of a scalar is shown
// where the field is not a secret.
func (d *document) kindOf(n *yaml.Node, f field) string {
	if n.Kind != yaml.ScalarNode || !d.private() || n.Tag == "!!null" || !scalarField(f) {
		return kindOf(n, !d.private())
	}
	return kindOf(n, strings.HasPrefix(d.quote(n, n.Value, f), `"`))
}

func scalarField(f field) bool { return f.typ != nil && scalarType(f.typ) }

// keyText quotes a key that a mapping cannot have: in a file with secrets only
// one that is close to a known key, as a secret whose colon or comma is missing
// is read as a key.
func (d *document) keyText(key string, known []string) string {
	if d.private() && !d.shown[key] {
		// A key that is much longer than the known one includes other text.
		near := nearest(key, known)
		if near == "" || !oneWord.MatchString(key) || len(key) > len(near)+2 {
			return ""
		}
	}
	return " " + strconv.Quote(shorten(key, 80))
}

// syntaxText is a message of the YAML reader without its quotes of the file: the
// name of an alias is part of a value where no alias was meant.
func (d *document) syntaxText(message string) string {
	if d.private() && strings.HasPrefix(message, "unknown anchor ") {
		return "an asterisk begins an alias, and there is no such anchor; quote the value"
	}
	return message
}

// snippet returns the line with a caret under the column, without text that may
// be a secret.
func (d *document) snippet(line, column int) string {
	if line < 1 || line > len(d.lines) || column < 1 {
		return ""
	}
	text := []rune(d.lines[line-1])
	at := min(column-1, len(text))
	var before, after string
	if d.private() {
		before, after = d.masked(string(text[:at])), d.masked(string(text[at:]))
	} else {
		before, after = cutSecret(string(text[:at]), string(text[at:]))
	}
	if strings.HasSuffix(before, mask) && strings.HasPrefix(after, mask) {
		before = strings.TrimSuffix(before, mask)
	}
	return snippet([]string{before + after}, 1, len([]rune(before))+1)
}

// cutSecret cuts the text after a key that looks like one of a secret.
func cutSecret(before, after string) (string, string) {
	if found := secretKey.FindStringIndex(before); found != nil {
		return before[:found[1]] + " " + mask, ""
	}
	if found := secretKey.FindStringIndex(after); found != nil {
		return before, after[:found[1]] + " " + mask
	}
	return before, after
}

// masked keeps the layout of a part of a line and the words that may be shown.
func (d *document) masked(text string) string {
	var out strings.Builder
	hidden := false
	put := func(s string) {
		out.WriteString(s)
		hidden = false
	}
	runes := []rune(text)
	for i := 0; i < len(runes); {
		r := runes[i]
		if structural(runes, i) {
			// The blanks between two masked words are masked too.
			if !hidden || !blank(r) || !d.hides(runes, i) {
				put(string(r))
			}
			i++
			continue
		}
		end := i
		for end < len(runes) && !structural(runes, end) {
			end++
		}
		word := string(runes[i:end])
		switch bare := strings.Trim(word, `"'`); {
		case d.shown[bare]:
			put(word)
		case !hidden:
			out.WriteString(mask)
			hidden = true
		}
		i = end
	}
	return out.String()
}

// hides reports whether the next word is masked too.
func (d *document) hides(runes []rune, i int) bool {
	for i < len(runes) && blank(runes[i]) {
		i++
	}
	end := i
	for end < len(runes) && !structural(runes, end) {
		end++
	}
	return i < end && !d.shown[strings.Trim(string(runes[i:end]), `"'`)]
}

func blank(r rune) bool { return r == ' ' || r == '\t' }

// structural reports whether a character belongs to YAML's layout.
func structural(runes []rune, i int) bool {
	switch r := runes[i]; {
	case blank(r), strings.ContainsRune("{}[],", r):
		return true
	case r == ':' || r == '-':
		return i+1 == len(runes) || blank(runes[i+1])
	}
	return false
}
