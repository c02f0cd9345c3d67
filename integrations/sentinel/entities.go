package sentinel

import (
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// entities are those of one incident, as far as they are read.
type entities struct {
	reader *alerts.Reader
	of     map[string][]entity
	// none is why there are none.
	none string
}

// entity is one of them: by what others refer to it, and what it has.
type entity struct {
	name       string
	properties map[string]any
}

// entitiesOf are the entities that an incident names, by their kind in small letters.
func entitiesOf(r *alerts.Reader, properties map[string]any) entities {
	all := entities{reader: r, of: map[string][]entity{}}
	list := alerts.Objects(properties["relatedEntities"])
	for _, object := range list {
		kind, _ := object["kind"].(string)
		name, _ := object["name"].(string)
		held, ok := object["properties"].(map[string]any)
		if !ok {
			continue
		}
		kind = strings.ToLower(kind)
		all.of[kind] = append(all.of[kind], entity{name, held})
	}
	switch {
	case len(list) == 0:
		all.none = "the incident came without its entities: name an integration of kind sentinel in the source's lookup, which fetches them"
	case len(all.of["host"]) == 0:
		all.none = "the incident has no Host entity"
	}
	return all
}

// read returns a reader of what an entity of a kind has.
func (e entities) read(kind string, of entity) *alerts.Reader {
	return e.reader.Of(map[string]any{"relatedEntities[" + kind + "]": of.properties})
}

// host is the machine that the incident is about.
func (e entities) host() incident.AlertHost {
	f := fields()
	var hosts []incident.AlertHost
	var names, ids []string
	for _, one := range e.of["host"] {
		h := e.read("Host", withDomain(one)).Host(f.Of("host.id"), f.Of("host.name"), nil)
		if len(h.Doubts) > 0 {
			return h
		}
		name, ok := alerts.HostID(h).Get()
		if full, named := h.Name.Get(); named {
			name = full
		}
		if !ok {
			continue
		}
		h.OS = e.read("Host", one).OS(f.Of("host.os")...)
		hosts, names = append(hosts, h), append(names, name)
		if id, ok := h.ID.Get(); ok && !slices.ContainsFunc(ids, func(other string) bool { return strings.EqualFold(other, id) }) {
			ids = append(ids, id)
		}
	}
	names = alerts.Apart(names)
	if len(names) == 1 && len(ids) > 1 {
		// Two devices of one name.
		names = ids
	}
	switch len(names) {
	case 0:
		return e.hostOfAddress()
	case 1:
		ips, why := e.addresses()
		if len(ips) > 0 {
			why = "the incident does not say whose address " + strings.Join(ips, ", ") + " is"
		}
		h := merged(hosts)
		// An address may stand in place of the name.
		if !h.IP.IsKnown() {
			h.IP = incident.NotKnown[[]string](why)
		}
		return h
	}
	return alerts.Named(names, nil, "")
}

// merged is the machine that all of these entities are. One may have the id, or the whole name,
// that another lacks.
func merged(hosts []incident.AlertHost) incident.AlertHost {
	h := hosts[0]
	for _, other := range hosts[1:] {
		if !h.ID.IsKnown() {
			h.ID = other.ID
		}
		if !h.OS.IsKnown() {
			h.OS = other.OS
		}
		name, _ := h.Name.Get()
		if longer, _ := other.Name.Get(); len(longer) > len(name) {
			h.Name = other.Name
		}
	}
	return h
}

// withDomain is a Host entity whose name has its domain.
func withDomain(e entity) entity {
	name, _ := e.properties["hostName"].(string)
	domain, _ := e.properties["dnsDomain"].(string)
	if name == "" || incident.Filler(domain) || strings.Contains(name, ".") {
		return e
	}
	full := map[string]any{}
	for key, value := range e.properties {
		full[key] = value
	}
	full["hostName"] = name + "." + strings.Trim(domain, ".")
	return entity{e.name, full}
}

// hostOfAddress is the machine of an incident that names only addresses: of one it is not
// certain whose it is.
func (e entities) hostOfAddress() incident.AlertHost {
	ips, why := e.addresses()
	h := alerts.Named(nil, ips, why)
	if len(ips) == 1 {
		h.Doubts = append(h.Doubts, "the incident does not say which end of the connection "+ips[0]+" is")
	}
	if !h.Name.IsKnown() && h.Name.Why() == "" {
		h.Name = incident.NotKnown[string](e.none)
	}
	return h
}

// addresses are those that the incident names, else why there are none.
func (e entities) addresses() (ips []string, why string) {
	for _, one := range e.of["ip"] {
		found, reason := e.read("Ip", one).Addresses(fields().Of("addresses")...)
		for _, ip := range found {
			if !slices.Contains(ips, ip) {
				ips = append(ips, ip)
			}
		}
		if why == "" {
			why = reason
		}
	}
	if len(ips) > 0 {
		why = ""
	}
	return ips, why
}

// process is the one process that the incident names, unless it is of another host.
func (e entities) process(host incident.AlertHost) incident.AlertProcess {
	f := fields()
	all := e.of["process"]
	switch {
	case len(all) > 1:
		p := incident.AlertProcess{}
		incident.Explain(&p, "the incident names several processes")
		return p
	case len(all) == 0 || len(host.Doubts) > 0 || e.elsewhere(all[0]):
		return incident.AlertProcess{}
	}
	r := e.read("Process", all[0])
	p := incident.AlertProcess{PID: r.PID(f.Of("process.pid")...), CommandLine: r.Written(f.Of("process.command_line")...)}
	if file, ok := e.referred(r, "file", f.Of("its file")); ok {
		image := e.read("File", file)
		p.Name = image.Written(f.Of("process.name")...)
		p.Path = alerts.ImageIn(image.Written(f.Of("folder of process.path")...), p.Name)
	}
	if account, ok := e.referred(r, "account", f.Of("its account")); ok {
		p.User = e.read("Account", account).Written(f.Of("process.user")...)
	}
	return p
}

// elsewhere reports whether a process is of a host that is not the one Host entity.
func (e entities) elsewhere(process entity) bool {
	of, _ := e.read("Process", process).Text(fields().Of("its host")...).Get()
	return of != "" && (len(e.of["host"]) != 1 || !strings.EqualFold(of, e.of["host"][0].name))
}

// referred is the entity of a kind that another one refers to.
func (e entities) referred(r *alerts.Reader, kind string, paths []string) (entity, bool) {
	name, _ := r.Text(paths...).Get()
	for _, one := range e.of[kind] {
		if name != "" && strings.EqualFold(one.name, name) {
			return one, true
		}
	}
	return entity{}, false
}
