package sentinelone

import (
	"context"
	"maps"
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
	// maxFound bounds the devices that a question can match: more are an error.
	maxFound = 1000
	// justNow is how old an alert may be for the device's present addresses to be those
	// of its time.
	justNow = 2 * time.Minute
	// longAway is how long a device must have been away for its last address to say
	// nothing of now.
	longAway = time.Hour
)

// sought is a query in the console's words.
type sought struct {
	id    agentID // zero: none
	uuid  uuid    // zero: none
	name  string  // without the dot of the root; empty: none
	ips   []string
	isNow bool
}

func (c *Client) sought(q integrations.EndpointQuery) sought {
	s := sought{ips: canonical(q.IPs...)}
	id := strings.TrimSpace(q.ID)
	s.id, _ = parseAgent(id)
	s.uuid, _ = parseUUID(id)
	if name := incident.HostName(q.Name); hostName(name) {
		s.name = name
	}
	s.isNow = q.At.IsZero() || c.now().Sub(q.At).Abs() <= justNow
	return s
}

// hostName reports whether a text can be the name of a host. Only such a text goes into a
// filter.
func hostName(text string) bool {
	odd := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-._", r)
	}
	return text != "" && len(text) <= 255 && strings.IndexFunc(text, odd) < 0
}

// filters are the query in the console's filters, one for each identifier and spelling:
// those of one request must hold together. Whether it minds the case of a name is not
// documented, so that a name is written in each. For addresses it has a filter for a part
// of one alone: what it returns is compared.
func (s sought) filters() []url.Values {
	there := url.Values{"isDecommissioned": {"false"}, "isUninstalled": {"false"}}
	var all []url.Values
	add := func(from url.Values, property, value string) {
		f := maps.Clone(from)
		f.Set(property, value)
		all = append(all, f)
	}
	if s.id != (agentID{}) {
		add(url.Values{"isDecommissioned": {"true,false"}, "isUninstalled": {"true,false"}}, "ids", s.id.digits)
	}
	if s.uuid != (uuid{}) {
		add(there, "uuids", s.uuid.text)
	}
	for _, name := range s.spellings() {
		add(there, "computerName", name)
	}
	if len(s.ips) > 0 {
		add(there, "networkInterfaceInet__contains", strings.Join(s.ips, ","))
	}
	return all
}

func (s sought) spellings() []string {
	if s.name == "" {
		return nil
	}
	var names []string
	short, _, _ := strings.Cut(s.name, ".")
	for _, name := range []string{s.name, short} {
		if name != "" {
			names = append(names, name, strings.ToLower(name), strings.ToUpper(name))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Endpoints implements [integrations.Endpoints]. A device that has an address now is found
// by it. The console keeps no earlier ones: for another time than now a device is found by
// its id or name alone, and its addresses are unknown. Devices that the console manages no
// more are found by their id only.
func (c *Client) Endpoints(ctx context.Context, q integrations.EndpointQuery) ([]incident.Endpoint, error) {
	const op = "find devices"
	s := c.sought(q)
	var mu sync.Mutex
	found := map[string]agent{}
	var asking []func(context.Context) error
	for _, f := range s.filters() {
		if !s.isNow && f.Has("networkInterfaceInet__contains") {
			continue
		}
		asking = append(asking, func(ctx context.Context) error {
			agents, err := list[agent](ctx, c, op, agentsPath, f, maxFound)
			mu.Lock()
			defer mu.Unlock()
			for _, a := range agents {
				if isID(a.ID) {
					found[a.ID] = a
				}
			}
			return err
		})
	}
	if err := httpx.Together(ctx, asking...); err != nil {
		return nil, err
	}
	return s.endpoints(found, c.now()), nil
}

// endpoints are the devices that match, sorted by id.
func (s sought) endpoints(found map[string]agent, now time.Time) []incident.Endpoint {
	// Where a domain was given and a device is in it, one of the same name in another
	// domain is another host.
	var inDomain bool
	for _, a := range found {
		inDomain = inDomain || s.named(a) && s.full(a)
	}
	var all []incident.Endpoint
	for _, id := range slices.Sorted(maps.Keys(found)) {
		a := found[id]
		e := a.endpoint()
		e.IP = s.addresses(a, now)
		byID := id == s.id.digits || s.uuid != (uuid{}) && s.uuid.same(a.UUID)
		byName := !a.gone() && s.named(a) && (!inDomain || s.full(a))
		had := s.isNow && !a.gone() && slices.ContainsFunc(a.addresses(), func(ip string) bool { return slices.Contains(s.ips, ip) })
		if byID || byName || had {
			all = append(all, e)
		}
	}
	return all
}

// addresses are those of a device at the time that the query is about.
func (s sought) addresses(a agent, now time.Time) incident.Value[[]string] {
	ips := a.addresses()
	seen := a.lastSeen()
	switch {
	case !s.isNow:
		return incident.NotKnown[[]string]("SentinelOne knows the present addresses of the device alone")
	case len(ips) == 0:
		return incident.NotKnown[[]string]("SentinelOne knows no address of the device")
	case a.Active != nil && !*a.Active && !seen.IsZero() && now.Sub(seen) > longAway:
		return incident.NotKnown[[]string]("the device is offline since " + seen.Format(time.RFC3339) + ": its last address may be another's by now")
	}
	return incident.Known(ips, incident.FromEDR)
}

// named reports whether the name is the device's: without case, and with the domain only
// where both have one. The console keeps the domain of Windows hosts apart.
func (s sought) named(a agent) bool {
	host := incident.HostName(a.Name)
	if s.name == "" || host == "" {
		return false
	}
	if strings.EqualFold(host, s.name) {
		return true
	}
	hostShort, hostDomain, _ := strings.Cut(host, ".")
	short, domain, _ := strings.Cut(s.name, ".")
	return strings.EqualFold(hostShort, short) && (hostDomain == "" || domain == "")
}

// full reports whether the device has the whole name that is sought, by its domain.
func (s sought) full(a agent) bool {
	_, domain, found := strings.Cut(s.name, ".")
	return found && (strings.EqualFold(incident.HostName(a.Name), s.name) ||
		!strings.Contains(a.Name, ".") && strings.EqualFold(incident.HostName(a.Domain), domain))
}
