package config

import (
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/all"
)

// Values that cannot be meant are told with their place when the file is read.
func TestValuesOfAnIntegrationAreChecked(t *testing.T) {
	const router = "asn: 64512, router_id: 192.0.2.10, networks: [10.0.0.0/8], peers: [{ address: 192.0.2.1, asn: 64512 }]"
	for text, want := range map[string]string{
		"kind: nftables, networks: [10.1.0.5/16]":                                                         `f.yaml:2:6: integration "x": invalid network "10.1.0.5/16": it has bits of a host; did you mean 10.1.0.0/16?`,
		"kind: nftables, networks: [10.1.0.5]":                                                            `f.yaml:2:6: integration "x": invalid network "10.1.0.5"`,
		"kind: nftables, networks: [10.1.0.0/16], max_limits: 0":                                          `f.yaml:2:6: integration "x": max_limits is 0`,
		"kind: nftables, networks: [10.1.0.0/16], ssh: stanch@gw1":                                        `f.yaml:2:6: integration "x": host_key must be set with ssh`,
		"kind: nftables, networks: [10.1.0.0/16], ssh: 'a@b;reboot', host_key: 'SHA256:x', key_file: key": `f.yaml:2:6: integration "x": invalid ssh "a@b;reboot"`,
		"kind: nftables, networks: [10.1.0.0/16], ssh: a@b, host_key: h, key_file: k, netns: n":           `f.yaml:2:6: integration "x": netns is of this machine`,
		"kind: flowspec, " + router + ", max_rules: 0":                                                    `f.yaml:2:6: integration "x": max_rules: invalid number 0`,
		"kind: flowspec, " + router + ", hold_time: 1s":                                                   `f.yaml:2:6: integration "x": hold_time: 1s`,
		"kind: rtbh, " + router:                                                                           `f.yaml:2:6: integration "x": next_hop, next_hop_v6: one is needed`,
		"kind: windows-qos, through: edr, wait: 1h":                                                       `f.yaml:2:6: integration "x": wait is 1h0m0s`,
		"kind: windows-qos, through: edr, script: '../x.ps1'":                                             `f.yaml:2:6: integration "x": invalid name of a script "../x.ps1"`,
	} {
		_, err := Parse("f.yaml", []byte("integrations:\n  x: { "+text+" }\n"+falcon), all.Catalog())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	if _, err := Parse("f.yaml", []byte("integrations:\n  x: { kind: flowspec, "+router+" }\n"), all.Catalog()); err != nil {
		t.Error(err)
	}
}
