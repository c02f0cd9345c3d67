package spl

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// mostSorted is how many rows sort gives unless it is told a number.
const mostSorted = 10_000

func (s *search) rename(text string) {
	r := s.reader("rename", text)
	for !r.end() {
		if r.take(",") {
			continue
		}
		from := r.name()
		if !r.take("AS") {
			r.fail("Usage: rename [old_name AS/TO/-> new_name]+.")
		}
		to := r.name()
		for _, name := range slices.Clone(s.columns()) {
			if named, ok := renamed(name, from, to); ok {
				s.move(name, named)
			}
		}
	}
}

// renamed is a name that a pattern has, by another pattern.
func renamed(name, from, to string) (string, bool) {
	before, after, wild := strings.Cut(from, "*")
	if !wild {
		return to, name == from
	}
	rest, ok := strings.CutPrefix(name, before)
	rest, also := strings.CutSuffix(rest, after)
	return strings.Replace(to, "*", rest, 1), ok && also
}

func (s *search) move(from, to string) {
	for _, r := range s.rows {
		v := r[from]
		delete(r, from)
		delete(r, to)
		if v != nil {
			r[to] = v
		}
	}
	if s.order != nil && from != to {
		s.order = slices.DeleteFunc(slices.Clone(s.order), func(name string) bool { return name == to })
		if at := slices.Index(s.order, from); at >= 0 {
			s.order[at] = to
		}
	}
}

// head gives the first rows, ten unless it is told a number.
func (s *search) head(text string) { s.rows = s.rows[:min(s.limit("head", text), len(s.rows))] }

// tail gives the last rows, the last one first.
func (s *search) tail(text string) {
	s.rows = s.rows[len(s.rows)-min(s.limit("tail", text), len(s.rows)):]
	slices.Reverse(s.rows)
}

func (s *search) reverse(string) { slices.Reverse(s.rows) }

func (s *search) limit(command, text string) int {
	text = strings.TrimPrefix(strings.ReplaceAll(text, " ", ""), "limit=")
	if text == "" {
		return 10
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		s.fail("Error in '%s' command: The argument '%s' is invalid.", command, text)
	}
	return n
}

// fields leaves columns, or takes them away. Those that begin with an underscore stay unless
// they are taken away by name.
func (s *search) fields(text string) {
	drop := strings.HasPrefix(text, "-")
	r := s.reader("fields", strings.TrimLeft(text, "+- "))
	patterns := r.names()
	if len(patterns) == 0 {
		r.fail("Invalid argument: '%s'", text)
	}
	var keep []string
	for _, name := range s.columns() {
		named := slices.ContainsFunc(patterns, func(p string) bool { return wild(p, name, false) })
		if named != drop || !drop && strings.HasPrefix(name, "_") {
			keep = append(keep, name)
		}
	}
	s.keep(keep)
}

// keep leaves columns.
func (s *search) keep(names []string) {
	for _, r := range s.rows {
		for name := range r {
			if !slices.Contains(names, name) {
				delete(r, name)
			}
		}
	}
	if s.order != nil {
		s.order = slices.DeleteFunc(slices.Clone(s.order), func(name string) bool { return !slices.Contains(names, name) })
	}
}

func (s *search) table(text string) {
	r := s.reader("table", text)
	var names []string
	for _, pattern := range r.names() {
		if !strings.Contains(pattern, "*") {
			names = append(names, pattern)
			continue
		}
		for _, name := range s.columns() {
			if wild(pattern, name, false) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	s.keep(names)
	s.order, s.found.Transforms = names, true
}

// dedup leaves the first rows of each combination of values. Rows that have no value in one of
// the fields are left out.
func (s *search) dedup(text string) {
	r := s.reader("dedup", text)
	most := 1
	if n, err := strconv.Atoi(r.peek().text); err == nil && n > 0 {
		most = n
		r.at++
	}
	var names []string
	empty := false
	for !r.end() {
		if r.take(",") {
			continue
		}
		if name, value, ok := r.option(); ok {
			if name != "keepempty" {
				r.fail("Invalid argument: '%s=%s'", name, value)
			}
			empty = r.yes(name, value)
			continue
		}
		names = append(names, r.name())
	}
	if len(names) == 0 {
		r.fail("The argument '%s' is invalid: it has no fields.", text)
	}
	seen := map[string]int{}
	s.rows = slices.DeleteFunc(s.rows, func(r row) bool {
		key := ""
		for _, name := range names {
			if r[name] == nil {
				return !empty
			}
			key += strings.Join(list(r[name]), "\x01") + "\x00"
		}
		seen[key]++
		return seen[key] > most
	})
}

// sort sorts by fields, and gives 10,000 rows unless it is told a number; 0 is all.
func (s *search) sort(text string) {
	most := mostSorted
	fields := strings.TrimSpace(text)
	if first, rest, _ := strings.Cut(fields, " "); first != "" && strings.Trim(first, "0123456789") == "" {
		n, err := strconv.Atoi(first)
		if err != nil {
			s.fail("Error in 'sort' command: The argument '%s' is invalid.", first)
		}
		most, fields = n, rest
	}
	by := s.sorting(strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(fields), "limit=")))
	slices.SortStableFunc(s.rows, func(a, b row) int {
		for _, key := range by {
			if c := key.compare(a, b); c != 0 {
				return c
			}
		}
		return 0
	})
	if most > 0 {
		s.rows = s.rows[:min(most, len(s.rows))]
	}
}

type sortKey struct {
	name, kind string
	down       bool
}

func (s *search) sorting(text string) []sortKey {
	r := s.reader("sort", text)
	var keys []sortKey
	down := false
	for !r.end() {
		if r.take(",") {
			continue
		}
		k := sortKey{name: r.name()}
		if k.name == "-" || k.name == "+" {
			down = k.name == "-"
			k.name = r.name()
			k.down = down
		} else if rest, ok := strings.CutPrefix(k.name, "-"); ok {
			k.name, k.down = rest, true
		} else {
			k.name = strings.TrimPrefix(k.name, "+")
		}
		if r.peek().is("(") {
			k.kind = strings.ToLower(k.name)
			if k.name = strings.TrimSpace(r.inside()); !slices.Contains([]string{"auto", "num", "str", "ip"}, k.kind) {
				r.fail("The argument '%s' is invalid.", k.kind)
			}
		}
		if r.end() || r.peek().is(",") {
			keys = append(keys, k)
			continue
		}
		if r.end() || r.take("d") || r.take("desc") {
			for i := range keys {
				keys[i].down = !keys[i].down
			}
			k.down = !k.down
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		r.fail("Usage: sort [<count>] <sort-by-clause>+.")
	}
	return keys
}

// compare compares two rows by a field. A row without it is the last, whatever the direction.
func (k sortKey) compare(a, b row) int {
	x, y := a[k.name], b[k.name]
	if x == nil || y == nil {
		return cmp.Compare(btoi(x == nil), btoi(y == nil))
	}
	c := 0
	switch k.kind {
	case "str":
		c = strings.Compare(text(x), text(y))
	case "ip":
		one, errOne := netip.ParseAddr(text(x))
		other, errOther := netip.ParseAddr(text(y))
		if c = strings.Compare(text(x), text(y)); errOne == nil && errOther == nil {
			c = one.Compare(other)
		}
	default:
		c = order(x, y)
	}
	if k.down {
		return -c
	}
	return c
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// bin puts times into spans.
func (s *search) bin(text string) {
	r := s.reader("bin", text)
	field, as := "", ""
	length, known := span("")
	for !r.end() {
		if name, value, ok := r.option(); ok {
			if length, known = span(value); name != "span" || !known {
				r.fail("The value for option %s (%s) is invalid.", name, value)
			}
			continue
		}
		if r.take("AS") {
			as = r.name()
			continue
		}
		field = r.name()
	}
	if field != "_time" || !known {
		r.fail("The argument '%s' is invalid: only _time by a span is known here.", text)
	}
	as = cmp.Or(as, field)
	for _, r := range s.rows {
		if at, ok := num(r[field]); ok {
			r[as] = s.binned(at, length)
		}
	}
	s.add(as)
}

// fillnull puts a value where there is none: in all columns that any row has, or in those that
// are named.
func (s *search) fillnull(text string) {
	r := s.reader("fillnull", text)
	with := "0"
	if name, value, ok := r.option(); ok {
		if name != "value" {
			r.fail("Invalid argument: '%s=%s'", name, value)
		}
		with = value
	}
	names := r.names()
	if len(names) == 0 {
		names = s.columns()
	}
	for _, name := range names {
		s.add(name)
		for _, r := range s.rows {
			if r[name] == nil {
				r[name] = with
			}
		}
	}
}

// mvexpand makes a row of each value of a field.
func (s *search) mvexpand(text string) {
	r := s.reader("mvexpand", text)
	name := r.name()
	if !r.end() {
		r.fail("The argument '%s' is invalid.", r.peek().text)
	}
	var rows []row
	for _, r := range s.rows {
		values := list(r[name])
		if len(values) < 2 {
			rows = append(rows, r)
			continue
		}
		for _, v := range values {
			one := row{}
			for field, of := range r {
				one[field] = of
			}
			one[name] = v
			rows = append(rows, one)
		}
	}
	s.rows = rows
}

// addinfo adds the bounds of the search. One without an end has the word for it.
func (s *search) addinfo(string) {
	for _, r := range s.rows {
		r["info_min_time"], r["info_max_time"] = any(0.0), any("+Infinity")
		if !s.found.Earliest.IsZero() {
			r["info_min_time"] = seconds(s.found.Earliest)
		}
		if !s.found.Latest.IsZero() {
			r["info_max_time"] = seconds(s.found.Latest)
		}
		r["info_search_time"] = seconds(s.env.Now)
	}
	for _, name := range []string{"info_min_time", "info_max_time", "info_search_time"} {
		s.add(name)
	}
}
