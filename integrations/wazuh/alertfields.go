package wazuh

import (
	"sync"

	"github.com/stanch-soar/stanch/integrations/alerts"
)

// alertFields are those of Wazuh's alert documents, of Windows' events in them, and of its
// decoders of firewalls and of Suricata.
var alertFields = sync.OnceValue(func() alerts.Fields {
	const event = "data.win.eventdata."
	return alerts.Fields{
		{Name: "id", Paths: []string{"id"}},
		{Name: "id of a hit", Doc: "The id of an alert that has none of its own; it stands beside `_source`.", Paths: []string{"_id"}},
		{Name: "sample", Doc: "`true` is the sample data of Wazuh's dashboard, and starts nothing.", Paths: []string{"@sampledata"}},
		{Name: "groups", Doc: "`active_response`, `sca`, `vulnerability-detector`, `oscap` and `ciscat` start nothing.", Paths: []string{"rule.groups"}},
		{Name: "rule", Paths: []string{"rule.description", "rule.id"}},
		{Name: "severity", Doc: "0 to 16.", Paths: []string{"rule.level"}},
		{Name: "time", Paths: []string{"timestamp", "@timestamp"}},
		{Name: "agent", Doc: "`000` is the manager, and no host.", Paths: []string{"agent.id"}},
		{Name: "manager", Doc: "An agent of this name that has no id is the manager.", Paths: []string{"manager.name"}},
		{Name: "host.name", Paths: []string{"agent.name"}},
		{Name: "host.ip", Paths: []string{"agent.ip"}},
		{Name: "event of Windows", Doc: "Where there is one, the ends of the connection are those of Windows, and the system is.", Paths: []string{"data.win"}},
		{Name: "computer", Doc: "The host, where it is another machine than the agent.", Paths: []string{"data.win.system.computer"}},
		{Name: "initiated", Doc: "`false` says that the connection came in.", Paths: []string{event + "initiated"}},
		{Name: "direction of Windows", Doc: "Of its firewall's log (5156). `%%14592` says that the connection came in, and starts nothing.", Paths: []string{event + "direction"}},
		{Name: "process.path", Doc: "Its last part is the name.", Paths: []string{event + "image", event + "application"}},
		{Name: "process.pid", Paths: []string{event + "processId", event + "processID"}},
		{Name: "process.command_line", Paths: []string{event + "commandLine"}},
		{Name: "process.user", Paths: []string{event + "user"}},
		{Name: "source of Windows", Doc: "An address of the host, unless the connection came in.", Paths: []string{event + "sourceIp", event + "sourceAddress"}},
		{Name: "source port of Windows", Paths: []string{event + "sourcePort"}},
		{Name: "destination of Windows", Paths: []string{event + "destinationIp", event + "destAddress"}},
		{Name: "destination port of Windows", Paths: []string{event + "destinationPort", event + "destPort"}},
		{Name: "destination.transport", Paths: []string{event + "protocol", "data.protocol", "data.proto"}},
		{Name: "source.ip", Paths: []string{"data.srcip", "data.src_ip"}},
		{Name: "source.port", Paths: []string{"data.srcport", "data.src_port"}},
		{Name: "source.bytes", Paths: []string{"data.sentbyte"}},
		{Name: "destination.ip", Paths: []string{"data.dstip", "data.dest_ip"}},
		{Name: "destination.port", Paths: []string{"data.dstport", "data.dest_port"}},
		{Name: "destination.bytes", Paths: []string{"data.rcvdbyte"}},
		{Name: "to server", Paths: []string{"data.flow.bytes_toserver"}},
		{Name: "to client", Paths: []string{"data.flow.bytes_toclient"}},
		{Name: "direction of Suricata", Doc: "Without it nobody knows which end the bytes are of.", Paths: []string{"data.direction"}},
	}
})
