package crowdstrike

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	searchPath = "/devices/combined/devices/v1"
	// maxFound bounds the devices that a question can match: more are an error.
	maxFound = 1000
	// maxTerms is how many comparisons Falcon takes in one filter.
	maxTerms = 20
	// longAway is how long a device must have been away for its last address to say
	// nothing of now.
	longAway = time.Hour
)

// sought is a query in Falcon's words.
type sought struct {
	id    agentID // zero: none
	name  string  // without the dot of the root; empty: none
	ips   []string
	at    time.Time
	isNow bool
}

func (f *Falcon) sought(q integrations.EndpointQuery) sought {
	s := sought{ips: canonical(q.IPs...), at: q.At}
	s.id, _ = parseAgent(strings.TrimSpace(q.ID))
	if name := incident.HostName(q.Name); hostName(name) {
		s.name = name
	}
	s.isNow = q.At.IsZero() || f.now().Sub(q.At).Abs() <= justNow
	return s
}

// hostName reports whether a text can be the name of a host. Only such a text goes into
// a filter: it cannot end the quotes around it, and is no pattern.
func hostName(text string) bool {
	odd := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-._", r)
	}
	return text != "" && len(text) <= 255 && strings.IndexFunc(text, odd) < 0
}

// filters are the query in Falcon's query language: comparisons, of which one must hold,
// in as few filters as they fit in. Whether Falcon minds the case of a name is not
// documented, so that a name is written in each; that it returns exact matches only is
// not promised either, and is checked on what it returns.
func (s sought) filters() []string {
	var terms []string
	add := func(property, value string) { terms = append(terms, property+":'"+value+"'") }
	if s.id != (agentID{}) {
		add("device_id", s.id.hex)
	}
	if s.name != "" {
		short, _, _ := strings.Cut(s.name, ".")
		names := []string{}
		for _, name := range []string{s.name, short} {
			names = append(names, name, strings.ToLower(name), strings.ToUpper(name))
		}
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			if name != "" {
				add("hostname", name)
			}
		}
	}
	for _, ip := range s.ips {
		add("local_ip", ip)
	}
	var filters []string
	for some := range slices.Chunk(terms, maxTerms) {
		filters = append(filters, strings.Join(some, ","))
	}
	return filters
}

// Endpoints implements [integrations.Endpoints]. A device that has an address now is
// found by it; which device had one at an earlier time cannot be asked, so that such a
// device is found by its id or name alone, and its history says whether the address
// agrees.
func (f *Falcon) Endpoints(ctx context.Context, q integrations.EndpointQuery) ([]incident.Endpoint, error) {
	const op = "find devices"
	s := f.sought(q)
	found := newFinds()
	asking := f.more(op, s, found, s.known())
	for _, filter := range s.filters() {
		asking = append(asking, func(ctx context.Context) error { return f.matching(ctx, op, filter, s, found) })
	}
	if err := httpx.Together(ctx, asking...); err != nil {
		return nil, err
	}
	if len(found.devices) > maxFound {
		return nil, integrations.Errorf(integrations.Unavailable, op, "more than %d devices match", maxFound)
	}
	if err := httpx.Together(ctx, f.more(op, s, found, found.unasked())...); err != nil {
		return nil, err
	}
	return s.endpoints(found, f.now()), nil
}

// known are the devices that are known before anything was asked.
func (s sought) known() []string {
	if s.id == (agentID{}) {
		return nil
	}
	return []string{s.id.hex}
}

// finds is what is known of devices, by their ids.
type finds struct {
	mu      sync.Mutex
	devices map[string]device
	online  map[string]presence
	noted   map[string][]noted
	// asked are the devices of which online and noted were asked for, and silent is why
	// they are not known.
	asked                 map[string]bool
	onlineWhy, historyWhy string
}

func newFinds() *finds {
	return &finds{
		devices: map[string]device{}, online: map[string]presence{}, noted: map[string][]noted{}, asked: map[string]bool{},
	}
}

// unasked are the devices of which only the record is known, sorted.
func (f *finds) unasked() []string {
	var ids []string
	for id := range f.devices {
		if !f.asked[id] {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// more asks what the record of a device does not say: whether it is online, and which
// addresses it had. What the API client may not read stays unknown.
func (f *Falcon) more(op string, s sought, found *finds, ids []string) []func(context.Context) error {
	if len(ids) == 0 {
		return nil
	}
	for _, id := range ids {
		found.asked[id] = true
	}
	asking := []func(context.Context) error{func(ctx context.Context) error {
		online, err := f.online(ctx, op, ids)
		found.mu.Lock()
		defer found.mu.Unlock()
		maps.Copy(found.online, online)
		return withheld(err, &found.onlineWhy)
	}}
	if s.isNow {
		return asking
	}
	return append(asking, func(ctx context.Context) error {
		noted, err := f.histories(ctx, op, ids)
		found.mu.Lock()
		defer found.mu.Unlock()
		maps.Copy(found.noted, noted)
		return withheld(err, &found.historyWhy)
	})
}

// withheld keeps the reason of an answer that will not come, however often it is asked
// for, and returns any other error.
func withheld(err error, why *string) error {
	if err != nil && !integrations.KindOf(err).Retryable() {
		*why = err.Error()
		return nil
	}
	return err
}

// matching reads the devices that a filter matches, to the last page.
func (f *Falcon) matching(ctx context.Context, op, filter string, s sought, found *finds) error {
	read, next := 0, ""
	for {
		query := url.Values{"filter": {filter}, "limit": {strconv.Itoa(maxFound)}}
		if next != "" {
			query.Set("offset", next)
		}
		out, err := ask[device](ctx, f, call{op: op, method: http.MethodGet, path: searchPath, query: query})
		if err != nil {
			return err
		}
		read += len(out.Resources)
		found.keep(out.Resources, s)
		page := out.Meta.Pagination
		last := page.Next == "" || page.Next == next || len(out.Resources) == 0
		switch {
		case read > maxFound || page.Total > maxFound:
			return integrations.Errorf(integrations.Unavailable, op, "more than %d devices match", maxFound)
		case last && read < page.Total:
			return integrations.Errorf(integrations.Unavailable, op, "Falcon has %d devices that match, and returns %d", page.Total, read)
		case last || page.Total > 0 && read >= page.Total:
			return nil
		}
		next = page.Next
	}
}

// keep keeps the devices that match.
func (f *finds) keep(devices []device, s sought) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, d := range devices {
		a, ok := parseAgent(d.ID)
		if ok && (a == s.id || s.named(d) || s.has(d.addresses())) {
			f.devices[a.hex] = d
		}
	}
}

// named reports whether the name is the device's: without case, and with the domain
// only where both have one. Falcon keeps the domain of Windows hosts apart.
func (s sought) named(d device) bool {
	host := incident.HostName(d.Hostname)
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
func (s sought) full(d device) bool {
	_, domain, found := strings.Cut(s.name, ".")
	return found && (strings.EqualFold(incident.HostName(d.Hostname), s.name) ||
		!strings.Contains(d.Hostname, ".") && strings.EqualFold(incident.HostName(d.Domain), domain))
}

func (s sought) has(ips []string) bool {
	return slices.ContainsFunc(ips, func(ip string) bool { return slices.Contains(s.ips, ip) })
}

// endpoints are the devices that match, sorted by id.
func (s sought) endpoints(found *finds, now time.Time) []incident.Endpoint {
	// Where a domain was given and a device is in it, one of the same name in another
	// domain is another host.
	var inDomain bool
	for _, d := range found.devices {
		inDomain = inDomain || s.named(d) && s.full(d)
	}
	var all []incident.Endpoint
	for _, id := range slices.Sorted(maps.Keys(found.devices)) {
		d := found.devices[id]
		p, told := found.online[id]
		e := d.endpoint(p)
		if !told && found.onlineWhy != "" {
			e.Online = incident.NotKnown[bool](found.onlineWhy)
		}
		e.IP = s.addresses(d, found, p, now)
		had, known := e.IP.Get()
		byAddress := s.has(had) || !known && s.has(d.addresses())
		byName := s.named(d) && (!inDomain || s.full(d))
		if id == s.id.hex || byName || byAddress {
			all = append(all, e)
		}
	}
	return all
}

// addresses are those of a device at the time that the query is about. The present ones
// are not taken for those of another time, and the last ones of a device that has been
// away for long are not taken for present ones: the address may be another's by now.
func (s sought) addresses(d device, found *finds, p presence, now time.Time) incident.Value[[]string] {
	if !s.isNow {
		notes, ok := found.noted[strings.ToLower(d.ID)]
		if !ok && found.historyWhy != "" {
			return incident.NotKnown[[]string](found.historyWhy)
		}
		return addressesAt(notes, s.at)
	}
	connected, known := p.online().Get()
	if seen := d.seen(p); known && !connected && !seen.IsZero() && now.Sub(seen) > longAway {
		return incident.NotKnown[[]string]("the device is offline since " + seen.Format(time.RFC3339) + ": its last address may be another's by now")
	}
	ips := d.addresses()
	if len(ips) == 0 {
		return incident.NotKnown[[]string]("Falcon knows no address of the device")
	}
	return incident.Known(ips, incident.FromEDR)
}
