package command

import (
	"maps"
	"slices"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// checkSensors says of each flow store where its sensors sit, seen from what limits or
// blocks in the network: from there follows whose answer proves that it works.
func checkSensors(c *config.Config) []finding {
	var found []finding
	for _, store := range c.Opened {
		if !store.Spec.Can("Flows") {
			continue
		}
		about := "integration " + store.Name
		for _, name := range slices.Sorted(maps.Keys(store.Sees)) {
			found = append(found, fine(about, "%s", seesText(store.Name, name, store.Sees[name])))
		}
		for _, e := range c.Opened {
			if _, said := store.Sees[e.Name]; e.Spec.ByAddress && !said {
				found = append(found, warn(about, "write sees: { "+e.Name+": after }, or before, at "+store.Name+" in stanch.yaml",
					"where its sensors sit, seen from %s, is not said: taken to be after it", e.Name))
			}
		}
	}
	return found
}

func seesText(store, enforcer string, place incident.SensorPlace) string {
	if place == incident.SensorBefore {
		return "its sensors sit before " + enforcer + ": the counters of " + enforcer + " prove what it limits, and " + store + " cannot"
	}
	return "its sensors sit after " + enforcer + ": they see what it lets through"
}
