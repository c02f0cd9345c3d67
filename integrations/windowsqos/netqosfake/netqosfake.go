// Package netqosfake is a double of Windows machines on which Stanch's script for QoS
// policies is run. It takes the script's arguments as the head of the script documents them,
// keeps policies by the documented rules of New-NetQosPolicy, and answers in one line. It is
// no proof of the script: it does not read it.
package netqosfake

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// Policy is one of a machine's active store.
type Policy struct {
	Name, AppPath     string
	Prefix            string // an address and /32 or /128; empty is any
	Port              int
	Protocol          string // TCP, UDP or Both
	Bps               int64
	Precedence        int
	StaysAfterRestart bool // it is in another store as well
}

// Options change what machines do.
type Options struct {
	// RoundsUp keeps rates in steps of 8192 bits per second, as examples of the documents
	// show it.
	RoundsUp bool
	// Unlike keeps another rate than was asked for.
	Unlike bool
	// Absent are programs that are not there, Links those that are reached over a link.
	Absent, Links []string
	// Says replaces what the script prints.
	Says func(line string) string
}

// Machines are Windows machines by the id of their EDR. They are safe for concurrent use.
type Machines struct {
	now     func() time.Time
	options Options

	mu      sync.Mutex
	store   map[string][]Policy
	effects int
}

// New returns machines without policies.
func New(o Options) *Machines {
	return &Machines{now: time.Now, options: o, store: map[string][]Policy{}}
}

// Effects are how many policies the script has put in place, changed or removed.
func (m *Machines) Effects() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.effects
}

// Add puts a policy in place by hand. It fails where one has its name.
func (m *Machines) Add(machine string, p Policy) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.add(machine, p)
}

func (m *Machines) add(machine string, p Policy) error {
	if m.index(machine, p.Name) >= 0 {
		return fmt.Errorf("there is a policy with the name %q", p.Name)
	}
	if p.Precedence < 0 || p.Precedence > 255 || p.Bps < 0 {
		return fmt.Errorf("invalid precedence %d or rate %d", p.Precedence, p.Bps)
	}
	m.store[machine] = append(m.store[machine], m.kept(p))
	return nil
}

// kept is a policy as the machine keeps it.
func (m *Machines) kept(p Policy) Policy {
	if m.options.RoundsUp {
		p.Bps = (p.Bps + 8191) / 8192 * 8192
	}
	if m.options.Unlike {
		p.Bps *= 8
	}
	return p
}

// Change changes a policy by hand.
func (m *Machines) Change(machine, name string, change func(*Policy)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(&m.store[machine][m.index(machine, name)])
}

// Restart empties the active store of a machine, but for what is in another one as well.
func (m *Machines) Restart(machine string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.store[machine] = slices.DeleteFunc(m.store[machine], func(p Policy) bool { return !p.StaysAfterRestart })
}

// Policies are those of a machine.
func (m *Machines) Policies(machine string) []Policy {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.store[machine])
}

// Standing is all that the machines hold, as text.
func (m *Machines) Standing() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	text, err := json.Marshal(m.store)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func (m *Machines) index(machine, name string) int {
	return slices.IndexFunc(m.store[machine], func(p Policy) bool { return strings.EqualFold(p.Name, name) })
}

// order is what the script was told.
type order struct {
	action, name string
	want         Policy
	until        int64
	refused      string
}

// orderOf reads the arguments, which have blanks between them.
func orderOf(line string) order {
	o := order{want: Policy{Protocol: "Both", Precedence: 250}}
	words := strings.Fields(line)
	if len(words)%2 != 0 {
		o.refused = "arguments"
		return o
	}
	var number error
	read := func(text string) int64 {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			number = err
		}
		return n
	}
	for i := 0; i < len(words); i += 2 {
		switch value := words[i+1]; words[i] {
		case "-Action":
			o.action = value
		case "-Name":
			o.name, o.want.Name = value, value
		case "-AppPath":
			path, err := base64.RawURLEncoding.DecodeString(value)
			if err != nil || !utf8.Valid(path) {
				o.refused = "path"
			}
			o.want.AppPath = string(path)
		case "-Bps":
			o.want.Bps = read(value)
		case "-DstPrefix":
			o.want.Prefix = value
		case "-DstPort":
			o.want.Port = int(read(value))
		case "-Protocol":
			o.want.Protocol = value
		case "-Until":
			o.until = read(value)
		default:
			o.refused = "arguments"
		}
	}
	if number != nil {
		o.refused = "arguments"
	}
	return o
}

func (p Policy) sameTraffic(q Policy) bool {
	return strings.EqualFold(p.AppPath, q.AppPath) && p.Prefix == q.Prefix && p.Port == q.Port && p.Protocol == q.Protocol
}
