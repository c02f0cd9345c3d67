package config

import (
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/all"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func TestWhichExitASensorWatchesIsSaidAtTheFlowStore(t *testing.T) {
	const file = "integrations: { flows: { kind: sqlite, path: flows.db, exits: %s }, inventory: { kind: file, path: a.yaml } }\n"
	for exits, want := range map[string]string{
		"{ fw1: direct, 'eni-*': cloud, squid1: proxy, 'vpn[12]': vpn, mpls: site }": "",
		"{ fw1: internet }": `"internet" is no exit: want one of [direct proxy vpn cloud site]`,
		"{ 'fw[': direct }": `invalid pattern "fw["`,
	} {
		_, err := Parse("f.yaml", []byte(strings.Replace(file, "%s", exits, 1)), all.Catalog())
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "f.yaml:1:")) {
			t.Errorf("%s: %v, want %q", exits, err, want)
		}
	}
	_, err := Parse("f.yaml", []byte("integrations: { flows: { kind: sqlite, path: flows.db }, inventory: { kind: file, path: a.yaml, exits: { fw1: direct } } }\n"), all.Catalog())
	if err == nil || !strings.Contains(err.Error(), "inventory is no flow store") {
		t.Errorf("exits of an inventory: %v", err)
	}
}

func TestTheLongestPatternSaysTheExit(t *testing.T) {
	exits := Exits{"*": incident.ExitDirect, "eni-*": incident.ExitCloud, "eni-vpn": incident.ExitVPN}
	for sensor, want := range map[string]incident.Exit{"fw1": incident.ExitDirect, "eni-1": incident.ExitCloud, "eni-vpn": incident.ExitVPN} {
		if got := exits.Of(sensor); got != want {
			t.Errorf("%s watches %q, want %q", sensor, got, want)
		}
	}
	if got := (Exits{"eni-*": incident.ExitCloud}).Of("fw1"); got != "" {
		t.Errorf("fw1 watches %q, and nobody said so", got)
	}
}
