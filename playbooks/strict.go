package playbooks

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"
)

const (
	// MaxFile bounds every YAML file that Stanch reads.
	MaxFile = 1 << 20
	// maxDepth bounds nesting; no file of Stanch needs ten levels.
	maxDepth = 64
	// maxRepairs bounds how many lines that do not scan are reported at once.
	maxRepairs = 20
)

// Option changes how a file is decoded.
type Option func(*document)

// Expand replaces every plain text of the file by the result of expand, before it
// is read as a number, a duration or text. An error is an issue at the text.
func Expand(expand func(text string) (string, error)) Option {
	return func(d *document) { d.expand = expand }
}

// FileTwin lets every key whose field is of the given type (a kind of string)
// be written as key_file instead: read is called with the path. Its errors are
// shown, and must contain neither the secret nor the path: a user who wrote the
// secret itself there would find it in a log.
//
// Messages about a file with such keys do not show its values; see [Shown].
func FileTwin(secret reflect.Type, read func(path string) (string, error)) Option {
	return func(d *document) { d.twin, d.readTwin = secret, read }
}

// DecodeStrict decodes one YAML document into the struct that into points to.
// Keys are the fields' yaml (else json) tags; fields that are not in the file
// keep their value, so defaults must be set before. All faults are reported at
// once, with their positions: unknown and repeated keys, wrong types, anchors,
// aliases, tags, a second document. Into is only partly filled when there are
// faults.
//
// In addition to the plain kinds it reads time.Duration (also days), sizes and
// rates (tag unit:"size", unit:"rate"), [encoding.TextUnmarshaler] and [Node].
// The tags `yaml:"x,required"` and `enum:"a,b"` are checked.
func DecodeStrict(file string, data []byte, into any, opts ...Option) Issues {
	d := parse(file, data, opts...)
	if d.root != nil {
		d.value(d.root, reflect.ValueOf(into).Elem(), field{name: "the file"})
	}
	return d.sorted()
}

// document is one parsed file and its issues so far.
type document struct {
	file   string
	lines  []string
	root   *yaml.Node // nil when the file does not parse
	issues Issues
	// complaints fail lint and a changed file; a deployed file loads with them.
	complaints Issues
	// bad are nodes with a reported fault: no more are reported for them.
	bad map[*yaml.Node]bool
	// misspelt are missing keys of a mapping for which there is a misspelt one:
	// they are not also reported as missing.
	misspelt map[*yaml.Node][]string
	// repaired are lines that were quoted to be able to continue.
	repaired map[int]bool

	expand   func(string) (string, error)
	twin     reflect.Type
	readTwin func(string) (string, error)
	inline   func()
	// shown are the words of a file with secrets that messages may show.
	shown map[string]bool
	// misplaced reports whether the file looks like stanch.yaml, but is read as
	// another kind of file.
	misplaced bool
	// bareUnits lets sizes and rates be plain numbers: bytes, bits per second.
	bareUnits bool
}

func parse(file string, data []byte, opts ...Option) *document {
	d := &document{file: file, bad: map[*yaml.Node]bool{}, misspelt: map[*yaml.Node][]string{}, repaired: map[int]bool{}}
	for _, o := range opts {
		o(d)
	}
	switch {
	case len(data) > MaxFile:
		d.issue(0, 0, "the file has %d bytes; at most %d are read", len(data), MaxFile)
		return d
	case !utf8.Valid(data):
		d.issue(0, 0, "the file is not UTF-8")
		return d
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	d.misplaced = d.twin == nil && configuration.Match(data)
	d.lines = strings.Split(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n")
	if d.root = d.document(data); d.root != nil {
		d.walk(d.root)
	}
	return d
}

// document returns the root node. A line that does not scan as YAML, mostly an
// expression that needs quotes, is reported and read as if it had them, so that
// the rest of the file is checked too.
func (d *document) document(data []byte) *yaml.Node {
	lines := strings.Split(string(data), "\n")
	for range maxRepairs {
		root, err := d.load([]byte(strings.Join(lines, "\n")))
		if err == nil {
			return root
		}
		line := d.syntax(err)
		if line < 1 || line > len(lines) || d.repaired[line] {
			return nil
		}
		quoted, ok := quoteValue(lines[line-1])
		if !ok {
			return nil
		}
		d.repaired[line] = true
		lines[line-1] = quoted
	}
	return nil
}

func (d *document) load(data []byte) (*yaml.Node, error) {
	loader, err := yaml.NewLoader(bytes.NewReader(data), yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(maxDepth))))
	if err != nil {
		return nil, fmt.Errorf("open YAML: %w", err)
	}
	var first, second yaml.Node
	if err := loader.Load(&first); errors.Is(err, io.EOF) {
		d.issue(1, 1, "the file is empty")
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	switch err := loader.Load(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		return nil, err
	default:
		d.issue(second.Line, second.Column, "a second document starts here and is never read; a file holds one: remove the line --- or move what follows it to a file of its own")
	}
	if len(first.Content) != 1 {
		d.issue(1, 1, "the file is empty")
		return nil, nil
	}
	return first.Content[0], nil
}

// syntax reports an error of the YAML reader and returns its line.
func (d *document) syntax(err error) int {
	var one *yaml.LoadError
	if !errors.As(err, &one) {
		if d.private() {
			err = errors.New("the file is not YAML")
		}
		d.issue(0, 0, "%v", err)
		return 0
	}
	hint := ""
	switch one.Message {
	case "did not find expected key", "mapping values are not allowed in this context",
		"mapping keys are not allowed in this context", "did not find expected ',' or '}'",
		"did not find expected ',' or ']'", "found character that cannot start any token":
		hint = "; an expression with quotes, brackets or a colon in it must be quoted as a whole or written in a | block"
	}
	if words, line, column, ok := d.slip(one); ok {
		d.issue(line, column, "not YAML: %s", words)
		return 0
	}
	if !d.repaired[one.Mark.Line] {
		d.issue(one.Mark.Line, one.Mark.Column, "not YAML: %s%s", d.syntaxText(one.Message), hint)
	}
	return one.Mark.Line
}

// quoteValue puts the value of a "key: value" line into quotes.
func quoteValue(line string) (string, bool) {
	key, value, ok := strings.Cut(strings.TrimSuffix(line, "\r"), ": ")
	value = strings.TrimSpace(value)
	if !ok || value == "" || strings.ContainsAny(key, `'"{[#`) || strings.HasPrefix(value, "{") {
		return "", false
	}
	return key + ": '" + strings.ReplaceAll(value, "'", "''") + "'", true
}

// walk reports everything that YAML allows and a reviewed file must not have:
// anchors, aliases, merges, tags, repeated and odd keys.
func (d *document) walk(n *yaml.Node) {
	switch {
	case n.Anchor != "":
		d.blame(n, "anchors and aliases hide what a change touches; write the value out where it is used")
	case n.Kind == yaml.AliasNode:
		d.blame(n, "anchors and aliases hide what a change touches; write the value out where it is used")
		return
	case n.Style&yaml.TaggedStyle != 0:
		tag := n.Tag
		if d.private() {
			tag = "an exclamation mark"
		}
		d.blame(n, "YAML reads %s as a tag and the text is lost; quote the whole value or write it in a | block", tag)
	}
	if n.Kind != yaml.MappingNode {
		for _, c := range n.Content {
			d.walk(c)
		}
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch first, again := seen[key.Value]; {
		case key.Kind == yaml.ScalarNode && key.Tag == "!!merge":
			d.blame(key, "merging with << hides what a change touches; write the keys out")
			d.bad[value] = true
		case key.Kind != yaml.ScalarNode || key.Tag != "!!str":
			d.blame(key, "a key must be text")
		case again:
			d.blame(key, "key%s stands twice; it was first on line %d", d.keyText(key.Value, nil), first)
		default:
			seen[key.Value] = key.Line
			d.walk(key)
		}
		d.walk(value)
	}
}

// blame reports an issue at a node, and suppresses further ones at it.
func (d *document) blame(n *yaml.Node, format string, args ...any) {
	if d.bad[n] {
		return
	}
	d.bad[n] = true
	d.issue(n.Line, n.Column, format, args...)
}

// complain reports a fault for lint, with which a deployed file loads.
func (d *document) complain(n *yaml.Node, format string, args ...any) {
	if n == nil || d.bad[n] {
		return
	}
	d.complaints = append(d.complaints, Issue{
		File: d.file, Line: n.Line, Column: n.Column, Message: fmt.Sprintf(format, args...), Snippet: d.snippet(n.Line, n.Column),
	})
}

// unknownKey reports a key that a mapping cannot have.
func (d *document) unknownKey(mapping, key *yaml.Node, what string, known []string) {
	if d.bad[key] {
		return
	}
	d.blame(key, "unknown key%s in %s%s", d.keyText(key.Value, known), what, meant(key.Value, known))
	if near := nearest(key.Value, known); near != "" {
		d.misspelt[mapping] = append(d.misspelt[mapping], near)
	}
}

func (d *document) issue(line, column int, format string, args ...any) {
	if len(d.issues) >= 1000 {
		return
	}
	d.issues = append(d.issues, Issue{
		File: d.file, Line: line, Column: column, Message: fmt.Sprintf(format, args...), Snippet: d.snippet(line, column),
	})
}

func (d *document) sorted() Issues {
	if len(d.repaired) == 0 {
		return d.issues.sorted()
	}
	// Faults in a line that had to be quoted have the wrong column, and follow
	// from the first one.
	var kept Issues
	for _, i := range d.issues {
		if !d.repaired[i.Line] || strings.HasPrefix(i.Message, "not YAML") {
			kept = append(kept, i)
		}
	}
	return kept.sorted()
}
