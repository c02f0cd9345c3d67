package incident

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// AssetRoles are the roles of hosts that an inventory or an EDR names, as they
// are shipped. A site adds its own with [RolesWith].
func AssetRoles() Vocabulary { return assetRoles() }

var assetRoles = sync.OnceValue(func() Vocabulary { return rolesOf(shippedRoles()) })

func rolesOf(words []Word) Vocabulary {
	v := vocabulary("an asset role", words...)
	v.add = "add it to roles in stanch.yaml"
	return v
}

func shippedRoles() []Word {
	return []Word{
		{"workstation", []string{"client", "client computer", "desktop", "desktop computer", "laptop", "notebook", "pc", "personal computer", "windows client", "user device"}},
		{"server", []string{"srv", "member server", "windows server", "linux server", "application server", "app server"}},
		{"domain_controller", []string{"dc", "ad dc", "active directory", "active directory domain controller", "active directory server", "ad server", "pdc", "primary domain controller", "backup domain controller", "rodc", "read only domain controller", "domain ctrl", "windows domain controller"}},
		{"dns", []string{"dns server", "name server", "dns name server", "domain name server", "bind server"}},
		{"resolver", []string{"dns resolver", "recursive resolver", "dns forwarder"}},
		{"dhcp", []string{"dhcp server"}},
		{"time", []string{"time server", "ntp", "ntp server"}},
		{"hypervisor", []string{"hyper-v", "hyper-v host", "hypervisor host", "esx", "esxi", "esxi host", "vmware host", "virtualization host", "virtualisation host", "vm host", "kvm host", "proxmox"}},
		{"nat", []string{"nat gateway", "nat device"}},
		{"vpn", []string{"vpn gateway", "vpn server", "vpn concentrator", "remote access server"}},
		{"proxy", []string{"proxy server", "web proxy", "forward proxy", "http proxy"}},
		{"load_balancer", []string{"lb", "load balancing", "reverse proxy"}},
		{"firewall", []string{"fw", "ngfw", "utm"}},
		{"router", []string{"core router", "edge router"}},
		{"switch", []string{"network switch", "core switch"}},
		{"access_point", []string{"wireless access point", "wifi access point"}},
		{"jump_host", []string{"jump server", "jump box", "bastion", "bastion host", "privileged access workstation", "paw"}},
		{"backup", []string{"backup server"}},
		{"database", []string{"db", "db server", "database server", "sql server"}},
		{"file_server", []string{"file share", "file and print server", "nas", "storage"}},
		{"mail", []string{"mail server", "email server", "exchange", "exchange server", "smtp server"}},
		{"web", []string{"web server", "www", "www server"}},
		{"print_server", nil},
		{"certificate_authority", []string{"ca", "ca server", "pki", "certificate server"}},
		{"terminal_server", []string{"remote desktop server", "rds", "rd session host", "citrix", "citrix server"}},
		{"container_host", []string{"kubernetes node", "k8s node", "docker host"}},
		{"scanner", []string{"vulnerability scanner", "security scanner"}},
		{"monitoring", []string{"monitoring server"}},
		{"build", []string{"build server", "ci server", "ci runner", "build agent"}},
		{"printer", nil},
		{"phone", []string{"ip phone", "voip phone", "voip"}},
		{"mobile", []string{"mobile device", "smartphone", "tablet"}},
		{"iot", []string{"iot device", "camera", "ip camera"}},
		{"ot", []string{"ics", "scada", "plc", "hmi"}},
	}
}

// AssetRoleKey is the one spelling of an asset role: the shipped role that it
// means, else the word itself, whatever its case and how it joins its parts.
func AssetRoleKey(role string) string {
	if name, ok := AssetRoles().Word(role); ok {
		return name
	}
	return Spelling(role)
}

// RoleProblem is what is wrong with one of a site's own roles, or with one of its
// aliases, which is counted from 1. The problem does not repeat the word.
type RoleProblem struct {
	Role    string
	Alias   int
	Problem string
}

// RolesWith returns the shipped roles and a site's own, by name with their
// aliases. One that is shipped gets more aliases. A word can mean one role only.
func RolesWith(own map[string][]string) (Vocabulary, []RoleProblem) {
	words := shippedRoles()
	var problems []RoleProblem
	taken := maps.Clone(AssetRoles().names)
	claim := func(role string, alias int, spelled string) {
		key := letters(spelled)
		problem := ""
		switch other, again := taken[key]; {
		case Filler(spelled) || key == "":
			problem = "says that there is no value"
		case again && other != role:
			problem = "means " + other + " already"
		}
		if problem != "" {
			problems = append(problems, RoleProblem{role, alias, problem})
			return
		}
		taken[key] = role
	}
	for _, role := range slices.Sorted(maps.Keys(own)) {
		if role != Spelling(role) || strings.ContainsFunc(role, oddForName) {
			problems = append(problems, RoleProblem{Role: role, Problem: "must be of a-z, 0-9 and _, such as info_point"})
			continue
		}
		claim(role, 0, role)
		for i, alias := range own[role] {
			claim(role, i+1, alias)
		}
		if at := slices.IndexFunc(words, func(w Word) bool { return w.Name == role }); at >= 0 {
			words[at].Aliases = append(words[at].Aliases, own[role]...)
			continue
		}
		words = append(words, Word{role, own[role]})
	}
	if len(problems) > 0 {
		return AssetRoles(), problems
	}
	return rolesOf(words), nil
}

func oddForName(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' }
