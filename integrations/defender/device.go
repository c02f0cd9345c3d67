package defender

import (
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// machineID is the id of one device in Defender's form: paths, filters and queries are
// made of nothing else. The documents do not say the form; each of their samples has 40
// hexadecimal digits, and one that has not is refused.
type machineID string

func machineIDOf(text string) (machineID, bool) {
	if len(text) != 40 {
		return "", false
	}
	for i := range len(text) {
		if !isHex(text[i]) {
			return "", false
		}
	}
	return machineID(strings.ToLower(text)), true
}

// targeted returns the one device that a target names.
func targeted(op string, t incident.Target) (machineID, error) {
	if t.IsZero() {
		return "", integrations.Errorf(integrations.Invalid, op, "the target names no device")
	}
	id, ok := machineIDOf(t.ID())
	if !ok {
		return "", integrations.Errorf(integrations.Invalid, op, "%s is not the id of one device: Defender's have 40 hexadecimal digits", httpx.Quote(t.ID()))
	}
	return id, nil
}

// path is the path of the device, or of something of it.
func (m machineID) path(rest string) string { return "/api/machines/" + string(m) + rest }

// machine is a device as Defender's API tells of it.
type machine struct {
	ID        string      `json:"id"`
	Name      string      `json:"computerDnsName"`
	LastSeen  moment      `json:"lastSeen"`
	OS        string      `json:"osPlatform"`
	LastIP    string      `json:"lastIpAddress"`
	Health    string      `json:"healthStatus"`
	Group     string      `json:"rbacGroupName"`
	Tags      []string    `json:"machineTags"`
	Addresses []ipAddress `json:"ipAddresses"`
}

type ipAddress struct {
	Address string `json:"ipAddress"`
	Status  string `json:"operationalStatus"`
}

// active reports whether Defender says that the device reports to it. It says so of each
// that was heard within seven days.
func (m machine) active() bool { return strings.EqualFold(m.Health, "Active") }

// moment is a time as Microsoft writes it, with up to seven digits, and at times without
// a zone. What cannot be read is no time.
type moment struct{ time.Time }

// UnmarshalJSON implements [json.Unmarshaler].
func (m *moment) UnmarshalJSON(data []byte) error {
	m.Time = momentOf(strings.Trim(string(data), `"`))
	return nil
}

func momentOf(text string) time.Time {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC()
		}
	}
	return time.Time{}
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' }
