package nftables

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// hookChain is where packets that are forwarded come by. No other packets do: not
	// those to and from the gateway itself.
	hookChain = "forward"
	// countChain is where the same packets come by before, to be counted: also those that
	// are dropped then. Whatever is at it, nothing is dropped there.
	countChain = "counted"
	// aboutChain holds the mark by which we know the table as ours. No packet comes by.
	aboutChain = "about"
	mark       = "made by stanch, which gives back what it holds: put nothing else in here"
	// priority is before filters (0), where a flow may be handed to a flowtable, whose
	// packets come by no chain any more. It has no effect on what others drop.
	priority      = -100
	countPriority = priority - 1
	accept        = 1 // what becomes of a packet that no rule drops
	// longestComment is the longest that nft reads back from a saved set of rules.
	longestComment = 128
)

// drop and back are verdicts.
func drop() expr.Any { return &expr.Verdict{Kind: expr.VerdictDrop} }
func back() expr.Any { return &expr.Verdict{Kind: expr.VerdictReturn} }

// burst is how many bytes a limit lets through beyond a second's worth, which the kernel
// always does: enough for TCP not to collapse, and never less than the largest packet that
// the kernel hands on in one piece, which would not get through at all.
func burst(bytes int64) uint32 {
	const least, most = 128 << 10, 64 << 20
	return uint32(min(max(bytes/8, least), most))
}

// newRule is a rule that is to be made.
type newRule struct {
	exprs   []expr.Any
	comment string
}

// ruleset is the rules of a limit's chain, with what was counted before: they are replaced
// without a moment in between.
func (l Limit) ruleset() []newRule {
	counted := incident.Counters{}
	if l.Counters != nil {
		counted = *l.Counters
	}
	dropped := &expr.Counter{Bytes: count(counted.DroppedBytes), Packets: count(counted.DroppedPackets)}
	passed := &expr.Counter{Bytes: count(counted.PassedBytes), Packets: count(counted.PassedPackets)}
	all := []newRule{{exprs: []expr.Any{dropped, drop()}}}
	switch {
	case onlyCounts(l.Action):
		all = []newRule{{exprs: []expr.Any{passed}}}
	case l.Action == incident.RateLimit:
		bytes := l.Rate / 8
		over := &expr.Limit{Type: expr.LimitTypePktBytes, Rate: count(bytes), Unit: expr.LimitTimeSecond, Burst: burst(bytes), Over: true}
		all = []newRule{
			{exprs: []expr.Any{over, dropped, drop()}},
			{exprs: []expr.Any{passed}},
		}
	}
	for i, part := range parts(l.Key) {
		if i == len(all) {
			all = append(all, newRule{exprs: []expr.Any{back()}})
		}
		all[i].comment = part
	}
	return all
}

func count(n int64) uint64 { return uint64(max(n, 0)) } //nolint:gosec // It is not negative.

// parts spells a key as comments. nft reads neither quotes nor line ends in one, and a
// saved set of rules must be what it was.
func parts(key string) []string {
	var text strings.Builder
	for i := range len(key) {
		if c := key[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"\%`, c) >= 0 {
			fmt.Fprintf(&text, "%%%02X", c)
			continue
		}
		text.WriteByte(key[i])
	}
	var all []string
	for rest := text.String(); rest != ""; {
		n := min(len(rest), longestComment)
		all = append(all, rest[:n])
		rest = rest[n:]
	}
	return all
}

// keyOf is the key that comments spell; nothing where they spell none.
func keyOf(comments []string) string {
	key, err := url.PathUnescape(strings.Join(comments, ""))
	if err != nil {
		return ""
	}
	return key
}

// isOurs reports whether a chain has a name as we give them.
func isOurs(chain string) bool {
	for _, prefix := range []string{"block-", "limit-", "count-"} {
		if rest, ok := strings.CutPrefix(chain, prefix); ok {
			sum, err := hex.DecodeString(rest)
			return err == nil && len(sum) == 8
		}
	}
	return false
}

// hook is the chain at which packets are looked up in its map.
func (s shape) hook() string { return hookOf(s.action) }

func hookOf(a incident.Action) string {
	if onlyCounts(a) {
		return countChain
	}
	return hookChain
}

// lookups is the rules of the hook's chain that look a packet up in the map of a shape.
func (s shape) lookups() []newRule {
	version := byte(unix.NFPROTO_IPV4)
	if s.six {
		version = unix.NFPROTO_IPV6
	}
	is := func(key expr.MetaKey, value byte) []expr.Any {
		return []expr.Any{&expr.Meta{Key: key, Register: unix.NFT_REG_1}, &expr.Cmp{Op: expr.CmpOpEq, Register: unix.NFT_REG_1, Data: []byte{value}}}
	}
	packet := is(expr.MetaKeyNFPROTO, version)
	lookup := append(s.loads(), &expr.Lookup{SourceRegister: unix.NFT_REG32_00, IsDestRegSet: true, SetName: s.name()})
	if !s.remotePort && !s.localPort || s.transport {
		return []newRule{{exprs: slices.Concat(packet, lookup)}}
	}
	// What stands in the place of ports in a packet of another protocol is no port.
	var all []newRule
	for _, number := range withPorts() {
		all = append(all, newRule{exprs: slices.Concat(packet, is(expr.MetaKeyL4PROTO, number), lookup)})
	}
	return all
}

// loads loads a packet's key for the map.
func (s shape) loads() []expr.Any {
	source, destination, size := uint32(12), uint32(16), uint32(4)
	if s.six {
		source, destination, size = 8, 24, 16
	}
	sourcePort, destinationPort := uint32(0), uint32(2)
	if s.inbound {
		source, destination, sourcePort, destinationPort = destination, source, destinationPort, sourcePort
	}
	register := uint32(unix.NFT_REG32_00)
	var all []expr.Any
	load := func(wanted bool, base expr.PayloadBase, offset, size uint32) {
		if wanted {
			all = append(all, &expr.Payload{DestRegister: register, Base: base, Offset: offset, Len: size})
			register += (size + 3) / 4
		}
	}
	load(true, expr.PayloadBaseNetworkHeader, source, size)
	load(s.remote, expr.PayloadBaseNetworkHeader, destination, size)
	load(s.remotePort, expr.PayloadBaseTransportHeader, destinationPort, 2)
	load(s.localPort, expr.PayloadBaseTransportHeader, sourcePort, 2)
	if s.transport {
		all = append(all, &expr.Meta{Key: expr.MetaKeyL4PROTO, Register: register})
	}
	return all
}

// keyType is the type of a key by which nft shows it: six bits for each of its parts.
func (s shape) keyType() uint32 {
	const address4, address6, port, protocol = 7, 8, 13, 12
	address := uint32(address4)
	if s.six {
		address = address6
	}
	all := address
	for _, part := range []struct {
		has  bool
		kind uint32
	}{{s.remote, address}, {s.remotePort, port}, {s.localPort, port}, {s.transport, protocol}} {
		if part.has {
			all = all<<6 | part.kind
		}
	}
	return all
}

func (b *batch) addRule(chain string, r newRule, flags netlink.HeaderFlags) error {
	var exprs []netlink.Attribute
	for _, e := range r.exprs {
		data, err := expr.Marshal(family, e)
		if err != nil {
			return fmt.Errorf("marshal a rule of chain %s: %w", chain, err)
		}
		exprs = append(exprs, netlink.Attribute{Type: unix.NFTA_LIST_ELEM | unix.NLA_F_NESTED, Data: data})
	}
	attrs := []netlink.Attribute{
		textAttr(unix.NFTA_RULE_TABLE, tableName), textAttr(unix.NFTA_RULE_CHAIN, chain),
		nestedAttr(unix.NFTA_RULE_EXPRESSIONS, exprs...),
	}
	if r.comment != "" {
		attrs = append(attrs, netlink.Attribute{
			Type: unix.NFTA_RULE_USERDATA, Data: userdata.AppendString(nil, userdata.TypeComment, r.comment),
		})
	}
	b.add(unix.NFT_MSG_NEWRULE, netlink.Create|flags, attrs...)
	return nil
}

// addTable makes what the table needs to be ours and to see packets; what there is of it
// stays.
func (b *batch) addTable() error {
	b.add(unix.NFT_MSG_NEWTABLE, netlink.Create, textAttr(unix.NFTA_TABLE_NAME, tableName), numberAttr(unix.NFTA_TABLE_FLAGS, 0))
	b.addChain(aboutChain)
	return b.addRule(aboutChain, newRule{exprs: []expr.Any{back()}, comment: mark}, netlink.Append)
}

func (b *batch) addChain(name string, more ...netlink.Attribute) {
	attrs := append([]netlink.Attribute{textAttr(unix.NFTA_CHAIN_TABLE, tableName), textAttr(unix.NFTA_CHAIN_NAME, name)}, more...)
	b.add(unix.NFT_MSG_NEWCHAIN, netlink.Create, attrs...)
}

func (b *batch) addHook(name string) {
	at := int32(priority)
	if name == countChain {
		at = countPriority
	}
	b.addChain(name,
		nestedAttr(unix.NFTA_CHAIN_HOOK,
			numberAttr(unix.NFTA_HOOK_HOOKNUM, unix.NF_INET_FORWARD), numberAttr(unix.NFTA_HOOK_PRIORITY, uint32(at))), //nolint:gosec // The kernel reads it as signed.
		numberAttr(unix.NFTA_CHAIN_POLICY, accept), textAttr(unix.NFTA_CHAIN_TYPE, "filter"))
}

// verdictType is the type of a map's values by which a packet goes on in a chain.
const verdictType = 0xffffff00

func (b *batch) addMap(s shape, id uint32) {
	b.add(unix.NFT_MSG_NEWSET, netlink.Create,
		textAttr(unix.NFTA_SET_TABLE, tableName), textAttr(unix.NFTA_SET_NAME, s.name()),
		numberAttr(unix.NFTA_SET_FLAGS, unix.NFT_SET_MAP|unix.NFT_SET_TIMEOUT),
		numberAttr(unix.NFTA_SET_KEY_TYPE, s.keyType()), numberAttr(unix.NFTA_SET_KEY_LEN, uint32(s.keyLen())), //nolint:gosec // At most 44.
		numberAttr(unix.NFTA_SET_DATA_TYPE, verdictType), numberAttr(unix.NFTA_SET_DATA_LEN, 0),
		numberAttr(unix.NFTA_SET_ID, id))
}

// addLookups makes the rules by which packets reach a map: blocks before limits, whose
// buckets need not pay for what is dropped anyway.
func (b *batch) addLookups(s shape) error {
	for _, r := range s.lookups() {
		flags := netlink.HeaderFlags(netlink.Append)
		if s.action == incident.Block {
			flags = 0
		}
		if err := b.addRule(s.hook(), r, flags); err != nil {
			return err
		}
	}
	return nil
}

func element(key, chain string, left uint64) netlink.Attribute {
	attrs := []netlink.Attribute{
		nestedAttr(unix.NFTA_SET_ELEM_KEY, netlink.Attribute{Type: unix.NFTA_DATA_VALUE, Data: []byte(key)}),
	}
	if chain != "" {
		jump := int32(expr.VerdictJump)
		attrs = append(attrs,
			nestedAttr(unix.NFTA_SET_ELEM_DATA, nestedAttr(unix.NFTA_DATA_VERDICT,
				numberAttr(unix.NFTA_VERDICT_CODE, uint32(jump)), textAttr(unix.NFTA_VERDICT_CHAIN, chain))), //nolint:gosec // The kernel reads it as signed.
			netlink.Attribute{Type: unix.NFTA_SET_ELEM_TIMEOUT, Data: binaryutil.BigEndian.PutUint64(left)})
	}
	return nestedAttr(unix.NFTA_LIST_ELEM, attrs...)
}

func (b *batch) changeElement(kind uint16, flags netlink.HeaderFlags, p place, chain string, left uint64) {
	b.add(kind, flags, textAttr(unix.NFTA_SET_ELEM_LIST_TABLE, tableName), textAttr(unix.NFTA_SET_ELEM_LIST_SET, p.shape.name()),
		nestedAttr(unix.NFTA_SET_ELEM_LIST_ELEMENTS, element(p.key, chain, left)))
}

// What a message asks for beside an answer: a thing that is to be made, and a rule that
// comes behind the others.
const (
	create   = netlink.Create
	appended = netlink.Append
)

func (b *batch) deleteRule(chain string, r rule) {
	b.add(unix.NFT_MSG_DELRULE, 0, textAttr(unix.NFTA_RULE_TABLE, tableName), textAttr(unix.NFTA_RULE_CHAIN, chain),
		netlink.Attribute{Type: unix.NFTA_RULE_HANDLE, Data: binaryutil.BigEndian.PutUint64(r.handle)})
}

// names are those of a rule's expressions as the kernel lists them.
func names(r newRule) []string {
	all := make([]string, 0, len(r.exprs))
	for _, e := range r.exprs {
		switch e.(type) {
		case *expr.Limit:
			all = append(all, "limit")
		case *expr.Counter:
			all = append(all, "counter")
		case *expr.Verdict:
			all = append(all, "immediate")
		case *expr.Lookup:
			all = append(all, "lookup")
		case *expr.Meta:
			all = append(all, "meta")
		case *expr.Cmp:
			all = append(all, "cmp")
		case *expr.Payload:
			all = append(all, "payload")
		}
	}
	return all
}
