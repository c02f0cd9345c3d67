package spl

import (
	"slices"
	"time"
)

// tstats is the command as it was read.
type tstats struct {
	reader
	summaries  bool
	fill       string
	aggregates []aggregate
	model      string
	where      string
	by         []string
	span       time.Duration
}

func (t *tstats) read() {
	t.options()
	for !t.end() && !t.begins() {
		if t.take(",") {
			continue
		}
		a := t.aggregate()
		if a.value != nil {
			t.fail("The argument 'eval' is invalid.")
		}
		if a.function == "list" {
			t.fail("The function 'list' is not supported.")
		}
		t.aggregates = append(t.aggregates, a)
	}
	if len(t.aggregates) == 0 {
		t.fail("No statistical functions were specified.")
	}
	if t.take("FROM") {
		name, value, ok := t.option()
		if !ok || name != "datamodel" {
			t.fail("The argument '%s' is invalid.", t.peek().text)
		}
		t.model = value
	}
	if t.take("WHERE") {
		t.where = t.condition()
	}
	if t.take("BY") || t.take("GROUPBY") {
		t.group()
	}
	if !t.end() {
		t.fail("The argument '%s' is invalid.", t.peek().text)
	}
}

// begins reports whether another clause is next.
func (t *tstats) begins() bool {
	next := t.peek()
	return next.word("FROM") || next.word("WHERE") || next.word("BY") || next.word("GROUPBY")
}

func (t *tstats) options() {
	for {
		name, value, ok := t.option()
		if !ok {
			return
		}
		switch name {
		case "summariesonly":
			t.summaries = t.yes(name, value)
		case "allow_old_summaries", "local", "include_reduced_buckets", "use_summary_index_values":
			t.yes(name, value)
		case "prestats", "append":
			if t.yes(name, value) {
				t.fail("The argument '%s=%s' is not known here.", name, value)
			}
		case "chunk_size":
		case "fillnull_value":
			t.fill = value
		default:
			t.fail("Invalid argument: '%s=%s'", name, value)
		}
	}
}

// condition is the text of the clause where.
func (t *tstats) condition() string {
	from, depth := t.peek().from, 0
	for ; !t.end(); t.at++ {
		next := t.peek()
		switch {
		case next.is("("):
			depth++
		case next.is(")"):
			depth--
		case depth == 0 && (next.word("BY") || next.word("GROUPBY")):
			return t.text[from:next.from]
		}
	}
	return t.text[from:]
}

// group reads what is grouped by. Of the time that has to be in spans: which ones Splunk takes
// by itself is not documented.
func (t *tstats) group() {
	for !t.end() {
		if t.take(",") {
			continue
		}
		name, value, ok := t.option()
		if !ok {
			t.by = append(t.by, t.name())
			continue
		}
		if t.span, ok = span(value); name != "span" || !ok {
			t.fail("The value for option %s (%s) is invalid.", name, value)
		}
	}
	if timed := slices.Contains(t.by, "_time"); timed != (t.span > 0) {
		t.fail("The argument 'span' is missing, or is of no field: _time has to have one here.")
	}
}
