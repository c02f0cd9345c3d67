package alerts

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// end is one end of a connection, as an alert tells it.
type end struct {
	field string // the field that gives the addresses, for people
	names []string
	ips   []string
	port  incident.Value[int64]
	bytes incident.Value[int64] // that this end sent
}

func (e end) isKnown() bool { return len(e.names)+len(e.ips) > 0 }

func (e end) isOf(ips []string) bool {
	return slices.ContainsFunc(e.ips, func(ip string) bool { return slices.Contains(ips, ip) })
}

// connection is what an alert says of who sent to whom. Where the host of the
// alert is an agent that reports another machine's traffic, it is the sensor.
type connection struct {
	source, destination end
	// host is the machine that reports, as far as the alert describes one.
	host     incident.AlertHost
	hostName string // for people
	// inbound says that the connection came in to the machine that is watched.
	inbound bool
	// sensor says that the machine that reports is a sensor, also where the alert
	// does not give its addresses.
	sensor bool
}

// inbound reports whether the words for a direction say that a connection came
// in. Sysmon says it by who initiated it.
func inbound(direction, initiated incident.Value[string]) bool {
	word, _ := direction.Get()
	if slices.Contains([]string{"inbound", "ingress", "incoming", "in", "received", "receive", "rx"}, strings.ToLower(word)) {
		return true
	}
	word, known := initiated.Get()
	return known && slices.Contains([]string{"false", "0", "no"}, strings.ToLower(word))
}

// sender decides which of the machines is the host of the alert: the one that
// sends. It is decided by the addresses, by the direction and, where that leaves
// it open, by who sent more; else the host is in doubt. From is its end of the
// connection. IsHost says that it is the machine that reports, so that what the
// alert says of a process holds.
func (c connection) sender() (host incident.AlertHost, from end, isHost bool) {
	ips, _ := c.host.IP.Get()
	switch {
	case len(c.host.Doubts) > 0:
		return c.host, c.source, true
	case !c.source.isKnown() && !c.destination.isKnown() && !c.sensor, c.source.isOf(ips):
		return c.host, c.source, true
	case c.destination.isOf(ips):
		return c.farEnd()
	case len(ips) == 0 && !c.sensor && c.host.Named():
		if c.inbound {
			c.host.IP = known(c.destination.ips, c.host.IP.Why())
			return c.farEnd()
		}
		c.host.IP = known(c.source.ips, c.host.IP.Why())
		return c.host, c.source, true
	case len(ips) > 0 && !c.sensor && !c.source.isKnown() && !c.inbound:
		return c.host, c.source, true // Only the far end is given.
	}
	host, from = c.watched()
	return host, from, false
}

// farEnd is the connection that came in to the host: it is the one that sends
// only where it sent more than it was sent.
func (c connection) farEnd() (host incident.AlertHost, from end, isHost bool) {
	in, heard := c.source.bytes.Get()
	out, told := c.destination.bytes.Get()
	switch {
	case told && out > in:
		return c.host, c.destination, true
	case heard && c.source.isKnown():
		return c.other(c.source, fmt.Sprintf("the connection came in to %s", c.hostName)), c.source, false
	}
	h := c.host
	h.Doubts = append(h.Doubts, fmt.Sprintf("the connection came in to %s: which end sends is not known", c.hostName))
	return h, c.destination, true
}

// watched is a connection between two other machines.
func (c connection) watched() (host incident.AlertHost, from end) {
	in, heard := c.source.bytes.Get()
	out, told := c.destination.bytes.Get()
	why := func(e end) string {
		if !c.host.Named() {
			return ""
		}
		return fmt.Sprintf("%s is a sensor, not %s", c.hostName, e.field)
	}
	switch answers := told && out > in; {
	case c.inbound && c.destination.isKnown() && (answers || !heard || !c.source.isKnown()):
		h := c.other(c.destination, why(c.destination))
		if !answers {
			h.Doubts = append(h.Doubts, fmt.Sprintf("the connection came in to %s: which end sends is not known", c.destination.field))
		}
		return h, c.destination
	case !c.source.isKnown():
		h := c.host
		h.Doubts = append(h.Doubts, fmt.Sprintf("%s is a sensor, and the alert does not say whose traffic it saw", c.hostName))
		return h, c.source
	}
	return c.other(c.source, why(c.source)), c.source
}

// other is the machine at one end, which is not the one that reports.
func (c connection) other(e end, why string) incident.AlertHost {
	h := named(e.names, e.ips, why)
	if !h.Name.IsKnown() && h.Name.Why() == "" {
		h.Name = incident.NotKnown[string](why)
	}
	return h
}

// unsaid makes what an alert says of a process unknown: it is of the machine
// that reports, and another one sends.
func unsaid(p *incident.AlertProcess, host incident.AlertHost) {
	why := host.Name.Why()
	*p = incident.AlertProcess{}
	incident.Explain(p, why)
}
