package incident_test

import (
	"testing"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// What a filter covers needs no filter of its own; what it covers in part does.
func TestAFilterCoversWhatItMatches(t *testing.T) {
	t.Parallel()
	flow := incident.Filter{Direction: incident.Outbound, RemoteIP: "192.0.2.1", RemotePort: 53, Transport: "udp"}
	with := func(edit func(*incident.Filter)) *incident.Filter {
		f := flow
		edit(&f)
		return &f
	}
	wider := []*incident.Filter{
		nil, &flow,
		{Direction: incident.Outbound, RemoteIP: "192.0.2.1"},
		{Direction: incident.Outbound, RemotePort: 53, Transport: "udp"},
		{Direction: incident.Outbound, Transport: "udp"},
	}
	for _, f := range wider {
		if !f.Covers(&flow) {
			t.Errorf("%v does not cover %v", f, flow)
		}
		if f != nil && f != &flow && flow.Covers(f) {
			t.Errorf("%v covers %v", flow, f)
		}
	}
	for _, f := range []*incident.Filter{
		with(func(f *incident.Filter) { f.RemoteIP = "192.0.2.2" }), with(func(f *incident.Filter) { f.RemotePort = 54 }),
		with(func(f *incident.Filter) { f.Transport = "tcp" }), with(func(f *incident.Filter) { f.Direction = incident.Inbound }),
		with(func(f *incident.Filter) { f.LocalPort = 1000 }),
	} {
		if f.Covers(&flow) {
			t.Errorf("%v covers %v", f, flow)
		}
	}
	if flow.Covers(nil) {
		t.Errorf("%v covers everything", flow)
	}
}
