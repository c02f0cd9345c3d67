package flowlog

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Format is how a product writes a log of what leaves a network.
type Format struct {
	// Name is its key everywhere: --format, stanch.yaml, the file that reads it, and its
	// heading in the documentation.
	Name string
	// Title is the log's name in the words of its product.
	Title string
	// Doc says, in Markdown, which of the product's settings it needs and what it cannot say.
	Doc string
	// Layout is the documentation of the layout, if the product lets people choose the fields
	// and their order; "" where it does not.
	Layout string
	// Zone reports whether times may stand without a zone, so that the reader has to be given it.
	Zone bool
	// Exit is the exit that such a sensor watches, unless the configuration says otherwise: a proxy's
	// log watches the proxy. Empty where the product alone does not tell.
	Exit incident.Exit
	// Frame is how records are told apart.
	Frame Frame
	// Begins reports whether a log that begins so (the first [HeadLength] bytes, or all where
	// there are fewer) is certainly of the format. Nil: it must be named.
	Begins func(head []byte) bool
	// New returns the parser of one log. A layout that the product does not have is an error.
	New func(o Options) (Parser, error)
}

// Frame is how the records of a log are told apart.
type Frame uint8

const (
	// ByLine takes each line for one, and so a JSON object that begins with a brace alone in its line
	// and ends with one.
	ByLine Frame = iota
	// ByObject takes each JSON object for one, regardless of lines and of what stands between them; those
	// of the array records where the log is one object with it.
	ByObject
)

// HeadLength is how much of a log's beginning [Format.Begins] sees.
const HeadLength = 4096

// Options say of a log what it does not say itself.
type Options struct {
	// Format is the name of the format; "" recognises it by its beginning.
	Format string
	// Layout is the order of the fields in the product's own words, such as AWS's log format or
	// Squid's logformat, where the log does not begin with it.
	Layout string
	// Zone is that of times without one; nil is not known.
	Zone *time.Location
	// Map is the mapping of a log of the format mapping.
	Map *Mapping
}

// Parser reads one log. Its methods must not keep what they are given.
type Parser interface {
	// Header reports whether a line is about those after it, such as the names of their columns,
	// and remembers what it says. When reading goes on where it stopped, it is shown the lines before
	// once more.
	Header(line []byte) (bool, error)
	// Parse reads one line, or object, into an empty entry. An error is about this line alone; an
	// [ErrNoFlow] is one that is right and tells of nothing that left.
	Parse(line []byte, e *Entry) error
	// Whole reports whether a line without its end is certainly complete: a number that was
	// cut off is another number. It is asked of the last line only.
	Whole(line []byte) bool
}

// Entry is what one line, or object, says.
type Entry struct {
	Records []flowmath.Record
	// Gaps are times of which the sensor says that it has no records.
	Gaps []flowmath.Gap
	// Bad are the parts that could not be read, where others could; Skipped counts those that are
	// right and tell of nothing that left.
	Bad     []error
	Skipped int64
}

// Record adds an empty record and returns it.
func (e *Entry) Record() *flowmath.Record {
	e.Records = append(e.Records, flowmath.Record{})
	return &e.Records[len(e.Records)-1]
}

// drop takes the last record back.
func (e *Entry) drop() { e.Records = e.Records[:len(e.Records)-1] }

// reset empties the entry and keeps its memory.
func (e *Entry) reset() {
	*e = Entry{Records: e.Records[:0], Gaps: e.Gaps[:0], Bad: e.Bad[:0]}
}

// ErrNoFlow marks a line that is right and tells of nothing that left: an alert among flows, a
// connection that was denied, the beginning of one that has a record at its end.
var ErrNoFlow = errors.New("not a flow record")

// errHeading marks a header that does not show that the log is of the format.
var errHeading = errors.New("a header that any log may have")

// lineByLine is the part of a parser whose lines need no header, and are complete only with their end.
type lineByLine struct{}

func (lineByLine) Header([]byte) (bool, error) { return false, nil }

func (lineByLine) Whole([]byte) bool { return false }

// jsonByLine is the part of a parser whose lines, or objects, are JSON.
type jsonByLine struct{}

func (jsonByLine) Header([]byte) (bool, error) { return false, nil }

func (jsonByLine) Whole(line []byte) bool {
	rest, err := members(line, func([]byte, value) error { return nil })
	return err == nil && len(space(rest)) == 0
}

// Formats lists the formats that have a name, by name. Zeek's, goflow2's and Suricata's need
// none: they are recognised line by line.
func Formats() []Format {
	return []Format{
		formatAWSCloudWatch(),
		formatAWSVPC(),
		formatAzureNSG(),
		formatAzureVNet(),
		formatCEF(),
		formatCommonSecurityLog(),
		formatFortiGate(),
		formatGCPVPC(),
		formatLEEF(),
		mappingFormat(),
		formatOCSF(),
		formatPANOS(),
		formatSplunkCIM(),
		formatSquid(),
		formatZscaler(),
	}
}

// FormatOf returns the format of that name.
func FormatOf(name string) (Format, error) {
	all := Formats()
	var names []string
	for _, f := range all {
		if f.Name == name {
			return f, nil
		}
		names = append(names, f.Name)
	}
	return Format{}, fmt.Errorf("unknown format %q: want one of %s", name, strings.Join(names, ", "))
}

// Check returns what is wrong with the options, if anything.
func (o Options) Check() error {
	if o.Format == "" {
		if o.Layout != "" {
			return errors.New("a layout needs the format that it is of")
		}
		return nil
	}
	f, err := FormatOf(o.Format)
	if err != nil {
		return err
	}
	_, err = f.open(o)
	return err
}

func (f Format) open(o Options) (Parser, error) {
	if o.Layout != "" && f.Layout == "" {
		return nil, fmt.Errorf("the format %s has one layout", f.Name)
	}
	p, err := f.New(o)
	if err != nil {
		return nil, fmt.Errorf("format %s: %w", f.Name, err)
	}
	return p, nil
}

// recognise returns the format of a log that begins so, and false where it is none with a name.
func recognise(head []byte) (Format, bool) {
	all := Formats()
	i := slices.IndexFunc(all, func(f Format) bool { return f.Begins != nil && f.Begins(head) })
	if i < 0 {
		return Format{}, false
	}
	return all[i], true
}
