package secops

import (
	"fmt"
	"slices"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// readHost reads the machine that the events have as their principal. Of several it is
// none.
func readHost(r *alerts.Reader, events []map[string]any) incident.AlertHost {
	f := fields()
	host := r.Host(nil, f.Of("host.name"), f.Of("host.ip"))
	if others := strangers(events); len(others) > 0 {
		return alerts.Named(append(r.Names(f.Of("host.name")...), others...), nil, "")
	}
	return host
}

// strangers are the addresses of principals that are another machine than those with a name
// or, where none has one, the first address of each of several machines.
func strangers(events []map[string]any) []string {
	var named []string
	anyName := false
	var nameless [][]string
	for _, event := range events {
		principal, _ := event["principal"].(map[string]any)
		r := &alerts.Reader{Fields: principal}
		ips, _ := r.Addresses("ip")
		if len(r.Names("hostname")) > 0 {
			named, anyName = append(named, ips...), true
		} else if len(ips) > 0 && !slices.ContainsFunc(nameless, func(other []string) bool { return slices.Equal(other, ips) }) {
			nameless = append(nameless, ips)
		}
	}
	var found []string
	for _, ips := range nameless {
		known := slices.ContainsFunc(ips, func(ip string) bool { return slices.Contains(named, ip) })
		if !known && !slices.Contains(found, ips[0]) {
			found = append(found, ips[0])
		}
	}
	if !anyName && len(found) < 2 {
		return nil
	}
	return found
}

// readProcess reads the process of the events, if there is only one. Of several none is
// read: the name of one must not stand beside the id of another.
func readProcess(r *alerts.Reader, events []map[string]any) incident.AlertProcess {
	f := fields()
	p := incident.AlertProcess{
		Path:        r.Written(f.Of("process.path")...),
		PID:         r.PID(f.Of("process.pid")...),
		CommandLine: r.Written(f.Of("process.command_line")...),
		User:        r.Written(f.Of("process.user")...),
	}
	different := map[string]bool{}
	for _, event := range events {
		if process, ok := alerts.Lookup(event, "principal.process").(map[string]any); ok && len(process) > 0 {
			different[alerts.Digest([]any{process["pid"], alerts.Lookup(process, "file.fullPath")})] = true
		}
	}
	if len(different) > 1 {
		p = incident.AlertProcess{User: p.User}
		incident.Explain(&p, fmt.Sprintf("the alert names %d processes", len(different)))
		return p
	}
	p.Name, p.Path = alerts.ImageOf(p.Path)
	return p
}
