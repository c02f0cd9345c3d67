// Package splunk reads what Splunk's webhook alert action posts.
package splunk

import (
	"encoding/json"
	"fmt"

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
		Split: splitAlerts, Join: alerts.JoinList, Read: readAlert,
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
	a := incident.Alert{
		ID:       alertID(r, d),
		Status:   incident.Firing,
		Category: incident.Categories().Of(r.Text("result.category")),
		Rule:     r.Text("search_name"),
		Severity: r.Text("result.severity", "result.urgency"),
		Time:     r.Instant("result._time"),
		Count:    r.Integer("result.count", "result.event_count"),
		Process: incident.AlertProcess{
			Name:        r.Written("result.process_name"),
			Path:        r.Written("result.process_path"),
			PID:         r.PID("result.process_id", "result.pid"),
			CommandLine: r.Written("result.process"),
			User:        r.Written("result.user", "result.src_user"),
		},
		Destination: incident.AlertDestination{Transport: r.Transport("result.transport", "result.protocol")},
	}
	readEnds(r, &a)
	if word, ok := r.Text("result.alert_state").Get(); ok {
		if s, known := alerts.StatusOf(word); known {
			a.Status = s
		}
	}
	a.Window = alerts.Between(r.Instant("result.info_min_time"), r.Instant("result.info_max_time"))
	return a
}

// readEnds reads which of the machines sends, how much and where to.
// Sysmon's ComputerName is the machine that reports its own connection.
func readEnds(r *alerts.Reader, a *incident.Alert) {
	comesIn := alerts.Inbound(r.Text("result.direction", "result.network_direction"), r.Text("result.Initiated", "result.initiated"))
	reporter := []string{"result.ComputerName", "result.Computer"}
	source, destination := []string{"result.src_host", "result.src_nt_host"}, []string{"result.dest_host", "result.dest_nt_host"}
	if comesIn {
		destination = append(destination, reporter...)
	} else {
		source = append(source, reporter...)
	}
	sourceIPs, whySource := r.Addresses("result.src_ip", "result.src")
	destinationIPs, _ := r.Addresses("result.dest_ip", "result.dest")
	c := alerts.Connection{
		HostName: "the host", Inbound: comesIn, Sensor: true,
		Source: alerts.End{
			Field: "src", Names: r.Names(append(source, "result.src")...), IPs: sourceIPs, Port: r.Port("result.src_port"),
			Bytes: r.Size("result.bytes_out", "result.sum_bytes_out", "result.sum(bytes_out)"),
		},
		Destination: alerts.End{
			Field: "dest", IPs: destinationIPs, Port: r.Port("result.dest_port"),
			Bytes: r.Size("result.bytes_in", "result.sum_bytes_in", "result.sum(bytes_in)"),
		},
	}
	if comesIn {
		c.Destination.Names = r.Names(append(destination, "result.dest")...)
	}
	from := c.Source
	switch {
	case c.Source.IsKnown() || comesIn && c.Destination.IsKnown():
		a.Host, from = c.Watched()
	default:
		a.Host = alerts.Named(r.Names("result.host"), nil, whySource)
		seen := c.Destination.IsKnown() || alerts.Lookup(r.Fields, "result.dvc") != nil
		if name, ok := a.Host.Name.Get(); ok && seen && !a.Process.Name.IsKnown() && !a.Process.PID.IsKnown() {
			a.Host.Doubts = append(a.Host.Doubts, fmt.Sprintf("host %s is the sensor of a network event that does not say whose traffic it saw", alerts.Quote(name)))
		}
	}
	a.BytesOut, a.Destination.Port = from.Bytes, c.Destination.Port
	a.Destination.IP = r.Address("result.dest_ip", "result.dest")
	if from.Field == "dest" {
		a.Destination.Port, a.Destination.IP = c.Source.Port, r.Address("result.src_ip", "result.src")
	}
	a.Host.OS = r.OS("result.os", "result.src_os")
	if id := r.Text("result.device_id", "result.aid", "result.host_id"); len(a.Host.Doubts) == 0 && id.IsKnown() && !alerts.NobodysID(id.String()) {
		a.Host.ID = id
	}
}

// alertID is the search id and a digest of the row: one search may post many
// rows, each as a request of its own with the same id.
func alertID(r *alerts.Reader, d alerts.Document) string {
	sid, ok := r.Identity("sid").Get()
	if !ok {
		return ""
	}
	return sid + "#" + alerts.Digest(d.Fields["result"])[:12]
}
