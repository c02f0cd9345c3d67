package nftables

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// patience is how long the kernel may take for an answer of a caller without a deadline.
const patience = 10 * time.Second

// family is that of our table: IPv4 and IPv6.
const family = unix.NFPROTO_INET

// dial opens a connection to netfilter in the network namespace of a path; an empty path is
// our own.
func dial(ctx context.Context, netns string) (*netlink.Conn, error) {
	return dialTo(ctx, unix.NETLINK_NETFILTER, netns)
}

// dialTo opens a connection to a part of the kernel.
func dialTo(ctx context.Context, part int, netns string) (*netlink.Conn, error) {
	config := &netlink.Config{}
	if netns != "" {
		f, err := os.Open(netns)
		if err != nil {
			return nil, fmt.Errorf("open the network namespace: %w", err)
		}
		defer func() { _ = f.Close() }()
		config.NetNS = int(f.Fd())
	}
	conn, err := netlink.Dial(part, config)
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	end, ok := ctx.Deadline()
	if !ok {
		end = time.Now().Add(patience)
	}
	if err := conn.SetDeadline(end); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// attributes appends attributes to what comes before them, as netlink lays them out. Ours
// are short: a length always fits.
func attributes(body []byte, attrs []netlink.Attribute) []byte {
	for _, a := range attrs {
		body = binary.NativeEndian.AppendUint16(body, uint16(unix.SizeofNlAttr+len(a.Data))) //nolint:gosec // At most a few hundred.
		body = binary.NativeEndian.AppendUint16(body, a.Type)
		body = append(body, a.Data...)
		for len(body)%unix.NLA_ALIGNTO != 0 {
			body = append(body, 0)
		}
	}
	return body
}

// generic is the header in front of the attributes: family, version, resource.
func generic(resource uint16) []byte {
	return binary.BigEndian.AppendUint16([]byte{family, unix.NFNETLINK_V0}, resource)
}

func message(kind uint16, flags netlink.HeaderFlags, attrs ...netlink.Attribute) netlink.Message {
	return netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | kind), Flags: netlink.Request | flags},
		Data:   attributes(generic(0), attrs),
	}
}

func textAttr(kind uint16, text string) netlink.Attribute {
	return netlink.Attribute{Type: kind, Data: append([]byte(text), 0)}
}

func numberAttr(kind uint16, n uint32) netlink.Attribute {
	return netlink.Attribute{Type: kind, Data: binary.BigEndian.AppendUint32(nil, n)}
}

func nestedAttr(kind uint16, attrs ...netlink.Attribute) netlink.Attribute {
	return netlink.Attribute{Type: kind | unix.NLA_F_NESTED, Data: attributes(nil, attrs)}
}

// dump asks for all objects of a kind, and calls what is given with the attributes of
// each.
func dump(conn *netlink.Conn, kind uint16, each func(*netlink.AttributeDecoder) error, of ...netlink.Attribute) error {
	answers, err := conn.Execute(message(kind, netlink.Dump, of...))
	if err != nil {
		return err
	}
	for _, m := range answers {
		if len(m.Data) < 4 || m.Data[0] != family {
			continue // Of another family: old kernels do not choose.
		}
		if err := decode(m.Data[4:], each); err != nil {
			return err
		}
	}
	return nil
}

// decode calls what is given with a decoder of the attributes.
func decode(attrs []byte, do func(*netlink.AttributeDecoder) error) error {
	ad, err := netlink.NewAttributeDecoder(attrs)
	if err != nil {
		return err
	}
	ad.ByteOrder = binary.BigEndian
	if err := do(ad); err != nil {
		return err
	}
	return ad.Err()
}

// generation returns the number of changes that the rules of the namespace had: of all
// tables, by everybody.
func generation(conn *netlink.Conn) (uint32, error) {
	answers, err := conn.Execute(message(unix.NFT_MSG_GETGEN, 0))
	if err != nil {
		return 0, err
	}
	var n uint32
	for _, m := range answers {
		if len(m.Data) < 4 {
			continue
		}
		err := decode(m.Data[4:], func(ad *netlink.AttributeDecoder) error {
			for ad.Next() {
				if ad.Type() == unix.NFTA_GEN_ID {
					n = ad.Uint32()
				}
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	return n, nil
}

// batch is a change of several objects, of which the kernel does all or nothing.
type batch struct{ messages []netlink.Message }

func (b *batch) add(kind uint16, flags netlink.HeaderFlags, attrs ...netlink.Attribute) {
	b.messages = append(b.messages, message(kind, flags, attrs...))
}

func boundary(kind uint16, attrs ...netlink.Attribute) netlink.Message {
	return netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(kind), Flags: netlink.Request},
		Data:   attributes(generic(unix.NFNL_SUBSYS_NFTABLES), attrs),
	}
}

// send has the kernel do it if nobody has changed any rule since the generation; else
// the error is ERESTART. A dry one is judged and then dropped by the kernel, as it has no
// end.
func (b *batch) send(conn *netlink.Conn, since uint32, dry bool) error {
	if len(b.messages) == 0 {
		return nil
	}
	all := append([]netlink.Message{boundary(unix.NFNL_MSG_BATCH_BEGIN, numberAttr(unix.NFNL_BATCH_GENID, since))}, b.messages...)
	// The kernel answers in the order of the messages when it is done with all: an error of
	// any of them, or of the whole, comes before this answer.
	all[len(all)-1].Header.Flags |= netlink.Acknowledge
	if !dry {
		all = append(all, boundary(unix.NFNL_MSG_BATCH_END))
	}
	if _, err := conn.SendMessages(all); err != nil {
		return err
	}
	_, err := conn.Receive()
	return err
}
