package splunk

import (
	"sync"

	"github.com/stanch-soar/stanch/integrations/alerts"
)

// fields are those of the Common Information Model, and Sysmon's.
var fields = sync.OnceValue(func() alerts.Fields {
	return alerts.Fields{
		{Name: "id", Doc: "Of the search; a digest of the row is added.", Paths: []string{"sid"}},
		{Name: "id of a finding", Doc: "Of Enterprise Security, where it has its form, as `…@@notable@@…`.", Paths: []string{"result.event_id"}},
		{Name: "status", Doc: "Firing, unless this says resolved, closed, not alerting or sample.", Paths: []string{"result.alert_state", "result.status_label"}},
		{Name: "preview", Doc: "`true` is a row of a search that still runs, and starts nothing.", Paths: []string{"preview"}},
		{Name: "disposition", Doc: "`False Positive …` and `Benign Positive …` start nothing.", Paths: []string{"result.disposition_label"}},
		{Name: "category", Paths: []string{"result.stanch_category"}},
		{Name: "category, if it is one", Doc: "high_egress, dns_amplification or reflection: products write their own words there.", Paths: []string{"result.category"}},
		{Name: "rule", Paths: []string{"search_name", "result.search_name", "result.rule_name"}},
		{Name: "severity", Paths: []string{"result.severity", "result.urgency"}},
		{Name: "time", Paths: []string{"result._time"}},
		{Name: "window, from", Paths: []string{"result.info_min_time"}},
		{Name: "window, to", Paths: []string{"result.info_max_time"}},
		{Name: "count", Paths: []string{"result.count", "result.event_count"}},
		{Name: "process.name", Paths: []string{"result.process_name"}},
		{Name: "process.path", Paths: []string{"result.process_path"}},
		{Name: "process.pid", Paths: []string{"result.process_id", "result.pid"}},
		{Name: "process.command_line", Paths: []string{"result.process"}},
		{Name: "process.user", Paths: []string{"result.user", "result.src_user"}},
		{Name: "source.name", Doc: "The host, unless the connection came in: then the destination is, in doubt.", Paths: []string{"result.src_host", "result.src_nt_host"}},
		{Name: "source", Doc: "The source's name, where nothing else names it.", Paths: []string{"result.src"}},
		{Name: "source.ip", Paths: []string{"result.src_ip", "result.src"}},
		{Name: "source.port", Paths: []string{"result.src_port"}},
		{Name: "source.bytes", Doc: "Not of a connection that came in: products do not agree on whose they are then.", Paths: []string{"result.bytes_out", "result.sum_bytes_out", "result.sum(bytes_out)"}},
		{Name: "destination.name", Doc: "Read of a connection that came in.", Paths: []string{"result.dest_host", "result.dest_nt_host"}},
		{Name: "destination", Doc: "The destination's name, where nothing else names it; read of a connection that came in.", Paths: []string{"result.dest"}},
		{Name: "destination.ip", Doc: "The destination, unless the connection came in.", Paths: []string{"result.dest_ip", "result.dest"}},
		{Name: "destination.port", Paths: []string{"result.dest_port"}},
		{Name: "destination.bytes", Paths: []string{"result.bytes_in", "result.sum_bytes_in", "result.sum(bytes_in)"}},
		{Name: "destination.transport", Paths: []string{"result.transport", "result.protocol"}},
		{Name: "reporter", Doc: "The machine that reports a connection of its own: a name of the source, or of the destination of one that came in.", Paths: []string{"result.ComputerName", "result.Computer"}},
		{Name: "direction", Doc: "Whether the connection came in.", Paths: []string{"result.direction", "result.network_direction", "result.Direction"}},
		{Name: "initiated", Doc: "`false` says that it came in.", Paths: []string{"result.Initiated", "result.initiated"}},
		{Name: "host.name", Doc: "Where neither end is named. In doubt where the row has a destination or a device, and no process.", Paths: []string{"result.host"}},
		{Name: "risk_object_type", Doc: "`system`: the risk object is the host, where neither end is named.", Paths: []string{"result.risk_object_type"}},
		{Name: "risk_object", Paths: []string{"result.risk_object"}},
		{Name: "device", Paths: []string{"result.dvc"}},
		{Name: "host.os", Paths: []string{"result.os", "result.src_os"}},
		{Name: "host.id", Doc: "Of a host that is not in doubt.", Paths: []string{"result.device_id", "result.aid", "result.host_id"}},
	}
})
