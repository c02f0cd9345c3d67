package defender

import (
	"context"
	"net/netip"
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
	// addressesKept is how far back Defender knows which device had an address, and around
	// how far around a time it looks.
	addressesKept   = 30 * 24 * time.Hour
	addressesAround = 15 * time.Minute
)

// found is a device with the addresses of the query that it had at the query's time.
type found struct {
	machine
	had []string
}

// search gathers the devices that the identifiers of a query find.
type search struct {
	c *Client
	q integrations.EndpointQuery
	// ips are the query's addresses, and at is their time.
	ips []netip.Addr
	at  time.Time

	mu  sync.Mutex
	all map[machineID]*found
	// more is what else there is of devices: of the one with the query's id it is asked
	// for at once.
	more map[machineID]details

	// reported are the users in devices' reports, and isolations those of all devices, where
	// whole. They are read beside the lookups.
	reported   map[machineID][]string
	isolations []action
	whole      bool
}

// Endpoints implements [integrations.Endpoints]. All identifiers are asked for at once, and
// then what else there is of each device that was not named by its id and that what was asked
// about all devices does not tell.
func (c *Client) Endpoints(ctx context.Context, q integrations.EndpointQuery) ([]incident.Endpoint, error) {
	s := &search{
		c: c, q: q, at: q.At, ips: addressesOf(q.IPs), all: map[machineID]*found{}, more: map[machineID]details{}, reported: map[machineID][]string{},
	}
	// A moment before now: clocks differ, and a time to come is refused.
	if latest := c.now().Add(-time.Minute); q.At.IsZero() || q.At.After(latest) {
		s.at = latest
	}
	lookups, err := s.lookups(ctx)
	if err != nil {
		return nil, err
	}
	if err := httpx.All(lookups...); err != nil {
		return nil, err
	}
	ids := make([]machineID, 0, len(s.all))
	for id := range s.all {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	if len(ids) > maxFound {
		return nil, integrations.Errorf(integrations.Invalid, "find a device", "more than %d match", maxFound)
	}
	var asking []func() error
	for _, id := range ids {
		if _, known := s.more[id]; !known && len(ids) <= asked {
			asking = append(asking, func() error { s.detail(ctx, id); return nil })
		}
	}
	_ = httpx.All(asking...)
	endpoints := make([]incident.Endpoint, 0, len(ids))
	for _, id := range ids {
		e, err := s.endpoint(id)
		if err != nil {
			return nil, err
		}
		endpoints = append(endpoints, e)
	}
	return endpoints, nil
}

// lookups are the requests for the query's identifiers. What cannot be one is not asked
// for: it finds nothing.
func (s *search) lookups(ctx context.Context) ([]func() error, error) {
	var all []func() error
	id, named := machineIDOf(s.q.ID)
	if named {
		all = append(all, func() error { return s.byID(ctx, id) }, func() error { s.detail(ctx, id); return nil })
	}
	for _, filter := range nameFilters(s.q.Name) {
		all = append(all, func() error { return s.byName(ctx, filter) })
	}
	switch {
	case s.keepsAddresses():
		for _, ip := range s.ips {
			all = append(all, func() error { return s.byIP(ctx, ip) })
		}
	case len(all) == 0 && len(s.ips) > 0:
		return nil, integrations.Errorf(integrations.Invalid, "find a device by its address",
			"Defender knows for 30 days who had an address, and %s is longer ago", s.at.UTC().Format(time.RFC3339))
	}
	if named || len(all) == 0 {
		return all, nil
	}
	return append(all, s.ahead(ctx)...), nil
}

// ahead are the requests for what else there is of devices whose ids are not known yet.
func (s *search) ahead(ctx context.Context) []func() error {
	all := []func() error{func() error { s.isolations, s.whole = s.c.everyIsolation(ctx); return nil }}
	if kql := usersQuery(s.q.Name, s.ips, s.at); kql != "" && s.keepsAddresses() {
		all = append(all, func() error { s.huntUsers(ctx, kql); return nil })
	}
	return all
}

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

func (s *search) keepsAddresses() bool {
	return s.c.now().Sub(s.at) < addressesKept-addressesAround
}

func (s *search) byID(ctx context.Context, id machineID) error {
	op := "find device " + string(id)
	m, err := s.c.machine(ctx, op, id)
	if err != nil {
		return none(err)
	}
	return s.take(op, []machine{m}, "")
}

// nameFilters are the filters that find the devices of a name. Defender keeps names in
// lower case, as far as its documents show. A short name is that of a device without a domain,
// or with any: the dot keeps longer names out.
func nameFilters(name string) []string {
	name = strings.ToLower(incident.HostName(name))
	if !isName(name) {
		return nil
	}
	filters := []string{"computerDnsName eq '" + name + "'"}
	if short, _, full := strings.Cut(name, "."); full {
		return append(filters, "computerDnsName eq '"+short+"'")
	}
	return append(filters, "startswith(computerDnsName,'"+name+".')")
}

// isName reports whether a text can be the name of a computer. There is nothing in one that
// ends a string of a filter.
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

func (s *search) byName(ctx context.Context, filter string) error {
	op := "find device " + s.q.Name
	machines, err := list[machine](ctx, s.c.api, op, query("/api/machines", "$filter", filter), maxFound)
	if err != nil {
		return none(err)
	}
	// The filter is Defender's; that a name is the one that is meant is judged here.
	machines = slices.DeleteFunc(machines, func(m machine) bool { return !sameName(m.Name, s.q.Name) })
	return s.take(op, machines, "")
}

// sameName reports whether two names are those of one device: case does not matter, and
// one of them may lack the domain.
func sameName(a, b string) bool {
	a, b = strings.ToLower(incident.HostName(a)), strings.ToLower(incident.HostName(b))
	shortA, domainA, _ := strings.Cut(a, ".")
	shortB, domainB, _ := strings.Cut(b, ".")
	return a != "" && (a == b || shortA == shortB && (domainA == "" || domainB == ""))
}

func (s *search) byIP(ctx context.Context, ip netip.Addr) error {
	op := "find the device with address " + ip.String()
	path := "/api/machines/findbyip(ip='" + ip.String() + "',timestamp=" + s.at.UTC().Format(time.RFC3339) + ")"
	machines, err := list[machine](ctx, s.c.api, op, path, maxFound)
	if err != nil {
		return none(err)
	}
	return s.take(op, machines, ip.String())
}

// none is nil for a 404, which the documents have for a device and for a list without an
// entry.
func none(err error) error {
	if integrations.KindOf(err) == integrations.NotFound {
		return nil
	}
	return err
}

func (s *search) take(op string, machines []machine, had string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range machines {
		id, ok := machineIDOf(m.ID)
		if !ok {
			return integrations.Errorf(integrations.Unavailable, op, "the answer has the id %s, which is not one of Defender's", httpx.Quote(m.ID))
		}
		f := s.all[id]
		if f == nil {
			f = &found{machine: m}
			s.all[id] = f
		}
		if had != "" && !slices.Contains(f.had, had) {
			f.had = append(f.had, had)
		}
	}
	return nil
}
