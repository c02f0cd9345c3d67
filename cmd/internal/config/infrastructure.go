package config

import (
	"net/netip"
	"regexp"
	"strings"

	"github.com/stanch-soar/stanch/playbooks"
)

const (
	// maxInfrastructure bounds the list: each address goes with each order to isolate.
	maxInfrastructure = 64
	// widest4 and widest6 are the largest networks that it may name. What is in one is
	// never contained: a typing error must not exempt an estate.
	widest4, widest6 = 16, 64
)

// hostName matches names of hosts and ids of devices.
var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?$`)

// readInfrastructure parses the list of what is never contained.
func (c *Config) readInfrastructure(at playbooks.Node) playbooks.Issues {
	var issues playbooks.Issues
	if len(c.Infrastructure) > maxInfrastructure {
		return playbooks.Issues{at.Issue("infrastructure has %d entries, at most %d fit into an order", len(c.Infrastructure), maxInfrastructure)}
	}
	for i, text := range c.Infrastructure {
		node := at.At(i)
		if ip, err := netip.ParseAddr(text); err == nil {
			if ip.Zone() != "" || ip.IsUnspecified() || ip.IsLoopback() || ip.IsMulticast() {
				issues = append(issues, node.Issue("%s is not the address of one host that others reach", node.Quoted()))
				continue
			}
			ip = ip.Unmap()
			c.Exempt.Networks = append(c.Exempt.Networks, netip.PrefixFrom(ip, ip.BitLen()))
			continue
		}
		if strings.ContainsAny(text, "/:") || strings.Trim(text, "0123456789.") == "" {
			n, err := netip.ParsePrefix(text)
			switch {
			case err != nil || n != n.Masked() || n.Addr().Is4In6():
				issues = append(issues, node.Issue("invalid address or network %s: write it like 10.1.0.5 or 10.1.0.0/24", node.Quoted()))
			case n.Addr().Is4() && n.Bits() < widest4 || n.Addr().Is6() && n.Bits() < widest6:
				issues = append(issues, node.Issue("network %s is wider than a /%d, or a /%d of IPv6: nothing in it would ever be contained", node.Quoted(), widest4, widest6))
			default:
				c.Exempt.Networks = append(c.Exempt.Networks, n)
			}
			continue
		}
		if !hostName.MatchString(text) {
			issues = append(issues, node.Issue("%s is neither an address nor a network, a host name or a device id", node.Quoted()))
			continue
		}
		c.Exempt.Names = append(c.Exempt.Names, text)
	}
	return issues
}
