// Package splunk reads what Splunk's webhook alert action posts.
package splunk

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Vendor is what this folder registers.
func Vendor() integrations.Vendor { return integrations.Vendor{Sources: []alerts.Spec{Alerts()}} }

// Alerts describes what the webhook alert action posts.
func Alerts() alerts.Spec {
	return alerts.Spec{
		Kind:    "splunk",
		Summary: "results of a Splunk search, posted by its webhook alert action",
		Doc: "What the webhook alert action posts. Each request holds one row of the result, so let the alert trigger for each\n" +
			"result. Field names are those of the Common Information Model. The host is the machine at `src_host`, `src_ip` or `src`, or, of\n" +
			"a connection with the `direction` inbound, the one at `dest` where it sent more. The field `host` is the indexer's word for the\n" +
			"sensor and names the host only in a row that names nothing else. The action cannot set headers: use `url_token`.",
		Identity:   "`sid`, with a digest of the row",
		Occurrence: "`result._time`",
		Example: `{
  "sid": "scheduler__admin__search__RMD5_at_1772334600_42", "search_name": "UDP egress above 1 GiB in 15 minutes",
  "result": { "_time": "1772334765", "src_ip": "10.20.0.42", "src_host": "ws-042", "dest_ip": "203.0.113.7", "dest_port": "123", "bytes_out": "4294967296" }
}
`,
		Fields: fields(),
		Split:  splitAlerts, Join: alerts.JoinList, Read: readAlert,
	}
}

// splitAlerts takes what the webhook alert action posts, or a list of such.
func splitAlerts(body json.RawMessage) ([]alerts.Document, *alerts.FieldError) {
	if alerts.IsList(body) {
		return alerts.List("", body, "")
	}
	if _, bad := alerts.Object("", body); bad != nil {
		return nil, bad
	}
	return []alerts.Document{{Raw: body}}, nil
}

// readAlert reads one post of the webhook alert action: the id of the search,
// its name, and one row of its result, in which every value is text. Field
// names follow Splunk's Common Information Model.
//
// The field host is the indexer's name of the event's sender, which for network
// events is the Sensor: it names the host only in a row without another name.
func readAlert(r *alerts.Reader, d alerts.Document) incident.Alert {
	if _, ok := d.Fields["result"].(map[string]any); !ok {
		r.Fail("result", "is %s, not the row of a search result", alerts.KindOf(d.Fields["result"]))
	}
	f := fields()
	a := incident.Alert{
		ID:       alertID(r, d),
		Status:   incident.Firing,
		Category: incident.Categories().Of(r.Text(f.Of("category")...)),
		Rule:     r.Text(f.Of("rule")...),
		Severity: r.Text(f.Of("severity")...),
		Time:     r.Instant(f.Of("time")...),
		Count:    r.Integer(f.Of("count")...),
		Process: incident.AlertProcess{
			Name:        r.Written(f.Of("process.name")...),
			Path:        r.Written(f.Of("process.path")...),
			PID:         r.PID(f.Of("process.pid")...),
			CommandLine: r.Written(f.Of("process.command_line")...),
			User:        r.Written(f.Of("process.user")...),
		},
		Destination: incident.AlertDestination{Transport: r.Transport(f.Of("destination.transport")...)},
	}
	readEnds(r, &a)
	if word, ok := r.Text(f.Of("status")...).Get(); ok {
		if s, known := alerts.StatusOf(word); known {
			a.Status = s
		}
	}
	a.Window = alerts.Between(r.Instant(f.Of("window, from")...), r.Instant(f.Of("window, to")...))
	return a
}

// readEnds reads which of the machines sends, how much and where to.
// Sysmon's ComputerName is the machine that reports its own connection.
func readEnds(r *alerts.Reader, a *incident.Alert) {
	f := fields()
	comesIn := alerts.Inbound(r.Text(f.Of("direction")...), r.Text(f.Of("initiated")...))
	sourceReporter, destinationReporter := f.Of("reporter"), []string(nil)
	if comesIn {
		sourceReporter, destinationReporter = destinationReporter, sourceReporter
	}
	sourceIPs, whySource := r.Addresses(f.Of("source.ip")...)
	destinationIPs, _ := r.Addresses(f.Of("destination.ip")...)
	c := alerts.Connection{
		HostName: "the host", Inbound: comesIn, Sensor: true,
		Source: alerts.End{
			Field: "src", Names: r.Names(slices.Concat(f.Of("source.name"), sourceReporter, f.Of("source"))...), IPs: sourceIPs, Port: r.Port(f.Of("source.port")...),
			Bytes: r.Size(f.Of("source.bytes")...),
		},
		Destination: alerts.End{
			Field: "dest", IPs: destinationIPs, Port: r.Port(f.Of("destination.port")...),
			Bytes: r.Size(f.Of("destination.bytes")...),
		},
	}
	if comesIn {
		c.Destination.Names = r.Names(slices.Concat(f.Of("destination.name"), destinationReporter, f.Of("destination"))...)
	}
	from := c.Source
	switch {
	case c.Source.IsKnown() || comesIn && c.Destination.IsKnown():
		a.Host, from = c.Watched()
	default:
		a.Host = alerts.Named(r.Names(f.Of("host.name")...), nil, whySource)
		seen := c.Destination.IsKnown() || slices.ContainsFunc(f.Of("device"), func(path string) bool { return r.Lookup(path) != nil })
		if name, ok := a.Host.Name.Get(); ok && seen && !a.Process.Name.IsKnown() && !a.Process.PID.IsKnown() {
			a.Host.Doubts = append(a.Host.Doubts, fmt.Sprintf("host %s is the sensor of a network event that does not say whose traffic it saw", alerts.Quote(name)))
		}
	}
	a.BytesOut, a.Destination.Port = from.Bytes, c.Destination.Port
	a.Destination.IP = r.Address(f.Of("destination.ip")...)
	if from.Field == "dest" {
		a.Destination.Port, a.Destination.IP = c.Source.Port, r.Address(f.Of("source.ip")...)
	}
	a.Host.OS = r.OS(f.Of("host.os")...)
	if id := r.Text(f.Of("host.id")...); len(a.Host.Doubts) == 0 && id.IsKnown() && !alerts.NobodysID(id.String()) {
		a.Host.ID = id
	}
}

// alertID is the search id and a digest of the row: one search may post many
// rows, each as a request of its own with the same id.
func alertID(r *alerts.Reader, d alerts.Document) string {
	sid, ok := r.Identity(fields().Of("id")...).Get()
	if !ok {
		return ""
	}
	return sid + "#" + alerts.Digest(d.Fields["result"])[:12]
}
