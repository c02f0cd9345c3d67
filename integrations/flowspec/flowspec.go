// Package flowspec limits and blocks hosts in a whole network by BGP: a speaker in the
// process announces FlowSpec rules (RFC 8955, RFC 8956), or routes that take a
// destination from the network (RFC 7999), to the site's routers. The routers forget
// them when the session ends, so that a speaker that is lost leaves nothing behind.
package flowspec

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// The kinds of this folder.
const (
	kindRules = "flowspec"
	kindHoles = "rtbh"
)

// Vendor registers both kinds. They share the speaker: a router has one session with it.
func Vendor() integrations.Vendor {
	s := &speaker{}
	return integrations.Vendor{Integrations: []integrations.Spec{rulesSpec(s), holesSpec(s)}}
}

func rulesSpec(s *speaker) integrations.Spec {
	return integrations.Spec{
		Kind:       kindRules,
		Summary:    "Limits and blocks hosts in the whole network: a BGP speaker in Stanch announces FlowSpec rules to the routers.",
		Implements: (*Enforcer)(nil),
		Actions:    []incident.Action{incident.RateLimit, incident.Block},
		ByAddress:  true,
		Role:       integrations.SpeakerRole,
		Example:    "backbone: { kind: flowspec, asn: 64512, router_id: 192.0.2.10, peers: [{ address: 192.0.2.1, asn: 64512 }], networks: [10.0.0.0/8] }",
		NewConfig:  newConfig,
		Open: integrations.OpenWith(func(_ context.Context, c *Config) (any, error) {
			return open(s, kindRules, c.Session, c.Networks, c.MaxRules, words{}, []bgp.Family{bgp.RF_FS_IPv4_UC, bgp.RF_FS_IPv6_UC})
		}),
	}
}

func holesSpec(s *speaker) integrations.Spec {
	return integrations.Spec{
		Kind:       kindHoles,
		Summary:    "Takes a destination from the whole network, so that nobody there reaches it any more (blackhole route by BGP): it ends a flood to one address, for every host.",
		Implements: (*Enforcer)(nil),
		Actions:    []incident.Action{incident.Block},
		ByAddress:  true,
		Role:       integrations.SpeakerRole,
		Example:    "blackhole: { kind: rtbh, asn: 64512, router_id: 192.0.2.10, peers: [{ address: 192.0.2.1, asn: 64512 }], networks: [10.0.0.0/8], next_hop: 192.0.2.254 }",
		NewConfig:  newBlackholeConfig,
		Open: integrations.OpenWith(func(_ context.Context, c *BlackholeConfig) (any, error) {
			h, err := c.holes()
			if err != nil {
				return nil, invalid(kindHoles, err)
			}
			var families []bgp.Family
			for _, hop := range h.nextHops {
				if hop.Is4() {
					families = append(families, bgp.RF_IPv4_UC)
				} else {
					families = append(families, bgp.RF_IPv6_UC)
				}
			}
			return open(s, kindHoles, c.Session, c.Networks, c.MaxRules, h, families)
		}),
	}
}

// holes are the routes as the configuration wants them.
func (c *BlackholeConfig) holes() (holes, error) {
	networks, err := networksOf(c.Networks)
	if err != nil {
		return holes{}, err
	}
	h := holes{networks: networks}
	if h.community, err = communityOf(c.Community); err != nil {
		return holes{}, err
	}
	for _, hop := range []struct {
		text, name string
		four       bool
	}{{c.NextHop, "next_hop", true}, {c.NextHop6, "next_hop_v6", false}} {
		if hop.text == "" {
			continue
		}
		a, err := unicast(hop.text, false)
		if err != nil || a.Is4() != hop.four {
			return holes{}, fmt.Errorf("%s: invalid address %q", hop.name, hop.text)
		}
		h.nextHops = append(h.nextHops, a)
	}
	if len(h.nextHops) == 0 {
		return holes{}, fmt.Errorf("next_hop, next_hop_v6: one is needed")
	}
	return h, nil
}

// open opens an integration. Nothing is connected before [Enforcer.Restore].
func open(s *speaker, kind string, session Session, texts []string, most int, what product, families []bgp.Family) (*Enforcer, error) {
	if err := session.check(texts, most); err != nil {
		return nil, invalid(kind, err)
	}
	networks, err := networksOf(texts)
	if err != nil {
		return nil, invalid(kind, err)
	}
	if err := s.join(kind, session.plain(), families); err != nil {
		return nil, invalid(kind, err)
	}
	return &Enforcer{kind: kind, speaker: s, product: what, networks: networks, most: most, held: map[string]*entry{}}, nil
}

// product is what the two kinds do not share.
type product interface {
	// rules are what to announce for an order; an order that cannot be meant is an error.
	rules(o incident.Order, addresses []netip.Addr) ([]rule, error)
	// slot tells apart what may stand at one rule at the same time.
	slot(o incident.Order) string
	// attributes are those of a rule that lets a rate through, in bits per second.
	attributes(r rule, rate int64) ([]bgp.PathAttributeInterface, error)
	// rate is what a rule of somebody else lets through; false where it is about
	// something else.
	rate(attributes []bgp.PathAttributeInterface) (int64, bool)
}
