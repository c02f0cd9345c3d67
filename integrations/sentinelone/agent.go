package sentinelone

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// agent is what the console keeps of a device, as far as it is read here.
type agent struct {
	ID             string `json:"id"`
	UUID           string `json:"uuid"`
	Name           string `json:"computerName"`
	Domain         string `json:"domain"`
	OSType         string `json:"osType"`
	MachineType    string `json:"machineType"`
	Status         status `json:"networkStatus"`
	ExternalID     string `json:"externalId"`
	Active         *bool  `json:"isActive"`
	Decommissioned bool   `json:"isDecommissioned"`
	Uninstalled    bool   `json:"isUninstalled"`
	LastActive     string `json:"lastActiveDate"`
	LastUser       string `json:"lastLoggedInUserName"`
	GroupName      string `json:"groupName"`
	Interfaces     []struct {
		Inet  []string `json:"inet"`
		Inet6 []string `json:"inet6"`
	} `json:"networkInterfaces"`
	Proxy struct {
		Console *bool `json:"console"`
	} `json:"proxyStates"`
	Tags struct {
		Own []struct {
			Key   string `json:"key"`
			Value string `json:"value"`
		} `json:"sentinelone"`
	} `json:"tags"`
}

// status is the console's word for whether a device is in the network. It is the state
// itself: orders of isolation have no ids.
type status string

// The statuses, as the console spells them.
const (
	connected     status = "connected"
	disconnecting status = "disconnecting"
	disconnected  status = "disconnected"
	connecting    status = "connecting"
)

// isolation is the status in our words.
func (s status) isolation() incident.Value[string] {
	switch s {
	case connected:
		return incident.Known("none", incident.FromEDR)
	case disconnecting:
		return incident.Known("isolating", incident.FromEDR)
	case disconnected:
		return incident.Known("isolated", incident.FromEDR)
	case connecting:
		return incident.Known("releasing", incident.FromEDR)
	}
	return unheard[string](string(s))
}

// gone reports whether the console manages the device no more. One that is gone can be
// connecting for ever: its agent never hears of it.
func (a agent) gone() bool { return a.Decommissioned || a.Uninstalled }

// networkStatus is the status that counts: of a device that is gone, a lift that was
// ordered is taken for carried out.
func (a agent) networkStatus() status {
	if a.gone() && a.Status == connecting {
		return connected
	}
	return a.Status
}

// role is what kind of machine it is. The console does not tell domain controllers apart.
func (a agent) role() incident.Value[string] {
	switch a.MachineType {
	case "server":
		return incident.Known("server", incident.FromEDR)
	case "desktop", "laptop":
		return incident.Known("workstation", incident.FromEDR)
	}
	return unheard[string](a.MachineType)
}

func (a agent) os() incident.Value[string] {
	if a.OSType == "windows_legacy" {
		return incident.Known("windows", incident.FromEDR)
	}
	return said(strings.ToLower(a.OSType))
}

// addresses are those that the device had when its agent last reported them.
func (a agent) addresses() []string {
	var texts []string
	for _, i := range a.Interfaces {
		texts = append(append(texts, i.Inet...), i.Inet6...)
	}
	return canonical(texts...)
}

func (a agent) lastSeen() time.Time {
	at, err := time.Parse(time.RFC3339, a.LastActive)
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}

// lag is how old the time of the last contact may be with an agent that is connected.
const lag = 5 * time.Minute

// heard is when the agent was heard, for who wants to know whether it still is. Not
// documented: how soon the console takes note of it. So a time that is old proves nothing
// unless the console says that the agent is not active: then the zero time is returned.
func (a agent) heard(now time.Time) time.Time {
	last := a.lastSeen()
	if a.Active != nil && !*a.Active || now.Sub(last) <= lag {
		return last
	}
	return time.Time{}
}

// route is how the agent reaches the console. That there is no proxy does not mean that it
// is direct: whether it goes through a VPN the console does not tell.
func (a agent) route() incident.Value[string] {
	switch {
	case a.Proxy.Console == nil:
		return incident.NotKnown[string]("SentinelOne does not tell how the agent reaches the console")
	case *a.Proxy.Console:
		return incident.Known("proxy", incident.FromEDR)
	}
	return incident.NotKnown[string]("not through a proxy; whether through a VPN SentinelOne does not tell")
}

// endpoint is the device in our words, without its addresses at a time.
func (a agent) endpoint() incident.Endpoint {
	e := incident.Endpoint{
		ID: said(a.ID), Name: said(a.Name), OS: a.os(), Role: a.role(), Online: unheard[bool](""),
		Isolation: a.networkStatus().isolation(), LastSeen: unheard[time.Time](a.LastActive), Route: a.route(),
		Users:  incident.NotKnown[[]string]("SentinelOne names no user of the device"),
		Groups: incident.NotKnown[[]string]("SentinelOne names no group of the device"),
	}
	if a.Active != nil {
		e.Online = incident.Known(*a.Active && !a.gone(), incident.FromEDR)
	}
	if at := a.lastSeen(); !at.IsZero() {
		e.LastSeen = incident.Known(at, incident.FromEDR)
	}
	if a.LastUser != "" {
		e.Users = incident.Known([]string{a.LastUser}, incident.FromEDR)
	}
	if a.GroupName != "" {
		e.Groups = incident.Known([]string{a.GroupName}, incident.FromEDR)
	}
	tags := []string{}
	for _, t := range a.Tags.Own {
		tag := t.Key
		if t.Value != "" {
			tag += ":" + t.Value
		}
		tags = append(tags, tag)
	}
	e.Tags = incident.Known(tags, incident.FromEDR)
	return e
}

const agentsPath = "/agents"

// agent reads one device, also one that is gone. One that the console does not have is a
// not_found error.
func (c *Client) agent(ctx context.Context, op string, a agentID) (agent, error) {
	found, err := list[agent](ctx, c, op, agentsPath, url.Values{
		"ids": {a.digits}, "isDecommissioned": {"true,false"}, "isUninstalled": {"true,false"},
	}, 10)
	switch {
	case err != nil:
		return agent{}, err
	case len(found) == 0:
		return agent{}, integrations.Errorf(integrations.NotFound, op, "SentinelOne has no device %s", a)
	case len(found) > 1 || found[0].ID != a.digits:
		return agent{}, integrations.Errorf(integrations.Unavailable, op, "SentinelOne answers with %d devices, asked for %s alone", len(found), a)
	}
	return found[0], nil
}
