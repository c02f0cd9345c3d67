package defender

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// details is what else there is of a device.
type details struct {
	users     incident.Value[[]string]
	isolation incident.Value[string]
	err       error
}

// detail finds what else there is of a device, and asks for what is not known yet. People are
// told who is logged on, and nothing waits for it; whether the device is isolated has to be
// known, unless Defender does not let it be seen.
func (s *search) detail(ctx context.Context, id machineID) {
	var d details
	_ = httpx.All(
		func() error { d.users = s.users(ctx, id); return nil },
		func() error { d.isolation, d.err = s.isolation(ctx, id); return nil },
	)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.more[id] = d
}

func (s *search) users(ctx context.Context, id machineID) incident.Value[[]string] {
	if names := s.reported[id]; len(names) > 0 {
		return incident.Known(names, incident.FromEDR)
	}
	return s.c.users(ctx, id)
}

func (s *search) isolation(ctx context.Context, id machineID) (incident.Value[string], error) {
	actions := s.c.on(id, s.isolations)
	if !s.whole {
		var err error
		actions, err = s.c.actions(ctx, "read isolation of device "+string(id), id)
		switch {
		case integrations.KindOf(err) == integrations.Denied:
			return incident.NotKnown[string](err.Error()), nil
		case err != nil:
			return incident.Value[string]{}, err
		}
	}
	return incident.Known(isolationOf(actions).word(), incident.FromEDR), nil
}

// endpoint is a device that was found, with what else there is of it.
func (s *search) endpoint(id machineID) (incident.Endpoint, error) {
	e := s.all[id].known(s)
	d, ok := s.more[id]
	if !ok {
		why := fmt.Sprintf("more than %d devices match: none was asked about", asked)
		d.isolation, d.users = incident.NotKnown[string](why), incident.NotKnown[[]string](why)
	}
	e.Isolation, e.Users = d.isolation, d.users
	return e, d.err
}

// known is what Defender's list of devices tells of one.
func (f found) known(s *search) incident.Endpoint {
	id, _ := machineIDOf(f.ID)
	e := incident.Endpoint{
		ID: incident.Known(string(id), incident.FromEDR), Name: text(f.Name), OS: f.os(), Role: f.role(), IP: s.addresses(f), Online: f.online(),
		LastSeen: incident.NotKnown[time.Time]("Defender does not say"),
		Tags:     incident.Known(append([]string{}, f.Tags...), incident.FromEDR),
		Groups:   incident.NotKnown[[]string]("Defender names no group"),
		Route:    incident.NotKnown[string]("Defender does not tell how the agent reaches its cloud"),
	}
	if !f.LastSeen.IsZero() {
		// Of the last full report, which comes once a day.
		e.LastSeen = incident.Known(f.LastSeen.Time, incident.FromEDR)
	}
	if f.Group != "" {
		e.Groups = incident.Known([]string{f.Group}, incident.FromEDR)
	}
	return e
}

func text(s string) incident.Value[string] {
	if s == "" {
		return incident.NotKnown[string]("Defender does not say")
	}
	return incident.Known(s, incident.FromEDR)
}

// os is the family of the operating system: Defender writes Windows10, WindowsServer2019,
// macOS, Ubuntu.
func (f found) os() incident.Value[string] {
	if strings.HasPrefix(strings.ToLower(f.OS), "windows") {
		return incident.Known("windows", incident.FromEDR)
	}
	return text(f.OS)
}

// role is what the device is, where the operating system says so. A server's does not say
// whether it is a domain controller, so that nothing is said of servers.
func (f found) role() incident.Value[string] {
	name := strings.ToLower(f.OS)
	switch {
	case name == "":
		return text("")
	case strings.HasPrefix(name, "windowsserver"):
		return incident.NotKnown[string](fmt.Sprintf("Defender says %s, and not whether it is a domain controller", f.OS))
	case strings.HasPrefix(name, "windows"):
		return incident.Known("workstation", incident.FromEDR)
	}
	return incident.NotKnown[string](fmt.Sprintf("Defender says %s, and not what it is for", f.OS))
}

// online is whether the agent answers. Defender calls a device active that was heard
// within seven days, which tells nothing of now.
func (f found) online() incident.Value[bool] {
	switch strings.ToLower(f.Health) {
	case "inactive":
		return incident.Known(false, incident.FromEDR)
	case "":
		return incident.NotKnown[bool]("Defender does not say")
	}
	return incident.NotKnown[bool](fmt.Sprintf("Defender says %s, which is not whether the agent answers now", httpx.Quote(f.Health)))
}

// addresses are those that the device had at the time of the query. Those of its last
// report count where the query is about now, but none that was asked for and that Defender
// has not seen on it around then.
func (s *search) addresses(f found) incident.Value[[]string] {
	ips := slices.Clone(f.had)
	if s.c.now().Sub(s.at) <= addressesAround {
		for _, ip := range f.reported() {
			if !slices.Contains(ips, ip) && !s.wanted(ip) {
				ips = append(ips, ip)
			}
		}
	}
	slices.Sort(ips)
	switch {
	case len(ips) > 0:
		return incident.Known(ips, incident.FromEDR)
	case !s.keepsAddresses():
		return incident.NotKnown[[]string]("Defender knows who had an address for 30 days")
	case s.c.now().Sub(s.at) > addressesAround:
		return incident.NotKnown[[]string]("Defender tells which addresses the device has now, and not which it had at " + s.at.UTC().Format(time.RFC3339))
	}
	return incident.NotKnown[[]string]("Defender does not say")
}

// wanted reports whether the query has an address.
func (s *search) wanted(ip string) bool {
	return slices.ContainsFunc(s.ips, func(a netip.Addr) bool { return a.String() == ip })
}

// reported are the addresses of the device's last report, without those that others have
// too: the one by which it reaches the internet, and what holds on one link only.
func (m machine) reported() []string {
	var ips []string
	add := func(text string) {
		ip, err := netip.ParseAddr(text)
		if ip = ip.Unmap().WithZone(""); err == nil && !ip.IsLoopback() && !ip.IsUnspecified() && !ip.IsLinkLocalUnicast() && !slices.Contains(ips, ip.String()) {
			ips = append(ips, ip.String())
		}
	}
	add(m.LastIP)
	for _, a := range m.Addresses {
		if a.Status == "" || strings.EqualFold(a.Status, "Up") {
			add(a.Address)
		}
	}
	return ips
}
