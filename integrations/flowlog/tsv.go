package flowlog

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// tsv reads Zeek's own format, which describes itself in lines that begin with
// #. A file may carry a new header in its middle.
type tsv struct {
	separator    byte
	unset, empty string
	// columns holds the place of each column in a conn; nil ones are not read.
	columns []func(*conn) *[]byte
	path    string
	conn    conn
	// counts reports whether some column is only in a conn.log.
	counts bool
}

func newTSV() *tsv { return &tsv{separator: '\t', unset: "-", empty: "(empty)"} }

// header reads a line that begins with #.
func (z *tsv) header(line []byte) error {
	name, rest, _ := strings.Cut(string(line), string(z.separator))
	if after, ok := strings.CutPrefix(string(line), "#separator "); ok {
		return z.setSeparator(after)
	}
	switch name {
	case "#unset_field":
		z.unset = rest
	case "#empty_field":
		z.empty = rest
	case "#path":
		z.path = rest
	case "#fields":
		z.setFields(strings.Split(rest, string(z.separator)))
	}
	return nil
}

func (z *tsv) setSeparator(s string) error {
	s = strings.TrimSpace(s)
	if hex, ok := strings.CutPrefix(s, `\x`); ok && len(hex) == 2 {
		n, err := strconv.ParseUint(hex, 16, 8)
		if err != nil {
			return fmt.Errorf("invalid separator %q: must be one character", clip(s))
		}
		z.separator = byte(n)
		return nil
	}
	if len(s) != 1 {
		return fmt.Errorf("invalid separator %q: must be one character", clip(s))
	}
	z.separator = s[0]
	return nil
}

func (z *tsv) setFields(names []string) {
	z.columns = make([]func(*conn) *[]byte, len(names))
	z.counts = false
	for i, name := range names {
		z.counts = z.counts || onlyConn([]byte(name))
		if new(conn).field([]byte(name)) != nil {
			z.columns[i] = func(c *conn) *[]byte { return c.field([]byte(name)) }
		}
	}
}

// parse reads a line of data.
func (z *tsv) parse(line []byte, r *flowmath.Record) error {
	if z.columns == nil {
		return errors.New("data before a #fields line")
	}
	if z.path != "" && z.path != "conn" && z.path != "conn_long" {
		return errNamedLog
	}
	if z.other() {
		return errOtherLog
	}
	z.conn = conn{}
	for i, column := range z.columns {
		f := line
		if at := bytes.IndexByte(line, z.separator); at >= 0 {
			f, line = line[:at], line[at+1:]
		} else if i < len(z.columns)-1 {
			return fmt.Errorf("%d of %d columns", i+1, len(z.columns))
		}
		if column != nil && string(f) != z.unset && string(f) != z.empty {
			*column(&z.conn) = f
		}
	}
	return z.conn.record(r)
}

// other reports whether the columns are those of another log of Zeek that does not
// name itself.
func (z *tsv) other() bool { return z.path == "" && !z.counts }

// whole reports whether a line that lacks its end has every column.
func (z *tsv) whole(line []byte) bool {
	return z.columns != nil && bytes.Count(line, []byte{z.separator}) == len(z.columns)-1
}
