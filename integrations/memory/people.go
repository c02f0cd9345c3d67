package memory

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Post implements [integrations.Messenger].
func (e *Estate) Post(ctx context.Context, m integrations.Message) (incident.Receipt, error) {
	var r incident.Receipt
	u := use{op: "post", action: incident.Notify, on: m.Channel, write: true}
	err := e.perform(ctx, u, func() error {
		if m.Key == "" || m.Channel == "" {
			return integrations.Errorf(integrations.Invalid, u.String(), "the message needs a key and a channel")
		}
		if i := slices.IndexFunc(e.messages, func(s Sent) bool { return s.Message.Key == m.Key }); i >= 0 {
			r = incident.Receipt{Ref: e.messages[i].Ref, At: e.messages[i].At, Detail: "sent before"}
			return nil
		}
		now := e.now().UTC()
		sent := &Sent{Ref: fmt.Sprintf("message-%d", len(e.messages)+1), At: now, Message: m}
		r = incident.Receipt{Ref: sent.Ref, At: now, Detail: "sent"}
		return e.commit(entry{
			Message: sent,
			Effect:  &Effect{Op: "post", Action: incident.Notify, Key: m.Key, Target: m.Channel, At: now},
		})
	})
	return r, err
}

// Update implements [integrations.Updater].
func (e *Estate) Update(ctx context.Context, r incident.Receipt, m integrations.Message) (incident.Receipt, error) {
	u := use{op: "update", action: incident.Notify, on: r.Ref, write: true}
	err := e.perform(ctx, u, func() error {
		i := slices.IndexFunc(e.messages, func(s Sent) bool { return s.Ref == r.Ref })
		if i < 0 {
			return integrations.Errorf(integrations.NotFound, u.String(), "there is no such message")
		}
		sent := e.messages[i]
		// It keeps its place, and is the same message for Post.
		m.Key, m.Channel, m.Thread = sent.Message.Key, sent.Message.Channel, sent.Message.Thread
		r.Detail = "shows it already"
		if reflect.DeepEqual(sent.Message, m) {
			return nil
		}
		sent.Message = m
		r.Detail = "updated"
		return e.commit(entry{Message: &sent})
	})
	if err != nil {
		return incident.Receipt{}, err
	}
	r.At = e.now().UTC()
	return r, nil
}

// Asset implements [integrations.Inventory].
func (e *Estate) Asset(ctx context.Context, q integrations.EndpointQuery) (incident.Asset, error) {
	var asset incident.Asset
	u := use{op: "asset"}
	err := e.perform(ctx, u, func() error {
		var known []incident.Asset
		for _, h := range e.matches(q) {
			a := override(h.Asset, h.given.Asset)
			switch {
			case withheld(a):
				known = append(known, a)
			case anyKnown(a):
				known = append(known, override(incident.Asset{Name: incident.Known(cmp.Or(h.Name, h.ID), incident.FromInventory)}, a))
			}
		}
		switch len(known) {
		case 0:
			return integrations.Errorf(integrations.NotFound, u.String(), "there is no asset with that id, name or address")
		case 1:
			asset = known[0]
			incident.Explain(&asset, "the inventory does not say")
			return nil
		default:
			return integrations.Errorf(integrations.Conflict, u.String(), "%d assets match", len(known))
		}
	})
	return asset, err
}

// Probe implements [integrations.Prober].
func (e *Estate) Probe(ctx context.Context) []integrations.Finding {
	var findings []integrations.Finding
	err := e.perform(ctx, use{op: "probe"}, func() error {
		findings = append(findings, integrations.Finding{
			What: fmt.Sprintf("simulated estate of %d hosts: no action here reaches a real device", len(e.hosts)), OK: true,
		})
		if e.journal == nil {
			findings = append(findings, integrations.Finding{What: "the estate is lost when the process ends: it has no path", OK: true})
		}
		return nil
	})
	if err != nil {
		return []integrations.Finding{{What: err.Error(), Fix: "try again"}}
	}
	return findings
}
