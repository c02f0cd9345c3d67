package service

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/cmd/internal/metrics"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/integrations/stanch"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// limitedConfig has an EDR whose product is limited, and isolates more slowly.
func limitedConfig(t *testing.T, dir string) (*config.Config, *memory.Estate) {
	t.Helper()
	text := bytes.Replace(libraryText(t, "high-egress-windows"), []byte("mode: shadow"), []byte("mode: enforce"), 1)
	if err := os.WriteFile(filepath.Join(dir, "p.yaml"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	estate, err := memory.New(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := estate.Populate(memory.Flood); err != nil {
		t.Fatal(err)
	}
	slow := estate.Spec()
	slow.Kind = "slow"
	slow.Limits = []integrations.Limit{
		{N: 50, Per: time.Second, Source: "doc"},
		{Name: "isolation", N: 120, Per: time.Minute, Actions: []incident.Action{incident.Isolate}, Source: "doc"},
	}
	c, err := config.Parse("stanch.yaml", fmt.Appendf(nil, `listen: 127.0.0.1:0
data: %q
playbooks: [%q]
integrations:
  edr: { kind: slow }
  flows: { kind: memory }
  gateway: { kind: memory }
  inventory: { kind: memory }
  slack: { kind: memory }
sources: { siem: { kind: stanch, auth: { bearer: only-for-this-test } } }
`, filepath.Join(dir, "data"), dir), integrations.NewCatalog(integrations.Vendor{Integrations: []integrations.Spec{estate.Spec(), slow}}, stanch.Vendor()))
	if err != nil {
		t.Fatal(err)
	}
	return c, estate
}

// Without a setting the limits of a kind pace what is begun: through its task queue, and
// for a class of operations through that of the class.
func TestLimitsOfAKindGoThroughTheirQueues(t *testing.T) {
	needsEngine(t)
	c, estate := limitedConfig(t, t.TempDir())
	s, stop := running(t, c)
	defer stop()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+"/v1/alerts/siem", strings.NewReader(alert))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer only-for-this-test")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	until(t, "the host to be isolated", func() bool { return estate.Count("apply", incident.Isolate) > 0 })
	queues := map[string]string{}
	list, err := s.Client().ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list.GetExecutions() {
		history := s.Client().GetWorkflowHistory(t.Context(), e.GetExecution().GetWorkflowId(), e.GetExecution().GetRunId(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for history.HasNext() {
			event, err := history.Next()
			if err != nil {
				t.Fatal(err)
			}
			if a := event.GetActivityTaskScheduledEventAttributes(); strings.HasPrefix(e.GetExecution().GetWorkflowId(), "lease/") && strings.Contains(e.GetExecution().GetWorkflowId(), "isolate") ||
				a.GetActivityType().GetName() == activities.FindEndpoint.Name {
				if name := a.GetActivityType().GetName(); name != "" {
					queues[name] = a.GetTaskQueue().GetName()
				}
			}
		}
	}
	if queues[activities.Apply.Name] != protocol.QueueOfClass("edr", "isolation") || queues[activities.FindEndpoint.Name] != protocol.QueueOf("edr") {
		t.Errorf("the EDR was asked through %v", queues)
	}
}

// Two workers of one queue are given no more than one: what is asked of a product is bounded
// however many processes there are.
func TestThePaceIsOfAllWorkersTogether(t *testing.T) {
	needsEngine(t)
	c, _ := limitedConfig(t, t.TempDir())
	s, stop := running(t, c)
	defer stop()
	const pace, asked = 5, 20
	var mu sync.Mutex
	var began []time.Time
	for range 2 {
		w := s.paced("paced", pace)
		w.RegisterActivityWithOptions(func(context.Context) error {
			mu.Lock()
			defer mu.Unlock()
			began = append(began, time.Now())
			return nil
		}, activity.RegisterOptions{Name: "ask"})
		if err := w.Start(); err != nil {
			t.Fatal(err)
		}
		defer w.Stop()
	}
	w := worker.New(s.client, "asking", worker.Options{})
	w.RegisterWorkflowWithOptions(func(ctx workflow.Context) error {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{TaskQueue: "paced", StartToCloseTimeout: time.Minute})
		var all []workflow.Future
		for range asked {
			all = append(all, workflow.ExecuteActivity(ctx, "ask"))
		}
		for _, f := range all {
			if err := f.Get(ctx, nil); err != nil {
				return err
			}
		}
		return nil
	}, workflow.RegisterOptions{Name: "asks"})
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	run, err := s.client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: "asking"}, "asks")
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Get(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(began, time.Time.Compare)
	// What has saved up before the first may come at once, a second's worth.
	if took := began[asked-1].Sub(began[0]); took < (asked-pace-1)*time.Second/pace {
		t.Errorf("%d activities began within %s: more than %d a second", asked, took, pace)
	}
}

// sharing notes what share of a product's limits it was given.
type sharing struct {
	mu        sync.Mutex
	processes int
}

func (s *sharing) Share(processes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.processes = processes
}

func (s *sharing) told() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.processes
}

// Each worker that comes makes the others' share of a product's limits smaller.
func TestWorkersShareTheLimitsOfAProduct(t *testing.T) {
	needsEngine(t)
	c, _ := limitedConfig(t, t.TempDir())
	s, stop := running(t, c)
	defer stop()
	product := &sharing{}
	s.set.Add("product", integrations.Spec{Kind: "sharing"}, product)
	told := func(want int) {
		t.Helper()
		until(t, fmt.Sprintf("%d processes to share the limits", want), func() bool {
			s.share(t.Context())
			return product.told() == want
		})
	}
	told(1)
	for i := range 3 {
		o := s.workerOptions()
		o.Identity = fmt.Sprintf("other-%d", i)
		w := worker.New(s.client, protocol.QueueOf("product"), o)
		w.RegisterActivityWithOptions(func(context.Context) error { return nil }, activity.RegisterOptions{Name: "ask"})
		if err := w.Start(); err != nil {
			t.Fatal(err)
		}
		defer w.Stop()
		told(2 + i)
	}
}

// A case or a lease whose queue nobody would serve is found before an upgrade.
func TestQueuesWithoutAWorkerAreFound(t *testing.T) {
	c, _ := limitedConfig(t, t.TempDir())
	if got := ownQueues(c); got[protocol.QueueOf("edr")] != 25 || got[protocol.QueueOfClass("edr", "isolation")] != 120.0/61 || got[protocol.QueueOf("flows")] != 0 || len(got) != 6 {
		t.Errorf("the queues are %v", got)
	}
	site := newUpgradeSite(c)
	for queue, served := range map[string]bool{
		"": true, protocol.QueueOf("edr"): true, protocol.QueueOf("flows"): true, protocol.QueueOfClass("edr", "isolation"): true,
		protocol.QueueOf("gone"): false, protocol.QueueOfClass("edr", "script"): false, protocol.QueueOfClass("flows", "isolation"): false,
	} {
		if why := site.Served(queue); (why == "") != served {
			t.Errorf("queue %q: %q", queue, why)
		}
	}
	pin := activities.Pin{Digest: "d", Classes: []activities.PinnedClass{{Use: "edr", Name: "isolation"}, {Use: "edr", Name: "script"}}}
	if why := site.Pinned(pin); !slices.ContainsFunc(why, func(w string) bool { return strings.Contains(w, protocol.QueueOfClass("edr", "script")) }) || strings.Contains(strings.Join(why, " "), protocol.QueueOfClass("edr", "isolation")) {
		t.Errorf("a case with a class that is gone: %q", why)
	}
}

// circuit is an integration whose product is asked or not.
type circuit struct{ is integrations.Circuit }

func (c *circuit) Circuit() integrations.Circuit { return c.is }

func TestCircuitsAreShown(t *testing.T) {
	s := &Service{set: integrations.NewSet()}
	for name, is := range map[string]integrations.Circuit{"a": integrations.CircuitClosed, "b": integrations.CircuitHalfOpen, "c": integrations.CircuitOpen} {
		s.set.Add(name, integrations.Spec{}, &circuit{is})
	}
	s.set.Add("d", integrations.Spec{}, struct{}{})
	points, err := s.circuits(context.Background())
	if err != nil || len(points) != 3 {
		t.Fatalf("%d points, %v", len(points), err)
	}
	for i, p := range points {
		if p.Name != metrics.Circuit || p.Labels[0] != string(rune('a'+i)) || p.Value != float64(i) {
			t.Errorf("point %d is %+v", i, p)
		}
	}
}
