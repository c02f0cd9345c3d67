package config

import (
	"maps"
	"slices"

	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// checkSees checks where the sensors of flow stores are said to sit: a name that is
// misspelt would leave a flood that they see unexplained.
func (c *Config) checkSees() playbooks.Issues {
	var issues playbooks.Issues
	for _, store := range c.Opened {
		at := c.Integrations.Get(store.Name).Get("sees")
		if len(store.Sees) > 0 && !store.Spec.Can("Flows") {
			issues = append(issues, at.Issue("%s is no flow store: it has no sensors", store.Name))
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(store.Sees)) {
			if i := slices.IndexFunc(c.Opened, func(o Integration) bool { return o.Name == name }); i < 0 || !c.Opened[i].Spec.Can("Enforcer") {
				issues = append(issues, at.Get(name).Issue("sees names %q, which is no integration that limits or blocks", name))
			}
			if place := store.Sees[name]; place != incident.SensorBefore && place != incident.SensorAfter {
				issues = append(issues, at.Get(name).Issue("%s is neither before nor after", at.Get(name).Quoted()))
			}
		}
	}
	return issues
}

// Sees says, by the name of a flow store, where its sensors sit, seen from an enforcer.
func (c *Config) Sees() map[string]map[string]incident.SensorPlace {
	sees := map[string]map[string]incident.SensorPlace{}
	for _, i := range c.Opened {
		if len(i.Sees) > 0 {
			sees[i.Name] = i.Sees
		}
	}
	return sees
}
