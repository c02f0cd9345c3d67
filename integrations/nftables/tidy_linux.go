package nftables

import (
	"context"

	"golang.org/x/sys/unix"
)

// tidy clears away what limits that ended by themselves have left. What cannot be cleared
// away now will be after a later change.
func (k *kernel) tidy(ctx context.Context) {
	_ = k.try(ctx, &Scope{}, func(s *state) (*batch, error) {
		b := &batch{}
		if s.there {
			s.sweep(b, isOurs)
		}
		return b, nil
	}, false)
}

// sweep puts the deletion of what nothing leads to any more into the batch: maps without an
// element, and of the chains those that it is told. Where nothing else is in the table,
// all of it goes.
func (s *state) sweep(b *batch, of func(chain string) bool) {
	used := s.used()
	if s.needless(used) {
		b.messages = nil
		b.add(unix.NFT_MSG_DELTABLE, 0, textAttr(unix.NFTA_TABLE_NAME, tableName))
		return
	}
	for name, m := range s.maps {
		shape, ok := shapeNamed(name)
		if !ok || len(m.elements) > 0 {
			continue
		}
		for _, r := range s.chains[shape.hook()].lookupsOf(shape) {
			b.deleteRule(shape.hook(), r)
		}
		b.add(unix.NFT_MSG_DELSET, 0, textAttr(unix.NFTA_SET_TABLE, tableName), textAttr(unix.NFTA_SET_NAME, name))
	}
	for name := range s.chains {
		if !used[name] && of(name) {
			b.add(unix.NFT_MSG_DELCHAIN, 0, textAttr(unix.NFTA_CHAIN_TABLE, tableName), textAttr(unix.NFTA_CHAIN_NAME, name))
		}
	}
}

// needless reports whether nothing in the table limits or counts anything, and all of it is ours.
func (s *state) needless(used map[string]bool) bool {
	for name, m := range s.maps {
		if _, ok := shapeNamed(name); !ok || len(m.elements) > 0 {
			return false
		}
	}
	for name, c := range s.chains {
		switch {
		case name == hookChain, name == countChain:
			for _, r := range c.rules {
				if _, ok := shapeNamed(r.lookup); !ok {
					return false
				}
			}
		case name == aboutChain:
			if len(c.rules) != 1 {
				return false
			}
		case used[name] || !isOurs(name):
			return false
		}
	}
	return true
}

// used are the chains to which something leads.
func (s *state) used() map[string]bool {
	used := map[string]bool{hookChain: true, countChain: true, aboutChain: true}
	for _, m := range s.maps {
		for _, e := range m.elements {
			used[e.chain] = true
		}
	}
	return used
}

// untidy reports whether there is something of ours to which nothing leads.
func (s *state) untidy() bool {
	used := s.used()
	for name := range s.chains {
		if isOurs(name) && !used[name] {
			return true
		}
	}
	for name, m := range s.maps {
		if _, ok := shapeNamed(name); ok && len(m.elements) == 0 {
			return true
		}
	}
	return false
}
