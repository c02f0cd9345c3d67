package service

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/integrations/stanch"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const alert = `{"id":"a-1","category":"high_egress","host":{"id":"ws-042","name":"ws-042.corp.example","ip":["10.20.4.42"],"os":"windows"}}`

// An integration with a rate is called through its own task queue only, where
// the engine limits the rate; the case is contained all the same.
func TestARateGoesThroughItsOwnQueue(t *testing.T) {
	needsEngine(t)
	dir := t.TempDir()
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
	c, err := config.Parse("stanch.yaml", fmt.Appendf(nil, `listen: 127.0.0.1:0
data: %q
playbooks: [%q]
integrations:
  edr: { kind: memory, rate: 50/s }
  flows: { kind: memory }
  gateway: { kind: memory }
  inventory: { kind: memory }
  slack: { kind: memory }
sources: { siem: { kind: stanch, auth: { bearer: only-for-this-test } } }
`, filepath.Join(dir, "data"), dir), integrations.NewCatalog(integrations.Vendor{Integrations: []integrations.Spec{estate.Spec()}}, stanch.Vendor()))
	if err != nil {
		t.Fatal(err)
	}
	s, stop := running(t, c)
	defer stop()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+"/v1/alerts/siem", bytes.NewBufferString(alert))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer only-for-this-test")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		t.Fatalf("the alert was answered %s", resp.Status)
	}
	deadline := time.After(time.Minute)
	for look := time.Tick(10 * time.Millisecond); estate.Count("apply", incident.Isolate) == 0; {
		select {
		case <-deadline:
			t.Fatal("the host is not isolated")
		case <-look:
		}
	}
	asked := 0
	history := s.Client().GetWorkflowHistory(t.Context(), protocol.CaseWorkflowID("high-egress-windows/ws-042"), "", false,
		enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		event, err := history.Next()
		if err != nil {
			t.Fatal(err)
		}
		scheduled := event.GetActivityTaskScheduledEventAttributes()
		if scheduled.GetActivityType().GetName() != activities.FindEndpoint.Name {
			continue
		}
		asked++
		if got := scheduled.GetTaskQueue().GetName(); got != protocol.QueueOf("edr") {
			t.Errorf("the EDR was asked through %q", got)
		}
	}
	if asked == 0 {
		t.Error("the EDR was not asked through a queue at all")
	}
}
