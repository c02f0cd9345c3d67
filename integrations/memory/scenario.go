package memory

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Scenario is the course of events in the default estate.
type Scenario string

// The scenarios. In each, the attack or transfer began ten minutes before the
// estate's start and goes on until it is stopped.
const (
	// Flood is ws-042 driving a reflection attack: a script makes PowerShell
	// ask 48 open resolvers, with 40 Mbit/s.
	Flood Scenario = "flood"
	// Quiet is an ordinary day.
	Quiet Scenario = "quiet"
	// Reflecting is the domain controller srv-dc-01, whose DNS service answers
	// spoofed queries of 64 peers with 60 Mbit/s.
	Reflecting Scenario = "reflector"
	// Backup is srv-backup-01 sending 200 Mbit/s to its cloud by a signed,
	// known agent: large, and benign.
	Backup Scenario = "backup"
)

// Scenarios lists all scenarios.
func Scenarios() []Scenario { return []Scenario{Flood, Quiet, Reflecting, Backup} }

// began is when attacks began and history is how far ordinary traffic reaches
// back, both relative to the estate's start.
const (
	began   = -10 * time.Minute
	history = -15 * 24 * time.Hour
)

// Populate adds the default estate: two workstations, a domain controller, a
// backup server and a web server of one site, each with fifteen days of
// ordinary traffic behind it, in which the scenario happens.
func (e *Estate) Populate(s Scenario) error { return e.populate(s, nil) }

// populate is Populate with other addresses for some of the hosts, by their id.
func (e *Estate) populate(s Scenario, addresses map[string][]string) error {
	hosts, err := defaultHosts(s)
	if err != nil {
		return err
	}
	for id := range addresses {
		if !slices.ContainsFunc(hosts, func(h Host) bool { return h.ID == id }) {
			return fmt.Errorf("addresses of %q: there is no such host", id)
		}
	}
	for _, h := range hosts {
		if own, ok := addresses[h.ID]; ok {
			h.IPs = own
		}
		if err := e.AddHost(h); err != nil {
			return err
		}
	}
	return nil
}

func defaultHosts(s Scenario) ([]Host, error) {
	workstation, controller, backup := ordinaryWorkstation("ws-042", "10.20.4.42", "anna"), domainController(), backupServer()
	switch s {
	case Flood:
		workstation.Processes = append(workstation.Processes, floodScript())
	case Reflecting:
		dns := &controller.Processes[0]
		dns.Streams = append(dns.Streams, Stream{
			Destinations: peers("203.0.113.", 64), SrcPort: 53, Transport: "udp",
			BitsOut: 60_000_000, BitsIn: 2_000_000, PacketBytes: 1300, From: began,
		})
	case Backup:
		agent := &backup.Processes[0]
		agent.Streams = append(agent.Streams, Stream{
			Destinations: []string{"198.51.100.77"}, DstPort: 443, Transport: "tcp",
			BitsOut: 200_000_000, BitsIn: 1_000_000, PacketBytes: 1400, From: began,
		})
	case Quiet:
	default:
		return nil, fmt.Errorf("invalid scenario %q: must be one of %s", s, list(Scenarios()))
	}
	return []Host{workstation, ordinaryWorkstation("ws-017", "10.20.4.17", "omar"), controller, backup, webServer()}, nil
}

func list(scenarios []Scenario) string {
	names := make([]string, 0, len(scenarios))
	for _, s := range scenarios {
		names = append(names, string(s))
	}
	return strings.Join(names, ", ")
}

// floodScript sends queries with the victim's address to open resolvers, so that
// nothing comes back.
func floodScript() Process {
	return Process{
		Path: `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`, Name: "powershell.exe", PID: 7316,
		CommandLine: `powershell.exe -NoProfile -ExecutionPolicy Bypass -File C:\Users\anna\AppData\Local\Temp\inv.ps1`,
		Script:      `C:\Users\anna\AppData\Local\Temp\inv.ps1`, User: `CORP\anna`, Signed: true,
		Parent:  `C:\Program Files\Microsoft Office\root\Office16\WINWORD.EXE`,
		Parents: `C:\Program Files\Microsoft Office\root\Office16\WINWORD.EXE < C:\Windows\explorer.exe`,
		Started: began, ScriptText: floodText,
		Streams: []Stream{{
			Destinations: peers("198.51.100.", 48), DstPort: 53, Transport: "udp",
			BitsOut: 40_000_000, PacketBytes: 72, From: began,
		}},
	}
}

// floodText names commands that do not exist: it shows what a script says, and does
// nothing anywhere.
const floodText = `while ($true) { $resolvers | Send-SimulatedQuery -Type ANY -AnswerTo $victim }`

func asset(role, owner, criticality string) incident.Asset {
	known := func(s string) incident.Value[string] { return incident.Known(s, incident.FromInventory) }
	return incident.Asset{
		Role: known(role), Owner: known(owner), Criticality: known(criticality), Site: known("berlin"),
		Tags: incident.Known([]string{"simulated"}, incident.FromInventory),
	}
}

// ordinary is the usual traffic.
func ordinary(bitsOut int64, swing int64, dst ...string) Stream {
	return Stream{
		Destinations: dst, DstPort: 443, Transport: "tcp", BitsOut: bitsOut, BitsIn: 6 * bitsOut,
		PacketBytes: 400, From: history, Swing: swing,
	}
}

func ordinaryWorkstation(id, ip, user string) Host {
	return Host{
		ID: id, Name: id + ".corp.example", IPs: []string{ip}, OS: "windows", Role: "workstation",
		ClockSkew: 2 * time.Second, Asset: asset("workstation", user, "tier3"),
		Processes: []Process{{
			Path: `C:\Program Files\Microsoft Office\root\Office16\OUTLOOK.EXE`, Name: "OUTLOOK.EXE", PID: 3120,
			CommandLine: "OUTLOOK.EXE", User: `CORP\` + user, Signed: true, Parent: `C:\Windows\explorer.exe`,
			Streams: []Stream{ordinary(60_000, 70, "203.0.113.10", "203.0.113.11")},
		}},
	}
}

func domainController() Host {
	return Host{
		ID: "srv-dc-01", Name: "srv-dc-01.corp.example", IPs: []string{"10.20.1.5"}, OS: "windows", Role: "domain_controller",
		Asset: asset("domain_controller", "identity", "tier0"),
		Processes: []Process{{
			Path: `C:\Windows\System32\dns.exe`, Name: "dns.exe", PID: 2044, CommandLine: "dns.exe",
			User: `NT AUTHORITY\SYSTEM`, Signed: true, Parent: `C:\Windows\System32\services.exe`,
			Streams: []Stream{{
				Destinations: []string{"203.0.113.53", "203.0.113.54"}, DstPort: 53, Transport: "udp",
				BitsOut: 4_000, BitsIn: 20_000, PacketBytes: 80, From: history, Swing: 60,
			}},
		}},
	}
}

func backupServer() Host {
	return Host{
		ID: "srv-backup-01", Name: "srv-backup-01.corp.example", IPs: []string{"10.20.1.30"}, OS: "windows", Role: "server",
		Asset: asset("backup", "operations", "tier1"),
		Processes: []Process{{
			Path: `C:\Program Files\Veeam\VeeamAgent.exe`, Name: "VeeamAgent.exe", PID: 5220, CommandLine: "VeeamAgent.exe",
			User: `CORP\svc-backup`, Signed: true, Parent: `C:\Windows\System32\services.exe`,
			Streams: []Stream{ordinary(500_000, 90, "198.51.100.77")},
		}},
	}
}

func webServer() Host {
	return Host{
		ID: "srv-web-01", Name: "srv-web-01.corp.example", IPs: []string{"10.20.2.10"}, OS: "linux", Role: "server",
		Asset: asset("server", "web", "tier1"),
		Processes: []Process{{
			Path: "/usr/sbin/nginx", Name: "nginx", PID: 911, CommandLine: "nginx: worker process", User: "www-data", Signed: true,
			Streams: []Stream{ordinary(2_000_000, 50, "203.0.113.80", "203.0.113.81", "203.0.113.82")},
		}},
	}
}

// reference lists the hosts of the default estate, and what happens to them.
func reference() string {
	var b strings.Builder
	b.WriteString("These hosts are in every estate, each with fifteen days of ordinary traffic. Name one in an alert by its name and its address, and it is found:\n\n" +
		"| id | name | addresses | operating system | role | site |\n|---|---|---|---|---|---|\n")
	quiet, err := defaultHosts(Quiet)
	if err != nil {
		return err.Error() // The scenario is one of ours.
	}
	for _, h := range quiet {
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s | %s | %s |\n", h.ID, h.Name, strings.Join(h.IPs, ", "), h.OS, h.Role, h.Asset.Site)
	}
	b.WriteString("\nIn a scenario one of them sends more, from ten minutes before the start until it is stopped:\n\n| scenario | host | process | sends |\n|---|---|---|---|\n")
	for _, s := range Scenarios() {
		hosts, err := defaultHosts(s)
		if err != nil {
			return err.Error()
		}
		for i, h := range hosts {
			for _, p := range h.Processes {
				for _, stream := range p.Streams {
					if stream.From == began {
						fmt.Fprintf(&b, "| `%s` | `%s` | `%s` | %s over %s to %d hosts |\n", s, hosts[i].ID, p.Path, incident.FormatRate(stream.BitsOut), stream.Transport, len(stream.Destinations))
					}
				}
			}
		}
	}
	return b.String()
}
