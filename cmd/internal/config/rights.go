package config

import (
	"maps"
	"slices"

	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/policy"
)

// Group is what all people of a group may do.
type Group struct {
	May []incident.Right `yaml:"may,required" enum:"read,retry,extend,release,pause" doc:"What the people of the group may do, in addition to their own rights."`
}

// Rights are what a person may do: their own rights and those of their groups,
// least first. A person without any may read.
func (c *Config) Rights(p Person) []incident.Right {
	said, may := p.May != nil, slices.Clone(p.May)
	for _, name := range p.Groups {
		if group, ok := c.Groups[name]; ok {
			said, may = true, append(may, group.May...)
		}
	}
	if !said {
		may = []incident.Right{incident.MayRead}
	}
	return slices.DeleteFunc(incident.Rights(), func(r incident.Right) bool { return !slices.Contains(may, r) })
}

// May reports whether a person has a right.
func (c *Config) May(p Person, right incident.Right) bool { return slices.Contains(c.Rights(p), right) }

// Unheld are the rights that are needed to stop Stanch, and that no person has
// with a token or an account.
func (c *Config) Unheld() []incident.Right {
	return slices.DeleteFunc([]incident.Right{incident.MayPause, incident.MayRelease}, func(r incident.Right) bool {
		return slices.ContainsFunc(c.People, func(p Person) bool { return p.TokenSHA256 != "" && c.May(p, r) })
	})
}

// Unsaid are the people without rights in the file, who may only read.
func (c *Config) Unsaid() []string {
	var ids []string
	for _, p := range c.People {
		if p.May == nil && !slices.ContainsFunc(p.Groups, func(name string) bool { _, ok := c.Groups[name]; return ok }) {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

// checkRights finds repeated rights, and groups without people.
func (c *Config) checkRights(root playbooks.Node) playbooks.Issues {
	var issues playbooks.Issues
	people := root.Get("people").Items()
	var carried []string
	for i, p := range c.People {
		carried = append(carried, p.Groups...)
		if i < len(people) {
			issues = append(issues, twice("person "+p.ID, people[i].Get("may"), p.May)...)
		}
	}
	groups := root.Get("groups")
	for _, name := range slices.Sorted(maps.Keys(c.Groups)) {
		issues = append(issues, twice("group "+name, groups.Get(name).Get("may"), c.Groups[name].May)...)
		if slices.Contains(carried, name) {
			continue
		}
		meant := ""
		if near := policy.Nearest(name, carried); near != "" {
			meant = ": did you mean '" + near + "'?"
		}
		issues = append(issues, groups.KeyIssue(name, "no one in people is in the group %q%s", name, meant))
	}
	return issues
}

func twice(whose string, node playbooks.Node, may []incident.Right) playbooks.Issues {
	var issues playbooks.Issues
	for i, item := range node.Items() {
		if i < len(may) && slices.Contains(may[:i], may[i]) {
			issues = append(issues, item.Issue("%s has the right %s twice", whose, may[i]))
		}
	}
	return issues
}
