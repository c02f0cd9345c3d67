package integrations

import (
	"fmt"
	"strings"
)

// Match says of which rows a flow store's table is made, by one column: for a
// table with rows that must not count. It consists of a column and
// values only, and none of it ever comes from an alert.
type Match struct {
	Column Column    `yaml:"column,required" doc:"Column of the table, or field of the records."`
	Is     []Literal `yaml:"is,required" doc:"The values, as text: 0 and '0' are the same."`
}

// Column is the name of a column or a field.
type Column struct{ name string }

// ColumnOf returns the column of a name.
func ColumnOf(name string) (Column, error) {
	var c Column
	return c, c.UnmarshalText([]byte(name))
}

// String returns the name.
func (c Column) String() string { return c.name }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (c *Column) UnmarshalText(text []byte) error {
	const most = 127
	for i, b := range text {
		letter := b == '_' || b == '@' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
		if !letter && (i == 0 || b != '.' && b != '$' && b != '-' && (b < '0' || b > '9')) {
			return fmt.Errorf("invalid column name %q", text)
		}
	}
	if len(text) == 0 || len(text) > most {
		return fmt.Errorf("invalid column name %q", text)
	}
	c.name = string(text)
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (c Column) MarshalText() ([]byte, error) { return []byte(c.name), nil }

// Literal is a value that a column is compared with.
type Literal struct{ text string }

// LiteralOf returns a text as a literal.
func LiteralOf(text string) Literal { return Literal{text} }

// String returns the value as text.
func (l Literal) String() string { return l.text }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (l *Literal) UnmarshalText(text []byte) error {
	const most = 200
	if len(text) > most {
		return fmt.Errorf("%.20q… is longer than %d bytes", text, most)
	}
	l.text = string(text)
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (l Literal) MarshalText() ([]byte, error) { return []byte(l.text), nil }

// Texts returns the values.
func (m Match) Texts() []string {
	texts := make([]string, len(m.Is))
	for i, l := range m.Is {
		texts[i] = l.text
	}
	return texts
}

// String returns the match as people write it.
func (m Match) String() string {
	return fmt.Sprintf("%s is %s", m.Column, strings.Join(m.Texts(), " or "))
}

// CheckMatches returns what is wrong with the settings only and without, if
// anything. Known reports whether a store can have a column of that name.
func CheckMatches(only, without []Match, known func(column string) bool) error {
	const most = 100
	for setting, list := range map[string][]Match{"only": only, "without": without} {
		for _, m := range list {
			switch {
			case !known(m.Column.name):
				return fmt.Errorf("%s: invalid column name %q", setting, m.Column.name)
			case len(m.Is) == 0:
				return fmt.Errorf("%s: %s is compared with nothing: write values", setting, m.Column)
			case len(m.Is) > most:
				return fmt.Errorf("%s: %s is compared with %d values: write %d at most", setting, m.Column, len(m.Is), most)
			}
		}
	}
	return nil
}

// MatchFinding is the finding about a match, given whether any of its values
// occurs in the newest records: one that matches no row is a mistake, most likely.
func MatchFinding(setting string, m Match, occurs bool) Finding {
	if occurs {
		return Finding{What: fmt.Sprintf("%s: %s occurs", setting, m), OK: true}
	}
	return Finding{
		What: fmt.Sprintf("%s: no new record has it: %s", setting, m),
		Fix:  "compare the values with what the column holds, letter by letter",
	}
}
