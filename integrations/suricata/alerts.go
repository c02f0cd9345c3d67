// Package suricata reads the alert events that Suricata writes as EVE JSON.
package suricata

import (
	"fmt"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Vendor is what this folder registers.
func Vendor() integrations.Vendor { return integrations.Vendor{Sources: []alerts.Spec{Alerts()}} }

// Alerts describes alert events.
func Alerts() alerts.Spec {
	return alerts.Spec{
		Kind:    "suricata",
		Summary: "alert events of Suricata (EVE JSON), posted by a shipper of logs",
		Doc: "Events of the type `alert`, one or several after one another, as Suricata writes them to eve.json. Other events start nothing.\n" +
			"The host is the end that is ours, by the `home_networks` of the source, else the private one; what is ours of two public\n" +
			"addresses is not known, so the source of the packet is in doubt. Who is client and who is server, and so who sent\n" +
			"how much, is said by `direction`, else by which end is `flow.src_ip`. What came in to our host starts nothing, unless our host sent\n" +
			"more than it received: then it answers, as a reflector does. `host` is the sensor. The severity 1 is the highest.",
		Identity:   "`flow_id`, with the ids of the rule",
		Occurrence: "`flow.start`, else `timestamp`",
		Example:    example,
		Varies:     []string{"2011908432976837", "201190843{n}", "10.20.0.42", "{ip}"},
		Fields:     fields(),
		Split:      alerts.Stream, Join: alerts.JoinStream, Read: readAlert,
		Began:   []string{"flow.start"},
		Updated: []string{"timestamp"},
	}
}

const example = `{
  "timestamp": "2026-03-01T03:12:45+0000", "flow_id": 2011908432976837, "event_type": "alert", "host": "sensor-1",
  "src_ip": "10.20.0.42", "src_port": 49152, "dest_ip": "203.0.113.7", "dest_port": 123, "proto": "UDP", "direction": "to_server",
  "alert": { "action": "allowed", "gid": 1, "signature_id": 1000001, "rev": 1, "signature": "LOCAL UDP flood from HOME_NET", "severity": 1 },
  "flow": { "pkts_toserver": 51234, "pkts_toclient": 12, "bytes_toserver": 4294967296, "bytes_toclient": 5120, "start": "2026-03-01T02:57:45+0000" }
}
`

// readAlert reads one event. What is no alert, is recorded: a shipper may send all of
// eve.json.
func readAlert(r *alerts.Reader, _ alerts.Document) incident.Alert {
	f := fields()
	kind, ok := r.Text(f.Of("event")...).Get()
	if !ok {
		r.Fail("event_type", "is missing: this is no event of Suricata")
	}
	a := incident.Alert{
		ID:       readID(r),
		Status:   incident.Firing,
		Rule:     r.Text(f.Of("rule")...),
		Severity: readSeverity(r),
		Time:     r.Instant(f.Of("time")...),
	}
	c := readConnection(r)
	a.Host, a.BytesOut, a.Destination = c.host(), c.from.sent, c.destination(r)
	if kind != "alert" {
		r.Silence(incident.NotAlerting, "it is an event of the type %s, not an alert: have the shipper send alerts alone", alerts.Quote(kind))
	}
	a.Window = alerts.Between(r.Instant(f.Of("window, from")...), a.Time)
	return a
}

// readID is the flow's id, which no float can hold, with those of the rule: several rules may
// see the same flow.
func readID(r *alerts.Reader) string {
	f := fields()
	flow, ok := r.Identity(f.Of("id")...).Get()
	rule, known := r.Identity(f.Of("rule's id")...).Get()
	if !ok || !known {
		return ""
	}
	group, _ := r.Identity(f.Of("rule's group")...).Get()
	return strings.Join([]string{flow, group, rule}, ":")
}

// readSeverity reads a priority, of which 1 is the highest.
func readSeverity(r *alerts.Reader) incident.Value[string] {
	n := r.Integer(fields().Of("severity")...)
	words := []string{"high", "medium", "low"}
	switch priority, ok := n.Get(); {
	case !ok:
		return incident.NotKnown[string](n.Why())
	case priority < 1 || priority > int64(len(words)):
		return incident.NotKnown[string](fmt.Sprintf("the alert gives the priority %d; of 1 to %d, 1 is the highest", priority, len(words)))
	default:
		return incident.Known(words[priority-1], incident.Computed)
	}
}
