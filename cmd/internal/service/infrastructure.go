package service

import (
	"context"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// infrastructure is what the configuration exempts, and this machine: by its name, the
// address that it listens on, and those from which it reaches others. Its further
// addresses, such as that of a bridge of containers, many other hosts have too.
func infrastructure(ctx context.Context, c *config.Config) incident.Infrastructure {
	exempt := c.Exempt
	if name, err := os.Hostname(); err == nil && !strings.EqualFold(name, "localhost") {
		exempt.Own = append(exempt.Own, name)
	}
	host, _, err := net.SplitHostPort(c.Listen)
	if ip, bad := netip.ParseAddr(host); err == nil && bad == nil && own(ip) {
		exempt.Own = append(exempt.Own, ip.String())
	}
	// No packet is sent: the system only chooses the address. These are of networks
	// for documentation.
	for _, to := range []string{"192.0.2.1:9", "[2001:db8::1]:9"} {
		conn, err := (&net.Dialer{}).DialContext(ctx, "udp", to)
		if err != nil {
			continue
		}
		if at, err := netip.ParseAddrPort(conn.LocalAddr().String()); err == nil && own(at.Addr()) {
			exempt.Own = append(exempt.Own, at.Addr().Unmap().WithZone("").String())
		}
		_ = conn.Close() // Nothing was sent.
	}
	return exempt
}

// own reports whether an address can be that of one host alone.
func own(ip netip.Addr) bool {
	return !ip.IsUnspecified() && !ip.IsLoopback() && !ip.IsLinkLocalUnicast()
}
