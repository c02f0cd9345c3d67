package routertest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
)

// The types of components (RFC 8955, 4.2.2, and RFC 8956, 3) that the router knows.
const (
	typeDestination     = 1
	typeSource          = 2
	typeProtocol        = 3
	typePort            = 4
	typeDestinationPort = 5
	typeSourcePort      = 6
)

// The extended communities (RFC 8955, 7) that the router knows.
const (
	rateBytes   = 0x8006
	ratePackets = 0x800c
)

// component is one of a rule's conditions, as it was sent.
type component struct {
	typ byte
	// prefix is what a destination or source is within.
	prefix netip.Prefix
	// numbers are the values that any other component holds for.
	numbers spans
	// data is what follows the type, by which rules are ordered.
	data []byte
}

// rule is a flow specification that was understood.
type rule struct {
	ipv6       bool
	components []component
}

// readRule reads an NLRI without its length.
func readRule(ipv6 bool, data []byte) (rule, error) {
	r := rule{ipv6: ipv6}
	if len(data) == 0 {
		return rule{}, errors.New("a rule without components")
	}
	last := byte(0)
	for len(data) > 0 {
		c, rest, err := readComponent(ipv6, data)
		if err != nil {
			return rule{}, fmt.Errorf("component %d: %w", data[0], err)
		}
		if c.typ <= last {
			return rule{}, fmt.Errorf("component %d after component %d", c.typ, last)
		}
		last = c.typ
		r.components = append(r.components, c)
		data = rest
	}
	return r, nil
}

// readComponent reads the first of some components, and returns those after it.
func readComponent(ipv6 bool, data []byte) (component, []byte, error) {
	c := component{typ: data[0]}
	rest := data[1:]
	var err error
	switch c.typ {
	case typeDestination, typeSource:
		c.prefix, rest, err = readPrefix(ipv6, rest)
	case typeProtocol:
		c.numbers, rest, err = readNumbers(rest, math.MaxUint8)
	case typePort, typeDestinationPort, typeSourcePort:
		c.numbers, rest, err = readNumbers(rest, math.MaxUint16)
	default:
		return component{}, nil, errors.New("a type that this router does not know")
	}
	if err != nil {
		return component{}, nil, err
	}
	if !c.prefix.IsValid() && len(c.numbers) == 0 {
		return component{}, nil, errors.New("it holds for no value")
	}
	c.data = data[1 : len(data)-len(rest)]
	return c, rest, nil
}

// readPrefix reads length and address; with IPv6 an offset is between them.
func readPrefix(ipv6 bool, data []byte) (netip.Prefix, []byte, error) {
	head, most := 1, 32
	if ipv6 {
		head, most = 2, 128
	}
	if len(data) < head {
		return netip.Prefix{}, nil, errors.New("a prefix without a length")
	}
	if ipv6 && data[1] != 0 {
		return netip.Prefix{}, nil, fmt.Errorf("an offset of %d bits, which this router does not know", data[1])
	}
	bits := int(data[0])
	size := (bits + 7) / 8
	if bits > most || len(data) < head+size {
		return netip.Prefix{}, nil, fmt.Errorf("a prefix of %d bits in %d bytes", bits, len(data)-head)
	}
	whole := make([]byte, most/8)
	copy(whole, data[head:head+size])
	address, _ := netip.AddrFromSlice(whole)
	prefix, err := address.Prefix(bits)
	return prefix, data[head+size:], err
}

// action is what is done with the packets of a rule: what is above a rate is dropped.
// A rate of 0 drops all; a nil one bounds nothing. Rates are in units per second.
type action struct{ bytes, packets *uint64 }

// readAction reads a route's extended communities, of 8 bytes each.
func readAction(communities [][]byte) (action, error) {
	var a action
	for _, c := range communities {
		if len(c) != 8 {
			return action{}, fmt.Errorf("an extended community of %d bytes", len(c))
		}
		var rate **uint64
		switch binary.BigEndian.Uint16(c) {
		case rateBytes:
			rate = &a.bytes
		case ratePackets:
			rate = &a.packets
		default:
			return action{}, fmt.Errorf("an extended community %x, which this router does not know", c)
		}
		if *rate != nil {
			return action{}, fmt.Errorf("a second rate, %x", c)
		}
		whole, err := readRate(math.Float32frombits(binary.BigEndian.Uint32(c[4:])))
		if err != nil {
			return action{}, err
		}
		*rate = &whole
	}
	if a.bytes == nil && a.packets == nil {
		return action{}, errors.New("no rate: the packets would pass")
	}
	return a, nil
}

// readRate turns a rate into whole units. One below zero counts as zero.
func readRate(f float32) (uint64, error) {
	switch rate := float64(f); {
	case math.IsNaN(rate) || rate >= math.MaxInt64:
		return 0, fmt.Errorf("a rate of %v", rate)
	case rate <= 0:
		return 0, nil
	case rate < 1:
		return 0, fmt.Errorf("a rate of %v, which is neither whole nor none", rate)
	default:
		return uint64(rate), nil
	}
}
