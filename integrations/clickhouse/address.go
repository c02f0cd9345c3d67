package clickhouse

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// address is how a column holds addresses.
type address struct {
	kind string
	// mapped and padded are the two encodings of IPv4 in sixteen bytes: after
	// ::ffff:, or in the first four with zeros after them.
	mapped, padded bool
}

// addressOf returns how a collector fills a column of a type. For a table of an
// unknown collector both encodings are tried.
func addressOf(kind, schema string) address {
	return address{kind: kind, mapped: schema != "goflow2", padded: schema != "akvorado"}
}

// read is the expression for the address in a column. Text is read in any
// spelling of an address; an invalid address is ::.
func (a address) read(column string) string {
	if a.kind != "String" {
		return column
	}
	return fmt.Sprintf("toIPv6OrDefault(trimBoth(splitByChar('/', %s)[1]))", column)
}

// none is the address that means that there is none.
func (a address) none() string {
	switch {
	case strings.HasPrefix(a.kind, "FixedString"):
		return "toFixedString('', 16)"
	case a.kind == "IPv6":
		return "toIPv6('::')"
	case a.kind == "IPv4":
		return "toIPv4('0.0.0.0')"
	case a.kind == "UInt32":
		return "toUInt32(0)"
	default:
		return "''"
	}
}

// text is the expression that Stanch reads an address from.
func (a address) text(column string) string {
	if strings.HasPrefix(a.kind, "FixedString") {
		return "hex(" + column + ")"
	}
	return "toString(" + column + ")"
}

// parse reads what text returned.
func (a address) parse(text string) (netip.Addr, error) {
	switch {
	case strings.HasPrefix(a.kind, "FixedString"):
		b, err := hex.DecodeString(text)
		if err != nil || len(b) != 16 {
			return netip.Addr{}, fmt.Errorf("%.40q is not an address", text)
		}
		addr := netip.AddrFrom16([16]byte(b))
		// A collector that writes the bytes as it got them leaves twelve of
		// an IPv4 address empty.
		if strings.HasSuffix(text, strings.Repeat("0", 24)) {
			addr = netip.AddrFrom4([4]byte(b))
		}
		return addr.Unmap(), nil
	case a.kind == "UInt32":
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return netip.Addr{}, fmt.Errorf("%.40q is not an address", text)
		}
		return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, uint32(n)))), nil
	default:
		addr, err := netip.ParseAddr(text)
		return addr.Unmap(), err
	}
}

// forms are expressions for the address in the column's own type; add turns a
// value into a parameter. The list is empty for an address that the column cannot
// hold, and has two where collectors write IPv4 in two encodings.
func (a address) forms(addr netip.Addr, add func(any) string) []string {
	switch {
	case strings.HasPrefix(a.kind, "FixedString"):
		var forms []string
		if a.mapped || !addr.Is4() {
			forms = append(forms, a.fixed(wide(addr), add))
		}
		if a.padded && addr.Is4() {
			forms = append(forms, a.fixed(padded(addr), add))
		}
		return forms
	case a.kind == "IPv6", a.kind == "String":
		return []string{"toIPv6(" + add(netip.AddrFrom16(addr.As16()).String()) + ")"}
	case !addr.Is4():
		return nil
	case a.kind == "IPv4":
		return []string{"toIPv4(" + add(addr.String()) + ")"}
	default:
		four := addr.As4()
		return []string{"toUInt32(" + add(binary.BigEndian.Uint32(four[:])) + ")"}
	}
}

func (a address) fixed(digits string, add func(any) string) string {
	return "toFixedString(unhex(" + add(digits) + "), 16)"
}

// within is the condition that a column's address is in the network. An address
// of which all but the first four bytes are zero is read as IPv4.
func (a address) within(column string, p netip.Prefix, add func(any) string) string {
	first, final := a.forms(p.Masked().Addr(), add), a.forms(last(p), add)
	ranges := make([]string, len(first))
	for i := range first {
		ranges[i] = fmt.Sprintf("%s >= %s AND %s <= %s", column, first[i], column, final[i])
	}
	if n := len(ranges); n > 0 && a.padded && p.Addr().Is4() && strings.HasPrefix(a.kind, "FixedString") {
		ranges[n-1] = fmt.Sprintf("(%s AND substring(%s, 5, 12) = unhex('%024d'))", ranges[n-1], column, 0)
	}
	if len(ranges) == 0 {
		return "0"
	}
	return "(" + strings.Join(ranges, " OR ") + ")"
}

func wide(addr netip.Addr) string {
	b := addr.As16()
	return strings.ToUpper(hex.EncodeToString(b[:]))
}

func padded(addr netip.Addr) string {
	b := addr.As4()
	return strings.ToUpper(hex.EncodeToString(b[:])) + strings.Repeat("0", 24)
}

// last is the highest address of a network.
func last(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for bit := p.Bits(); bit < len(b)*8; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	addr, _ := netip.AddrFromSlice(b)
	return addr
}
