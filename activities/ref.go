// Package activities does the I/O of a case: one file per activity, thin and
// typed. An activity must be safe to repeat: the engine runs it again when a
// worker dies or an answer is lost.
package activities

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

// Ref is an activity's name in history with the types of its input and output,
// so that the three are said once.
type Ref[In, Out any] struct{ Name string }

// Registry is where activities are registered: a worker or a test environment.
type Registry interface {
	RegisterActivityWithOptions(a any, options activity.RegisterOptions)
}

// Activities holds what the activities need.
type Activities struct {
	Set       *integrations.Set
	Workflows Workflows
	// People are those of the configuration.
	People People
	// Leases returns the active leases; more reports whether there are others.
	Leases func(ctx context.Context) (leases []incident.Lease, more bool, err error)
	// EvidenceDir is where bundles are written.
	EvidenceDir string
	// Limits are the thresholds of traffic roles by asset role; empty means the
	// shipped ones.
	Limits traffic.LimitsByRole
	// Agents are programs that send for others on their host, of every host.
	Agents []string
	// Routes are how agents reach their cloud, where the EDR does not say.
	Routes incident.Routes
	// Infrastructure is never contained, and stays reachable for isolated hosts.
	Infrastructure incident.Infrastructure
	// SharedNetworks are the site's own, at whose addresses many services are reached.
	SharedNetworks []netip.Prefix
	// ExceptBy says, by the names of integrations, who decides what stays reachable where
	// no order can.
	ExceptBy map[string]string
	// Sees says, by the name of a flow store, where its sensors sit, seen from an enforcer.
	Sees map[string]map[string]incident.SensorPlace
	// Roles are the asset roles, with the site's own; empty means the shipped ones.
	Roles incident.Vocabulary
	// Turn waits until one more containment may be taken, as [Turns.Take] does; nil
	// bounds none.
	Turn func(ctx context.Context, elsewhere bool) (done func(), err error)
	// PublicURL is the address that people reach the API by, for links.
	PublicURL string
	// Now is the clock; nil is the wall clock.
	Now func() time.Time

	playbooks playbookCache
}

func (a *Activities) now() time.Time {
	if a.Now != nil {
		return a.Now()
	}
	return time.Now()
}

func (a *Activities) roles() incident.Vocabulary { return a.Roles.Or(incident.AssetRoles()) }

// Register registers every activity under its name in history.
func (a *Activities) Register(r Registry) {
	for _, f := range a.fetches() {
		f.register(r)
	}
	register(r, FindConnections, a.findConnections)
	register(r, Decide, a.decide)
	register(r, Plan, a.plan)
	register(r, Claim, a.claim)
	register(r, Unclaim, a.unclaim)
	register(r, HandOver, a.handOver)
	register(r, Contain, a.contain)
	register(r, Kill, a.kill)
	register(r, GiveUp, a.giveUp)
	register(r, Watch, a.watch)
	register(r, Collect, a.collect)
	register(r, Send, a.send)
	register(r, Show, a.show)
	register(r, Illustrate, a.illustrate)
	register(r, Summarise, a.summarise)
	register(r, Answer, a.Answer)
	register(r, Reply, a.reply)
	register(r, OnCall, a.onCall)
	register(r, Daily, a.daily)
	register(r, Measure, a.measure)
	register(r, Series, a.series)
	register(r, Evidence, a.evidence)
	register(r, Apply, a.apply)
	register(r, Read, a.read)
	register(r, Undo, a.undo)
	register(r, Renew, a.renew)
	register(r, Loosen, a.loosen)
	register(r, Recheck, a.recheck)
	register(r, Count, a.count)
	register(r, Connected, a.connected)
	register(r, HandReplies, a.handReplies)
	register(r, TellSender, a.tellSender)
}

func register[In, Out any](r Registry, ref Ref[In, Out], f func(context.Context, In) (Out, error)) {
	r.RegisterActivityWithOptions(func(ctx context.Context, in In) (Out, error) {
		defer beat(ctx)()
		if id := caseOf(in); id != "" {
			ctx = integrations.ForCase(ctx, id)
		}
		ctx, end := integrations.Operate(ctx)
		out, err := f(ctx, in)
		end()
		if c, ok := any(in).(calls); ok {
			observe(ctx, c.integration(), ref.Name, err, time.Now())
		}
		return out, mapError(err)
	}, activity.RegisterOptions{Name: ref.Name})
}

// caseOf returns the case that an activity is about which another workflow than
// the case runs; what a case runs is about that case.
func caseOf(in any) string {
	switch in := in.(type) {
	case SendIn:
		return in.Request.Case
	case ShowIn:
		return in.Request.Case
	case IllustrateIn:
		return in.Request.Case
	case TellSenderIn:
		return in.Reply.Case.ID
	case ReplyIn:
		return in.Click.Case
	case protocol.ClickInput:
		return in.Click.Case
	case LeaseIn:
		return in.Case
	case LoosenIn:
		return in.Case
	default:
		return ""
	}
}

// beat sends heartbeats to the engine, for as long as the activity
// runs. What a dead worker had under way is then given to another after a few
// seconds, not after all of the time that the activity may take.
func beat(ctx context.Context) (stop func()) {
	silence := activity.GetInfo(ctx).HeartbeatTimeout
	if silence <= 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(silence / 4)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				activity.RecordHeartbeat(ctx)
			}
		}
	}()
	return func() {
		cancel()
		<-stopped
	}
}

// hostQuery names a host by what the alert and, once known, the endpoint say.
func hostQuery(host incident.AlertHost, at time.Time) integrations.EndpointQuery {
	id, _ := host.ID.Get()
	name, _ := host.Name.Get()
	ips, _ := host.IP.Get()
	return integrations.EndpointQuery{ID: strings.TrimSpace(id), Name: incident.HostName(name), IPs: ips, At: at}
}
