package flowspec

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"github.com/osrg/gobgp/v4/pkg/server"

	"github.com/stanch-soar/stanch/integrations"
)

const (
	bgpPort = 179
	// retry is how long the speaker waits before it connects again, in seconds.
	retry = 3
	// ours names what keeps others' routes out of the table and away from the routers.
	ours = "stanch-own-rules"
)

// speaker is the BGP speaker of a process. What it announces is forgotten by the
// routers when it ends, or is lost. It listens nowhere.
type speaker struct {
	session Session

	mu sync.Mutex
	// families are what each router is asked to take, by its address.
	families map[string][]bgp.Family
	peers    []Peer
	// opened are the integrations, and waiting those of them whose standing rules are
	// not there yet: there is no session before.
	opened  map[string]bool
	waiting map[string]bool
	server  *server.BgpServer
	started time.Time
}

// join adds an integration, before the speaker runs.
func (s *speaker) join(kind string, session Session, families []bgp.Family) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.server != nil:
		return fmt.Errorf("the speaker runs already")
	case s.opened[kind]:
		return fmt.Errorf("there are two integrations of this kind, and a process has one speaker: let one have all routers")
	case len(s.opened) > 0 && !s.session.same(session):
		return fmt.Errorf("asn, router_id, local_address or hold_time differ from those of the other integration, and a process has one speaker")
	}
	for _, p := range session.Peers {
		at := slices.IndexFunc(s.peers, func(other Peer) bool { return other.Address == p.Address })
		if at >= 0 && s.peers[at] != p {
			return fmt.Errorf("the router %s has other settings in the other integration", p.Address)
		}
	}
	if s.opened == nil {
		s.opened, s.waiting, s.families = map[string]bool{}, map[string]bool{}, map[string][]bgp.Family{}
	}
	s.session = session
	s.opened[kind], s.waiting[kind] = true, true
	for _, p := range session.Peers {
		if _, known := s.families[p.Address]; !known {
			s.peers = append(s.peers, p)
		}
		s.families[p.Address] = append(s.families[p.Address], families...)
	}
	return nil
}

// start starts the speaker without any session, once.
func (s *speaker) start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server != nil {
		return nil
	}
	b := server.NewBgpServer(server.LoggerOption(slog.Default(), new(slog.LevelVar)))
	go b.Serve()
	err := b.StartBgp(ctx, &api.StartBgpRequest{Global: &api.Global{Asn: uint32(s.session.ASN), RouterId: s.session.RouterID, ListenPort: -1}})
	if err == nil {
		err = onlyOurs(ctx, b)
	}
	if err != nil {
		b.Stop()
		return err
	}
	s.server, s.started = b, time.Now()
	return nil
}

// onlyOurs keeps what one router says away from the others: the speaker connects
// networks that may be strangers to each other.
func onlyOurs(ctx context.Context, b *server.BgpServer) error {
	policy := &api.Policy{Name: ours, Statements: []*api.Statement{{
		Name:       ours,
		Conditions: &api.Conditions{RouteType: api.Conditions_ROUTE_TYPE_LOCAL},
		Actions:    &api.Actions{RouteAction: api.RouteAction_ROUTE_ACTION_ACCEPT},
	}}}
	if err := b.AddPolicy(ctx, &api.AddPolicyRequest{Policy: policy}); err != nil {
		return err
	}
	for _, direction := range []api.PolicyDirection{api.PolicyDirection_POLICY_DIRECTION_IMPORT, api.PolicyDirection_POLICY_DIRECTION_EXPORT} {
		if err := b.SetPolicyAssignment(ctx, &api.SetPolicyAssignmentRequest{Assignment: &api.PolicyAssignment{
			Name: "global", Direction: direction, Policies: []*api.Policy{{Name: ours}}, DefaultAction: api.RouteAction_ROUTE_ACTION_REJECT,
		}}); err != nil {
			return err
		}
	}
	return nil
}

// restored says that an integration's standing rules are in the table. With the last
// one the speaker connects, so that routers get everything at once.
func (s *speaker) restored(ctx context.Context, kind string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.waiting[kind] {
		return nil
	}
	delete(s.waiting, kind)
	if len(s.waiting) > 0 {
		return nil
	}
	for _, p := range s.peers {
		if err := s.server.AddPeer(ctx, &api.AddPeerRequest{Peer: s.neighbour(p)}); err != nil {
			return fmt.Errorf("add the router %s: %w", p.Address, err)
		}
	}
	return nil
}

// neighbour is a router as the library wants it. Graceful restart stays off: with it a
// router would keep the rules of a speaker that is gone.
func (s *speaker) neighbour(p Peer) *api.Peer {
	hold := uint64(s.session.HoldTime / time.Second)
	n := &api.Peer{
		Conf:      &api.PeerConf{NeighborAddress: p.Address, PeerAsn: uint32(p.ASN), AuthPassword: p.Password.Reveal()},
		Transport: &api.Transport{RemotePort: uint32(cmp.Or(p.Port, bgpPort)), LocalAddress: s.session.LocalAddress},
		Timers: &api.Timers{Config: &api.TimersConfig{
			HoldTime: hold, KeepaliveInterval: max(1, hold/3), ConnectRetry: retry, IdleHoldTimeAfterReset: 1,
		}},
	}
	if p.Multihop > 0 {
		n.EbgpMultihop = &api.EbgpMultihop{Enabled: true, MultihopTtl: uint32(p.Multihop)}
	}
	for _, f := range s.families[p.Address] {
		n.AfiSafis = append(n.AfiSafis, &api.AfiSafi{Config: &api.AfiSafiConfig{Family: apiutil.ToApiFamily(f.Afi(), f.Safi()), Enabled: true}})
	}
	return n
}

// close ends the sessions: the routers forget what was announced.
func (s *speaker) close() {
	s.mu.Lock()
	b := s.server
	s.server, s.opened, s.waiting, s.families, s.peers = nil, nil, nil, nil, nil
	s.mu.Unlock()
	if b != nil {
		b.Stop()
	}
}

// running returns the library's server; an unavailable error where the speaker does not
// run in this process.
func (s *speaker) running(op string) (*server.BgpServer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil {
		return nil, &integrations.Error{
			Kind: integrations.Unavailable, Op: op, Words: "the speaker does not run",
			Err: fmt.Errorf("the speaker does not run in this process"),
		}
	}
	return s.server, nil
}

// link is the session with one router.
type link struct {
	address string
	up      bool
	// takes are the families that the router has agreed to.
	takes []bgp.Family
	// since is when the session began or ended.
	since time.Time
	why   string
}

// links are the sessions, in the order of the configuration.
func (s *speaker) links(ctx context.Context, b *server.BgpServer) ([]link, error) {
	s.mu.Lock()
	peers, started := slices.Clone(s.peers), s.started
	s.mu.Unlock()
	found := map[string]link{}
	err := b.ListPeer(ctx, &api.ListPeerRequest{}, func(p *api.Peer) {
		l := link{address: p.GetConf().GetNeighborAddress(), since: started, why: p.GetState().GetDisconnectMessage()}
		l.up = p.GetState().GetSessionState() == api.PeerState_SESSION_STATE_ESTABLISHED
		switch times := p.GetTimers().GetState(); {
		case l.up:
			l.takes, l.since = familiesOf(p.GetState().GetRemoteCap()), times.GetUptime().AsTime()
		case times.GetDowntime().AsTime().After(started):
			l.since = times.GetDowntime().AsTime()
		}
		found[l.address] = l
	})
	if err != nil {
		return nil, err
	}
	all := make([]link, 0, len(peers))
	for _, p := range peers {
		l, ok := found[p.Address]
		if !ok {
			l = link{address: p.Address, since: started}
		}
		all = append(all, l)
	}
	return all, nil
}

// familiesOf are the families among a router's capabilities.
func familiesOf(capabilities []*api.Capability) []bgp.Family {
	known, err := apiutil.UnmarshalCapabilities(capabilities)
	if err != nil {
		return nil
	}
	var families []bgp.Family
	for _, c := range known {
		if m, ok := c.(*bgp.CapMultiProtocol); ok {
			families = append(families, m.CapValue)
		}
	}
	return families
}

// carries reports whether a session carries rules of a family.
func (l link) carries(f bgp.Family) bool { return l.up && slices.Contains(l.takes, f) }

// told are the routers to which a rule was announced. The table of what is announced
// is computed anew, from what stands and what the session lets out.
func told(b *server.BgpServer, links []link, r rule) (map[string]bool, error) {
	to := map[string]bool{}
	for _, l := range links {
		if !l.carries(r.family) {
			continue
		}
		err := paths(b, api.TableType_TABLE_TYPE_ADJ_OUT, l.address, r, func(*apiutil.Path) { to[l.address] = true })
		if err != nil {
			return nil, err
		}
	}
	return to, nil
}

// paths calls do for each path of a rule in one table of a session.
func paths(b *server.BgpServer, which api.TableType, address string, r rule, do func(*apiutil.Path)) error {
	request := apiutil.ListPathRequest{TableType: which, Name: address, Family: r.family}
	if one, ok := r.nlri.(*bgp.IPAddrPrefix); ok {
		request.Prefixes = []*apiutil.LookupPrefix{{Prefix: one.String()}}
	}
	id := r.id()
	err := b.ListPath(request, func(nlri bgp.NLRI, found []*apiutil.Path) {
		if nlri.String() != id {
			return
		}
		for _, p := range found {
			do(p)
		}
	})
	if err != nil {
		return fmt.Errorf("list what is announced to %s: %w", address, err)
	}
	return nil
}

// wanted are the families that a router is asked to take.
func (s *speaker) wanted(address string) []bgp.Family {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.families[address])
}

// echo reports whether a route reflector sends our own rule back.
func (s *speaker) echo(p *apiutil.Path) bool {
	return slices.ContainsFunc(p.Attrs, func(a bgp.PathAttributeInterface) bool {
		origin, ok := a.(*bgp.PathAttributeOriginatorId)
		return ok && origin.Value.String() == s.session.RouterID
	})
}
