package flowlog

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// squidNative is the layout that Squid calls squid.
const squidNative = "%ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %[un %Sh/%<a %mt"

func formatSquid() Format {
	return Format{
		Name: "squid", Title: "Squid access log",
		Doc: "The access log in the native layout, or in any other that is given. The native one says what a client got and not what it sent: that is unknown. " +
			"Use one with `%>st`, which is what the client sent:\n\n" +
			"```\nlogformat stanch %ts.%03tu %tr %>a %>p %Ss/%03>Hs %>st %<st %rm %ru %un %Sh/%<a:%<p\naccess_log daemon:/var/log/squid/access.log stanch\n```\n\n" +
			"Each line counts for itself. What was denied, or answered from the cache, did not leave. A tunnel's line comes when it ends. With a parent proxy the destination is that proxy; " +
			"where `%<a` is a name the line is bad.",
		Layout: "Squid's own codes, as in `logformat` without its name. It needs `%>a`, `%<a` and a time: `%ts` (with `%tu`), `%tl` or `%tg`. " +
			"Others are read if they are `%tr`, `%>p`, `%<p`, `%Ss`, `%Sh`, `%>st`, `%<st`, `%rm`, `%ru`, `%un`, `%ul`, `%ui`, `%>A`.",
		Exit: incident.ExitProxy, Frame: ByLine, Begins: beginsSquid,
		New: func(o Options) (Parser, error) {
			layout := o.Layout
			if layout == "" {
				layout = squidNative
			}
			return newSquid(layout)
		},
	}
}

func beginsSquid(head []byte) bool {
	p, err := newSquid(squidNative)
	if err != nil || p.split(firstLine(head)) != nil {
		return false
	}
	v := &p.values
	_, ok := epochTime(v[squidSeconds])
	return ok && len(v[squidMillis]) == 3 && (bytes.HasPrefix(v[squidStatus], []byte("TCP_")) || bytes.HasPrefix(v[squidStatus], []byte("NONE")) ||
		bytes.HasPrefix(v[squidStatus], []byte("UDP_")))
}

// squid reads the lines of a layout.
type squid struct {
	lineByLine
	parts  []squidPart
	values [squidFields][]byte
	people names
}

func newSquid(layout string) (*squid, error) {
	parts, err := squidLayout(layout)
	if err != nil {
		return nil, err
	}
	return &squid{parts: parts}, nil
}

// split finds the values of a line.
func (p *squid) split(line []byte) error {
	p.values = [squidFields][]byte{}
	rest := line
	for i := range p.parts {
		part := &p.parts[i]
		if part.literal != nil {
			if !bytes.HasPrefix(rest, part.literal) {
				return fmt.Errorf("the line does not have the layout: no %q at %q", part.literal, clip(string(rest)))
			}
			rest = rest[len(part.literal):]
			if part.literal[len(part.literal)-1] == ' ' {
				rest = bytes.TrimLeft(rest, " ") // values are padded
			}
			continue
		}
		end := len(bytes.TrimRight(rest, " "))
		if i+1 == len(p.parts) {
			// A blank within the last value is one of another: a URL's would make its words other fields.
			if bytes.IndexByte(rest[:end], ' ') >= 0 {
				return fmt.Errorf("the line does not have the layout: it goes on with %q", clip(string(rest)))
			}
		} else {
			if end = squidEnd(rest, p.parts[i+1].literal); end < 0 {
				return fmt.Errorf("the line does not have the layout: no %q", p.parts[i+1].literal)
			}
		}
		if v := said(rest[:end]); v != nil && part.field != squidOther {
			p.values[part.field] = v // of several names of the user the last one that there is
		}
		rest = rest[end:]
	}
	if len(bytes.TrimRight(rest, " ")) > 0 {
		return fmt.Errorf("the line does not have the layout: it goes on with %q", clip(string(rest)))
	}
	return nil
}

// squidEnd is where a value ends before a text, or -1. In quotes, a quote after a backslash does not end it.
func squidEnd(b, literal []byte) int {
	if literal[0] != '"' {
		return bytes.Index(b, literal)
	}
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] == '\\':
			i++
		case bytes.HasPrefix(b[i:], literal):
			return i
		}
	}
	return -1
}

// Parse implements [Parser].
func (p *squid) Parse(line []byte, e *Entry) error {
	if err := p.split(line); err != nil {
		return err
	}
	v := &p.values
	end, err := p.end()
	if err != nil {
		return err
	}
	status, hierarchy := v[squidStatus], v[squidHierarchy]
	switch {
	case bytes.Contains(status, []byte("DENIED")) && !bytes.Contains(status, []byte("DENIED_REPLY")):
		return fmt.Errorf("%w: denied", ErrNoFlow)
	case v[squidServer] == nil && (hierarchy == nil || bytes.HasSuffix(hierarchy, []byte("NONE"))):
		return fmt.Errorf("%w: no server was asked", ErrNoFlow)
	}
	s := firewallSession{
		src: v[squidClient], dst: v[squidServer], srcPort: v[squidClientPort], dstPort: v[squidServerPort], protocol: []byte("tcp"),
		sent: v[squidSent], received: v[squidReceived], user: p.people.of(short(squidUser(v[squidLogin]))), device: p.people.of(short(v[squidClientName])),
		sensor: "squid", adds: true, payload: true,
	}
	if s.dstPort == nil {
		s.dstPort = urlPort(nil, v[squidURL])
	}
	var length int64
	if v[squidMillisTaken] != nil {
		var ok bool
		if length, ok = parseDigits(v[squidMillisTaken]); !ok || length > 1e12 {
			return fmt.Errorf("%q is not a length in milliseconds", clip(string(v[squidMillisTaken])))
		}
	}
	s.length = time.Duration(length) * time.Millisecond
	s.start = end.Add(-s.length)
	return e.firewall(&s)
}

// end is when the line was written.
func (p *squid) end() (time.Time, error) {
	v := &p.values
	if text := v[squidClock]; text != nil {
		t, err := time.Parse("02/Jan/2006:15:04:05 -0700", string(text[:min(len(text), 40)]))
		if err != nil {
			return t, notTime(text)
		}
		return t.UTC(), nil
	}
	t, ok := epochTime(v[squidSeconds])
	if !ok {
		return t, notTime(v[squidSeconds])
	}
	if v[squidMillis] == nil {
		return t, nil
	}
	millis, ok := parseDigits(v[squidMillis])
	if !ok || millis > 999 {
		return t, errors.New("the milliseconds are none")
	}
	return t.Add(time.Duration(millis) * time.Millisecond), nil
}

// squidUser is a name without the escapes of a URL that Squid writes.
func squidUser(b []byte) []byte {
	if bytes.IndexByte(b, '%') < 0 {
		return b
	}
	if s, err := url.PathUnescape(string(b)); err == nil {
		return []byte(s)
	}
	return b
}
