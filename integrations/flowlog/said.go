package flowlog

import (
	"bytes"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// said is the text of a field, nil where the products' words say that there is none.
func said(v []byte) []byte {
	switch string(v) {
	case "", "-", "N/A", "NA", "n/a", "null", "None":
		return nil
	}
	return v
}

// once keeps a field. One that comes twice and differs may have been written by whom the log is about, into a text that
// stands before it.
func once(into *[]byte, name, v []byte) error {
	if v = said(v); v == nil {
		return nil
	}
	if *into != nil && !bytes.Equal(*into, v) {
		return fmt.Errorf("%s comes twice", clip(string(name)))
	}
	*into = v
	return nil
}

// short cuts a name at the longest that a record may have: what somebody is called is no reason to lose what they sent.
func short(name []byte) []byte {
	const most = 255
	if len(name) <= most {
		return name
	}
	name = name[:most]
	for len(name) > 0 && !utf8.Valid(name[len(name)-min(len(name), utf8.UTFMax):]) && !utf8.RuneStart(name[len(name)-1]) {
		name = name[:len(name)-1]
	}
	return name
}

// seconds reads a length of time, 0 where there is none.
func seconds(v []byte) (time.Duration, error) {
	if v == nil {
		return 0, nil
	}
	if n, ok := parseDigits(v); ok && n <= int64(flowmath.MaxDuration/time.Second) {
		return time.Duration(n) * time.Second, nil
	}
	return 0, fmt.Errorf("%q is not a length in seconds", clip(string(v)))
}
