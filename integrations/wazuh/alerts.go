package wazuh

import (
	"cmp"
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
		Doc: "One alert document, also below `alert`, `all_fields` or the indexer's `_source`, a list of them, or several that follow one another; the hits\n" +
			"of a search, and the `results` that a monitor of OpenSearch's alerting posts. Of an event of Windows the host is the agent, or\n" +
			"the `computer` of the event where another one forwarded it. A connection that came in by Windows' own firewall log (5156) starts\n" +
			"nothing, and so do Wazuh's own responses, its sample data and what it finds in a configuration. An event with both ends of a connection is of the agent only where\n" +
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
		Varies: []string{"1772334765.3773656", "1772334765.{n}", "ws-042", "{host}", "10.20.0.42", "{ip}"},
		Fields: alertFields(),
		Split:  splitAlerts, Join: alerts.JoinList, Read: readAlert,
	}
}

// readAlert reads one alert document.
func readAlert(r *alerts.Reader, d alerts.Document) incident.Alert {
	f, hit := alertFields(), d.Fields
	for _, wrapper := range []string{"alert", "all_fields", "_source"} {
		if inner, ok := r.Fields[wrapper].(map[string]any); ok && r.Fields["rule"] == nil {
			r.Fields = inner
		}
	}
	r.Fields = alerts.ColumnsOf(r.Fields, "rule", "agent", "manager", "data")
	if _, ok := r.Fields["rule"].(map[string]any); !ok {
		r.Fail("", "is no alert of Wazuh: it has no rule; post the alert's JSON document as it is")
	}
	a := incident.Alert{
		Status:   incident.Firing,
		Rule:     r.Text(f.Of("rule")...),
		Severity: r.Text(f.Of("severity")...),
		Time:     r.Instant(f.Of("time")...),
	}
	id, _ := r.Identity(f.Of("id")...).Get()
	hitID, _ := r.Of(hit).Identity(f.Of("id of a hit")...).Get()
	a.ID = cmp.Or(id, hitID)
	silence(r)
	if r.Lookup("data.win") != nil {
		readWindows(r, &a)
		return a
	}
	readSeen(r, &a)
	return a
}

// silence has an alert start nothing that is no attack by what Wazuh says of it. Our own
// isolation is such a response: it must not open the next case.
func silence(r *alerts.Reader) {
	f := alertFields()
	if sample, _ := r.Flag(f.Of("sample")...).Get(); sample {
		r.Silence(incident.Sample, "it is of Wazuh's sample data")
	}
	for _, path := range f.Of("groups") {
		for _, group := range r.Texts(path) {
			switch strings.ToLower(group) {
			case "active_response":
				r.Silence(incident.NotAlerting, "it tells of a response that Wazuh carried out")
			case "sca", "vulnerability-detector", "oscap", "ciscat":
				r.Silence(incident.NotAlerting, "it is a finding about a configuration (%s)", group)
			}
		}
	}
}

// reporter is the agent as a host. The manager's own agent is none: it hears of others. An
// agent without an id is one, unless its name is the manager's.
func reporter(r *alerts.Reader) incident.AlertHost {
	f := alertFields()
	host := r.Host(nil, f.Of("host.name"), f.Of("host.ip"))
	id, told := r.Text(f.Of("agent")...).Get()
	manager, _ := r.Text(f.Of("manager")...).Get()
	name, _ := host.Name.Get()
	if told && strings.Trim(id, "0") == "" || !told && incident.SameName(name, manager) {
		return incident.AlertHost{}
	}
	return host
}

// readSeen reads what an agent has from a log: of its own machine, or of a device whose log it
// collects.
func readSeen(r *alerts.Reader, a *incident.Alert) {
	f := alertFields()
	host := reporter(r)
	from, whyFrom := r.Addresses(f.Of("source.ip")...)
	to, _ := r.Addresses(f.Of("destination.ip")...)
	c := alerts.Connection{
		// An agent of which no address is known may be a sensor as well as any other.
		Host: host, HostName: "the agent", Sensor: true,
		Inbound:     r.ComesIn(from, to),
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
