package secops

import (
	"sync"

	"github.com/stanch-soar/stanch/integrations/alerts"
)

// fields are those of a detection, and of the unified data model in its events.
//
// https://docs.cloud.google.com/chronicle/docs/reference/udm-field-list
var fields = sync.OnceValue(func() alerts.Fields {
	const event = "collectionElements.references.event."
	const principal, target, network = event + "principal.", event + "target.", event + "network."
	return alerts.Fields{
		{Name: "id", Paths: []string{"id"}},
		{Name: "detection", Doc: "What has none is refused.", Paths: []string{"detection"}},
		{Name: "state", Doc: "`NOT_ALERTING` starts nothing.", Paths: []string{"detection.alertState"}},
		{Name: "verdict", Doc: "`FALSE_POSITIVE` starts nothing.", Paths: []string{"feedbackSummary.verdict"}},
		{Name: "feedback", Doc: "`CLOSED` resolves.", Paths: []string{"feedbackSummary.status"}},
		{Name: "category", Doc: "A label of the rule.", Paths: []string{"detection.ruleLabels.stanch_category"}},
		{Name: "rule", Paths: []string{"detection.ruleName"}},
		{Name: "severity", Doc: "A label of the rule, too.", Paths: []string{"detection.severity", "detection.ruleLabels.severity"}},
		{Name: "time", Paths: []string{"detectionTime", "createdTime"}},
		{Name: "window, from", Paths: []string{"timeWindow.startTime"}},
		{Name: "window, to", Paths: []string{"timeWindow.endTime"}},
		{Name: "bytes_out", Doc: "Of all events: an outcome of the rule.", Paths: []string{"detection.outcomes.bytes_out"}},
		{Name: "bytes_out, of an event", Doc: "Where there is one event alone.", Paths: []string{network + "sentBytes"}},
		{Name: "bytes_out, of the target", Doc: "Where the connection of the only event came in and its target sent more: then the target is the host, in doubt.", Paths: []string{network + "receivedBytes"}},
		{Name: "count", Doc: "An outcome of the rule.", Paths: []string{"detection.outcomes.count"}},
		{Name: "host.name", Paths: []string{principal + "hostname"}},
		{Name: "host.ip", Paths: []string{principal + "ip"}},
		{Name: "host.os", Paths: []string{principal + "platform", principal + "asset.platformSoftware.platform"}},
		{Name: "direction", Doc: "`INBOUND` of all events starts nothing, unless the target sent more.", Paths: []string{network + "direction"}},
		{Name: "process.path", Doc: "Its end is the name.", Paths: []string{principal + "process.file.fullPath"}},
		{Name: "process.pid", Paths: []string{principal + "process.pid"}},
		{Name: "process.command_line", Paths: []string{principal + "process.commandLine"}},
		{Name: "process.user", Paths: []string{principal + "user.userid"}},
		{Name: "name of the target", Paths: []string{target + "hostname"}},
		{Name: "destination.ip", Paths: []string{target + "ip"}},
		{Name: "destination.port", Paths: []string{target + "port"}},
		{Name: "destination.transport", Paths: []string{network + "ipProtocol"}},
	}
})
