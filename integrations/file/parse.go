package file

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
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
		if err := a.prepare(); err != nil {
			issues = append(issues, node.Issue("%s", err))
		}
		if repeated(ids, a.ID) {
			issues = append(issues, node.Issue("the id %q stands twice", a.ID))
		}
	}
	return assets, issues
}

// repeated notes an id and tells whether it was noted before.
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
// blanks or semicolons.
func setters() map[string]func(*asset, string) {
	list := func(s string) []string {
		return strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ';' })
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
	}
}

const columnNames = "id, name, ips, role, owner, criticality, site and tags"

// parseCSV reads a file whose first line names its columns, in any order.
func parseCSV(name string, data []byte) ([]asset, playbooks.Issues) {
	c := &csvFile{name: name, ids: map[string]bool{}}
	if !utf8.Valid(data) {
		c.blame(0, 0, "the file is not UTF-8")
		return nil, c.issues
	}
	c.reader = csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	c.reader.ReuseRecord = true
	c.header()
	for len(c.columns) > 0 && c.row() {
	}
	return c.assets, c.issues
}

type csvFile struct {
	name    string
	reader  *csv.Reader
	columns []func(*asset, string)
	names   []string
	assets  []asset
	ids     map[string]bool
	issues  playbooks.Issues
}

func (c *csvFile) blame(line, column int, message string) {
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
		n = strings.ToLower(strings.TrimSpace(n))
		set, ok := known[n]
		line, column := c.reader.FieldPos(i)
		switch {
		case !ok:
			c.blame(line, column, "unknown column \""+n+"\"; the columns are "+columnNames)
		case slices.Contains(c.names, n):
			c.blame(line, column, "the column \""+n+"\" stands twice")
		}
		c.columns, c.names = append(c.columns, set), append(c.names, n)
	}
	if len(c.issues) > 0 {
		c.columns = nil
	}
}

// row reads one line, and tells whether to go on.
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
	if err := a.prepare(); err != nil {
		line, column := c.reader.FieldPos(max(0, slices.Index(c.names, "ips")))
		c.blame(line, column, err.Error())
	}
	if repeated(c.ids, a.ID) {
		line, column := c.reader.FieldPos(slices.Index(c.names, "id"))
		c.blame(line, column, "the id \""+a.ID+"\" stands twice")
	}
	c.assets = append(c.assets, a)
	return true
}
