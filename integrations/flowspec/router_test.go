package flowspec_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/stanch-soar/stanch/integrations/servertest"
)

const asn = servertest.RouterAS

// router is a double of a router: it takes one session, keeps what is announced in it
// for as long as it lasts, and announces what somebody else wants.
type router struct {
	t        testing.TB
	listener net.Listener
	id       netip.Addr
	families []bgp.Family
	// asn is its autonomous system: ours, or that of somebody else.
	asn int

	mu   sync.Mutex
	conn net.Conn
	// closed refuses sessions.
	closed bool
	// rules is what it was told, each in words, by what it is about.
	rules map[string]string
	// others are what somebody else made it announce.
	others map[string]*bgp.BGPMessage
	// effects counts the rules that came and went in the sessions.
	effects int
	// changed is closed, and made anew, when anything of it changes.
	changed chan struct{}
}

// families that a router takes unless a test wants others.
func allFamilies() []bgp.Family {
	return []bgp.Family{bgp.RF_FS_IPv4_UC, bgp.RF_FS_IPv6_UC, bgp.RF_IPv4_UC, bgp.RF_IPv6_UC}
}

// newRouter listens on an address of the loopback network.
func newRouter(t testing.TB, address string, families ...bgp.Family) *router {
	t.Helper()
	l, err := net.Listen("tcp", address+":0")
	if err != nil {
		t.Fatal(err)
	}
	if len(families) == 0 {
		families = allFamilies()
	}
	r := &router{
		t: t, listener: l, id: netip.MustParseAddr(address), families: families, asn: asn,
		rules: map[string]string{}, others: map[string]*bgp.BGPMessage{}, changed: make(chan struct{}),
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			r.session(conn)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		r.drop()
		<-done
	})
	return r
}

func (r *router) port() int { return r.listener.Addr().(*net.TCPAddr).Port }

// session serves one session until it ends, and forgets what it was told in it.
func (r *router) session(conn net.Conn) {
	defer conn.Close()
	r.mu.Lock()
	closed := r.closed
	r.mu.Unlock()
	if closed || !r.greet(conn) {
		return
	}
	r.change(func() {
		r.conn = conn
		for _, m := range r.others {
			send(conn, m)
		}
	})
	for {
		m, err := receive(conn)
		if err != nil {
			break
		}
		switch body := m.Body.(type) {
		case *bgp.BGPKeepAlive:
			r.mu.Lock()
			send(conn, bgp.NewBGPKeepAliveMessage())
			r.mu.Unlock()
		case *bgp.BGPUpdate:
			r.change(func() { r.learn(body) })
		case *bgp.BGPNotification:
			_ = conn.Close()
		}
	}
	r.change(func() {
		r.conn = nil
		clear(r.rules)
	})
}

// greet exchanges what begins a session.
func (r *router) greet(conn net.Conn) bool {
	if m, err := receive(conn); err != nil || m.Header.Type != bgp.BGP_MSG_OPEN {
		return false
	}
	capabilities := []bgp.ParameterCapabilityInterface{bgp.NewCapFourOctetASNumber(uint32(r.asn))}
	for _, f := range r.families {
		capabilities = append(capabilities, bgp.NewCapMultiProtocol(f))
	}
	open, err := bgp.NewBGPOpenMessage(uint16(r.asn), 30, r.id, []bgp.OptionParameterInterface{bgp.NewOptionParameterCapability(capabilities)})
	if err != nil {
		r.t.Error(err)
		return false
	}
	send(conn, open)
	send(conn, bgp.NewBGPKeepAliveMessage())
	return true
}

func send(conn net.Conn, m *bgp.BGPMessage) {
	if b, err := m.Serialize(); err == nil {
		_, _ = conn.Write(b) // A session that ended is found by who reads.
	}
}

func receive(conn net.Conn) (*bgp.BGPMessage, error) {
	head := make([]byte, bgp.BGP_HEADER_LENGTH)
	if _, err := io.ReadFull(conn, head); err != nil {
		return nil, err
	}
	body := make([]byte, max(0, int(binary.BigEndian.Uint16(head[16:]))-len(head)))
	if _, err := io.ReadFull(conn, body); err != nil {
		return nil, err
	}
	return bgp.ParseBGPMessage(append(head, body...))
}

// learn notes what an update says. The lock is held.
func (r *router) learn(u *bgp.BGPUpdate) {
	gone := u.WithdrawnRoutes
	reached := u.NLRI
	for _, a := range u.PathAttributes {
		switch a := a.(type) {
		case *bgp.PathAttributeMpReachNLRI:
			reached = append(reached, a.Value...)
		case *bgp.PathAttributeMpUnreachNLRI:
			gone = append(gone, a.Value...)
		}
	}
	for _, n := range gone {
		if _, known := r.rules[n.NLRI.String()]; known {
			delete(r.rules, n.NLRI.String())
			r.effects++
		}
	}
	for _, n := range reached {
		if _, known := r.rules[n.NLRI.String()]; !known {
			r.effects++
		}
		r.rules[n.NLRI.String()] = inWords(u.PathAttributes)
	}
}

// inWords are the parts of attributes that say what to do with a packet.
func inWords(attributes []bgp.PathAttributeInterface) string {
	var parts []string
	for _, a := range attributes {
		switch a := a.(type) {
		case *bgp.PathAttributeExtendedCommunities:
			for _, c := range a.Value {
				if limit, ok := c.(*bgp.TrafficRateExtended); ok {
					parts = append(parts, fmt.Sprintf("%.0f bytes/s", limit.Rate))
				}
			}
		case *bgp.PathAttributeCommunities:
			for _, c := range a.Value {
				parts = append(parts, fmt.Sprintf("%d:%d", c>>16, c&0xffff))
			}
		case *bgp.PathAttributeNextHop:
			parts = append(parts, "to "+a.Value.String())
		case *bgp.PathAttributeMpReachNLRI:
			if a.Nexthop.IsValid() && !a.Nexthop.IsUnspecified() {
				parts = append(parts, "to "+a.Nexthop.String())
			}
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

func (r *router) change(do func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	do()
	close(r.changed)
	r.changed = make(chan struct{})
}

// drop ends the session, if there is one.
func (r *router) drop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conn != nil {
		_ = r.conn.Close()
	}
}

// refuse takes no session any more, or takes them again.
func (r *router) refuse(closed bool) {
	r.change(func() { r.closed = closed })
	if closed {
		r.drop()
	}
}

// announce has somebody else's rule announced to the speaker.
func (r *router) announce(family bgp.Family, nlri bgp.NLRI, attributes ...bgp.PathAttributeInterface) {
	r.t.Helper()
	attributes = append(attributes, bgp.NewPathAttributeAsPath(nil), bgp.NewPathAttributeLocalPref(100))
	mp := slices.ContainsFunc(attributes, func(a bgp.PathAttributeInterface) bool { return a.GetType() == bgp.BGP_ATTR_TYPE_MP_REACH_NLRI })
	var plain []bgp.PathNLRI
	if family == bgp.RF_IPv4_UC {
		plain = []bgp.PathNLRI{{NLRI: nlri}}
	} else if !mp {
		reach, err := bgp.NewPathAttributeMpReachNLRI(family, []bgp.PathNLRI{{NLRI: nlri}})
		if err != nil {
			r.t.Fatal(err)
		}
		attributes = append(attributes, reach)
	}
	slices.SortFunc(attributes, func(a, b bgp.PathAttributeInterface) int { return int(a.GetType()) - int(b.GetType()) })
	m := bgp.NewBGPUpdateMessage(nil, attributes, plain)
	r.change(func() {
		r.others[nlri.String()] = m
		if r.conn != nil {
			send(r.conn, m)
		}
	})
}

// fresh takes back what somebody else had it announce, and counts anew.
func (r *router) fresh() {
	r.t.Helper()
	r.change(func() {
		for _, m := range r.others {
			var gone *bgp.BGPMessage
			u := m.Body.(*bgp.BGPUpdate)
			if len(u.NLRI) > 0 {
				gone = bgp.NewBGPUpdateMessage(u.NLRI, nil, nil)
			}
			for _, a := range u.PathAttributes {
				if reach, ok := a.(*bgp.PathAttributeMpReachNLRI); ok {
					unreach, err := bgp.NewPathAttributeMpUnreachNLRI(bgp.NewFamily(reach.AFI, reach.SAFI), reach.Value)
					if err != nil {
						r.t.Error(err)
						continue
					}
					gone = bgp.NewBGPUpdateMessage(nil, []bgp.PathAttributeInterface{unreach}, nil)
				}
			}
			if r.conn != nil {
				send(r.conn, gone)
			}
		}
		clear(r.others)
		r.effects = 0
	})
}

// told is what the router knows by the session.
func (r *router) told() map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.rules)
}

// await waits until the router is as a test wants it.
func (r *router) await(what string, is func(rules map[string]string, session bool) bool) {
	r.t.Helper()
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	for {
		r.mu.Lock()
		rules, session, changed := maps.Clone(r.rules), r.conn != nil, r.changed
		r.mu.Unlock()
		if is(rules, session) {
			return
		}
		select {
		case <-changed:
		case <-limit.C:
			r.t.Fatalf("the router never came to %s: it knows %v, session %t", what, rules, session)
		}
	}
}

// knows waits until the router was told exactly these rules.
func (r *router) knows(want map[string]string) {
	r.t.Helper()
	r.await(fmt.Sprint(want), func(rules map[string]string, session bool) bool { return session && maps.Equal(rules, want) })
}
