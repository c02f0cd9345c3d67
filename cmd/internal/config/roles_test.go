package config

import (
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/all"
)

func TestRolesOfTheSite(t *testing.T) {
	c, err := Parse("stanch.yaml", []byte("roles:\n  kiosk: [terminal, Info Point]\n  domain_controller: [logon server]\n  plc_line: []\ntraffic: { limits: { Info-Point: { requester_peers: 5000 } } }\n"), all.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{"Terminal": "kiosk", "INFO-POINT": "kiosk", "Logon Server": "domain_controller", "plc line": "plc_line", "dc": "domain_controller"} {
		if got, _ := c.AssetRoles.Word(text); got != want {
			t.Errorf("%q is the role %q, want %q", text, got, want)
		}
	}
	if got := c.Traffic.ByRole.For("kiosk").RequesterPeers; got != 5000 {
		t.Errorf("a kiosk may ask %d peers: its limits are by an alias", got)
	}
	for name, c := range map[string]struct{ text, want string }{
		"an alias as a role":  {"roles: { dc: [] }", "f.yaml:1:14: the name of a role means domain_controller already"},
		"an alias of another": {"roles: { kiosk: [x, Work-Station] }", "means workstation already"},
		"a filler":            {"roles: { kiosk: [n/a] }", "says that there is no value"},
		"an invalid name":     {"roles: { 'Info Point': [] }", "must be of a-z, 0-9 and _"},
		"no list":             {"roles: { kiosk: terminal }", "must be a list"},
		"no mapping":          {"roles: [kiosk]", "must be a mapping"},
		"a misspelt key":      {"role: { kiosk: [] }", "did you mean 'roles'?"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("f.yaml", []byte(c.text+"\n"), all.Catalog())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("it says\n%v\nnot %q", err, c.want)
			}
		})
	}
}
