package ocsf

import (
	"sync"

	"github.com/stanch-soar/stanch/integrations/alerts"
)

// fields are those of the schema. Of a list, such as evidences, the values of all elements
// are read.
//
// https://schema.ocsf.io/classes/detection_finding
var fields = sync.OnceValue(func() alerts.Fields {
	const source, target, connection = "evidences.src_endpoint.", "evidences.dst_endpoint.", "evidences.connection_info."
	const process, actor = "evidences.process.", "evidences.actor.process."
	return alerts.Fields{
		{Name: "id", Paths: []string{"finding_info.uid", "metadata.uid"}},
		{Name: "class", Doc: "Other classes than 2004 start nothing.", Paths: []string{"class_uid"}},
		{Name: "type", Doc: "The class, where nothing else says it.", Paths: []string{"type_uid"}},
		{Name: "compliance", Doc: "A result about settings starts nothing.", Paths: []string{"compliance"}},
		{Name: "status code", Doc: "`PASS`, `FAIL` and `MANUAL` are results about settings.", Paths: []string{"status_code"}},
		{Name: "status", Doc: "Suppressed, resolved, archived and deleted findings start nothing.", Paths: []string{"status_id"}},
		{Name: "status word", Doc: "Where there is no number, or one that says nothing.", Paths: []string{"status"}},
		{Name: "activity", Doc: "2 updates the finding, 3 closes it.", Paths: []string{"activity_id"}},
		{Name: "verdict", Doc: "False positives, what is benign, and tests start nothing.", Paths: []string{"verdict_id"}},
		{Name: "verdict word", Doc: "Where there is no number, or one that says nothing.", Paths: []string{"verdict"}},
		{Name: "is alert", Doc: "`false` starts nothing.", Paths: []string{"is_alert"}},
		{Name: "disposition", Doc: "Never says that the host is contained.", Paths: []string{"disposition", "disposition_id"}},
		{Name: "rule", Paths: []string{"finding_info.analytic.name", "finding_info.title"}},
		{Name: "title", Doc: "One that begins with `[SAMPLE]`, as GuardDuty has it, is that of a sample finding.", Paths: []string{"finding_info.title"}},
		{Name: "severity", Paths: []string{"severity", "severity_id"}},
		{Name: "time", Doc: "Seconds, too.", Paths: []string{"time", "time_dt"}},
		{Name: "window, from", Paths: []string{"start_time", "start_time_dt"}},
		{Name: "window, to", Paths: []string{"end_time", "end_time_dt"}},
		{Name: "began", Doc: "Tells one occurrence from the next.", Paths: []string{
			"finding_info.created_time", "finding_info.created_time_dt", "finding_info.first_seen_time", "finding_info.first_seen_time_dt", "start_time", "start_time_dt",
		}},
		{Name: "count", Paths: []string{"count"}},
		{Name: "host.id", Paths: []string{"device.uid"}},
		{Name: "host.name", Paths: []string{"device.hostname", "device.name"}},
		{Name: "host.ip", Paths: []string{"device.ip", "device.ip_addresses", "device.network_interfaces.ip"}},
		{Name: "device type", Doc: "9 to 15 are firewalls, switches and the like, which pass on what others send.", Paths: []string{"device.type_id"}},
		{Name: "device type word", Doc: "Where there is no number, or one that says nothing.", Paths: []string{"device.type"}},
		{Name: "host.os", Paths: []string{"device.os.type", "device.os.name"}},
		{Name: "number of the os", Doc: "Where no word says it: 100 is Windows, 200 Linux and 300 macOS.", Paths: []string{"device.os.type_id"}},
		{Name: "os as a text", Doc: "Where it is no object.", Paths: []string{"device.os"}},
		{Name: "source.name", Doc: "The host, unless it is the device.", Paths: []string{source + "hostname", source + "name"}},
		{Name: "source.ip", Doc: "Where to, of a connection that came in.", Paths: []string{source + "ip"}},
		{Name: "source.port", Paths: []string{source + "port"}},
		{Name: "direction", Doc: "1 says that the connection came in, which starts nothing.", Paths: []string{connection + "direction_id"}},
		{Name: "direction word", Paths: []string{connection + "direction"}},
		{Name: "process.name", Paths: []string{process + "name", actor + "name", process + "file.name", actor + "file.name"}},
		{Name: "process.path", Paths: []string{process + "file.path", actor + "file.path"}},
		{Name: "process.pid", Paths: []string{process + "pid", actor + "pid"}},
		{Name: "process.command_line", Paths: []string{process + "cmd_line", actor + "cmd_line"}},
		{Name: "process.user", Paths: []string{process + "user.name", "evidences.actor.user.name", actor + "user.name"}},
		{Name: "destination.name", Doc: "Read of a connection that came in.", Paths: []string{target + "hostname", target + "name"}},
		{Name: "destination.ip", Paths: []string{target + "ip"}},
		{Name: "destination.port", Paths: []string{target + "port"}},
		{Name: "destination.transport", Paths: []string{connection + "protocol_name", connection + "protocol_num"}},
	}
})
