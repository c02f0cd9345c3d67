package spl

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
)

// condition reports whether a row is found.
type condition func(row) bool

// boolean reads an expression of the command search. There, OR is stronger than AND, which
// may be left out: a OR b c is (a OR b) AND c.
//
// https://help.splunk.com/en/splunk-enterprise/search/search-manual/9.3/expressions-and-predicates
type boolean struct {
	reader
	// earliest and latest are the bounds that the expression says.
	earliest, latest string
	// indexes reports whether it names an index.
	indexes bool
}

func (s *search) parse(command, text string) (condition, *boolean) {
	b := &boolean{reader: s.reader(command, text)}
	if b.end() {
		return func(row) bool { return true }, b
	}
	return b.whole(), b
}

func (b *boolean) whole() condition {
	c := b.and()
	if !b.end() {
		b.s.fail("Error in 'SearchParser': Mismatched ')'.")
	}
	return c
}

func (b *boolean) and() condition {
	all := []condition{b.or()}
	for !b.end() && !b.peek().is(")") {
		if b.peek().text == "AND" {
			b.take("AND")
		}
		all = append(all, b.or())
	}
	return func(r row) bool {
		return !slices.ContainsFunc(all, func(c condition) bool { return !c(r) })
	}
}

func (b *boolean) or() condition {
	some := []condition{b.not()}
	for b.peek().text == "OR" && b.take("OR") {
		some = append(some, b.not())
	}
	return func(r row) bool {
		return slices.ContainsFunc(some, func(c condition) bool { return c(r) })
	}
}

func (b *boolean) not() condition {
	if b.peek().text == "NOT" && b.take("NOT") {
		c := b.not()
		return func(r row) bool { return !c(r) }
	}
	if b.take("(") {
		if b.take(")") {
			return func(row) bool { return true }
		}
		c := b.and()
		if !b.take(")") {
			b.s.fail("Error in 'SearchParser': Missing ')'.")
		}
		return c
	}
	return b.term()
}

// term reads a comparison, a list of values, or a text that an event has.
func (b *boolean) term() condition {
	t := b.next()
	if t.sign {
		b.s.fail("Comparator '%s' is missing a term on the left hand side.", t.text)
	}
	if b.peek().word("IN") && b.at+1 < len(b.tokens) && b.tokens[b.at+1].is("(") {
		b.at += 2
		var some []condition
		for !b.take(")") {
			if b.end() {
				b.s.fail("Error in 'SearchParser': Missing ')'.")
			}
			if b.take(",") {
				continue
			}
			some = append(some, compared(t.text, "=", b.name()))
		}
		b.indexes = b.indexes || t.text == "index"
		return func(r row) bool { return slices.ContainsFunc(some, func(c condition) bool { return c(r) }) }
	}
	if operator := b.peek(); operator.sign && !operator.is("(") && !operator.is(")") && !operator.is(",") && operator.text != "" {
		b.at++
		value := b.next()
		if value.sign {
			b.s.fail("Comparator '%s' is missing a term on the right hand side.", operator.text)
		}
		return b.comparison(t.text, operator.text, value.text)
	}
	phrase := strings.ToLower(t.text)
	return func(r row) bool {
		return wild(phrase, strings.ToLower(text(r["_raw"])), true)
	}
}

func (b *boolean) comparison(name, operator, value string) condition {
	always := func(row) bool { return true }
	switch name {
	case "earliest", "starttime":
		b.earliest = value
		return always
	case "latest", "endtime":
		b.latest = value
		return always
	case "index":
		b.indexes = true
	case "_index_earliest", "_index_latest", "eventtype", "splunk_server", "splunk_server_group":
		b.s.fail("Error in 'search' command: Unable to parse the search: Invalid modifier '%s'.", name)
	}
	return compared(name, operator, value)
}

// compared reports whether one of a field's values compares so. Capitals do not count, * is
// any text, and an address is found by its network. What a row has not is never found, not
// even by !=.
func compared(name, operator, want string) condition {
	return func(r row) bool {
		values := list(r[name])
		return slices.ContainsFunc(values, func(v string) bool {
			switch operator {
			case "=":
				return equal(v, want)
			case "!=":
				return !slices.ContainsFunc(values, func(v string) bool { return equal(v, want) })
			}
			x, isX := num(v)
			y, isY := num(want)
			c := strings.Compare(v, want)
			if isX && isY {
				c = cmp.Compare(x, y)
			}
			return map[string]bool{"<": c < 0, "<=": c <= 0, ">": c > 0, ">=": c >= 0}[operator]
		})
	}
}

func equal(v, want string) bool {
	if strings.Contains(want, "/") {
		if network, err := netip.ParsePrefix(want); err == nil {
			address, err := netip.ParseAddr(v)
			return err == nil && network.Contains(address)
		}
	}
	return wild(strings.ToLower(want), strings.ToLower(v), false)
}

// wild reports whether a text is as a pattern says, in which * is any text, or has such a
// part.
func wild(pattern, text string, part bool) bool {
	if part {
		pattern = "*" + pattern + "*"
	}
	first, rest, any := strings.Cut(pattern, "*")
	if !any {
		return pattern == text
	}
	text, found := strings.CutPrefix(text, first)
	if !found {
		return false
	}
	for {
		piece, more, another := strings.Cut(rest, "*")
		if !another {
			return strings.HasSuffix(text, piece)
		}
		at := strings.Index(text, piece)
		if at < 0 {
			return false
		}
		text, rest = text[at+len(piece):], more
	}
}

// retrieve reads events. Where no index is named, those are searched that the user has by
// default.
func (s *search) retrieve(expression string) {
	c, said := s.parse("search", expression)
	s.bounds(said.earliest, said.latest)
	s.events(func(e *Event) row {
		if !said.indexes && !slices.Contains(s.env.Indexes, e.Index) {
			return nil
		}
		return e.row()
	}, c)
}

// events reads events of the time that is searched, as views that may be nil, the newest
// first.
func (s *search) events(view func(*Event) row, c condition) {
	var found []row
	for i := range s.env.Events {
		e := &s.env.Events[i]
		if !s.within(e) {
			continue
		}
		r := view(e)
		if r == nil {
			continue
		}
		s.found.Scanned++
		if c(r) {
			found = append(found, r)
		}
	}
	slices.SortStableFunc(found, func(a, b row) int { return order(b["_time"], a["_time"]) })
	s.rows, s.found.Matched = found, len(found)
}

// filter leaves those rows that an expression finds.
func (s *search) filter(expression string) {
	c, _ := s.parse("search", expression)
	s.rows = slices.DeleteFunc(s.rows, func(r row) bool { return !c(r) })
}
