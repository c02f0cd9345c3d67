package httpapi

import (
	"context"
	"sync"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/engine"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// togetherMost and togetherBytes bound the messages that are taken together: as they
	// are decoded they take many times what their bodies are.
	togetherMost  = 100
	togetherBytes = 1 << 20
)

// together are messages that are taken at once. The engine is asked once for what they add to
// one case, however many they are, and for several cases side by side.
type together struct {
	r      *Receiver
	source Source
	// bodies are those that were read.
	bodies [][]byte
	bytes  int
	// chains are the alerts of each case, in their order, and alone those of no case and
	// what cannot be taken.
	chains []*chain
	byCase map[string]*chain
	alone  []func(ctx context.Context) error
	// from are the messages of those that are alone.
	from []int

	mu sync.Mutex
	// became is what became of each message, and failed why the engine does not hold it.
	became []api.Accepted
	failed []error
}

// chain is the alerts of one case, which are committed one group after the other.
type chain struct{ groups []routed }

// fits reports whether there is room for another message. There always is for the first.
func (m *together) fits(body []byte) bool {
	return len(m.bodies) == 0 || len(m.bodies) < togetherMost && m.bytes+len(body) <= togetherBytes
}

// read adds a message. An error means that it was not added: what its alerts name may be
// looked up later.
func (m *together) read(ctx context.Context, body []byte) error {
	at := len(m.bodies)
	var groups []routed
	wrong := m.source.tooLarge(body)
	digest := incident.DigestOf(body)
	var rejected []alerts.Parsed
	if wrong == nil {
		var err error
		groups, rejected, err = m.r.read(ctx, m.source, body, digest)
		if wrong = wrongOf(err); err != nil && wrong == nil {
			return err
		}
	}
	m.bodies, m.bytes = append(m.bodies, body), m.bytes+len(body)
	m.became, m.failed = append(m.became, api.Accepted{}), append(m.failed, nil)
	for _, group := range groups {
		m.chain(at, group)
	}
	switch {
	case wrong != nil:
		m.add(at, func(ctx context.Context) (api.Accepted, error) { return m.r.poison(ctx, m.source, body, wrong) })
	case len(rejected) > 0:
		m.add(at, func(ctx context.Context) (api.Accepted, error) {
			refs, err := m.r.rejectAll(ctx, m.source.Name, digest, rejected)
			return api.Accepted{Rejected: refs}, err
		})
	}
	return nil
}

// add adds something that is done for a message alone.
func (m *together) add(at int, do func(ctx context.Context) (api.Accepted, error)) {
	m.from = append(m.from, at)
	m.alone = append(m.alone, func(ctx context.Context) error {
		out, err := do(ctx)
		m.note(at, out)
		return err
	})
}

// chain adds alerts to those of their case. Those that fire and follow each other go together;
// what is over ends that, and so do those of a case that may have another name.
func (m *together) chain(at int, group routed) {
	for range group.in.Alerts {
		group.from = append(group.from, at)
	}
	if group.in.ID == "" {
		m.add(at, func(ctx context.Context) (out api.Accepted, err error) {
			err = m.r.commit(ctx, group, &out)
			return out, err
		})
		return
	}
	c := m.byCase[group.in.ID]
	if c == nil {
		c = &chain{}
		m.byCase[group.in.ID], m.chains = c, append(m.chains, c)
	}
	if n := len(c.groups); n > 0 && group.firing && c.groups[n-1].firing && former(group.in) == "" && former(c.groups[n-1].in) == "" {
		last := &c.groups[n-1]
		last.in.Alerts, last.in.Pin, last.from = append(last.in.Alerts, group.in.Alerts...), group.in.Pin, append(last.from, group.from...)
		return
	}
	c.groups = append(c.groups, group)
}

// commit hands everything to the engine, and returns how many of the first messages it holds
// and why it does not hold the next.
func (m *together) commit(ctx context.Context) (taken int, err error) {
	engine.SideBySide(len(m.chains)+len(m.alone), func(i int) {
		if i < len(m.chains) {
			m.follow(ctx, m.chains[i])
			return
		}
		i -= len(m.chains)
		m.fail(m.alone[i](ctx), m.from[i])
	})
	for taken, err = range m.failed {
		if err != nil {
			return taken, err
		}
	}
	return len(m.bodies), nil
}

// follow commits the alerts of a case. What is behind a group that the engine does not hold
// is not held either.
func (m *together) follow(ctx context.Context, c *chain) {
	for i, group := range c.groups {
		var out api.Accepted
		if err := m.r.commit(ctx, group, &out); err != nil {
			for _, g := range c.groups[i:] {
				m.fail(&caseError{g.in.ID, err}, g.from...)
			}
			return
		}
		m.share(group, out)
	}
}

// share notes of each message what became of its alerts of a group.
func (m *together) share(group routed, out api.Accepted) {
	if !group.firing || len(out.Cases) == 0 {
		m.note(group.from[0], out)
		return
	}
	for _, at := range group.from {
		ref := out.Cases[0]
		ref.Alerts = 1
		m.note(at, api.Accepted{Cases: []api.CaseRef{ref}})
	}
}

func (m *together) note(at int, out api.Accepted) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, ref := range out.Cases {
		add(&m.became[at], ref)
	}
	m.became[at].Recorded = append(m.became[at].Recorded, out.Recorded...)
	m.became[at].Rejected = append(m.became[at].Rejected, out.Rejected...)
	m.became[at].Unkept += out.Unkept
}

func (m *together) fail(err error, of ...int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, at := range of {
		if m.failed[at] == nil {
			m.failed[at] = err
		}
	}
}
