package nftables

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Config is the configuration of a gateway in stanch.yaml.
type Config struct {
	Networks  []string `yaml:"networks,required" doc:"The networks of the hosts whose traffic this gateway forwards, such as [10.1.0.0/16, 2001:db8:1::/48]. A host elsewhere is none of its own."`
	Link      int64    `yaml:"link" unit:"rate" doc:"The speed of the gateway's uplink. A limit at or above it limits nothing, and is refused. Empty: it is not known."`
	MaxLimits int      `yaml:"max_limits" doc:"How many limits and blocks may stand at a time, whoever made them."`
	NetNS     string   `yaml:"netns" doc:"The path of the network namespace that forwards, such as /run/netns/router. Empty: the one that Stanch runs in."`
	Remote    `yaml:",inline"`
}

const (
	defaultMaxLimits = 1000
	mostLimits       = 10_000
)

func (c *Config) networks() ([]netip.Prefix, error) {
	if len(c.Networks) == 0 {
		return nil, fmt.Errorf("networks is empty: no host would be behind the gateway")
	}
	var all []netip.Prefix
	for _, text := range c.Networks {
		p, err := netip.ParsePrefix(text)
		if err != nil || p.Addr().Is4In6() {
			return nil, fmt.Errorf("invalid network %q: must be as 10.1.0.0/16", text)
		}
		if p.Masked() != p {
			return nil, fmt.Errorf("invalid network %q: it has bits of a host; did you mean %s?", text, p.Masked())
		}
		all = append(all, p)
	}
	return all, nil
}

// Vendor is what this folder registers.
func Vendor() integrations.Vendor {
	return integrations.Vendor{Integrations: []integrations.Spec{Spec()}}
}

// Spec describes the kind for stanch.yaml.
func Spec() integrations.Spec {
	return integrations.Spec{
		Kind:       "nftables",
		Summary:    "A Linux gateway that forwards the hosts' traffic: limits and blocks by nftables, in a table of its own, which end by themselves when Stanch is gone.",
		Implements: (*Gateway)(nil),
		Actions:    []incident.Action{incident.RateLimit, incident.Block},
		ByAddress:  true,
		Permissions: []integrations.Permission{
			{Name: "CAP_NET_ADMIN in the network namespace that forwards", Why: "rules are read and changed by netlink; no program is run"},
			{Name: "CAP_SYS_ADMIN, with netns alone", Why: "another network namespace is entered to open the socket"},
			{Name: "an SSH key that may run stanch gateway-helper, with ssh alone", Why: "the helper at the gateway reads and changes the rules, as root; this side needs no right then"},
		},
		Example:   "gateway: { kind: nftables, networks: [10.1.0.0/16], link: 1Gbit }",
		NewConfig: func() any { return &Config{MaxLimits: defaultMaxLimits} },
		Open:      integrations.OpenWith(open),
	}
}

// Check implements [integrations.Checker].
func (c *Config) Check() error {
	_, err := c.networks()
	switch {
	case err != nil:
		return err
	case c.Link < 0:
		return fmt.Errorf("invalid link of %d bits a second", c.Link)
	case c.MaxLimits < 1 || c.MaxLimits > mostLimits:
		return fmt.Errorf("max_limits is %d: must be between 1 and %d", c.MaxLimits, mostLimits)
	case c.isRemote() && c.NetNS != "":
		return errors.New("netns is of this machine: a gateway's helper works in the network namespace in which it is started")
	}
	return c.Remote.check()
}

func open(_ context.Context, c *Config) (any, error) {
	if err := c.Check(); err != nil {
		return nil, fmt.Errorf("open nftables: %w", err)
	}
	networks, err := c.networks()
	if err != nil {
		return nil, fmt.Errorf("open nftables: %w", err)
	}
	t, err := c.openTable()
	if err != nil {
		return nil, fmt.Errorf("open nftables: %w", err)
	}
	return &Gateway{table: t, networks: networks, link: c.Link, now: time.Now}, nil
}
