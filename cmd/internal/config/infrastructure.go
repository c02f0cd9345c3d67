package config

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
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
		if !strings.ContainsAny(text, "/:") && strings.Trim(text, "0123456789.") != "" {
			if !hostName.MatchString(text) {
				issues = append(issues, node.Issue("%s is neither an address nor a network, a host name or a device id", node.Quoted()))
				continue
			}
			c.Exempt.Names = append(c.Exempt.Names, text)
			continue
		}
		n, err := incident.NetworkOf(text)
		if err != nil {
			issues = append(issues, node.Issue("invalid address or network %s: write it like 10.1.0.5 or 10.1.0.0/24", node.Quoted()))
			continue
		}
		if wrong := wrongNetwork(n); wrong != "" {
			issues = append(issues, node.Issue("%s %s", node.Quoted(), wrong))
			continue
		}
		c.Exempt.Networks = append(c.Exempt.Networks, n)
	}
	return issues
}

// readSharedDestinations parses the list of what is not blocked.
func (c *Config) readSharedDestinations(at playbooks.Node) playbooks.Issues {
	var issues playbooks.Issues
	for i, text := range c.SharedDestinations {
		n, err := incident.NetworkOf(text)
		if err != nil {
			issues = append(issues, at.At(i).Issue("invalid address or network %s: write it like 192.0.2.5 or 192.0.2.0/24", at.At(i).Quoted()))
			continue
		}
		c.SharedNetworks = append(c.SharedNetworks, n)
	}
	return issues
}

// wrongNetwork says why a network cannot be meant; empty where it can.
func wrongNetwork(n netip.Prefix) string {
	switch ip := n.Addr(); {
	case ip.Is4() && n.Bits() < widest4 || ip.Is6() && n.Bits() < widest6:
		return fmt.Sprintf("is wider than a /%d, or a /%d of IPv6: nothing in it would ever be contained", widest4, widest6)
	case ip.IsUnspecified() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsMulticast():
		return "is no address by which other hosts reach one"
	}
	return ""
}

// ExceptBy says who decides what stays reachable where no order can, by the names
// that playbooks use.
func (c *Config) ExceptBy() map[string]string {
	by := map[string]string{}
	for _, i := range c.Opened {
		if i.Spec.ExceptBy != "" {
			by[i.Name] = i.Spec.ExceptBy
		}
	}
	return by
}
