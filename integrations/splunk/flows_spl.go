package splunk

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// The fields of the data model Network_Traffic. Src and dest are addresses or names; src_ip
// and dest_ip are there where an add-on has them.
const (
	dataset = "All_Traffic"

	fieldSrc, fieldSrcIP     = dataset + ".src", dataset + ".src_ip"
	fieldDest, fieldDestIP   = dataset + ".dest", dataset + ".dest_ip"
	fieldSrcPort             = dataset + ".src_port"
	fieldDestPort            = dataset + ".dest_port"
	fieldTransport           = dataset + ".transport"
	fieldBytesOut            = dataset + ".bytes_out"
	fieldBytesIn             = dataset + ".bytes_in"
	fieldPacketsOut          = dataset + ".packets_out"
	fieldPacketsIn           = dataset + ".packets_in"
	fieldDuration            = dataset + ".duration"
	fieldSensor, fieldAction = dataset + ".dvc", dataset + ".action"

	// unsaid stands for a field that an event does not have: the data model's own word.
	unsaid = "unknown"
)

// quote returns a value as one literal of SPL. An asterisk matches anything within quotes
// too, a backtick begins a macro, and neither can be escaped: a value with one is refused,
// as one that does not fit on a line is.
func quote(value string) (string, error) {
	for _, r := range value {
		if r == '*' || r == '`' || r < ' ' || r == 0x7f || r == '\uFFFD' {
			return "", fmt.Errorf("invalid value %q: %q cannot be written in a search", value, r)
		}
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`, nil
}

// anyOf selects the events whose field has one of the values.
func anyOf(field string, values []string) (string, error) {
	quoted := make([]string, len(values))
	for i, v := range values {
		var err error
		if quoted[i], err = quote(v); err != nil {
			return "", err
		}
	}
	return field + " IN (" + strings.Join(quoted, ", ") + ")", nil
}

// refusals are the actions of events that did not leave.
func refusals() []string {
	return []string{"blocked", "block", "denied", "deny", "dropped", "drop", "rejected", "reject", "reset", "failure"}
}

// spellings are the texts of the addresses. Splunk reads one with a mask as a network, so
// that none of those is asked for.
func spellings(addrs []netip.Addr) []string {
	var forms []string
	for _, a := range addrs {
		for _, form := range flowmath.Spellings(a) {
			if !strings.Contains(form, "/") {
				forms = append(forms, form)
			}
		}
	}
	return forms
}

// ofEnd selects the events of which an end is one of the addresses.
func ofEnd(e end, addrs []netip.Addr) string {
	forms := spellings(addrs)
	for i := range forms {
		forms[i] = `"` + forms[i] + `"` // digits, letters, colons, dots and blanks
	}
	in := " IN (" + strings.Join(forms, ", ") + ")"
	return "(" + e.ownIP + in + " OR " + e.own + in + ")"
}

// ofHosts selects the events of which either end is one of the addresses.
func ofHosts(addrs []netip.Addr) string {
	from, to := ends()
	return "(" + ofEnd(from, addrs) + " OR " + ofEnd(to, addrs) + ")"
}

// conditions are the settings that choose which events count.
func (c FlowsConfig) conditions() ([]string, error) {
	var all []string
	if len(c.Indices) > 0 {
		indices, err := anyOf("index", c.Indices)
		if err != nil {
			return nil, err
		}
		all = append(all, indices)
	}
	for _, m := range c.Only {
		one, err := matching(m)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	for _, m := range c.Without {
		one, err := matching(m)
		if err != nil {
			return nil, err
		}
		all = append(all, "NOT "+one)
	}
	refused, err := anyOf(fieldAction, refusals())
	return append(all, "NOT "+refused), err
}

// matching selects the events whose field of the data model has one of the values.
func matching(m integrations.Match) (string, error) {
	return anyOf(dataset+"."+m.Column.String(), m.Texts())
}

// tstats is one search: sums of events, by fields.
type tstats struct {
	sums, where, by []string
	// then is what follows the sums, each with its pipe.
	then string
	// from and to bound the events' stamps, [from, to).
	from, to time.Time
}

// spl is the text of a search.
func (s *Flows) spl(q tstats, only bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, `| tstats summariesonly=%t allow_old_summaries=false fillnull_value=%q %s FROM datamodel=%s.%s WHERE %s`,
		only, unsaid, strings.Join(append([]string{"count"}, q.sums...), " "), s.config.Model, dataset, strings.Join(append(q.where, s.counted...), " "))
	if len(q.by) > 0 {
		b.WriteString(" BY " + strings.Join(q.by, ", "))
	}
	if q.then != "" {
		b.WriteString(" " + q.then)
	}
	return b.String()
}

// epoch is a time as searches are bounded by it, in seconds. Splunk keeps times to the
// millisecond at least: up rounds to the next one.
func epoch(t time.Time, up bool) string {
	ms := t.UnixMilli()
	if up && t.After(time.UnixMilli(ms)) {
		ms++
	}
	return strconv.FormatFloat(float64(ms)/1000, 'f', 3, 64)
}
