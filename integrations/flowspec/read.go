package flowspec

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/server"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Read implements [integrations.Enforcer]. A containment stands where each of its rules
// was announced in at least one session, which says that a router was told, not what it
// does with that. It is pending where the table has it and no session, or where it was
// withdrawn and a router could not be told.
func (e *Enforcer) Read(ctx context.Context, o incident.Order) (incident.Reading, error) {
	op := about("read", o)
	b, err := e.begin(ctx, op, o)
	if err != nil {
		return incident.Reading{}, err
	}
	rules, err := e.rules(op, o)
	if err != nil {
		return incident.Reading{}, err
	}
	links, err := e.speaker.links(ctx, b)
	if err != nil {
		return incident.Reading{}, integrations.Errorf(integrations.Unavailable, op, "%w", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	foreign, err := e.foreign(ctx, b, rules)
	if err != nil {
		return incident.Reading{}, integrations.Errorf(integrations.Unavailable, op, "%w", err)
	}
	out := incident.Reading{Stands: true}
	var details []string
	for _, r := range rules {
		state, err := e.state(b, links, foreign[r.id()], r, o)
		if err != nil {
			return incident.Reading{}, integrations.Errorf(integrations.Unavailable, op, "%w", err)
		}
		out.Stands = out.Stands && state.Stands
		out.Pending = out.Pending || state.Pending
		out.Rate = max(out.Rate, state.Rate)
		if out.Key == "" {
			out.Key = state.Key
		}
		if state.Detail != "" && !slices.Contains(details, state.Detail) {
			details = append(details, state.Detail)
		}
	}
	if len(rules) > 1 && out.Stands && o.Action == incident.RateLimit {
		details = append(details, fmt.Sprintf("each of the device's %d addresses has the rate for itself", len(rules)))
	}
	out.Detail = strings.Join(details, "; ")
	return out, nil
}

// Standing implements [integrations.Lister]: the table, whether a router knows it or not.
func (e *Enforcer) Standing(ctx context.Context) ([]incident.Order, error) {
	const op = "list what stands"
	if ctx.Err() != nil {
		return nil, integrations.Errorf(integrations.Unavailable, op, "%w", context.Cause(ctx))
	}
	if _, err := e.speaker.running(op); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []incident.Order
	for _, held := range e.held {
		for _, h := range held.holds {
			// The rules of one order are one containment.
			if !slices.ContainsFunc(all, func(o incident.Order) bool { return o.Key == h.order.Key && o.Action == h.order.Action }) {
				all = append(all, h.order)
			}
		}
	}
	slices.SortFunc(all, func(a, b incident.Order) int { return strings.Compare(a.Key, b.Key) })
	return all, nil
}

// state is what is known of one rule of an order. The lock is held.
func (e *Enforcer) state(b *server.BgpServer, links []link, foreign []int64, r rule, o incident.Order) (incident.Reading, error) {
	held := e.held[r.id()]
	at := held.of(e.product.slot(o))
	switch {
	case at >= 0:
		to, err := told(b, links, r)
		if err != nil {
			return incident.Reading{}, err
		}
		own := held.holds[at].order
		s := incident.Reading{Key: own.Key, Rate: asked(own), Stands: len(to) > 0, Pending: len(to) == 0, Detail: "announced"}
		if low := lowest(e.held, r); low < held.rate() {
			s.Detail = "announced with the " + incident.FormatRate(low) + " of a rule that covers it"
		}
		if lacks := missing(links, r, to); lacks != "" {
			s.Detail = "not announced to " + lacks
		}
		if len(foreign) > 0 {
			s.Detail += ", and somebody else announces a rule for the same traffic"
		}
		return s, nil
	case stands(foreign, o):
		return incident.Reading{Stands: true, Rate: slices.Min(foreign), Detail: "announced by somebody else"}, nil
	case e.leaves(links, r):
		return incident.Reading{Pending: true, Detail: "withdrawn; " + missing(links, r, nil) + " may know it until the hold time is over"}, nil
	}
	return incident.Reading{}, nil
}

// missing names the routers to which a rule was not announced, each with the reason.
func missing(links []link, r rule, to map[string]bool) string {
	var all []string
	for _, l := range links {
		switch {
		case to[l.address]:
		case !l.up && l.why != "":
			all = append(all, fmt.Sprintf("%s (no session: %s)", l.address, l.why))
		case !l.up:
			all = append(all, l.address+" (no session)")
		case !l.carries(r.family):
			all = append(all, fmt.Sprintf("%s (its session takes no %s)", l.address, r.family))
		}
	}
	return strings.Join(all, ", ")
}

// linger notes of a withdrawn rule how long a router that has no session may still know
// it: one that has not noticed forgets it with the hold time. The lock is held.
func (e *Enforcer) linger(links []link, r rule) {
	until := time.Time{}
	for _, l := range links {
		if forgets := l.since.Add(e.speaker.session.HoldTime); !l.up && forgets.After(until) {
			until = forgets
		}
	}
	if until.After(time.Now()) {
		if e.leaving == nil {
			e.leaving = map[string]time.Time{}
		}
		e.leaving[r.id()] = until
	}
}

// leaves reports whether a router may still know a rule that was withdrawn. A new
// session has told it otherwise. The lock is held.
func (e *Enforcer) leaves(links []link, r rule) bool {
	until, ok := e.leaving[r.id()]
	if !ok {
		return false
	}
	if time.Now().After(until) || !slices.ContainsFunc(links, func(l link) bool { return !l.up }) {
		delete(e.leaving, r.id())
		return false
	}
	return true
}

// foreign are the rates of others' rules for the same traffic, by the rule.
func (e *Enforcer) foreign(ctx context.Context, b *server.BgpServer, rules []rule) (map[string][]int64, error) {
	links, err := e.speaker.links(ctx, b)
	if err != nil {
		return nil, err
	}
	found := map[string][]int64{}
	for _, r := range rules {
		for _, l := range links {
			if !l.carries(r.family) {
				continue
			}
			err := paths(b, api.TableType_TABLE_TYPE_ADJ_IN, l.address, r, func(p *apiutil.Path) {
				if rate, ok := e.product.rate(p.Attrs); ok && !e.speaker.echo(p) {
					found[r.id()] = append(found[r.id()], rate)
				}
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// Restore implements [integrations.Restorer]. Orders that cannot be meant any more are
// named in the error; the others stand all the same.
func (e *Enforcer) Restore(ctx context.Context, orders []incident.Order) error {
	op := "restore what stands by " + e.kind
	if err := e.speaker.start(ctx); err != nil {
		return integrations.Errorf(integrations.Unavailable, op, "start the speaker: %w", err)
	}
	var lost []string
	for _, o := range orders {
		if err := e.restore(ctx, o); err != nil {
			lost = append(lost, err.Error())
		}
	}
	if err := e.speaker.restored(ctx, e.kind); err != nil {
		return integrations.Errorf(integrations.Unavailable, op, "%w", err)
	}
	if len(lost) > 0 {
		return integrations.Errorf(integrations.Invalid, op, "%d of %d orders were not announced: %s", len(lost), len(orders), strings.Join(lost, "; "))
	}
	return nil
}

// restore puts the rules of one order into the table. What stands has been allowed
// before: there is no bound to their number here.
func (e *Enforcer) restore(ctx context.Context, o incident.Order) error {
	op := about("restore", o)
	b, err := e.begin(ctx, op, o)
	if err != nil {
		return err
	}
	rules, err := e.rules(op, o)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	rules = slices.DeleteFunc(rules, func(r rule) bool { return e.held[r.id()].of(e.product.slot(o)) >= 0 })
	return e.take(b, o, rules)
}

// Probe implements [integrations.Prober].
func (e *Enforcer) Probe(ctx context.Context) []integrations.Finding {
	b, err := e.speaker.running("look at the sessions")
	if err != nil {
		return []integrations.Finding{{
			What: "the speaker does not run in this process, so its sessions are not known here", OK: true, Warning: true,
			Fix: "look at the log of the process with the role speaker",
		}}
	}
	links, err := e.speaker.links(ctx, b)
	if err != nil {
		return []integrations.Finding{{What: err.Error(), Fix: "start the process with the role speaker anew"}}
	}
	var found []integrations.Finding
	for _, l := range links {
		if !l.up {
			what := "no session with the router " + l.address
			if l.why != "" {
				what += ": " + l.why
			}
			found = append(found, integrations.Finding{What: what, Fix: "let the router have the speaker's address and autonomous system as a neighbour, and let TCP to it pass"})
			continue
		}
		for _, f := range e.speaker.wanted(l.address) {
			what := integrations.Finding{What: fmt.Sprintf("session with the router %s, %s", l.address, f), OK: true}
			if !l.carries(f) {
				what = integrations.Finding{
					What: fmt.Sprintf("the router %s takes no %s", l.address, f), OK: true, Warning: true,
					Fix: "turn the family on for the session, or hosts with such addresses are not contained there",
				}
			}
			found = append(found, what)
		}
	}
	return found
}

// Close ends the speaker: the routers forget the rules of both kinds.
func (e *Enforcer) Close() error {
	e.speaker.close()
	return nil
}
