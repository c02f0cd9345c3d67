package wording

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// FactGroup is one fact with its values.
type FactGroup struct {
	Name   string
	Values []Fact
}

// Fact is one value of a fact, told.
type Fact struct {
	// Path is the name by which policies read it.
	Path  string
	Known bool
	// Text is the value; Items replace it where the value is a list of rows.
	Text  string
	Items []string
	// From is the provenance in words, Why the reason for which it is unknown.
	From, Why string
}

func facts(f incident.Facts) []FactGroup {
	v := reflect.ValueOf(f)
	var groups []FactGroup
	for i := range v.NumField() {
		name := jsonName(v.Type().Field(i))
		if v.Field(i).IsZero() && name == "candidate" {
			continue // Nobody is guessed.
		}
		groups = append(groups, FactGroup{Name: name, Values: values(name, v.Field(i))})
	}
	return groups
}

// values walks a fact's struct. What is no Value, such as an alert's id or the
// sample of flows, is no part of what a policy sees and is left out.
func values(path string, s reflect.Value) []Fact {
	var out []Fact
	for i := range s.NumField() {
		sf := s.Type().Field(i)
		if !sf.IsExported() {
			continue
		}
		at := path + "." + jsonName(sf)
		if field, ok := s.Field(i).Interface().(incident.Field); ok {
			out = append(out, fact(at, sf.Tag.Get("unit"), field))
		} else if s.Field(i).Kind() == reflect.Struct {
			out = append(out, values(at, s.Field(i))...)
		}
	}
	return out
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

func fact(path, unit string, field incident.Field) Fact {
	value, from, why := field.Any()
	told := Fact{Path: path, Known: from != incident.Unknown, From: From(from), Why: long(why)}
	if !told.Known {
		return told
	}
	switch v := value.(type) {
	case []incident.TopFlow:
		told.Items = topFlows(v)
		if len(told.Items) == 0 {
			told.Text = "none"
		}
	case []string:
		told.Text = join(v)
		if len(v) == 0 {
			told.Text = "none"
		}
	case time.Time:
		told.Text = Clock(v)
	case time.Duration:
		told.Text = incident.FormatDuration(v)
	case int64:
		told.Text = number(path, unit, v)
	case float64:
		told.Text = fmt.Sprintf("%.1f %%", 100*v)
	case bool:
		told.Text = "no"
		if v {
			told.Text = "yes"
		}
	default:
		told.Text = long(fmt.Sprint(v))
	}
	return told
}

// number writes a whole number in its unit; what only names something, such as
// a port, is no count.
func number(path, unit string, n int64) string {
	switch {
	case unit == "size":
		return incident.FormatSize(n)
	case unit == "rate":
		return incident.FormatRate(n)
	case strings.HasSuffix(path, ".pid"), strings.HasSuffix(path, ".port"):
		return strconv.FormatInt(n, 10)
	default:
		return count(n)
	}
}

func topFlows(flows []incident.TopFlow) []string {
	const most = 10
	var out []string
	for i, f := range flows {
		if i == most {
			return append(out, fmt.Sprintf("and %d more", len(flows)-most))
		}
		out = append(out, topFlow(f))
	}
	return out
}

func topFlow(f incident.TopFlow) string {
	volume := incident.FormatSize(f.Bytes)
	if f.Unseen {
		volume = "an unknown volume"
	}
	return short(fmt.Sprintf("%s %s/%d: %s in %s flows", f.IP, f.Transport, f.Port, volume, count(f.Flows)))
}
