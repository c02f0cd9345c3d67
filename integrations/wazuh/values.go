package wazuh

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// text is a value that is text as a rule, and a number or a truth in some releases.
// Wazuh's decoder of JSON makes text of all values.
type text string

// UnmarshalJSON implements [json.Unmarshaler].
func (t *text) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err == nil {
		*t = text(s)
		return nil
	}
	if raw := strings.TrimSpace(string(data)); raw[0] != '{' && raw[0] != '[' && raw != "null" {
		*t = text(raw)
	}
	return nil
}

// number is a whole number; ok is false where there is none.
func (t text) number() (n int64, ok bool) {
	n, err := strconv.ParseInt(strings.TrimSpace(string(t)), 10, 64)
	return n, err == nil
}

// fields are values by their names, whatever the case of these.
type fields map[string]text

// UnmarshalJSON implements [json.Unmarshaler].
func (f *fields) UnmarshalJSON(data []byte) error {
	var all map[string]text
	if err := json.Unmarshal(data, &all); err != nil {
		return fmt.Errorf("read an alert's fields: %w", err)
	}
	*f = make(fields, len(all))
	for name, value := range all {
		(*f)[strings.ToLower(name)] = value
	}
	return nil
}

// get is the value of a name; empty where there is none. Sysmon writes - for what it does
// not know.
func (f fields) get(name string) string {
	s := string(f[strings.ToLower(name)])
	if s == "-" {
		return ""
	}
	return s
}

// windows is a value as the event had it: Wazuh's agent writes a backslash before each
// backslash and each quote of an event's data.
func (f fields) windows(name string) string { return unescaped(f.get(name)) }

// unescaped takes these backslashes away, unless another one shows that the text is as it
// was.
func unescaped(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			i++
			if i == len(s) || s[i] != '\\' && s[i] != '"' {
				return s
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

func (f fields) number(name string) (int64, bool) { return f[strings.ToLower(name)].number() }

func (f fields) at(name string) time.Time { return momentOf(f.get(name)) }

// moment is a time as Wazuh writes it. What cannot be read is no time.
type moment struct{ time.Time }

// UnmarshalJSON implements [json.Unmarshaler].
func (m *moment) UnmarshalJSON(data []byte) error {
	m.Time = momentOf(strings.Trim(string(data), `"`))
	return nil
}

// The forms are those of the manager, of alerts, and of Sysmon, which are all in UTC where
// they do not say otherwise.
func momentOf(s string) time.Time {
	for _, layout := range []string{
		time.RFC3339Nano, "2006-01-02T15:04:05.999999999-0700", "2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999", "2006/01/02 15:04:05",
	} {
		if at, err := time.Parse(layout, s); err == nil {
			return at.UTC()
		}
	}
	return time.Time{}
}
