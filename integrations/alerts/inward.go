package alerts

import (
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// AnyOurs reports whether one of the addresses is known to be the site's own.
func (r *Reader) AnyOurs(ips []string) bool {
	return slices.ContainsFunc(ips, func(ip string) bool { own, _ := r.Ours(ip).Get(); return own })
}

// ComesIn reports whether a connection is to an address of the site's own from one that is not
// known to be.
func (r *Reader) ComesIn(from, to []string) bool {
	return len(from) > 0 && !r.AnyOurs(from) && r.AnyOurs(to)
}

// Targeted has an alert start nothing in which a machine of ours received more than it sent on
// a connection that came in.
func (r *Reader) Targeted(c Connection) {
	in, heard := c.Source.Bytes.Get()
	out, told := c.Destination.Bytes.Get()
	own, _ := c.Host.IP.Get()
	comesIn := r.ComesIn(c.Source.IPs, c.Destination.IPs) ||
		len(c.Source.IPs) > 0 && !r.AnyOurs(c.Source.IPs) && c.Destination.isOf(own) && !c.Source.isOf(own)
	if heard && told && out <= in && comesIn {
		r.Silence(incident.NotAlerting, "%s is the target: it received %d bytes and sent %d", strings.Join(c.Destination.IPs, ", "), in, out)
	}
}
