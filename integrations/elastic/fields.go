package elastic

import (
	"sync"

	"github.com/stanch-soar/stanch/integrations/alerts"
)

// fields are those of the Elastic Common Schema and of Kibana's alerts.
var fields = sync.OnceValue(func() alerts.Fields {
	return alerts.Fields{
		{Name: "id", Paths: []string{"kibana.alert.uuid", "alert.uuid"}},
		{Name: "id of a hit", Doc: "The id of an alert that has none of its own; it stands beside `_source`.", Paths: []string{"_id"}},
		{Name: "index of a hit", Doc: "The preview of a rule writes to an index of its own, `.preview.alerts…`, and starts nothing.", Paths: []string{"_index"}},
		{Name: "status", Doc: "The first of them that says resolved, not alerting or sample counts; what stands in the group `recovered` is resolved.", Paths: []string{"kibana.alert.status", "kibana.alert.workflow_status", "signal.status"}},
		{Name: "building block", Doc: "With any value the alert asks for no response.", Paths: []string{"kibana.alert.building_block_type", "signal.rule.building_block_type"}},
		{Name: "rule", Paths: []string{"kibana.alert.rule.name", "alert.rule.name", "signal.rule.name"}},
		{Name: "severity", Paths: []string{"kibana.alert.severity", "alert.severity", "signal.rule.severity"}},
		{Name: "time", Paths: []string{"kibana.alert.original_time", "signal.original_time", "@timestamp"}},
		{Name: "window", Doc: "Its beginning; it ends at the time.", Paths: []string{"kibana.alert.threshold_result.from", "signal.threshold_result.from"}},
		{Name: "count", Paths: []string{"kibana.alert.threshold_result.count", "signal.threshold_result.count"}},
		{Name: "fields of a threshold rule", Doc: "A list of pairs, `field` and `value`: each is read as that field, where the alert has no other.", Paths: []string{"kibana.alert.threshold_result.terms", "signal.threshold_result.terms"}},
		{Name: "process.name", Paths: []string{"process.name"}},
		{Name: "process.path", Paths: []string{"process.executable"}},
		{Name: "process.pid", Paths: []string{"process.pid"}},
		{Name: "process.command_line", Paths: []string{"process.command_line"}},
		{Name: "process.user", Paths: []string{"user.name"}},
		{Name: "host.id", Doc: "Of the machine whose agent shipped the event, as the name, the addresses and the system are.", Paths: []string{"host.id"}},
		{Name: "host.name", Paths: []string{"host.name", "host.hostname", "host"}},
		{Name: "host.ip", Paths: []string{"host.ip"}},
		{Name: "host.os", Paths: []string{"host.os.type", "host.os.family", "host.os.platform", "host.os.name", "host.os.full", "host.os"}},
		{Name: "forwarded", Doc: "With the tag `forwarded` the machine of `host` is a sensor, and no end of the connection.", Paths: []string{"tags"}},
		{Name: "module", Doc: "So it is with that of a product that watches networks, such as `zeek`, `suricata` or `netflow`.", Paths: []string{"event.module", "event.dataset", "agent.type"}},
		{Name: "sensor", Doc: "So it is where one of these has a value.", Paths: []string{"observer.type", "observer.name", "observer.hostname", "observer.ip", "observer.vendor", "observer.product"}},
		{Name: "source.ip", Doc: "The host, unless the connection came in and the destination sent more.", Paths: []string{"source.ip"}},
		{Name: "source.port", Paths: []string{"source.port"}},
		{Name: "source.bytes", Paths: []string{"source.bytes"}},
		{Name: "destination.ip", Doc: "The destination, unless it is the host.", Paths: []string{"destination.ip"}},
		{Name: "destination.port", Paths: []string{"destination.port"}},
		{Name: "destination.bytes", Paths: []string{"destination.bytes"}},
		{Name: "destination.transport", Paths: []string{"network.transport", "network.iana_number"}},
		{Name: "bytes_out", Doc: "Where the end that sends has none.", Paths: []string{"source.bytes", "host.network.egress.bytes"}},
		{Name: "direction", Doc: "Whether the connection came in.", Paths: []string{"network.direction", "winlog.event_data.Direction"}},
		{Name: "initiated", Doc: "`false` says that it came in.", Paths: []string{"winlog.event_data.Initiated", "event_data.Initiated"}},
	}
})
