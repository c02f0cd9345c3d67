package sentinelonefake

import (
	"path"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// events are those of all agents in a time, oldest first, that a query with this
// scope can find.
func (d *Double) events(o Options, l launch) []row {
	if !l.finds() {
		return nil
	}
	// Other logs of the same tenant are told apart by their data source.
	sources := []string{"dataSource.", "i.scheme"}
	if !o.AnyDataSource && !slices.ContainsFunc(sources, func(s string) bool { return strings.Contains(l.text, s) }) {
		return nil
	}
	var all []row
	for _, a := range d.fleet(o) {
		for _, r := range a.events() {
			at, _ := r["timestamp"].(float64)
			// The end of a window is not in it.
			if at >= float64(l.startTime.UnixNano()) && at < float64(l.endTime.UnixNano()) {
				all = append(all, r)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b row) int {
		order, _ := compare(a["timestamp"], b["timestamp"])
		return order
	})
	return all
}

// events are what one agent has reported.
func (a agent) events() []row {
	var all []row
	for _, p := range a.Processes {
		// Who creates a process is the source of its creation, and it is the target.
		r := a.event(p.Start, "Process Creation", "process")
		processFields(r, "src.process", p.Parent)
		processFields(r, "tgt.process", p)
		all = append(all, r)
		for _, s := range p.Scripts {
			r := a.event(s.At, "Command Script", "command_script")
			processFields(r, "src.process", p)
			r["cmdScript.content"], r["cmdScript.isComplete"] = s.Text, true
			r["cmdScript.originalSize"], r["cmdScript.applicationName"] = float64(len(s.Text)), "PowerShell"
			if s.Path != "" {
				r["tgt.file.path"] = s.Path
			}
			all = append(all, r)
		}
	}
	for _, c := range a.Connections {
		all = append(all, a.connection(c))
	}
	for _, s := range a.Sessions {
		r := a.event(s.Since, "Login", "logins")
		r["event.login.userName"], r["event.login.accountDomain"], r["event.login.accountSid"] = s.User, s.Domain, s.SID
		r["event.login.loginIsSuccessful"], r["event.login.type"] = true, "INTERACTIVE"
		all = append(all, r)
	}
	return all
}

// connection is a connection as the agent reports it. It has no bytes. The vendor
// calls the source the side of the process; consumers of its events read it as who
// opened the connection, and so does the double: for one that came in, the source
// is the other end.
func (a agent) connection(c edrtest.Connection) row {
	r := a.event(c.At, "IP Connect", "network")
	processFields(r, "src.process", c.Process)
	tuple, direction := c.Tuple, "OUTGOING"
	if c.Inbound {
		direction = "INCOMING"
	}
	r["src.ip.address"], r["src.port.number"] = tuple.SrcIP, float64(tuple.SrcPort)
	r["dst.ip.address"], r["dst.port.number"] = tuple.DstIP, float64(tuple.DstPort)
	r["event.network.direction"], r["event.network.protocolName"] = direction, tuple.Transport
	r["event.network.connectionStatus"] = "SUCCESS"
	return r
}

// event is what all events of an agent have.
func (a agent) event(at time.Time, kind, category string) row {
	r := row{
		"timestamp": float64(at.UnixNano()), "event.time": float64(at.UnixMilli()),
		"event.type": kind, "event.category": category, "event.id": UUID(a.ID + kind + at.String()),
		"dataSource.name": "SentinelOne", "dataSource.category": "security", "dataSource.vendor": "SentinelOne", "i.scheme": "edr",
		"agent.uuid": a.uuid(), "agent.version": "25.1.3.334",
		"endpoint.name": a.Name, "endpoint.os": a.osType(), "endpoint.os.name": a.OS, "endpoint.type": a.machineType(),
		"site.id": SiteID, "site.name": "Default site", "account.id": AccountID, "account.name": "acct",
	}
	if ips := a.IPsAt(at); len(ips) > 0 {
		r["endpoint.ip.address"], r["src.endpoint.ip.address"] = ips[0], ips[0]
	}
	return r
}

// processFields writes a process and its parent into an event.
func processFields(r row, prefix string, p *edrtest.Process) {
	if p == nil {
		return
	}
	set := func(name string, v any) {
		if v != "" {
			r[prefix+"."+name] = v
		}
	}
	set("name", path.Base(strings.ReplaceAll(p.Path, `\`, "/")))
	set("image.path", p.Path)
	set("image.sha256", p.SHA256)
	set("cmdline", p.CommandLine)
	set("user", p.User)
	set("publisher", p.Signer)
	set("pid", float64(p.PID))
	set("uid", UUID(p.Path + p.Start.String())[:16])
	set("sessionId", float64(p.Session))
	set("startTime", float64(p.Start.UnixMilli()))
	set("signedStatus", map[bool]string{true: "signed", false: "unsigned"}[p.Signer != ""])
	if !strings.HasSuffix(prefix, ".parent") {
		processFields(r, prefix+".parent", p.Parent)
	}
}
