package flowlog

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks"
)

// mappingFile says where the values of a log stand, for a log that no format is for. A column is the
// name of a value in the line; in JSON, names with dots lead into objects.
type mappingFile struct {
	Lines     string   `yaml:"lines,required" enum:"json,separated,pairs" doc:"How a line is written: a JSON object, values between separators, or pairs such as src=10.0.0.1."`
	Separator string   `yaml:"separator" doc:"What stands between the values: one character, a comma where nothing is said; between pairs a blank. A value in quotation marks may hold it."`
	Columns   []string `yaml:"columns" doc:"The names of separated values in their order; without them the first line names them."`
	Unknown   []string `yaml:"unknown" doc:"Texts that stand for no value, besides the empty one, - and null."`

	Times        string            `yaml:"times,required" doc:"How times are written: rfc3339, unix, unix_ms, unix_us, unix_ns, or a layout of Go such as 2006-01-02 15:04:05."`
	Zone         integrations.Zone `yaml:"zone" doc:"The zone of times that are written without one. A layout without a zone needs it."`
	Start        string            `yaml:"start" doc:"The column of the flow's beginning. Of start, end and duration two are needed, or one where a record is of a moment."`
	End          string            `yaml:"end" doc:"The column of its end."`
	Duration     string            `yaml:"duration" doc:"The column of its length."`
	DurationUnit string            `yaml:"duration_unit" enum:"s,ms,us,ns" default:"s" doc:"The unit of the length."`

	Source      mappedEnd `yaml:"source,required" doc:"Who opened the flow, or whose packets a record of one direction counts."`
	Destination mappedEnd `yaml:"destination,required" doc:"The other end."`
	Transport   string    `yaml:"transport" doc:"The column of the protocol, as a name or its number."`
	TransportIs string    `yaml:"transport_is" doc:"The protocol of every line, such as tcp in the log of a proxy, where there is no column."`
	BytesUnit   string    `yaml:"bytes_unit" enum:"B,kB,KiB,MB,MiB" default:"B" doc:"The unit of the bytes."`
	OneWay      bool      `yaml:"one_direction" doc:"Each record counts what the source sent; what comes back has records of its own."`
	Sampling    string    `yaml:"sampling" doc:"The column of the sampling rate n, where the counters are those of one packet in n."`

	Sensor string `yaml:"sensor" doc:"The column of who saw it. Two sensors that see the same traffic must have different names."`
	User   string `yaml:"user" doc:"The column of who sent."`
	Device string `yaml:"device" doc:"The column of the name of the sending device."`

	Skip []mappedSkip `yaml:"skip" doc:"Lines that tell of nothing that left: what was denied, and the beginnings of what has a record at its end."`
}

type mappedEnd struct {
	IP      string `yaml:"ip,required" doc:"The column of its address."`
	Port    string `yaml:"port" doc:"The column of its port."`
	Bytes   string `yaml:"bytes" doc:"The column of the bytes that it sent. Without it they are unknown."`
	Packets string `yaml:"packets" doc:"The column of the packets that it sent."`
}

type mappedSkip struct {
	Column  string   `yaml:"column,required" doc:"The column that tells."`
	Is      []string `yaml:"is" doc:"Its values in such lines, in any case; an empty text is no value."`
	IsNot   []string `yaml:"is_not" doc:"Its values in all other lines."`
	Because string   `yaml:"because,required" doc:"The reason that people read."`
}

// Mapping is a mapping of a log that was read and checked. It is immutable.
type Mapping struct {
	mappingFile
	zone *time.Location
	// slots are the columns that are read, each once.
	slots []string
}

// LoadMapping reads the mapping of a file. An error about its content is [playbooks.Issues].
func LoadMapping(path string) (*Mapping, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the mapping of a log: %w", err)
	}
	return ParseMapping(path, data)
}

// ParseMapping reads a mapping. The error is [playbooks.Issues] and has every fault, with its
// place.
func ParseMapping(path string, data []byte) (*Mapping, error) {
	m := &Mapping{}
	issues := playbooks.DecodeStrict(path, data, &m.mappingFile)
	var root playbooks.Node
	// Faults of the form were reported above.
	_ = playbooks.DecodeStrict(path, data, &root)
	if len(issues) == 0 {
		issues = m.check(root)
	}
	if err := issues.Err(); err != nil {
		return nil, err
	}
	m.slots = m.names()
	return m, nil
}

// check finds what types cannot express, and fills in what is not said.
func (m *Mapping) check(root playbooks.Node) playbooks.Issues {
	m.BytesUnit, m.DurationUnit = cmp.Or(m.BytesUnit, "B"), cmp.Or(m.DurationUnit, "s")
	issues := slices.Concat(m.checkLines(root), m.checkTimes(root), m.checkSkip(root))
	if (m.Transport == "") == (m.TransportIs == "") {
		issues = append(issues, root.Issue("give one of transport and transport_is: flows have a protocol"))
	}
	if m.OneWay && m.Destination.Bytes != "" {
		issues = append(issues, root.Get("one_direction").Issue("one_direction leaves no bytes of the destination: those have records of their own"))
	}
	if m.Source.Bytes == "" && m.Destination.Bytes == "" {
		issues = append(issues, root.Get("source").Issue("neither end has bytes: nothing would be known of any flow"))
	}
	if len(m.Columns) == 0 {
		return issues
	}
	for _, name := range m.names() {
		if !slices.Contains(m.Columns, name) {
			issues = append(issues, root.Get("columns").Issue("columns lacks %q, which is read", name))
		}
	}
	return issues
}

func (m *Mapping) checkLines(root playbooks.Node) playbooks.Issues {
	var issues playbooks.Issues
	if m.Lines != "separated" && len(m.Columns) > 0 {
		issues = append(issues, root.Get("columns").Issue("columns are of separated values: lines of %s name theirs", m.Lines))
	}
	switch {
	case m.Lines == "json" && m.Separator != "":
		issues = append(issues, root.Get("separator").Issue("lines of json have no separator"))
	case m.Separator == "" && m.Lines == "pairs":
		m.Separator = " "
	case m.Separator == "":
		m.Separator = ","
	case len(m.Separator) != 1 || strings.ContainsAny(m.Separator, "\"=\r\n"):
		issues = append(issues, root.Get("separator").Issue("invalid separator %q: must be one character, and no quotation mark or =", m.Separator))
	}
	return issues
}

func (m *Mapping) checkTimes(root playbooks.Node) playbooks.Issues {
	var issues playbooks.Issues
	switch given := count(m.Start, m.End, m.Duration); {
	case m.Start == "" && m.End == "":
		issues = append(issues, root.Issue("give start or end: flows have a time"))
	case given == 3:
		issues = append(issues, root.Get("duration").Issue("start, end and duration are one too many"))
	}
	if m.Zone != "" {
		zone, err := m.Zone.Location()
		if err != nil {
			return append(issues, root.Get("zone").Issue("%v", err))
		}
		m.zone = zone
	}
	if err := checkTimes(m.Times, m.zone); err != nil {
		issues = append(issues, root.Get("times").Issue("%v", err))
	}
	return issues
}

// count is how many of the texts are not empty.
func count(texts ...string) int {
	return len(slices.DeleteFunc(texts, func(s string) bool { return s == "" }))
}

// checkTimes returns what is wrong with a way of writing times, if anything.
func checkTimes(times string, zone *time.Location) error {
	switch times {
	case "rfc3339", "unix", "unix_ms", "unix_us", "unix_ns":
		return nil
	}
	// The reference time of Go's layouts in another zone and year shows what a layout holds.
	at := time.Date(2026, 11, 28, 23, 45, 17, 0, time.FixedZone("", -5*3600))
	back, err := time.ParseInLocation(times, at.Format(times), time.UTC)
	switch {
	case err != nil || at.Format(times) == times:
		return fmt.Errorf("invalid layout %q: want rfc3339, unix, unix_ms, unix_us, unix_ns, or Go's reference time as the log would write it", times)
	case back.Year() != at.Year() || back.Month() != at.Month() || back.Day() != at.Day() || back.Minute() != at.Minute() || back.Second() != at.Second():
		return fmt.Errorf("the layout %q lacks a part of the time: it needs the year, the month, the day, hours, minutes and seconds", times)
	case !back.Equal(at) && zone == nil:
		return errors.New("the layout has no zone: give zone")
	}
	return nil
}

func (m *Mapping) checkSkip(root playbooks.Node) playbooks.Issues {
	var issues playbooks.Issues
	for i, s := range m.Skip {
		if (len(s.Is) == 0) == (len(s.IsNot) == 0) {
			issues = append(issues, root.Get("skip").At(i).Issue("give one of is and is_not"))
		}
	}
	return issues
}

// names lists the columns that are read, each once.
func (m *Mapping) names() []string {
	all := []string{
		m.Start, m.End, m.Duration, m.Source.IP, m.Source.Port, m.Source.Bytes, m.Source.Packets, m.Destination.IP, m.Destination.Port,
		m.Destination.Bytes, m.Destination.Packets, m.Transport, m.Sampling, m.Sensor, m.User, m.Device,
	}
	for _, s := range m.Skip {
		all = append(all, s.Column)
	}
	var names []string
	for _, name := range all {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// mappingKeys is a table of the keys of a mapping, in Markdown.
func mappingKeys() string {
	var b strings.Builder
	b.WriteString("| key | meaning |\n|---|---|\n")
	tableOf(&b, reflect.TypeFor[mappingFile](), "")
	return b.String()
}

func tableOf(b *strings.Builder, t reflect.Type, at string) {
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		doc := f.Tag.Get("doc")
		if words := f.Tag.Get("enum"); words != "" {
			doc += " One of " + strings.ReplaceAll(words, ",", ", ") + "."
		}
		if standard := f.Tag.Get("default"); standard != "" {
			doc += " Without it: " + standard + "."
		}
		fmt.Fprintf(b, "| `%s` | %s |\n", at+name, doc)
		switch of := f.Type; {
		case of.Kind() == reflect.Struct:
			tableOf(b, of, at+name+".")
		case of.Kind() == reflect.Slice && of.Elem().Kind() == reflect.Struct:
			tableOf(b, of.Elem(), at+name+"[].")
		}
	}
}
