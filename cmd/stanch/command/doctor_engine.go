package command

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/cmd/internal/embedded"
	"github.com/stanch-soar/stanch/cmd/internal/service"
)

// checkEngine asks the team's own engine whether it answers, and who carries out what only
// one process may.
func checkEngine(ctx context.Context, c *config.Config) []finding {
	if c.Temporal.Address == config.Embedded {
		if !embedded.BuiltIn {
			return []finding{bad("engine", "set temporal.address", "this build has no embedded engine")}
		}
		return []finding{fine("engine", "embedded")}
	}
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	client, err := service.Reach(ctx, c)
	if err != nil {
		return []finding{bad("engine", "check temporal.address, its namespace and its certificates", "%v", err)}
	}
	defer client.Close()
	found := []finding{fine("engine", "temporal at %s answers, namespace %s", c.Temporal.Address, c.Temporal.Namespace)}
	speakers, err := service.Speakers(ctx, client, c)
	if err != nil {
		return append(found, bad("engine", "give Stanch's identity the right to describe task queues", "%v", err))
	}
	for _, use := range slices.Sorted(maps.Keys(speakers)) {
		found = append(found, checkSpeakers(use, speakers[use]))
	}
	return found
}

// checkSpeakers checks that one process carries out an integration of which there
// must be one: this one is not it, and does not know what it knows.
func checkSpeakers(use string, at []string) finding {
	about := "integration " + use
	switch len(at) {
	case 0:
		return bad(about, "start stanch serve --roles speaker on one machine", "no process has the role speaker: nothing is carried out, and nothing is given back")
	case 1:
		return fine(about, "%s carries it out: its log says which sessions stand", at[0])
	default:
		// One that was stopped, or started anew, is heard of for a minute and a half.
		return warn(about, "ask again in two minutes, and stop all but one then", "%s have the role speaker, or had it until just now: there must be one", strings.Join(at, " and "))
	}
}
