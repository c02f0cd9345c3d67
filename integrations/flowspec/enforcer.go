package flowspec

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/server"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Enforcer announces the rules of one kind.
type Enforcer struct {
	kind     string
	speaker  *speaker
	product  product
	networks []netip.Prefix
	most     int

	// mu is held while the table is changed, and what follows from it announced.
	mu sync.Mutex
	// held is the table: what stands by our orders, by the rule.
	held map[string]*entry
	// leaving are rules that were withdrawn while a router could not be told, each with
	// the time at which the last such router forgets it by itself.
	leaving map[string]time.Time
}

// entry is a rule that is announced, and for what.
type entry struct {
	rule  rule
	holds []hold
}

// hold is what one order wants of a rule. The lowest rate of all is announced.
type hold struct {
	slot  string
	order incident.Order
}

// asked is the rate of an order, in bits per second; 0 discards.
func asked(o incident.Order) int64 {
	if o.Action == incident.Block {
		return 0
	}
	return o.Rate
}

// of is the place of a slot's hold, or -1.
func (e *entry) of(slot string) int {
	if e == nil {
		return -1
	}
	return slices.IndexFunc(e.holds, func(h hold) bool { return h.slot == slot })
}

// rate is the lowest of what the orders want.
func (e *entry) rate() int64 {
	lowest := asked(e.holds[0].order)
	for _, h := range e.holds {
		lowest = min(lowest, asked(h.order))
	}
	return lowest
}

// about names an operation for errors.
func about(op string, o incident.Order) string {
	return fmt.Sprintf("%s %s of %s", op, o.Action, o.Target.ID())
}

// does reports whether the kind carries an action out.
func (e *Enforcer) does(a incident.Action) bool {
	_, only := e.product.(holes)
	return a == incident.Block || a == incident.RateLimit && !only
}

// begin checks what every operation needs, and returns the speaker.
func (e *Enforcer) begin(ctx context.Context, op string, o incident.Order) (*server.BgpServer, error) {
	wrong := func(format string, args ...any) (*server.BgpServer, error) {
		return nil, integrations.Refuse(integrations.Invalid, op, format, args...)
	}
	switch {
	case o.Target.IsZero():
		return wrong("the order has no target")
	case !e.does(o.Action):
		return wrong("action %q cannot be carried out by %s", o.Action, e.kind)
	case ctx.Err() != nil:
		return nil, integrations.Errorf(integrations.Unavailable, op, "%w", context.Cause(ctx))
	}
	return e.speaker.running(op)
}

// rules are those of an order on a host of the networks.
func (e *Enforcer) rules(op string, o incident.Order) ([]rule, error) {
	var addresses []netip.Addr
	for _, text := range o.Addresses {
		a, err := unicast(text, false)
		if err != nil {
			return nil, integrations.Refuse(integrations.Invalid, op, "%w", err)
		}
		if !slices.Contains(addresses, a) {
			addresses = append(addresses, a)
		}
	}
	if len(addresses) == 0 {
		return nil, integrations.Refuse(integrations.Invalid, op, "the order has no address of the device")
	}
	for _, a := range addresses {
		if !slices.ContainsFunc(e.networks, func(n netip.Prefix) bool { return n.Contains(a) }) {
			return nil, integrations.Refuse(integrations.NotFound, op, "%s is in none of the integration's networks", a)
		}
	}
	rules, err := e.product.rules(o, addresses)
	if err != nil {
		return nil, integrations.Refuse(integrations.Invalid, op, "%w", err)
	}
	return rules, nil
}

// Plan implements [integrations.Planner].
func (e *Enforcer) Plan(ctx context.Context, o incident.Order) error {
	op := about("plan", o)
	b, err := e.begin(ctx, op, o)
	if err != nil {
		return err
	}
	rules, err := e.rules(op, o)
	if err != nil {
		return err
	}
	if err := e.reachable(ctx, op, b, rules); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.room(op, rules); err != nil {
		return err
	}
	return e.opens(op, o, rules)
}

// reachable is an unavailable error where a rule would reach no router.
func (e *Enforcer) reachable(ctx context.Context, op string, b *server.BgpServer, rules []rule) error {
	links, err := e.speaker.links(ctx, b)
	if err != nil {
		return integrations.Errorf(integrations.Unavailable, op, "%w", err)
	}
	for _, r := range rules {
		if !slices.ContainsFunc(links, func(l link) bool { return l.carries(r.family) }) {
			return &integrations.Error{
				Kind: integrations.Unavailable, Op: op, Words: "no router has a session that takes the rule",
				Err: fmt.Errorf("no router has a session that takes %s rules: %s", r.family, missing(links, r, nil)),
			}
		}
	}
	return nil
}

// room is a denied error where the table has none for the rules. The lock is held.
func (e *Enforcer) room(op string, rules []rule) error {
	more := 0
	for _, r := range rules {
		if e.held[r.id()] == nil {
			more++
		}
	}
	if len(e.held)+more > e.most {
		return integrations.Refuse(integrations.Denied, op, "the table is full: max_rules is %d", e.most)
	}
	return nil
}

// Apply implements [integrations.Enforcer].
func (e *Enforcer) Apply(ctx context.Context, o incident.Order) (incident.Receipt, error) {
	op := about("apply", o)
	b, err := e.begin(ctx, op, o)
	if err != nil {
		return incident.Receipt{}, err
	}
	if o.Key == "" {
		return incident.Receipt{}, integrations.Refuse(integrations.Invalid, op, "the order has no key")
	}
	rules, err := e.rules(op, o)
	if err != nil {
		return incident.Receipt{}, err
	}
	if err := e.reachable(ctx, op, b, rules); err != nil {
		return incident.Receipt{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.room(op, rules); err != nil {
		return incident.Receipt{}, err
	}
	foreign, err := e.foreign(ctx, b, rules)
	if err != nil {
		return incident.Receipt{}, integrations.Errorf(integrations.Unavailable, op, "%w", err)
	}
	var fresh []rule
	others := 0
	for _, r := range rules {
		held := e.held[r.id()]
		at := held.of(e.product.slot(o))
		switch {
		case at < 0 && stands(foreign[r.id()], o) || at >= 0 && held.holds[at].order.Key != o.Key:
			others++
		case at < 0 || asked(o) < asked(held.holds[at].order):
			fresh = append(fresh, r)
		}
	}
	if err := e.opens(op, o, fresh); err != nil {
		return incident.Receipt{}, err
	}
	if err := e.take(b, o, fresh); err != nil {
		return incident.Receipt{}, integrations.Errorf(integrations.Unavailable, op, "%w", err)
	}
	detail := fmt.Sprintf("%d rules announced", len(rules)-others)
	if others > 0 {
		detail += fmt.Sprintf(", %d in place already, made by somebody else", others)
	}
	return incident.Receipt{At: time.Now().UTC(), Detail: detail}, nil
}

// stands reports whether rules that somebody else announces let through no more than an order
// asks for.
func stands(foreign []int64, o incident.Order) bool {
	return len(foreign) > 0 && slices.Min(foreign) <= asked(o)
}

// take puts rules into the table for an order, and announces them; all of them or none.
// The lock is held.
func (e *Enforcer) take(b *server.BgpServer, o incident.Order, rules []rule) error {
	if len(rules) == 0 {
		return nil
	}
	table := e.with(o, rules)
	if err := e.announce(b, table, rules); err != nil {
		return err
	}
	e.held = table
	for _, r := range rules {
		delete(e.leaving, r.id())
	}
	return nil
}

// with is the table as it is when it also has an order's rules. The lock is held.
func (e *Enforcer) with(o incident.Order, rules []rule) map[string]*entry {
	table := maps.Clone(e.held)
	for _, r := range rules {
		next := &entry{rule: r}
		if held := table[r.id()]; held != nil {
			next.holds = slices.Clone(held.holds)
		}
		h := hold{slot: e.product.slot(o), order: o}
		if at := next.of(h.slot); at >= 0 {
			next.holds[at] = h
		} else {
			next.holds = append(next.holds, h)
		}
		table[r.id()] = next
	}
	return table
}

// announce tells the routers of the rules of a table that have changed, and of those that
// these cover: what they let pass may be another.
func (e *Enforcer) announce(b *server.BgpServer, table map[string]*entry, changed []rule) error {
	var request apiutil.AddPathRequest
	for _, n := range table {
		if !slices.ContainsFunc(changed, func(c rule) bool { return c.covers(n.rule) }) {
			continue
		}
		attributes, err := e.product.attributes(n.rule, lowest(table, n.rule))
		if err != nil {
			return err
		}
		request.Paths = append(request.Paths, &apiutil.Path{Family: n.rule.family, Nlri: n.rule.nlri, Attrs: attributes, Age: time.Now().Unix()})
	}
	if len(request.Paths) == 0 {
		return nil
	}
	if _, err := b.AddPath(request); err != nil {
		return fmt.Errorf("announce %d rules: %w", len(request.Paths), err)
	}
	return nil
}

// Undo implements [integrations.Enforcer]. It needs no session: a router that has none
// knows no rule of ours, or forgets it within the hold time.
func (e *Enforcer) Undo(ctx context.Context, o incident.Order) (incident.Receipt, error) {
	op := about("undo", o)
	b, err := e.begin(ctx, op, o)
	if err != nil {
		return incident.Receipt{}, err
	}
	if o.Key == "" {
		return incident.Receipt{}, integrations.Refuse(integrations.Invalid, op, "the order has no key")
	}
	links, err := e.speaker.links(ctx, b)
	if err != nil {
		return incident.Receipt{}, integrations.Errorf(integrations.Unavailable, op, "%w", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	gone, kept := e.without(o)
	table := maps.Clone(e.held)
	var changed []rule
	for _, k := range kept {
		table[k.rule.id()] = k
		changed = append(changed, k.rule)
	}
	for _, g := range gone {
		delete(table, g.rule.id())
		changed = append(changed, g.rule)
	}
	if err = e.announce(b, table, changed); err == nil {
		err = e.withdraw(b, gone)
	}
	if err != nil {
		return incident.Receipt{}, integrations.Errorf(integrations.Unavailable, op, "%w", err)
	}
	e.held = table
	for _, g := range gone {
		e.linger(links, g.rule)
	}
	detail := "nothing of this key to withdraw"
	if n := len(gone) + len(kept); n > 0 {
		detail = fmt.Sprintf("%d rules withdrawn", n)
	}
	return incident.Receipt{At: time.Now().UTC(), Detail: detail}, nil
}

// without are the entries that an order leaves: those that nobody else holds, and the
// others as they are then. They are found by what was noted when they were made: the
// configuration may have changed since. The lock is held.
func (e *Enforcer) without(o incident.Order) (gone, kept []*entry) {
	for _, held := range e.held {
		at := held.of(e.product.slot(o))
		if at < 0 || held.holds[at].order.Key != o.Key || held.holds[at].order.Target.ID() != o.Target.ID() {
			continue
		}
		rest := &entry{rule: held.rule, holds: slices.Delete(slices.Clone(held.holds), at, at+1)}
		if len(rest.holds) == 0 {
			gone = append(gone, held)
		} else {
			kept = append(kept, rest)
		}
	}
	return gone, kept
}

func (e *Enforcer) withdraw(b *server.BgpServer, entries []*entry) error {
	if len(entries) == 0 {
		return nil
	}
	var request apiutil.DeletePathRequest
	for _, g := range entries {
		attributes, err := e.product.attributes(g.rule, 0)
		if err != nil {
			return err
		}
		request.Paths = append(request.Paths, &apiutil.Path{Family: g.rule.family, Nlri: g.rule.nlri, Attrs: attributes})
	}
	if err := b.DeletePath(request); err != nil {
		return fmt.Errorf("withdraw %d rules: %w", len(entries), err)
	}
	return nil
}
