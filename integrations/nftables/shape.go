package nftables

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// shape is by what a scope tells packets apart. All scopes of a shape stand in one map of
// the table, so that a packet costs one lookup a shape, however many limits there are.
type shape struct {
	action  incident.Action
	inbound bool
	six     bool
	// Which of these the filter names.
	remote, remotePort, localPort, transport bool
}

// shapes lists them all.
func shapes() []shape {
	var all []shape
	for _, action := range scopeActions() {
		for bits := range 64 {
			has := func(bit int) bool { return bits>>bit&1 == 1 }
			all = append(all, shape{action, has(0), has(1), has(2), has(3), has(4), has(5)})
		}
	}
	return all
}

// name is that of its map, for people too: limit_out_ip4_addr_port.
func (s shape) name() string {
	parts := []string{"limit", "out", "ip4"}
	if actionFor(s.action) == incident.Block {
		parts[0] = "block"
	}
	if onlyCounts(s.action) {
		parts[0] = "count_" + parts[0]
	}
	if s.inbound {
		parts[1] = "in"
	}
	if s.six {
		parts[2] = "ip6"
	}
	for _, f := range []struct {
		has  bool
		name string
	}{{s.remote, "addr"}, {s.remotePort, "port"}, {s.localPort, "localport"}, {s.transport, "proto"}} {
		if f.has {
			parts = append(parts, f.name)
		}
	}
	return strings.Join(parts, "_")
}

// shapeNamed returns the shape of a map of ours.
func shapeNamed(name string) (shape, bool) {
	for _, s := range shapes() {
		if s.name() == name {
			return s, true
		}
	}
	return shape{}, false
}

// transports are the numbers of the protocols that a filter can name, by family.
func transportNumber(name string, six bool) (byte, bool) {
	switch name {
	case "tcp":
		return 6, true
	case "udp":
		return 17, true
	case "icmp":
		if six {
			return 58, true
		}
		return 1, true
	}
	return 0, false
}

// withPorts are the protocols whose packets begin with two ports: TCP, UDP, DCCP, SCTP and
// UDP-Lite.
func withPorts() []byte { return []byte{6, 17, 33, 132, 136} }

// place is where a scope stands for one of its addresses: a map, and a key in it.
type place struct {
	shape shape
	key   string
}

// places lists where a scope stands.
func (s Scope) places() ([]place, error) {
	var all []place
	for _, addr := range s.Addresses {
		p, err := s.place(addr)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

func (s Scope) place(addr netip.Addr) (place, error) {
	sh := shape{action: s.Action, six: addr.Is6()}
	key := addr.AsSlice()
	f := s.Filter
	if f == nil {
		return place{sh, string(key)}, nil
	}
	sh.inbound = f.Direction == incident.Inbound
	sh.remote, sh.remotePort, sh.localPort, sh.transport = f.RemoteIP != "", f.RemotePort != 0, f.LocalPort != 0, f.Transport != ""
	if sh.remote {
		remote, err := netip.ParseAddr(f.RemoteIP)
		if err != nil || remote.Is6() != sh.six {
			return place{}, fmt.Errorf("remote address %q is none of the family of %s", f.RemoteIP, addr)
		}
		key = append(key, remote.AsSlice()...)
	}
	for _, port := range []int{f.RemotePort, f.LocalPort} {
		if port != 0 {
			key = append(binary.BigEndian.AppendUint16(key, uint16(port)), 0, 0) //nolint:gosec // A port was checked to be one.
		}
	}
	if sh.transport {
		number, ok := transportNumber(f.Transport, sh.six)
		if !ok {
			return place{}, fmt.Errorf("unknown transport %q", f.Transport)
		}
		key = append(key, number, 0, 0, 0)
	}
	return place{sh, string(key)}, nil
}

// scope is what a place holds: the address, and the filter of it. It reports false on a key
// that none of ours has.
func (p place) scope() (netip.Addr, *incident.Filter, bool) {
	rest, size := []byte(p.key), 4
	if p.shape.six {
		size = 16
	}
	take := func(n int) []byte {
		if len(rest) < n {
			rest = nil
			return make([]byte, n)
		}
		part := rest[:n]
		rest = rest[n:]
		return part
	}
	if len(rest) != p.shape.keyLen() {
		return netip.Addr{}, nil, false
	}
	addr, ok := netip.AddrFromSlice(take(size))
	f := incident.Filter{Direction: incident.Outbound}
	if p.shape.inbound {
		f.Direction = incident.Inbound
	}
	if p.shape.remote {
		remote, _ := netip.AddrFromSlice(take(size))
		f.RemoteIP = remote.String()
	}
	if p.shape.remotePort {
		f.RemotePort = int(binary.BigEndian.Uint16(take(4)))
	}
	if p.shape.localPort {
		f.LocalPort = int(binary.BigEndian.Uint16(take(4)))
	}
	if p.shape.transport {
		number := take(4)[0]
		f.Transport = fmt.Sprintf("protocol-%d", number)
		for _, name := range []string{"tcp", "udp", "icmp"} {
			if n, _ := transportNumber(name, p.shape.six); n == number {
				f.Transport = name
			}
		}
	}
	if f == (incident.Filter{Direction: incident.Outbound}) {
		return addr, nil, ok
	}
	return addr, &f, ok
}

// keyLen is how many bytes a key in its map has.
func (s shape) keyLen() int {
	addr, n := 4, 0
	if s.six {
		addr = 16
	}
	n += addr
	if s.remote {
		n += addr
	}
	for _, has := range []bool{s.remotePort, s.localPort, s.transport} {
		if has {
			n += 4
		}
	}
	return n
}
