package file

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stanch-soar/stanch/playbooks"
)

// parseYAML reads the form
//
//	assets:
//	  - { id: ws-042, name: accounting-2, ips: [192.0.2.2], role: workstation }
func parseYAML(name string, data []byte) ([]asset, playbooks.Issues) {
	var file struct {
		Assets []playbooks.Node `yaml:"assets,required"`
	}
	issues := playbooks.DecodeStrict(name, data, &file)
	if issues.Err() != nil {
		return nil, issues
	}
	assets := make([]asset, len(file.Assets))
	ids := map[string]bool{}
	for i, node := range file.Assets {
		a := &assets[i]
		wrong := node.Decode(a)
		issues = append(issues, wrong...)
		if wrong.Err() != nil {
			continue
		}
		a.line = node.Issue("").Line
		if err := a.prepare(); err != nil {
			issues = append(issues, node.Issue("%s", err))
		}
		if repeated(ids, a.ID) {
			issues = append(issues, node.Issue("duplicate id %q", a.ID))
		}
	}
	return assets, issues
}

// repeated records an id and reports whether it was recorded before.
func repeated(ids map[string]bool, id string) bool {
	id = strings.ToLower(id)
	if id == "" {
		return false
	}
	before := ids[id]
	ids[id] = true
	return before
}

// setters are the columns of a CSV file. Several ips or tags are separated by
// blanks, line breaks, commas, semicolons or bars; agents, whose paths contain
// blanks, by line breaks, semicolons or bars.
func setters() map[string]func(*asset, string) {
	list := func(s string) []string {
		return strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(",;|", r) })
	}
	return map[string]func(*asset, string){
		"id":          func(a *asset, s string) { a.ID = s },
		"name":        func(a *asset, s string) { a.Name = s },
		"ips":         func(a *asset, s string) { a.IPs = list(s) },
		"role":        func(a *asset, s string) { a.Role = s },
		"owner":       func(a *asset, s string) { a.Owner = s },
		"criticality": func(a *asset, s string) { a.Criticality = s },
		"site":        func(a *asset, s string) { a.Site = s },
		"tags": func(a *asset, s string) {
			if s != "" {
				a.Tags = list(s)
			}
		},
		"agents": func(a *asset, s string) {
			for _, agent := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(";|\r\n", r) }) {
				a.Agents = append(a.Agents, strings.TrimSpace(agent))
			}
		},
	}
}

// columnOf is the column that a heading names, also as exports of inventories and
// spreadsheets write it.
func columnOf(heading string) string {
	heading = strings.Join(strings.FieldsFunc(strings.ToLower(heading), func(r rune) bool { return unicode.IsSpace(r) || r == '_' || r == '-' }), " ")
	switch heading {
	case "ip", "ip address", "ip addresses", "address", "addresses", "primary ip", "primary ip4", "primary ip address":
		return "ips"
	case "hostname", "host name", "host", "device", "device name", "computer name":
		return "name"
	case "device role", "asset role":
		return "role"
	case "tag", "labels":
		return "tags"
	}
	return heading
}

const columnNames = "id, name, ips, role, owner, criticality, site, tags and agents"

// parseCSV reads a file whose first line names its columns, in any order.
func parseCSV(name string, data []byte) ([]asset, playbooks.Issues) {
	c := &csvFile{name: name, ids: map[string]bool{}}
	if !utf8.Valid(data) {
		c.blame(0, 0, "the file is not UTF-8")
		return nil, c.issues
	}
	text := bytes.TrimPrefix(data, []byte("\ufeff"))
	comma, skipped := separator(text)
	c.reader = csv.NewReader(bytes.NewReader(text[skipped:]))
	if skipped > 0 {
		c.above = 1
	}
	c.reader.Comma, c.reader.ReuseRecord = comma, true
	c.header()
	for len(c.columns) > 0 && c.row() {
	}
	return c.assets, c.issues
}

// separator returns the separator of the columns of a file, and how many bytes come
// before the headings: spreadsheets write semicolons where the decimal sign is a
// comma, and may have a first line that names the separator.
func separator(text []byte) (comma rune, skipped int) {
	first, _, _ := bytes.Cut(text, []byte("\n"))
	if sep, ok := bytes.CutPrefix(bytes.ToLower(bytes.TrimSpace(bytes.Trim(bytes.TrimSpace(first), `"`))), []byte("sep=")); ok && len(sep) == 1 && bytes.ContainsAny(sep, ",;|\t") {
		return rune(sep[0]), min(len(first)+1, len(text))
	}
	comma, most := ',', 0
	for _, r := range []rune{',', ';', '\t', '|'} {
		reader := csv.NewReader(bytes.NewReader(first))
		reader.Comma, reader.LazyQuotes = r, true
		headings, err := reader.Read()
		known := 0
		for _, h := range headings {
			if _, ok := setters()[columnOf(h)]; ok {
				known++
			}
		}
		if err == nil && known > most {
			comma, most = r, known
		}
	}
	return comma, 0
}

type csvFile struct {
	name   string
	reader *csv.Reader
	// above is how many lines are above the headings.
	above   int
	columns []func(*asset, string)
	names   []string
	assets  []asset
	ids     map[string]bool
	issues  playbooks.Issues
}

func (c *csvFile) blame(line, column int, message string) {
	if line > 0 {
		line += c.above
	}
	c.issues = append(c.issues, playbooks.Issue{File: c.name, Line: line, Column: column, Message: message})
}

// broken reports an error of the CSV itself; what follows cannot be trusted.
func (c *csvFile) broken(err error) {
	if e, ok := errors.AsType[*csv.ParseError](err); ok {
		c.blame(e.Line, e.Column, e.Err.Error())
		return
	}
	c.blame(0, 0, err.Error())
}

func (c *csvFile) header() {
	names, err := c.reader.Read()
	if errors.Is(err, io.EOF) {
		c.blame(1, 1, "the file is empty; its first line names the columns: "+columnNames)
		return
	}
	if err != nil {
		c.broken(err)
		return
	}
	known := setters()
	for i, n := range names {
		n = columnOf(n)
		set, ok := known[n]
		line, column := c.reader.FieldPos(i)
		switch {
		case !ok:
			c.blame(line, column, "unknown column \""+n+"\"; the columns are "+columnNames)
		case slices.Contains(c.names, n):
			c.blame(line, column, "duplicate column \""+n+"\"")
		}
		c.columns, c.names = append(c.columns, set), append(c.names, n)
	}
	if len(c.issues) > 0 {
		c.columns = nil
	}
}

// row reads one line, and reports whether to go on.
func (c *csvFile) row() bool {
	fields, err := c.reader.Read()
	if errors.Is(err, io.EOF) {
		return false
	}
	if errors.Is(err, csv.ErrFieldCount) {
		c.broken(err)
		return true
	}
	if err != nil {
		c.broken(err)
		return false
	}
	var a asset
	for i, f := range fields {
		c.columns[i](&a, strings.TrimSpace(f))
	}
	a.line, _ = c.reader.FieldPos(0)
	a.line += c.above
	if err := a.prepare(); err != nil {
		line, column := c.reader.FieldPos(max(0, slices.Index(c.names, "ips")))
		c.blame(line, column, err.Error())
	}
	if repeated(c.ids, a.ID) {
		line, column := c.reader.FieldPos(slices.Index(c.names, "id"))
		c.blame(line, column, "duplicate id \""+a.ID+"\"")
	}
	c.assets = append(c.assets, a)
	return true
}
