package postgres

import (
	"fmt"
	"net/netip"

	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// address is the type of the columns of addresses. Collectors write the same
// address in many ways: as text in any case, padded or not, with blanks; after
// ::ffff:, as a dual-stack socket has it; with the mask of its network.
type address struct {
	kind string // by information_schema's name
}

// written reports whether addresses are text.
func (a address) written() bool { return a.kind != "inet" && a.kind != "cidr" }

// as is the type of a value that is compared with a column, so that an index on
// it can be used.
func (a address) as() string {
	if a.kind == "character" {
		return "bpchar"
	}
	if a.written() {
		return "text"
	}
	return a.kind
}

// forms are the values under which an index finds an address: every form that is
// distinct in the column's type, and of text those that programs write.
func (a address) forms(addr netip.Addr) []string {
	plain, mapped := addr.String(), netip.AddrFrom16(addr.As16())
	switch {
	case a.kind == "cidr" && addr.Is4():
		return []string{plain, mapped.String()}
	case a.kind == "cidr":
		return []string{plain}
	case a.kind == "inet" && addr.Is4():
		return append(flowmath.Masked(plain, 0, 32), flowmath.Masked(mapped.String(), 96, 128)...)
	case a.kind == "inet":
		return flowmath.Masked(plain, 0, 128)
	default:
		return flowmath.Spellings(addr)
	}
}

// The texts that inet reads: it fails on any other.
const (
	octet    = `(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])`
	dotted   = octet + `(\.` + octet + `){3}`
	group    = `[0-9a-fA-F]{1,4}`
	readable = `^[ \t\r\n]*(` + dotted + `(/(3[0-2]|[12]?[0-9]))?|(` +
		`(` + group + `:){7}` + group + `|(` + group + `:){1,7}:|(` + group + `:){1,6}:` + group + `|` +
		`(` + group + `:){1,5}(:` + group + `){1,2}|(` + group + `:){1,4}(:` + group + `){1,3}|(` + group + `:){1,3}(:` + group + `){1,4}|` +
		`(` + group + `:){1,2}(:` + group + `){1,5}|` + group + `:(:` + group + `){1,6}|:((:` + group + `){1,7}|:)|` +
		`(` + group + `:){6}` + dotted + `|::(` + group + `:){0,5}` + dotted + `|(` + group + `:){1,5}:` + dotted +
		`)(/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))?)[ \t\r\n]*$`
)

// inet is the expression that reads a column as an address of any form; NULL
// where it is invalid.
func (a address) inet(column string) string {
	if !a.written() {
		return column + "::inet"
	}
	return fmt.Sprintf(`CASE WHEN %[1]s ~ '%[2]s' THEN btrim(%[1]s, E' \t\r\n')::inet END`, column, readable)
}

// same is the expression that has the same value for every form of an address:
// without the mask of its network, one after ::ffff: as IPv4.
func same(inet string) string {
	return fmt.Sprintf(`CASE WHEN masklen(%[1]s) = 32 AND family(%[1]s) = 4 THEN %[1]s WHEN family(%[1]s) = 4 THEN set_masklen(%[1]s, 32) WHEN set_masklen(%[1]s, 128) << '::ffff:0.0.0.0/96'
		THEN '0.0.0.0'::inet + (set_masklen(%[1]s, 128) - '::ffff:0.0.0.0') ELSE set_masklen(%[1]s, 128) END`, inet)
}

// host is the expression of an address as inet, the same for every form of it;
// NULL for an invalid one.
func (a address) host(column string) string {
	if !a.written() {
		return same(column + "::inet")
	}
	return fmt.Sprintf(`(SELECT %s FROM (SELECT %s AS i OFFSET 0) x)`, same("i"), a.inet(column))
}

// within is the condition that a column's address may be in one of the networks:
// where a mask hides whether it is, the condition is true.
func (a address) within(column, networks string) string {
	if a.written() {
		return fmt.Sprintf("%s <<= ANY(%s)", a.host(column), networks)
	}
	return fmt.Sprintf("(masklen(%[1]s) < 32 OR %[1]s <<= ANY(%[2]s))", column, networks)
}

// inside is the condition that a canonical address is in one of the networks, for
// columns for which [address.within] was true.
func (a address) inside(canonical, networks string) string {
	if a.written() {
		return "true"
	}
	return fmt.Sprintf("%s <<= ANY(%s)", canonical, networks)
}

// canonical is the expression of an address in the column's own kind, the same
// for every form of it; :: for an invalid one.
func (a address) canonical(column string) string {
	if !a.written() {
		return fmt.Sprintf("COALESCE(%s, '::')", a.host(column))
	}
	// Most are written plainly: four numbers.
	return fmt.Sprintf(`CASE WHEN translate(%[1]s, '0123456789', '') = '...' THEN %[1]s::text ELSE COALESCE(host(%[2]s), '::') END`, column, a.host(column))
}

// parseAddr reads the result of canonical. Numbers that are not an address are ::.
func parseAddr(text string) netip.Addr {
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.IPv6Unspecified()
	}
	return addr.Unmap()
}
