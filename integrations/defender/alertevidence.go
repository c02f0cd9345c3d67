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

// The types of evidence that are read, in small letters.
const (
	deviceKind     = "deviceevidence"
	processKind    = "processevidence"
	connectionKind = "networkconnectionevidence"
)

// evidenceOf are the pieces of evidence by their type, in small letters.
func evidenceOf(r *alerts.Reader, evidence any) graphEvidence {
	all := graphEvidence{reader: r, of: map[string][]map[string]any{}}
	for _, piece := range alerts.Objects(evidence) {
		kind := typeOf(piece)
		all.of[kind] = append(all.of[kind], piece)
	}
	return all
}

// typeOf is the type of a piece of evidence. Many a tool on the way drops what begins with @:
// then it is told by what only evidence of that type has.
func typeOf(piece map[string]any) string {
	if name, _ := piece["@odata.type"].(string); name != "" {
		return strings.ToLower(name[strings.LastIndex(name, ".")+1:])
	}
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return piece[name] != nil })
	}
	switch {
	case has("processId", "processCommandLine", "imageFile"):
		return processKind
	case has("destinationAddress", "destinationPort"):
		return connectionKind
	case has("deviceDnsName", "hostName", "osPlatform", "ipInterfaces", "onboardingStatus"):
		return deviceKind
	}
	return ""
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
	for _, piece := range e.of[deviceKind] {
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
		same := slices.IndexFunc(all, d.is)
		if same < 0 {
			all = append(all, d)
			continue
		}
		all[same].target = all[same].target && d.target
		if d.context == "" {
			all[same].context = ""
		}
		if !all[same].host.ID.IsKnown() {
			all[same].host, all[same].name = d.host, d.name
		}
	}
	return all
}

// is reports whether two are one device: by Defender's id, or by the name where one of them has
// no id.
func (d alertDevice) is(other alertDevice) bool {
	id, known := d.host.ID.Get()
	of, told := other.host.ID.Get()
	if known && told {
		return strings.EqualFold(id, of)
	}
	return strings.EqualFold(d.name, other.name) || incident.SameName(d.name, other.name)
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
	all := e.of[processKind]
	if len(all) > 1 {
		p := incident.AlertProcess{}
		incident.Explain(&p, "the alert names several processes")
		return p
	}
	if len(all) == 0 || len(host.Doubts) > 0 {
		return incident.AlertProcess{}
	}
	r := e.read("process", all[0])
	if why := e.elsewhere(r, host); why != "" {
		p := incident.AlertProcess{}
		incident.Explain(&p, why)
		return p
	}
	p := incident.AlertProcess{
		Name: r.Written(f.Of("process.name")...), PID: r.PID(f.Of("process.pid")...),
		CommandLine: r.Written(f.Of("process.command_line")...), User: r.Written(f.Of("process.user")...),
	}
	p.Path = alerts.ImageIn(r.Written(f.Of("folder of process.path")...), p.Name)
	return p
}

// elsewhere says why a process may be of another device than the host.
func (e graphEvidence) elsewhere(r *alerts.Reader, host incident.AlertHost) string {
	of, told := r.Text(alertFields().Of("its device")...).Get()
	id, known := host.ID.Get()
	switch {
	case told && known && !strings.EqualFold(of, id):
		return "the process is of another device"
	case told && !known:
		return "the alert does not say whether the process is of the host, which has no id"
	case !told && len(e.devices()) > 1:
		return "the alert does not say of which device the process is"
	}
	return ""
}

// connections returns a reader of all connections of the evidence together: of what differs
// between them, none is known.
func (e graphEvidence) connections() *alerts.Reader {
	var ips, ports, transports []any
	for _, piece := range e.of[connectionKind] {
		ip := piece["destinationAddress"]
		if address, ok := ip.(map[string]any); ok {
			ip = address["ipAddress"]
		}
		ips, ports, transports = append(ips, ip), append(ports, piece["destinationPort"]), append(transports, piece["protocol"])
	}
	return e.read("networkConnection", map[string]any{
		"destinationAddress": map[string]any{"ipAddress": ips}, "destinationPort": ports, "protocol": transports,
	})
}
