package estate

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Why what left is not explained by a process with user and command line.
const (
	NoSensor      = "no sensor on the path"
	SharedAddress = "an address that several hosts share"
	AgentMissing  = "no agent"
	AgentSilent   = "an agent that is silent"
	NoProcess     = "no process that the agent saw"
	FilterSends   = "a web filter on the host sends for all programs"
	NoCommandLine = "command lines are not recorded"
)

// Truth is what happened in [From, To): a flow counts with all of its bytes where it begins,
// by a right clock.
type Truth struct {
	Seed     uint64    `json:"seed"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Attacks  []Planted `json:"attacks"`
	Benign   []Planted `json:"benign"`
	Openings []Planted `json:"openings"`
	Allows   []Allow   `json:"allows"`
	// Cells are what left by role, site and exit, Hosts what left by host: of both only where
	// there are hosts.
	Cells []Cell      `json:"cells"`
	Hosts []HostTotal `json:"hosts"`
	// NoAgent and the others are names of hosts.
	NoAgent  []string      `json:"no_agent"`
	Silent   []string      `json:"silent"`
	NoSensor []string      `json:"no_sensor"`
	Shared   []string      `json:"shared"`
	Sensors  []SensorTotal `json:"sensors"`
	Restart  Restart       `json:"restart"`
	// Relayed is what the firewall saw the proxy send, which its clients had sent to it.
	Relayed int64     `json:"relayed"`
	Rules   []RuleUse `json:"rules"`
}

// Sum is what left. Left are bytes with the headers of IP, as they were; Seen are those that
// the sensors' records say, each flow once, sampling applied. Explained are those of Seen of
// which a process with user and command line is known; Unexplained are the others by reason,
// and what no sensor saw with the bytes that left.
type Sum struct {
	Flows       int64            `json:"flows"`
	Left        int64            `json:"left"`
	Seen        int64            `json:"seen"`
	Explained   int64            `json:"explained"`
	Unexplained map[string]int64 `json:"unexplained,omitempty"`
}

// Cell is what left of the hosts of a role at a site by an exit. What went past the proxy
// left directly.
type Cell struct {
	Role  string        `json:"role"`
	Site  string        `json:"site"`
	Exit  incident.Exit `json:"exit"`
	Hosts int           `json:"hosts"`
	Sum
}

// HostTotal is what left a host.
type HostTotal struct {
	Host string `json:"host"`
	Sum
}

// SensorTotal is what the records of a sensor hold: Sent is what the company's own addresses
// sent, by the counters with sampling applied.
type SensorTotal struct {
	Sensor  string `json:"sensor"`
	Records int64  `json:"records"`
	Sent    int64  `json:"sent"`
}

// Restart is when a sensor wrote again what had left since a time, as if it had left in that
// minute. Nothing did.
type Restart struct {
	Sensor   string       `json:"sensor"`
	At       time.Time    `json:"at"`
	Since    time.Time    `json:"since"`
	Subjects []netip.Addr `json:"subjects"`
	Records  int64        `json:"records"`
	Bytes    int64        `json:"bytes"`
}

// Planted is something that a host did besides what is usual.
type Planted struct {
	Class Class         `json:"class"`
	Kind  string        `json:"kind"`
	Why   string        `json:"why"`
	Host  string        `json:"host"`
	Role  string        `json:"role"` // the host's
	Site  string        `json:"site"`
	Exit  incident.Exit `json:"exit"`
	// Subject is the address that the records show, Attributable whether it is the host's alone.
	Subject      netip.Addr `json:"subject"`
	Attributable bool       `json:"attributable"`
	// Traffic is the traffic's role, by construction.
	Traffic incident.Role `json:"traffic"`
	// Allow is the entry that allows it, or did.
	Allow string `json:"allow,omitempty"`
	// Process is who sends it, as the EDR would say; of unknown parts where it cannot.
	Process incident.Process `json:"process"`
	// First is when the first flow begins, Last when the last one ends.
	First     time.Time `json:"first"`
	Last      time.Time `json:"last"`
	Ports     []int     `json:"ports"` // of the service
	Transport string    `json:"transport"`
	Answers   bool      `json:"answers"` // whether the peers open the flows
	Peers     int       `json:"peers"`
	Sum
}

// RuleUse is who used a rule of the firewall: bytes that left by role.
type RuleUse struct {
	Rule  string           `json:"rule"`
	Flows int64            `json:"flows"`
	Roles map[string]int64 `json:"roles"`
	// Unexpected are the roles that used it and for which it is not meant.
	Unexpected []string `json:"unexpected"`
}

// Truth sums up what happened in [from, to). It makes the flows anew, which for a whole
// estate takes seconds.
func (e *Estate) Truth(from, to time.Time) *Truth {
	l := newLedger(e, from, to)
	first, last := max(0, e.hourOf(l.from)), min(e.hours-1, e.hourOf(l.to-1))
	m := e.maker()
	for hour := first; hour <= last; hour++ {
		m.hour(hour, l.flow)
		l.again(hour)
	}
	return l.truth()
}

// Of returns what was planted of a kind.
func (t *Truth) Of(kind string) []Planted {
	var found []Planted
	for _, p := range slices.Concat(t.Attacks, t.Benign, t.Openings) {
		if p.Kind == kind {
			found = append(found, p)
		}
	}
	return found
}

// add adds a flow, of which the sensors saw so much.
func (s *Sum) add(f *flow, seen int64, why string) {
	s.Flows++
	s.Left += f.left()
	s.Seen += seen
	if why == "" {
		s.Explained += seen
		return
	}
	if s.Unexplained == nil {
		s.Unexplained = map[string]int64{}
	}
	if why == NoSensor {
		seen = f.left()
	}
	s.Unexplained[why] += seen
}

func compareCells(a, b *Cell) int {
	return cmp.Or(cmp.Compare(a.Role, b.Role), cmp.Compare(a.Site, b.Site), cmp.Compare(a.Exit, b.Exit))
}
