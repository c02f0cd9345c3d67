package config

import (
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// readRoles adds the site's own asset roles to the shipped ones.
func (c *Config) readRoles(node playbooks.Node) playbooks.Issues {
	var issues playbooks.Issues
	roles, problems := incident.RolesWith(c.Roles)
	for _, p := range problems {
		if at := node.Get(p.Role); p.Alias > 0 {
			alias := at.At(p.Alias - 1)
			issues = append(issues, alias.Issue("the alias %s of a role %s", alias.Quoted(), p.Problem))
		} else {
			issues = append(issues, at.Issue("the name of a role %s", p.Problem))
		}
	}
	c.AssetRoles = roles
	return issues
}
