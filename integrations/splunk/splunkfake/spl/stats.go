package spl

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
)

// aggregate is one function over the rows of a group, of a field or of an expression.
type aggregate struct {
	function, field, as string
	value               func(row) any
}

// functions are those that there are. Percentiles are p and perc with a number.
func functions() []string {
	return []string{
		"count", "c", "dc", "distinct_count", "estdc", "sum", "avg", "mean", "min", "max", "range", "median", "stdev",
		"values", "list", "first", "last", "earliest", "latest", "earliest_time", "latest_time",
	}
}

// aggregate reads one function.
func (r *reader) aggregate() aggregate {
	from := r.peek().from
	a := aggregate{function: strings.ToLower(r.name())}
	if !slices.Contains(functions(), a.function) && percentile(a.function) < 0 {
		r.fail("The argument '%s' is invalid: it is no statistical function.", a.function)
	}
	to := from + len(a.function)
	if r.peek().is("(") {
		inside := r.inside()
		to = r.tokens[r.at-1].from + 1
		if rest, ok := strings.CutPrefix(strings.TrimSpace(inside), "eval("); ok {
			a.value = r.s.expression(r.command, strings.TrimSuffix(rest, ")"))
		} else {
			a.field = strings.Trim(strings.TrimSpace(inside), `"'`)
		}
	}
	if a.field == "" && a.value == nil && a.function != "count" && a.function != "c" {
		r.fail("The function '%s' needs a field.", a.function)
	}
	if strings.Contains(a.field, "*") {
		r.fail("The argument '%s' is invalid: wildcards are not known here.", a.field)
	}
	a.as = r.text[from:to]
	if a.function == "c" && a.field == "" {
		a.as = "count"
	}
	if r.take("AS") {
		a.as = r.name()
	}
	return a
}

// percentile is the number in the name of a function of one, or -1.
func percentile(function string) float64 {
	for _, before := range []string{"perc", "exactperc", "upperperc", "p"} {
		if rest, ok := strings.CutPrefix(function, before); ok {
			if n, err := strconv.ParseFloat(rest, 64); err == nil && n >= 0 && n <= 100 {
				return n
			}
		}
	}
	return -1
}

// grouping reads functions, and the fields by which rows are grouped.
func (s *search) grouping(command, text string) (all []aggregate, by []string) {
	r := s.reader(command, text)
	for {
		name, value, ok := r.option()
		if !ok {
			break
		}
		if name != "allnum" || r.yes(name, value) {
			r.fail("Invalid argument: '%s=%s'", name, value)
		}
	}
	for !r.end() && !r.peek().word("BY") {
		if r.take(",") {
			continue
		}
		all = append(all, r.aggregate())
	}
	if len(all) == 0 {
		r.fail("No statistical functions were specified.")
	}
	if r.take("BY") {
		if by = r.names(); len(by) == 0 {
			r.fail("The argument 'by' is invalid: it has no fields.")
		}
	}
	return all, by
}

func (s *search) stats(text string) {
	all, by := s.grouping("stats", text)
	s.aggregate(all, by)
}

// group are rows that have the same values in some fields.
type group struct {
	key  []string
	head row
	rows []row
}

// groups are the rows by fields, sorted. What has several values in one is in several groups;
// what has none in one is in none.
func groups(rows []row, by []string) []*group {
	found := map[string]*group{}
	for _, r := range rows {
		for _, key := range keys(r, by) {
			id := strings.Join(key, "\x00")
			g := found[id]
			if g == nil {
				g = &group{key: key, head: row{}}
				for i, name := range by {
					g.head[name] = key[i]
					if at, ok := r[name].(float64); ok {
						g.head[name] = at
					}
				}
				found[id] = g
			}
			g.rows = append(g.rows, r)
		}
	}
	all := make([]*group, 0, len(found))
	for _, g := range found {
		all = append(all, g)
	}
	slices.SortFunc(all, func(a, b *group) int {
		for i := range a.key {
			if c := order(a.key[i], b.key[i]); c != 0 {
				return c
			}
		}
		return slices.Compare(a.key, b.key)
	})
	return all
}

func keys(r row, by []string) [][]string {
	all := [][]string{{}}
	for _, name := range by {
		var more [][]string
		for _, key := range all {
			for _, v := range list(r[name]) {
				more = append(more, append(slices.Clone(key), v))
			}
		}
		all = more
	}
	return all
}

func (s *search) aggregate(all []aggregate, by []string) {
	gathered := groups(s.rows, by)
	if len(by) == 0 && len(gathered) == 0 {
		gathered = []*group{{head: row{}}}
	}
	s.rows, s.order, s.found.Transforms = nil, slices.Clone(by), true
	for _, a := range all {
		s.add(a.as)
	}
	if s.order == nil {
		s.order = []string{}
		for _, a := range all {
			s.add(a.as)
		}
	}
	for _, g := range gathered {
		for _, a := range all {
			if v := a.of(g.rows); v != nil {
				g.head[a.as] = v
			}
		}
		s.rows = append(s.rows, g.head)
	}
}

// eventstats adds to each row what its group has.
func (s *search) eventstats(text string) {
	all, by := s.grouping("eventstats", text)
	for _, g := range groups(s.rows, by) {
		for _, a := range all {
			v := a.of(g.rows)
			for _, r := range g.rows {
				if v != nil {
					r[a.as] = v
				}
			}
		}
	}
	for _, a := range all {
		s.add(a.as)
	}
}

// sample is a value with the time of its row.
type sample struct {
	value, time any
}

func (a aggregate) samples(rows []row) []sample {
	var all []sample
	for _, r := range rows {
		v := r[a.field]
		if a.value != nil {
			v = a.value(r)
			if v == false {
				v = nil
			}
		}
		if several, ok := v.([]string); ok {
			for _, one := range several {
				all = append(all, sample{one, r["_time"]})
			}
		} else if v != nil {
			all = append(all, sample{v, r["_time"]})
		}
	}
	return all
}

// of is the function over rows, nil where they have no value.
func (a aggregate) of(rows []row) any {
	if a.field == "" && a.value == nil {
		return float64(len(rows))
	}
	all := a.samples(rows)
	switch a.function {
	case "count", "c":
		return float64(len(all))
	case "dc", "distinct_count", "estdc":
		return float64(len(distinct(all)))
	}
	if len(all) == 0 {
		return nil
	}
	switch a.function {
	case "values":
		return distinct(all)
	case "list":
		var texts []string
		for _, one := range all[:min(100, len(all))] {
			texts = append(texts, text(one.value))
		}
		return texts
	case "first":
		return all[0].value
	case "last":
		return all[len(all)-1].value
	case "min":
		return slices.MinFunc(all, byValue).value
	case "max":
		return slices.MaxFunc(all, byValue).value
	case "earliest", "latest", "earliest_time", "latest_time":
		return timed(a.function, all)
	}
	return a.number(all)
}

func byValue(a, b sample) int { return order(a.value, b.value) }

// timed is the value of the earliest or of the latest row, or its time.
func timed(function string, all []sample) any {
	all = slices.DeleteFunc(slices.Clone(all), func(s sample) bool { return s.time == nil })
	if len(all) == 0 {
		return nil
	}
	at := func(a, b sample) int { return order(a.time, b.time) }
	found := slices.MinFunc(all, at)
	if strings.HasPrefix(function, "latest") {
		found = slices.MaxFunc(all, at)
	}
	if strings.HasSuffix(function, "_time") {
		return found.time
	}
	return found.value
}

func distinct(all []sample) []string {
	var texts []string
	for _, one := range all {
		texts = append(texts, text(one.value))
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}

// number is a function of those values that are numbers.
func (a aggregate) number(all []sample) any {
	var numbers []float64
	sum := 0.0
	for _, one := range all {
		if n, ok := num(one.value); ok {
			numbers, sum = append(numbers, n), sum+n
		}
	}
	if len(numbers) == 0 {
		return nil
	}
	slices.SortFunc(numbers, cmp.Compare[float64])
	n := float64(len(numbers))
	switch a.function {
	case "sum":
		return sum
	case "avg", "mean":
		return sum / n
	case "range":
		return numbers[len(numbers)-1] - numbers[0]
	case "median":
		return ranked(numbers, 50)
	case "stdev":
		squares := 0.0
		for _, x := range numbers {
			squares += (x - sum/n) * (x - sum/n)
		}
		return math.Sqrt(squares / max(1, n-1))
	}
	return ranked(numbers, percentile(a.function))
}

func ranked(sorted []float64, percent float64) float64 {
	return sorted[max(0, int(math.Ceil(percent/100*float64(len(sorted))))-1)]
}
