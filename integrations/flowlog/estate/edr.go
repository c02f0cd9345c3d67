package estate

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// proxyPort is where the proxy listens.
const proxyPort = 3128

// Connections are those of a host that begin in [from, to), oldest first, as its agent tells
// them: none where the agent does not answer, none for what no process sent. A client of the
// proxy has its connections to the proxy, from the ports that the proxy logs. A web filter on
// the host is the process of all. An unknown name is an error.
func (e *Estate) Connections(name string, from, to time.Time) ([]incident.Connection, error) {
	h, ok := e.Host(name)
	if !ok {
		return nil, fmt.Errorf("list connections: the estate has no host %q", name)
	}
	var list []incident.Connection
	m := e.maker()
	first, last := max(0, e.hourOf(from.UnixNano())), min(e.hours-1, e.hourOf(to.UnixNano()))
	add := func(f *flow) {
		if f.at < from.UnixNano() || f.at >= to.UnixNano() || !h.answers(f.at) || f.program == noProcess {
			return
		}
		list = append(list, incident.Connection{At: time.Unix(0, f.at).UTC(), Tuple: h.tuple(f), Process: e.process(&h, f.program, f.at)})
	}
	for hour := first; hour <= last; hour++ {
		m.usual.of(&h, hour, add)
		for _, number := range e.byHour[hour] {
			if e.planted[e.plants[number].planted].host == h.index {
				m.brush.paint(number, hour, add)
			}
		}
	}
	slices.SortStableFunc(list, func(a, b incident.Connection) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.SrcPort, b.SrcPort))
	})
	return list, nil
}

// tuple is the flow as the host sees it: with its own address, before any NAT.
func (h *Host) tuple(f *flow) incident.Tuple {
	own, peer, port := h.addr(f.at), f.peer, f.peerPort
	if f.v6 {
		own = h.V6
	}
	if h.path(f) == proxyZurich {
		peer, port = proxyAddr(), proxyPort
	}
	t := tuple(own, f.ownPort, peer, port, f.transport)
	if !f.opened {
		return t.Reversed()
	}
	return t
}

func tuple(src netip.Addr, srcPort uint16, dst netip.Addr, dstPort uint16, transport uint8) incident.Tuple {
	return incident.Tuple{
		SrcIP: src.String(), SrcPort: int(srcPort), DstIP: dst.String(), DstPort: int(dstPort), Transport: transportName(transport),
	}
}

// Endpoint is the device as the EDR knows it at the end of the time; false where it has no
// agent.
func (e *Estate) Endpoint(name string) (incident.Endpoint, bool) {
	h, ok := e.Host(name)
	if !ok || h.Agent == NoAgent {
		return incident.Endpoint{}, false
	}
	seen := e.End()
	if h.Agent == Silent {
		seen = h.SilentSince
	}
	addresses := []string{h.addr(seen.UnixNano()).String()}
	if h.V6.IsValid() {
		addresses = append(addresses, h.V6.String())
	}
	route := "direct"
	switch h.Exit {
	case incident.ExitProxy:
		route = "proxy"
	case incident.ExitVPN:
		route = "vpn"
	case incident.ExitDirect, incident.ExitCloud, incident.ExitSite:
	}
	known := func(s string) incident.Value[string] { return incident.Known(s, incident.FromEDR) }
	role := "server"
	if h.Role == workstation || h.Role == "domain_controller" {
		role = h.Role
	}
	return incident.Endpoint{
		ID: known(h.ID), Name: known(h.Name), IP: incident.Known(addresses, incident.FromEDR), OS: known("windows"), Role: known(role),
		Online: incident.Known(h.Agent == Answers, incident.FromEDR), Isolation: known("none"), LastSeen: incident.Known(seen, incident.FromEDR),
		Users: incident.Known([]string{h.User}, incident.FromEDR), Route: known(route),
	}, true
}
