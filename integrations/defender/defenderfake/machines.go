package defenderfake

import (
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// dnsName is the name by which Defender knows a device.
func dnsName(h edrtest.Host) string {
	name := strings.ToLower(h.Name)
	if h.Domain != "" && !strings.Contains(name, ".") {
		name += "." + strings.ToLower(h.Domain)
	}
	return name
}

// platform is the system without its edition: WindowsServer2022, Windows11.
func platform(h edrtest.Host) string {
	fields := strings.Fields(h.OS)
	n := 2
	if len(fields) > 1 && fields[1] == "Server" {
		n = 3
	}
	return strings.Join(fields[:min(n, len(fields))], "")
}

// machineProperties are those that List machines can be filtered by.
func machineProperties() []property {
	return []property{
		{name: "computerDnsName"},
		{name: "id"},
		{name: "version"},
		{name: "aadDeviceId"},
		{name: "machineTags", isSet: true},
		{name: "lastSeen"},
		{name: "onboardingStatus"},
		{name: "lastIpAddress"},
		{name: "osPlatform"},
		{name: "rbacGroupId"},
		{name: "deviceValue", words: []string{"Normal", "Low", "High"}},
		{name: "exposureLevel", words: []string{"None", "Low", "Medium", "High"}},
		{name: "riskScore", words: []string{"None", "Informational", "Low", "Medium", "High"}},
		{name: "healthStatus", words: []string{
			"Active", "Inactive", "ImpairedCommunication", "NoSensorData", "NoSensorDataImpairedCommunication", "Unknown",
		}},
	}
}

// inactiveAfter is how long a device is not heard of until it is Inactive. Nothing
// else tells that one is offline.
const inactiveAfter = 7 * 24 * time.Hour

func (d *Double) managed(h edrtest.Host) bool { return !slices.Contains(d.o.Unmanaged, h.ID) }

func (d *Double) machine(h edrtest.Host) map[string]any {
	now := d.world.Now()
	seen := h.LastSeen
	if seen.IsZero() {
		seen = now
	}
	health := "Active"
	if now.Sub(seen) > inactiveAfter {
		health = "Inactive"
	}
	onboarding := "Onboarded"
	if !d.managed(h) {
		onboarding, health = "CanBeOnboarded", "Unknown"
	}
	type address struct {
		IP     string  `json:"ipAddress"`
		MAC    *string `json:"macAddress"`
		Status string  `json:"operationalStatus"`
	}
	var addresses []address
	first := seen
	for _, a := range h.Addresses {
		if a.To.IsZero() {
			addresses = append(addresses, address{a.IP, nil, "Up"})
		}
		if !a.From.IsZero() && a.From.Before(first) {
			first = a.From
		}
	}
	var group any
	if len(h.Groups) > 0 {
		group = h.Groups[0]
	}
	return d.entity(map[string]any{
		"id": h.ID, "computerDnsName": dnsName(h), "firstSeen": stamp(first), "lastSeen": stamp(seen),
		"osPlatform": platform(h), "version": nil, "osProcessor": "x64", "osArchitecture": "64-bit", "osBuild": nil,
		"lastIpAddress": nullable(h.IP()), "lastExternalIpAddress": nil, "healthStatus": health,
		"onboardingStatus": onboarding, "rbacGroupName": group, "rbacGroupId": 0, "riskScore": "None", "exposureLevel": "Low",
		"deviceValue": "Normal", "aadDeviceId": nil, "machineTags": list(d, h.Tags), "ipAddresses": list(d, addresses),
	})
}

func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// find returns a device by its id or name; of several with one name, that which
// was seen last.
func (d *Double) find(r *http.Request) (edrtest.Host, *refusal) {
	id := r.PathValue("id")
	if h, ok := d.world.Host(id); ok {
		return h, nil
	}
	var found []edrtest.Host
	for _, h := range d.world.Hosts() {
		if dnsName(h) == id {
			found = append(found, h)
		}
	}
	if len(found) == 0 {
		return edrtest.Host{}, refuse(http.StatusNotFound, "ResourceNotFound", "Machine %s was not found", id)
	}
	return slices.MaxFunc(found, func(a, b edrtest.Host) int { return a.LastSeen.Compare(b.LastSeen) }), nil
}

func (d *Double) listMachines(w http.ResponseWriter, r *http.Request) *refusal {
	c := collection{entity: "Machines", properties: machineProperties()}
	may := worth(r)
	for _, h := range d.world.Hosts() {
		if may(h.Name) {
			c.items = append(c.items, d.machine(h))
		}
	}
	return d.machines(w, r, c)
}

func (d *Double) machines(w http.ResponseWriter, r *http.Request, c collection) *refusal {
	if len(c.items) == 0 && d.o.EmptyIsNotFound {
		return refuse(http.StatusNotFound, "ResourceNotFound", "No machines were found")
	}
	return d.page(w, r, c)
}

func (d *Double) getMachine(w http.ResponseWriter, r *http.Request) *refusal {
	if strings.HasPrefix(r.PathValue("id"), "findbyip(") {
		return d.findByIP(w, r)
	}
	h, refused := d.find(r)
	if refused != nil {
		return refused
	}
	m := d.machine(h)
	m["@odata.context"] = context("Machine")
	writeJSON(w, http.StatusOK, m)
	return nil
}

var findByIP = regexp.MustCompile(`^findbyip\(ip='([^']*)',\s*timestamp=([^)]*)\)$`)

// findByIP lists the devices that had an address up to 15 minutes before or after
// a time of the last 30 days.
func (d *Double) findByIP(w http.ResponseWriter, r *http.Request) *refusal {
	m := findByIP.FindStringSubmatch(r.PathValue("id"))
	if m == nil {
		return refuse(http.StatusBadRequest, "BadRequest", "findbyip takes ip and timestamp.")
	}
	if _, err := netip.ParseAddr(m[1]); err != nil {
		return refuse(http.StatusBadRequest, "InvalidIpAddress", "IP address %s is invalid.", m[1])
	}
	at, err := time.Parse(time.RFC3339Nano, m[2])
	now := d.world.Now()
	if err != nil || at.After(now) || now.Sub(at) > 30*24*time.Hour {
		return refuse(http.StatusBadRequest, "InvalidInput", "Invalid input timestamp: it must be in the past 30 days.")
	}
	const around = 15 * time.Minute
	c := collection{entity: "Machines", properties: machineProperties()}
	for _, h := range d.world.Hosts() {
		if slices.ContainsFunc(h.Addresses, func(a edrtest.Address) bool {
			return a.IP == m[1] && !a.From.After(at.Add(around)) && (a.To.IsZero() || a.To.After(at.Add(-around)))
		}) {
			c.items = append(c.items, d.machine(h))
		}
	}
	return d.machines(w, r, c)
}

// changeTag adds a tag to a device or removes it.
func (d *Double) changeTag(w http.ResponseWriter, r *http.Request) *refusal {
	h, refused := d.find(r)
	if refused != nil {
		return refused
	}
	body, refused := decode(r, "Value", "Action")
	if refused != nil {
		return refused
	}
	tag, refused := required(body, "Value")
	if refused != nil {
		return refused
	}
	action, refused := required(body, "Action")
	if refused != nil {
		return refused
	}
	if action != "Add" && action != "Remove" {
		return refuse(http.StatusBadRequest, "InvalidInput", "Invalid input Action: %s.", action)
	}
	d.world.Change(h.ID, func(h *edrtest.Host) {
		h.Tags = slices.DeleteFunc(slices.Clone(h.Tags), func(t string) bool { return t == tag })
		if action == "Add" {
			h.Tags = append(h.Tags, tag)
		}
	})
	h, _ = d.world.Host(h.ID)
	m := d.machine(h)
	m["@odata.context"] = context("Machines/$entity")
	writeJSON(w, http.StatusOK, m)
	return nil
}

func (d *Double) logonUsers(w http.ResponseWriter, r *http.Request) *refusal {
	h, refused := d.find(r)
	if refused != nil {
		return refused
	}
	var users []map[string]any
	for _, s := range h.Sessions {
		users = append(users, map[string]any{
			"id": strings.ToLower(s.Domain + `\` + s.User), "accountName": s.User, "accountDomain": s.Domain,
			"accountSid": nullable(s.SID), "firstSeen": stamp(s.Since), "lastSeen": stamp(d.world.Now()),
			"logonTypes": "Interactive", "isDomainAdmin": false, "isOnlyNetworkUser": false,
		})
	}
	writeJSON(w, http.StatusOK, map[string]any{"@odata.context": context("Users"), "value": list(d, users)})
	return nil
}
