package nftables

import (
	"context"
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/stanch-soar/stanch/integrations"
)

// Attributes of a flowtable, as linux/netfilter/nf_tables.h numbers them.
const (
	flowtableTable = 1
	flowtableName  = 2
	flowtableUse   = 4
)

// The request for figures of all tracked connections, and how many there are, as
// linux/netfilter/nfnetlink_conntrack.h numbers them.
const (
	ctGetStats = 5
	ctEntries  = 1
)

// Attributes of how an interface forwards, as linux/netconf.h numbers them.
const (
	netconfIndex      = 1
	netconfForwarding = 2
	// netconfDefault is the index that stands for what later interfaces begin with.
	netconfDefault = -2
)

// past implements pastTeller.
func (k *kernel) past(ctx context.Context) (*past, error) {
	const op = "look for what leads packets past the limits"
	var p past
	var err error
	if p.Flowtables, err = flowtables(ctx, k.netns); err != nil {
		return nil, integrations.Errorf(integrations.Unavailable, op, "list flowtables: %w", err)
	}
	if p.Fragments, err = untracked(ctx, k.netns); err != nil {
		return nil, integrations.Errorf(integrations.Unavailable, op, "count tracked connections: %w", err)
	}
	for _, f := range []ipFamily{ip4, ip6} {
		does, err := forwards(ctx, k.netns, f)
		if err != nil {
			return nil, integrations.Errorf(integrations.Unavailable, op, "read whether %s is forwarded: %w", f, err)
		}
		if !does {
			p.Still = append(p.Still, f)
		}
	}
	return &p, nil
}

// flowtables lists those of all tables that some rule uses.
func flowtables(ctx context.Context, netns string) ([]string, error) {
	conn, err := dial(ctx, netns)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	ask := message(unix.NFT_MSG_GETFLOWTABLE, netlink.Dump)
	ask.Data[0] = unix.NFPROTO_UNSPEC
	answers, err := conn.Execute(ask)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP) {
		return nil, nil // A kernel before 4.16 knows none.
	}
	if err != nil {
		return nil, err
	}
	return inFlowtables(answers)
}

// inFlowtables are the flowtables in the kernel's answers that some rule uses, each with its
// table.
func inFlowtables(answers []netlink.Message) ([]string, error) {
	var all []string
	for _, m := range answers {
		if m.Header.Type != unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_NEWFLOWTABLE || len(m.Data) < 4 {
			continue
		}
		var table, name string
		used := true // Also where the kernel does not say.
		err := decode(m.Data[4:], func(ad *netlink.AttributeDecoder) error {
			for ad.Next() {
				switch ad.Type() {
				case flowtableTable:
					table = ad.String()
				case flowtableName:
					name = ad.String()
				case flowtableUse:
					used = ad.Uint32() > 0
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if used {
			all = append(all, fmt.Sprintf("%s of table %s %s", name, familyName(m.Data[0]), table))
		}
	}
	return all, nil
}

// familyName is what nft calls a family.
func familyName(family byte) string {
	switch family {
	case unix.NFPROTO_INET:
		return "inet"
	case unix.NFPROTO_IPV4:
		return "ip"
	case unix.NFPROTO_IPV6:
		return "ip6"
	}
	return fmt.Sprintf("(family %d)", family)
}

// untracked reports whether no connection is tracked, which has the kernel put fragments
// together. A gateway that tracks has some at any time, such as the one that asks.
func untracked(ctx context.Context, netns string) (bool, error) {
	conn, err := dial(ctx, netns)
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close() }()
	const ask = unix.NFNL_SUBSYS_CTNETLINK<<8 | ctGetStats
	// The answer is marked as one of several, and only the acknowledgement ends them.
	answers, err := conn.Execute(netlink.Message{Header: netlink.Header{Type: ask, Flags: netlink.Request | netlink.Acknowledge}, Data: generic(0)})
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP) {
		return false, nil // The kernel cannot be asked: nothing is known.
	}
	told, entries := false, uint32(0)
	for _, m := range answers {
		if m.Header.Type != ask || len(m.Data) < 4 {
			continue
		}
		err = errors.Join(err, decode(m.Data[4:], func(ad *netlink.AttributeDecoder) error {
			for ad.Next() {
				if ad.Type() == ctEntries {
					told, entries = true, ad.Uint32()
				}
			}
			return nil
		}))
	}
	return told && entries == 0, err
}

// forwards reports whether packets of a family are forwarded at all, or from any interface.
func forwards(ctx context.Context, netns string, f ipFamily) (bool, error) {
	conn, err := dialTo(ctx, unix.NETLINK_ROUTE, netns)
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close() }()
	family := byte(unix.AF_INET)
	if f == ip6 {
		family = unix.AF_INET6
	}
	answers, err := conn.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.RTM_GETNETCONF, Flags: netlink.Request | netlink.Dump},
		Data:   []byte{family, 0, 0, 0},
	})
	if errors.Is(err, unix.EOPNOTSUPP) {
		return false, nil // The kernel was started without the family.
	}
	for _, m := range answers {
		if len(m.Data) < 4 || m.Data[0] != family {
			continue
		}
		if on, err := forwarding(m.Data[4:]); on || err != nil {
			return on, err
		}
	}
	return false, err
}

// forwarding reports whether the attributes are of an interface, or of all, from which
// packets are forwarded.
func forwarding(attrs []byte) (bool, error) {
	ad, err := netlink.NewAttributeDecoder(attrs)
	if err != nil {
		return false, err
	}
	index, on := int32(0), false
	for ad.Next() {
		switch ad.Type() {
		case netconfIndex:
			index = ad.Int32()
		case netconfForwarding:
			on = ad.Int32() != 0
		}
	}
	return on && index != netconfDefault, ad.Err()
}
