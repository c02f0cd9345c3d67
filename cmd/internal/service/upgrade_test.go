package service

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/cmd/internal/upgrade"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/integrations/stanch"
	"github.com/stanch-soar/stanch/workflows"
)

// allKinds are the workflows of Stanch.
func allKinds() []string {
	return []string{
		protocol.BudgetWorkflow, protocol.ChannelWorkflow, protocol.ClaimWorkflow, protocol.ClickWorkflow,
		protocol.LeaseWorkflow, protocol.RejectedWorkflow, protocol.RespondWorkflow, protocol.DailyWorkflow,
	}
}

const upgradeKey = "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

// upgradeConfig is a configuration with some integrations, over what an engine kept.
func upgradeConfig(t *testing.T, dir, keys string, uses ...string) *config.Config {
	t.Helper()
	estate, err := memory.New(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := estate.Populate(memory.Flood); err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "listen: 127.0.0.1:0\ndata: %q\nplaybooks: [%q]\nintegrations:\n", filepath.Join(dir, "data"), filepath.Join(dir, "playbooks"))
	for _, use := range uses {
		fmt.Fprintf(&text, "  %s: { kind: memory }\n", use)
	}
	if slices.Contains(uses, "slack") {
		fmt.Fprint(&text, "standing: { use: slack, channel: '#sec' }\n")
	}
	if keys != "" {
		fmt.Fprintf(&text, "temporal: { encryption_keys: %q }\n", keys)
	}
	fmt.Fprint(&text, "sources: { siem: { kind: stanch, auth: { bearer: only-for-this-test } } }\n")
	c, err := config.Parse("stanch.yaml", text.Bytes(), integrations.NewCatalog(integrations.Vendor{Integrations: []integrations.Spec{estate.Spec()}}, stanch.Vendor()))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// leaveOpen runs a service until a workflow of each kind is open, and stops it.
func leaveOpen(t *testing.T, dir string) {
	t.Helper()
	playbook := bytes.Replace(libraryText(t, "high-egress-windows"), []byte("mode: shadow"), []byte("mode: enforce"), 1)
	if err := os.MkdirAll(filepath.Join(dir, "playbooks"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "playbooks", "p.yaml"), playbook, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Start(t.Context(), Options{Config: upgradeConfig(t, dir, upgradeKey, "edr", "flows", "gateway", "inventory", "slack"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	}()
	for _, body := range []string{alert, `{"id":"a-2","hostt":"ws-042"}`} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+"/v1/alerts/siem", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer only-for-this-test")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	// Nobody works for the queue of this click.
	click := protocol.ClickInput{Click: integrations.Click{Use: "slack", ID: "1"}, Queue: protocol.QueueOf("nobody")}
	if err := s.engine.KeepClick(t.Context(), click); err != nil {
		t.Fatal(err)
	}
	deadline := time.After(time.Minute)
	for look := time.Tick(20 * time.Millisecond); ; {
		list, err := s.Client().ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Query: "ExecutionStatus = 'Running'"})
		if err != nil {
			t.Fatal(err)
		}
		var open []string
		for _, e := range list.GetExecutions() {
			if s.ran(t, e.GetExecution()) {
				open = append(open, e.GetType().GetName())
			}
		}
		if !slices.ContainsFunc(allKinds(), func(kind string) bool { return !slices.Contains(open, kind) }) {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("of the kinds of workflows only %q are open", open)
		case <-look:
		}
	}
}

// ran reports whether a worker has completed a task of a workflow.
func (s *Service) ran(t *testing.T, e *commonpb.WorkflowExecution) bool {
	t.Helper()
	events := s.Client().GetWorkflowHistory(t.Context(), e.GetWorkflowId(), e.GetRunId(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			t.Fatal(err)
		}
		if event.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			return true
		}
	}
	return false
}

// All that an engine kept goes on with this build, encrypted as it is. A change of
// each kind of workflow is found, and what the configuration lacks.
func TestCheckUpgrade(t *testing.T) {
	needsEngine(t)
	dir := t.TempDir()
	leaveOpen(t, dir)
	all := []string{"edr", "flows", "gateway", "inventory", "slack"}
	failing := func(c *config.Config, register func(workflows.Registry)) map[string]string {
		t.Helper()
		result, err := CheckUpgrade(t.Context(), UpgradeOptions{Config: c, Scratch: t.TempDir(), Check: upgrade.Check{Register: register}})
		if err != nil {
			t.Fatal(err)
		}
		if len(result.Kinds) != len(allKinds()) || result.Others > 0 {
			t.Errorf("%d kinds were checked, and %d others: %+v", len(result.Kinds), result.Others, result)
		}
		why := map[string]string{}
		for _, w := range result.Workflows {
			why[w.Kind] += strings.Join(w.Why, "\n")
		}
		return why
	}
	if why := failing(upgradeConfig(t, dir, upgradeKey, all...), nil); len(why) > 0 {
		t.Errorf("today's build would stop %v", why)
	}
	why := failing(upgradeConfig(t, dir, upgradeKey, all...), func(r workflows.Registry) { workflows.Register(changed{r}) })
	for _, kind := range allKinds() {
		if !strings.Contains(why[kind], "[TMPRL1100]") {
			t.Errorf("a changed %s would stop with %q", kind, why[kind])
		}
	}
	why = failing(upgradeConfig(t, dir, upgradeKey, all[1:]...), nil)
	for _, kind := range []string{protocol.RespondWorkflow, protocol.LeaseWorkflow} {
		if !strings.Contains(why[kind], `no integration "edr" is configured`) {
			t.Errorf("without the EDR, %s would stop with %q", kind, why[kind])
		}
	}
	why = failing(upgradeConfig(t, dir, "", all...), nil)
	if len(why) != len(allKinds()) || !strings.Contains(why[protocol.LeaseWorkflow], "read it as") {
		t.Errorf("without the key would stop %v", why)
	}
}

// changed registers workflows whose first task asks for three timers and nothing else.
type changed struct{ workflows.Registry }

func (c changed) RegisterWorkflowWithOptions(_ any, o workflow.RegisterOptions) {
	c.Registry.RegisterWorkflowWithOptions(func(ctx workflow.Context) error {
		for range 3 {
			workflow.NewTimer(ctx, time.Hour)
		}
		return workflow.Await(ctx, func() bool { return false })
	}, o)
}
