package elastic

import (
	"context"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// maxFound bounds the devices that one identifier finds.
	maxFound = 1000
	// asked is up to how many devices each is asked about: where more match, none is the
	// one that is meant.
	asked = 10
	// addressesAround is how far around a time it is looked for who had an address.
	addressesAround = 15 * time.Minute
)

// found is a device with the addresses that its events around the query's time have.
type found struct {
	device
	had []string
}

// search gathers the devices that the identifiers of a query find.
type search struct {
	d   *Defend
	q   integrations.EndpointQuery
	ips []netip.Addr
	at  time.Time // of the addresses

	mu  sync.Mutex
	all map[agentID]*found
	// had are the addresses in events, and more what else there is of devices: of the one
	// with the query's id it is asked for at once.
	had  map[agentID][]string
	more map[agentID]incident.Value[string]
	// lately are the isolations and releases of all devices since a time, where whole.
	lately []action
	since  time.Time
	whole  bool
}

// Endpoints implements [integrations.Endpoints]. All identifiers are asked for at once, with
// what was ordered on any device lately: where that is little it says what was ordered on
// those that are found, else they are asked about afterwards.
//
// Kibana's filter knows the case of a name as it stands there: the name is looked for as
// the query has it, in small and in capital letters, and in the events in any case.
func (d *Defend) Endpoints(ctx context.Context, q integrations.EndpointQuery) ([]incident.Endpoint, error) {
	s := &search{
		d: d, q: q, at: q.At, ips: addressesOf(q.IPs), all: map[agentID]*found{}, had: map[agentID][]string{}, more: map[agentID]incident.Value[string]{},
	}
	if now := d.now(); q.At.IsZero() || q.At.After(now) {
		s.at = now
	}
	if err := httpx.All(s.lookups(ctx)...); err != nil {
		return nil, err
	}
	if err := s.missing(ctx); err != nil {
		return nil, err
	}
	ids := s.ids()
	if len(ids) > maxFound {
		return nil, integrations.Errorf(integrations.Invalid, "find a device", "more than %d match", maxFound)
	}
	var asking []func() error
	for _, id := range ids {
		if _, known := s.more[id]; !known && len(ids) <= asked && !s.told(id) {
			asking = append(asking, func() error { return s.isolation(ctx, id, s.all[id].device) })
		}
	}
	if err := httpx.All(asking...); err != nil {
		return nil, err
	}
	endpoints := make([]incident.Endpoint, 0, len(ids))
	for _, id := range ids {
		endpoints = append(endpoints, s.endpoint(id))
	}
	return endpoints, nil
}

// lookups are the requests for the query's identifiers. What cannot be one is not asked
// for: it finds nothing.
func (s *search) lookups(ctx context.Context) []func() error {
	var all []func() error
	if id, ok := agentIDOf(s.q.ID); ok {
		all = append(all, func() error { return s.byID(ctx, id) })
	}
	name := incident.HostName(s.q.Name)
	if isName(name) {
		all = append(all,
			func() error { return s.byKuery(ctx, "find device "+name, nameKuery(name)) },
			func() error { return s.byEvents(ctx, "find device "+name, nameQuery(name)) },
		)
	}
	for _, ip := range s.ips {
		op := "find the device with address " + ip.String()
		all = append(all, func() error { return s.byEvents(ctx, op, term("host.ip", ip.String())) })
		if s.isNow() {
			all = append(all, func() error { return s.byKuery(ctx, op, `united.endpoint.host.ip : "`+ip.String()+`"`) })
		}
	}
	if isName(name) || len(s.ips) > 0 {
		all = append(all, func() error {
			s.since = s.d.now().Add(-actionsLately)
			s.lately, s.whole = s.d.everyAction(ctx, s.since)
			return nil
		})
	}
	return all
}

// isNow reports whether the query is about now.
func (s *search) isNow() bool { return s.d.now().Sub(s.at) <= addressesAround }

// addressesOf are the addresses among texts, each once.
func addressesOf(texts []string) []netip.Addr {
	var ips []netip.Addr
	for _, text := range texts {
		ip, err := netip.ParseAddr(text)
		if ip = ip.Unmap().WithZone(""); err == nil && !slices.Contains(ips, ip) {
			ips = append(ips, ip)
		}
	}
	return ips
}

// byID reads the device of an agent, and at once what was ordered on it.
func (s *search) byID(ctx context.Context, id agentID) error {
	op := "find device " + string(id)
	var of device
	var actions []action
	var denied error
	err := httpx.All(
		func() (err error) { of, err = s.d.device(ctx, op, id); return err },
		func() (err error) { actions, denied, err = s.ordered(ctx, op, id); return err },
	)
	if err != nil {
		return none(err)
	}
	if of.gone() {
		return nil
	}
	s.take(id, of)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.more[id] = of.isolationWord(actions, denied)
	return nil
}

// told reports whether what was ordered on all devices tells whether one is isolated, and
// takes that. What is older does not count of a device that has written since it was over.
func (s *search) told(id agentID) bool {
	of := s.all[id].device
	if !s.whole || of.written().Before(s.since.Add(actionsOver)) {
		return false
	}
	s.more[id] = of.isolationWord(s.d.on(id, s.lately, cmdIsolate, cmdUnisolate), nil)
	return true
}

// isolation asks what was ordered on a device.
func (s *search) isolation(ctx context.Context, id agentID, of device) error {
	actions, denied, err := s.ordered(ctx, "read isolation of device "+string(id), id)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.more[id] = of.isolationWord(actions, denied)
	return nil
}

// ordered is what was ordered on a device, or why that must not be seen.
func (s *search) ordered(ctx context.Context, op string, id agentID) (actions []action, denied, err error) {
	actions, err = s.d.actions(ctx, op, id, cmdIsolate, cmdUnisolate)
	if integrations.KindOf(err) == integrations.Denied {
		return nil, err, nil
	}
	return actions, nil, err
}

// isName reports whether a text can be the name of a computer. There is nothing in one that
// ends a string of a filter, or means more than itself.
func isName(name string) bool {
	if _, err := netip.ParseAddr(name); err == nil || name == "" || len(name) > 255 || strings.HasPrefix(name, ".") || strings.Contains(name, "..") {
		return false
	}
	for _, r := range name {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' && r != '_' && r != '.' {
			return false
		}
	}
	return true
}

// nameKuery is the filter for a name, with its domain and without.
func nameKuery(name string) string {
	short, _, _ := strings.Cut(name, ".")
	var parts []string
	var done []string
	for _, n := range []string{name, short} {
		for _, spelt := range []string{n, strings.ToLower(n), strings.ToUpper(n)} {
			if slices.Contains(done, spelt) {
				continue
			}
			done = append(done, spelt)
			parts = append(parts, `united.endpoint.host.hostname : "`+spelt+`"`, `united.endpoint.host.name : "`+spelt+`"`)
		}
	}
	return strings.Join(parts, " or ")
}

// nameQuery selects the events of devices with a name in any case, with its domain and
// without. A short name is that of a device with any domain, too: the dot keeps longer names
// out.
func nameQuery(name string) query {
	var all []query
	for _, f := range []string{"host.hostname", "host.name"} {
		all = append(all, likeName(f, name))
		if short, _, full := strings.Cut(name, "."); full {
			all = append(all, likeName(f, short))
		} else {
			all = append(all, query{Prefix: map[string]any{f: map[string]any{"value": name + ".", "case_insensitive": true}}})
		}
	}
	return anyOf(all...)
}

// sameName reports whether two names are those of one device: case does not matter, and
// one of them may lack the domain.
func sameName(a, b string) bool {
	a, b = strings.ToLower(incident.HostName(a)), strings.ToLower(incident.HostName(b))
	shortA, domainA, _ := strings.Cut(a, ".")
	shortB, domainB, _ := strings.Cut(b, ".")
	return a != "" && (a == b || shortA == shortB && (domainA == "" || domainB == ""))
}

// statuses are those of the devices that are listed: all that any version of the documents
// names, but for those that are no longer Elastic's. They must be named.
func statuses() []string { return []string{"healthy", "unhealthy", "updating", "offline", "inactive"} }

// byKuery looks through Kibana's list of devices.
func (s *search) byKuery(ctx context.Context, op, kuery string) error {
	devices, err := list[device](ctx, s.d.kibana, op, metadataPath, url.Values{"kuery": {kuery}, "hostStatuses": statuses()}, maxFound)
	if err != nil {
		return err
	}
	for _, of := range devices {
		id, ok := of.id()
		switch {
		case !ok:
			return integrations.Errorf(integrations.Unavailable, op, "the answer has the id %s, which is no UUID", httpx.Quote(of.Metadata.Agent.ID))
		case of.gone():
			continue
		}
		// The filter is Kibana's; that a device is one that is meant is judged here.
		if sameName(of.Metadata.Host.Hostname, s.q.Name) || sameName(of.Metadata.Host.Name, s.q.Name) || s.isNow() && of.answers() && slices.ContainsFunc(of.reported(), s.wanted) {
			s.take(id, of)
		}
	}
	return nil
}

// byEvents looks through the events around the query's time, for each device its newest.
func (s *search) byEvents(ctx context.Context, op string, matching query) error {
	e := s.d.events
	r := newest(maxFound+1, []string{"agent.id", "agent.type", "host.ip", "host.hostname", "host.name"},
		stamped(s.at.Add(-addressesAround), s.at.Add(addressesAround)), matching)
	r.Collapse = &field{Field: "agent.id"}
	rows, err := e.search(ctx, op, slices.Concat(e.processes, e.networks), false, r)
	if err != nil {
		return err
	}
	if len(rows) > maxFound {
		return integrations.Errorf(integrations.Invalid, op, "more than %d match", maxFound)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range rows {
		id, ok := agentIDOf(r.text("agent.id"))
		if !ok {
			continue
		}
		ips := usable(r.texts("host.ip"))
		if sameName(r.text("host.hostname"), s.q.Name) || sameName(r.text("host.name"), s.q.Name) || slices.ContainsFunc(ips, s.wanted) {
			s.had[id] = append(s.had[id], ips...)
		}
	}
	return nil
}

// missing reads the devices that events alone have found.
func (s *search) missing(ctx context.Context) error {
	var all []func() error
	for id := range s.had {
		if s.all[id] == nil {
			all = append(all, func() error { return s.byID(ctx, id) })
		}
	}
	if len(s.all)+len(all) > maxFound {
		return integrations.Errorf(integrations.Invalid, "find a device", "more than %d match", maxFound)
	}
	if len(all) > asked {
		return integrations.Errorf(integrations.Invalid, "find a device", "the events of %d devices match", len(all))
	}
	return httpx.All(all...)
}

// none is nil for a device that is not there.
func none(err error) error {
	if integrations.KindOf(err) == integrations.NotFound {
		return nil
	}
	return err
}

func (s *search) take(id agentID, of device) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all[id] == nil {
		s.all[id] = &found{device: of}
	}
}

func (s *search) ids() []agentID {
	ids := make([]agentID, 0, len(s.all))
	for id := range s.all {
		ids = append(ids, id)
		s.all[id].had = s.had[id]
	}
	slices.Sort(ids)
	return ids
}

// wanted reports whether the query has an address.
func (s *search) wanted(ip string) bool {
	return slices.ContainsFunc(s.ips, func(a netip.Addr) bool { return a.String() == ip })
}
