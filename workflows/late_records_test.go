package workflows_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// cutting is a flow store whose sensor records what a host sends at every cut, while other
// hosts' records come at once.
type cutting struct {
	*memory.Estate
	now   func() time.Time
	every time.Duration
	asked int
}

func (c *cutting) Traffic(ctx context.Context, q integrations.TrafficQuery) (incident.Traffic, error) {
	c.asked++
	whole, err := c.Estate.Traffic(ctx, q)
	if err != nil {
		return whole, err
	}
	whole.Freshness, whole.Reports = incident.Known(q.To, incident.FromFlows), c.every
	cut := start.Add(c.now().Sub(start).Truncate(c.every))
	switch asked := q.To.Sub(q.From); {
	case !cut.After(q.From):
		whole.Rate = incident.Known(int64(0), incident.FromFlows)
	case cut.Before(q.To):
		q.To = cut
		part, err := c.Estate.Traffic(ctx, q)
		if err != nil {
			return part, err
		}
		rate, _ := part.Rate.Get()
		whole.Rate = incident.Known(int64(float64(rate)*cut.Sub(q.From).Seconds()/asked.Seconds()), incident.FromFlows)
	}
	return whole, nil
}

// What a sensor has not recorded yet is no silence: a limit that does nothing is not
// called effective, and one that works is when its records are there.
func TestWhatIsNotRecordedYetProvesNothing(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]memory.Behaviour{"it works": {}, "it does nothing": {Ineffective: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const every = 30 * time.Second
			w := newWorld(t, memory.Flood, "high-egress-windows", "do: [evidence, throttle, cut-off, tell]", "do: [evidence, throttle, tell]")
			behave(t, w.estate, incident.RateLimit, b)
			store := &cutting{Estate: w.estate, now: w.activities.Now, every: every}
			w.set.Add("flows", integrations.Spec{Kind: "cutting"}, store)
			id := w.open(alertFor("ws-042", "10.20.4.42"))
			w.explainOnFailure(id)
			during := w.snap(10*time.Minute, id)
			w.run(5 * time.Hour)
			s := step(t, *during, "throttle")
			if b.Ineffective {
				if s.Proof != incident.NotEffective || !strings.Contains(s.ProofDetail, "still is 40 Mbit/s") {
					t.Errorf("proof %q: %s", s.Proof, s.ProofDetail)
				}
				return
			}
			if s.Proof != incident.Verified || s.ProvenAt.Sub(s.ConfirmedAt) < every {
				t.Errorf("confirmed %s, proof %q %s at %s", s.ConfirmedAt, s.Proof, s.ProofDetail, s.ProvenAt)
			}
			if store.asked > 12 {
				t.Errorf("the store was asked %d times", store.asked)
			}
		})
	}
}
