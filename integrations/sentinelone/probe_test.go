package sentinelone

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/sentinelone/sentinelonefake"
)

func TestProbe(t *testing.T) {
	d := judged(t)
	every := func() []string {
		var names []string
		for _, p := range permissions() {
			names = append(names, p.Name)
		}
		return names
	}
	for name, c := range map[string]struct {
		o    sentinelonefake.Options
		now  time.Duration
		want string
		ok   bool
		warn bool
	}{
		"all is well":       {want: "the token is good until", ok: true},
		"the documented":    {o: sentinelonefake.Options{Permissions: every()}, want: "has events of the device", ok: true},
		"no agents":         {o: sentinelonefake.Options{Permissions: []string{}}, want: "may lack Endpoints.view"},
		"no data lake":      {o: sentinelonefake.Options{Permissions: []string{"Endpoints.view"}}, want: "may lack Skylight Query API.view"},
		"no scripts":        {o: sentinelonefake.Options{Permissions: []string{"Endpoints.view"}}, want: "may lack Remote Script Orchestration.view"},
		"the token ends":    {o: sentinelonefake.Options{Expires: time.Now().Add(48 * time.Hour)}, want: "the token is good until", ok: true, warn: true},
		"the clock is off":  {now: 3 * time.Minute, want: "the clock differs", ok: true, warn: true},
		"the clock is far":  {now: -6 * time.Minute, want: "the clock differs"},
		"what is not known": {want: "cannot be told without doing so", ok: true, warn: true},
	} {
		t.Run(name, func(t *testing.T) {
			x := d.open(t, c.o)
			x.add(sender())
			x.now = func() time.Time { return time.Now().Add(c.now) }
			found := x.Probe(t.Context())
			if !slices.ContainsFunc(found, func(f integrations.Finding) bool {
				return strings.Contains(f.What, c.want) && f.OK == c.ok && f.Warning == c.warn && (f.Fix != "") == (!c.ok || c.warn)
			}) {
				t.Errorf("the findings %+v lack %q, ok %t, warning %t", found, c.want, c.ok, c.warn)
			}
			if x.world.Effects("") != 0 || len(x.world.Actions("")) != 0 {
				t.Error("the probe changed something")
			}
			if text, _ := json.Marshal(found); strings.Contains(string(text), secret) {
				t.Error("the findings have the token")
			}
		})
	}
}
