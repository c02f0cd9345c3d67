package nftables

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// state is the table as it is in the kernel, all of it at one moment.
type state struct {
	// since is the generation of it.
	since uint32
	there bool
	// dormant reports that no packet comes by the table.
	dormant bool
	chains  map[string]*chain
	maps    map[string]*vmap
}

type chain struct {
	// hooked reports that the packets that are forwarded come by it.
	hooked bool
	rules  []rule
}

type rule struct {
	handle  uint64
	comment string
	// names are those of its expressions in their order.
	names   []string
	limit   *expr.Limit
	counter *expr.Counter
	verdict *expr.Verdict
	lookup  string
}

// vmap is a map from packets to chains.
type vmap struct {
	elements []elem
}

// elem is an element of a map.
type elem struct {
	key string
	// chain is where a packet goes on; empty where the element says something else.
	chain string
	// left is for how long it stays; negative is for ever.
	left time.Duration
}

// read reads the table. With a scope it reads the rules of no other limits than those that
// hold some of it: there may be a thousand others.
func read(conn *netlink.Conn, of *Scope) (*state, error) {
	const tries = 20
	for range tries {
		s, err := readOnce(conn, of)
		if errors.Is(err, unix.ENOENT) {
			continue // Something of it was taken away meanwhile.
		}
		if err != nil {
			return nil, err
		}
		after, err := generation(conn)
		if err != nil {
			return nil, err
		}
		if after == s.since {
			return s, nil
		}
	}
	return nil, fmt.Errorf("the gateway's rules changed %d times while they were read: %w", tries, unix.ERESTART)
}

func readOnce(conn *netlink.Conn, of *Scope) (*state, error) {
	s := &state{chains: map[string]*chain{}, maps: map[string]*vmap{}}
	var err error
	if s.since, err = generation(conn); err != nil {
		return nil, err
	}
	if err := dump(conn, unix.NFT_MSG_GETTABLE, s.table); err != nil || !s.there {
		return s, err
	}
	if err := dump(conn, unix.NFT_MSG_GETCHAIN, s.chain, textAttr(unix.NFTA_CHAIN_TABLE, tableName)); err != nil {
		return nil, err
	}
	if err := dump(conn, unix.NFT_MSG_GETSET, s.set, textAttr(unix.NFTA_SET_TABLE, tableName)); err != nil {
		return nil, err
	}
	for name, m := range s.maps {
		err := dump(conn, unix.NFT_MSG_GETSETELEM, m.list, textAttr(unix.NFTA_SET_ELEM_LIST_TABLE, tableName),
			textAttr(unix.NFTA_SET_ELEM_LIST_SET, name))
		if err != nil {
			return nil, err
		}
	}
	return s, s.readRules(conn, of)
}

// readRules reads the rules of all chains, or of those that a scope needs.
func (s *state) readRules(conn *netlink.Conn, of *Scope) error {
	table := textAttr(unix.NFTA_RULE_TABLE, tableName)
	if of == nil {
		return dump(conn, unix.NFT_MSG_GETRULE, s.rule, table)
	}
	chains, err := s.chainsOf(*of)
	if err != nil {
		return err
	}
	for _, name := range append(chains, hookChain, countChain, aboutChain) {
		if s.chains[name] == nil {
			continue
		}
		if err := dump(conn, unix.NFT_MSG_GETRULE, s.rule, table, textAttr(unix.NFTA_RULE_CHAIN, name)); err != nil {
			return err
		}
	}
	return nil
}

func (s *state) table(ad *netlink.AttributeDecoder) error {
	var name string
	var flags uint32
	for ad.Next() {
		switch ad.Type() {
		case unix.NFTA_TABLE_NAME:
			name = ad.String()
		case unix.NFTA_TABLE_FLAGS:
			flags = ad.Uint32()
		}
	}
	if name == tableName {
		s.there, s.dormant = true, flags&unix.NFT_TABLE_F_DORMANT != 0
	}
	return nil
}

func (s *state) chain(ad *netlink.AttributeDecoder) error {
	var table, name string
	c := &chain{}
	for ad.Next() {
		switch ad.Type() {
		case unix.NFTA_CHAIN_TABLE:
			table = ad.String()
		case unix.NFTA_CHAIN_NAME:
			name = ad.String()
		case unix.NFTA_CHAIN_HOOK:
			ad.Nested(func(hook *netlink.AttributeDecoder) error {
				for hook.Next() {
					if hook.Type() == unix.NFTA_HOOK_HOOKNUM {
						c.hooked = hook.Uint32() == unix.NF_INET_FORWARD
					}
				}
				return nil
			})
		}
	}
	if table == tableName {
		s.chains[name] = c
	}
	return nil
}

func (s *state) rule(ad *netlink.AttributeDecoder) error {
	var table, in string
	var r rule
	for ad.Next() {
		switch ad.Type() {
		case unix.NFTA_RULE_TABLE:
			table = ad.String()
		case unix.NFTA_RULE_CHAIN:
			in = ad.String()
		case unix.NFTA_RULE_HANDLE:
			r.handle = ad.Uint64()
		case unix.NFTA_RULE_USERDATA:
			r.comment = commentOf(ad.Bytes())
		case unix.NFTA_RULE_EXPRESSIONS:
			ad.Nested(r.expressions)
		}
	}
	c := s.chains[in]
	if table != tableName || c == nil {
		return nil
	}
	c.rules = append(c.rules, r)
	return nil
}

// commentOf is the comment in what came with a rule, which may be anybody's.
func commentOf(data []byte) string {
	for len(data) >= 2 && len(data) >= 2+int(data[1]) {
		kind, text := data[0], data[2:2+data[1]]
		if kind == byte(userdata.TypeComment) {
			return strings.TrimRight(string(text), "\x00")
		}
		data = data[2+len(text):]
	}
	return ""
}

func (r *rule) expressions(list *netlink.AttributeDecoder) error {
	for list.Next() {
		list.Nested(func(ad *netlink.AttributeDecoder) error {
			for ad.Next() {
				switch ad.Type() {
				case unix.NFTA_EXPR_NAME:
					r.names = append(r.names, ad.String())
				case unix.NFTA_EXPR_DATA:
					ad.Do(r.expression)
				}
			}
			return nil
		})
	}
	return nil
}

// expression takes the last expression whose name was read, if it is one that we make.
func (r *rule) expression(data []byte) error {
	if len(r.names) == 0 {
		return nil
	}
	var e expr.Any
	switch r.names[len(r.names)-1] {
	case "limit":
		r.limit = &expr.Limit{}
		e = r.limit
	case "counter":
		r.counter = &expr.Counter{}
		e = r.counter
	case "immediate":
		r.verdict = &expr.Verdict{}
		e = r.verdict
	case "lookup":
		lookup := &expr.Lookup{}
		defer func() { r.lookup = lookup.SetName }()
		e = lookup
	default:
		return nil
	}
	return expr.Unmarshal(family, data, e)
}

func (s *state) set(ad *netlink.AttributeDecoder) error {
	var table, name string
	for ad.Next() {
		switch ad.Type() {
		case unix.NFTA_SET_TABLE:
			table = ad.String()
		case unix.NFTA_SET_NAME:
			name = ad.String()
		}
	}
	if table == tableName {
		s.maps[name] = &vmap{}
	}
	return nil
}

func (m *vmap) list(ad *netlink.AttributeDecoder) error {
	for ad.Next() {
		if ad.Type() != unix.NFTA_SET_ELEM_LIST_ELEMENTS {
			continue
		}
		ad.Nested(func(list *netlink.AttributeDecoder) error {
			for list.Next() {
				list.Nested(m.element)
			}
			return nil
		})
	}
	return nil
}

func (m *vmap) element(ad *netlink.AttributeDecoder) error {
	e := elem{left: -1}
	for ad.Next() {
		switch ad.Type() {
		case unix.NFTA_SET_ELEM_KEY:
			ad.Nested(func(value *netlink.AttributeDecoder) error {
				for value.Next() {
					e.key = string(value.Bytes())
				}
				return nil
			})
		case unix.NFTA_SET_ELEM_DATA:
			ad.Nested(func(data *netlink.AttributeDecoder) error {
				for data.Next() {
					if data.Type() == unix.NFTA_DATA_VERDICT {
						data.Nested(e.verdict)
					}
				}
				return nil
			})
		case unix.NFTA_SET_ELEM_EXPIRATION:
			e.left = time.Duration(min(ad.Uint64(), uint64(forever/time.Millisecond))) * time.Millisecond //nolint:gosec // It is bounded.
		}
	}
	m.elements = append(m.elements, e)
	return nil
}

func (e *elem) verdict(ad *netlink.AttributeDecoder) error {
	for ad.Next() {
		if ad.Type() == unix.NFTA_VERDICT_CHAIN {
			e.chain = ad.String()
		}
	}
	return nil
}

// ours reports whether the table has the mark.
func (s *state) ours() bool {
	c := s.chains[aboutChain]
	return c != nil && slices.ContainsFunc(c.rules, func(r rule) bool { return r.comment == mark })
}
