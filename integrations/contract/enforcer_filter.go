package contract

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// on is the order for another device.
func (w EnforcerWorld) on(o incident.Order, device incident.Target) incident.Order {
	o.Target = device
	switch {
	case w.Addresses == nil:
	case device == w.Target || device == w.Other:
		o.Addresses = w.Addresses(device)
	default:
		o.Addresses = []string{w.Strange}
	}
	return o
}

// badAddresses are what no product may take for the addresses of one device.
func badAddresses() map[string][]string {
	return map[string][]string{
		"no address":            nil,
		"a network":             {"192.0.2.0/24"},
		"a network of one":      {"192.0.2.1/32"},
		"every address":         {"0.0.0.0"},
		"every IPv6 address":    {"::"},
		"loopback":              {"127.0.0.1"},
		"a group":               {"224.0.0.1"},
		"a broadcast":           {"255.255.255.255"},
		"a link's own":          {"fe80::1"},
		"an address in a zone":  {"fe80::1%eth0"},
		"a name":                {"ws-042"},
		"an empty text":         {""},
		"two in one":            {"192.0.2.1,192.0.2.2"},
		"a line break":          {"192.0.2.1\n"},
		"one good and one bad":  {"192.0.2.1", "0.0.0.0/0"},
		"IPv4 written in IPv6":  {"::ffff:0:0"},
		"a range":               {"192.0.2.1-192.0.2.9"},
		"a number with a blank": {"192.0.2.1 "},
	}
}

// ofBadPrograms are orders that no product of programs may take; none for others.
func (w EnforcerWorld) ofBadPrograms() map[string]incident.Order {
	bad := map[string]incident.Order{}
	for name, program := range badPrograms() {
		if o := w.order(w.Actions[0], "stanch-key-1"); w.Program != "" {
			o.Program = program
			bad[name] = o
		}
	}
	return bad
}

// badPrograms are what no product may take for the one program of an order.
func badPrograms() map[string]string {
	return map[string]string{
		"no program":                  "",
		"a program without its path":  "sender.exe",
		"a program of a share":        `\\files\tools\sender.exe`,
		"a program of a device":       `\Device\HarddiskVolume3\Tools\sender.exe`,
		"a program by a variable":     `%ProgramFiles%\Tools\sender.exe`,
		"programs by a wildcard":      `C:\Tools\*.exe`,
		"a program by a way up":       `C:\Tools\..\sender.exe`,
		"a program and a quote":       `C:\Tools\a" -Bps 1 "\sender.exe`,
		"a program and another line":  "C:\\Tools\\sender.exe\nwhoami.exe",
		"a folder":                    `C:\Tools\`,
		"a library":                   `C:\Tools\sender.dll`,
		"a program of many services":  `C:\Windows\System32\svchost.exe`,
		"what guards the credentials": `C:\Windows\System32\lsass.exe`,
	}
}

// checkApart contains two parts of a device's traffic, and all of it where that is a
// limit.
func checkApart(t testing.TB, h EnforcerHarness) {
	w := h.Open(t)
	for _, action := range w.Actions {
		if action != incident.RateLimit && action != incident.Block {
			continue // It is of the whole device.
		}
		w := trial{h.Knobs, h.Open(t), action}
		all := []incident.Order{w.order(action, "stanch-key-1"), w.order(action, "stanch-key-2"), w.order(action, "stanch-key-3")}
		all[0].Filter, all[1].Filter = w.filter("192.0.2.53"), w.filter("192.0.2.54")
		all[2].Filter = &incident.Filter{Direction: incident.Outbound, RemotePort: 53, Transport: "udp"}
		if w.Blocks != nil {
			all[2].Filter = w.filter("192.0.2.55")
		}
		if action == incident.RateLimit {
			all = append(all, w.order(action, "stanch-key-4"))
		}
		for i, o := range all {
			w.reads(t, o, false)
			w.apply(t, o)
			for j, other := range all {
				w.reads(t, other, j <= i)
			}
		}
		for i, o := range all {
			w.undo(t, o)
			for j, other := range all {
				w.reads(t, other, j > i)
			}
		}
		w.effects(t, "after each was applied and undone", 2*len(all))
	}
}

// checkLowerRate asks for less with the key that holds a limit. A product that does not
// tighten in place must say what holds.
func checkLowerRate(t testing.TB, h EnforcerHarness) {
	w := trial{h.Knobs, h.Open(t), incident.RateLimit}
	if !slices.Contains(w.Actions, incident.RateLimit) {
		return // There is no rate.
	}
	o := w.order(incident.RateLimit, "stanch-key-1")
	w.apply(t, o)
	lower := o
	lower.Rate /= 2
	w.apply(t, lower)
	got := w.reads(t, lower, true)
	if got.Rate != lower.Rate && got.Rate != o.Rate || got.Key != o.Key {
		t.Errorf("read rate_limit: %d with key %q, want %d or %d with %q", got.Rate, got.Key, o.Rate, lower.Rate, o.Key)
	}
	held := got.Rate
	w.apply(t, o)
	if got := w.reads(t, o, true); got.Rate != held {
		t.Errorf("read rate_limit: a higher rate loosened the limit from %d to %d", held, got.Rate)
	}
	w.undo(t, lower)
	w.reads(t, lower, false)
}

// checkPlan plans what can be applied and what cannot.
func checkPlan(t testing.TB, w trial) {
	planner, ok := w.Enforcer.(integrations.Planner)
	if !ok {
		return // It cannot tell beforehand.
	}
	before := w.Standing()
	o := w.order(w.action, "")
	w.fine(t, "plan "+string(w.action), planner.Plan(t.Context(), o))
	refused := func(what string, o incident.Order, kind integrations.Kind) {
		t.Helper()
		err := planner.Plan(t.Context(), o)
		w.want(t, what, err, kind)
		if e, ok := errors.AsType[*integrations.Error](err); ok && e.Words == "" {
			t.Errorf("%s: %v has no words for people, who read why another product is chosen", what, err)
		}
	}
	refused("plan on an unknown device", w.on(o, w.unknownDevice(t)), integrations.NotFound)
	o.Target = incident.Target{}
	refused("plan on a zero target", o, integrations.Invalid)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := planner.Plan(ctx, w.order(w.action, "")); err == nil {
		t.Errorf("plan %s: no error, though its context was cancelled", w.action)
	}
	w.effects(t, "after plans", 0)
	if after := w.Standing(); after != before {
		t.Errorf("plan %s: it changed the product from\n%s\nto\n%s", w.action, before, after)
	}
}
