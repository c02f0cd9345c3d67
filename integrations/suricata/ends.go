package suricata

import (
	"fmt"
	"strings"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// end is one end of a connection.
type end struct {
	// field is the name of its addresses in the fields, port that of its port.
	field, port string
	ips         []string
	// why says why there are no addresses.
	why  string
	ours incident.Value[bool]
	sent incident.Value[int64]
}

// connection is who sends to whom, as far as an event tells it.
type connection struct {
	from, to end
	// doubt is why it is not certain that from is ours.
	doubt string
}

// readConnection decides which end is our host. Where the packet came in to it, it is the
// target, unless it answers with more than it received.
func readConnection(r *alerts.Reader) connection {
	src, dest := readEnd(r, "source"), readEnd(r, "destination")
	src.sent, dest.sent = readBytes(r, src)
	mine := func(e end) bool { ours, _ := e.ours.Get(); return ours }
	in, heard := src.sent.Get()
	out, told := dest.sent.Get()
	answers := heard && told && out > in
	switch {
	case mine(dest) && answers:
		return connection{from: dest, to: src}
	case mine(src):
		return connection{from: src, to: dest}
	case mine(dest):
		r.Silence(incident.NotAlerting, "the traffic came in to our host %s, which is not said to have sent more than it received", dest.ips[0])
		return connection{from: dest, to: src}
	}
	c := connection{from: src, to: dest}
	switch {
	case len(src.ips) == 0:
	case src.ours.IsKnown():
		c.doubt = "neither end is in home_networks: which one is ours is not known"
	default:
		c.doubt = src.ours.Why() + ": which end is ours is not known"
	}
	return c
}

func readEnd(r *alerts.Reader, name string) end {
	e := end{field: name + ".ip", port: name + ".port"}
	e.ips, e.why = r.Addresses(fields().Of(e.field)...)
	if len(e.ips) > 0 {
		e.ours = r.Ours(e.ips[0])
	}
	return e
}

// host is the end that sends.
func (c connection) host() incident.AlertHost {
	h := alerts.Named(nil, c.from.ips, c.from.why)
	if c.doubt != "" {
		h.Doubts = append(h.Doubts, c.doubt)
	}
	return h
}

// destination is the other end. Protocols without ports have the port 0 there.
func (c connection) destination(r *alerts.Reader) incident.AlertDestination {
	f := fields()
	d := incident.AlertDestination{IP: r.Address(f.Of(c.to.field)...), Port: r.Port(f.Of(c.to.port)...), Transport: r.Transport(f.Of("destination.transport")...)}
	if port, ok := d.Port.Get(); ok && port == 0 {
		d.Port = incident.NotKnown[int64]("0 is the port of a protocol without ports")
	}
	return d
}

// readBytes reads what the source of the packet sent over the whole flow, and what the other end
// did. The counters are of client and server.
func readBytes(r *alerts.Reader, src end) (source, destination incident.Value[int64]) {
	f := fields()
	toServer, toClient := r.Size(f.Of("bytes to server")...), r.Size(f.Of("bytes to client")...)
	isClient := readClient(r, src)
	if action, _ := r.Text(f.Of("action")...).Get(); strings.EqualFold(action, "blocked") {
		isClient = incident.NotKnown[bool]("Suricata blocked packets of the flow: what it counted did not all leave")
	}
	client, ok := isClient.Get()
	switch {
	case !toServer.IsKnown() && !toClient.IsKnown():
		return toServer, toClient
	case !ok:
		unknown := incident.NotKnown[int64](isClient.Why())
		return unknown, unknown
	case client:
		return toServer, toClient
	}
	return toClient, toServer
}

// readClient reads whether the source of the packet is the client of the flow.
func readClient(r *alerts.Reader, src end) incident.Value[bool] {
	f := fields()
	direction, _ := r.Text(f.Of("direction")...).Get()
	switch direction {
	case "to_server":
		return incident.Known(true, incident.FromAlert)
	case "to_client":
		return incident.Known(false, incident.FromAlert)
	}
	client, ok := r.Address(f.Of("client.ip")...).Get()
	server, known := r.Address(f.Of("server.ip")...).Get()
	switch {
	case !ok || !known || client == server || len(src.ips) != 1:
	case src.ips[0] == client:
		return incident.Known(true, incident.Computed)
	case src.ips[0] == server:
		return incident.Known(false, incident.Computed)
	}
	return incident.NotKnown[bool](fmt.Sprintf("the event does not say whether %s is the client", strings.Join(src.ips, " ")))
}
