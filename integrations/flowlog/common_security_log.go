package flowlog

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"
)

func formatCommonSecurityLog() Format {
	return Format{
		Name: "common-security-log", Title: "Rows of Microsoft's table CommonSecurityLog",
		Doc: "Rows of the table as JSON, one a line, or exported as CSV. `SentBytes` is what the source sent, as Microsoft's own parsers of the table read it; " +
			"null and absent bytes are unknown. `StartTime` and `EndTime` are those of the session, else it is of the moment `TimeGenerated`. Of PAN-OS and " +
			"Fortinet traffic counts, other logs are passed over. What was denied, dropped or reset did not leave. Two devices that saw one session count it once.",
		Frame: ByLine, Begins: beginsCommonSecurityLog,
		New: func(Options) (Parser, error) { return &commonSecurityLog{}, nil },
	}
}

// cslFields is the fields of one row, as written; those that are empty are nil.
type cslFields struct {
	time, start, end                     []byte
	vendor, activity, class, action      []byte
	src, srcPort, dst, dstPort, protocol []byte
	sent, received                       []byte
	name, computer, user, device         []byte
}

func (f *cslFields) field(name []byte) *[]byte {
	switch string(name) {
	case "TimeGenerated":
		return &f.time
	case "StartTime":
		return &f.start
	case "EndTime":
		return &f.end
	case "DeviceVendor":
		return &f.vendor
	case "Activity":
		return &f.activity
	case "DeviceEventClassID":
		return &f.class
	case "DeviceAction":
		return &f.action
	case "SourceIP":
		return &f.src
	case "SourcePort":
		return &f.srcPort
	case "DestinationIP":
		return &f.dst
	case "DestinationPort":
		return &f.dstPort
	case "Protocol":
		return &f.protocol
	case "SentBytes":
		return &f.sent
	case "ReceivedBytes":
		return &f.received
	case "DeviceName":
		return &f.name
	case "Computer":
		return &f.computer
	case "SourceUserName":
		return &f.user
	case "SourceHostName":
		return &f.device
	}
	return nil
}

// certain reports whether fields of these names are of the table.
func (f *cslFields) certain() bool {
	return f.time != nil && f.vendor != nil && f.src != nil && f.dst != nil
}

func beginsCommonSecurityLog(head []byte) bool {
	var f cslFields
	take := func(key []byte, _ value) {
		if at := f.field(key); at != nil {
			*at = key
		}
	}
	if line := firstLine(head); len(line) > 0 && line[0] != '{' {
		columns, err := csvFields(line, nil)
		for _, name := range columns {
			take(name, value{})
		}
		return err == nil && f.certain()
	}
	firstMembers(head, take)
	return f.certain()
}

// commonSecurityLog reads rows.
type commonSecurityLog struct {
	// columns are those of CSV, once its header was read.
	columns []string
	cells   [][]byte
	f       cslFields
	names   names
}

// Header implements [Parser]: CSV begins with its columns, and exports are put together.
func (p *commonSecurityLog) Header(line []byte) (bool, error) {
	line = bytes.TrimPrefix(line, byteOrderMark)
	if len(line) == 0 || line[0] == '{' || !beginsCommonSecurityLog(line) {
		return false, nil
	}
	names, err := csvFields(line, nil)
	p.columns = p.columns[:0]
	for _, name := range names {
		p.columns = append(p.columns, string(name))
	}
	return true, err
}

// Whole implements [Parser].
func (p *commonSecurityLog) Whole(line []byte) bool {
	return line[0] == '{' && jsonByLine{}.Whole(line)
}

// Parse implements [Parser].
func (p *commonSecurityLog) Parse(line []byte, e *Entry) error {
	p.f = cslFields{}
	if line = bytes.TrimPrefix(line, byteOrderMark); len(line) == 0 || line[0] != '{' {
		if err := p.row(line); err != nil {
			return err
		}
		return p.add(e)
	}
	rest, err := members(line, func(key []byte, v value) error {
		if at := p.f.field(key); at != nil && !v.object && !v.null() && len(v.text) > 0 {
			*at = v.bytes()
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case len(space(rest)) > 0:
		return errors.New("text after the JSON object")
	}
	return p.add(e)
}

// row reads a row of CSV.
func (p *commonSecurityLog) row(line []byte) error {
	if p.columns == nil {
		return errors.New("neither a JSON object nor a row below a header with the columns' names")
	}
	var err error
	if p.cells, err = csvFields(line, p.cells[:0]); err != nil {
		return err
	}
	if len(p.cells) != len(p.columns) {
		return fmt.Errorf("%d of %d columns", len(p.cells), len(p.columns))
	}
	for i, cell := range p.cells {
		if at := p.f.field([]byte(p.columns[i])); at != nil && len(cell) > 0 {
			*at = cell
		}
	}
	return nil
}

func (p *commonSecurityLog) add(e *Entry) error {
	f := &p.f
	other := false
	switch vendor := string(f.vendor); {
	case strings.HasPrefix(vendor, "Palo Alto"):
		other = string(f.activity) != "TRAFFIC" || string(f.class) == "start"
	case strings.HasPrefix(vendor, "Fortinet"):
		other = !bytes.HasPrefix(f.activity, []byte("traffic")) || string(f.action) == "start"
	}
	switch {
	case other:
		return fmt.Errorf("%w: %s", ErrNoFlow, clip(string(f.activity)))
	case stopped(f.action):
		return fmt.Errorf("%w: denied", ErrNoFlow)
	case f.src == nil || f.dst == nil:
		return errors.New("an address is missing")
	}
	s := firewallSession{
		src: f.src, dst: f.dst, srcPort: f.srcPort, dstPort: f.dstPort, protocol: f.protocol, sent: f.sent, received: f.received,
		sensor: p.names.of(first(f.name, f.computer)), user: string(f.user), device: string(f.device),
	}
	var err error
	if s.start, s.length, err = f.times(); err != nil {
		return err
	}
	return e.firewall(&s)
}

// times returns when the session began, and how long it was. The table's times are UTC.
func (f *cslFields) times() (time.Time, time.Duration, error) {
	from, to := first(f.start, f.end, f.time), first(f.end, f.start, f.time)
	if from == nil {
		return time.Time{}, 0, errors.New("no time")
	}
	start, err := zonedTime(from, time.UTC)
	if err != nil {
		return time.Time{}, 0, err
	}
	end, err := zonedTime(to, time.UTC)
	return start, end.Sub(start), err
}
