package config

import (
	"cmp"
	"maps"
	"path"
	"slices"

	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Exits says which exit the sensors of a flow store watch, by their names or by patterns such
// as eni-*.
type Exits map[string]incident.Exit

// Of is the exit that a sensor watches, "" where nothing is said. Of several patterns the longest
// holds: it says most.
func (e Exits) Of(sensor string) incident.Exit {
	if exit, ok := e[sensor]; ok {
		return exit
	}
	patterns := slices.SortedFunc(maps.Keys(e), func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	for _, pattern := range patterns {
		if ok, err := path.Match(pattern, sensor); ok && err == nil {
			return e[pattern]
		}
	}
	return ""
}

// checkExits checks which exits the sensors of flow stores are said to watch.
func (c *Config) checkExits() playbooks.Issues {
	var issues playbooks.Issues
	for _, store := range c.Opened {
		at := c.Integrations.Get(store.Name).Get("exits")
		if len(store.Exits) > 0 && !store.Spec.Can("Flows") {
			issues = append(issues, at.Issue("%s is no flow store: it has no sensors", store.Name))
			continue
		}
		for _, sensor := range slices.Sorted(maps.Keys(store.Exits)) {
			if _, err := path.Match(sensor, ""); err != nil {
				issues = append(issues, at.Get(sensor).Issue("invalid pattern %q: %v", sensor, err))
			}
			if !slices.Contains(incident.Exits(), store.Exits[sensor]) {
				issues = append(issues, at.Get(sensor).Issue("%s is no exit: want one of %v", at.Get(sensor).Quoted(), incident.Exits()))
			}
		}
	}
	return issues
}

// ExitsOf says which exits the sensors of a flow store watch.
func (c *Config) ExitsOf(store string) Exits {
	if i := slices.IndexFunc(c.Opened, func(i Integration) bool { return i.Name == store }); i >= 0 {
		return c.Opened[i].Exits
	}
	return nil
}
