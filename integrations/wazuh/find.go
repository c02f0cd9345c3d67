package wazuh

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
	// maxFound bounds the agents that a query finds, and maxListed those among which they
	// are looked for.
	maxFound  = 1000
	maxListed = 5000
	// asked is up to how many agents each is asked about: where more match, none is the
	// one that is meant.
	asked = 10
	// addressesAround is how long an inventory is taken to hold: it is made each hour.
	addressesAround = time.Hour
)

// search gathers the agents that the identifiers of a query find.
type search struct {
	c *Client
	q integrations.EndpointQuery

	mu  sync.Mutex
	all map[agentID]agent
	// more is what else there is of agents: of the one with the query's id it is asked for
	// at once.
	more map[agentID]details
}

// Endpoints implements [integrations.Endpoints]. All identifiers are asked for at once, and
// then what else there is of each agent that was not named by its id.
func (c *Client) Endpoints(ctx context.Context, q integrations.EndpointQuery) ([]incident.Endpoint, error) {
	const op = "find a device"
	s := &search{c: c, q: q, all: map[agentID]agent{}, more: map[agentID]details{}}
	lookups := s.lookups(ctx)
	if len(lookups) == 0 {
		return []incident.Endpoint{}, ctxErr(ctx, op)
	}
	lookups = append([]func() error{func() error { return c.supported(ctx, op) }}, lookups...)
	if err := httpx.All(lookups...); err != nil {
		return nil, err
	}
	ids := make([]agentID, 0, len(s.all))
	for id := range s.all {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	if len(ids) > maxFound {
		return nil, integrations.Errorf(integrations.Invalid, op, "more than %d match", maxFound)
	}
	var asking []func() error
	for _, id := range ids {
		if _, known := s.more[id]; !known && len(ids) <= asked {
			asking = append(asking, func() error { return s.detail(ctx, id) })
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

// ctxErr is the error of a call that ended before anything was asked.
func ctxErr(ctx context.Context, op string) error {
	if ctx.Err() == nil {
		return nil
	}
	return integrations.Errorf(integrations.Unavailable, op, "%w", ctx.Err())
}

// lookups are the requests for the query's identifiers. What cannot be one is not asked
// for: it finds nothing.
func (s *search) lookups(ctx context.Context) []func() error {
	var all []func() error
	if id, ok := agentIDOf(s.q.ID); ok {
		op := "find agent " + string(id)
		all = append(all,
			func() error {
				return s.take(ctx, op, id.only(), func(a agent) bool { return string(a.ID) == string(id) })
			},
			func() error { return s.detail(ctx, id) },
		)
	}
	if q := nameQuery(s.q.Name); q != "" {
		all = append(all, func() error {
			return s.take(ctx, "find agent "+s.q.Name, url.Values{"q": {q}}, func(a agent) bool { return sameName(string(a.Name), s.q.Name) })
		})
	}
	for _, ip := range addressesOf(s.q.IPs) {
		all = append(all, func() error {
			return s.take(ctx, "find the agent with address "+ip.String(), url.Values{"ip": {ip.String()}}, func(a agent) bool {
				is, err := netip.ParseAddr(string(a.IP))
				return err == nil && is.Unmap().WithZone("") == ip
			})
		})
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

// nameQuery is the query that finds the agents of a name, with and without its domain.
// Whether the operator = minds the case of letters is not documented, and there is none for a
// beginning: ~ finds each name that has this in it, and all but those that are meant are left
// out here.
func nameQuery(name string) string {
	name = incident.HostName(name)
	if !isName(name) {
		return ""
	}
	short, _, _ := strings.Cut(name, ".")
	return "name~" + short
}

// isName reports whether a text can be the name of an agent. There is nothing in one that
// means something in a query.
func isName(name string) bool {
	if _, err := netip.ParseAddr(name); err == nil || name == "" || len(name) > 128 || strings.HasPrefix(name, ".") || strings.Contains(name, "..") {
		return false
	}
	for _, r := range name {
		if r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' && r != '_' && r != '.' {
			return false
		}
	}
	return true
}

// sameName reports whether two names are those of one device: case does not matter, and
// one of them may lack the domain.
func sameName(a, b string) bool {
	a, b = strings.ToLower(incident.HostName(a)), strings.ToLower(incident.HostName(b))
	shortA, domainA, _ := strings.Cut(a, ".")
	shortB, domainB, _ := strings.Cut(b, ".")
	return a != "" && (a == b || shortA == shortB && (domainA == "" || domainB == ""))
}

// take asks for agents and keeps those that are meant. The manager is among its own agents,
// and no device.
func (s *search) take(ctx context.Context, op string, q url.Values, meant func(agent) bool) error {
	found, err := list[agent](ctx, s.c.manager, op, "/agents", q, maxListed)
	if integrations.KindOf(err) == integrations.NotFound && err != nil {
		return nil
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range found {
		if a.ID == "000" || !meant(a) {
			continue
		}
		id, ok := agentIDOf(string(a.ID))
		if !ok {
			return integrations.Errorf(integrations.Unavailable, op, "the answer has the id %s, which is not one of Wazuh's", httpx.Quote(a.ID))
		}
		s.all[id] = a
	}
	return nil
}
