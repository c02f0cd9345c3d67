// Package memory is a simulated estate: hosts, processes and flows that change
// when they are limited, blocked or isolated. It is the reference
// implementation of what a case needs, and the world of the tests and of the demo. It
// runs no scripts: no step of a playbook does.
// Nothing runs in the background: flows are computed when they are queried, from
// the streams' rates and the containments that were in force at each moment.
package memory

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Options configure an estate.
type Options struct {
	// Now is the estate's clock; time.Now when nil.
	Now func() time.Time
	// Path is a journal file in which containments, kills, messages and
	// effects outlive the process. Empty keeps them in memory only. One
	// process at a time may use it.
	Path string
}

// Estate is the simulated world. It is safe for concurrent use.
type Estate struct {
	mu    sync.Mutex
	now   func() time.Time
	start time.Time
	hosts map[string]*host
	// recorded are the flows of AddFlows, in addition to the streams, and sensors
	// the names of the sensors that saw them.
	recorded     []recorded
	sensors      []string
	containments []*containment
	kills        []kill
	messages     []Sent
	replies      []Replied
	// gone are the alerts that their senders do not have any more.
	gone    []incident.AlertRecord
	effects []Effect
	faults  []*fault
	// delays come before an operation, answerDelays after it.
	delays, answerDelays map[string]time.Duration
	journal              *journal
	// sensorBefore reports whether the sensor sees traffic before it is limited or blocked.
	sensorBefore bool
	// countings are the rules that only count, by key and scope; none outlives the process.
	countings map[string]*counting
}

// Effect is one change that was really made to the world.
type Effect struct {
	// Op is apply, tighten, undo, kill or post.
	Op     string          `json:"op"`
	Action incident.Action `json:"action"`
	Key    string          `json:"key"`
	// Target is the device's id, or the channel of a message.
	Target string    `json:"target"`
	At     time.Time `json:"at"`
}

// Sent is a message that people see, as it was last updated.
type Sent struct {
	Ref     string               `json:"ref"`
	At      time.Time            `json:"at"`
	Message integrations.Message `json:"message"`
}

// New returns an estate without hosts, with the state of its journal.
func New(o Options) (*Estate, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	e := &Estate{now: o.Now, hosts: map[string]*host{}, sensors: []string{ownSensor}, countings: map[string]*counting{}, delays: map[string]time.Duration{}, answerDelays: map[string]time.Duration{}}
	if o.Path != "" {
		j, entries, err := openJournal(o.Path)
		if err != nil {
			return nil, err
		}
		e.journal = j
		for _, entry := range entries {
			e.replay(entry)
		}
	}
	if e.start.IsZero() {
		if err := e.commit(entry{Start: e.now().UTC()}); err != nil {
			return nil, errors.Join(err, e.Close())
		}
	}
	return e, nil
}

// Start is the moment to which streams' times are relative. A journal keeps it.
func (e *Estate) Start() time.Time { return e.start }

// Close closes the journal. It may be called more than once.
func (e *Estate) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.journal.close()
}

// AddHost adds a host. The description must be valid: an id, addresses, and
// streams with rates that are not negative.
func (e *Estate) AddHost(h Host) error {
	if err := h.validate(); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, ok := e.hosts[h.ID]; ok {
		return fmt.Errorf("add host %q: it is already there", h.ID)
	}
	added := &host{Host: h, online: !h.Offline, lastSeen: e.start, behaviours: map[incident.Action]Behaviour{}}
	added.lanes = h.lanes(e.start)
	e.hosts[h.ID] = added
	return nil
}

// AddProcess adds a process to a host, with what it sends. What it would have sent before
// now is known from now on.
func (e *Estate) AddProcess(hostID string, p Process) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	h, ok := e.hosts[hostID]
	if !ok {
		return fmt.Errorf("add process: no host %q", hostID)
	}
	with := h.Host
	with.Processes = []Process{p}
	if err := with.validate(); err != nil {
		return err
	}
	h.Processes = append(slices.Clip(h.Processes), p)
	h.lanes = append(slices.Clip(h.lanes), with.lanes(e.start)...)
	return nil
}

// AddConnections adds connections of a host to the estate's EDR, in addition to
// those of its streams.
func (e *Estate) AddConnections(hostID string, connections ...incident.Connection) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	h, ok := e.hosts[hostID]
	if !ok {
		return fmt.Errorf("add connections: no host %q", hostID)
	}
	h.recorded = append(h.recorded, connections...)
	return nil
}

// SetOnline sets whether a host's agent answers. When it comes back, the actions
// that were accepted meanwhile are carried out, after the delay of its behaviour.
func (e *Estate) SetOnline(hostID string, online bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	h, ok := e.hosts[hostID]
	if !ok {
		return fmt.Errorf("set online: no host %q", hostID)
	}
	now := e.now().UTC()
	if h.online && !online {
		h.lastSeen = now
	}
	h.online = online
	if !online {
		return nil
	}
	for _, c := range e.containments {
		if c.Order.Target.ID() != hostID || !c.AwaitsAgent || !c.open(now) {
			continue
		}
		changed := *c
		changed.AwaitsAgent = false
		changed.StandsAt = now.Add(h.behaviours[c.Order.Action].Pending)
		if err := e.commit(entry{Containment: &changed}); err != nil {
			return err
		}
	}
	return nil
}

// Effects returns the changes that were really made, oldest first.
func (e *Estate) Effects() []Effect {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.effects)
}

// Messages returns the messages that people see, oldest first.
func (e *Estate) Messages() []Sent {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.messages)
}

// matches returns the hosts that have at least one of the identifiers, sorted.
func (e *Estate) matches(q integrations.EndpointQuery) []*host {
	var found []*host
	for _, id := range slices.Sorted(maps.Keys(e.hosts)) {
		h := e.hosts[id]
		if q.ID != "" && strings.EqualFold(q.ID, h.ID) || sameName(q.Name, h.Name) ||
			slices.ContainsFunc(q.IPs, func(ip string) bool { return slices.Contains(h.IPs, ip) }) {
			found = append(found, h)
		}
	}
	return found
}

// sameName compares host names: a short name matches a full one only where one of
// them has no domain.
func sameName(a, b string) bool {
	a, b = incident.HostName(a), incident.HostName(b)
	if a == "" || b == "" {
		return false
	}
	shortA, domainA, _ := strings.Cut(a, ".")
	shortB, domainB, _ := strings.Cut(b, ".")
	return strings.EqualFold(shortA, shortB) && (domainA == "" || domainB == "" || strings.EqualFold(domainA, domainB))
}

// device returns the host of a target.
func (e *Estate) device(op string, target incident.Target) (*host, error) {
	if target.IsZero() {
		return nil, integrations.Errorf(integrations.Invalid, op, "the target has no device")
	}
	h, ok := e.hosts[target.ID()]
	if !ok {
		return nil, integrations.Errorf(integrations.NotFound, op, "no device %q", target.ID())
	}
	return h, nil
}

// Count returns how often a change was made to the world.
func (e *Estate) Count(op string, action incident.Action) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for _, effect := range e.effects {
		if effect.Op == op && effect.Action == action {
			n++
		}
	}
	return n
}
