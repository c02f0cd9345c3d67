package defendfake

import (
	"strings"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// defendProcess are a process's fields in every event of Defend. An event of the
// network has no more than these.
func defendProcess(h edrtest.Host, p *edrtest.Process) map[string]any {
	fields := map[string]any{
		"process.pid": p.PID, "process.entity_id": entityID(h.ID, p), "process.executable": p.Path, "process.name": image(p.Path),
		"process.code_signature.exists": p.Signer != "",
	}
	// The ids of those that led to it, the parent's first.
	var ancestry []string
	for a := p.Parent; a != nil; a = a.Parent {
		ancestry = append(ancestry, entityID(h.ID, a))
	}
	if ancestry != nil {
		fields["process.Ext.ancestry"] = ancestry
	}
	if p.Signer != "" {
		set(fields, map[string]any{
			"process.code_signature.subject_name": p.Signer, "process.code_signature.trusted": true, "process.code_signature.status": "trusted",
		})
	}
	return fields
}

func defendBase(h edrtest.Host, dataset string) map[string]any {
	return map[string]any{
		"agent.id": h.ID, "elastic.agent.id": h.ID, "event.module": "endpoint", "event.dataset": dataset, "data_stream.dataset": dataset,
	}
}

// defendNetwork are a host's connections: the begin, which has no bytes, and the
// end, which has.
func (d *Double) defendNetwork(h edrtest.Host) []map[string]any {
	var out []map[string]any
	seen := map[string]bool{}
	for _, c := range h.Connections {
		begin, end := "connection_attempted", "disconnect_received"
		if c.Inbound {
			begin = "connection_accepted"
		}
		switch {
		case c.Transport == "udp" && !d.o.TCPOnly:
			begin, end = "udp_flow_outbound", "udp_flow_ended"
			if c.Inbound {
				begin = "udp_flow_inbound"
			}
		case c.Transport != "tcp":
			continue
		}
		if d.repeats(h, c, seen) {
			continue
		}
		source, destination := bytesOf(c)
		for _, e := range []struct{ action, kind string }{{begin, "start"}, {end, "end"}} {
			fields := base(h, c.At, "endpoint")
			set(fields, defendBase(h, "endpoint.events.network"))
			set(fields, wire(c))
			set(fields, map[string]any{
				"event.action": e.action, "event.category": []string{"network"}, "event.type": []string{e.kind},
				"event.sequence": int64(len(out)), "event.id": uuid(h.ID, formatInt(int64(len(out)))), "message": "Endpoint network event",
			})
			if c.Process != nil {
				set(fields, defendProcess(h, c.Process))
				set(fields, userFields(h, c.Process.User))
			}
			if e.kind == "end" {
				fields["source.bytes"], fields["destination.bytes"] = source, destination
			}
			out = append(out, fields)
		}
	}
	return out
}

// repeats reports whether the agent leaves a connection out, because one of the
// same process to the same server was reported and this one is small.
func (d *Double) repeats(h edrtest.Host, c edrtest.Connection, seen map[string]bool) bool {
	if c.Process == nil {
		return false
	}
	key := strings.Join([]string{entityID(h.ID, c.Process), c.DstIP, formatInt(int64(c.DstPort))}, "/")
	known := seen[key]
	seen[key] = true
	return known && c.BytesIn+c.BytesOut < d.o.DeduplicateBelow
}

// defendProcesses are the begins and ends of a host's processes.
func defendProcesses(h edrtest.Host) []map[string]any {
	var out []map[string]any
	for _, p := range h.Processes {
		for _, kind := range []string{"start", "end"} {
			at := p.Start
			if kind == "end" {
				at = p.End
			}
			if at.IsZero() {
				continue
			}
			fields := base(h, at, "endpoint")
			set(fields, defendBase(h, "endpoint.events.process"))
			set(fields, defendProcess(h, p))
			set(fields, userFields(h, p.User))
			set(fields, map[string]any{
				"event.action": kind, "event.category": []string{"process"}, "event.type": []string{kind},
				"event.sequence": int64(len(out)), "event.id": uuid(h.ID, "process", formatInt(int64(len(out)))),
				"message": "Endpoint process event",
			})
			set(fields, startFields(p))
			set(fields, parentFields(p, func(p *edrtest.Process) string { return entityID(h.ID, p) }))
			out = append(out, fields)
		}
	}
	return out
}
