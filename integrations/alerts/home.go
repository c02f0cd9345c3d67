package alerts

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Ours says whether an address is one of the site's own: by the home networks of the source,
// else a private one is, and of a public one it is not known.
func (r *Reader) Ours(ip string) incident.Value[bool] {
	addr, err := parseAddress(ip)
	switch {
	case err != nil:
		return incident.NotKnown[bool](Quote(ip) + " is not an IP address")
	case len(r.home) > 0:
		ours := slices.ContainsFunc(r.home, func(n netip.Prefix) bool { return n.Contains(addr.Unmap().WithZone("")) })
		return incident.Known(ours, incident.Computed)
	case addr.Unmap().IsPrivate():
		return incident.Known(true, incident.Assumed)
	}
	return incident.NotKnown[bool](fmt.Sprintf("%s is a public address, and the source has no home_networks", canonical(addr)))
}
