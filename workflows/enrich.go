package workflows

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// findings are what one round of enrichment found. They become the case's when
// a plan rests on them.
type findings struct {
	facts       incident.Facts
	connections []incident.Connection
	// wide reports whether connections were asked for outside the window.
	wide       string
	target     *incident.Target
	problem    string
	candidates []incident.Endpoint
	// ips are the addresses by which the host's egress is measured.
	ips []string
	// beside are addresses by which alerts of the case name the host, and the EDR does not.
	beside []string
	// heeded are the shared addresses by which the target was not looked for.
	heeded []incident.SharedAddress
	// shared are those of the host's addresses under which others send, too.
	shared []incident.SharedAddress
	// at is the moment that the facts are about, late names those that can still
	// come: the product that was asked did not answer, or a store lags behind.
	at   time.Time
	late []string
	// round is the case's way to this decision, up to enriched.
	round incident.Round
}

// enrich asks for the playbook's facts: first whose the alert's addresses are,
// then for the endpoint, because the others need to know which device it is,
// and for its asset, by which its traffic is judged; then the others in
// parallel. What is not obtained is unknown, and says why.
func (r *responder) enrich(ctx workflow.Context) findings {
	r.came = 0
	round := r.takeRound()
	named, at := r.state.Latest.Host, r.windowEnd(ctx)
	byAlert := r.askAsset(ctx, named, at)
	early, inTime := byAlert.within(ctx, assetFirst)
	f := r.findTarget(ctx, early.Shared, at)
	facts := &f.facts
	host := activities.TargetHost(facts.Alert.Host, facts.Endpoint)
	asset := byAlert
	if !sameHost(named, host) {
		asset = r.askAsset(ctx, host, at)
		if inTime {
			if later, came := asset.within(ctx, assetFirst); came {
				early = later
			}
		}
	}
	role, _ := early.Role.Get()
	f.ips, _ = host.IP.Get()
	f.beside = activities.Beside(named.Without(f.heeded), r.state.Beside, facts.Endpoint)
	own, _ := host.Without(early.Shared).IP.Get()
	in := activities.EnrichIn{Host: host, Target: f.target, IPs: own, AssetRole: role, At: at, Window: r.window(), Beside: f.beside}
	traffic := start(ctx, r, incident.TrafficFact, activities.GetTraffic, in)
	others := r.askOthers(ctx, in)
	who := r.askWho(ctx, in)
	in.Sample = f.tookTraffic(ctx, traffic)
	who(&f, in)
	for _, o := range others {
		o.obtain(ctx, facts)
		f.isLate(o.fact, o.mayCome(ctx))
	}
	f.attribute(ctx, host, byAlert, asset)
	f.isLate(incident.AssetFact, asset.mayCome(ctx))
	round.EnrichedAt = workflow.Now(ctx)
	f.round = round
	return f
}

// other is a fact under way for which nothing else waits.
type other struct {
	fact string
	asking[json.RawMessage]
}

// askOthers asks for the facts that have no place of their own in enrich, in the
// order in which they are registered.
func (r *responder) askOthers(ctx workflow.Context, in activities.EnrichIn) []other {
	var out []other
	for _, fact := range incident.FactNames() {
		switch fact {
		case incident.EndpointFact, incident.ProcessFact, incident.TrafficFact, incident.AssetFact:
			continue
		}
		ref := activities.Ref[activities.EnrichIn, json.RawMessage]{Name: fact}
		out = append(out, other{fact, start(ctx, r, fact, ref, in)})
	}
	return out
}

// obtain waits for a fact; without an answer all of it is unknown.
func (o other) obtain(ctx workflow.Context, facts *incident.Facts) {
	part := facts.Part(o.fact)
	answer, why := o.get(ctx)
	if why == "" {
		if err := json.Unmarshal(answer, part); err != nil {
			reflect.ValueOf(part).Elem().SetZero() // A partial answer does not count.
			why = o.use + ": its answer could not be read"
		}
	}
	if why != "" {
		incident.Explain(part, why)
	}
}

// askWho returns the function that takes in the endpoint's connections. It asks
// for them once the flows to which they belong are known, in a case that was opened
// before that change at once.
func (r *responder) askWho(ctx workflow.Context, in activities.EnrichIn) func(f *findings, in activities.EnrichIn) {
	_, flows := r.in.Pin.Enrichment(incident.TrafficFact)
	_, process := r.in.Pin.Enrichment(incident.ProcessFact)
	if flows && process && in.Target != nil && since(ctx, changeAfterTraffic) {
		return func(f *findings, in activities.EnrichIn) {
			late := start(ctx, r, incident.ProcessFact, activities.FindConnections, in)
			found, why := late.get(ctx)
			f.tookConnections(found.Connections, why, late.mayCome(ctx))
			f.wide = found.Wide
		}
	}
	early := start(ctx, r, incident.ProcessFact, activities.GetConnections, in)
	return func(f *findings, _ activities.EnrichIn) {
		found, why := early.get(ctx)
		f.tookConnections(found, why, early.mayCome(ctx))
	}
}

// tookTraffic takes in what the flow store said, or why it said nothing, and
// returns its sample.
func (f *findings) tookTraffic(ctx workflow.Context, asked asking[activities.TrafficOut]) activities.Packed[[]incident.Flow] {
	flows, why := asked.get(ctx)
	traffic := &f.facts.Traffic
	if *traffic = flows.Traffic; why != "" {
		incident.Explain(traffic, why)
	}
	traffic.Sample = flows.Sample.Value
	f.isLate(incident.TrafficFact, asked.mayCome(ctx) || lags(*traffic, f.at))
	return flows.Sample
}

// tookConnections takes in what the EDR said, or why it said nothing.
func (f *findings) tookConnections(found activities.Packed[[]incident.Connection], why string, late bool) {
	f.connections = found.Value
	if why != "" {
		incident.Explain(&f.facts.Process, why)
	}
	f.isLate(incident.ProcessFact, late)
}

// isLate notes whether a fact can still come.
func (f *findings) isLate(fact string, late bool) {
	if late {
		f.late = append(f.late, fact)
	}
}

// assetFirst is how long the questions that depend on the inventory's answer
// wait for it. What it says later still counts, but no longer for them.
const assetFirst = 2 * time.Second

// askAsset asks the inventory for a host, and whose its addresses are.
func (r *responder) askAsset(ctx workflow.Context, host incident.AlertHost, at time.Time) asking[activities.AssetOut] {
	return start(ctx, r, incident.AssetFact, activities.GetAsset, activities.EnrichIn{Host: host, At: at})
}

// attribute takes in all that the inventory has said by now. Traffic at an
// address that the host shares is not its own. A target that was found by such
// an address does not count: this occurs only where the inventory was late.
func (f *findings) attribute(ctx workflow.Context, host incident.AlertHost, byAlert, asset asking[activities.AssetOut]) {
	out, why := asset.get(ctx)
	f.facts.Asset = out.Asset
	if why != "" {
		incident.Explain(&f.facts.Asset, why)
	}
	first, _ := byAlert.get(ctx)
	all := append(slices.Clone(out.Shared), first.Shared...)
	f.shared = host.At(all)
	if shared := host.At(out.Shared); len(shared) > 0 {
		f.facts.Disown(shared)
		f.ips = nil
	}
	f.beside, _ = incident.AlertHost{IP: incident.Known(f.beside, incident.FromAlert)}.Without(all).IP.Get()
	late := slices.DeleteFunc(f.facts.Alert.Host.At(all), func(s incident.SharedAddress) bool { return slices.Contains(f.heeded, s) })
	if f.target != nil && len(late) > 0 {
		f.target, f.problem = nil, incident.NotAttributable(late)
	}
}

// sameHost reports whether two names of a host are the same query to the inventory.
func sameHost(a, b incident.AlertHost) bool {
	aID, _ := a.ID.Get()
	bID, _ := b.ID.Get()
	aName, _ := a.Name.Get()
	bName, _ := b.Name.Get()
	aIPs, _ := a.IP.Get()
	bIPs, _ := b.IP.Get()
	return aID == bID && aName == bName && slices.Equal(aIPs, bIPs)
}

// findTarget resolves the alert's host to exactly one device, or says why not.
// A shared address is no identifier.
func (r *responder) findTarget(ctx workflow.Context, shared []incident.SharedAddress, at time.Time) findings {
	f := findings{facts: incident.Facts{Alert: *r.state.Latest}, heeded: shared, at: at}
	asked := start(ctx, r, incident.EndpointFact, activities.FindEndpoint,
		activities.EnrichIn{Host: f.facts.Alert.Host, Shared: shared, At: at})
	out, why := asked.get(ctx)
	f.isLate(incident.EndpointFact, asked.mayCome(ctx))
	f.facts.Endpoint, f.target, f.candidates, f.problem = out.Endpoint, out.Target, out.Candidates, out.Problem
	if why != "" {
		f.problem = why
	}
	if f.target == nil {
		incident.Explain(&f.facts.Endpoint, f.problem)
	}
	return f
}

// found makes findings the case's.
func (r *responder) found(ctx workflow.Context, f findings) {
	c := &r.state.Case
	c.Facts = f.facts
	c.Target, c.TargetProblem, c.Candidates = f.target, f.problem, f.candidates
	c.Facts.Traffic.Sample = nil
	r.state.IPs, r.state.Beside = f.ips, f.beside
	switch {
	case f.target != nil && f.target.OnlyBy() != "":
		r.event(ctx, incident.EvTarget, "", "One device, which people must choose: %s", foreign(f.problem))
	case f.target != nil:
		r.event(ctx, incident.EvTarget, "", "Exactly one device: %s (%s)", foreign(f.target.Name()), foreign(f.target.ID()))
	default:
		r.event(ctx, incident.EvTarget, "", "No exact target: %s", f.problem)
	}
	if len(r.state.Beside) > 0 {
		r.event(ctx, incident.EvTarget, "", "%s: nothing that is done at its addresses reaches it there, and what leaves there counts as no traffic of its own", activities.NamedBeside(f.beside))
	}
	r.event(ctx, incident.EvEnriched, "", "%s", strings.Join(summary(c.Facts, r.in.Pin), " · "))
	if f.wide != "" {
		r.event(ctx, incident.EvEnriched, "", "%s", f.wide)
	}
}

// window is how much time the facts about traffic cover.
func (r *responder) window() time.Duration {
	if e, ok := r.in.Pin.Enrichment(incident.TrafficFact); ok && e.With.Window > 0 {
		return e.With.Window
	}
	return defaultWindow
}

// windowEnd is now for an alert that has just happened, and the alert's own
// time for one that comes late: the host's address then may be another's now.
// Facts that were asked for before are asked for as of then.
func (r *responder) windowEnd(ctx workflow.Context) time.Time {
	if r.state.Late != nil && r.state.Fresh == 0 {
		return r.state.Late.AsOf
	}
	now := workflow.Now(ctx)
	at, ok := r.state.Latest.Time.Get()
	if ok && now.Sub(at) > r.window() {
		return at
	}
	return now
}

// asking is an enrichment under way, or the reason why there is none.
type asking[T any] struct {
	future workflow.Future
	use    string
	why    string
	// slow reports whether it was asked as an activity of its own.
	slow *bool
}

// start asks for one fact, if the playbook wants it. Most answers come at once:
// they are waited for inside the engine's own task, which spares it writing
// down the question and the waiting. What takes longer, or fails, is asked
// again in full. Asking twice is harmless, it only reads.
func start[T any](ctx workflow.Context, r *responder, fact string, ref activities.Ref[activities.EnrichIn, T], in activities.EnrichIn) asking[T] {
	e, ok := r.in.Pin.Enrichment(fact)
	if !ok {
		return asking[T]{why: "the playbook does not enrich it"}
	}
	spec, _ := incident.FactSpecOf(fact)
	if lacks := in.Lacks(spec.Needs); lacks != "" {
		return asking[T]{why: lacks}
	}
	if !activities.Fetches(fact) {
		return asking[T]{why: "no activity fetches " + fact}
	}
	in.Use, in.Top, in.Days = e.Use, e.With.Top, e.With.Days
	future, answer := workflow.NewFuture(ctx)
	slow := false
	workflow.Go(ctx, func(ctx workflow.Context) {
		out, err := askNoting(ctx, &slow, quickAnswer, r.in.Pin.Queue(e.Use, fact), e.Timeout, ref, in)
		answer.Set(out, err)
	})
	return asking[T]{future: future, use: e.Use, slow: &slow}
}

// ask runs an activity that only reads. The quick way bypasses the queue
// of an integration that has one of its own, and so is not for those.
func ask[In, Out any](ctx workflow.Context, queue string, timeout time.Duration, ref activities.Ref[In, Out], in In) (Out, error) {
	return askSoon(ctx, quickAnswer, queue, timeout, ref, in)
}

// askSoon is ask with its own idea of a quick answer.
func askSoon[In, Out any](ctx workflow.Context, quick time.Duration, queue string, timeout time.Duration, ref activities.Ref[In, Out], in In) (Out, error) {
	var slow bool
	return askNoting(ctx, &slow, quick, queue, timeout, ref, in)
}

// askNoting is askSoon, and notes when it asks by an activity of its own.
func askNoting[In, Out any](ctx workflow.Context, slow *bool, quick time.Duration, queue string, timeout time.Duration, ref activities.Ref[In, Out], in In) (Out, error) {
	var out Out
	if queue == "" {
		quick = min(quick, timeout)
		err := workflow.ExecuteLocalActivity(workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
			ScheduleToCloseTimeout: quick, StartToCloseTimeout: quick, RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 1},
		}), ref.Name, in).Get(ctx, &out)
		if kind, known := activities.ErrorKind(err); err == nil || known && !kind.Retryable() {
			return out, err
		}
	}
	*slow = true
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue: queue, ScheduleToCloseTimeout: timeout, StartToCloseTimeout: timeout, HeartbeatTimeout: silence,
		RetryPolicy: retries(500*time.Millisecond, 5*time.Second),
	}), ref.Name, in).Get(ctx, &out)
	return out, err
}

// get waits for the answer; why is the reason where there is none.
func (a asking[T]) get(ctx workflow.Context) (out T, why string) {
	if a.future == nil {
		return out, a.why
	}
	if err := a.future.Get(ctx, &out); err != nil {
		return out, a.use + ": " + activities.Reason(err)
	}
	return out, ""
}

// mayCome reports whether there is no answer yet, and another try may bring one.
func (a asking[T]) mayCome(ctx workflow.Context) bool {
	if a.future == nil {
		return false
	}
	return activities.MayAnswer(a.future.Get(ctx, nil))
}

// within waits for the answer so long, and reports whether it came. One that is
// an error does not count.
func (a asking[T]) within(ctx workflow.Context, patience time.Duration) (out T, came bool) {
	if a.future == nil {
		return out, true
	}
	began := workflow.Now(ctx)
	if !a.future.IsReady() && since(ctx, changeNoIdleTimer) {
		// The quick way has its own limit, and needs no timer of the engine.
		_ = workflow.Await(ctx, func() bool { return a.future.IsReady() || *a.slow })
	}
	left := max(patience-workflow.Now(ctx).Sub(began), 0)
	if came, err := await(ctx, left, a.future.IsReady); err != nil || !came {
		return out, false
	}
	_ = a.future.Get(ctx, &out)
	return out, true
}

// summary is what was found, for the timeline.
func summary(f incident.Facts, pin activities.Pin) []string {
	var out []string
	for _, spec := range incident.FactSpecs() {
		if _, ok := pin.Enrichment(spec.Name); !ok {
			continue
		}
		for _, phrase := range spec.Told(&f) {
			out = append(out, bounded(phrase, maxReason))
		}
	}
	return out
}
