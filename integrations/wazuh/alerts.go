package wazuh

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Alerts describes what an integration of Wazuh's manager posts.
func Alerts() alerts.Spec {
	return alerts.Spec{
		Kind:    "wazuh",
		Summary: "alerts of a Wazuh manager, posted by an integration (integratord)",
		Doc: "One alert document, also below `alert` or `all_fields`, a list of them, or several that follow one another. Of an event of Windows the host is the agent, or\n" +
			"the `computer` of the event where another one forwarded it. An event with both ends of a connection is of the agent only where\n" +
			"one end is its address: else the agent, or the manager itself (`000`), is a sensor. Which end is ours\n" +
			"is told by the source's `home_networks`, else by private addresses: as the destination it is the host only where it sent more,\n" +
			"is the target where it received more, and in doubt where that is not known. The agent's id is not read: two managers have the same ones. Wazuh tells neither bytes of a\n" +
			"process nor the window of a rule, and `firedtimes` counts what the rule found on all hosts: set `window` for the rule.",
		Identity:   "`id`, which the manager gives to each event",
		Occurrence: "`timestamp`",
		Example: `{
  "timestamp": "2026-03-01T03:12:45.123+0000", "id": "1772334765.3773656",
  "rule": { "id": "100203", "level": 10, "description": "UDP egress above 1 GiB in 15 minutes" },
  "agent": { "id": "042", "name": "ws-042", "ip": "10.20.0.42" }, "manager": { "name": "wazuh-1" },
  "data": { "win": { "system": { "computer": "ws-042.corp.example", "eventID": "3" }, "eventdata": {
    "image": "C:\\Users\\kim\\updater.exe", "processId": "4242", "protocol": "udp", "initiated": "true",
    "sourceIp": "10.20.0.42", "sourcePort": "50123", "destinationIp": "203.0.113.7", "destinationPort": "123" } } }
}
`,
		Fields: alertFields(),
		Split:  splitAlerts, Join: alerts.JoinList, Read: readAlert,
	}
}

func splitAlerts(body json.RawMessage) ([]alerts.Document, *alerts.FieldError) {
	if alerts.IsList(body) {
		return alerts.List("", body, "")
	}
	documents, bad := alerts.Stream(body)
	switch {
	case bad != nil:
		return nil, bad
	case len(documents) < 2:
		// What is wrong with it is wrong with the body.
		if _, bad := alerts.Object("", body); bad != nil {
			return nil, bad
		}
		return []alerts.Document{{Raw: body}}, nil
	}
	return documents, nil
}

// readAlert reads one alert document.
func readAlert(r *alerts.Reader, d alerts.Document) incident.Alert {
	for _, wrapper := range []string{"alert", "all_fields"} {
		if inner, ok := d.Fields[wrapper].(map[string]any); ok {
			r.Fields = inner
		}
	}
	if _, ok := r.Fields["rule"].(map[string]any); !ok {
		r.Fail("", "is no alert of Wazuh: it has no rule; post the alert's JSON document as it is")
	}
	f := alertFields()
	a := incident.Alert{
		Status:   incident.Firing,
		Rule:     r.Text(f.Of("rule")...),
		Severity: r.Text(f.Of("severity")...),
		Time:     r.Instant(f.Of("time")...),
	}
	a.ID, _ = r.Identity(f.Of("id")...).Get()
	if r.Lookup("data.win") != nil {
		readWindows(r, &a)
		return a
	}
	readSeen(r, &a)
	return a
}

// reporter is the agent as a host. The manager's own agent is none: it hears of others.
func reporter(r *alerts.Reader) incident.AlertHost {
	f := alertFields()
	if id, _ := r.Text(f.Of("agent")...).Get(); strings.Trim(id, "0") == "" {
		return incident.AlertHost{}
	}
	return r.Host(nil, f.Of("host.name"), f.Of("host.ip"))
}

// readWindows reads an event of Windows, which is of the computer that it names. Sysmon
// tells of the computer's own connections alone: it is the end that Initiated says.
func readWindows(r *alerts.Reader, a *incident.Alert) {
	f := alertFields()
	a.Process = incident.AlertProcess{
		PID: r.PID(f.Of("process.pid")...), CommandLine: r.Written(f.Of("process.command_line")...), User: r.Written(f.Of("process.user")...),
	}
	a.Process.Name, a.Process.Path = alerts.ImageOf(r.Written(f.Of("process.path")...))
	near, far, nearPort, farPort := "source of Windows", "destination of Windows", "source port of Windows", "destination port of Windows"
	comesIn := alerts.Inbound(incident.Value[string]{}, r.Text(f.Of("initiated")...))
	if comesIn {
		near, far, farPort = far, near, nearPort
	}
	ends, _ := r.Addresses(f.Of(near)...)
	a.Host = computer(r, ends)
	own, _ := a.Host.IP.Get()
	switch all := merged(own, ends); {
	case len(a.Host.Doubts) > 0 || len(all) == 0:
	case a.Host.Name.IsKnown():
		a.Host.IP = incident.Known(all, incident.FromAlert)
	default:
		a.Host = alerts.Named(nil, all, "")
	}
	if comesIn {
		a.Host.Doubts = append(a.Host.Doubts, "the connection came in to the host: which end sends is not known")
	}
	a.Host.OS = incident.Known("windows", incident.Computed)
	a.Destination = incident.AlertDestination{IP: r.Address(f.Of(far)...), Port: r.Port(f.Of(farPort)...), Transport: r.Transport(f.Of("destination.transport")...)}
}

// computer is the machine of an event of Windows with these addresses: the agent, unless the
// event names another one, and none of the addresses is the agent's.
func computer(r *alerts.Reader, ends []string) incident.AlertHost {
	agent := reporter(r)
	name, _ := agent.Name.Get()
	own, _ := agent.IP.Get()
	of := r.Names(alertFields().Of("computer")...)
	if len(of) != 1 || incident.SameName(of[0], name) || slices.ContainsFunc(ends, func(ip string) bool { return slices.Contains(own, ip) }) {
		return agent
	}
	return alerts.Named(of, nil, "the agent forwards events of others")
}

// merged are the addresses of both lists, each once.
func merged(a, b []string) []string {
	all := slices.Clone(a)
	for _, ip := range b {
		if !slices.Contains(all, ip) {
			all = append(all, ip)
		}
	}
	return all
}

// readSeen reads what an agent has from a log: of its own machine, or of a device whose log it
// collects.
func readSeen(r *alerts.Reader, a *incident.Alert) {
	f := alertFields()
	host := reporter(r)
	from, whyFrom := r.Addresses(f.Of("source.ip")...)
	to, _ := r.Addresses(f.Of("destination.ip")...)
	c := alerts.Connection{
		Host: host, HostName: "the agent", Inbound: r.ComesIn(from, to),
		Source:      alerts.End{Field: "the source " + strings.Join(from, " "), IPs: from, Port: r.Port(f.Of("source.port")...)},
		Destination: alerts.End{Field: "the destination " + strings.Join(to, " "), IPs: to, Port: r.Port(f.Of("destination.port")...)},
	}
	c.Source.Bytes, c.Destination.Bytes = bytesOf(r)
	a.Destination = incident.AlertDestination{IP: r.Address(f.Of("destination.ip")...), Port: c.Destination.Port, Transport: r.Transport(f.Of("destination.transport")...)}
	if len(from)+len(to) == 0 {
		a.Host = host
		return
	}
	if len(from) == 0 || len(to) == 0 {
		a.Host = besides(host, from, to)
		return
	}
	var end alerts.End
	var own bool
	a.Host, end, own = c.Sender()
	if !own && !r.AnyOurs(from) && !r.AnyOurs(to) {
		a.Host.Doubts = append(a.Host.Doubts, "neither end of the connection is known to be ours: name the site's networks in the source's home_networks")
	}
	a.BytesOut = end.Bytes
	if end.Field == c.Destination.Field {
		a.Destination.IP, a.Destination.Port = r.Address(f.Of("source.ip")...), c.Source.Port
	}
	if !a.Host.IP.IsKnown() && a.Host.IP.Why() == "" {
		a.Host.IP = incident.NotKnown[[]string](whyFrom)
	}
	r.Targeted(c)
}

// besides is the host of an alert that names one end of a connection: which of it and the
// agent sends, the alert does not say.
func besides(host incident.AlertHost, from, to []string) incident.AlertHost {
	other := slices.Concat(from, to)
	if ips, _ := host.IP.Get(); slices.Equal(ips, other) {
		return host
	}
	if !host.Named() {
		host = alerts.Named(nil, other, "")
	}
	host.Doubts = append(host.Doubts, fmt.Sprintf("the alert names %s alone, and does not say which machine sends", strings.Join(other, ", ")))
	return host
}

// bytesOf are what the source and the destination of an alert sent. Suricata counts by who
// asked first, and says in which direction the packet went that it found.
func bytesOf(r *alerts.Reader) (source, destination incident.Value[int64]) {
	f := alertFields()
	source, destination = r.Size(f.Of("source.bytes")...), r.Size(f.Of("destination.bytes")...)
	toServer, toClient := r.Size(f.Of("to server")...), r.Size(f.Of("to client")...)
	direction, _ := r.Text(f.Of("direction of Suricata")...).Get()
	switch direction {
	case "to_server":
		return toServer, toClient
	case "to_client":
		return toClient, toServer
	}
	if toServer.IsKnown() || toClient.IsKnown() {
		why := "the alert does not say which end asked first"
		return incident.NotKnown[int64](why), incident.NotKnown[int64](why)
	}
	return source, destination
}
