package activities

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Pin is the playbook as a case carries it: the text that it started with, and
// the parts that the engine needs without reading the text. Editing a file
// changes no running case.
type Pin struct {
	Name   string         `json:"name"`
	File   string         `json:"file"`
	Digest string         `json:"digest"`
	Mode   playbooks.Mode `json:"mode"`
	Text   []byte         `json:"text"`
	Unsure string         `json:"unsure,omitempty"`
	// Authors are the people who wrote it, whom an approval may exclude.
	Authors []string `json:"authors,omitempty"`
	// Enrich in the order of incident.FactNames.
	Enrich    []PinnedEnrichment `json:"enrich,omitempty"`
	Approvals []PinnedApproval   `json:"approvals,omitempty"`
	// Limited names the integrations whose activities go through a task queue
	// of their own, because their product bounds how often it may be asked.
	Limited []string `json:"limited,omitempty"`
	// Classes are the classes of operations that go through a task queue of theirs.
	Classes []PinnedClass `json:"classes,omitempty"`
	// Replies are the sources whose alerts are answered.
	Replies []PinnedReply `json:"replies,omitempty"`
}

// PinnedReply is a source whose alerts are answered, and the integration that does it.
type PinnedReply struct {
	Source string `json:"source"`
	Use    string `json:"use"`
}

// Answers is the integration by which the alerts of a source are answered; empty where they
// are not.
func (p Pin) Answers(source string) string {
	at := slices.IndexFunc(p.Replies, func(r PinnedReply) bool { return r.Source == source })
	if at < 0 {
		return ""
	}
	return p.Replies[at].Use
}

// PinnedClass is a class of operations of an integration.
type PinnedClass struct {
	Use  string   `json:"use"`
	Name string   `json:"name"`
	Of   []string `json:"of"`
}

// Queue is the task queue for the activities that ask an integration for a fact, or for an
// action; empty is the queue of the workflow itself.
func (p Pin) Queue(use, operation string) string {
	for _, c := range p.Classes {
		if c.Use == use && slices.Contains(c.Of, operation) {
			return protocol.QueueOfClass(use, c.Name)
		}
	}
	if slices.Contains(p.Limited, use) {
		return protocol.QueueOf(use)
	}
	return ""
}

// PinnedEnrichment is an enrichment with the fact that it finds.
type PinnedEnrichment struct {
	Fact string `json:"fact"`
	playbooks.Enrichment
}

// PinnedApproval is an approval with its name.
type PinnedApproval struct {
	Name string `json:"name"`
	playbooks.Approval
}

// PinOf pins a playbook.
func PinOf(p *playbooks.Playbook) Pin {
	pin := Pin{
		Name: p.Name, File: p.File(), Digest: p.Digest(), Mode: p.Mode, Text: p.Text(), Unsure: p.Unsure,
		Authors: p.Authors,
	}
	for _, fact := range incident.FactNames() {
		if e, ok := p.Enrich[fact]; ok {
			pin.Enrich = append(pin.Enrich, PinnedEnrichment{Fact: fact, Enrichment: e})
		}
	}
	for _, name := range sortedKeys(p.Approvals) {
		pin.Approvals = append(pin.Approvals, PinnedApproval{Name: name, Approval: p.Approvals[name]})
	}
	return pin
}

// Enrichment returns the enrichment that finds a fact.
func (p Pin) Enrichment(fact string) (PinnedEnrichment, bool) {
	for _, e := range p.Enrich {
		if e.Fact == fact {
			return e, true
		}
	}
	return PinnedEnrichment{}, false
}

// Approval returns an approval by name.
func (p Pin) Approval(name string) (PinnedApproval, bool) {
	for _, a := range p.Approvals {
		if a.Name == name {
			return a, true
		}
	}
	return PinnedApproval{}, false
}

// Load returns the pinned playbook, compiled. A text that no longer gives the
// pinned digest was tampered with, or this engine reads it differently: it is
// refused either way.
func (p Pin) Load(roles incident.Vocabulary) (*playbooks.Playbook, error) {
	loaded, err := playbooks.Load(p.File, p.Text, playbooks.WithRoles(roles))
	if err != nil {
		return nil, fmt.Errorf("load the case's playbook %q: %w", p.Name, err)
	}
	if loaded.Digest() != p.Digest {
		return nil, fmt.Errorf("load the case's playbook %q: its digest is %s, the case started with %s",
			p.Name, loaded.Digest(), p.Digest)
	}
	return loaded, nil
}

// maxCached bounds the compiled playbooks that a worker keeps.
const maxCached = 64

// playbookCache keeps compiled playbooks by digest; compiling takes
// milliseconds, deciding microseconds.
type playbookCache struct {
	mu       sync.Mutex
	compiled map[string]*playbooks.Playbook
}

// load returns the pinned playbook, compiled; see [Pin.Load].
func (c *playbookCache) load(ctx context.Context, pin Pin, roles incident.Vocabulary) (*playbooks.Playbook, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p, ok := c.compiled[pin.Digest]; ok {
		return p, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p, err := pin.Load(roles)
	if err != nil {
		return nil, err
	}
	if c.compiled == nil || len(c.compiled) >= maxCached {
		c.compiled = map[string]*playbooks.Playbook{}
	}
	c.compiled[pin.Digest] = p
	return p, nil
}
