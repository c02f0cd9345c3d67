package suricata

import (
	"sync"

	"github.com/stanch-soar/stanch/integrations/alerts"
)

// fields are those of an alert event.
var fields = sync.OnceValue(func() alerts.Fields {
	return alerts.Fields{
		{Name: "event", Doc: "Another type than `alert` starts nothing.", Paths: []string{"event_type"}},
		{Name: "id", Doc: "With those of the rule.", Paths: []string{"flow_id"}},
		{Name: "rule's group", Paths: []string{"alert.gid"}},
		{Name: "rule's id", Paths: []string{"alert.signature_id"}},
		{Name: "rule", Paths: []string{"alert.signature"}},
		{Name: "severity", Doc: "1 is high, 2 medium and 3 low.", Paths: []string{"alert.severity"}},
		{Name: "action", Doc: "What `blocked` packets count in the flow did not all leave: the bytes are unknown.", Paths: []string{"alert.action"}},
		{Name: "time", Paths: []string{"timestamp"}},
		{Name: "window, from", Doc: "To the time of the event.", Paths: []string{"flow.start"}},
		{Name: "source.ip", Doc: "The host, where it is ours, or neither end is known to be.", Paths: []string{"src_ip"}},
		{Name: "source.port", Doc: "Of the destination, where the packet came in to the host.", Paths: []string{"src_port"}},
		{Name: "destination.ip", Doc: "The destination, unless it is the host.", Paths: []string{"dest_ip"}},
		{Name: "destination.port", Paths: []string{"dest_port"}},
		{Name: "destination.transport", Paths: []string{"proto"}},
		{Name: "direction", Doc: "`to_server` where the source is the client.", Paths: []string{"direction"}},
		{Name: "client.ip", Doc: "The client, where there is no direction.", Paths: []string{"flow.src_ip"}},
		{Name: "server.ip", Paths: []string{"flow.dest_ip"}},
		{Name: "bytes to server", Doc: "What the client sent.", Paths: []string{"flow.bytes_toserver"}},
		{Name: "bytes to client", Doc: "What the server sent.", Paths: []string{"flow.bytes_toclient"}},
	}
})
