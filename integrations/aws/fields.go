package aws

import (
	"sync"

	"github.com/stanch-soar/stanch/integrations/alerts"
)

// fields are those of GuardDuty's format. Of a list, such as networkInterfaces, the
// values of all elements are read.
//
// https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_finding-format.html
var fields = sync.OnceValue(func() alerts.Fields {
	const instance, service, connection = "resource.instanceDetails.", "service.", "service.action.networkConnectionAction."
	return alerts.Fields{
		{Name: "id", Paths: []string{"id"}},
		{Name: "class", Doc: "What has one is an event of OCSF: refused, the kind ocsf reads it.", Paths: []string{"class_uid"}},
		{Name: "rule", Doc: "Decides the category, too.", Paths: []string{"type"}},
		{Name: "severity", Paths: []string{"severity"}},
		{Name: "time", Paths: []string{service + "eventLastSeen", "updatedAt", "createdAt"}},
		{Name: "window, from", Paths: []string{service + "eventFirstSeen"}},
		{Name: "window, to", Paths: []string{service + "eventLastSeen"}},
		{Name: "count", Paths: []string{service + "count"}},
		{Name: "began", Doc: "Tells one occurrence from the next.", Paths: []string{service + "eventFirstSeen", "createdAt"}},
		{Name: "updated", Paths: []string{"updatedAt"}},
		{Name: "sample", Doc: "`additionalInfo.value` is JSON in a text, as the API has it.", Paths: []string{service + "additionalInfo.sample", service + "additionalInfo.value.sample", "sample"}},
		{Name: "title", Doc: "One that begins with `[SAMPLE]` is that of a sample finding.", Paths: []string{"title"}},
		{Name: "archived", Paths: []string{service + "archived"}},
		{Name: "record state", Doc: "Security Hub's.", Paths: []string{"recordState"}},
		{Name: "workflow", Doc: "Security Hub's: suppressed and resolved findings start nothing.", Paths: []string{"workflow.status"}},
		{Name: "product", Doc: "Security Hub's: another product's findings start nothing.", Paths: []string{"productName"}},
		{Name: "role", Doc: "`TARGET` starts nothing. It may be absent.", Paths: []string{service + "resourceRole"}},
		{Name: "direction", Doc: "The host is in doubt where the connection came in.", Paths: []string{connection + "connectionDirection"}},
		{Name: "host.id", Paths: []string{instance + "instanceId"}},
		{Name: "host.ip", Paths: []string{
			instance + "networkInterfaces.addresses", connection + "localIpDetails.ipAddressV4",
		}},
		{Name: "host.os", Doc: "AWS leaves it empty for other systems than Windows.", Paths: []string{instance + "platform"}},
		{Name: "destination.ip", Paths: []string{connection + "remoteIpDetails.ipAddressV4", connection + "remoteIpDetails.ipAddressV6"}},
		{Name: "destination.port", Paths: []string{connection + "remotePortDetails.port"}},
		{Name: "destination.transport", Paths: []string{connection + "protocol"}},
	}
})
