// Package fastnetmon reads what FastNetMon says of attacks, as its webhook or a script that it
// calls sends it.
package fastnetmon

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Vendor is what this folder registers.
func Vendor() integrations.Vendor { return integrations.Vendor{Sources: []alerts.Spec{Alerts()}} }

// Alerts describes what FastNetMon says of an attack.
func Alerts() alerts.Spec {
	return alerts.Spec{
		Kind:    "fastnetmon",
		Summary: "attacks that FastNetMon sees, as its webhook sends them or a script that it calls",
		Doc: "What FastNetMon Advanced posts, or what either edition tells a script that it calls: the script's arguments, and what the\n" +
			"script reads as `details`, text or JSON. The address is that of the attacker where the direction is outgoing. Where it is\n" +
			"incoming, our host is the victim; that, another direction, none, or two that disagree start nothing. `unban` says\n" +
			"that the attack is over. All figures are rates, so the volume is unknown. An attack on or by a group of hosts names no host.",
		Identity:   "`attack_uuid`, else the address and the direction",
		Occurrence: "`time`, when the script was called, of the community edition, without which the same content is another attack after ten minutes; Advanced gives each attack its own `attack_uuid` and repeats it every 20 seconds",
		Example:    example,
		Varies:     []string{"2026-03-01T03:12:45Z", "177{n}", "ws-042", "{host}", "10.20.0.42", "{ip}"},
		Fields:     fields(),
		Split:      alerts.Stream, Join: alerts.JoinStream, Read: readAlert,
		Updated: []string{"time"},
	}
}

const example = `{
  "address": "10.20.0.42", "direction": "outgoing", "packets_per_second": "37753", "action": "ban",
  "time": "2026-03-01T03:12:45Z", "name": "ws-042.corp.example",
  "details": "IP: 10.20.0.42\nAttack type: udp_flood\nAttack direction: outgoing\nAttack protocol: udp\nTotal outgoing traffic: 502 mbps\n"
}
`

// outgoing and incoming are FastNetMon's words for whether our host attacks or is attacked.
const outgoing, incoming = "outgoing", "incoming"

// readAlert reads what is said of one attack. Only the direction tells whether our host is the
// attacker. An unknown word for what happened fires, so that no alert is lost.
func readAlert(r *alerts.Reader, _ alerts.Document) incident.Alert {
	f := fields()
	r.Fields = withDetails(r)
	addresses, why := readAddresses(r)
	if why == "" && len(addresses) == 0 && r.Lookup("attack_details") == nil {
		r.Fail("", "is no attack of FastNetMon: it has neither an address nor attack_details")
	}
	direction := readDirection(r)
	a := incident.Alert{
		Status:      incident.Firing,
		Rule:        r.Text(f.Of("rule")...),
		Severity:    r.Text(f.Of("severity")...),
		Time:        r.Instant(f.Of("time")...),
		BytesOut:    readRate(r),
		Host:        readHost(r, addresses, why),
		Destination: incident.AlertDestination{Transport: r.Transport(f.Of("destination.transport")...)},
	}
	if direction == outgoing {
		a.Category = incident.Categories().Of(incident.Known("high_egress", incident.FromAlert))
	}
	if uuid, ok := r.Identity(f.Of("id")...).Get(); ok {
		// The script is called anew for the same attack: that is when it said so.
		a.ID, a.Time = uuid, incident.NotKnown[time.Time]("FastNetMon does not say when the attack began")
	} else if len(addresses) > 0 {
		a.ID = strings.TrimSpace(addresses[0] + " " + direction)
	}
	happened, _ := r.Text(f.Of("status")...).Get()
	if slices.Contains([]string{"unban", "partial_unblock"}, strings.ToLower(happened)) {
		a.Status = incident.Resolved
	}
	return a
}

// readAddresses reads the address of the attack. What is said about a group of hosts or a network
// has that of no host, and addresses that differ are several hosts.
func readAddresses(r *alerts.Reader) (addresses []string, why string) {
	if scope, ok := r.Text(fields().Of("scope")...).Get(); ok && !strings.EqualFold(scope, "host") {
		return nil, ""
	}
	for _, path := range fields().Of("host.ip") {
		found, reason := r.Addresses(path)
		why = cmp.Or(why, reason)
		for _, ip := range found {
			if !slices.Contains(addresses, ip) {
				addresses = append(addresses, ip)
			}
		}
	}
	if len(addresses) > 0 {
		why = ""
	}
	return addresses, why
}

// readHost is the machine with the address, in doubt where that is another's, or none. What a
// name service has for it names it only beside a single address.
func readHost(r *alerts.Reader, addresses []string, why string) incident.AlertHost {
	if len(addresses) > 1 {
		return alerts.Named(nil, addresses, "")
	}
	h := alerts.Named(r.Names(fields().Of("host.name")...), addresses, why)
	if why != "" && h.Named() {
		h.Doubts = append(h.Doubts, "the address is not that of a host: "+why)
	}
	if len(addresses) == 1 {
		if ours, known := r.Ours(addresses[0]).Get(); known && !ours {
			h.Doubts = append(h.Doubts, fmt.Sprintf("%s is not in home_networks: it may be forged", addresses[0]))
		}
	}
	return h
}

// readDirection reads whether our host is the attacker, and has what is said of another one
// start nothing.
func readDirection(r *alerts.Reader) string {
	var said []string
	for _, path := range fields().Of("direction") {
		word, _ := r.Text(path).Get()
		if word = strings.ToLower(word); (word == outgoing || word == incoming) && !slices.Contains(said, word) {
			said = append(said, word)
		}
	}
	switch {
	case len(said) > 1:
		r.Silence(incident.NotAlerting, "it says both that the attack is outgoing and that it is incoming")
	case len(said) == 0:
		r.Silence(incident.NotAlerting, "it does not say whether our host attacks or is attacked")
	case said[0] == incoming:
		r.Silence(incident.NotAlerting, "the attack is incoming: our host is its target")
	default:
		return outgoing
	}
	return ""
}

// readRate says why it is not known how much was sent.
func readRate(r *alerts.Reader) incident.Value[int64] {
	const why = "FastNetMon gives rates, not how many bytes were sent"
	if rate, ok := r.Text(fields().Of("rate")...).Get(); ok {
		return incident.NotKnown[int64](fmt.Sprintf("%s: %s of outgoing traffic", why, alerts.Quote(rate)))
	}
	return incident.NotKnown[int64](why)
}

// withDetails are the fields of what was posted with those of the details that the script read:
// JSON of Advanced, or the lines of text at the beginning of the community edition's.
func withDetails(r *alerts.Reader) map[string]any {
	all := map[string]any{}
	switch details := r.Lookup("details").(type) {
	case map[string]any:
		maps.Copy(all, details)
	case string:
		if inner, bad := alerts.Decode("details", []byte(details)); bad == nil {
			maps.Copy(all, inner) // JSON that the script passed on as text.
		} else {
			maps.Copy(all, firstLines(details))
		}
	}
	maps.Copy(all, r.Fields)
	return all
}

// firstLines are the fields of the community edition's text, up to its list of packets.
func firstLines(details string) map[string]any {
	all := map[string]any{}
	for line := range strings.Lines(strings.TrimSpace(details)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok {
			break
		}
		all[name] = value
	}
	return all
}
