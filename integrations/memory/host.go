package memory

import (
	"errors"
	"fmt"
	"hash/fnv"
	"net/netip"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Host is a device of the estate, with what runs on it.
type Host struct {
	ID   string
	Name string
	IPs  []string
	OS   string
	// Role is the EDR's role of the host: workstation, server or domain_controller.
	Role string
	// Route is how the agent reaches its cloud: direct, proxy or vpn; empty is direct.
	Route string
	// Offline reports whether the agent does not answer. The host itself goes on sending.
	Offline bool
	// ClockSkew is how far the endpoint's clock is ahead of the flow store's.
	ClockSkew time.Duration
	// Asset is the host's entry in the inventory. The zero Asset is not in the inventory.
	Asset     incident.Asset
	Processes []Process
}

// Process runs on a host, and sends.
type Process struct {
	Path        string
	Name        string
	PID         int64
	CommandLine string
	Script      string
	User        string
	Signed      bool
	SHA256      string
	Parent      string
	// Started is when it was started, relative to the estate's start. Zero: the EDR
	// has no record of that, nor of what it was started with beyond what its connections
	// show.
	Started time.Duration
	// ScriptText is the text of Script, and Parents are the paths of the images that
	// led to the process, as [incident.Process] has them. Only the record of the start
	// shows them.
	ScriptText, Parents string
	Streams             []Stream
}

// Stream is traffic of a process at a steady rate.
type Stream struct {
	// Destinations share the rate equally.
	Destinations []string
	// DstPort and SrcPort are ports that stay the same. A SrcPort of zero takes
	// a new port every minute, as by a sender that opens new sockets. A
	// DstPort of zero is a stream of answers: every peer has its own port.
	DstPort, SrcPort int
	// Transport is udp, tcp or icmp.
	Transport string
	// BitsOut and BitsIn are the rates per second over all destinations.
	BitsOut, BitsIn int64
	// PacketBytes is the mean size of a packet; 1000 when zero.
	PacketBytes int64
	// From and To are relative to the estate's start; a To of zero never ends.
	From, To time.Duration
	// Swing is by how many percent at most the rate differs from hour to hour,
	// the same each time it is computed.
	Swing int64
}

const (
	// agentRate is what the EDR's channel needs; it passes every isolation.
	agentRate = 8_000
	maxRate   = 1e13
	maxPeers  = 4096
)

// host is a Host and its state.
type host struct {
	Host
	// lanes are the streams, one lane per destination.
	lanes      []lane
	recorded   []incident.Connection
	executed   []incident.Execution
	online     bool
	lastSeen   time.Time
	behaviours map[incident.Action]Behaviour
	// given are facts that override what is computed; see SetFacts.
	given incident.Facts
}

// lane is the part of a stream that goes to one destination.
type lane struct {
	process          Process
	src, dst         string
	srcPort, dstPort int
	transport        string
	out, in          int64
	packetBytes      int64
	from, to         time.Time
	swing            int64
	seed             uint32
}

func (h Host) validate() error {
	if h.ID == "" {
		return errors.New("add host: it needs an id")
	}
	bad := func(format string, args ...any) error {
		return fmt.Errorf("add host %q: %s", h.ID, fmt.Sprintf(format, args...))
	}
	for _, ip := range h.IPs {
		if _, err := netip.ParseAddr(ip); err != nil {
			return bad("%q is not an address", ip)
		}
	}
	for _, p := range h.Processes {
		if len(p.Streams) > 0 && len(h.IPs) == 0 {
			return bad("it sends without an address")
		}
		if p.Started == 0 && p.ScriptText+p.Parents != "" {
			return bad("%s has a script's text or parents, and no start that would show them", p.Name)
		}
		for _, s := range p.Streams {
			if s.BitsOut < 0 || s.BitsIn < 0 || s.BitsOut > maxRate || s.BitsIn > maxRate {
				return bad("a stream of %s has a rate out of range", p.Name)
			}
			if len(s.Destinations) == 0 || len(s.Destinations) > maxPeers {
				return bad("a stream of %s has %d destinations", p.Name, len(s.Destinations))
			}
			if s.Swing < 0 || s.Swing > 100 || s.PacketBytes < 0 || s.To != 0 && s.To < s.From {
				return bad("a stream of %s makes no sense", p.Name)
			}
		}
	}
	return nil
}

func (h Host) lanes(start time.Time) []lane {
	var lanes []lane
	for _, p := range h.Processes {
		for _, s := range p.Streams {
			lanes = append(lanes, s.lanes(h, p, start)...)
		}
	}
	return lanes
}

// lanes shares the stream's rate so that the sum is exact.
func (s Stream) lanes(h Host, p Process, start time.Time) []lane {
	n := int64(len(s.Destinations))
	p.Streams = nil
	lanes := make([]lane, 0, n)
	for i, dst := range s.Destinations {
		l := lane{
			process: p, src: h.IPs[0], dst: dst, srcPort: s.SrcPort, dstPort: s.DstPort,
			transport: s.Transport, out: s.BitsOut / n, in: s.BitsIn / n, packetBytes: s.PacketBytes,
			from: start.Add(s.From), swing: s.Swing,
		}
		if int64(i) < s.BitsOut%n {
			l.out++
		}
		if int64(i) < s.BitsIn%n {
			l.in++
		}
		if l.packetBytes == 0 {
			l.packetBytes = 1000
		}
		if s.To != 0 {
			l.to = start.Add(s.To)
		}
		l.seed = hash(fmt.Sprintf("%s|%d|%s|%d|%d", h.ID, p.PID, dst, s.DstPort, s.SrcPort))
		lanes = append(lanes, l)
	}
	return lanes
}

// active reports whether the lane sends at a moment, if nothing stops it.
func (l lane) active(at time.Time) bool {
	return !at.Before(l.from) && (l.to.IsZero() || at.Before(l.to))
}

// rates returns the lane's rates in an hour, before any containment.
func (l lane) rates(at time.Time) (out, in int64) {
	percent := int64(100)
	if l.swing > 0 {
		hour := hash(fmt.Sprintf("%d|%d", l.seed, at.Unix()/3600))
		percent += int64(hour)%(2*l.swing+1) - l.swing
	}
	return l.out * percent / 100, l.in * percent / 100
}

// tuple is the lane's 5-tuple in the minute of a moment.
func (l lane) tuple(at time.Time) incident.Tuple {
	t := incident.Tuple{SrcIP: l.src, SrcPort: l.srcPort, DstIP: l.dst, DstPort: l.dstPort, Transport: l.transport}
	minute := uint64(at.Unix() / 60)
	if t.SrcPort == 0 && l.transport != "icmp" {
		t.SrcPort = 49152 + int((uint64(l.seed)+minute)%16384)
	}
	if l.answers() {
		t.DstPort = 1024 + int((uint64(l.seed)+minute)%48000)
	}
	return t
}

// answers reports whether the host is the server of the lane.
func (l lane) answers() bool { return l.dstPort == 0 && l.srcPort != 0 }

// fact is the process as the EDR reports it.
func (p Process) fact() incident.Process {
	text := func(s string) incident.Value[string] {
		if s == "" {
			return incident.NotKnown[string]("the EDR does not say")
		}
		return incident.Known(s, incident.FromEDR)
	}
	return incident.Process{
		Path: text(p.Path), Name: text(p.Name), PID: incident.Known(p.PID, incident.FromEDR),
		CommandLine: text(p.CommandLine), Script: text(p.Script), User: text(p.User),
		Signed: incident.Known(p.Signed, incident.FromEDR), SHA256: text(p.SHA256), Parent: text(p.Parent),
	}
}

func hash(s string) uint32 {
	f := fnv.New32a()
	// A hash.Hash never returns an error.
	_, _ = f.Write([]byte(s))
	return f.Sum32()
}
