package postgres

import (
	"fmt"
	"net/netip"

	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// host makes addresses the host's, in every form.
func (q *statement) host(addrs []netip.Addr) {
	var forms []string
	for _, a := range addrs {
		forms = append(forms, q.t.address.forms(a)...)
	}
	q.among(forms)
	q.only = ""
	if len(addrs) == 1 {
		q.only = addrs[0].String()
	}
}

// hosts makes each of the addresses a host of its own: what they send to each
// other counts. Written are the forms that the addresses have.
func (q *statement) hosts(addrs []netip.Addr, written map[netip.Addr][]string) {
	var forms []string
	for _, a := range addrs {
		if there := written[a]; len(there) > 0 {
			forms = append(forms, there...)
		} else {
			forms = append(forms, q.t.address.forms(a)...)
		}
	}
	q.among(forms)
	q.apart, q.only = true, ""
}

// among is the condition that an address has one of the forms.
func (q *statement) among(forms []string) {
	place, kind := q.arg(forms), q.t.address.as()
	q.local = func(column string) string { return fmt.Sprintf("%s = ANY(%s::text[]::%s[])", column, place, kind) }
}

// networks makes every address of the networks a host's, and perhaps some that
// are outside of them.
func (q *statement) networks(own flowmath.Networks) {
	place := q.inets(own)
	q.apart, q.inside = true, place
	q.local = func(column string) string { return q.t.address.within(column, place) }
}

// leaving makes every address of the networks a host's, of flows that leave them.
func (q *statement) leaving(own flowmath.Networks) {
	q.networks(own)
	within := q.local
	q.local = func(column string) string {
		return fmt.Sprintf("(%s AND %s)", within(column), q.t.address.inside(q.t.address.canonical(column), q.inside))
	}
	q.stays = q.inets(own.Staying())
}

// inets adds networks as a parameter, those of IPv4 also as of IPv6.
func (q *statement) inets(list flowmath.Networks) string {
	text := make([]string, 0, 2*len(list))
	for _, p := range list {
		text = append(text, p.String())
		if p.Addr().Is4() {
			text = append(text, netip.PrefixFrom(netip.AddrFrom16(p.Addr().As16()), 96+p.Bits()).String())
		}
	}
	return q.arg(text) + "::text[]::inet[]"
}

// everybody makes every source a host.
func (q *statement) everybody() {
	q.apart = true
	q.local = func(column string) string { return column + " IS NOT NULL" }
}
