package flowspec

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
)

// Session is how the speaker meets its routers. A process has one speaker: its
// integrations of both kinds say the same here, but for the peers.
type Session struct {
	ASN          int           `yaml:"asn,required" doc:"The autonomous system of the speaker. That of the routers makes the sessions internal, which is what rules by source need."`
	RouterID     string        `yaml:"router_id,required" doc:"The speaker's BGP identifier, an IPv4 address that no router has as its own."`
	LocalAddress string        `yaml:"local_address" doc:"The address from which the speaker connects, where the machine has several."`
	Peers        []Peer        `yaml:"peers,required" doc:"The routers that get the rules, or their route reflectors."`
	HoldTime     time.Duration `yaml:"hold_time" doc:"After what silence a router forgets the rules, 3s to 3m: what was announced stands that much longer when the speaker's machine is lost."`
}

// Peer is a router.
type Peer struct {
	Address  string              `yaml:"address,required" doc:"The router's address, never a network."`
	ASN      int                 `yaml:"asn,required" doc:"The router's autonomous system."`
	Port     int                 `yaml:"port" default:"179" doc:"The port at which it listens."`
	Password integrations.Secret `yaml:"password" doc:"The password of the session, by which each segment is signed (TCP MD5)."`
	Multihop int                 `yaml:"multihop" doc:"How many hops away the router of another autonomous system may be; 0 is a neighbour's one."`
}

// Config is the configuration of kind flowspec.
type Config struct {
	Session  `yaml:",inline"`
	Networks []string `yaml:"networks,required" doc:"The networks of the hosts that may be limited. Rules are made for no other address."`
	MaxRules int      `yaml:"max_rules" doc:"How many rules may stand at a time, one for each address of a host. Routers have room for some thousands, and drop sessions that bring more."`
}

// BlackholeConfig is the configuration of kind rtbh.
type BlackholeConfig struct {
	Session   `yaml:",inline"`
	Networks  []string `yaml:"networks,required" doc:"The networks of the own hosts. Nothing is done for others, and no address among these is ever taken from the network."`
	NextHop   string   `yaml:"next_hop" doc:"The IPv4 address that the routers send to nowhere."`
	NextHop6  string   `yaml:"next_hop_v6" doc:"The IPv6 address that the routers send to nowhere. One of the two next hops is needed."`
	Community string   `yaml:"community" doc:"The community by which routers know such a route; that of RFC 7999 where nothing else is said."`
	MaxRules  int      `yaml:"max_rules" doc:"How many addresses may be taken from the network at a time."`
}

const (
	defaultHold  = 30 * time.Second
	minHold      = 3 * time.Second // RFC 4271
	maxHold      = 3 * time.Minute
	defaultRules = 1000
	// blackhole is the community of RFC 7999.
	blackhole = "65535:666"
)

func newConfig() any {
	return &Config{Session: Session{HoldTime: defaultHold}, MaxRules: defaultRules}
}

func newBlackholeConfig() any {
	return &BlackholeConfig{Session: Session{HoldTime: defaultHold}, Community: blackhole, MaxRules: 100}
}

// Check implements [integrations.Checker].
func (c *Config) Check() error { return c.check(c.Networks, c.MaxRules) }

// Check implements [integrations.Checker].
func (c *BlackholeConfig) Check() error {
	if _, err := c.holes(); err != nil {
		return err
	}
	return c.check(c.Networks, c.MaxRules)
}

// check returns what is wrong with the settings of the sessions, and with those that both
// kinds have.
func (s Session) check(networks []string, most int) error {
	if _, err := networksOf(networks); err != nil {
		return err
	}
	if most < 1 {
		return fmt.Errorf("max_rules: invalid number %d", most)
	}
	if id, err := netip.ParseAddr(s.RouterID); err != nil || !id.Is4() || id.IsUnspecified() {
		return fmt.Errorf("router_id: invalid IPv4 address %q", s.RouterID)
	}
	if !system(s.ASN) {
		return fmt.Errorf("asn: invalid number %d", s.ASN)
	}
	if s.HoldTime < minHold || s.HoldTime > maxHold || s.HoldTime%time.Second != 0 {
		return fmt.Errorf("hold_time: %s is not a number of seconds from %s to %s", s.HoldTime, minHold, maxHold)
	}
	if s.LocalAddress != "" {
		if _, err := unicast(s.LocalAddress, true); err != nil {
			return fmt.Errorf("local_address: %w", err)
		}
	}
	if len(s.Peers) == 0 {
		return fmt.Errorf("peers: there is none")
	}
	for i, p := range s.Peers {
		if err := p.check(); err != nil {
			return fmt.Errorf("peers, number %d: %w", i+1, err)
		}
		if slices.ContainsFunc(s.Peers[:i], func(other Peer) bool { return other.Address == p.Address }) {
			return fmt.Errorf("peers: %s is there twice", p.Address)
		}
	}
	return nil
}

// system reports whether a number can be that of an autonomous system: it has four bytes.
func system(number int) bool { return number > 0 && number <= math.MaxUint32 }

func (p Peer) check() error {
	if _, err := unicast(p.Address, true); err != nil {
		return fmt.Errorf("address: %w", err)
	}
	if !system(p.ASN) {
		return fmt.Errorf("asn: invalid number %d", p.ASN)
	}
	if p.Port < 0 || p.Port > 65535 {
		return fmt.Errorf("port: invalid number %d", p.Port)
	}
	if p.Multihop < 0 || p.Multihop > 255 {
		return fmt.Errorf("multihop: invalid number %d", p.Multihop)
	}
	return nil
}

// plain is the session with each address of a router in one spelling.
func (s Session) plain() Session {
	s.Peers = slices.Clone(s.Peers)
	for i, p := range s.Peers {
		if a, err := netip.ParseAddr(p.Address); err == nil {
			s.Peers[i].Address = a.String()
		}
	}
	return s
}

// same reports whether two integrations mean the same speaker.
func (s Session) same(other Session) bool {
	return s.ASN == other.ASN && s.RouterID == other.RouterID && s.LocalAddress == other.LocalAddress && s.HoldTime == other.HoldTime
}

// networksOf parses the networks of hosts.
func networksOf(texts []string) ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for _, text := range texts {
		n, err := netip.ParsePrefix(text)
		if err != nil || n != n.Masked() || n.Bits() == 0 {
			return nil, fmt.Errorf("networks: invalid network %q", text)
		}
		networks = append(networks, n)
	}
	if len(networks) == 0 {
		return nil, fmt.Errorf("networks: there is none")
	}
	return networks, nil
}

// unicast parses an address of one host. Loopback is the address of a router in a
// laboratory, never that of a host.
func unicast(text string, loopback bool) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" || a.Is4In6() || !a.IsGlobalUnicast() && !(loopback && a.IsLoopback()) {
		return netip.Addr{}, fmt.Errorf("invalid address %q: one of a single host is needed", text)
	}
	return a, nil
}

// communityOf parses a community such as 65535:666.
func communityOf(text string) (uint32, error) {
	high, low, found := strings.Cut(text, ":")
	h, err := strconv.ParseUint(high, 10, 16)
	l, lowErr := strconv.ParseUint(low, 10, 16)
	if !found || err != nil || lowErr != nil {
		return 0, fmt.Errorf("community: invalid community %q", text)
	}
	return uint32(h)<<16 | uint32(l), nil
}

// invalid is the error of settings that cannot work.
func invalid(kind string, err error) error {
	return &integrations.Error{Kind: integrations.Invalid, Op: "open " + kind, Err: err}
}
