package secops

import (
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// undirected reports whether an event does not say which way its connection went.
func undirected(event map[string]any) bool {
	r := &alerts.Reader{Fields: event}
	return len(r.Texts("network.direction")) == 0
}

// fromAbroad reports whether the principal is not known to be ours, and the target is.
func fromAbroad(r *alerts.Reader) bool {
	f := fields()
	from, _ := r.Addresses(f.Of("host.ip")...)
	to, _ := r.Addresses(f.Of("destination.ip")...)
	return r.ComesIn(from, to)
}

// answered reports whether the connection of the only event came in and the target, which is
// ours, sent more than it received: so does a reflector.
func answered(r *alerts.Reader, events []map[string]any) bool {
	f := fields()
	in, heard := r.Size(f.Of("bytes_out, of an event")...).Get()
	out, told := r.Size(f.Of("bytes_out, of the target")...).Get()
	return len(events) == 1 && heard && told && out > in
}

// targetSends makes the target of the connection the host of the alert, in doubt.
func targetSends(r *alerts.Reader, a *incident.Alert) {
	f := fields()
	os := a.Host.OS
	if os.IsKnown() {
		os = incident.Value[string]{}
	}
	a.Host = r.Host(nil, f.Of("name of the target"), f.Of("destination.ip"))
	a.Host.OS = os
	a.Host.Doubts = append(a.Host.Doubts, "the connection came in to the target, which sent more than it received: it may be a reflector")
	a.Process = incident.AlertProcess{}
	a.Destination.IP, a.Destination.Port = r.Address(f.Of("host.ip")...), incident.Value[int64]{}
	if said := r.Size(f.Of("bytes_out")...); !said.IsKnown() {
		a.BytesOut = r.Size(f.Of("bytes_out, of the target")...)
	}
}
