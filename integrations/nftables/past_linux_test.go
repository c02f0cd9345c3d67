package nftables

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/servertest"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// forward has a namespace forward both families and track connections, as a gateway does.
func (s space) forward() {
	s.t.Helper()
	s.in("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
	s.track()
}

// track has a namespace track connections, of which there is one then.
func (s space) track() {
	s.t.Helper()
	s.load("table inet tracks {\n chain forward {\n type filter hook forward priority 0\n ct state established accept\n }\n}\n")
	s.in("ip", "link", "set", "lo", "up")
	s.datagrams("127.0.0.1:9", 1, 100)
}

// datagrams sends some of a size from the namespace.
func (s space) datagrams(to string, n, size int) {
	s.t.Helper()
	s.inside(func() error {
		conn, err := net.Dial("udp", to)
		if err != nil {
			return err
		}
		for range n {
			if _, err := conn.Write(make([]byte, size)); err != nil && !errors.Is(err, unix.ECONNREFUSED) {
				return errors.Join(err, conn.Close())
			}
		}
		return conn.Close()
	})
}

// warnings are what is found that is none of the rest, by what it says.
func warnings(found []integrations.Finding) []string {
	var all []string
	for _, f := range found {
		// How long a request takes is not what these tests are of.
		if (!f.OK || f.Warning) && !strings.Contains(f.What, "answers a request in") {
			all = append(all, f.What)
		}
	}
	return all
}

// TestAMachineThatDoesNotForward is told of, here and over SSH: a limit there meets nothing.
func TestAMachineThatDoesNotForward(t *testing.T) {
	a := newAfar(t, openGuard)
	here := a.space.gateway()
	a.space.track()
	const no4, no6 = "the gateway forwards no IPv4, and only what is forwarded can be limited", "the gateway forwards no IPv6, and only what is forwarded can be limited"
	check := func(what string, want ...string) {
		t.Helper()
		for where, g := range map[string]*Gateway{"here": here, "over SSH": a.Gateway} {
			require.Equal(t, want, warnings(g.Probe(t.Context())), "%s, %s", what, where)
		}
	}
	a.space.in("sysctl", "-qw", "net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0")
	check("no forwarding", no4, no6)
	a.space.in("ip", "link", "add", "ethernet0", "type", "veth", "peer", "name", "ethernet1")
	a.space.in("sysctl", "-qw", "net.ipv4.conf.ethernet0.forwarding=1")
	check("one interface forwards", no6)
	a.space.in("sysctl", "-qw", "net.ipv4.conf.ethernet0.forwarding=0", "net.ipv4.conf.default.forwarding=1", "net.ipv6.conf.all.forwarding=1")
	check("later interfaces would forward", no4)
	here = a.space.gateway(func(c *Config) { c.Networks = []string{"2001:db8::/32"} })
	require.Empty(t, warnings(here.Probe(t.Context())), "no host has an IPv4 address")
	a.space.forward()
	require.Empty(t, warnings(a.Probe(t.Context())))
	has(t, a.Probe(t.Context()), "the gateway forwards, and neither flowtables nor fragments pass by the limits", true)
}

// TestFlowtablesAreFound reads flowtables as the library writes them: the kernels that these
// tests ran on have none.
func TestFlowtablesAreFound(t *testing.T) {
	var sent []netlink.Message
	conn, err := nftables.New(nftables.WithTestDial(func(req []netlink.Message) ([]netlink.Message, error) {
		sent = append(sent, req...)
		return req, nil
	}))
	require.NoError(t, err)
	filter := &nftables.Table{Name: "filter", Family: nftables.TableFamilyINet}
	route := &nftables.Table{Name: "route", Family: nftables.TableFamilyIPv4}
	for _, f := range []nftables.Flowtable{
		{Table: filter, Name: "fast", Devices: []string{"eth0", "eth1"}}, {Table: filter, Name: "idle"}, {Table: route, Name: "hardware", Flags: nftables.FlowtableFlagsHWOffload},
	} {
		conn.AddFlowtable(&f)
	}
	require.NoError(t, conn.Flush())
	// The kernel adds how many rules use each.
	uses := map[string]uint32{"fast": 2, "idle": 0}
	for i, m := range sent {
		for name, n := range uses {
			if strings.Contains(string(m.Data), name) {
				sent[i].Data = attributes(m.Data, []netlink.Attribute{numberAttr(nftables.NFTA_FLOWTABLE_USE, n)})
			}
		}
	}
	got, err := inFlowtables(sent)
	require.NoError(t, err)
	require.Equal(t, []string{"fast of table inet filter", "hardware of table ip route"}, got)

	found := past{Flowtables: got}.findings(nil)
	require.Len(t, found, 1)
	require.True(t, found[0].OK && found[0].Warning && found[0].Fix != "", "%+v", found[0])
	require.Contains(t, found[0].What, "fast of table inet filter, hardware of table ip route")
}

// TestFragmentsPassByAPort sends datagrams in fragments through a gateway that blocks their
// port. Doctor tells of a gateway where the later ones pass.
func TestFragmentsPassByAPort(t *testing.T) {
	const n, size, port = 50, 8000, 5501
	lab := newNetwork(t)
	g := lab.gateway.gateway()
	o := order(t, "key-1", hostA)
	o.Action, o.Rate, o.Filter = incident.Block, 0, &incident.Filter{Direction: incident.Outbound, RemotePort: port, Transport: "udp"}
	apply(t, g, o)
	// passed sends, and returns how many bytes left the gateway.
	passed := func() int64 {
		t.Helper()
		before, dropped := lab.left(), reading(t, g, o).Counters.DroppedPackets
		lab.hosts.datagrams(fmt.Sprintf("%s:%d", farEnd, port), n, size)
		wait(t, "all of them to be dropped, or their beginnings", func() bool { return reading(t, g, o).Counters.DroppedPackets-dropped >= n })
		return lab.left() - before
	}
	const warned = "the later fragments of a packet pass by limits and blocks by port"
	require.Contains(t, strings.Join(warnings(g.Probe(t.Context())), ", "), warned)
	require.Greater(t, passed(), int64(n*size*3/4), "the later fragments pass")
	lab.gateway.track()
	require.Empty(t, warnings(g.Probe(t.Context())))
	require.Less(t, passed(), int64(n*size/4), "fragments are put together, and meet the block")
}

// left is how many bytes the gateway has sent to the internet.
func (n network) left() int64 {
	n.gateway.t.Helper()
	var links []struct {
		Stats struct {
			Sent struct {
				Bytes int64 `json:"bytes"`
			} `json:"tx"`
		} `json:"stats64"`
	}
	require.NoError(n.gateway.t, json.Unmarshal([]byte(n.gateway.in("ip", "-s", "-j", "link", "show", "wan")), &links))
	require.Len(n.gateway.t, links, 1)
	return links[0].Stats.Sent.Bytes
}

// TestAHelperOfAnotherRelease is understood where it tells more, and told of where it tells
// less.
func TestAHelperOfAnotherRelease(t *testing.T) {
	s := servertest.NewSSHD(t, "true")
	g := &Gateway{table: openRemote(t, settings(s, s.Port())), networks: testGuard().Networks}
	s.Allow(t, helperIs("older", ""))
	has(t, g.Probe(t.Context()), "its helper does not tell what leads packets past the limits", true)
	require.Len(t, warnings(g.Probe(t.Context())), 1)

	g = &Gateway{table: openRemote(t, settings(s, s.Port())), networks: testGuard().Networks}
	s.Allow(t, helperIs("newer", ""))
	require.Equal(t, []string{"packets of flows in flowtables come by no limit: fast of table inet filter"}, warnings(g.Probe(t.Context())))
}

// TestASlowGateway is told of.
func TestASlowGateway(t *testing.T) {
	a := newAfar(t, openGuard)
	a.space.forward()
	a.sshd.Allow(t, "sleep 0.5; "+a.helper("serve"))
	for _, f := range a.Probe(t.Context()) {
		if strings.Contains(f.What, "it answers a request in") {
			require.True(t, f.OK && f.Warning && strings.Contains(f.Fix, ".bashrc"), "%+v", f)
			return
		}
	}
	t.Error("nothing says how long a request takes")
}
