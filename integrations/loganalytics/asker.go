package loganalytics

import (
	"context"
	"net/netip"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// asker asks for one operation.
type asker struct {
	*Store
	op string
}

// rows runs a statement, and has each row read.
func (a asker) rows(ctx context.Context, st *statement, read func(*reader)) error {
	rows, err := a.ask(ctx, a.op, st.String(), st.first, st.last)
	if err != nil {
		return err
	}
	for _, one := range rows {
		r := &reader{row: one}
		if read(r); r.err != nil {
			return integrations.Errorf(integrations.Unavailable, a.op, "%w", r.err)
		}
	}
	return nil
}

// address reads a column's address, in whichever spelling.
func (r *reader) address(column string) netip.Addr {
	addr, ok := flowmath.AddressIn(r.text(column))
	if !ok {
		r.fail(column, "no address")
	}
	return addr
}

// peer reads the address of a peer. What is none, which firewalls may write, is one peer that
// nobody has: what was sent to it was sent.
func (r *reader) peer() netip.Addr {
	if addr, ok := flowmath.AddressIn(r.text("Peer")); ok {
		return addr
	}
	return netip.IPv6Unspecified()
}

// Views implements [flowmath.Asker].
func (a asker) Views(ctx context.Context, q flowmath.Question, largest bool) ([]flowmath.View, error) {
	st := a.statement(q).views()
	if largest {
		st.largest(3*flowmath.SampleFlows, "Measured desc, Sent desc, Begun desc")
	} else {
		st.few(q.Most + 1)
	}
	var views []flowmath.View
	var sensors flowmath.Sensors
	err := a.rows(ctx, st, func(r *reader) { views = append(views, a.view(r, &sensors)) })
	return views, err
}

func (a asker) view(r *reader, sensors *flowmath.Sensors) flowmath.View {
	v := flowmath.View{
		Start: r.at("Begun").UnixNano(), End: r.at("Ended").UnixNano(),
		Ends: flowmath.Ends{
			Local: r.address("Local"), Remote: r.peer(), LocalPort: r.port("LocalPort"), RemotePort: r.port("PeerPort"),
			Transport: transport(r.text("Proto")),
		},
		Opened: r.truth("Opened"), Measured: r.truth("Measured"), OneWay: r.truth("OneWay"), Blank: flowmath.Blank(r.whole("Blank")),
		Sent: flowmath.Whole(r.float("Sent")), Received: flowmath.Whole(r.float("Received")), Packets: flowmath.NotSeen,
		Adds: a.layout.grows, Sensor: sensors.Number(r.text("Sensor")),
	}
	if packets := r.float("Packets"); packets >= 0 {
		v.Packets = flowmath.Whole(packets)
	}
	v.Low, v.High = v.Sent, v.Sent
	return v
}

// transport is the one name of a protocol. Traffic analytics writes a letter.
func transport(text string) string {
	switch text {
	case "t":
		return "tcp"
	case "u":
		return "udp"
	case "":
		return "unknown"
	}
	return flowmath.TransportName(text)
}

// Lines implements [flowmath.Asker]. Each 5-tuple counts once.
func (a asker) Lines(ctx context.Context, q flowmath.Question, of flowmath.Lines) ([]flowmath.Line, error) {
	st := a.statement(q)
	read := a.service
	switch of {
	case flowmath.Services:
		st.services().largest(q.Most+1, largestFirst)
	case flowmath.LargestService:
		st.services().where("SentFlows > 0").then("summarize", "arg_max(Sent, *) by Local")
	case flowmath.Totals:
		st.totals(q.Each)
		read = a.total
	case flowmath.Ranking:
		st.ranked().largest(q.Most, "Sent desc, Local asc")
		read = func(r *reader) flowmath.Line { return flowmath.Line{Host: r.address("Local")} }
	}
	var lines []flowmath.Line
	err := a.rows(ctx, st, func(r *reader) { lines = append(lines, read(r)) })
	for i := range lines {
		lines[i].First, lines[i].Last = max(lines[i].First, q.From.UnixNano()), min(lines[i].Last, q.To.UnixNano())
	}
	return lines, err
}

// service reads a row with a service.
func (a asker) service(r *reader) flowmath.Line {
	line := flowmath.Line{Host: r.address("Local"), Exchange: exchange(r)}
	line.Service = flowmath.Service{Peer: r.peer(), Port: r.port("Port"), Transport: transport(r.text("Proto")), Opened: r.truth("Opened")}
	return line
}

// total reads a row with the sums of a host, or of all.
func (a asker) total(r *reader) flowmath.Line {
	line := flowmath.Line{Exchange: exchange(r), Destinations: r.whole("Destinations")}
	if r.text("Local") != "" {
		line.Host = r.address("Local")
	}
	return line
}

func exchange(r *reader) flowmath.Exchange {
	sum := func(column string) int64 { return flowmath.Whole(r.float(column)) }
	x := flowmath.Exchange{
		Sent: sum("Sent"), Received: sum("Received"), Packets: sum("Packets"), Low: sum("Low"), High: sum("High"),
		Flows: r.whole("Flows"), Measured: r.whole("Measured"), OneWay: r.whole("OneWay"), SentFlows: r.whole("SentFlows"),
		Uncounted: r.truth("Uncounted"), Blank: flowmath.Blank(r.whole("Blank")),
		First: r.at("Begun").UnixNano(), Last: r.at("Ended").UnixNano(),
	}
	if first, last := r.port("FirstPort"), r.port("LastPort"); first == last {
		x.PeerPort = first
	}
	return x
}

// Parts implements [flowmath.Asker].
func (a asker) Parts(ctx context.Context, q flowmath.Question, length time.Duration) ([]flowmath.Part, error) {
	st := a.statement(q).parts(length, int(q.To.Sub(q.From)/length))
	var parts []flowmath.Part
	err := a.rows(ctx, st, func(r *reader) {
		parts = append(parts, flowmath.Part{
			Window: int(r.whole("Window")), Sent: flowmath.Whole(r.float("Sent")), Measured: uint64(r.whole("Measured")), OneWay: uint64(r.whole("OneWay")),
		})
	})
	return parts, err
}

// Seen implements [flowmath.Asker]. A time without a beginning is read from one day before
// its end.
func (a asker) Seen(ctx context.Context, q flowmath.Question) (bool, error) {
	if q.From.IsZero() {
		q.From = q.To.Add(-flowmath.Hearing)
	}
	st := a.statement(q).few(1)
	st.summarize([]string{"Records = count()"})
	seen := false
	err := a.rows(ctx, st, func(r *reader) { seen = r.whole("Records") > 0 })
	return seen, err
}
