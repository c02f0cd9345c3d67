package flowmath

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Spellings are the texts under which programs write an address, for a store that
// compares texts: with every mask, after ::ffff:, in small and capital letters,
// padded or not, and with one blank before or after it.
func Spellings(addr netip.Addr) []string {
	plain := addr.String()
	if addr.Is4() {
		mapped := netip.AddrFrom16(addr.As16())
		forms := append(Masked(plain, 0, 32), blanks(plain)...)
		for _, form := range append(written(mapped), "0:0:0:0:0:ffff:"+plain, "0:0:0:0:0:FFFF:"+plain) {
			forms = append(append(forms, form, form+"/128"), blanks(form)...)
		}
		return sorted(forms)
	}
	forms := Masked(plain, 0, 128)
	for _, form := range written(addr) {
		forms = append(append(forms, form, form+"/64", form+"/128"), blanks(form)...)
	}
	return sorted(forms)
}

func sorted(forms []string) []string {
	slices.Sort(forms)
	return slices.Compact(forms)
}

// Masked is an address without a mask, and with each of a length.
func Masked(address string, from, to int) []string {
	forms := []string{address}
	for n := from; n <= to; n++ {
		forms = append(forms, address+"/"+strconv.Itoa(n))
	}
	return forms
}

func blanks(address string) []string { return []string{" " + address, address + " "} }

// written are the ways in which programs write an IPv6 address.
func written(addr netip.Addr) []string {
	b := addr.As16()
	groups, short := make([]string, 8), addr.String()
	for i := range groups {
		groups[i] = fmt.Sprintf("%x", uint16(b[2*i])<<8|uint16(b[2*i+1]))
	}
	list := []string{short, strings.Join(groups, ":"), addr.StringExpanded()}
	if addr.Is4In6() {
		list = append(list, "::ffff:"+groups[6]+":"+groups[7])
	}
	for _, form := range list {
		list = append(list, strings.ToUpper(form))
	}
	return list
}

// AddressIn reads an address in any spelling: without the mask of its network, one
// after ::ffff: as IPv4.
func AddressIn(text string) (netip.Addr, bool) {
	text = strings.Trim(text, " \t\r\n")
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Addr().Unmap(), true
	}
	addr, err := netip.ParseAddr(text)
	return addr.Unmap(), err == nil && addr.Zone() == ""
}
