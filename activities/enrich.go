package activities

import (
	"context"
	"errors"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

// The enrichments carry the names of the facts that they find; the process is
// found by connections, once the flows are known. Cases that were opened before
// that ask for "process".
var (
	FindEndpoint    = Ref[EnrichIn, EndpointOut]{"endpoint"}
	GetConnections  = Ref[EnrichIn, Packed[[]incident.Connection]]{"process"}
	FindConnections = Ref[EnrichIn, ConnectionsOut]{"connections"}
	GetTraffic      = Ref[EnrichIn, TrafficOut]{"traffic"}
	GetBaseline     = Ref[EnrichIn, incident.Baseline]{"baseline"}
	GetAsset        = Ref[EnrichIn, AssetOut]{"asset"}
)

// fetch is an activity that fetches a fact and has its name.
type fetch struct {
	fact     string
	register func(Registry)
}

func fetching[Out any](ref Ref[EnrichIn, Out], f func(context.Context, EnrichIn) (Out, error)) fetch {
	return fetch{ref.Name, func(r Registry) { register(r, ref, f) }}
}

// fetches are the activities that fetch facts, one a fact. What one answers is
// the fact's part of [incident.Facts], but where enrichment has a place of its
// own for the fact.
func (a *Activities) fetches() []fetch {
	return []fetch{
		fetching(FindEndpoint, a.findEndpoint),
		fetching(GetConnections, a.getConnections),
		fetching(GetTraffic, a.getTraffic),
		fetching(GetBaseline, a.getBaseline),
		fetching(GetAsset, a.getAsset),
	}
}

// EnrichIn asks one integration about the subject of a case.
type EnrichIn struct {
	Use  string             `json:"use"`
	Host incident.AlertHost `json:"host"`
	// Target and IPs are known once the endpoint was found.
	Target *incident.Target `json:"target,omitempty"`
	IPs    []string         `json:"ips,omitempty"`
	// Beside are addresses by which alerts name the host, and the EDR does not.
	Beside []string `json:"beside,omitempty"`
	// Shared are those of the host's addresses that do not identify it, and
	// AssetRole is what it is, once the inventory has said so.
	Shared    []incident.SharedAddress `json:"shared,omitempty"`
	AssetRole string                   `json:"asset_role,omitempty"`
	// Sample are the largest flows, for which connections are looked for.
	Sample Packed[[]incident.Flow] `json:"sample,omitzero"`
	// At is the time of the alert; the window ends there or now, see the case.
	At     time.Time     `json:"at"`
	Window time.Duration `json:"window,omitempty"`
	Top    int           `json:"top,omitempty"`
	Days   int           `json:"days,omitempty"`
}

// Lacks is why a fact cannot be asked for yet, or empty where it can.
func (in EnrichIn) Lacks(n incident.Need) string {
	switch n {
	case incident.NeedsDevice:
		if in.Target == nil {
			return "no exact target"
		}
	case incident.NeedsAddress:
		if len(in.IPs) == 0 {
			return "the host's address is unknown"
		}
	case incident.NeedsNothing:
	}
	return ""
}

// EndpointOut is the target, or why there is none. Of one that is assumed the
// problem says what it lacks.
type EndpointOut struct {
	Endpoint   incident.Endpoint   `json:"endpoint"`
	Target     *incident.Target    `json:"target,omitempty"`
	Problem    string              `json:"problem,omitempty"`
	Candidates []incident.Endpoint `json:"candidates,omitempty"`
}

func (a *Activities) findEndpoint(ctx context.Context, in EnrichIn) (EndpointOut, error) {
	edr, err := use[integrations.Endpoints](a, in.Use)
	if err != nil {
		return EndpointOut{}, err
	}
	host, shared := in.Host.Without(in.Shared), incident.NotAttributable(in.Shared)
	if shared != "" && !host.Named() {
		return EndpointOut{Problem: shared}, nil
	}
	candidates, err := edr.Endpoints(ctx, hostQuery(host, in.At))
	if err != nil {
		return EndpointOut{}, err
	}
	for i := range candidates {
		candidates[i].InWords(a.roles())
		if ips, _ := candidates[i].IP.Get(); !candidates[i].Route.IsKnown() {
			candidates[i].Route = a.Routes.Of(ips)
		}
	}
	target, endpoint, err := incident.FindTarget(host, candidates)
	if problem, ok := errors.AsType[*incident.TargetError](err); ok {
		if shared != "" {
			problem.Reason += "; " + shared
		}
		return EndpointOut{Problem: problem.Reason, Candidates: problem.Candidates}, nil
	}
	if err != nil {
		return EndpointOut{}, err
	}
	out := EndpointOut{Endpoint: endpoint, Target: &target}
	if out.Problem = target.Assumption(); out.Problem != "" && shared != "" {
		out.Problem += "; " + shared
	}
	return out, nil
}

// TrafficOut is the traffic of a host, with its sample of flows apart.
type TrafficOut struct {
	Traffic incident.Traffic        `json:"traffic"`
	Sample  Packed[[]incident.Flow] `json:"sample"`
}

func (a *Activities) getTraffic(ctx context.Context, in EnrichIn) (TrafficOut, error) {
	flows, err := use[integrations.Flows](a, in.Use)
	if err != nil {
		return TrafficOut{}, err
	}
	limits := a.Limits.For(in.AssetRole)
	from := in.At.Add(-in.Window)
	seen, err := flows.Traffic(ctx, integrations.TrafficQuery{
		IPs: in.IPs, From: from, To: in.At, Top: in.Top, Limits: &limits,
	})
	if err != nil {
		return TrafficOut{}, err
	}
	for i := range seen.Sample {
		seen.Sample[i].Running = !seen.Sample[i].Start.After(from.Add(traffic.UseSlack))
	}
	if err := leavesBeside(ctx, flows, in, &seen); err != nil {
		return TrafficOut{}, err
	}
	out := TrafficOut{Traffic: seen, Sample: Packed[[]incident.Flow]{Value: seen.Sample}}
	out.Traffic.Sample = nil
	return out, nil
}

// leavesBeside makes unknown what a host sends where the alert names it by an address of a
// family of which the EDR knows none, and something left there: a sum without it would say
// that the host is quiet.
func leavesBeside(ctx context.Context, flows integrations.Flows, in EnrichIn, seen *incident.Traffic) error {
	beside := strange(in.Beside, in.IPs)
	if len(beside) == 0 {
		return nil
	}
	there, err := flows.Traffic(ctx, integrations.TrafficQuery{IPs: beside, From: in.At.Add(-in.Window), To: in.At, Top: 1})
	if err != nil {
		return err
	}
	sent, known := there.BytesOut.Get()
	if known && sent == 0 {
		return nil
	}
	why := in.Use + ": " + NamedBeside(beside) + ", and what left there is unknown" + inBrackets(there.BytesOut.Why())
	if known {
		why = in.Use + ": " + NamedBeside(beside) + ", and " + incident.FormatSize(sent) + " left there"
	}
	*seen = incident.Traffic{Freshness: seen.Freshness, FastClocks: seen.FastClocks}
	incident.Explain(seen, why)
	return nil
}

func (a *Activities) getBaseline(ctx context.Context, in EnrichIn) (incident.Baseline, error) {
	flows, err := use[integrations.Flows](a, in.Use)
	if err != nil {
		return incident.Baseline{}, err
	}
	// The window of the alert itself must not be part of what is normal.
	return flows.Baseline(ctx, integrations.BaselineQuery{
		IPs: in.IPs, To: in.At.Add(-in.Window), Days: in.Days, Window: in.Window,
	})
}

// AssetOut is what the inventory says of a host, and which of the host's
// addresses belong to an asset that many send through.
type AssetOut struct {
	incident.Asset
	Shared []incident.SharedAddress `json:"shared,omitempty"`
}

// maxAddresses bounds the addresses of one host that are looked up: an alert
// can name any number.
const maxAddresses = 64

// getAsset asks whose each address is before it asks for the host, which then
// is not asked for by addresses that are others' as well.
func (a *Activities) getAsset(ctx context.Context, in EnrichIn) (AssetOut, error) {
	inventory, err := use[integrations.Inventory](a, in.Use)
	if err != nil {
		return AssetOut{}, err
	}
	shared, err := a.sharedAddresses(ctx, inventory, in)
	if err != nil {
		return AssetOut{}, err
	}
	host := in.Host.Without(shared)
	if !host.Named() {
		host = in.Host // What is known of the shared address is better than nothing.
	}
	asset, err := a.assetOf(ctx, inventory, hostQuery(host, in.At))
	if err != nil && len(shared) > 0 {
		incident.Explain(&asset, in.Use+": "+Reason(mapError(err)))
		err = nil
	}
	if own := asset.Shares(in.Host.Addresses()); len(own) > 0 {
		shared = own // Also where the inventory does not list the addresses.
	}
	return AssetOut{Asset: asset, Shared: shared}, err
}

// assetOf asks an inventory for a host and normalises its answer.
func (a *Activities) assetOf(ctx context.Context, inventory integrations.Inventory, q integrations.EndpointQuery) (incident.Asset, error) {
	asset, err := inventory.Asset(ctx, q)
	asset.InWords(a.roles())
	return asset, err
}

func (a *Activities) sharedAddresses(ctx context.Context, inventory integrations.Inventory, in EnrichIn) ([]incident.SharedAddress, error) {
	ips := in.Host.Addresses()
	if len(ips) > maxAddresses {
		return nil, integrations.Errorf(integrations.Invalid, "look up the host's addresses", "it has %d, at most %d are looked up", len(ips), maxAddresses)
	}
	var shared []incident.SharedAddress
	for _, ip := range ips {
		asset, err := a.assetOf(ctx, inventory, integrations.EndpointQuery{Name: ip, IPs: []string{ip}, At: in.At})
		if integrations.KindOf(err) == integrations.NotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		shared = append(shared, asset.Shares([]string{ip})...)
	}
	return shared, nil
}
