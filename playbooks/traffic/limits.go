package traffic

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// RoleLimits are the thresholds of [Classify]. A role is a shape, not a verdict:
// policy decides which hosts may have that shape. The comments name the record that
// a default is based on; testdata/SOURCES.md of the flow store has the origin of the
// records.
type RoleLimits struct {
	// A forwarding dns.exe on a domain controller was seen with 15 name servers
	// outside, 142 queries a minute; a Windows DNS client with a cold cache with
	// 838 queries in seven minutes, at most 14 in a second.
	RequesterPeers   int   `yaml:"requester_peers" doc:"How many external peers a requester asks at least (DestinationDiversity). The busiest benign forwarder of the real records asked 15."`
	RequesterPackets int64 `yaml:"requester_packets" doc:"How many packets a requester sends to amplification ports at least. A DNS client with a cold cache sent 838 in seven minutes."`
	RequesterRate    int64 `yaml:"requester_rate" doc:"The same per second (ThresholdEventVolume). A DNS client was seen at 14 a second, a forwarder at 142 a minute."`
	// A resolver receives more than it sends; answers to a spoofed request go to
	// the victim.
	RequesterBack float64 `yaml:"requester_back" doc:"How many bytes come back to a requester at most per byte that it sends (the inverse of OutboundToInboundRatio). A resolver receives more than it sends."`
	// The largest request of the shipped table is a probe of WS-Discovery; senders
	// of files over such a port send full packets.
	RequesterSize int64 `yaml:"requester_size" unit:"size" doc:"The largest mean packet that is a request. Requests are small, or nothing would be amplified; a file sharer sends 1380 bytes a packet to the same ports."`
	// Reflectors all answer the host whose address was forged. Of servers that are
	// asked for their own answers some always answer the host.
	RequesterAnswered float64 `yaml:"requester_answered" doc:"The largest share of the asked hosts of a port that answer with more than requester_back. A manager of three sites of which two are cut off is still answered by a third."`

	ReflectorPeers   int   `yaml:"reflector_peers" doc:"How many external peers a reflector answers at least (DestinationDiversity)."`
	ReflectorPackets int64 `yaml:"reflector_packets" doc:"How many packets a reflector sends from amplification ports at least."`
	ReflectorRate    int64 `yaml:"reflector_rate" doc:"The same per second (ThresholdEventVolume)."`
	// Ordinary answers of DNS and CLDAP stay below 3.
	ReflectorGain float64 `yaml:"reflector_gain" doc:"How many bytes a reflector sends at least per byte that it receives (OutboundToInboundRatio). Ordinary answers of DNS and CLDAP stay below 3."`

	Ports []ServicePort `yaml:"amplification_ports" as:"list of ports such as 53/udp" doc:"The ports that count for requester and reflector (AmplificationProtocolPorts). None: those of the shipped table with confidence A or B, without those of the web and of tunnels."`

	FloodShare float64 `yaml:"flood_share" doc:"The least share of a flooder's packets that go to its one destination."`
	// A benign speed test sent 27 Mbit/s, about 2,300 packets a second, and was
	// answered; see FloodBack.
	FloodPackets int64 `yaml:"flood_packets" doc:"Packets a second of a flood that is not answered (PacketRateThreshold). MITRE's example is 10000; a benign speed test of 2300 a second is recognised by its answers, so this one is lower."`
	FloodBits    int64 `yaml:"flood_bits" unit:"rate" doc:"Bits a second of a flood that is not answered; either is enough. The speed test had 27 Mbit."`
	// The receiver of a transfer acknowledges, which costs at least 0.3 % of it.
	FloodBack        float64 `yaml:"flood_back" doc:"How many bytes come back to a flooder at most per byte that it sends. Acknowledging a transfer costs at least 0.003."`
	FloodConnections int64   `yaml:"flood_connections" doc:"How many new TCP connections a second that the host opens to one destination are a flood, answered or not (ThresholdEventVolume). As many flows of UDP are a flood only where they go unanswered, at the rate of a flood or in full packets."`
	// Cameras (RTP), file transfers of their own protocol (UDT, FASP) and logs send
	// as fast as a flood over UDP and are hardly answered.
	CollectorPorts []ServicePort `yaml:"collector_ports" as:"list of ports such as 514/udp" doc:"The ports of collectors, which never answer: traffic to them is not a flood by its volume below ten times flood_bits. None: those of SNMP traps, syslog, NetFlow, IPFIX, sFlow, StatsD, GELF and collectd."`

	// The real exfiltration of APT29 was 2,181,167 bytes in half a second.
	TransferBytes int64   `yaml:"transfer_bytes" unit:"size" doc:"How much a transfer sends at least (DataVolumeThresholdMB). MITRE's example is 50 MB in one connection; the real theft of APT29 was 2181167 bytes."`
	TransferPeers int     `yaml:"transfer_peers" doc:"How many destinations a transfer has at most (DestinationDiversity)."`
	TransferShare float64 `yaml:"transfer_share" doc:"The least share of all bytes that those destinations take."`
}

// DefaultRoleLimits returns the thresholds that the shipped policies assume.
func DefaultRoleLimits() RoleLimits {
	return RoleLimits{
		RequesterPeers: 20, RequesterPackets: 1000, RequesterRate: 50, RequesterBack: 0.5,
		RequesterSize: 512, RequesterAnswered: 0.2,
		ReflectorPeers: 20, ReflectorPackets: 1000, ReflectorRate: 50, ReflectorGain: 5,
		FloodShare: 0.8, FloodPackets: 1000, FloodBits: 50e6, FloodBack: 0.002, FloodConnections: 100,
		TransferBytes: 1 << 20, TransferPeers: 3, TransferShare: 0.8,
	}
}

// The queries of a resolver on behalf of its clients: the busiest minute of one
// client in the real records had 278 queries, and a /24 has 254 clients.
const (
	resolverRate    = 1200
	resolverPackets = 60 * resolverRate
)

// ForAssetRole returns the limits with the shipped values for hosts of an asset
// role: a resolver queries for all of its clients, so only more queries than theirs
// make it a requester. No record justifies a number of its own for any other role.
func (l RoleLimits) ForAssetRole(role string) RoleLimits {
	if slices.Contains(ResolverRoles(), incident.AssetRoleKey(role)) {
		l.RequesterRate = max(l.RequesterRate, resolverRate)
		l.RequesterPackets = max(l.RequesterPackets, resolverPackets)
	}
	return l
}

// ResolverRoles are the asset roles of hosts that resolve names for others.
func ResolverRoles() []string { return []string{"dns", "domain_controller", "resolver"} }

// DefaultLimits is the key of [LimitsByRole] for hosts of any other role, and
// for those of unknown role.
const DefaultLimits = "default"

// LimitsByRole are a team's thresholds by asset role. The zero value means the
// shipped ones.
type LimitsByRole map[string]RoleLimits

// For returns the limits for hosts of an asset role; an empty one is unknown.
func (m LimitsByRole) For(role string) RoleLimits {
	key := incident.AssetRoleKey(role)
	if own, ok := m[key]; ok && key != "" {
		return own
	}
	general, ok := m[DefaultLimits]
	if !ok {
		general = DefaultRoleLimits()
	}
	return general.ForAssetRole(key)
}

// LimitProblem is an invalid threshold, by its key.
type LimitProblem struct{ Key, Problem string }

// Check returns the invalid thresholds.
func (l RoleLimits) Check() []LimitProblem {
	const many = 1 << 40
	var found []LimitProblem
	check := func(key string, bad bool, low, high float64) {
		if bad {
			found = append(found, LimitProblem{key, fmt.Sprintf("is between %s and %s", plain(low), plain(high))})
		}
	}
	whole := func(key string, value, low, high int64) {
		check(key, value < low || value > high, float64(low), float64(high))
	}
	part := func(key string, value, low, high float64) {
		check(key, math.IsNaN(value) || value < low || value > high, low, high)
	}
	whole("requester_peers", int64(l.RequesterPeers), 1, 1e6)
	whole("requester_packets", l.RequesterPackets, 1, many)
	whole("requester_rate", l.RequesterRate, 1, 1e9)
	part("requester_back", l.RequesterBack, 0, 10)
	whole("requester_size", l.RequesterSize, 1, 1<<16)
	part("requester_answered", l.RequesterAnswered, 0, 1)
	whole("reflector_peers", int64(l.ReflectorPeers), 1, 1e6)
	whole("reflector_packets", l.ReflectorPackets, 1, many)
	whole("reflector_rate", l.ReflectorRate, 1, 1e9)
	part("reflector_gain", l.ReflectorGain, 1, 1e6)
	part("flood_share", l.FloodShare, 0.5, 1)
	whole("flood_packets", l.FloodPackets, 1, 1e9)
	whole("flood_bits", l.FloodBits, 1000, many)
	part("flood_back", l.FloodBack, 0, 1)
	whole("flood_connections", l.FloodConnections, 1, 1e9)
	whole("transfer_bytes", l.TransferBytes, 1, many)
	whole("transfer_peers", int64(l.TransferPeers), 1, 1000)
	part("transfer_share", l.TransferShare, 0.1, 1)
	return found
}

func plain(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

// amplifies reports whether traffic at a port counts for requester and reflector.
func (l RoleLimits) amplifies(port int, transport string) bool {
	if len(l.Ports) == 0 {
		return Amplifies(port, transport)
	}
	return slices.Contains(l.Ports, ServicePort{port, transport})
}

// ServicePort is a port of a transport, written as 53/udp.
type ServicePort struct {
	Port      int
	Transport string
}

// String returns the port in its usual form.
func (p ServicePort) String() string { return fmt.Sprintf("%d/%s", p.Port, p.Transport) }

// MarshalText implements [encoding.TextMarshaler].
func (p ServicePort) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (p *ServicePort) UnmarshalText(text []byte) error {
	number, transport, _ := strings.Cut(string(text), "/")
	port, err := strconv.ParseUint(number, 10, 16)
	if err != nil || port == 0 || transport != "udp" && transport != "tcp" {
		return fmt.Errorf("%.40q is not a port such as 53/udp", text)
	}
	*p = ServicePort{int(port), transport}
	return nil
}
