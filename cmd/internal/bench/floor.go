package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// floor times what a case asks of the estate and of the policy, in plain Go: nothing
// is recorded, and nothing survives the process. It is what a responder
// without an engine could reach at most.
func (b *bench) floor(ctx context.Context, _ *yardstick) error {
	p, err := playbooks.Load("bench.yaml", []byte(playbook))
	if err != nil {
		return fmt.Errorf("load the measurement's playbook: %w", err)
	}
	estate, err := b.hosts()
	if err != nil {
		return err
	}
	f := floor{playbook: p, estate: estate}
	began := time.Now()
	err = many(ctx, b.Cases, b.InFlight, func(ctx context.Context, i int) error { return f.contain(ctx, i, began) })
	if err != nil {
		return err
	}
	b.result.FloorPerSecond = float64(b.Cases) / time.Since(began).Seconds()
	if done := estate.Count("apply", incident.Isolate); done != b.Cases {
		return fmt.Errorf("the floor isolated %d hosts of %d", done, b.Cases)
	}
	return nil
}

type floor struct {
	playbook *playbooks.Playbook
	estate   *memory.Estate
}

// contain enriches, decides, looks at the target again, isolates and reads back, as a case does.
func (f floor) contain(ctx context.Context, i int, at time.Time) error {
	facts, in, err := f.enrich(ctx, i, at)
	if err != nil {
		return err
	}
	in.Facts, in.Now = facts, at
	out, err := activities.DecideWith(ctx, f.playbook, in)
	if err != nil {
		return fmt.Errorf("decide about %s: %w", hostID(i), err)
	}
	if out.Decision.Rule != "workstation" {
		return fmt.Errorf("decided %q about %s: %+v", out.Decision.Rule, hostID(i), out.Decision)
	}
	again, _, err := f.enrich(ctx, i, at)
	if err != nil {
		return err
	}
	if d := f.playbook.Recheck(ctx, again, at); d.Outcome != incident.Decided {
		return fmt.Errorf("the guardrails are %s about %s", d.Outcome, hostID(i))
	}
	order := incident.Order{Action: incident.Isolate, Target: *in.Target, Key: hostID(i), Until: at.Add(time.Hour), Reason: "measured"}
	if _, err := f.estate.Read(ctx, order); err != nil {
		return fmt.Errorf("read %s: %w", hostID(i), err)
	}
	if _, err := f.estate.Apply(ctx, order); err != nil {
		return fmt.Errorf("isolate %s: %w", hostID(i), err)
	}
	if read, err := f.estate.Read(ctx, order); err != nil || !read.Stands {
		return fmt.Errorf("read %s back: it stands: %t, %w", hostID(i), read.Stands, err)
	}
	return nil
}

func (f floor) enrich(ctx context.Context, i int, at time.Time) (incident.Facts, activities.DecideIn, error) {
	var facts incident.Facts
	var in activities.DecideIn
	known := func(s string) incident.Value[string] { return incident.Known(s, incident.FromAlert) }
	facts.Alert.Category, facts.Alert.Host.OS = known("high_egress"), known("windows")
	facts.Alert.Host.ID, facts.Alert.Host.Name = known(hostID(i)), known(hostID(i))
	facts.Alert.Host.IP = incident.Known([]string{hostIP(i)}, incident.FromAlert)
	who := integrations.EndpointQuery{ID: hostID(i), Name: hostID(i), IPs: []string{hostIP(i)}, At: at}
	candidates, err := f.estate.Endpoints(ctx, who)
	if err != nil {
		return facts, in, fmt.Errorf("find %s: %w", hostID(i), err)
	}
	target, endpoint, err := incident.FindTarget(facts.Alert.Host, candidates)
	if err != nil {
		return facts, in, fmt.Errorf("find %s: %w", hostID(i), err)
	}
	facts.Endpoint, in.Target = endpoint, &target
	from := at.Add(-15 * time.Minute)
	if facts.Traffic, err = f.estate.Traffic(ctx, integrations.TrafficQuery{IPs: who.IPs, From: from, To: at, Top: 20}); err != nil {
		return facts, in, fmt.Errorf("read the flows of %s: %w", hostID(i), err)
	}
	if in.Connections, err = f.estate.Connections(ctx, integrations.ConnectionQuery{Target: target, From: from, To: at, Limit: 500}); err != nil {
		return facts, in, fmt.Errorf("read the connections of %s: %w", hostID(i), err)
	}
	if facts.Asset, err = f.estate.Asset(ctx, who); err != nil {
		return facts, in, fmt.Errorf("look up %s: %w", hostID(i), err)
	}
	return facts, in, nil
}
