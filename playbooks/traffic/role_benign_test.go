package traffic

import (
	"fmt"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// stream returns traffic of one transport at a rate: bits a second in packets of
// a size, over so many flows, with a part of the bytes coming back.
func at(bits float64, size int64, active time.Duration, flows int64, back float64) Peer {
	out := int64(bits / 8 * active.Seconds())
	return Peer{BytesOut: out, PacketsOut: out / size, BytesIn: int64(back * float64(out)), Flows: flows}
}

func over(transport string, port int, p Peer) Peer {
	p.Transport, p.Port = transport, port
	return p
}

// Traffic of hping3 at 10 and at 100 Mbit/s to one target is a flood, from one
// source port (-k) or from the next for each packet, with payload or without.
func TestHping3IsAFlooder(t *testing.T) {
	active := time.Minute
	type shot struct {
		name string
		peer Peer
	}
	var shots []shot
	for _, bits := range []float64{10e6, 100e6} {
		for _, fixed := range []bool{true, false} {
			of := func(size int64) int64 {
				if fixed {
					return 1
				}
				return min(64512, int64(bits/8*active.Seconds())/size)
			}
			name := fmt.Sprintf("%.0f Mbit/s, fixed port %v: ", bits/1e6, fixed)
			for _, size := range []int64{40, 64} { // as IP counts it, and as a frame
				shots = append(shots,
					shot{name + "SYN, unanswered", over("tcp", 443, at(bits, size, active, of(size), 0))},
					shot{name + "SYN, answered", over("tcp", 443, at(bits, size, active, of(size), 1.1))},
					shot{name + "SYN, answered with resets", over("tcp", 0, at(bits, size, active, of(size), 1))},
				)
			}
			for _, size := range []int64{28, 46, 64, 148} {
				shots = append(shots, shot{name + fmt.Sprintf("UDP, %d bytes", size), over("udp", 53, at(bits, size, active, of(size), 0))})
			}
			for _, size := range []int64{28, 84, 1428} {
				shots = append(shots,
					shot{name + fmt.Sprintf("ICMP, %d bytes, unanswered", size), over("icmp", 0, at(bits, size, active, 1, 0))},
					shot{name + fmt.Sprintf("ICMP, %d bytes, echoed", size), over("icmp", 0, at(bits, size, active, 1, 1))},
				)
			}
			if fixed && bits < 50e6 {
				// Below this many the shape is a camera's.
				shots = append(shots, shot{name + "UDP, large packets", over("udp", 80, at(27e6, 1200, active, 1, 0))})
			} else {
				shots = append(shots, shot{name + "UDP, full packets", over("udp", 80, at(bits, 1428, active, of(1428), 0))})
			}
			if bits > 50e6 || !fixed {
				shots = append(shots, shot{name + "UDP, bare, to a collector", over("udp", 514, at(bits, 28, active, of(28), 0))})
			}
		}
	}
	// Where little comes back, or the rate is just a flood's.
	shots = append(shots,
		shot{"UDP from ever new ports, full packets, answered a little", over("udp", 53, at(100e6, 1428, active, 60_000, 0.001))},
		shot{"UDP from one port, small packets, answered a little", over("udp", 53, at(10e6, 148, active, 1, 0.001))},
		shot{"UDP from one port, 1200 small packets a second", over("udp", 53, at(1200*8*148, 148, active, 1, 0))},
	)
	page := single("198.51.100.1", Peer{Port: 443, Transport: "tcp", BytesOut: 60e3, BytesIn: 2e6, PacketsOut: 900, Flows: 12})
	for _, s := range shots {
		if got := Classify(of(active, single("203.0.113.9", s.peer), page), DefaultRoleLimits()); got != incident.Flooder {
			t.Errorf("%s is %s", s.name, got)
		}
	}
}

// Much benign traffic over udp is hardly answered, and as fast as a flood.
func TestVolumeAloneIsNoFlood(t *testing.T) {
	quarter := 15 * time.Minute
	for _, c := range []struct {
		name string
		peer Peer
	}{
		{"a camera in 4K, with reports of its receiver", over("udp", 50002, at(25e6, 1240, quarter, 2, 1e-5))},
		{"the same whose receiver was not seen to report", over("udp", 50002, at(25e6, 1240, quarter, 1, 0))},
		{"32 cameras of a video server, for one viewer", over("udp", 50002, at(256e6, 1200, quarter, 64, 1e-5))},
		{"a camera whose receiver opened the flow", func() Peer {
			p := over("udp", 6970, at(20e6, 1300, quarter, 1, 1e-5))
			p.Answering = true
			return p
		}()},
		{"UDT, which acknowledges every 10 ms", over("udp", 9000, at(400e6, 1472, quarter, 1, 1.4e-4))},
		{"FASP at 2 Gbit/s", over("udp", 33001, at(2e9, 1492, quarter, 4, 2e-6))},
		{"a relay's syslog, 5,000 messages a second", over("udp", 514, at(5000*8*300, 300, quarter, 1, 0))},
		{"a busy relay's, in JSON", over("udp", 514, at(90e6, 900, quarter, 3, 0))},
		{"an agent's, to another port", over("udp", 5514, at(2000*8*220, 220, quarter, 1, 0))},
		{"flow records of a router", over("udp", 2055, at(14e6, 1440, quarter, 1, 0))},
		{"metrics, buffered little", over("udp", 8125, at(6e6, 110, quarter, 40, 0))},
		{"GELF in chunks", over("udp", 12201, at(70e6, 1420, quarter, 8, 0))},
	} {
		if got := Classify(of(quarter, single("10.20.0.9", c.peer)), DefaultRoleLimits()); got == incident.Flooder {
			t.Errorf("%s is %s", c.name, got)
		}
	}
}

// A host that is flooded answers each packet, and a server of one client that opens
// a connection for each request answers those: neither floods.
func TestTheFloodedIsNoFlooder(t *testing.T) {
	minute := time.Minute
	answering := func(p Peer) Peer { p.Answering = true; return p }
	for _, c := range []struct {
		name string
		peer Peer
	}{
		{"resets for a flood of SYN", answering(over("tcp", 443, at(10e6, 40, minute, 60_000, 1)))},
		{"echoes for a flood of ICMP", answering(over("icmp", 0, at(10e6, 84, minute, 1, 1)))},
		{"a web server behind one reverse proxy", answering(over("tcp", 8080, at(80e6, 900, minute, 30_000, 0.2)))},
		{"a download at 400 Mbit/s, acknowledged", over("tcp", 443, at(10e6, 52, minute, 4, 40))},
		{"questions to one store of small values", over("tcp", 6379, at(20e6, 110, minute, 8, 1.2))},
	} {
		if got := Classify(of(minute, single("203.0.113.9", c.peer)), DefaultRoleLimits()); got == incident.Flooder {
			t.Errorf("%s is %s", c.name, got)
		}
	}
}

// seeder shares files with 400 peers, 31 of which listen on the default port.
func seeder(port int, answering bool) Shape {
	shape := Shape{Host: []string{"10.20.4.42"}, Active: 10 * time.Minute}
	for i := range 400 {
		p := Peer{
			IP: fmt.Sprintf("203.0.%d.%d", i/200, 1+i%200), Port: 20000 + i, Transport: "udp",
			BytesOut: 2_000_000, PacketsOut: 1450, BytesIn: 33_600, Flows: 1,
		}
		if i%13 == 0 {
			p.Port, p.Answering = port, answering
		}
		shape.Peers = append(shape.Peers, p)
	}
	return shape
}

func TestAFileSharerIsNoRequester(t *testing.T) {
	for _, port := range []int{bitTorrent, 751, 3478, 27015, 53} {
		if got := Classify(seeder(port, false), DefaultRoleLimits()); got == incident.Requester {
			t.Errorf("a file sharer whose peers listen on %d is %s", port, got)
		}
	}
	if got := Classify(seeder(bitTorrent, true), DefaultRoleLimits()); got == incident.Reflector {
		t.Errorf("a file sharer that listens on the default port is %s", got)
	}
	// What it shares hides no attack.
	shape := seeder(bitTorrent, false)
	shape.Peers = append(shape.Peers, peers(60, "198.51.100.%d", Peer{Port: 11211, Transport: "udp", BytesOut: 5e6, PacketsOut: 90e3, Flows: 90e3})...)
	if got := Classify(shape, DefaultRoleLimits()); got != incident.Requester {
		t.Errorf("a file sharer that asks 60 memcached servers is %s", got)
	}
}

// polls is a manager of so many devices in each of some sites, of which some are
// cut off: those are asked again and again, and do not answer.
func polls(port, sites, cut, devices int) Shape {
	shape := Shape{Host: []string{"10.20.4.42"}, Active: 5 * time.Minute}
	for site := range sites {
		for d := range devices {
			p := Peer{
				IP: fmt.Sprintf("10.%d.8.%d", 30+site, 1+d), Port: port, Transport: "udp",
				BytesOut: 8_800, PacketsOut: 100, BytesIn: 15_000, Flows: 100,
			}
			if site < cut {
				p.BytesOut, p.PacketsOut, p.BytesIn, p.Flows = 35_200, 400, 0, 400
			}
			shape.Peers = append(shape.Peers, p)
		}
	}
	return shape
}

func TestOutOfReachIsNoReflection(t *testing.T) {
	for _, port := range []int{161, 53, 123, 389, 1434} {
		for _, c := range []struct{ sites, cut int }{{3, 2}, {3, 1}, {4, 3}} {
			if got := Classify(polls(port, c.sites, c.cut, 100), DefaultRoleLimits()); got != incident.UnknownRole {
				t.Errorf("a poller of port %d with %d of %d sites cut off is %s", port, c.cut, c.sites, got)
			}
		}
	}
	// The devices next to it answer too.
	shape := polls(161, 2, 2, 40)
	shape.Peers = append(shape.Peers, peers(40, "10.20.4.%d", Peer{Port: 161, Transport: "udp", BytesOut: 352e3, BytesIn: 6e5, PacketsOut: 4e3, Flows: 4e3})...)
	if got := Classify(shape, DefaultRoleLimits()); got == incident.Requester {
		t.Errorf("a poller that reaches only its own subnet is %s", got)
	}
	if got := Classify(polls(161, 3, 3, 100), DefaultRoleLimits()); got != incident.Requester {
		t.Errorf("300 hosts that never answer are %s", got)
	}
	// What is polled hides no attack over another service.
	shape = polls(161, 3, 2, 100)
	shape.Peers = append(shape.Peers, peers(60, "198.51.100.%d", Peer{Port: 123, Transport: "udp", BytesOut: 5e6, PacketsOut: 60e3, Flows: 60e3})...)
	if got := Classify(shape, DefaultRoleLimits()); got != incident.Requester {
		t.Errorf("a poller that also asks 60 time servers is %s", got)
	}
}
