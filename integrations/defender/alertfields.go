package defender

import (
	"sync"

	"github.com/stanch-soar/stanch/integrations/alerts"
)

// alertFields are those of an alert of Microsoft Graph, and of its evidence by its type.
var alertFields = sync.OnceValue(func() alerts.Fields {
	return alerts.Fields{
		{Name: "id", Paths: []string{"id"}},
		{Name: "status", Doc: "Resolved is resolved; any other word fires.", Paths: []string{"status"}},
		{Name: "classification", Doc: "falsePositive and informationalExpectedActivity start nothing, also of an alert that is open.", Paths: []string{"classification"}},
		{Name: "rule", Paths: []string{"title"}},
		{Name: "severity", Paths: []string{"severity"}},
		{Name: "time", Paths: []string{"firstActivityDateTime", "createdDateTime"}},
		{Name: "window, from", Paths: []string{"firstActivityDateTime"}},
		{Name: "window, to", Paths: []string{"lastActivityDateTime"}},
		{Name: "host.id", Doc: "Defender's own id of the device.", Paths: []string{"evidence[device].mdeDeviceId"}},
		{Name: "host.name", Paths: []string{"evidence[device].deviceDnsName", "evidence[device].hostName"}},
		{Name: "host.ip", Paths: []string{"evidence[device].ipInterfaces", "evidence[device].lastIpAddress"}},
		{Name: "host.os", Paths: []string{"evidence[device].osPlatform"}},
		{Name: "roles", Doc: "`attacked` and `destination` make a device the target, unless it is `attacker`, `source`, `compromised` or `commandAndControl` too.", Paths: []string{"evidence[device].roles"}},
		{Name: "process.name", Doc: "As all of the process, of the one process of the evidence, where it is of the host.", Paths: []string{"evidence[process].imageFile.fileName"}},
		{Name: "folder of process.path", Paths: []string{"evidence[process].imageFile.filePath"}},
		{Name: "process.pid", Paths: []string{"evidence[process].processId"}},
		{Name: "process.command_line", Paths: []string{"evidence[process].processCommandLine"}},
		{Name: "process.user", Paths: []string{"evidence[process].userAccount.accountName"}},
		{Name: "its device", Paths: []string{"evidence[process].mdeDeviceId"}},
		{Name: "destination.ip", Doc: "As all of the destination, where all connections of the evidence agree.", Paths: []string{"evidence[networkConnection].destinationAddress.ipAddress"}},
		{Name: "destination.port", Paths: []string{"evidence[networkConnection].destinationPort"}},
		{Name: "destination.transport", Paths: []string{"evidence[networkConnection].protocol"}},
	}
})
