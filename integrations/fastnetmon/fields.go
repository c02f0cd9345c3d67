package fastnetmon

import (
	"sync"

	"github.com/stanch-soar/stanch/integrations/alerts"
)

// fields are those of Advanced's JSON, of what the script adds to the details, and the lines of
// the community edition's details, whose names have blanks and capitals.
var fields = sync.OnceValue(func() alerts.Fields {
	return alerts.Fields{
		{Name: "details", Doc: "What the script read. The fields of JSON, and the first lines of text, are read as if they stood beside it.", Paths: []string{"details"}},
		{Name: "attack", Doc: "What has neither it nor an address is no attack.", Paths: []string{"attack_details"}},
		{Name: "id", Paths: []string{"attack_details.attack_uuid"}},
		{Name: "status", Doc: "Firing, unless this is `unban` or `partial_unblock`.", Paths: []string{"action"}},
		{Name: "direction", Doc: "`outgoing` where our host attacks, and by this the category is high_egress.", Paths: []string{"attack_details.attack_detection_threshold_direction", "attack_details.attack_direction", "Attack direction", "direction"}},
		{Name: "rule", Paths: []string{"attack_details.attack_detection_threshold", "attack_details.attack_type", "Attack type"}},
		{Name: "severity", Paths: []string{"attack_details.attack_severity"}},
		{Name: "time", Doc: "When the script was called: when it happened, of the community edition.", Paths: []string{"time"}},
		{Name: "rate", Doc: "Named as what is not taken for bytes.", Paths: []string{"attack_details.total_outgoing_traffic", "Total outgoing traffic"}},
		{Name: "scope", Doc: "Another than `host` names no host.", Paths: []string{"alert_scope"}},
		{Name: "host.name", Doc: "What the script found in a name service.", Paths: []string{"name"}},
		{Name: "host.ip", Paths: []string{"ip", "address", "IP"}},
		{Name: "destination.transport", Paths: []string{"attack_details.attack_protocol", "Attack protocol"}},
	}
})
