package traffic

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// An agent is a program that sends for others on its host: a web filter, the
// client of a proxy or of a VPN. Its connections match the flows of all programs,
// so it explains nothing: the real sender is unknown.

// CheckAgent returns an error for a text that cannot name an agent: that is the
// full path of an image, or the bare name of one.
func CheckAgent(agent string) error {
	name := agent[strings.LastIndexAny(agent, `\/`)+1:]
	switch {
	case incident.Filler(agent), strings.TrimSpace(name) == "":
		return fmt.Errorf("an agent is the path or the name of a program, not %q", agent)
	case strings.ContainsAny(agent, "*?"):
		return fmt.Errorf("agent %q: wildcards are not read; write the whole path, or the program's name", agent)
	case name != agent && !strings.ContainsAny(agent[:1], `\/%`) && !strings.Contains(agent, `:\`):
		return fmt.Errorf("agent %q is a part of a path; write the whole path, or the program's name", agent)
	}
	return nil
}

// isAgent reports whether a process is one of the agents. A bare name is that of
// any image with it: forging it only makes the sender unknown.
func isAgent(p *incident.Process, agents []string) bool {
	path := spelled(p)
	if path == "" {
		return false
	}
	return slices.ContainsFunc(agents, func(agent string) bool {
		if strings.ContainsAny(agent, `\/`) {
			return SameImage(path, agent)
		}
		return strings.EqualFold(path[strings.LastIndexAny(path, `\/`)+1:], agent)
	})
}
