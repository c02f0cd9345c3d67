package file

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

// asset is one entry of the file.
type asset struct {
	ID          string   `yaml:"id" doc:"The host's id, by which the EDR knows it."`
	Name        string   `yaml:"name" doc:"Host name, with or without its domain."`
	IPs         []string `yaml:"ips" doc:"Addresses, and networks such as 10.8.0.0/16."`
	Role        string   `yaml:"role" doc:"What the host is for: a [role](policy.md#roles)."`
	Owner       string   `yaml:"owner" doc:"Who answers for it."`
	Criticality string   `yaml:"criticality" doc:"How much depends on it, in the site's own words."`
	Site        string   `yaml:"site" doc:"Where it is; limits can be per site."`
	Tags        []string `yaml:"tags" doc:"Any words. nat, proxy, vpn and load_balancer make its addresses those of many hosts."`
	Agents      []string `yaml:"agents" doc:"Programs on it that send for all others, as paths or names of images."`

	networks []netip.Prefix
	// line is its line in the file.
	line int
}

// reference describes the file.
func reference() string {
	var b strings.Builder
	b.WriteString("A YAML file is a mapping with the one key `assets`, a list of hosts; a CSV file has the keys as its header, and separates several\n" +
		"values of a field by semicolons. An entry needs an `id`, a `name` or `ips`; what it leaves out is unknown.\n\n| key | type | meaning |\n|---|---|---|\n")
	t := reflect.TypeFor[asset]()
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		kind := "text"
		if f.Type.Kind() == reflect.Slice {
			kind = "list of text"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Tag.Get("yaml"), kind, f.Tag.Get("doc"))
	}
	b.WriteString("\n```yaml\n" + exampleFile + "```\n")
	return b.String()
}

// exampleFile is a file as it may be; a test reads it.
const exampleFile = `assets:
  - { name: ws-042, ips: [10.20.4.42], role: workstation, owner: finance, criticality: tier3, site: zurich }
  - { name: srv-dc-01, id: a3f1c2d4, ips: [10.20.1.5, 'fd12:20:1::5'], role: domain_controller, site: zurich }
  - { name: fw-01, ips: [10.0.0.7], role: firewall, tags: [nat] }
`

// prepare removes placeholders, reads the addresses, and returns what is wrong
// with the entry.
func (a *asset) prepare() error {
	for _, field := range []*string{&a.ID, &a.Name, &a.Role, &a.Owner, &a.Criticality, &a.Site} {
		if *field = strings.TrimSpace(*field); incident.Filler(*field) {
			*field = ""
		}
	}
	a.IPs = slices.DeleteFunc(a.IPs, nowhere)
	a.Agents = slices.DeleteFunc(a.Agents, incident.Filler)
	for _, agent := range a.Agents {
		if err := traffic.CheckAgent(agent); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(a.Tags, incident.Filler) {
		if a.Tags = slices.DeleteFunc(a.Tags, incident.Filler); len(a.Tags) == 0 {
			a.Tags = nil // No tags are unknown; an empty list would mean that there are none.
		}
	}
	if a.ID == "" && a.Name == "" && len(a.IPs) == 0 {
		return fmt.Errorf("an entry needs an id, a name or ips")
	}
	for _, ip := range a.IPs {
		p, err := parseNetwork(ip)
		if err != nil {
			return err
		}
		a.networks = append(a.networks, p)
	}
	return nil
}

// nowhere reports whether a text is an address that no host has.
func nowhere(ip string) bool {
	a, err := netip.ParseAddr(ip)
	return incident.Filler(ip) || err == nil && a.IsUnspecified()
}

// parseNetwork reads an address or a network in CIDR form.
func parseNetwork(s string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		if p != p.Masked() {
			return netip.Prefix{}, fmt.Errorf("%q has host bits set; the network is %s: for the one host %s write its address without /%d",
				s, p.Masked(), p.Addr(), p.Bits())
		}
		return p, nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is neither an address nor a network such as 192.0.2.0/24", s)
	}
	a = a.Unmap().WithZone("")
	return netip.PrefixFrom(a, a.BitLen()), nil
}

// fact returns the entry as a fact; what it leaves out is unknown.
func (a *asset) fact() incident.Asset {
	known := func(s string) incident.Value[string] {
		if s == "" {
			return incident.NotKnown[string]("inventory: not filled in")
		}
		return incident.Known(s, incident.FromInventory)
	}
	fact := incident.Asset{
		Name: known(cmp.Or(a.Name, a.ID)), Role: known(a.Role), Owner: known(a.Owner), Criticality: known(a.Criticality), Site: known(a.Site),
		Tags: incident.NotKnown[[]string]("inventory: not filled in"),
	}
	if a.Tags != nil {
		fact.Tags = incident.Known(slices.Clone(a.Tags), incident.FromInventory)
	}
	fact.Agents = slices.Clone(a.Agents)
	return fact
}

// label is how the entry is shown to people.
func (a *asset) label() string {
	switch {
	case a.ID != "":
		return a.ID
	case a.Name != "":
		return a.Name
	default:
		return strings.Join(a.IPs, " ")
	}
}

func names(assets []asset) string {
	labels := make([]string, len(assets))
	for i := range assets {
		labels[i] = fmt.Sprintf("%q", assets[i].label())
	}
	return strings.Join(labels, ", ")
}

// match returns the entries that at least one identifier of the query names, in
// the order of the file.
func match(assets []asset, q integrations.EndpointQuery) []asset {
	var ips []netip.Addr
	for _, ip := range q.IPs {
		if a, err := netip.ParseAddr(ip); err == nil {
			ips = append(ips, a.Unmap().WithZone(""))
		}
	}
	exact := slices.ContainsFunc(assets, func(a asset) bool { return q.Name != "" && strings.EqualFold(a.Name, q.Name) })
	var found []asset
	for _, a := range assets {
		named := strings.EqualFold(a.Name, q.Name) || !exact && shortened(a.Name, q.Name)
		if q.ID != "" && strings.EqualFold(a.ID, q.ID) || q.Name != "" && named || a.holds(ips) {
			found = append(found, a)
		}
	}
	return found
}

// shortened reports whether one of two host names is the other without its
// domain. An address has no domain.
func shortened(a, b string) bool {
	if _, err := netip.ParseAddr(a); err == nil {
		return false
	}
	if _, err := netip.ParseAddr(b); err == nil {
		return false
	}
	hostA, domainA, _ := strings.Cut(a, ".")
	hostB, domainB, _ := strings.Cut(b, ".")
	return hostA != "" && strings.EqualFold(hostA, hostB) && (domainA == "") != (domainB == "")
}

// alike reports whether all entries are equal for a host, in our words.
func alike(assets []asset) bool {
	first := said(assets[0])
	return !slices.ContainsFunc(assets[1:], func(a asset) bool { return !reflect.DeepEqual(said(a), first) })
}

// said is the content of an entry in normal form, so that spellings do not matter.
func said(a asset) incident.Asset {
	fact := a.fact()
	fact.InWords(incident.AssetRoles())
	fact.Name = incident.Said(strings.ToLower(a.Name), incident.FromInventory)
	tags := slices.Sorted(slices.Values(a.Tags))
	fact.Tags = incident.Known(slices.Compact(tags), incident.FromInventory)
	return fact
}

// twice lists the hosts that are in the file more than once: by their name, or
// by an address of their own.
func twice(assets []asset) []string {
	lines := map[string][]int{}
	for _, a := range assets {
		keys := []string{strings.ToLower(a.Name)}
		for _, n := range a.networks {
			if n.IsSingleIP() {
				keys = append(keys, n.Addr().String())
			}
		}
		slices.Sort(keys)
		for _, key := range slices.Compact(keys) {
			if key != "" {
				lines[key] = append(lines[key], a.line)
			}
		}
	}
	var found []string
	told := map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(lines)) {
		where := fmt.Sprint(lines[key])
		if len(lines[key]) < 2 || told[where] {
			continue
		}
		told[where] = true
		found = append(found, fmt.Sprintf("%q in lines %s", key, strings.Trim(where, "[]")))
	}
	return found
}

func (a *asset) holds(ips []netip.Addr) bool {
	return slices.ContainsFunc(ips, func(ip netip.Addr) bool {
		return slices.ContainsFunc(a.networks, func(p netip.Prefix) bool { return p.Contains(ip) })
	})
}
