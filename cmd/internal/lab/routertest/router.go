// Package routertest is a router for tests: a BGP peer that takes flow specifications
// (RFC 8955 and RFC 8956) and does in the kernel of a lab's gateway what they say. It
// knows the components and actions that a rate limit or a discard is made of, and
// installs nothing of a rule that it does not understand.
package routertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"github.com/osrg/gobgp/v4/pkg/server"
)

// loopback is where the router listens and its peer is.
const loopback = "127.0.0.1"

// Config is what a router is made of.
type Config struct {
	// Namespace is the path of the gateway's.
	Namespace string
	// AS is the router's, Peer that of who may announce.
	AS, Peer uint32
	// Refused is called, from another goroutine, with why a route or a change was
	// not installed.
	Refused func(error)
}

// Router takes rules until it is closed. It does not compare a rule's destination with
// the routes to it, so a rule by source alone is as good as any (RFC 9117).
type Router struct {
	config Config
	bgp    *server.BgpServer
	port   uint16
	cancel context.CancelFunc

	mu     sync.Mutex
	closed bool
	has    map[string]installed
	// refused are the routes that the test knows of.
	refused map[string]bool
	chains  int
	up      bool
}

// Rule is one that the gateway's kernel has, and what it has done.
type Rule struct {
	// Match is what nftables compares.
	Match string
	// Dropped and Passed are in bytes.
	Dropped, Passed int64
}

// Start starts a router that waits for its peer.
func Start(ctx context.Context, c Config) (*Router, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, fmt.Errorf("start a router: %w", err)
	}
	if _, err := nft(ctx, c.Namespace, change(nil, nil)); err != nil {
		return nil, fmt.Errorf("start a router: %w", err)
	}
	quiet := slog.New(slog.DiscardHandler)
	watching, cancel := context.WithCancel(context.Background())
	r := &Router{
		config: c, port: port, cancel: cancel, has: map[string]installed{}, refused: map[string]bool{},
		bgp: server.NewBgpServer(server.LoggerOption(quiet, &slog.LevelVar{})),
	}
	go r.bgp.Serve()
	if err := r.listen(ctx, watching); err != nil {
		return nil, errors.Join(fmt.Errorf("start a router: %w", err), r.Close())
	}
	return r, nil
}

func (r *Router) listen(ctx, watching context.Context) error {
	if err := r.bgp.StartBgp(ctx, &api.StartBgpRequest{Global: &api.Global{
		Asn: r.config.AS, RouterId: "192.0.2.1", ListenPort: int32(r.port), ListenAddresses: []string{loopback},
	}}); err != nil {
		return err
	}
	// Every event says that something may be different, and not what: it is read anew.
	again := func() { r.sync(watching) }
	if err := r.bgp.WatchEvent(watching, server.WatchEventMessageCallbacks{
		OnBestPath: func([]*apiutil.Path, time.Time) { again() },
		OnPeerUpdate: func(e *apiutil.WatchEventMessage_PeerEvent, _ time.Time) {
			r.mu.Lock()
			r.up = e.Peer.State.SessionState == bgp.BGP_FSM_ESTABLISHED
			r.mu.Unlock()
			again()
		},
	}, server.WatchBestPath(true), server.WatchPeer()); err != nil {
		return err
	}
	peer := &api.Peer{
		Conf:      &api.PeerConf{NeighborAddress: loopback, PeerAsn: r.config.Peer},
		Transport: &api.Transport{PassiveMode: true, LocalAddress: loopback},
		Timers:    &api.Timers{Config: &api.TimersConfig{HoldTime: 9, KeepaliveInterval: 3}},
	}
	for _, f := range families() {
		peer.AfiSafis = append(peer.AfiSafis, &api.AfiSafi{Config: &api.AfiSafiConfig{Family: apiutil.ToApiFamily(f.Afi(), f.Safi()), Enabled: true}})
	}
	return r.bgp.AddPeer(ctx, &api.AddPeerRequest{Peer: peer})
}

func families() []bgp.Family { return []bgp.Family{bgp.RF_FS_IPv4_UC, bgp.RF_FS_IPv6_UC} }

// freePort returns a port on which nobody listens: the server takes none by itself.
func freePort(ctx context.Context) (uint16, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", loopback+":0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	at, err := netip.ParseAddrPort(l.Addr().String())
	return at.Port(), err
}

// Address is where the router's peer connects to.
func (r *Router) Address() netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(loopback), r.port)
}

// Up reports whether the peer's session is established.
func (r *Router) Up() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.up
}

// Close ends the session, and removes the router's table.
func (r *Router) Close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	r.bgp.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err := nft(ctx, r.config.Namespace, fmt.Sprintf("add table %s\ndelete table %s\n", table, table))
	return err
}

// Rules are those that the gateway's kernel has, in the order in which it asks them.
func (r *Router) Rules(ctx context.Context) ([]Rule, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	counted, err := counters(ctx, r.config.Namespace)
	if err != nil {
		return nil, err
	}
	var rules []Rule
	for _, i := range asked(r.has) {
		rules = append(rules, Rule{
			Match:   strings.Join(conditions(i.rule), " or "),
			Dropped: counted[i.chain+"_dropped"], Passed: counted[i.chain+"_passed"],
		})
	}
	return rules, nil
}

// sync has the kernel do what the routes say that stand now.
func (r *Router) sync(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	wanted := map[string]installed{}
	for _, family := range families() {
		if err := r.bgp.ListPath(apiutil.ListPathRequest{TableType: api.TableType_TABLE_TYPE_GLOBAL, Family: family}, func(nlri bgp.NLRI, paths []*apiutil.Path) {
			for _, p := range paths {
				if p.Best {
					r.want(wanted, family, nlri, p)
				}
			}
		}); err != nil {
			r.config.Refused(fmt.Errorf("list the routes of %s: %w", family, err))
			return
		}
	}
	text := change(r.has, wanted)
	if _, err := nft(ctx, r.config.Namespace, text); err != nil && ctx.Err() == nil {
		r.config.Refused(err)
		return
	}
	r.has = wanted
}

// want adds a route's rule to those that are wanted.
func (r *Router) want(wanted map[string]installed, family bgp.Family, nlri bgp.NLRI, p *apiutil.Path) {
	sent, communities, err := wire(nlri, p.Attrs)
	key := fmt.Sprintf("%s %x", family, sent)
	i := r.has[key]
	if err == nil {
		i.rule, err = readRule(family == bgp.RF_FS_IPv6_UC, sent)
	}
	if err == nil {
		i.act, err = readAction(communities)
	}
	if err != nil {
		if what := fmt.Sprintf("%s %x", key, bytes.Join(communities, nil)); !r.refused[what] {
			r.refused[what] = true
			r.config.Refused(fmt.Errorf("route %s %x: %w", nlri, sent, err))
		}
		return
	}
	if i.chain == "" {
		r.chains++
		i.chain = fmt.Sprintf("rule%d", r.chains)
	}
	wanted[key] = i
}

// wire returns the bytes of a rule's components and of its extended communities, in
// which the router reads them itself.
func wire(nlri bgp.NLRI, attributes []bgp.PathAttributeInterface) (rule []byte, communities [][]byte, err error) {
	spec, ok := nlri.(*bgp.FlowSpecNLRI)
	if !ok {
		return nil, nil, fmt.Errorf("a route of type %T", nlri)
	}
	for _, c := range spec.Value {
		b, err := c.Serialize()
		if err != nil {
			return nil, nil, err
		}
		rule = append(rule, b...)
	}
	for _, a := range attributes {
		switch a := a.(type) {
		case *bgp.PathAttributeExtendedCommunities:
			for _, c := range a.Value {
				b, err := c.Serialize()
				if err != nil {
					return nil, nil, err
				}
				communities = append(communities, b)
			}
		case *bgp.PathAttributeIP6ExtendedCommunities:
			return nil, nil, fmt.Errorf("an action for IPv6 that this router does not know: %s", a)
		}
	}
	return rule, communities, nil
}
