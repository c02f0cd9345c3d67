package defenderfake

import (
	"encoding/json"
	"maps"
	"net/netip"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// base is the last part of a path.
func base(path string) string { return path[strings.LastIndexAny(path, `\/`)+1:] }

// folder is what FolderPath has of a path.
func (a *archive) folder(path string) string {
	if a.d.o.FolderOnly {
		return strings.TrimSuffix(strings.TrimSuffix(path, base(path)), `\`)
	}
	return path
}

func (a *archive) sha256(p *edrtest.Process) string {
	if a.d.o.NoSHA256 {
		return ""
	}
	return p.SHA256
}

// account divides a user; its SID is known from the sessions.
func account(h edrtest.Host, user string) (domain, name, sid string) {
	domain, name, ok := strings.Cut(user, `\`)
	if !ok {
		domain, name = "", user
	}
	for _, s := range h.Sessions {
		if strings.EqualFold(s.User, name) && (domain == "" || strings.EqualFold(s.Domain, domain)) {
			return s.Domain, name, s.SID
		}
	}
	return domain, name, ""
}

// initiating are the columns about the process that did something.
func (a *archive) initiating(h edrtest.Host, p *edrtest.Process) map[string]any {
	v := map[string]any{}
	if p == nil {
		return v
	}
	domain, name, sid := account(h, p.User)
	maps.Copy(v, map[string]any{
		"InitiatingProcessFileName": base(p.Path), "InitiatingProcessFolderPath": a.folder(p.Path),
		"InitiatingProcessId": p.PID, "InitiatingProcessCommandLine": p.CommandLine,
		"InitiatingProcessCreationTime": p.Start, "InitiatingProcessSHA256": a.sha256(p),
		"InitiatingProcessAccountDomain": domain, "InitiatingProcessAccountName": name,
		"InitiatingProcessAccountSid": sid, "InitiatingProcessSessionId": int64(p.Session),
	})
	if p.Parent != nil {
		v["InitiatingProcessParentFileName"] = base(p.Parent.Path)
		v["InitiatingProcessParentId"] = p.Parent.PID
		v["InitiatingProcessParentCreationTime"] = p.Parent.Start
	}
	return v
}

// addressType is the kind of an address, of the words that the page gives.
func addressType(ip string) string {
	a, err := netip.ParseAddr(ip)
	switch {
	case err != nil:
		return ""
	case a.IsLoopback():
		return "Loopback"
	case a.IsPrivate():
		return "Private"
	case a.IsMulticast(), a.IsLinkLocalUnicast(), a.IsUnspecified():
		return "Reserved"
	case a.String() == "255.255.255.255":
		return "Broadcast"
	case a.Is4In6():
		return "FourToSixMapping"
	}
	return "Public"
}

// connections are the network events of a device. The product tells no bytes.
func (a *archive) connections(h edrtest.Host) []record {
	var out []record
	for _, c := range h.Connections {
		t, action := c.Tuple, "ConnectionSuccess"
		if c.Inbound {
			t, action = t.Reversed(), "InboundConnectionAccepted"
		}
		v := a.initiating(h, c.Process)
		maps.Copy(v, map[string]any{
			"ActionType": action, "LocalIP": t.SrcIP, "LocalPort": int64(t.SrcPort), "RemoteIP": t.DstIP,
			"RemotePort": int64(t.DstPort), "LocalIPType": addressType(t.SrcIP), "RemoteIPType": addressType(t.DstIP),
			// The words are not documented; the product's events have these.
			"Protocol": map[string]string{"tcp": "Tcp", "udp": "Udp", "icmp": "Icmp"}[t.Transport],
		})
		out = append(out, record{c.At, v})
	}
	return out
}

// processes are the creations of processes; that one has ended the product does
// not tell.
func (a *archive) processes(h edrtest.Host) []record {
	var out []record
	for _, p := range h.Processes {
		v := a.initiating(h, p.Parent)
		if p.Parent != nil {
			// The words are not documented.
			v["InitiatingProcessSignatureStatus"] = map[bool]string{true: "Valid", false: "Unsigned"}[p.Parent.Signer != ""]
		}
		domain, name, sid := account(h, p.User)
		maps.Copy(v, map[string]any{
			"ActionType": "ProcessCreated", "FileName": base(p.Path), "FolderPath": a.folder(p.Path), "SHA1": sha1Of(p), "SHA256": a.sha256(p),
			"ProcessId": p.PID, "ProcessCommandLine": p.CommandLine, "ProcessCreationTime": p.Start, "CreatedProcessSessionId": int64(p.Session),
			"AccountDomain": domain, "AccountName": name, "AccountSid": sid,
		})
		out = append(out, record{p.Start, v})
	}
	return out
}

// scripts are two events for each: PowerShellCommand names what was run, and
// ScriptContent has its text.
func (a *archive) scripts(h edrtest.Host) []record {
	key := "ScriptContent"
	if a.d.o.DraftScriptKeys {
		key = "Content"
	}
	var out []record
	for _, p := range h.Processes {
		for _, s := range p.Scripts {
			run := s.Text
			if s.Path != "" {
				run = base(s.Path)
			}
			v := a.initiating(h, p)
			maps.Copy(v, map[string]any{"ActionType": "PowerShellCommand", "AdditionalFields": bag("Command", run)})
			out = append(out, record{s.At, v})
			v = a.initiating(h, p)
			maps.Copy(v, map[string]any{
				"ActionType": "ScriptContent", "AdditionalFields": bag(key, s.Text), "FileName": base(s.Path),
				"FolderPath": a.folder(s.Path),
			})
			out = append(out, record{s.At, v})
		}
	}
	return out
}

func bag(key string, value any) string {
	b, err := json.Marshal(map[string]any{key: value})
	if err != nil {
		return ""
	}
	return string(b)
}

func (a *archive) logons(h edrtest.Host) []record {
	var out []record
	for _, s := range h.Sessions {
		out = append(out, record{s.Since, map[string]any{
			"ActionType": "LogonSuccess", "LogonType": "Interactive", "AccountDomain": s.Domain, "AccountName": s.User,
			"AccountSid": s.SID,
		}})
	}
	return out
}

// reports are the times of a device's reports: every full hour, whenever an address
// changes, and the latest.
func (a *archive) reports(h edrtest.Host, from, to time.Time) []time.Time {
	last := to
	if h.Offline && h.LastSeen.Before(last) {
		last = h.LastSeen
	}
	var out []time.Time
	for t := from.Truncate(time.Hour).Add(time.Hour); t.Before(last); t = t.Add(time.Hour) {
		out = append(out, t)
	}
	for _, address := range h.Addresses {
		if address.From.After(from) && address.From.Before(last) {
			out = append(out, address.From)
		}
	}
	if last.After(from) {
		out = append(out, last)
	}
	return out
}

// states are the reports about a device. Whether it is isolated stands in
// MitigationStatus, whose form is not documented: queries that others published
// read Isolated in it.
func (a *archive) states(h edrtest.Host, from, to time.Time) []record {
	kind := "Workstation"
	if h.Role == "server" || h.Role == "domain_controller" {
		kind = "Server"
	}
	group := ""
	if len(h.Groups) > 0 {
		group = h.Groups[0]
	}
	tags, _ := json.Marshal(h.Tags)
	var out []record
	for _, at := range a.reports(h, from, to) {
		mitigation := ""
		if a.isolated(h.ID, at) {
			mitigation = bag("Isolated", "true")
		}
		out = append(out, record{at, map[string]any{
			"OSPlatform": platform(h), "OSArchitecture": "64-bit", "OnboardingStatus": "Onboarded", "DeviceCategory": "Endpoint",
			"DeviceType": kind, "SensorHealthState": "Active", "MachineGroup": group, "DeviceManualTags": string(tags),
			"LoggedOnUsers": users(h, at), "MitigationStatus": mitigation,
		}})
	}
	return out
}

// isolated reports whether a device was cut off at a time, by the actions that had
// been carried out.
func (a *archive) isolated(id string, at time.Time) bool {
	if !at.Before(a.d.world.Now()) {
		return a.d.world.Isolated(id)
	}
	var last edrtest.Action
	for _, action := range a.d.world.Actions(id) {
		if action.State == edrtest.Done && (action.Kind == edrtest.Isolate || action.Kind == edrtest.Release) &&
			!action.Updated.After(at) && !action.Updated.Before(last.Updated) {
			last = action
		}
	}
	return last.Kind == edrtest.Isolate
}

func users(h edrtest.Host, at time.Time) string {
	list := []map[string]string{}
	for _, s := range h.Sessions {
		if !s.Since.After(at) {
			list = append(list, map[string]string{"UserName": s.User, "DomainName": s.Domain, "Sid": s.SID})
		}
	}
	b, err := json.Marshal(list)
	if err != nil {
		return ""
	}
	return string(b)
}

// adapters are the reports about a device's network adapter.
func (a *archive) adapters(h edrtest.Host, from, to time.Time) []record {
	var out []record
	for _, at := range a.reports(h, from, to) {
		addresses := []map[string]any{}
		for _, ip := range h.IPsAt(at) {
			addresses = append(addresses, map[string]any{"IPAddress": ip, "AddressType": addressType(ip)})
		}
		b, err := json.Marshal(addresses)
		if err != nil {
			continue
		}
		out = append(out, record{at, map[string]any{
			"NetworkAdapterName": "Ethernet", "NetworkAdapterType": "Ethernet", "NetworkAdapterStatus": "Up", "IPAddresses": string(b),
		}})
	}
	return out
}
