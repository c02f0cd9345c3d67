package alertmanager

import (
	"sync"

	"github.com/stanch-soar/stanch/integrations/alerts"
)

// fields are those of an alert of a group, and the labels and annotations that a rule's author
// gives it for us.
var fields = sync.OnceValue(func() alerts.Fields {
	return alerts.Fields{
		{Name: "id", Paths: []string{"fingerprint"}},
		{Name: "status", Doc: "Firing, unless this is `resolved`.", Paths: []string{"status"}},
		{Name: "labels", Doc: "What has none is no alert.", Paths: []string{"labels"}},
		{Name: "category", Paths: []string{"labels.category", "annotations.category"}},
		{Name: "rule", Paths: []string{"labels.alertname"}},
		{Name: "severity", Paths: []string{"labels.severity"}},
		{Name: "time", Paths: []string{"startsAt"}},
		{Name: "window", Doc: "A duration, such as 15m.", Paths: []string{"annotations.window", "labels.window"}},
		{Name: "bytes_out", Doc: "Bytes, not a rate: `{{ $value }}` of an expression with `increase(…)`.", Paths: []string{"annotations.bytes_out"}},
		{Name: "value", Doc: "Named where there is no bytes_out; never taken for bytes.", Paths: []string{"annotations.value", "labels.value"}},
		{Name: "count", Paths: []string{"annotations.count"}},
		{Name: "source.name", Doc: "The host.", Paths: []string{"labels.src_host"}},
		{Name: "source.ip", Doc: "The host.", Paths: []string{"labels.src_ip", "labels.source_ip"}},
		{Name: "host.name", Doc: "The host, where no source is named.", Paths: []string{"labels.host", "labels.hostname", "labels.nodename"}},
		{Name: "host.ip", Doc: "The host's, where no source is named.", Paths: []string{"labels.host_ip"}},
		{Name: "instance", Doc: "The host, in doubt, where nothing else names it; its port is left out.", Paths: []string{"labels.instance"}},
		{Name: "host.os", Paths: []string{"labels.os"}},
		{Name: "direction", Doc: "An inbound one starts nothing.", Paths: []string{"labels.direction", "annotations.direction"}},
		{Name: "destination.ip", Paths: []string{"labels.dst_ip", "labels.dest_ip"}},
		{Name: "destination.port", Paths: []string{"labels.dst_port", "labels.dest_port"}},
		{Name: "destination.transport", Paths: []string{"labels.transport", "labels.proto", "labels.protocol"}},
	}
})
