package defender

import (
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// maxUsers bounds the users of a device that are told.
	maxUsers = 20
	// reportsWithin is how far back it is looked for a device's last report. Complete ones
	// come each hour.
	reportsWithin = 24 * time.Hour
	// huntsUsers is how long a device that is found waits for hunting to say who is
	// logged on.
	huntsUsers = 5 * time.Second
)

// logon is a user of a device, as Defender's list tells it.
type logon struct {
	ID          string `json:"id"`
	Account     string `json:"accountName"`
	Domain      string `json:"accountDomain"`
	First       moment `json:"firstSeen"`
	Last        moment `json:"lastSeen"`
	Types       string `json:"logonTypes"`
	OnlyNetwork bool   `json:"isOnlyNetworkUser"`
}

func (l logon) name() string {
	if l.Account == "" {
		return l.ID
	}
	if l.Domain == "" {
		return l.Account
	}
	return l.Domain + `\` + l.Account
}

// logons are the users of a device, who was seen last first.
func (c *Client) logons(ctx context.Context, id machineID) ([]logon, error) {
	all, err := list[logon](ctx, c.api, "read the users of device "+string(id), id.path("/logonusers"), maxFound)
	slices.SortStableFunc(all, func(a, b logon) int { return b.Last.Compare(a.Last.Time) })
	return all, err
}

// users are the accounts of people and services that logged on to the device itself.
func (c *Client) users(ctx context.Context, id machineID) incident.Value[[]string] {
	all, err := c.logons(ctx, id)
	if err != nil {
		return incident.NotKnown[[]string](err.Error())
	}
	names := []string{}
	for _, l := range all {
		if name := l.name(); name != "" && !l.OnlyNetwork && !slices.Contains(names, name) && len(names) < maxUsers {
			names = append(names, name)
		}
	}
	return incident.Known(names, incident.FromEDR)
}

// huntUsers asks hunting who is logged on to the devices that the query may mean, before it
// is known which those are. That it fails is no error: each that is found is then asked
// about.
func (s *search) huntUsers(ctx context.Context, kql string) {
	ctx, cancel := context.WithTimeout(ctx, s.c.patience)
	defer cancel()
	rows, err := s.c.hunt(ctx, "find who is logged on", kql)
	if err != nil {
		return
	}
	for _, r := range rows {
		if id, ok := machineIDOf(r.text("DeviceId")); ok {
			s.reported[id] = reportedUsers(r.text("LoggedOnUsers"))
		}
	}
}

// reportedUsers are the users of a device's report. The names of the list's members are in
// queries that Microsoft publishes; the table's page says that it is a list in JSON.
func reportedUsers(list string) []string {
	var users []struct{ UserName, DomainName string }
	if json.Unmarshal([]byte(list), &users) != nil {
		return nil
	}
	var names []string
	for _, u := range users {
		name := logon{Account: u.UserName, Domain: u.DomainName}.name()
		if name != "" && !slices.Contains(names, name) && len(names) < maxUsers {
			names = append(names, name)
		}
	}
	return names
}

// usersQuery is the query for who is logged on to the devices with a name, or else to those
// that had an address: of each the newest report in which anybody is, or was last, around a
// time. It may be about more devices than are meant, which are told apart by their ids. It is
// empty where there is nothing to ask by.
func usersQuery(name string, ips []netip.Addr, at time.Time) string {
	from, to := at.Add(-reportsWithin), at.Add(addressesAround)
	which := nameCondition(name)
	if which == "" && len(ips) > 0 {
		var all []string
		for _, ip := range ips {
			all = append(all, ip.String())
		}
		had := between("DeviceNetworkInfo", "IPAddresses has_any "+anyOf(all), from, to)
		which = "DeviceId in (" + had.String() + "\n| distinct DeviceId)"
	}
	if which == "" {
		return ""
	}
	q := between("DeviceInfo", which, from, to).where(`LoggedOnUsers !in ("", "[]")`)
	q.WriteString("\n| summarize arg_max(Timestamp, LoggedOnUsers) by DeviceId")
	return q.newest(maxFound, []string{"DeviceId", "LoggedOnUsers"})
}

// nameCondition selects the rows of the devices of a name, with its domain and without.
// Empty is for what cannot be a name, or has letters that no text of a query may have.
func nameCondition(name string) string {
	name = strings.ToLower(incident.HostName(name))
	if !isName(name) || strings.ContainsFunc(name, func(r rune) bool { return r >= 0x80 }) {
		return ""
	}
	if short, _, full := strings.Cut(name, "."); full {
		return "DeviceName in~ " + anyOf([]string{name, short})
	}
	return `DeviceName =~ "` + name + `" or DeviceName startswith "` + name + `."`
}
