package flowspec

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Announced are the rules that the table has, sorted.
func (e *Enforcer) Announced() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []string
	for id := range e.held {
		all = append(all, id)
	}
	slices.Sort(all)
	return all
}

// Reset withdraws everything.
func (e *Enforcer) Reset() error {
	b, err := e.speaker.running("reset")
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.withdraw(b, slices.Collect(maps.Values(e.held))); err != nil {
		return err
	}
	e.held, e.leaving = map[string]*entry{}, nil
	return nil
}

// Heard is how many rules others announce.
func (e *Enforcer) Heard() (int, error) {
	b, err := e.speaker.running("listen")
	if err != nil {
		return 0, err
	}
	heard := 0
	for _, p := range e.speaker.peers {
		for _, f := range e.speaker.wanted(p.Address) {
			err := b.ListPath(apiutil.ListPathRequest{TableType: api.TableType_TABLE_TYPE_ADJ_IN, Name: p.Address, Family: f},
				func(bgp.NLRI, []*apiutil.Path) { heard++ })
			if err != nil {
				return 0, err
			}
		}
	}
	return heard, nil
}

// Table is the table as text.
func (e *Enforcer) Table() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []string
	for id, held := range e.held {
		all = append(all, fmt.Sprint(id, held.holds))
	}
	slices.Sort(all)
	return fmt.Sprint(all)
}

// Ruled is a rule of an order, with the attributes that it is announced with.
type Ruled struct {
	Family     bgp.Family
	NLRI       bgp.NLRI
	Attributes []bgp.PathAttributeInterface
}

// Rules are those of an order.
func (e *Enforcer) Rules(o incident.Order) ([]Ruled, error) {
	var addresses []netip.Addr
	for _, text := range o.Addresses {
		addresses = append(addresses, netip.MustParseAddr(text))
	}
	rules, err := e.product.rules(o, addresses)
	var all []Ruled
	for _, r := range rules {
		attributes, wrong := e.product.attributes(r, asked(o))
		if wrong != nil {
			return nil, wrong
		}
		all = append(all, Ruled{r.family, r.nlri, attributes})
	}
	return all, err
}

// BytesPerSecond is a rate as it is announced.
func BytesPerSecond(bits int64) float32 { return bytesPerSecond(bits) }

// SetRoom bounds the table anew.
func (e *Enforcer) SetRoom(most int) { e.most = most }
