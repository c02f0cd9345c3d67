package crowdstrike

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// agentID is the id of one sensor, and so of one device. The zero value is none, and
// no request takes it: a list of devices is made from one agentID only.
type agentID struct{ hex string }

func (a agentID) String() string { return a.hex }

// parseAgent reads an id as Falcon writes it: 32 hexadecimal digits.
func parseAgent(text string) (agentID, bool) {
	if len(text) != 2*16 {
		return agentID{}, false
	}
	if _, err := hex.DecodeString(text); err != nil {
		return agentID{}, false
	}
	return agentID{strings.ToLower(text)}, true
}

// agentOf returns the device of a target. Anything but exactly one id is invalid.
func agentOf(op string, t incident.Target) (agentID, error) {
	if t.IsZero() {
		return agentID{}, integrations.Errorf(integrations.Invalid, op, "the target has no device")
	}
	a, ok := parseAgent(t.ID())
	if !ok {
		return agentID{}, integrations.Errorf(integrations.Invalid, op, "invalid device id %q: must be the 32 hexadecimal digits of one sensor", httpx.Line(t.ID()))
	}
	return a, nil
}

// handle reports whether a text can be an id that Falcon gave to a session, a command
// or a search, for use in a path or a query.
func handle(text string) bool {
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '.' && r != '-'
	}
	return text != "" && len(text) <= 200 && strings.IndexFunc(text, odd) < 0 && strings.Trim(text, ".") != ""
}

// digest names a key where Falcon has no room for it, or not for its characters: the
// first half of its SHA-256, in hexadecimal.
func digest(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:16])
}
