package elastic

import (
	"cmp"
	"slices"

	"github.com/stanch-soar/stanch/integrations"
)

// Layout is the program that wrote the records, which sets the meaning of fields.
type Layout string

// The closed set of layouts.
const (
	// Packetbeat reports a flow every few seconds with all that it counted so
	// far; the last report is the flow.
	Packetbeat Layout = "packetbeat"
	// NetFlow is a record for each direction, or of both, as the router sends.
	NetFlow Layout = "netflow"
	// Zeek writes a connection when it has ended.
	Zeek Layout = "zeek"
	// AWSVPC is a record of an interface's minutes for each direction. An interface that
	// forwards for others, as a NAT gateway's does, has the packets' own addresses beside its
	// own, if the log format has them.
	AWSVPC Layout = "aws_vpc"
	// GCPVPC is a record for each direction. Traffic inside is reported by both ends.
	GCPVPC Layout = "gcp_vpc"
	// PANOS writes a session when it has ended.
	PANOS Layout = "panos"
	// FortiGate writes a session when it has ended, and before that all that it counted so far.
	FortiGate Layout = "fortigate"
	// FTD writes a connection when it has ended.
	FTD Layout = "ftd"
)

// The fields of the Elastic Common Schema.
const (
	timeField = "@timestamp"

	sourceIP, sourcePort           = "source.ip", "source.port"
	destinationIP, destinationPort = "destination.ip", "destination.port"
	sourceBytes, sourcePackets     = "source.bytes", "source.packets"
	destinationBytes               = "destination.bytes"
	destinationPackets             = "destination.packets"
	transport, dataset             = "network.transport", "event.dataset"
	protocolNumber                 = "network.iana_number"
	eventStart, eventEnd           = "event.start", "event.end"
	eventDuration                  = "event.duration"
	eventCode, eventType           = "event.code", "event.type"
	sourceUser                     = "source.user.name"
	flowID, flowFinal              = "flow.id", "flow.final"
	samplingInterval               = "netflow.sampling_interval"
)

// layout is what is specific to one writer's records.
type layout struct {
	datasets []string
	// flows are the conditions of the documents that tell of a flow that passed: a dataset
	// may also have what was refused, and sessions that have only begun.
	flows  []query
	sensor string
	// ofEnds reports whether the sensor is the end of a flow that reports it; no other field can be
	// the sensor then, for a flow that both ends report counts once.
	ofEnds bool
	// startStamp reports whether the stamp is the flow's beginning; else it is its
	// end, or the time of the report.
	startStamp bool
	// time is the field of the stamp.
	time string
	// stampOnly reports whether no other field is a time of the flow, whatever its name is.
	stampOnly bool
	// id is the field that several documents of one flow have in common, of which the last
	// counts, and last the condition of that one. Empty: each flow has one document.
	id   string
	last query
	// singles reports whether a record may be of one direction only.
	singles bool
	// halves reports whether every record is of one direction.
	halves bool
	// packetSource and packetDestination are the fields of the packets' own addresses, where a
	// record has those of an interface that forwards for others.
	packetSource, packetDestination string
	// skipped are the conditions of the documents that say that there are no records of a time, from
	// event.start to event.end. Empty: there are none such.
	skipped []query
	// user and device are the fields of who sent from the source, where a writer knows.
	user, device string
	// sampling is the field of the sampling rate; the counters are of the
	// sampled packets.
	sampling string
	// unsaid is the rate of sensors that report 0, 0 where it is unknown.
	unsaid int64
	// only and without choose the documents that count.
	only, without []integrations.Match
}

func layouts() map[Layout]layout {
	all := map[Layout]layout{
		Packetbeat: {
			datasets: []string{"flow", "network_traffic.flow"}, sensor: "agent.name", id: flowID, last: term(flowFinal, true),
		},
		NetFlow: {datasets: []string{"netflow.log"}, sensor: "observer.ip", singles: true, sampling: samplingInterval},
		Zeek:    {datasets: []string{"zeek.connection"}, sensor: "observer.name", startStamp: true},
		AWSVPC: {
			datasets: []string{"aws.vpcflow"}, flows: []query{not(term("aws.vpcflow.action", "REJECT"))},
			sensor: "aws.vpcflow.interface_id", singles: true, halves: true,
			packetSource: "aws.vpcflow.pkt_srcaddr", packetDestination: "aws.vpcflow.pkt_dstaddr",
			skipped: []query{term("aws.vpcflow.log_status", "SKIPDATA")},
		},
		GCPVPC: {datasets: []string{"gcp.vpcflow"}, sensor: "gcp.vpcflow.reporter", ofEnds: true, singles: true, halves: true, time: eventEnd},
		PANOS: {
			datasets: []string{"panw.panos"}, sensor: "observer.hostname", user: sourceUser, device: "panw.panos.src.host",
			flows: []query{term("panw.panos.type", "TRAFFIC"), term("panw.panos.sub_type", "end")},
		},
		FortiGate: {
			datasets: []string{"fortinet_fortigate.log"}, sensor: "observer.name", user: sourceUser,
			flows: []query{
				term("fortinet.firewall.type", "traffic"), not(oneOf("fortinet.firewall.action", []string{"deny", "start"})),
			},
			// The integration stores when the firewall made the log as the event's start.
			time: eventStart, stampOnly: true,
			id: "fortinet.firewall.sessionid",
			// Statistics of a session that goes on, of forwarded and of sniffed traffic.
			last: not(oneOf(eventCode, []string{"0000000020", "0004000021"})),
		},
		FTD: {
			datasets: []string{"cisco_ftd.log"}, sensor: "observer.hostname",
			flows: []query{term(eventCode, "430003"), not(term(eventType, "denied"))},
		},
	}
	for name, l := range all {
		l.time = cmp.Or(l.time, timeField)
		all[name] = l
	}
	return all
}

// layoutNames are the layouts, in the order of the documentation.
func layoutNames() []string {
	return []string{
		string(Packetbeat), string(NetFlow), string(Zeek), string(AWSVPC), string(GCPVPC), string(PANOS), string(FortiGate), string(FTD),
	}
}

// end is one end of a record, taken as the host's: its fields and those of the
// other.
type end struct {
	own, peer         string
	ownPort, peerPort string
	sent, received    string
	packets, back     string
	source            bool
	// with are the conditions of the records in which these are the fields of the addresses.
	with []query
}

// ends are both ends of each form of record.
func (l layout) ends() []end {
	all := l.endsBy(sourceIP, destinationIP)
	if l.packetSource == "" {
		return all
	}
	inner := l.endsBy(l.packetSource, l.packetDestination)
	packets := []query{{Exists: &field{Field: l.packetSource}}, {Exists: &field{Field: l.packetDestination}}}
	for i := range all {
		all[i].with, inner[i].with = []query{not(allOf(packets...))}, packets
	}
	return slices.Concat(all, inner)
}

func (layout) endsBy(source, destination string) []end {
	return []end{
		{source, destination, sourcePort, destinationPort, sourceBytes, destinationBytes, sourcePackets, destinationPackets, true, nil},
		{destination, source, destinationPort, sourcePort, destinationBytes, sourceBytes, destinationPackets, sourcePackets, false, nil},
	}
}

// from selects what one of the addresses sent, or, at the other end, received.
func (e end) from(addresses []string) query {
	return allOf(append([]query{oneOf(e.own, addresses)}, e.with...)...)
}
