// Package spl runs searches of the double of Splunk: of Splunk's search language as much as is
// sensible to ask for network traffic with. What it does not know it refuses as Splunk
// refuses a command or an argument that it does not know.
//
// It is written from Splunk's search reference (7.0 to 10.0), its search manual, and the
// reference of the Common Information Model. Where these are silent it takes the reading that
// is worse for who asks, and says so.
package spl

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Event is an event in an index.
type Event struct {
	Time time.Time
	// Index, Host, Source and Sourcetype are fields of every event.
	Index, Host, Source, Sourcetype string
	// Fields are texts, and lists of texts, by the names that they have after extraction.
	Fields map[string]any
}

// Env is what a search runs in.
type Env struct {
	// Events are those that the user may read, in any order.
	Events []Event
	// Now is the time at the search head, and Zone the time zone of the user.
	Now  time.Time
	Zone *time.Location
	// Earliest and Latest bound the search, in Splunk's words for times; empty is unbounded.
	// What a search says itself goes before.
	Earliest, Latest string
	// Window is how much time is searched at most, before the end; 0 is any.
	Window time.Duration
	// Summarized is up to when accelerated summaries of the data model reach; the zero time
	// means that the model is not accelerated.
	Summarized time.Time
	// Indexes are searched where a search names none.
	Indexes []string
}

// Result is what a search found.
type Result struct {
	// Fields are the names of columns, in their order.
	Fields []string
	// Rows have texts and lists of texts; what a row has not is absent.
	Rows []map[string]any
	// Scanned is how many events were read, and Matched how many of these were found.
	Scanned, Matched int
	// Transforms reports whether rows are no events.
	Transforms bool
	// Earliest and Latest are the bounds in which was searched; zero is unbounded.
	Earliest, Latest time.Time
}

// Error is a search that is refused, in Splunk's words.
type Error struct{ Text string }

func (e *Error) Error() string { return e.Text }

// Run runs a search. The error is an [*Error].
func Run(text string, env Env) (Result, error) {
	if env.Zone == nil {
		env.Zone = time.UTC
	}
	s := &search{env: env}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for i, command := range s.pipeline(text) {
			s.run(i == 0, command)
		}
		s.give()
	}()
	<-ended
	if s.refused != nil {
		return Result{}, s.refused
	}
	return s.found, nil
}

// row is one event or result: texts, numbers and lists of texts by names.
type row map[string]any

// search is one search while it runs.
type search struct {
	env   Env
	rows  []row
	order []string // of columns; nil for events, which have any
	found Result
	// refused is why the search was refused, if it was.
	refused *Error
}

// fail refuses the search, and ends what runs it: a mistake is found deep within expressions.
func (s *search) fail(format string, args ...any) {
	s.refused = &Error{fmt.Sprintf(format, args...)}
	runtime.Goexit()
}

func (s *search) run(first bool, command string) {
	name, rest := command, ""
	if at := strings.IndexAny(command, " \t\r\n(="); at >= 0 {
		name, rest = command[:at], strings.TrimSpace(command[at:])
	}
	name = strings.ToLower(name)
	generating := map[string]func(string){"tstats": s.tstats, "from": s.from, "datamodel": s.datamodel, "makeresults": s.makeresults}
	if generate, ok := generating[name]; ok {
		if !first {
			s.fail("Error in '%s' command: This command must be the first command of a search.", name)
		}
		generate(rest)
		return
	}
	if name == "search" {
		if first {
			s.retrieve(rest)
			return
		}
		s.filter(rest)
		return
	}
	transforming := map[string]func(string){
		"rename": s.rename, "eval": s.eval, "where": s.where, "stats": s.stats, "sort": s.sort, "head": s.head, "tail": s.tail,
		"fields": s.fields, "table": s.table, "dedup": s.dedup, "bin": s.bin, "bucket": s.bin, "fillnull": s.fillnull,
		"mvexpand": s.mvexpand, "eventstats": s.eventstats, "addinfo": s.addinfo, "reverse": s.reverse,
	}
	step, ok := transforming[name]
	if !ok || first {
		s.fail("Unknown search command '%s'.", name)
	}
	step(rest)
}

// give sets the rows in the form in which they are given out.
func (s *search) give() {
	s.found.Fields = s.columns()
	s.found.Rows = make([]map[string]any, 0, len(s.rows))
	for _, r := range s.rows {
		out := map[string]any{}
		for _, name := range s.found.Fields {
			if v := s.shown(name, r[name]); v != nil {
				out[name] = v
			}
		}
		s.found.Rows = append(s.found.Rows, out)
	}
}

// columns are the names of what the rows have.
func (s *search) columns() []string {
	if s.order != nil {
		return s.order
	}
	names := map[string]bool{}
	for _, r := range s.rows {
		for name := range r {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// add notes a column that a command made.
func (s *search) add(name string) {
	if s.order != nil && !slices.Contains(s.order, name) {
		s.order = append(s.order, name)
	}
}

// shown is a value as results have it: a text or a list of texts. The time of an event is
// written in the zone of the user.
func (s *search) shown(name string, v any) any {
	if at, ok := v.(float64); ok && name == "_time" {
		return moment(at).In(s.env.Zone).Format("2006-01-02T15:04:05.000-07:00")
	}
	switch v := v.(type) {
	case nil:
		return nil
	case []string:
		if len(v) == 1 {
			return v[0]
		}
		return slices.Clone(v)
	}
	return text(v)
}

// moment is a time of seconds since 1970, to the microsecond.
func moment(at float64) time.Time { return time.UnixMicro(int64(math.Round(at * 1e6))).UTC() }

func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

// text is a value as a text. A number has no more digits than it needs.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case []string:
		return strings.Join(v, "\n")
	case float64:
		return strconv.FormatFloat(math.Round(v*1e6)/1e6, 'f', -1, 64)
	case bool:
		if v {
			return "True"
		}
		return "False"
	}
	return fmt.Sprint(v)
}

// num is a value as a number.
func num(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case string:
		f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
	case []string:
		if len(v) == 1 {
			return num(v[0])
		}
	}
	return 0, false
}

// list are the values of a field.
func list(v any) []string {
	switch v := v.(type) {
	case nil:
		return nil
	case []string:
		return v
	}
	return []string{text(v)}
}

// order compares two values: as numbers where both are, else as texts.
func order(a, b any) int {
	x, isX := num(a)
	y, isY := num(b)
	if isX && isY {
		return cmp.Compare(x, y)
	}
	return strings.Compare(text(a), text(b))
}

// raw is the text of an event.
func (e *Event) raw() string {
	out, err := json.Marshal(e.Fields)
	if err != nil {
		return ""
	}
	return string(out)
}

// row is an event as searches see it.
func (e *Event) row() row {
	r := row{"_time": seconds(e.Time), "_raw": e.raw(), "index": e.Index, "host": e.Host, "source": e.Source, "sourcetype": e.Sourcetype}
	maps.Copy(r, e.Fields)
	for name, v := range r {
		if v == nil || v == "" {
			delete(r, name)
		}
	}
	return r
}
