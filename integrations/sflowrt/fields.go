package sflowrt

import (
	"sync"

	"github.com/stanch-soar/stanch/integrations/alerts"
)

// fields are those of an event, and what a script adds.
var fields = sync.OnceValue(func() alerts.Fields {
	return alerts.Fields{
		{Name: "rule", Doc: "Also of the id.", Paths: []string{"thresholdID"}},
		{Name: "category", Doc: "Added by the script.", Paths: []string{"category"}},
		{Name: "time", Doc: "Milliseconds.", Paths: []string{"timestamp"}},
		{Name: "agent", Doc: "Of the id.", Paths: []string{"agent"}},
		{Name: "interface", Doc: "Of the id.", Paths: []string{"dataSource"}},
		{Name: "metric", Doc: "Of the id.", Paths: []string{"metric"}},
		{Name: "rate", Doc: "Named as what is not taken for bytes.", Paths: []string{"value"}},
		{Name: "key", Doc: "The host and the destination, by the names of the keys; also of the id.", Paths: []string{"flowKey"}},
		{Name: "keys", Doc: "Added by the script: the keys of the flow's definition, such as `ipsource,ipdestination,udpdestinationport`.", Paths: []string{"keys"}},
		{Name: "direction", Doc: "Added by the script: `outgoing` where the flow's filter lets only what our hosts send through, `incoming` where what they receive.", Paths: []string{"direction"}},
	}
})
