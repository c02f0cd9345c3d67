package wazuh

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// maxAddresses bounds the addresses of one agent, and maxUsers its accounts.
const (
	maxAddresses = 1000
	maxUsers     = 1000
)

// details is what else there is of an agent.
type details struct {
	// ips are the addresses of its interfaces, why says why they are not known.
	ips       []string
	why       string
	users     incident.Value[[]string]
	isolation incident.Value[string]
}

// netaddr is an address in an agent's inventory.
type netaddr struct {
	Address text `json:"address"`
}

// detail asks for what else there is of an agent. Without its inventory an agent is found
// all the same; whether it is isolated has to be known, unless the indexer does not let it
// be seen.
func (s *search) detail(ctx context.Context, id agentID) error {
	var d details
	err := httpx.All(
		func() error { d.ips, d.why = s.c.interfaces(ctx, id); return nil },
		func() error { d.users = s.c.users(ctx, id); return nil },
		func() error {
			state, err := s.c.reported(ctx, "read isolation of agent "+string(id), id)
			switch {
			case err == nil && state.unclear():
				d.isolation = incident.NotKnown[string]("the script on the agent says " + httpx.Quote(state.last.state))
			case err == nil:
				d.isolation = incident.Known(state.word(), incident.FromEDR)
			case integrations.KindOf(err) == integrations.Denied:
				d.isolation = incident.NotKnown[string](err.Error())
			default:
				return err
			}
			return nil
		},
	)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.more[id] = d
	return err
}

// interfaces are the addresses of an agent's interfaces, without those that others have,
// too, or why they are not known.
func (c *Client) interfaces(ctx context.Context, id agentID) (ips []string, why string) {
	found, err := list[netaddr](ctx, c.manager, "read the addresses of agent "+string(id), "/syscollector/"+string(id)+"/netaddr", url.Values{}, maxAddresses)
	if err != nil {
		return nil, err.Error()
	}
	for _, a := range found {
		ip, err := netip.ParseAddr(string(a.Address))
		if ip = ip.Unmap().WithZone(""); err == nil && !ip.IsLoopback() && !ip.IsUnspecified() && !ip.IsLinkLocalUnicast() && !slices.Contains(ips, ip.String()) {
			ips = append(ips, ip.String())
		}
	}
	slices.Sort(ips)
	if len(ips) == 0 {
		why = "Wazuh has no inventory of the agent's interfaces; the address from which it reports may be a router's"
	}
	return ips, why
}

// account is one of a machine, as an agent's inventory has it.
type account struct {
	User struct {
		Name text `json:"name"`
	} `json:"user"`
	Login struct {
		Status text `json:"status"`
	} `json:"login"`
}

// users are the accounts that were logged on when the inventory was made. Managers before
// 4.14 have none of them.
func (c *Client) users(ctx context.Context, id agentID) incident.Value[[]string] {
	all, err := list[account](ctx, c.manager, "read the users of agent "+string(id), "/syscollector/"+string(id)+"/users", url.Values{}, maxUsers)
	if err != nil {
		return incident.NotKnown[[]string](err.Error())
	}
	names := []string{}
	for _, a := range all {
		if name := string(a.User.Name); a.Login.Status == "1" && name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return incident.Known(names, incident.FromEDR)
}

// endpoint is an agent that was found, with what else there is of it.
func (s *search) endpoint(id agentID) incident.Endpoint {
	a := s.all[id]
	d, ok := s.more[id]
	if !ok {
		d.why = fmt.Sprintf("more than %d agents match: none was asked about", asked)
		d.isolation, d.users = incident.NotKnown[string](d.why), incident.NotKnown[[]string](d.why)
	}
	return incident.Endpoint{
		ID: incident.Known(string(id), incident.FromEDR), Name: said(a.Name), OS: a.os(), Role: a.role(), IP: s.addresses(d),
		Online: a.online(), LastSeen: a.lastSeen(), Isolation: d.isolation, Groups: a.groups(),
		Users: d.users,
		Tags:  incident.NotKnown[[]string]("Wazuh has no tags of agents"),
		Route: incident.NotKnown[string]("Wazuh does not tell how the agent reaches its manager"),
	}
}

// addresses are those of the inventory, where the query is about the time of it: Wazuh keeps
// none of before.
func (s *search) addresses(d details) incident.Value[[]string] {
	if !s.q.At.IsZero() && s.c.now().Sub(s.q.At) > addressesAround {
		return incident.NotKnown[[]string]("Wazuh tells which addresses the agent has now, and not which it had at " + s.q.At.UTC().Format(time.RFC3339))
	}
	if len(d.ips) == 0 {
		return incident.NotKnown[[]string](d.why)
	}
	return incident.Known(d.ips, incident.FromEDR)
}

func said(s text) incident.Value[string] {
	if s == "" {
		return incident.NotKnown[string]("Wazuh does not say")
	}
	return incident.Known(string(s), incident.FromEDR)
}

// os is the family of the operating system, as Wazuh names platforms.
func (a agent) os() incident.Value[string] { return said(text(strings.ToLower(string(a.OS.Platform)))) }

// role is what the machine is, where the name of its system says so. That of a server does
// not say whether it is a domain controller.
func (a agent) role() incident.Value[string] {
	name := strings.ToLower(string(a.OS.Name))
	switch {
	case name == "":
		return said("")
	case !strings.Contains(name, "windows"):
		return incident.NotKnown[string](fmt.Sprintf("Wazuh says %s, and not what it is for", httpx.Quote(a.OS.Name)))
	case strings.Contains(name, "server"):
		return incident.NotKnown[string](fmt.Sprintf("Wazuh says %s, and not whether it is a domain controller", httpx.Quote(a.OS.Name)))
	}
	return incident.Known("workstation", incident.FromEDR)
}

// online is whether the manager hears the agent.
func (a agent) online() incident.Value[bool] {
	switch strings.ToLower(string(a.Status)) {
	case "active":
		return incident.Known(true, incident.FromEDR)
	case "disconnected", "never_connected", "pending":
		return incident.Known(false, incident.FromEDR)
	case "":
		return incident.NotKnown[bool]("Wazuh does not say")
	}
	return incident.NotKnown[bool]("Wazuh says " + httpx.Quote(a.Status))
}

func (a agent) lastSeen() incident.Value[time.Time] {
	if a.heard().IsZero() {
		return incident.NotKnown[time.Time]("Wazuh has not heard the agent, or does not say when")
	}
	return incident.Known(a.heard(), incident.FromEDR)
}

func (a agent) groups() incident.Value[[]string] {
	if a.Group == nil {
		return incident.NotKnown[[]string]("Wazuh names no group")
	}
	names := make([]string, 0, len(a.Group))
	for _, g := range a.Group {
		names = append(names, string(g))
	}
	return incident.Known(names, incident.FromEDR)
}
