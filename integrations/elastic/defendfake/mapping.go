package defendfake

import (
	"maps"
	"slices"
	"strings"
)

// The data streams that are known here.
const (
	networkStream    = "logs-endpoint.events.network-default"
	processStream    = "logs-endpoint.events.process-default"
	powershellStream = "logs-windows.powershell_operational-default"
	sysmonStream     = "logs-windows.sysmon_operational-default"
	winlogbeatStream = "winlogbeat-8.19.7"
)

func streams() []string {
	return []string{networkStream, processStream, powershellStream, sysmonStream, winlogbeatStream}
}

// mapping is the types of an index's fields.
type mapping map[string]string

// fieldsOf lists fields of one type.
func fieldsOf(kind string, names ...string) mapping {
	m := mapping{}
	for _, n := range names {
		m[n] = kind
	}
	return m
}

func joined(all ...mapping) mapping {
	m := mapping{}
	for _, one := range all {
		maps.Copy(m, one)
	}
	return m
}

// common are the fields of every index.
func common() mapping {
	return joined(
		fieldsOf("date", "@timestamp", "event.created", "event.ingested"),
		fieldsOf("ip", "host.ip"),
		fieldsOf("keyword",
			"agent.id", "agent.type", "agent.version", "ecs.version", "event.action", "event.category", "event.code", "event.dataset",
			"event.id", "event.kind", "event.module", "event.provider", "event.type", "host.hostname", "host.id", "host.name", "host.os.type",
			"user.domain", "user.id", "user.name"),
		fieldsOf("text", "message"))
}

// processFields are those of a process and its parent.
func processFields() mapping {
	return joined(
		fieldsOf("long", "process.pid", "process.parent.pid"),
		fieldsOf("date", "process.start", "process.end"),
		fieldsOf("boolean", "process.code_signature.exists", "process.code_signature.trusted"),
		fieldsOf("keyword",
			"process.args", "process.command_line", "process.entity_id", "process.executable", "process.name", "process.hash.sha256",
			"process.code_signature.status", "process.code_signature.subject_name", "process.parent.command_line",
			"process.parent.entity_id", "process.parent.executable", "process.parent.name"))
}

func networkFields() mapping {
	return joined(
		fieldsOf("ip", "source.ip", "destination.ip"),
		fieldsOf("long", "source.port", "destination.port", "source.bytes", "destination.bytes"),
		fieldsOf("keyword", "source.address", "destination.address", "network.direction", "network.transport", "network.type"))
}

func defendFields() mapping {
	return joined(fieldsOf("keyword", "elastic.agent.id", "data_stream.dataset", "process.Ext.ancestry"), fieldsOf("long", "event.sequence"))
}

func winlogFields() mapping {
	return joined(
		fieldsOf("keyword", "data_stream.dataset", "elastic_agent.id", "winlog.channel", "winlog.computer_name", "winlog.event_id", "winlog.provider_name", "winlog.record_id", "log.level"),
		fieldsOf("long", "winlog.process.pid"))
}

func sysmonFields() mapping {
	return joined(winlogFields(), processFields(), networkFields(),
		fieldsOf("keyword", "network.community_id", "winlog.event_data.Initiated"))
}

func powershellFields() mapping {
	return joined(winlogFields(),
		fieldsOf("long", "powershell.sequence", "powershell.total"),
		fieldsOf("text", "powershell.file.script_block_text"),
		fieldsOf("keyword", "powershell.file.script_block_id", "file.path", "file.name", "file.directory", "file.extension"))
}

// mappingOf is that of a data stream.
func mappingOf(stream string) mapping {
	switch stream {
	case networkStream:
		return joined(common(), defendFields(), processFields(), networkFields())
	case processStream:
		return joined(common(), defendFields(), processFields())
	case powershellStream:
		return joined(common(), powershellFields())
	case sysmonStream:
		return joined(common(), sysmonFields())
	case winlogbeatStream:
		return joined(common(), sysmonFields(), powershellFields())
	}
	return nil
}

// mappingsOf is that of several data streams together.
func mappingsOf(names []string) mapping {
	m := mapping{}
	for _, s := range names {
		maps.Copy(m, mappingOf(s))
	}
	return m
}

// caseless cuts the name off under which Defend's texts are kept in lower case.
func caseless(stream, field string) (string, bool) {
	base, ok := strings.CutSuffix(field, ".caseless")
	known := slices.Contains([]string{"process.name", "process.executable", "process.command_line", "user.name", "host.os.type"}, base)
	return base, ok && known && (stream == networkStream || stream == processStream)
}
