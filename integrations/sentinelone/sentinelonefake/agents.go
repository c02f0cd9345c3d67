package sentinelonefake

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// externalIP is what the console sees of all agents: they are behind one router.
const externalIP = "203.0.113.1"

// agent is a device as the console sees it.
type agent struct {
	edrtest.Host
	status, external string
	decommissioned   bool
	now              time.Time
}

// fleet are all agents.
func (d *Double) fleet(o Options) []agent {
	d.mu.Lock()
	gone, external := maps.Clone(d.decommissioned), maps.Clone(d.externals)
	d.mu.Unlock()
	var all []agent
	for _, h := range d.world.Hosts() {
		a := agent{Host: h, external: external[h.ID], decommissioned: gone[h.ID], now: d.world.Now(), status: d.networkStatus(h.ID)}
		if word := o.NetworkStatus[h.ID]; word != "" {
			a.status = word
		}
		all = append(all, a)
	}
	return all
}

// networkStatus is the console's word for a device: that of the last command that
// is open, or what the device is.
func (d *Double) networkStatus(id string) string {
	open := d.world.Open(id, edrtest.Isolate, edrtest.Release)
	switch {
	case len(open) > 0 && open[len(open)-1].Kind == edrtest.Isolate:
		return "disconnecting"
	case len(open) > 0:
		return "connecting"
	case d.world.Isolated(id):
		return "disconnected"
	}
	return "connected"
}

// uuid is the agent's, which the store of events calls agent.uuid.
func (a agent) uuid() string { return UUID(a.ID) }

// UUID is the uuid of the agent with an id.
func UUID(id string) string {
	sum := md5.Sum([]byte("agent " + id))
	return hex.EncodeToString(sum[:])
}

func (a agent) physical() string {
	sum := md5.Sum([]byte("interface " + a.ID))
	return fmt.Sprintf("02:00:%02x:%02x:%02x:%02x", sum[0], sum[1], sum[2], sum[3])
}

// addresses are those of now.
func (a agent) addresses() []string {
	var ips []string
	for _, have := range a.Addresses {
		if have.To.IsZero() {
			ips = append(ips, have.IP)
		}
	}
	return ips
}

func (a agent) lastUser() string {
	if len(a.Sessions) == 0 {
		return ""
	}
	return slices.MaxFunc(a.Sessions, func(x, y edrtest.Session) int { return x.Since.Compare(y.Since) }).User
}

func (a agent) lastActive() time.Time {
	if a.LastSeen.IsZero() {
		return a.now
	}
	return a.LastSeen
}

func (a agent) osType() string {
	for word, name := range map[string]string{"windows": "windows", "macos": "macos", "linux": "linux", "ubuntu": "linux", "debian": "linux", "red hat": "linux"} {
		if strings.HasPrefix(strings.ToLower(a.OS), word) {
			return name
		}
	}
	return "windows"
}

// machineType tells a server from a desktop; that a server is a domain controller
// only its place in the directory tells.
func (a agent) machineType() string {
	if a.Role == "server" || a.Role == "domain_controller" {
		return "server"
	}
	return "desktop"
}

func (a agent) distinguishedName() any {
	if a.Domain == "" {
		return nil
	}
	ou := "CN=Computers"
	if a.Role == "domain_controller" {
		ou = "OU=Domain Controllers"
	}
	return "CN=" + a.Name + "," + ou + ",DC=" + strings.ReplaceAll(a.Domain, ".", ",DC=")
}

func (a agent) group() string {
	if len(a.Groups) == 0 {
		return "Default Group"
	}
	return a.Groups[0]
}

func (a agent) groupID() string {
	sum := md5.Sum([]byte("group " + a.group()))
	return fmt.Sprintf("4%017d", (uint64(sum[0])<<16|uint64(sum[1])<<8|uint64(sum[2]))+1)
}

// stamp is a time as the console writes it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// flagOf is a boolean of the agent, which older consoles wrote as a word.
func flagOf(o Options, b bool) any {
	if !o.Older {
		return b
	}
	if b {
		return "True"
	}
	return "False"
}

// document is the agent as the console lists it.
func (d *Double) document(o Options, a agent) map[string]any {
	var inet, inet6 []string
	for _, ip := range a.addresses() {
		if strings.Contains(ip, ":") {
			inet6 = append(inet6, ip)
		} else {
			inet = append(inet, ip)
		}
	}
	document := map[string]any{
		"accountId": AccountID, "accountName": "acct", "siteId": SiteID, "siteName": "Default site",
		"groupId": a.groupID(), "groupName": a.group(), "groupIp": "203.0.113.x",
		"activeDirectory": map[string]any{
			"computerDistinguishedName": a.distinguishedName(), "computerMemberOf": listOf[string](o, nil),
			"lastUserDistinguishedName": nil, "lastUserMemberOf": listOf[string](o, nil),
		},
		"activeThreats": 0, "infected": false, "agentVersion": "25.1.3.334", "allowRemoteShell": false,
		"computerName": a.Name, "domain": a.Domain, "externalIp": externalIP, "externalId": a.external,
		"firewallEnabled": flagOf(o, true), "isUpToDate": flagOf(o, true),
		"id": a.ID, "uuid": a.uuid(),
		"isActive": !a.Offline, "isDecommissioned": a.decommissioned, "isPendingUninstall": false, "isUninstalled": false,
		"lastActiveDate": stamp(a.lastActive()), "lastIpToMgmt": ipOrNull(a.IP()), "lastLoggedInUserName": a.lastUser(),
		"locations": nil, "machineType": a.machineType(),
		"networkInterfaces": []any{map[string]any{
			"gatewayIp": nil, "gatewayMacAddress": nil, "id": a.ID + "1", "name": "Ethernet",
			"inet": listOf(o, inet), "inet6": listOf(o, inet6), "physical": a.physical(),
		}},
		"networkQuarantineEnabled": false, "networkStatus": a.status, "operationalState": "na",
		"osName": a.OS, "osType": a.osType(), "osArch": "64 bit",
		"createdAt": stamp(a.now.AddDate(-1, 0, 0)), "registeredAt": stamp(a.now.AddDate(-1, 0, 0)), "updatedAt": stamp(a.now),
		"tags": map[string]any{"sentinelone": d.assigned(o, a)},
	}
	if a.Proxy != "" {
		// Not documented: the shape; the parameters by which a list can be sorted have
		// these names.
		document["proxyStates"] = map[string]any{"console": true, "consoleProxyAddress": a.Proxy}
	}
	return document
}

func ipOrNull(ip string) any {
	if ip == "" {
		return nil
	}
	return ip
}

func (d *Double) agents(o Options, r *http.Request) (any, *failure) {
	p, f := pagingOf(r.URL.Query(), "id", "computerName", "lastActiveDate", "createdAt", "updatedAt", "uuid", "networkStatus", "domain", "machineType")
	if f != nil {
		return nil, f
	}
	matched, f := d.matching(o, r)
	if f != nil {
		return nil, f
	}
	items := make([]item, 0, len(matched))
	for _, a := range matched {
		items = append(items, item{a.ID, d.document(o, a)})
	}
	return list(o, p, items)
}

func (d *Double) countAgents(o Options, r *http.Request) (any, *failure) {
	matched, f := d.matching(o, r)
	if f != nil {
		return nil, f
	}
	return map[string]any{"data": map[string]any{"total": len(matched)}}, nil
}

// matching are the agents that the parameters of a request match.
func (d *Double) matching(o Options, r *http.Request) ([]agent, *failure) {
	by, f := filterOf(r.URL.Query())
	if f != nil {
		return nil, f
	}
	return slices.DeleteFunc(d.fleet(o), func(a agent) bool { return !by.match(a) }), nil
}
