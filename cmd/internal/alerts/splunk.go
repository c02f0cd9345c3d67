package alerts

import (
	"encoding/json"
	"net/netip"

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
// The field dest is not read as the host: in network events it is the other
// end. The field host is only the last resort, because there it is the sensor.
func readSplunk(r *reader, d document) incident.Alert {
	if _, ok := d.fields["result"].(map[string]any); !ok {
		r.fail("result", "is %s, not the row of a search result", kindOf(d.fields["result"]))
	}
	a := incident.Alert{
		ID:       splunkID(r, d),
		Status:   incident.Firing,
		Category: r.text("result.category"),
		Rule:     r.text("search_name"),
		Severity: r.text("result.severity", "result.urgency"),
		Time:     r.instant("result._time"),
		BytesOut: r.integer("result.bytes_out", "result.sum_bytes_out", "result.sum(bytes_out)"),
		Count:    r.integer("result.count", "result.event_count"),
		Host: incident.AlertHost{
			ID:   r.text("result.device_id", "result.aid", "result.host_id"),
			Name: r.notAddress("result.src_host", "result.src_nt_host", "result.ComputerName", "result.src", "result.host"),
			OS:   r.os("result.os", "result.src_os"),
			IP:   r.addresses("result.src_ip", "result.src"),
		},
		Process: incident.AlertProcess{
			Name:        r.text("result.process_name"),
			Path:        r.text("result.process_path"),
			PID:         r.integer("result.process_id", "result.pid"),
			CommandLine: r.text("result.process"),
			User:        r.text("result.user", "result.src_user"),
		},
		Destination: incident.AlertDestination{
			IP:        r.address("result.dest_ip", "result.dest"),
			Port:      r.port("result.dest_port"),
			Transport: r.transport("result.transport", "result.protocol"),
		},
	}
	if word, ok := r.text("result.alert_state").Get(); ok {
		if s, known := statusOf(word); known {
			a.Status = s
		}
	}
	a.Window = between(r.instant("result.info_min_time"), r.instant("result.info_max_time"))
	return a
}

// splunkID is the search id and a digest of the row: one search may post many
// rows, each as a request of its own with the same id.
func splunkID(r *reader, d document) string {
	sid, ok := r.text("sid").Get()
	if !ok {
		return ""
	}
	return sid + "#" + digest(d.fields["result"])[:12]
}

// notAddress reads the first of the fields that is a name; fields that hold
// either a name or an address are common in Splunk.
func (r *reader) notAddress(paths ...string) incident.Value[string] {
	var unknown incident.Value[string]
	for _, path := range paths {
		v := r.text(path)
		text, known := v.Get()
		if !known {
			unknown = v
		} else if _, err := netip.ParseAddr(text); err != nil {
			return v
		}
	}
	return unknown
}
