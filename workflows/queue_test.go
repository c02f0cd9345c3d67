package workflows_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// observed is an integration that notes through which task queue it is asked.
type observed struct {
	*memory.Estate
	mu     sync.Mutex
	queues []string
}

func (o *observed) note(ctx context.Context) {
	o.mu.Lock()
	defer o.mu.Unlock()
	info := activity.GetInfo(ctx)
	queue := info.ActivityType.Name + " " + info.TaskQueue
	if info.IsLocalActivity {
		queue = info.ActivityType.Name + " local"
	}
	if !slices.Contains(o.queues, queue) {
		o.queues = append(o.queues, queue)
	}
}

func (o *observed) Endpoints(ctx context.Context, q integrations.EndpointQuery) ([]incident.Endpoint, error) {
	o.note(ctx)
	return o.Estate.Endpoints(ctx, q)
}

func (o *observed) Apply(ctx context.Context, order incident.Order) (incident.Receipt, error) {
	o.note(ctx)
	return o.Estate.Apply(ctx, order)
}

func (o *observed) Undo(ctx context.Context, order incident.Order) (incident.Receipt, error) {
	o.note(ctx)
	return o.Estate.Undo(ctx, order)
}

func (o *observed) Collect(ctx context.Context, order integrations.CollectOrder) ([]integrations.Artifact, error) {
	o.note(ctx)
	return o.Estate.Collect(ctx, order)
}

// Every call to an integration that is limited goes through its queue; the
// check right before the action is part of the action's own activity.
func TestALimitedIntegrationIsAskedThroughItsQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows")
	w.pin.Limited = []string{"edr"}
	edr := &observed{Estate: w.estate}
	w.set.Add("edr", integrations.Spec{Kind: "memory"}, edr)
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	w.run(5 * time.Hour)
	w.ended(id, incident.OutcomeGivenBack)
	own := protocol.QueueOf("edr")
	want := []string{"apply " + own, "collect " + own, "endpoint " + own, "undo " + own}
	asked := slices.DeleteFunc(edr.queues, func(q string) bool { return strings.HasPrefix(q, "contain ") })
	slices.Sort(asked)
	if !slices.Equal(asked, want) {
		t.Errorf("the EDR was asked by %q, want %q", asked, want)
	}
}

// What belongs to a class of operations goes through the queue of the class, and the lease
// of such an action with it.
func TestAClassOfOperationsIsAskedThroughItsQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows")
	w.pin.Limited = []string{"edr"}
	w.pin.Classes = []activities.PinnedClass{{Use: "edr", Name: "isolation", Of: []string{"isolate", "endpoint"}}, {Use: "gateway", Name: "other", Of: []string{"collect"}}}
	edr := &observed{Estate: w.estate}
	w.set.Add("edr", integrations.Spec{Kind: "memory"}, edr)
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	w.run(5 * time.Hour)
	w.ended(id, incident.OutcomeGivenBack)
	own, class := protocol.QueueOf("edr"), protocol.QueueOfClass("edr", "isolation")
	want := []string{"apply " + class, "collect " + own, "endpoint " + class, "undo " + class}
	asked := slices.DeleteFunc(edr.queues, func(q string) bool { return strings.HasPrefix(q, "contain ") })
	slices.Sort(asked)
	if !slices.Equal(asked, want) {
		t.Errorf("the EDR was asked by %q, want %q", asked, want)
	}
}

// A containing step begins on the queue of its case. Where too many wait in the
// process it waits in the queue for those, and contains once all the same.
func TestAStepWithoutATurnWaitsInTheQueue(t *testing.T) {
	t.Parallel()
	for name, busy := range map[string]bool{"a turn is free": false, "too many wait": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, memory.Flood, "high-egress-windows")
			edr := &observed{Estate: w.estate}
			w.set.Add("edr", integrations.Spec{Kind: "memory"}, edr)
			w.activities.Turn = func(_ context.Context, elsewhere bool) (func(), error) {
				if elsewhere && busy {
					return nil, activities.ErrBusy
				}
				return func() {}, nil
			}
			id := w.open(alertFor("ws-042", "10.20.4.42"))
			w.explainOnFailure(id)
			w.run(5 * time.Hour)
			w.ended(id, incident.OutcomeGivenBack)
			w.contained(incident.Isolate, 1, 1)
			w.contained(incident.RateLimit, 1, 1)
			if waited := slices.Contains(edr.queues, "contain "+protocol.ContainQueue); waited != busy {
				t.Errorf("the EDR was asked by %q", edr.queues)
			}
		})
	}
}

// An attempt that follows one that was lost stays where it is, however many wait:
// elsewhere it would be the first, and not look for what the lost one has taken.
func TestALaterAttemptIsNotSentToTheQueue(t *testing.T) {
	t.Parallel()
	w, id := flood(t)
	w.engine.lost(protocol.HoldUpdate, 1)
	w.engine.of = string(incident.Isolate)
	w.engine.between = func() { w.pauseAt(0, protocol.PauseUpdate, paused(), new(error)) }
	var mu sync.Mutex
	taken := 0
	w.activities.Turn = func(_ context.Context, elsewhere bool) (func(), error) {
		mu.Lock()
		defer mu.Unlock()
		if taken++; elsewhere && taken > 2 {
			return nil, activities.ErrBusy
		}
		return func() {}, nil
	}
	during := w.snap(5*time.Minute, id)
	w.run(5 * time.Hour)
	if s := step(t, *during, "cut-off"); s.Status != incident.StepStanding {
		t.Errorf("cut-off is %s; it is in place since the first attempt", s.Status)
	}
	w.contained(incident.Isolate, 1, 1)
	w.nothingLeft(id)
	w.ended(id, incident.OutcomeGivenBack)
}
