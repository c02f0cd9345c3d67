package alerts

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// End is one end of a connection, as an alert gives it.
type End struct {
	Field string // the field that gives the addresses, for people
	Names []string
	IPs   []string
	Port  incident.Value[int64]
	Bytes incident.Value[int64] // that this end sent
}

// IsKnown reports whether the alert names a host at this end.
func (e End) IsKnown() bool { return len(e.Names)+len(e.IPs) > 0 }

func (e End) isOf(ips []string) bool {
	return slices.ContainsFunc(e.IPs, func(ip string) bool { return slices.Contains(ips, ip) })
}

// Connection is an alert's data about who sent to whom. Where the host of the
// alert is an agent that reports another machine's traffic, it is the sensor.
type Connection struct {
	Source, Destination End
	// Host is the machine that reports, as far as the alert describes one.
	Host     incident.AlertHost
	HostName string // for people
	// Inbound reports that the connection came in to the machine that is watched.
	Inbound bool
	// Sensor reports that the machine that reports is a sensor, also where the alert
	// does not give its addresses.
	Sensor bool
}

// Inbound reports whether the words for a direction mean that a connection came
// in. Sysmon gives it by who initiated it, and the log of Windows' firewall by the number of a
// message.
func Inbound(direction, initiated incident.Value[string]) bool {
	word, _ := direction.Get()
	if slices.Contains([]string{"inbound", "ingress", "incoming", "in", "received", "receive", "rx", "%%14592"}, strings.ToLower(word)) {
		return true
	}
	word, known := initiated.Get()
	return known && slices.Contains([]string{"false", "0", "no"}, strings.ToLower(word))
}

// Sender decides which of the machines is the host of the alert: the one that
// sends. It is decided by the addresses, by the direction and, where that leaves
// it open, by who sent more; else the host is in doubt. From is its end of the
// connection. IsHost reports whether it is the machine that reports, so that the
// alert's data about a process applies to it.
func (c Connection) Sender() (host incident.AlertHost, from End, isHost bool) {
	ips, _ := c.Host.IP.Get()
	switch {
	case len(c.Host.Doubts) > 0:
		return c.Host, c.Source, true
	case !c.Source.IsKnown() && !c.Destination.IsKnown() && !c.Sensor, c.Source.isOf(ips):
		return c.Host, c.Source, true
	case c.Destination.isOf(ips):
		return c.farEnd()
	case len(ips) == 0 && !c.Sensor && c.Host.Named():
		if c.Inbound {
			c.Host.IP = known(c.Destination.IPs, c.Host.IP.Why())
			return c.farEnd()
		}
		c.Host.IP = known(c.Source.IPs, c.Host.IP.Why())
		return c.Host, c.Source, true
	case len(ips) > 0 && !c.Sensor && !c.Source.IsKnown() && !c.Inbound:
		return c.Host, c.Source, true // Only the far end is given.
	}
	host, from = c.Watched()
	return host, from, false
}

// farEnd is the connection that came in to the host: it is the one that sends
// only where it sent more than it received.
func (c Connection) farEnd() (host incident.AlertHost, from End, isHost bool) {
	in, heard := c.Source.Bytes.Get()
	out, told := c.Destination.Bytes.Get()
	switch {
	case told && out > in:
		return c.Host, c.Destination, true
	case heard && told && c.Source.IsKnown():
		return c.other(c.Source, fmt.Sprintf("the connection came in to %s", c.HostName)), c.Source, false
	}
	h := c.Host
	h.Doubts = append(h.Doubts, fmt.Sprintf("the connection came in to %s: which end sends is not known", c.HostName))
	return h, c.Destination, true
}

// Watched is a connection between two other machines.
func (c Connection) Watched() (host incident.AlertHost, from End) {
	in, heard := c.Source.Bytes.Get()
	out, told := c.Destination.Bytes.Get()
	why := func(e End) string {
		if !c.Host.Named() {
			return ""
		}
		return fmt.Sprintf("%s is a sensor, not %s", c.HostName, e.Field)
	}
	switch answers := told && out > in; {
	case c.Inbound && c.Destination.IsKnown() && (answers || !heard || !told || !c.Source.IsKnown()):
		h := c.other(c.Destination, why(c.Destination))
		if !answers {
			h.Doubts = append(h.Doubts, fmt.Sprintf("the connection came in to %s: which end sends is not known", c.Destination.Field))
		}
		return h, c.Destination
	case !c.Source.IsKnown():
		h := c.Host
		h.Doubts = append(h.Doubts, fmt.Sprintf("%s is a sensor, and the alert does not say whose traffic it saw", c.HostName))
		return h, c.Source
	}
	return c.other(c.Source, why(c.Source)), c.Source
}

// other is the machine at one end, which is not the one that reports.
func (c Connection) other(e End, why string) incident.AlertHost {
	h := Named(e.Names, e.IPs, why)
	if !h.Name.IsKnown() && h.Name.Why() == "" {
		h.Name = incident.NotKnown[string](why)
	}
	return h
}

// Unsaid makes an alert's data about a process unknown: it is of the machine
// that reports, and another one sends.
func Unsaid(p *incident.AlertProcess, host incident.AlertHost) {
	why := host.Name.Why()
	*p = incident.AlertProcess{}
	incident.Explain(p, why)
}
