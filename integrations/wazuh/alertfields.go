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
		{Name: "rule", Paths: []string{"rule.description", "rule.id"}},
		{Name: "severity", Doc: "0 to 16.", Paths: []string{"rule.level"}},
		{Name: "time", Paths: []string{"timestamp"}},
		{Name: "agent", Doc: "`000` is the manager, and no host.", Paths: []string{"agent.id"}},
		{Name: "host.name", Paths: []string{"agent.name"}},
		{Name: "host.ip", Paths: []string{"agent.ip"}},
		{Name: "event of Windows", Doc: "Where there is one, the ends of the connection are those of Windows, and the system is.", Paths: []string{"data.win"}},
		{Name: "computer", Doc: "The host, where it is another machine than the agent.", Paths: []string{"data.win.system.computer"}},
		{Name: "initiated", Doc: "`false` says that the connection came in.", Paths: []string{event + "initiated"}},
		{Name: "process.path", Doc: "Its last part is the name.", Paths: []string{event + "image"}},
		{Name: "process.pid", Paths: []string{event + "processId"}},
		{Name: "process.command_line", Paths: []string{event + "commandLine"}},
		{Name: "process.user", Paths: []string{event + "user"}},
		{Name: "source of Windows", Doc: "An address of the host, unless the connection came in.", Paths: []string{event + "sourceIp"}},
		{Name: "source port of Windows", Paths: []string{event + "sourcePort"}},
		{Name: "destination of Windows", Paths: []string{event + "destinationIp"}},
		{Name: "destination port of Windows", Paths: []string{event + "destinationPort"}},
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
