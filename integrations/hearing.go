package integrations

import (
	"fmt"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Hearing is how soon a product tells that it heard the agent of an isolated device.
type Hearing struct {
	// Within is the shortest time, in a playbook's heard_within, by which an agent that
	// reaches its cloud has been heard, and the product tells it. A shorter one would
	// undo isolations whose way back is open. At least [ShortestHearing]; 0: the
	// product does not tell.
	Within time.Duration
	// Source is where the vendor says so, or that no document does and what is taken
	// instead.
	Source string
}

// ShortestHearing is the shortest time within which any agent can be said to be heard: a
// sign of life counts from half a minute after the isolation, and the device is read
// every quarter of a minute.
const ShortestHearing = time.Minute

// badHearing lists what is wrong with what a Spec says of hearing agents.
func (s Spec) badHearing() []string {
	h := s.Hearing
	if h == (Hearing{}) {
		return nil
	}
	var wrong []string
	if h.Within < ShortestHearing || h.Source == "" {
		wrong = append(wrong, fmt.Sprintf("kind %s: hearing agents within %s: it needs %s or more, and its source",
			s.Kind, incident.FormatDuration(h.Within), incident.FormatDuration(ShortestHearing)))
	}
	if !s.Does(incident.Isolate) {
		wrong = append(wrong, fmt.Sprintf("kind %s tells when it heard an agent, and isolates nothing", s.Kind))
	}
	return wrong
}
