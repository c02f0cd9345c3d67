package defendfake

import (
	"fmt"
	"strings"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// winlogBase are the fields of an event that comes from a log of Windows. What
// Elastic Agent collects has the id that Defend has; Winlogbeat is an agent of its
// own, with another id, and names the host as Windows does.
func winlogBase(h edrtest.Host, stream, channel, code string) map[string]any {
	provider, _, _ := strings.Cut(channel, "/")
	fields := map[string]any{
		"agent.id": h.ID, "event.code": code, "event.provider": provider, "event.module": "windows",
		"winlog.channel": channel, "winlog.computer_name": fqdn(h), "winlog.event_id": code, "winlog.provider_name": provider,
		"log.level": "information",
	}
	if stream == winlogbeatStream {
		set(fields, map[string]any{"agent.type": "winlogbeat", "agent.id": uuid("winlogbeat", h.ID), "host.name": fqdn(h)})
		return fields
	}
	_, dataset, _ := strings.Cut(strings.TrimSuffix(stream, "-default"), "-")
	set(fields, map[string]any{"event.dataset": dataset, "data_stream.dataset": dataset, "elastic_agent.id": h.ID})
	return fields
}

// fqdn is how Windows names a host in its logs.
func fqdn(h edrtest.Host) string {
	if h.Domain == "" || strings.Contains(h.Name, ".") {
		return h.Name
	}
	return h.Name + "." + h.Domain
}

const sysmonChannel = "Microsoft-Windows-Sysmon/Operational"

// sysmonProcess are a process's fields in every event of Sysmon. The id of the
// user is that of Sysmon's service, whoever runs the process.
func sysmonProcess(h edrtest.Host, p *edrtest.Process) map[string]any {
	domain, name := account(p.User)
	return map[string]any{
		"process.pid": p.PID, "process.entity_id": processGUID(h, p), "process.executable": p.Path, "process.name": image(p.Path),
		"user.domain": domain, "user.name": name, "user.id": "S-1-5-18",
	}
}

// sysmon are events 1, the begin of a process, and 3, a connection, which has no
// bytes.
func sysmon(h edrtest.Host, stream string) []map[string]any {
	var out []map[string]any
	for _, p := range h.Processes {
		fields := base(h, p.Start, "filebeat")
		set(fields, winlogBase(h, stream, sysmonChannel, "1"))
		set(fields, sysmonProcess(h, p))
		set(fields, startFields(p))
		set(fields, parentFields(p, func(p *edrtest.Process) string { return processGUID(h, p) }))
		set(fields, map[string]any{"event.category": []string{"process"}, "event.type": []string{"start"}})
		out = append(out, fields)
	}
	for _, c := range h.Connections {
		if c.Process == nil || c.Transport != "tcp" && c.Transport != "udp" {
			continue
		}
		fields := base(h, c.At, "filebeat")
		set(fields, winlogBase(h, stream, sysmonChannel, "3"))
		set(fields, sysmonProcess(h, c.Process))
		set(fields, wire(c))
		set(fields, map[string]any{
			"event.category": []string{"network"}, "event.type": []string{"start", "connection", "protocol"},
			"network.community_id": communityID(c), "winlog.event_data.Initiated": fmt.Sprint(!c.Inbound),
		})
		out = append(out, fields)
	}
	for i, fields := range out {
		fields["winlog.record_id"] = formatInt(int64(i + 1))
	}
	return out
}

const powershellChannel = "Microsoft-Windows-PowerShell/Operational"

// scriptBlocks are events 4104: the text of a script, in parts where it is long.
// The parts have one time, and arrive in any order. Their process is known by its
// id alone.
func (d *Double) scriptBlocks(h edrtest.Host, stream string) []map[string]any {
	var out []map[string]any
	for _, p := range h.Processes {
		for n, s := range p.Scripts {
			id := uuid("script", h.ID, formatInt(p.PID), formatInt(int64(n)), formatInt(s.At.UnixMilli()))
			parts := divide(s.Text, d.o.ScriptBlock)
			for i := len(parts) - 1; i >= 0; i-- {
				fields := base(h, s.At, "filebeat")
				set(fields, winlogBase(h, stream, powershellChannel, "4104"))
				set(fields, map[string]any{
					"event.category": []string{"process"}, "event.type": []string{"info"}, "winlog.process.pid": p.PID, "log.level": "verbose",
					"powershell.sequence": int64(i + 1), "powershell.total": int64(len(parts)), "powershell.file.script_block_id": id,
					"powershell.file.script_block_text": parts[i], "user.id": sid(h, p.User), "winlog.record_id": formatInt(int64(len(out) + 1)),
				})
				if s.Path != "" {
					name := image(s.Path)
					set(fields, map[string]any{
						"file.path": s.Path, "file.name": name, "file.directory": strings.TrimRight(strings.TrimSuffix(s.Path, name), `\`),
						"file.extension": name[strings.LastIndex(name, ".")+1:],
					})
				}
				out = append(out, fields)
			}
		}
	}
	return out
}

// divide cuts a text into parts of at most so many characters.
func divide(text string, most int) []string {
	var parts []string
	runes := []rune(text)
	for len(runes) > most {
		parts, runes = append(parts, string(runes[:most])), runes[most:]
	}
	return append(parts, string(runes))
}
