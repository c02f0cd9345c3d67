package sentinel

import (
	"sync"

	"github.com/stanch-soar/stanch/integrations/alerts"
)

// fields are those of an incident, of its entities by their kind, and of its custom details.
var fields = sync.OnceValue(func() alerts.Fields {
	return alerts.Fields{
		{Name: "id", Paths: []string{"name", "properties.incidentNumber"}},
		{Name: "status", Doc: "Closed is resolved; any other word fires.", Paths: []string{"properties.status"}},
		{Name: "classification", Doc: "FalsePositive and BenignPositive start nothing, also of an incident that is open.", Paths: []string{"properties.classification"}},
		{Name: "rule", Paths: []string{"properties.title"}},
		{Name: "severity", Paths: []string{"properties.severity"}},
		{Name: "time", Paths: []string{"properties.firstActivityTimeUtc", "properties.createdTimeUtc"}},
		{Name: "window, from", Paths: []string{"properties.firstActivityTimeUtc"}},
		{Name: "window, to", Paths: []string{"properties.lastActivityTimeUtc"}},
		{Name: "bytes_out", Paths: []string{customDetails + ".BytesOut", customDetails + ".SentBytes", customDetails + ".SrcBytes"}},
		{Name: "count", Paths: []string{customDetails + ".EventCount", customDetails + ".Count"}},
		{Name: "host.id", Doc: "Of Defender's device.", Paths: []string{"relatedEntities[Host].additionalData.MdatpDeviceId"}},
		{Name: "host.name", Doc: "`hostName` with `dnsDomain`, where there is one.", Paths: []string{"relatedEntities[Host].hostName", "relatedEntities[Host].netBiosName"}},
		{Name: "host.os", Paths: []string{"relatedEntities[Host].osFamily"}},
		{Name: "addresses", Doc: "Name the host where no Host entity does, in doubt.", Paths: []string{"relatedEntities[Ip].address"}},
		{Name: "process.pid", Doc: "As all of the process, of the one Process entity, where it is of the host.", Paths: []string{"relatedEntities[Process].processId"}},
		{Name: "process.command_line", Paths: []string{"relatedEntities[Process].commandLine"}},
		{Name: "its host", Paths: []string{"relatedEntities[Process].hostEntityId"}},
		{Name: "its file", Paths: []string{"relatedEntities[Process].imageFileEntityId"}},
		{Name: "its account", Paths: []string{"relatedEntities[Process].accountEntityId"}},
		{Name: "process.name", Doc: "Of the File entity that is the process's.", Paths: []string{"relatedEntities[File].fileName"}},
		{Name: "folder of process.path", Paths: []string{"relatedEntities[File].directory"}},
		{Name: "process.user", Doc: "Of the Account entity that is the process's.", Paths: []string{"relatedEntities[Account].accountName"}},
		{Name: "destination.ip", Paths: []string{customDetails + ".DestinationIP", customDetails + ".DstIpAddr"}},
		{Name: "destination.port", Paths: []string{customDetails + ".DestinationPort", customDetails + ".DstPortNumber"}},
		{Name: "destination.transport", Paths: []string{customDetails + ".Transport", customDetails + ".NetworkProtocol"}},
	}
})
