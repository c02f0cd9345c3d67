package incident_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

func TestInfrastructureIsRecognized(t *testing.T) {
	known := func(s string) incident.Value[string] { return incident.Known(s, incident.FromEDR) }
	at := func(ips ...string) incident.Value[[]string] { return incident.Known(ips, incident.FromEDR) }
	is := incident.Infrastructure{
		Networks: []netip.Prefix{netip.MustParsePrefix("10.1.0.5/32"), netip.MustParsePrefix("10.2.0.0/24"), netip.MustParsePrefix("2001:db8::/64")},
		Names:    []string{"Proxy", "vpn.corp.example", "0123abcd"},
		Own:      []string{"stanch-1", "192.0.2.7"},
	}
	target, err := incident.DeviceTarget("0123ABCD", "")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		facts  incident.Facts
		target *incident.Target
		by     string // empty: it is none
	}{
		"an address":                {facts: incident.Facts{Endpoint: incident.Endpoint{IP: at("10.9.9.9", "10.1.0.5")}}, by: "(10.1.0.5)"},
		"the next address":          {facts: incident.Facts{Endpoint: incident.Endpoint{IP: at("10.1.0.6", "10.1.0.4")}}},
		"in a network":              {facts: incident.Facts{Endpoint: incident.Endpoint{IP: at("10.2.0.255")}}, by: "(10.2.0.0/24)"},
		"beside a network":          {facts: incident.Facts{Endpoint: incident.Endpoint{IP: at("10.2.1.0")}}},
		"IPv6 with a zone":          {facts: incident.Facts{Endpoint: incident.Endpoint{IP: at("2001:db8::9%eth0")}}, by: "(2001:db8::/64)"},
		"IPv4 as IPv6":              {facts: incident.Facts{Endpoint: incident.Endpoint{IP: at("::ffff:10.1.0.5")}}, by: "(10.1.0.5)"},
		"the alert's address":       {facts: incident.Facts{Alert: incident.Alert{Host: incident.AlertHost{IP: at("10.1.0.5")}}}, by: "(10.1.0.5)"},
		"a name that is an address": {facts: incident.Facts{Alert: incident.Alert{Host: incident.AlertHost{Name: known("10.1.0.5")}}}, by: "(10.1.0.5)"},
		"a name with a domain":      {facts: incident.Facts{Endpoint: incident.Endpoint{Name: known("proxy.corp.example")}}, by: "(Proxy)"},
		"a name without one":        {facts: incident.Facts{Endpoint: incident.Endpoint{Name: known("VPN")}}, by: "(vpn.corp.example)"},
		"another domain":            {facts: incident.Facts{Endpoint: incident.Endpoint{Name: known("vpn.other.example")}}},
		"a part of a name":          {facts: incident.Facts{Endpoint: incident.Endpoint{Name: known("proxy-2")}}},
		"an id":                     {target: &target, by: "(0123abcd)"},
		"our name":                  {facts: incident.Facts{Endpoint: incident.Endpoint{Name: known("stanch-1.corp.example")}}, by: "Stanch runs on"},
		"our address":               {facts: incident.Facts{Endpoint: incident.Endpoint{IP: at("192.0.2.7")}}, by: "Stanch runs on"},
		"nothing known":             {},
		"empty names":               {facts: incident.Facts{Endpoint: incident.Endpoint{ID: known(""), Name: known(" ."), IP: at("")}}},
	} {
		got := is.Holds(c.facts, c.target)
		if (got != "") != (c.by != "") || !strings.Contains(got, c.by) {
			t.Errorf("%s: it is %q, want one by %q", name, got, c.by)
		}
	}
	if got := (incident.Infrastructure{}).Holds(incident.Facts{Endpoint: incident.Endpoint{ID: known("x"), Name: known("x"), IP: at("10.1.0.5")}}, &target); got != "" {
		t.Errorf("without a list it is %q", got)
	}
}
