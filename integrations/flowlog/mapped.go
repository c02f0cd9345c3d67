package flowlog

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// mappingFormat is the format of any other log.
func mappingFormat() Format {
	return Format{
		Name:  "mapping",
		Title: "Any other log of JSON, separated values or pairs",
		Doc: `A file says where the values stand: ` + "`map: mappings/acme.yaml`" + `, or ` + "`--map`" + `. It is checked when it is read, and
` + "`stanch flows test`" + ` runs the tests beside it. Its keys:

` + mappingKeys(),
		New: func(o Options) (Parser, error) {
			if o.Map == nil {
				return nil, errors.New("it needs a mapping: give map")
			}
			return newMapped(o.Map), nil
		},
	}
}

// mapped reads a log by a [Mapping].
type mapped struct {
	*Mapping
	// at has the slot of each separated value, -1 where it is not read; nil before they are named.
	at []int
	// slot is where a column's value goes.
	slot   map[string]int
	values [][]byte
	prefix []byte // of the object that is read
}

func newMapped(m *Mapping) *mapped {
	p := &mapped{Mapping: m, slot: map[string]int{}, values: make([][]byte, len(m.slots))}
	for i, name := range m.slots {
		p.slot[name] = i
	}
	if len(m.Columns) > 0 {
		p.name(m.Columns)
	}
	return p
}

// name gives the separated values their columns.
func (p *mapped) name(columns []string) {
	p.at = make([]int, len(columns))
	for i, name := range columns {
		p.at[i] = -1
		if slot, read := p.slot[name]; read {
			p.at[i] = slot
		}
	}
}

// Header implements [Parser]: the first line of separated values names them, unless the mapping does, and so
// does any that is the same again.
func (p *mapped) Header(line []byte) (bool, error) {
	if p.Lines != "separated" || p.at != nil && !bytes.Contains(line, []byte(p.slots[0])) {
		return false, nil
	}
	var names []string
	for value := range fieldsOf(line, p.Separator[0]) {
		names = append(names, string(bytes.TrimPrefix(value, []byte("\xef\xbb\xbf"))))
	}
	lacks := slices.IndexFunc(p.slots, func(name string) bool { return !slices.Contains(names, name) })
	if lacks < 0 {
		p.name(names)
		return true, nil
	}
	if p.at == nil {
		return true, fmt.Errorf("the first line does not name the column %q", p.slots[lacks])
	}
	return false, nil
}

// Whole implements [Parser].
func (p *mapped) Whole(line []byte) bool { return p.Lines == "json" && jsonByLine{}.Whole(line) }

// Parse implements [Parser].
func (p *mapped) Parse(line []byte, e *Entry) error {
	clear(p.values)
	if err := p.split(line); err != nil {
		return err
	}
	for i, v := range p.values {
		if p.none(v) {
			p.values[i] = nil
		}
	}
	for i := range p.Skip {
		s := &p.Skip[i]
		v := p.value(s.Column)
		if v == nil && len(s.IsNot) > 0 {
			return fmt.Errorf("%s: no value, which says whether anything left", s.Column)
		}
		if s.holds(v) {
			return fmt.Errorf("%w: %s", ErrNoFlow, s.Because)
		}
	}
	r := e.Record()
	if err := p.record(r); err != nil {
		e.drop()
		return err
	}
	return nil
}

func (p *mapped) split(line []byte) error {
	switch p.Lines {
	case "json":
		p.prefix = p.prefix[:0]
		rest, err := members(line, p.member)
		if err == nil && len(space(rest)) > 0 {
			err = errors.New("text after the JSON object")
		}
		return err
	case "pairs":
		for pair := range fieldsOf(line, p.Separator[0]) {
			name, value, found := bytes.Cut(pair, []byte{'='})
			if slot, read := p.slot[string(name)]; found && read {
				if err := once(&p.values[slot], name, unquoted(value)); err != nil {
					return err
				}
			}
		}
		return nil
	}
	i := 0
	for value := range fieldsOf(line, p.Separator[0]) {
		if i < len(p.at) && p.at[i] >= 0 {
			p.values[p.at[i]] = value
		}
		i++
	}
	if i != len(p.at) {
		return fmt.Errorf("%d values, want %d", i, len(p.at))
	}
	return nil
}

// member notes a member of the object, or of one in it.
func (p *mapped) member(key []byte, v value) error {
	length := len(p.prefix)
	defer func() { p.prefix = p.prefix[:length] }()
	p.prefix = append(p.prefix, key...)
	if slot, read := p.slot[string(p.prefix)]; read && !v.object && !v.null() {
		p.values[slot] = v.text
		if v.isText && bytes.IndexByte(v.text, '\\') >= 0 {
			p.values[slot] = []byte(v.plain())
		}
		return nil
	}
	if !v.object {
		return nil
	}
	p.prefix = append(p.prefix, '.')
	_, err := members(v.text, p.member)
	return err
}

// none reports whether a text stands for no value.
func (p *mapped) none(v []byte) bool {
	switch string(v) {
	case "", "-", "null":
		return true
	}
	return len(p.Unknown) > 0 && slices.Contains(p.Unknown, string(v))
}

func (p *mapped) value(column string) []byte {
	if column == "" {
		return nil
	}
	return p.values[p.slot[column]]
}

// holds reports whether the line is one of those.
func (s *mappedSkip) holds(v []byte) bool {
	same := func(word string) bool { return strings.EqualFold(word, string(v)) }
	if len(s.Is) > 0 {
		return slices.ContainsFunc(s.Is, same)
	}
	return !slices.ContainsFunc(s.IsNot, same)
}

func (p *mapped) record(r *flowmath.Record) error {
	if err := p.times(r); err != nil {
		return err
	}
	proto := p.value(p.Transport)
	if p.TransportIs != "" {
		proto = []byte(p.TransportIs)
	}
	if err := endpoints(r, p.value(p.Source.IP), p.value(p.Source.Port), p.value(p.Destination.IP), p.value(p.Destination.Port), proto); err != nil {
		return err
	}
	var err error
	if r.Orig, err = p.side(p.Source); err != nil {
		return fmt.Errorf("source: %w", err)
	}
	if r.Resp, err = p.side(p.Destination); err != nil {
		return fmt.Errorf("destination: %w", err)
	}
	r.Single, r.Sampling = p.OneWay, 1
	if p.Sampling != "" {
		r.Sampling = 0
		if v := p.value(p.Sampling); v != nil {
			if r.Sampling, err = parseCount(v); err != nil {
				return fmt.Errorf("sampling: %w", err)
			}
		}
	}
	r.OneWay = !r.Single && r.Orig.Bytes < 0 && r.Orig.IPBytes < 0 && r.Orig.Packets <= 0
	r.Sensor, r.User, r.Device = string(p.value(p.Sensor)), string(p.value(p.User)), string(p.value(p.Device))
	return nil
}

// side reads the counters of an end. A negative one is none.
func (p *mapped) side(of mappedEnd) (flowmath.Side, error) {
	known := func(v []byte) []byte {
		if len(v) > 0 && v[0] == '-' {
			return nil
		}
		return v
	}
	s, err := side(nil, nil, known(p.value(of.Packets)))
	if err != nil {
		return s, err
	}
	v := known(p.value(of.Bytes))
	if v == nil {
		return s, nil
	}
	s.IPBytes, err = p.size(v)
	return s, err
}

// size reads bytes in the mapping's unit, to the byte.
func (p *mapped) size(v []byte) (int64, error) {
	unit := map[string]int64{"B": 1, "kB": 1000, "KiB": 1 << 10, "MB": 1e6, "MiB": 1 << 20}[p.BytesUnit]
	if unit == 1 {
		return parseCount(v)
	}
	f, err := strconv.ParseFloat(string(v), 64)
	if err != nil || !(f >= 0 && f*float64(unit) <= flowmath.MaxBytes) {
		return 0, fmt.Errorf("%q is not a size", clip(string(v)))
	}
	return int64(f*float64(unit) + 0.5), nil
}

// times reads when the flow began, and how long it was.
func (p *mapped) times(r *flowmath.Record) error {
	var err error
	if p.Duration != "" {
		if r.Duration, err = p.length(); err != nil {
			return fmt.Errorf("%s: %w", p.Duration, err)
		}
	}
	var start, end time.Time
	if p.Start != "" {
		if start, err = p.time(p.value(p.Start)); err != nil {
			return fmt.Errorf("%s: %w", p.Start, err)
		}
	}
	if p.End != "" {
		if end, err = p.time(p.value(p.End)); err != nil {
			return fmt.Errorf("%s: %w", p.End, err)
		}
	}
	switch {
	case p.Start == "":
		start = end.Add(-r.Duration)
	case p.End != "":
		r.Duration = end.Sub(start)
	}
	r.Start = start
	return nil
}

func (p *mapped) length() (time.Duration, error) {
	v := p.value(p.Duration)
	switch {
	case v == nil:
		return 0, nil
	case p.DurationUnit == "s":
		return parseSeconds(v)
	}
	f, err := strconv.ParseFloat(string(v), 64)
	f *= map[string]float64{"ms": 1e6, "us": 1e3, "ns": 1}[p.DurationUnit]
	if err != nil || !(f >= 0 && f <= float64(flowmath.MaxDuration)) {
		return 0, fmt.Errorf("%q is not a length of time", clip(string(v)))
	}
	return time.Duration(f), nil
}

func (p *mapped) time(v []byte) (time.Time, error) {
	if v == nil {
		return time.Time{}, errors.New("no time")
	}
	switch p.Times {
	case "rfc3339":
		return time.Parse(time.RFC3339Nano, string(v))
	case "unix":
		d, err := parseSeconds(v)
		return time.Unix(0, int64(d)).UTC(), err
	case "unix_ms", "unix_us", "unix_ns":
		n, ok := parseDigits19(v)
		per := map[string]int64{"unix_ms": 1e6, "unix_us": 1e3, "unix_ns": 1}[p.Times]
		if !ok || n > 1<<62/per {
			return time.Time{}, fmt.Errorf("%q is not a time", clip(string(v)))
		}
		return time.Unix(0, n*per).UTC(), nil
	}
	zone := p.zone
	if zone == nil {
		zone = time.UTC
	}
	return time.ParseInLocation(p.Times, string(v), zone)
}
