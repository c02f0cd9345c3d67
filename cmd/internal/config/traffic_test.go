package config

import (
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/all"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

func limitsOf(t *testing.T, text string) traffic.LimitsByRole {
	t.Helper()
	c, err := Parse("stanch.yaml", []byte(text), all.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	return c.Traffic.ByRole
}

// What a role leaves out is the default's, and what the default leaves out is
// what is shipped.
func TestLimitsAreByAssetRole(t *testing.T) {
	limits := limitsOf(t, `
traffic:
  limits:
    scanner: { requester_peers: 5000, transfer_bytes: 2GiB }
    default: { requester_peers: 30, flood_bits: 100Mbit, reflector_gain: 7 }
    domain-controller: { amplification_ports: [123/udp, 389/udp] }
`)
	shipped := traffic.DefaultRoleLimits()
	workstation := limits.For("workstation")
	if workstation.RequesterPeers != 30 || workstation.FloodBits != 100e6 || workstation.ReflectorGain != 7 || workstation.RequesterRate != shipped.RequesterRate {
		t.Errorf("a workstation has %+v", workstation)
	}
	if got := limits.For(""); got.RequesterPeers != 30 {
		t.Errorf("a host of unknown role has %+v, want the default", got)
	}
	scanner := limits.For("Scanner")
	if scanner.RequesterPeers != 5000 || scanner.TransferBytes != 2<<30 || scanner.FloodBits != 100e6 {
		t.Errorf("a scanner has %+v", scanner)
	}
	dc := limits.For("domain_controller")
	if len(dc.Ports) != 2 || dc.Ports[1] != (traffic.ServicePort{Port: 389, Transport: "udp"}) || dc.RequesterPeers != 30 || dc.RequesterRate != 1200 {
		t.Errorf("a domain controller has %+v, want its own ports, the default peers and the shipped rate", dc)
	}
	if dns := limits.For("dns"); dns.RequesterRate != 1200 || dns.RequesterPeers != 30 || dns.ReflectorRate != shipped.ReflectorRate {
		t.Errorf("a name server has %+v, want the shipped rate and the default peers", dns)
	}
	if got := limitsOf(t, "listen: 127.0.0.1:0\n").For("workstation"); got.RequesterPeers != shipped.RequesterPeers {
		t.Errorf("without a word in the file a workstation has %+v", got)
	}
}

func TestLimitsThatMakeNoSenseAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"a misspelt limit":       {"traffic: { limits: { default: { flood_packet: 5 } } }", `f.yaml:1:33: unknown key "flood_packet" in the value: did you mean 'flood_packets'?`},
		"a misspelt default":     {"traffic: { limits: { defaults: { flood_packets: 5 } } }", `f.yaml:1:32: unknown key "defaults" in limits: did you mean 'default'?`},
		"no mapping":             {"traffic: { limits: 5 }", "f.yaml:1:20: the value must be a mapping"},
		"a role without mapping": {"traffic: { limits: { dns: 5 } }", "f.yaml:1:27: the value must be a mapping"},
		"out of bounds":          {"traffic: { limits: { dns: { flood_share: 1.5 } } }", "f.yaml:1:42: flood_share is between 0.5 and 1"},
		"not a number":           {"traffic: { limits: { dns: { flood_back: .nan } } }", "f.yaml:1:41: "},
		"none":                   {"traffic: { limits: { default: { requester_peers: 0 } } }", "f.yaml:1:50: requester_peers is between 1 and 1000000"},
		"a size without a unit":  {"traffic: { limits: { default: { transfer_bytes: 5 } } }", `f.yaml:1:49: transfer_bytes: "5" is not a size`},
		"no agent":               {"traffic: { agents: [filter.exe, 'Filter\\agent.exe'] }", `f.yaml:1:33: agent "Filter\\agent.exe" is a part of a path`},
		"no port":                {"traffic: { limits: { default: { amplification_ports: [dns] } } }", `"dns" is not a port such as 53/udp`},
		"one role twice":         {"traffic: { limits: { domain-controller: {}, domain_controller: {} } }", "f.yaml:1:64: the limits of the asset role domain_controller are repeated"},
		"a misspelt block":       {"traffic: { limit: {} }", "did you mean 'limits'?"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("f.yaml", []byte(c.text+"\n"), all.Catalog())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("it says\n%v\nnot %q", err, c.want)
			}
			if err != nil && strings.Count(err.Error(), "f.yaml:") != 1 {
				t.Errorf("one mistake is reported several times:\n%v", err)
			}
		})
	}
}
