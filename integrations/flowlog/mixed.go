package flowlog

import (
	"errors"

	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// mixed reads Zeek's logs as TSV or JSON, goflow2's JSON and Suricata's EVE: which
// program wrote a line shows in it, so that one log may hold several.
type mixed struct {
	tsv   *tsv // set once a line began with #
	event event
}

func (m *mixed) Header(line []byte) (bool, error) {
	if len(line) == 0 || line[0] != '#' {
		return false, nil
	}
	if m.tsv == nil {
		m.tsv = newTSV()
	}
	if err := m.tsv.header(line); err != nil {
		return true, err
	}
	if m.tsv.columns == nil || m.tsv.other() {
		return true, errHeading
	}
	return true, nil
}

func (m *mixed) Parse(line []byte, e *Entry) error {
	rec := e.Record()
	err := m.parse(line, rec)
	if err != nil {
		e.drop()
	}
	return err
}

func (m *mixed) parse(line []byte, rec *flowmath.Record) error {
	switch {
	case line[0] == '{':
		return m.event.parse(line, rec)
	case m.tsv != nil:
		return m.tsv.parse(line, rec)
	default:
		return errors.New("not a line of a known flow log")
	}
}

// Whole implements [Parser]: a row has every column, and an object its brace.
func (m *mixed) Whole(line []byte) bool {
	if line[0] == '#' {
		return false
	}
	return line[0] == '{' && jsonByLine{}.Whole(line) || line[0] != '{' && m.tsv != nil && m.tsv.whole(line)
}
