package crowdstrike

import (
	"sync"

	"github.com/stanch-soar/stanch/integrations/alerts"
)

// alertFields are those of the event stream (event.*), of the alerts API, and of the
// template for Falcon Fusion.
var alertFields = sync.OnceValue(func() alerts.Fields {
	const event, device, access = "event.", "device.", "event.NetworkAccesses."
	return alerts.Fields{
		{Name: "id", Paths: []string{event + "CompositeId", event + "DetectId", event + "IncidentID", "composite_id", "incident_id"}},
		{Name: "event type", Doc: "Other events than detection summaries start nothing.", Paths: []string{"metadata.eventType"}},
		{Name: "shape", Doc: "What the three shapes are told apart by.", Paths: []string{"event", "composite_id", "incident_id", "host", "host_id"}},
		{Name: "status", Doc: "Firing, unless this says closed or resolved; `false_positive` and `ignored` start nothing.", Paths: []string{"status"}},
		{Name: "resolution", Doc: "`false_positive` and `ignored` start nothing, unless the status is `reopened`.", Paths: []string{"resolution"}},
		{Name: "shown", Doc: "`false` starts nothing.", Paths: []string{"show_in_ui"}},
		{Name: "rule", Paths: []string{event + "Name", event + "DetectName", "display_name", "name", "title"}},
		{Name: "severity", Doc: "1 to 5 in the event stream, 0 to 100 in the API.", Paths: []string{event + "SeverityName", event + "Severity", "severity_name", "severity"}},
		{Name: "time", Doc: "Milliseconds, seconds or text.", Paths: []string{event + "UTCTimestamp", "timestamp", "created_timestamp"}},
		{Name: "contained", Paths: []string{event + "PatternDispositionFlags.QuarantineMachine", "pattern_disposition_details.quarantine_machine"}},
		{Name: "contained, by status", Doc: "`contained` says so, `normal` the opposite.", Paths: []string{device + "status"}},
		{Name: "host.id", Paths: []string{event + "AgentIdString", event + "AgentId", event + "SensorId", device + "device_id", "host_id"}},
		{Name: "host.name", Paths: []string{event + "Hostname", event + "ComputerName", device + "hostname", "host"}},
		{Name: "host.ip", Paths: []string{event + "LocalIP", event + "LocalIPv6", device + "local_ip", "local_ip"}},
		{Name: "host.os", Paths: []string{event + "PlatformName", device + "platform_name"}},
		{Name: "process.name", Paths: []string{event + "FileName", "filename"}},
		{Name: "process.path", Doc: "A folder is joined with the name.", Paths: []string{event + "FilePath", "filepath"}},
		{Name: "process.pid", Doc: "Of the API alone.", Paths: []string{"local_process_id"}},
		{Name: "process.command_line", Paths: []string{event + "CommandLine", "cmdline"}},
		{Name: "process.user", Paths: []string{event + "UserName", "user_name"}},
		{Name: "destination.ip", Paths: []string{access + "RemoteAddress"}},
		{Name: "destination.port", Paths: []string{access + "RemotePort"}},
		{Name: "destination.transport", Paths: []string{access + "Protocol"}},
	}
})
