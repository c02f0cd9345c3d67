package estate

import (
	"encoding/csv"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Rule lets something leave by a firewall of zurich and boston. The first that fits
// decides; what no rule lets leave stays.
type Rule struct {
	ID      string `json:"id"`
	Purpose string `json:"purpose"`
	Owner   string `json:"owner"`
	// Roles are those for whose hosts it is meant; none means that nobody says.
	Roles        []string       `json:"roles"`
	Transport    string         `json:"transport"` // empty is any
	Ports        [][2]uint16    `json:"ports"`     // from and to; none is any
	Sources      []netip.Prefix `json:"sources"`
	Destinations []netip.Prefix `json:"destinations"` // none is any
}

// rules are the policy of both firewalls.
func rules() []Rule {
	ports := func(list ...uint16) [][2]uint16 {
		var ranges [][2]uint16
		for _, p := range list {
			ranges = append(ranges, [2]uint16{p, p})
		}
		return ranges
	}
	all, servers := everybody(), networksOf("server", "domain_controller", "dns", "backup", "build", "database", "web")
	to := func(list ...string) []netip.Prefix {
		var networks []netip.Prefix
		for _, s := range list {
			networks = append(networks, netip.MustParsePrefix(s))
		}
		return networks
	}
	one := func(a netip.Addr) []netip.Prefix { return []netip.Prefix{netip.PrefixFrom(a, a.BitLen())} }
	everyRole := []string{workstation, "server", "domain_controller", "dns", "backup", "build", "database", "web", "proxy", "nat"}
	return []Rule{
		{"r010", "names", "network", []string{"domain_controller", "dns", "server", "backup", "build", "database", "web"}, "udp", ports(53), servers, nil},
		{"r011", "names over TCP", "network", []string{"domain_controller", "dns"}, "tcp", ports(53), servers, nil},
		{"r020", "the web by the proxy", "network", []string{"proxy"}, "tcp", ports(80, 443), one(proxyAddr()), nil},
		{"r021", "the web", "network", everyRole, "tcp", ports(80, 443), all, nil},
		{"r022", "the web over QUIC", "network", everyRole, "udp", ports(443), all, nil},
		{"r030", "mail", "operations", []string{"server"}, "tcp", ports(25), networksOf("server"), nil},
		{"r040", "time", "network", everyRole, "udp", ports(123), all, nil},
		{"r050", "source code", "engineering", []string{"build"}, "tcp", ports(22), all, nil},
		{"r060", "meetings", "operations", []string{workstation, "nat"}, "udp", [][2]uint16{{3478, 3481}}, all, nil},
		{"r070", "tests of the line", "network", []string{workstation}, "tcp", ports(8080), networksOf(workstation), nil},
		{"r080", "images to the archive", "engineering", []string{"server"}, "tcp", ports(8022), networksOf("server"), to("198.19.253.10/32")},
		{"r100", "groupware before its move", "operations", []string{"server"}, "tcp", ports(1352), networksOf("server"), nil},
		{"r101", "tunnel to a former partner", "network", []string{"server"}, "udp", ports(500, 4500), networksOf("server"), to("192.0.2.0/24")},
		{"r102", "remote help", "operations", []string{workstation}, "tcp", ports(5938), networksOf(workstation), nil},
		{"r103", "files to a bank", "finance", []string{"server"}, "tcp", [][2]uint16{{989, 990}}, networksOf("server"), nil},
		{"r104", "hosted database", "finance", []string{"database"}, "tcp", ports(1433), networksOf("database"), to("203.0.113.0/24")},
		{"r110", "files from a supplier", "logistics", []string{"file_server"}, "tcp", ports(21), networksOf("server"), nil},
		{"r120", "shares during the merger", "operations", []string{"file_server"}, "tcp", ports(445), all, nil},
		{"r130", "remote desktops of a supplier", "operations", []string{"jump_host"}, "tcp", ports(3389), all, nil},
		{"r190", "anything, until the migration is over", "", nil, "", nil, all, nil},
	}
}

// everybody is the company's networks.
func everybody() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:20::/48")}
}

// networksOf are those of the roles at both firewalls.
func networksOf(names ...string) []netip.Prefix {
	var networks []netip.Prefix
	for i, p := range profiles() {
		if !slices.Contains(names, p.role) {
			continue
		}
		for _, site := range []byte{20, 30} {
			networks = append(networks, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, site, byte(i) * 16, 0}), 20))
			b := netip.MustParseAddr("2001:db8:20::").As16()
			b[6], b[7] = site, byte(i)
			networks = append(networks, netip.PrefixFrom(netip.AddrFrom16(b), 64))
		}
	}
	return networks
}

// Rules are the firewalls' rules, in order.
func (e *Estate) Rules() []Rule { return rules() }

// lets reports whether the rule lets a connection leave.
func (r *Rule) lets(src, dst netip.Addr, port uint16, transport string) bool {
	within := func(networks []netip.Prefix, a netip.Addr) bool {
		return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	return (r.Transport == "" || r.Transport == transport) &&
		(len(r.Ports) == 0 || slices.ContainsFunc(r.Ports, func(p [2]uint16) bool { return p[0] <= port && port <= p[1] })) &&
		within(r.Sources, src) && (len(r.Destinations) == 0 || within(r.Destinations, dst))
}

// RulesNFT is the policy as a ruleset of nftables.
func (e *Estate) RulesNFT() []byte {
	var b strings.Builder
	b.WriteString("table inet egress {\n\tchain forward {\n\t\ttype filter hook forward priority filter; policy drop;\n" +
		"\t\tct state established,related accept\n\t\tiifname \"outside\" accept\n")
	for _, r := range e.rules {
		match := ""
		switch {
		case r.Transport != "" && len(r.Ports) > 0:
			match = r.Transport + " dport " + set(portTexts(r.Ports)) + " "
		case r.Transport != "":
			match = "meta l4proto " + r.Transport + " "
		}
		for _, family := range []struct {
			word string
			v6   bool
		}{{"ip", false}, {"ip6", true}} {
			sources, destinations := ofFamily(r.Sources, family.v6), ofFamily(r.Destinations, family.v6)
			if len(sources) == 0 || len(r.Destinations) > 0 && len(destinations) == 0 {
				continue
			}
			fmt.Fprintf(&b, "\t\t%s saddr %s ", family.word, set(sources))
			if len(destinations) > 0 {
				fmt.Fprintf(&b, "%s daddr %s ", family.word, set(destinations))
			}
			fmt.Fprintf(&b, "%saccept comment \"%s %s\"\n", match, r.ID, r.Purpose)
		}
	}
	b.WriteString("\t}\n}\n")
	return []byte(b.String())
}

func set(list []string) string {
	if len(list) == 1 {
		return list[0]
	}
	return "{ " + strings.Join(list, ", ") + " }"
}

func ofFamily(networks []netip.Prefix, v6 bool) []string {
	var list []string
	for _, p := range networks {
		if p.Addr().Is6() == v6 {
			list = append(list, p.String())
		}
	}
	return list
}

func portTexts(ports [][2]uint16) []string {
	var list []string
	for _, p := range ports {
		text := strconv.Itoa(int(p[0]))
		if p[1] != p[0] {
			text += "-" + strconv.Itoa(int(p[1]))
		}
		list = append(list, text)
	}
	return list
}

// RulesCSV is the policy as a firewall's management exports it.
func (e *Estate) RulesCSV() []byte {
	var b strings.Builder
	w := csv.NewWriter(&b)
	write := func(fields ...string) { _ = w.Write(fields) } // a strings.Builder does not fail
	write("id", "action", "protocol", "ports", "source", "destination", "owner", "purpose", "roles")
	anything := func(list []string) string {
		if len(list) == 0 {
			return "any"
		}
		return strings.Join(list, ";")
	}
	texts := func(networks []netip.Prefix) []string {
		return slices.Concat(ofFamily(networks, false), ofFamily(networks, true))
	}
	for _, r := range e.rules {
		transport := r.Transport
		if transport == "" {
			transport = "any"
		}
		write(r.ID, "accept", transport, anything(portTexts(r.Ports)), anything(texts(r.Sources)), anything(texts(r.Destinations)), r.Owner, r.Purpose, strings.Join(r.Roles, ";"))
	}
	w.Flush()
	return []byte(b.String())
}
