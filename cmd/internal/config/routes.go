package config

import (
	"net/netip"

	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Routes say how the EDR's agents reach their cloud.
type Routes struct {
	Default string   `yaml:"default" enum:"direct,proxy,vpn" doc:"How agents of all other hosts reach their cloud. Without it, people are asked before such a host is isolated."`
	Proxy   []string `yaml:"proxy" doc:"Networks whose agents reach their cloud through a proxy, such as 10.1.0.0/16."`
	VPN     []string `yaml:"vpn" doc:"Networks whose agents reach their cloud through a VPN."`

	// Networks are the same, parsed.
	Networks incident.Routes `yaml:"-"`
}

// read parses the networks.
func (r *Routes) read(at playbooks.Node) playbooks.Issues {
	var issues playbooks.Issues
	r.Networks.Default = r.Default
	parse := func(key string, texts []string) (networks []netip.Prefix) {
		for i, text := range texts {
			n, err := netip.ParsePrefix(text)
			if err != nil || n != n.Masked() {
				issues = append(issues, at.Get(key).At(i).Issue("invalid network %q: write it like 10.1.0.0/16", text))
				continue
			}
			networks = append(networks, n)
		}
		return networks
	}
	r.Networks.Proxy, r.Networks.VPN = parse("proxy", r.Proxy), parse("vpn", r.VPN)
	return issues
}
