package wazuh

import (
	"slices"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// readWindows reads an event of Windows, which is of the computer that it names. Sysmon and the
// log of Windows' firewall tell of the computer's own connections alone: it is the end that
// Initiated or the direction says.
func readWindows(r *alerts.Reader, a *incident.Alert) {
	f := alertFields()
	a.Process = incident.AlertProcess{
		PID: r.PID(f.Of("process.pid")...), CommandLine: r.Written(f.Of("process.command_line")...), User: r.Written(f.Of("process.user")...),
	}
	a.Process.Name, a.Process.Path = alerts.ImageOf(r.Written(f.Of("process.path")...))
	defer func() { a.Host.OS = incident.Known("windows", incident.Computed) }()
	a.Destination.Transport = r.Transport(f.Of("destination.transport")...)
	direction := r.Text(f.Of("direction of Windows")...)
	if alerts.Inbound(direction, incident.Value[string]{}) {
		a.Host = computer(r, nil)
		// Documents and systems do not agree on which end the source is then.
		why := "the connection came in, and Windows does not say which end is the computer"
		a.Destination.IP, a.Destination.Port = incident.NotKnown[string](why), incident.NotKnown[int64](why)
		r.Silence(incident.NotAlerting, "the connection came in to the host")
		return
	}
	near, far, nearPort, farPort := "source of Windows", "destination of Windows", "source port of Windows", "destination port of Windows"
	comesIn := alerts.Inbound(incident.Value[string]{}, r.Text(f.Of("initiated")...)) || !direction.IsKnown() && toAgent(r)
	if comesIn {
		near, far, farPort = far, near, nearPort
	}
	ends, _ := r.Addresses(f.Of(near)...)
	a.Host = computer(r, ends)
	own, _ := a.Host.IP.Get()
	switch all := merged(own, ends); {
	case len(a.Host.Doubts) > 0 || len(all) == 0:
	case a.Host.Name.IsKnown():
		a.Host.IP = incident.Known(all, incident.FromAlert)
	default:
		a.Host = alerts.Named(nil, all, "")
	}
	if comesIn {
		a.Host.Doubts = append(a.Host.Doubts, "the connection came in to the host: which end sends is not known")
	}
	a.Destination.IP, a.Destination.Port = r.Address(f.Of(far)...), r.Port(f.Of(farPort)...)
}

// toAgent reports whether a connection of which the event does not say who began it is to an
// address of the agent, whose computer the event is of.
func toAgent(r *alerts.Reader) bool {
	f := alertFields()
	agent := reporter(r)
	name, _ := agent.Name.Get()
	own, _ := agent.IP.Get()
	of := r.Names(f.Of("computer")...)
	if r.Text(f.Of("initiated")...).IsKnown() || len(of) > 0 && !slices.ContainsFunc(of, func(c string) bool { return incident.SameName(c, name) }) {
		return false
	}
	from, _ := r.Addresses(f.Of("source of Windows")...)
	to, _ := r.Addresses(f.Of("destination of Windows")...)
	isOwn := func(ip string) bool { return slices.Contains(own, ip) }
	return slices.ContainsFunc(to, isOwn) && !slices.ContainsFunc(from, isOwn)
}

// computer is the machine of an event of Windows with these addresses: the agent, unless the
// event names another one, and none of the addresses is the agent's.
func computer(r *alerts.Reader, ends []string) incident.AlertHost {
	agent := reporter(r)
	name, _ := agent.Name.Get()
	own, _ := agent.IP.Get()
	of := r.Names(alertFields().Of("computer")...)
	if len(of) > 1 {
		return alerts.Named(of, nil, "")
	}
	if len(of) == 0 || incident.SameName(of[0], name) || slices.ContainsFunc(ends, func(ip string) bool { return slices.Contains(own, ip) }) {
		return agent
	}
	return alerts.Named(of, nil, "the agent forwards events of others")
}

// merged are the addresses of both lists, each once.
func merged(a, b []string) []string {
	all := slices.Clone(a)
	for _, ip := range b {
		if !slices.Contains(all, ip) {
			all = append(all, ip)
		}
	}
	return all
}
