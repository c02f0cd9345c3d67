package ocsf

import (
	"fmt"
	"slices"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// inbound is the direction_id of a connection that came in.
const inbound = 1

// readHost reads which machine sends, and where to: the device, unless the connections
// are those of another machine.
func readHost(r *alerts.Reader, a *incident.Alert) {
	f := fields()
	device := r.Host(f.Of("host.id"), f.Of("host.name"), f.Of("host.ip"))
	sources, _ := r.Addresses(f.Of("source.ip")...)
	targets, _ := r.Addresses(f.Of("destination.ip")...)
	number, _ := r.Integer(f.Of("direction")...).Get()
	cameIn := number == inbound || alerts.Inbound(r.Text(f.Of("direction word")...), incident.Value[string]{})
	c := alerts.Connection{
		Host: device, HostName: "the device", Inbound: cameIn || r.ComesIn(sources, targets), Sensor: passesOn(r),
		Source:      alerts.End{Field: "src_endpoint", Names: r.Names(f.Of("source.name")...), IPs: sources},
		Destination: alerts.End{Field: "dst_endpoint", Names: r.Names(f.Of("destination.name")...), IPs: targets},
	}
	ips, _ := device.IP.Get()
	several := alerts.Named(c.Source.Names, sources, "")
	sends := slices.ContainsFunc(sources, func(ip string) bool { return slices.Contains(ips, ip) })
	another := slices.ContainsFunc(sources, func(ip string) bool { return !slices.Contains(ips, ip) })
	from, isHost := c.Source, true
	switch {
	case cameIn && !sends:
		r.Silence(incident.NotAlerting, "our host is the target: the connection came in")
		a.Host, from = device, c.Destination
		if !device.Named() {
			a.Host = alerts.Named(c.Destination.Names, targets, "")
		}
	case len(several.Doubts) > 0 && another:
		a.Host, isHost = several, false
	default:
		a.Host, from, isHost = c.Sender()
	}
	if cameIn && sends {
		a.Host.Doubts = append(a.Host.Doubts, "the connection came in, and the device is its source: which end sends is not known")
	}
	if isHost && c.Sensor {
		a.Host.Doubts = append(a.Host.Doubts, "the device passes on what others send: whether it sends itself is not known")
	}
	if !isHost && len(a.Host.Doubts) == 0 && from.Field == c.Source.Field && stranger(r, sources) {
		a.Host.Doubts = append(a.Host.Doubts, fmt.Sprintf("%s is not in home_networks: it may be what a gateway shows of another machine", sources[0]))
	}
	if !isHost && device.Named() {
		alerts.Unsaid(&a.Process, a.Host)
	} else {
		a.Host.OS = readOS(r)
	}
	far := "destination"
	if from.Field == c.Destination.Field {
		far = "source"
	}
	a.Destination = incident.AlertDestination{
		IP:        r.Address(f.Of(far + ".ip")...),
		Port:      r.Port(f.Of(far + ".port")...),
		Transport: r.Transport(f.Of("destination.transport")...),
	}
}

// readOS reads the operating system, by its number where no word says it. One that is there and
// another must not be taken for what the configuration has for alerts that say nothing.
func readOS(r *alerts.Reader) incident.Value[string] {
	f := fields()
	os := r.OS(f.Of("host.os")...)
	if os.IsKnown() || os.Why() != "" {
		return os
	}
	switch number, _ := r.Integer(f.Of("number of the os")...).Get(); number {
	case 0, 99:
		if _, object := r.Lookup(f.Of("os as a text")[0]).(map[string]any); object {
			return os
		}
		return r.OS(f.Of("os as a text")...)
	case 100:
		return incident.OSes().Of(incident.Known("windows", incident.FromAlert))
	case 200:
		return incident.OSes().Of(incident.Known("linux", incident.FromAlert))
	case 300:
		return incident.OSes().Of(incident.Known("macos", incident.FromAlert))
	default:
		return incident.NotKnown[string](fmt.Sprintf("the operating system has the number %d", number))
	}
}

// stranger reports whether the first of some addresses is known not to be one of ours.
func stranger(r *alerts.Reader, ips []string) bool {
	if len(ips) == 0 {
		return false
	}
	ours, known := r.Ours(ips[0]).Get()
	return known && !ours
}

// deviceTypes are those of the schema.
//
// https://schema.ocsf.io/objects/device
func deviceTypes() []string {
	return []string{
		"unknown", "server", "desktop", "laptop", "tablet", "mobile", "virtual", "iot", "browser",
		"firewall", "switch", "hub", "router", "ids", "ips", "load balancer",
	}
}

// passesOn reports whether the device is one that sees or passes on what others send.
func passesOn(r *alerts.Reader) bool {
	kind, _ := numbered(r, "device type", "device type word", deviceTypes())
	return kind >= 9 && kind < int64(len(deviceTypes()))
}

// readProcess reads the process of the evidences, if there is only one. Of several none is
// read: the name of one must not stand beside the id of another.
func readProcess(r *alerts.Reader, d alerts.Document) incident.AlertProcess {
	f := fields()
	p := incident.AlertProcess{
		Name:        r.Written(f.Of("process.name")...),
		Path:        r.Written(f.Of("process.path")...),
		PID:         r.PID(f.Of("process.pid")...),
		CommandLine: r.Written(f.Of("process.command_line")...),
		User:        r.Written(f.Of("process.user")...),
	}
	different := map[string]bool{}
	for _, evidence := range alerts.Objects(d.Fields["evidences"]) {
		process := evidence["process"]
		if process == nil {
			process = alerts.Lookup(evidence, "actor.process")
		}
		if process, ok := process.(map[string]any); ok && len(process) > 0 {
			different[alerts.Digest([]any{process["pid"], process["name"], alerts.Lookup(process, "file.path")})] = true
		}
	}
	if len(different) > 1 {
		p = incident.AlertProcess{}
		incident.Explain(&p, fmt.Sprintf("the alert names %d processes", len(different)))
	}
	return p
}
