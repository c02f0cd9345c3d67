// Package shadowserver reads the reports of the Shadowserver Foundation, CSV or JSON, about
// what it saw of a network from outside.
package shadowserver

import (
	"fmt"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Vendor is what this folder registers.
func Vendor() integrations.Vendor { return integrations.Vendor{Sources: []alerts.Spec{Alerts()}} }

// Alerts describes the rows of reports.
func Alerts() alerts.Spec {
	return alerts.Spec{
		Kind:       "shadowserver",
		Summary:    "rows of Shadowserver's reports, CSV as it is downloaded or JSON",
		Doc:        doc(),
		Identity:   "`event_id`, else the row",
		Occurrence: "`timestamp`",
		Example:    example,
		Varies:     []string{`"severity"`, `"event_id": "{n}", "severity"`, "198.51.100.7", "{ip}"},
		Fields:     fields(),
		Split:      splitAlerts, Join: alerts.JoinStream, Read: readAlert,
	}
}

const example = `{
  "timestamp": "2026-03-01 03:12:45", "protocol": "udp", "src_ip": "198.51.100.7", "src_port": "53", "dst_ip": "203.0.113.7", "dst_port": "41234",
  "infection": "ddos-participant", "application": "dns", "severity": "high"
}
`

// report is what the rows of a report mean, which their column infection names.
type report struct{ infection, name, means string }

// participant is the infection of the one report that says that our host attacks.
const participant = "ddos-participant"

// reports are those about attacks, after the pages of Shadowserver about each.
func reports() []report {
	return []report{
		{participant, "event4_ddos_participant", "src_ip takes part in an attack, as the attacker or as a reflector"},
		{"ddos-amplification", "event4_honeypot_ddos_amp", "src_ip is the victim of an attack"},
		{"ddos", "event4_honeypot_ddos, event4_honeypot_ddos_target", "src_ip commands an attack, and dst_ip is its victim"},
		{"ip-spoofer", "event4_ip_spoofer", "src_ip is in a network that lets forged addresses out"},
	}
}

func doc() string {
	var b strings.Builder
	b.WriteString("A report as CSV, or its rows as JSON objects with the names of the columns. Whose address is in `src_ip` depends on the\n" +
		"report, and the report's name is not in it: the column `infection` decides. A row with another one, or with none, starts nothing.\n\n" +
		"| `infection` | report | |\n|---|---|---|\n")
	for _, r := range reports() {
		does := "starts nothing"
		if r.infection == participant {
			does = "fires, with the category high_egress"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s: %s |\n", r.infection, r.name, r.means, does)
	}
	b.WriteString("\nThe address is the one that the network shows outside, often that of a NAT, and may be forged: it names the host in doubt.\n" +
		"Times are UTC. There is no count of what was sent.")
	return b.String()
}

// readAlert reads one row. Only a report that is known to be about a host of ours that attacks
// fires.
func readAlert(r *alerts.Reader, d alerts.Document) incident.Alert {
	f := fields()
	if problem, ok := d.Fields[unreadable].(string); ok {
		r.Fail("", "%s", problem)
		return incident.Alert{}
	}
	at := r.Instant(f.Of("time")...)
	if !at.IsKnown() && at.Why() == "" {
		r.Fail("timestamp", "is missing: this is no row of a report")
	}
	if t, ok := at.Get(); ok {
		at = incident.Known(t, incident.FromAlert) // Without a zone it is UTC, as documented.
	}
	id, _ := r.Identity(f.Of("id")...).Get()
	a := incident.Alert{
		ID:       id,
		Status:   incident.Firing,
		Rule:     r.Text(f.Of("rule")...),
		Severity: r.Text(f.Of("severity")...),
		Time:     at,
		BytesOut: incident.NotKnown[int64]("Shadowserver does not say how much was sent"),
	}
	infection, _ := a.Rule.Get()
	infection = strings.ToLower(infection)
	if infection != participant {
		r.Silence(incident.NotAlerting, "%s", meaning(infection))
		return a
	}
	a.Category = incident.Categories().Of(incident.Known("high_egress", incident.FromAlert))
	ips, why := r.Addresses(f.Of("host.ip")...)
	a.Host = alerts.Named(nil, ips, why)
	if a.Host.Named() {
		a.Host.Doubts = append(a.Host.Doubts, fmt.Sprintf("%s is what the network shows outside: it may be a NAT's address, or forged", strings.Join(ips, " ")))
	}
	a.Destination = incident.AlertDestination{
		IP:        r.Address(f.Of("destination.ip")...),
		Port:      r.Port(f.Of("destination.port")...),
		Transport: r.Transport(f.Of("destination.transport")...),
	}
	return a
}

// meaning says why a row does not say that our host attacks.
func meaning(infection string) string {
	for _, r := range reports() {
		if r.infection == infection {
			return fmt.Sprintf("the report is %s: %s", r.name, r.means)
		}
	}
	if infection == "" {
		return "the row has no infection, so the report is not about an attack"
	}
	return fmt.Sprintf("the infection %s is not of a report that says that our host attacks", alerts.Quote(infection))
}
