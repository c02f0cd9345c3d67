package defender

import (
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// graphEvidence is that of one alert, as far as it is read.
type graphEvidence struct {
	reader *alerts.Reader
	of     map[string][]map[string]any
}

// evidenceOf are the pieces of evidence by their type, in small letters.
func evidenceOf(r *alerts.Reader, list []any) graphEvidence {
	all := graphEvidence{reader: r, of: map[string][]map[string]any{}}
	for _, item := range list {
		piece, ok := item.(map[string]any)
		if !ok {
			continue
		}
		name, _ := piece["@odata.type"].(string)
		kind := strings.ToLower(name[strings.LastIndex(name, ".")+1:])
		all.of[kind] = append(all.of[kind], piece)
	}
	return all
}

// read returns a reader of a piece of evidence.
func (e graphEvidence) read(kind string, piece map[string]any) *alerts.Reader {
	return e.reader.Of(map[string]any{"evidence[" + kind + "]": piece})
}

// alertDevice is one device among the evidence.
type alertDevice struct {
	host   incident.AlertHost
	name   string
	target bool
	// context is why it may be none that did something.
	context string
}

// host is the device that sends. One that was attacked is none beside another; of several
// others none is.
func (e graphEvidence) host() incident.AlertHost {
	devices := e.devices()
	others := slices.DeleteFunc(slices.Clone(devices), func(d alertDevice) bool { return d.target })
	if len(others) == 0 && len(devices) > 0 {
		e.reader.Silence(incident.NotAlerting, "the device is the target: its roles in the alert say that it was attacked, or is the destination")
		others = devices
	}
	switch len(others) {
	case 0:
		return incident.AlertHost{Name: incident.NotKnown[string]("the alert has no device among its evidence")}
	case 1:
		h := others[0].host
		if why := others[0].context; why != "" {
			h.Doubts = append(h.Doubts, why)
		}
		return h
	}
	var names []string
	for _, d := range others {
		names = append(names, d.name)
	}
	return alerts.Named(names, nil, "")
}

// devices are those of the evidence, each once.
func (e graphEvidence) devices() []alertDevice {
	f := alertFields()
	var all []alertDevice
	for _, piece := range e.of["deviceevidence"] {
		r := e.read("device", piece)
		d := alertDevice{host: r.Host(f.Of("host.id"), f.Of("host.name"), f.Of("host.ip")), target: attacked(r), context: contextual(r)}
		id, ok := alerts.HostID(d.host).Get()
		if d.name = id; !ok {
			continue
		}
		d.host.OS = r.OS(f.Of("host.os")...)
		if name, named := d.host.Name.Get(); named {
			d.name = name
		}
		same := slices.IndexFunc(all, func(o alertDevice) bool { known, _ := alerts.HostID(o.host).Get(); return strings.EqualFold(known, id) })
		if same < 0 {
			all = append(all, d)
			continue
		}
		all[same].target = all[same].target && d.target
		if d.context == "" {
			all[same].context = ""
		}
	}
	return all
}

// attacked reports whether the roles of a device say that it is what was attacked, and
// nothing that says that it attacks too.
func attacked(r *alerts.Reader) bool {
	target := false
	for _, path := range alertFields().Of("roles") {
		for _, role := range r.Texts(path) {
			switch strings.ToLower(role) {
			case "attacker", "source", "compromised", "commandandcontrol":
				return false
			case "attacked", "destination":
				target = true
			}
		}
	}
	return target
}

// contextual says so where the only role of a device is to be likely benign, in Graph's words,
// and named as a side effect alone.
func contextual(r *alerts.Reader) string {
	for _, path := range alertFields().Of("roles") {
		if roles := r.Texts(path); len(roles) == 1 && strings.EqualFold(roles[0], "contextual") {
			return "the only role of the device is contextual: it may be a witness"
		}
	}
	return ""
}

// process is the one process of the evidence, unless it is of another device.
func (e graphEvidence) process(host incident.AlertHost) incident.AlertProcess {
	f := alertFields()
	all := e.of["processevidence"]
	if len(all) > 1 {
		p := incident.AlertProcess{}
		incident.Explain(&p, "the alert names several processes")
		return p
	}
	if len(all) == 0 || len(host.Doubts) > 0 {
		return incident.AlertProcess{}
	}
	r := e.read("process", all[0])
	id, known := host.ID.Get()
	if of, ok := r.Text(f.Of("its device")...).Get(); ok && known && !strings.EqualFold(of, id) {
		return incident.AlertProcess{}
	}
	p := incident.AlertProcess{
		Name: r.Written(f.Of("process.name")...), PID: r.PID(f.Of("process.pid")...),
		CommandLine: r.Written(f.Of("process.command_line")...), User: r.Written(f.Of("process.user")...),
	}
	p.Path = alerts.ImageIn(r.Written(f.Of("folder of process.path")...), p.Name)
	return p
}

// connections returns a reader of all connections of the evidence together: of what differs
// between them, none is known.
func (e graphEvidence) connections() *alerts.Reader {
	var ips, ports, transports []any
	for _, piece := range e.of["networkconnectionevidence"] {
		address, _ := piece["destinationAddress"].(map[string]any)
		ips, ports, transports = append(ips, address["ipAddress"]), append(ports, piece["destinationPort"]), append(transports, piece["protocol"])
	}
	return e.read("networkConnection", map[string]any{
		"destinationAddress": map[string]any{"ipAddress": ips}, "destinationPort": ports, "protocol": transports,
	})
}
