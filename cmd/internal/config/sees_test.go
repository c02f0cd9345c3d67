package config

import (
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/all"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func TestWhereSensorsSitIsSaidAtTheFlowStore(t *testing.T) {
	const others = "gateway: { kind: memory }, edr: { kind: memory }, inventory: { kind: file, path: assets.yaml }"
	for sees, want := range map[string]string{
		"":                                   "",
		", sees: { gateway: before }":        "",
		", sees: { gateway: after }":         "",
		", sees: { gateway: behind }":        `"behind" is neither before nor after`,
		", sees: { gatway: before }":         `sees names "gatway", which is no integration that limits or blocks`,
		", sees: { inventory: before }":      `sees names "inventory", which is no integration that limits or blocks`,
		", sees: { gateway: before, x: '' }": `sees names "x"`,
	} {
		text := "integrations: { flows: { kind: sqlite, path: flows.db" + sees + " }, " + others + " }\n"
		c, err := Parse("f.yaml", []byte(text), all.Catalog())
		if want != "" {
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "f.yaml:1:") {
				t.Errorf("with %q: %v, want %q", sees, err, want)
			}
			continue
		}
		if err != nil {
			t.Errorf("with %q: %v", sees, err)
			continue
		}
		place := incident.SensorPlace("")
		for _, p := range []incident.SensorPlace{incident.SensorBefore, incident.SensorAfter} {
			if strings.Contains(sees, string(p)) {
				place = p
			}
		}
		if got := c.Sees()["flows"]["gateway"]; got != place {
			t.Errorf("with %q it sits %q", sees, got)
		}
	}
	_, err := Parse("f.yaml", []byte("integrations: { flows: { kind: sqlite, path: flows.db }, inventory: { kind: file, path: a.yaml, sees: { gateway: before } }, gateway: { kind: memory } }\n"), all.Catalog())
	if err == nil || !strings.Contains(err.Error(), "inventory is no flow store") {
		t.Errorf("sensors of an inventory: %v", err)
	}
}
