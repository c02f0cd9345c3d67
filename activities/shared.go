package activities

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

// spare refuses a block of infrastructure, which even an isolated host reaches, and of an
// address at which others are reached, unless the playbook asks for that.
func (in DecideIn) spare(s *incident.PlannedStep) {
	if s.Action != incident.Block || s.Problem != "" || s.Filter == nil || s.Filter.RemoteIP == "" {
		return
	}
	ip, err := netip.ParseAddr(s.Filter.RemoteIP)
	if err != nil {
		s.Problem = fmt.Sprintf("the destination %q is no address", s.Filter.RemoteIP)
		return
	}
	if why := in.Infrastructure.Has(ip); why != "" {
		s.Problem = fmt.Sprintf("%s is never blocked: %s; limit it instead", ip, why)
		return
	}
	if s.SharedBlock {
		return
	}
	is := ""
	if n, ok := traffic.SharedNetworkOf(ip); ok {
		is = n.String()
	}
	own := slices.IndexFunc(in.SharedNetworks, func(n netip.Prefix) bool { return n.Contains(ip.Unmap().WithZone("")) })
	if own >= 0 {
		is = in.SharedNetworks[own].String() + " is in shared_destinations of stanch.yaml"
	}
	if is != "" {
		s.Problem = fmt.Sprintf("a block of %s would stop all that is reached there: %s; limit it instead, or write shared: block in the step", ip, is)
	}
}
