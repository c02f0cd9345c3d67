package config

import (
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/policy"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

// Traffic has the thresholds for the roles of traffic.
type Traffic struct {
	Limits playbooks.Node `yaml:"limits" as:"mapping of asset roles, and the word default, to [limits](#limits)" doc:"The thresholds of traffic.role for hosts of an asset role of the inventory; default is for all others, and what a role leaves out is the default's."`
	Agents []string       `yaml:"agents" doc:"Programs that send for others on their host, such as a web filter or the client of a proxy: full paths of images, or bare names. See [agents](../operating.md#agents)."`

	// ByRole are the limits, complete.
	ByRole traffic.LimitsByRole `yaml:"-"`
}

// read reads the limits: first the default ones, which the others start from.
// An unknown role has limits all the same: it may become one.
func (t *Traffic) read(known incident.Vocabulary) playbooks.Issues {
	var roles map[string]playbooks.Node
	issues := t.Limits.Decode(&roles)
	general := traffic.DefaultRoleLimits()
	issues = append(issues, readLimits(roles[traffic.DefaultLimits], &general)...)
	t.ByRole = traffic.LimitsByRole{traffic.DefaultLimits: general}
	for _, name := range t.Limits.Keys() {
		node, role := roles[name], incident.AssetRoleKey(name)
		if word, ok := known.Word(name); ok {
			role = word
		}
		_, again := t.ByRole[role]
		switch {
		case name == traffic.DefaultLimits:
			continue
		case policy.Nearest(name, []string{traffic.DefaultLimits}) != "":
			issues = append(issues, node.Issue("unknown key %q in limits: did you mean '%s'?", name, traffic.DefaultLimits))
		case role == "":
			issues = append(issues, node.Issue("limits need the name of an asset role"))
		case again:
			issues = append(issues, node.Issue("the limits of the asset role %s are repeated", role))
		}
		limits := general.ForAssetRole(role)
		issues = append(issues, readLimits(node, &limits)...)
		t.ByRole[role] = limits
	}
	return issues
}

func readLimits(node playbooks.Node, into *traffic.RoleLimits) playbooks.Issues {
	issues := node.Decode(into)
	for _, wrong := range into.Check() {
		at := node.Get(wrong.Key)
		if at.IsZero() {
			continue // The fault of the default limits is reported there.
		}
		issues = append(issues, at.Issue("%s %s", wrong.Key, wrong.Problem))
	}
	return issues
}

// checkAgents reports agents that cannot be a program.
func (t *Traffic) checkAgents(at playbooks.Node) playbooks.Issues {
	var issues playbooks.Issues
	for i, agent := range t.Agents {
		if err := traffic.CheckAgent(agent); err != nil {
			issues = append(issues, at.At(i).Issue("%s", err))
		}
	}
	return issues
}
