package elastic

import (
	"slices"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/elastic/defendfake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// excepting orders an isolation of ws-042 that must leave some addresses open.
func excepting(t *testing.T, x *deployment, addresses ...string) error {
	t.Helper()
	_, err := x.Apply(t.Context(), incident.Order{
		Key: "k", Action: incident.Isolate, Target: x.target(t, "ws-042"), Reason: "case 1", Except: addresses,
	})
	return err
}

// A device is isolated only where Kibana's exceptions hold for it that its order names.
func TestIsolationIsComparedWithKibanasExceptions(t *testing.T) {
	d := judged(t)
	const applied = "d5371dcd" // the policy of the double's devices
	for name, c := range map[string]struct {
		has     func(*defendfake.Double)
		except  []string
		missing string
	}{
		"nothing to except":   {func(*defendfake.Double) {}, nil, ""},
		"no list yet":         {func(*defendfake.Double) {}, []string{"192.0.2.10"}, "192.0.2.10"},
		"the address":         {func(d *defendfake.Double) { d.Except("", "192.0.2.10") }, []string{"192.0.2.10"}, ""},
		"the device's policy": {func(d *defendfake.Double) { d.Except(applied, "192.0.2.10") }, []string{"192.0.2.10"}, ""},
		"another policy":      {func(d *defendfake.Double) { d.Except("ffffffff", "192.0.2.10") }, []string{"192.0.2.10"}, "192.0.2.10"},
		"a network around it": {func(d *defendfake.Double) { d.Except("", "192.0.2.0/24") }, []string{"192.0.2.10", "192.0.2.128/25"}, ""},
		"a part of a network": {func(d *defendfake.Double) { d.Except("", "192.0.2.0/25") }, []string{"192.0.2.0/24"}, "192.0.2.0/24"},
		"one of two":          {func(d *defendfake.Double) { d.Except("", "192.0.2.10") }, []string{"192.0.2.10", "192.0.2.11"}, "192.0.2.11"},
		"no IPv6":             {func(d *defendfake.Double) { d.Except("", "192.0.2.10") }, []string{"2001:db8::1"}, "2001:db8::1"},
		"two conditions":      {func(d *defendfake.Double) { d.Except("", "192.0.2.10", "192.0.2.11") }, []string{"192.0.2.10"}, "192.0.2.10"},
		"on the second page": {func(d *defendfake.Double) {
			for range fullPage {
				d.Except("", "198.51.100.1")
			}
			d.Except("", "192.0.2.10")
		}, []string{"192.0.2.10"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			x := d.open(t, defendfake.Options{})
			x.add(edrtest.Host{ID: agentOf("ws-042"), Name: "ws-042"})
			c.has(x.double)
			err := excepting(t, x, c.except...)
			x.world.Settle()
			done := x.world.Effects("")
			switch {
			case c.missing == "" && (err != nil || done != 1):
				t.Errorf("isolate: %v, %d effects; want one", err, done)
			case c.missing != "" && (integrations.KindOf(err) != integrations.Invalid || !strings.Contains(err.Error(), "lack "+c.missing+":") || done != 0):
				t.Errorf("isolate: %v, %d effects; want it refused for %s alone, and nothing written", err, done, c.missing)
			}
		})
	}
}

// Where the exceptions cannot be read, nothing is isolated.
func TestUnreadableExceptionsAreNone(t *testing.T) {
	admin := defendfake.Administrator()
	admin.Privileges = slices.DeleteFunc(admin.Privileges, func(p string) bool { return p == defendfake.ReadExceptions })
	x := judged(t).open(t, defendfake.Options{Credentials: []defendfake.Credential{admin}})
	x.add(edrtest.Host{ID: agentOf("ws-042"), Name: "ws-042"})
	x.double.Except("", "192.0.2.10")
	if err := excepting(t, x, "192.0.2.10"); integrations.KindOf(err) != integrations.Denied {
		t.Errorf("isolate without the privilege: %v, want denied", err)
	}
	if _, err := x.Unexcepted(t.Context(), []string{"192.0.2.10"}); integrations.KindOf(err) != integrations.Denied {
		t.Errorf("read exceptions without the privilege: %v, want denied", err)
	}
	x.world.Settle()
	if n := x.world.Effects(""); n != 0 {
		t.Errorf("%d effects, though what stays open is not known", n)
	}
}

func TestWhatNoPolicyExceptsIsFoundBefore(t *testing.T) {
	x := judged(t).open(t, defendfake.Options{})
	x.double.Except("ffffffff", "192.0.2.10")
	got, err := x.Unexcepted(t.Context(), []string{"192.0.2.10", "192.0.2.11"})
	if err != nil || !slices.Equal(got, []string{"192.0.2.11"}) {
		t.Errorf("not excepted: %v, %v; want 192.0.2.11", got, err)
	}
}
