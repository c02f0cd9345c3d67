package shadowserver

import (
	"sync"

	"github.com/stanch-soar/stanch/integrations/alerts"
)

// fields are columns of the reports about attacks.
var fields = sync.OnceValue(func() alerts.Fields {
	return alerts.Fields{
		{Name: "id", Paths: []string{"event_id"}},
		{Name: "rule", Doc: "Which report it is, and so whether the row fires.", Paths: []string{"infection"}},
		{Name: "severity", Paths: []string{"severity"}},
		{Name: "time", Doc: "UTC.", Paths: []string{"timestamp"}},
		{Name: "host.ip", Doc: "In doubt.", Paths: []string{"src_ip"}},
		{Name: "destination.ip", Paths: []string{"dst_ip"}},
		{Name: "destination.port", Paths: []string{"dst_port"}},
		{Name: "destination.transport", Paths: []string{"protocol"}},
	}
})
