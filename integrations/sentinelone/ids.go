package sentinelone

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// agentID is the id of one agent, and so of one device. The zero value is none, and no
// request takes it: a filter of devices is made from one agentID only.
type agentID struct{ digits string }

func (a agentID) String() string { return a.digits }

// isID reports whether a text has the form of the console's ids: digits, of which the
// documents' have 18 and 19.
func isID(text string) bool {
	if len(text) < 6 || len(text) > 20 || text[0] == '0' {
		return false
	}
	return strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' }) < 0
}

func parseAgent(text string) (agentID, bool) {
	if !isID(text) {
		return agentID{}, false
	}
	return agentID{text}, true
}

// agentOf returns the device of a target. Anything but exactly one id is invalid.
func agentOf(op string, t incident.Target) (agentID, error) {
	if t.IsZero() {
		return agentID{}, integrations.Errorf(integrations.Invalid, op, "the target has no device")
	}
	a, ok := parseAgent(t.ID())
	if !ok {
		return agentID{}, integrations.Errorf(integrations.Invalid, op, "invalid device id %q: must be the digits of one agent", httpx.Line(t.ID()))
	}
	return a, nil
}

// uuid is the name that an agent has among the events. The zero value is none.
type uuid struct{ text string }

// parseUUID reads one as the console writes it: hexadecimal digits, of some agents with
// dashes between them.
func parseUUID(text string) (uuid, bool) {
	digits := strings.ReplaceAll(text, "-", "")
	odd := func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'f') && (r < 'A' || r > 'F')
	}
	if len(digits) < 32 || len(digits) > 64 || len(text) > 80 || strings.IndexFunc(digits, odd) >= 0 {
		return uuid{}, false
	}
	return uuid{text}, true
}

// same reports whether two spellings name the same agent.
func (u uuid) same(text string) bool {
	return strings.EqualFold(strings.ReplaceAll(u.text, "-", ""), strings.ReplaceAll(text, "-", ""))
}

// handle reports whether a text can be an id that the data lake gave to a query, for use
// in a path.
func handle(text string) bool {
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("_.-:", r)
	}
	return text != "" && len(text) <= 256 && strings.IndexFunc(text, odd) < 0 && strings.Trim(text, ".") != ""
}

// digest names a key where the console has no room for it: the first half of its SHA-256,
// in hexadecimal.
func digest(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:16])
}
