package service

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
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

// held is an EDR that isolates nothing until it is let.
type held struct {
	*memory.Estate
	open        chan struct{}
	mu          sync.Mutex
	under, most int
}

func (h *held) Apply(ctx context.Context, order incident.Order) (incident.Receipt, error) {
	h.mu.Lock()
	h.under++
	h.most = max(h.most, h.under)
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		h.under--
		h.mu.Unlock()
	}()
	select {
	case <-h.open:
	case <-ctx.Done():
		return incident.Receipt{}, ctx.Err()
	}
	return h.Estate.Apply(ctx, order)
}

func (h *held) now() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.under
}

const isolatesAll = `apiVersion: stanch/v1
kind: Playbook
name: all
owner: test
mode: enforce
description: Isolates whatever floods.
trigger: { match: alert.category == 'high_egress', subject: alert.host.id }
enrich:
  endpoint: { use: edr, timeout: 20s, required: true }
  traffic: { use: edr, timeout: 20s }
unsure: nobody
decide:
  - { rule: all, severity: high, because: It is a test., do: [cut-off] }
steps:
  cut-off: { action: isolate, use: edr, ttl: 24h, verify: { egress_below: 64kbit, within: 5m } }
approvals:
  nobody: { ask: { edr: '#test' }, approvers: { people: [nobody] }, expire_after: 1h }
`

// More cases want to contain at once than may: so many act, so many more wait in
// the process, and the others in their queue. What else a case does waits for
// none of them, and in the end each host is isolated once.
func TestContainmentsTakeTurns(t *testing.T) {
	needsEngine(t)
	const cases = containAtOnce + containWait + 12
	edr := &held{open: make(chan struct{})}
	var err error
	if edr.Estate, err = memory.New(memory.Options{}); err != nil {
		t.Fatal(err)
	}
	hosts := make([]string, cases)
	for i := range hosts {
		hosts[i] = fmt.Sprintf("ws-%03d", i)
		if err := edr.AddHost(memory.Host{ID: hosts[i], Name: hosts[i], IPs: []string{fmt.Sprintf("10.1.0.%d", i+1)}, OS: "windows", Role: "workstation"}); err != nil {
			t.Fatal(err)
		}
	}
	spec := edr.Spec()
	spec.Implements = (*held)(nil)
	spec.Open = func(context.Context, any) (any, error) { return edr, nil }
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "all.yaml"), []byte(isolatesAll), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse("stanch.yaml", fmt.Appendf(nil, `listen: 127.0.0.1:0
data: %q
playbooks: [%q]
integrations: { edr: { kind: memory } }
sources: { siem: { kind: stanch, auth: { bearer: only-for-this-test }, rate: 1000/s } }
`, filepath.Join(dir, "data"), dir), integrations.NewCatalog(integrations.Vendor{Integrations: []integrations.Spec{spec}}, stanch.Vendor()))
	if err != nil {
		t.Fatal(err)
	}
	s, stop := running(t, c)
	defer stop()
	for _, host := range hosts {
		s.alert(t, host)
	}
	queued := map[string]int{}
	until(t, "every case to contain or to wait", func() bool {
		clear(queued)
		for _, host := range hosts {
			if at := s.containsOn(t, host); len(at) > 0 {
				queued[at[len(at)-1]]++
			}
		}
		return queued[protocol.TaskQueue] == containAtOnce+containWait && queued[protocol.ContainQueue] == cases-containAtOnce-containWait &&
			edr.now() == containAtOnce
	})
	close(edr.open)
	until(t, "every host to be isolated", func() bool { return edr.Count("apply", incident.Isolate) >= cases })
	if n := edr.Count("apply", incident.Isolate); n != cases || edr.most != containAtOnce {
		t.Errorf("%d isolations of %d hosts, %d at a time; at most %d are allowed", n, cases, edr.most, containAtOnce)
	}
}

// running starts a service that logs nothing, and returns what stops it.
func running(t *testing.T, c *config.Config) (s *Service, stop func()) {
	t.Helper()
	s, err := Start(t.Context(), Options{Config: c, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return s, func() {
		t.Helper()
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	}
}

func (s *Service) alert(t *testing.T, host string) {
	t.Helper()
	body := fmt.Sprintf(`{"id":"a-%s","category":"high_egress","host":{"id":%q,"name":%q,"os":"windows"}}`, host, host, host)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+"/v1/alerts/siem", bytes.NewBufferString(body))
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
}

// containsOn returns the task queues on which a case has scheduled to contain.
func (s *Service) containsOn(t *testing.T, host string) []string {
	t.Helper()
	var queues []string
	history := s.Client().GetWorkflowHistory(t.Context(), protocol.CaseWorkflowID("all/"+host), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		event, err := history.Next()
		if err != nil {
			t.Fatal(err)
		}
		if a := event.GetActivityTaskScheduledEventAttributes(); a.GetActivityType().GetName() == activities.Contain.Name {
			queues = append(queues, a.GetTaskQueue().GetName())
		}
	}
	return queues
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	for look := time.Tick(200 * time.Millisecond); !holds(); {
		select {
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		case <-look:
		}
	}
}
