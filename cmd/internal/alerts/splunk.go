package alerts

import (
	"encoding/json"
	"fmt"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// splitSplunk takes what the webhook alert action posts, or a list of such.
func splitSplunk(body json.RawMessage) ([]document, *FieldError) {
	if isList(body) {
		return list("", body, "")
	}
	if _, bad := object("", body); bad != nil {
		return nil, bad
	}
	return []document{{raw: body}}, nil
}

// readSplunk reads one post of the webhook alert action: the id of the search,
// its name, and one row of its result, in which every value is text. Field
// names follow Splunk's Common Information Model.
//
// The field host is the indexer's word for who sent the event, which of network
// events is the sensor: it names the host only in a row that names nothing else.
func readSplunk(r *reader, d document) incident.Alert {
	if _, ok := d.fields["result"].(map[string]any); !ok {
		r.fail("result", "is %s, not the row of a search result", kindOf(d.fields["result"]))
	}
	a := incident.Alert{
		ID:       splunkID(r, d),
		Status:   incident.Firing,
		Category: incident.Categories().Of(r.text("result.category")),
		Rule:     r.text("search_name"),
		Severity: r.text("result.severity", "result.urgency"),
		Time:     r.instant("result._time"),
		Count:    r.integer("result.count", "result.event_count"),
		Process: incident.AlertProcess{
			Name:        r.written("result.process_name"),
			Path:        r.written("result.process_path"),
			PID:         r.pid("result.process_id", "result.pid"),
			CommandLine: r.written("result.process"),
			User:        r.written("result.user", "result.src_user"),
		},
		Destination: incident.AlertDestination{Transport: r.transport("result.transport", "result.protocol")},
	}
	readSplunkEnds(r, &a)
	if word, ok := r.text("result.alert_state").Get(); ok {
		if s, known := statusOf(word); known {
			a.Status = s
		}
	}
	a.Window = between(r.instant("result.info_min_time"), r.instant("result.info_max_time"))
	return a
}

// readSplunkEnds reads which of the machines sends, how much and where to.
// Sysmon's ComputerName is the machine that reports its own connection.
func readSplunkEnds(r *reader, a *incident.Alert) {
	comesIn := inbound(r.text("result.direction", "result.network_direction"), r.text("result.Initiated", "result.initiated"))
	reporter := []string{"result.ComputerName", "result.Computer"}
	source, destination := []string{"result.src_host", "result.src_nt_host"}, []string{"result.dest_host", "result.dest_nt_host"}
	if comesIn {
		destination = append(destination, reporter...)
	} else {
		source = append(source, reporter...)
	}
	sourceIPs, whySource := r.addresses("result.src_ip", "result.src")
	destinationIPs, _ := r.addresses("result.dest_ip", "result.dest")
	c := connection{
		hostName: "the host", inbound: comesIn, sensor: true,
		source: end{
			field: "src", names: r.names(append(source, "result.src")...), ips: sourceIPs, port: r.port("result.src_port"),
			bytes: r.size("result.bytes_out", "result.sum_bytes_out", "result.sum(bytes_out)"),
		},
		destination: end{
			field: "dest", ips: destinationIPs, port: r.port("result.dest_port"),
			bytes: r.size("result.bytes_in", "result.sum_bytes_in", "result.sum(bytes_in)"),
		},
	}
	if comesIn {
		c.destination.names = r.names(append(destination, "result.dest")...)
	}
	from := c.source
	switch {
	case c.source.isKnown() || comesIn && c.destination.isKnown():
		a.Host, from = c.watched()
	default:
		a.Host = named(r.names("result.host"), nil, whySource)
		seen := c.destination.isKnown() || lookup(r.fields, "result.dvc") != nil
		if name, ok := a.Host.Name.Get(); ok && seen && !a.Process.Name.IsKnown() && !a.Process.PID.IsKnown() {
			a.Host.Doubts = append(a.Host.Doubts, fmt.Sprintf("host %s is the sensor of a network event that does not say whose traffic it saw", quote(name)))
		}
	}
	a.BytesOut, a.Destination.Port = from.bytes, c.destination.port
	a.Destination.IP = r.address("result.dest_ip", "result.dest")
	if from.field == "dest" {
		a.Destination.Port, a.Destination.IP = c.source.port, r.address("result.src_ip", "result.src")
	}
	a.Host.OS = r.os("result.os", "result.src_os")
	if id := r.text("result.device_id", "result.aid", "result.host_id"); len(a.Host.Doubts) == 0 && id.IsKnown() && !nobodysID(id.String()) {
		a.Host.ID = id
	}
}

// splunkID is the search id and a digest of the row: one search may post many
// rows, each as a request of its own with the same id.
func splunkID(r *reader, d document) string {
	sid, ok := r.identity("sid").Get()
	if !ok {
		return ""
	}
	return sid + "#" + digest(d.fields["result"])[:12]
}
