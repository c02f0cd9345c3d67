package main_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/cmd/internal/service"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/workflows"
)

// recorder is a service in this process, whose estate the test can change.
type recorder struct {
	*site
	service *service.Service
	estate  *memory.Estate
	// sample is a recorded alert that is retried.
	sample string
	// kept are the histories by name.
	kept map[string][]byte
}

// TestRecordHistories takes every path that a case can go, on a real engine,
// and replays what it recorded. With -record those of new paths are written
// next to the others, else only their names are compared.
func TestRecordHistories(t *testing.T) {
	t.Parallel()
	all := paths()
	r := newRecorder(t, all)
	alone := slices.IndexFunc(all, func(p *path) bool { return p.alone })
	r.take(all[:alone])
	for i := range all[alone:] {
		r.take(all[alone:][i : i+1])
	}
	r.rejectAlert()
	r.continueBudget()
	r.showMessages()
	r.answerAlerts()
	if *record && !t.Failed() {
		r.write()
	}
	r.compareNames()
}

func newRecorder(t *testing.T, all []*path) *recorder {
	t.Helper()
	r := &recorder{site: newSite(t), kept: map[string][]byte{}}
	// Many cases are under way, and are looked at in turn.
	r.glance, r.patience = 20*glance, 4*patience
	if *record {
		r.patience = 10 * patience
	}
	if err := os.RemoveAll(r.path("playbooks")); err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		r.layPlaybook(p)
	}
	catalog, text := withRouter(configuration(""))
	text = strings.Replace(text, "sources:\n", "sources:\n  answered: { kind: stanch, auth: { bearer: "+sourceToken+" }, rate: 10000/s, reply: slack }\n", 1)
	c, err := config.Parse(r.path("stanch.yaml"), []byte(text), catalog)
	if err != nil {
		t.Fatal(err)
	}
	r.service, err = service.Start(t.Context(), service.Options{Config: c, Log: quiet(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.service.Stop(); err != nil {
			t.Error(err)
		}
	})
	r.url = r.service.URL()
	if r.estate, err = integrations.Use[*memory.Estate](r.service.Integrations(), "edr"); err != nil {
		t.Fatal(err)
	}
	return r
}

// layPlaybook writes the path's playbook, which takes the alerts of its
// category and whose leases are short.
func (r *recorder) layPlaybook(p *path) {
	r.t.Helper()
	if p.name == playbooks.Unmatched || p.merges {
		return
	}
	name, edits := "high-egress-windows", []string{"'high_egress'", "'" + p.name + "'", "ttl: 1h", "ttl: 6s", "ttl: 4h", "ttl: 6s"}
	if p.playbook == "dns-amplification" {
		name, edits = p.playbook, []string{"'dns_amplification'", "'" + p.name + "'", "ttl: 1h", "ttl: 6s", "ttl: 2h", "ttl: 6s"}
	}
	edits = append(edits, "name: "+name, "name: "+p.name)
	r.site.write("playbooks/"+p.name+".yaml", enforced(r.t, name, append(edits, p.edits...)...))
}

func (p *path) hostName() string { return "ws-" + cmp.Or(p.of, p.name) }

// playbookName is the name of the path's playbook, and the category of its
// alerts.
func (p *path) playbookName() string {
	if p.merges {
		return p.of
	}
	return p.name
}

// subject is what the path's alerts call the host.
func (p *path) subject() string { return cmp.Or(p.calls, p.hostName()) }

func (p *path) caseID() string { return p.playbookName() + "/" + p.subject() }

// address is one that no other host of a path has.
func (p *path) address() string {
	at := slices.IndexFunc(paths(), func(o *path) bool { return o.name == cmp.Or(p.of, p.name) })
	return fmt.Sprintf("10.30.%d.1", at)
}

// addHost adds the workstation of a path: for two weeks it did what all do, and
// lately a script of it asks name servers all over the world.
func (r *recorder) addHost(p *path) {
	r.t.Helper()
	if p.of != "" {
		return
	}
	resolvers := make([]string, 0, 24)
	for i := range cap(resolvers) {
		resolvers = append(resolvers, fmt.Sprintf("198.51.100.%d", 10+i))
	}
	known := func(s string) incident.Value[string] { return incident.Known(s, incident.FromInventory) }
	h := memory.Host{
		ID: p.hostName(), Name: p.hostName() + ".corp.example", IPs: []string{p.address()}, OS: "windows", Role: "workstation",
		Asset: incident.Asset{Role: known("workstation"), Site: known(p.name)},
		Processes: []memory.Process{{
			Path: `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`, Name: "powershell.exe", PID: 7316, User: `CORP\anna`, Signed: true,
			Streams: []memory.Stream{
				{Destinations: []string{"203.0.113.10"}, DstPort: 443, Transport: "tcp", BitsOut: 60_000, BitsIn: 90_000, From: -15 * 24 * time.Hour},
				{Destinations: resolvers, DstPort: 53, Transport: "udp", BitsOut: 40_000_000, PacketBytes: 72, From: -10 * time.Minute},
			},
		}},
	}
	if p.host != nil {
		p.host(&h)
	}
	if err := r.estate.AddHost(h); err != nil {
		r.t.Fatal(err)
	}
}

// alertFor sends an alert about the path's host, with further fields.
func (r *recorder) alertFor(p *path, id string, status incident.AlertStatus, fields ...map[string]any) (api.Accepted, int) {
	host := map[string]any{"id": p.subject(), "name": p.hostName() + ".corp.example", "ip": []string{p.address()}, "os": "windows"}
	if p.calls != "" {
		host["name"] = p.calls
	}
	if p.nameOnly {
		host = map[string]any{"name": p.calls, "os": "windows"}
	}
	alert := map[string]any{
		"id": p.name + "-" + id, "category": p.playbookName(), "rule": "Large outbound traffic", "status": status, "host": host,
	}
	for _, more := range fields {
		maps.Copy(alert, more)
	}
	var accepted api.Accepted
	code := r.post("/v1/alerts/"+cmp.Or(p.source, "siem"), sourceToken, alert, &accepted)
	return accepted, code
}

// opens sends the path's first alert.
func opens(r *recorder, p *path) bool {
	_, code := r.alertFor(p, "first", incident.Firing, p.alert)
	return code == http.StatusAccepted
}

// atOnce is how many paths are under way at a time: more would have calls time
// out, and their histories say little else.
const atOnce = 12

// take takes paths side by side, each from its alert to the end of its case, and
// keeps their histories.
func (r *recorder) take(all []*path) {
	r.t.Helper()
	next, open, waiting := all, []*path{}, []string{}
	r.t.Cleanup(func() {
		if len(open) > 0 {
			r.t.Logf("paths that did not end: %q", waiting)
		}
	})
	r.wait("all paths to end", func() bool {
		for len(open) < atOnce && len(next) > 0 {
			r.begin(next[0])
			open, next = append(open, next[0]), next[1:]
		}
		waiting = nil
		open = slices.DeleteFunc(open, func(p *path) bool {
			for len(p.steps) > 0 && p.steps[0](r, p) {
				p.steps = p.steps[1:]
			}
			if len(p.steps) == 0 && r.see(p.caseID()).EvidenceDir != "" && r.ended(protocol.CaseWorkflowID(p.caseID())) {
				return true
			}
			waiting = append(waiting, fmt.Sprintf("%s before %d steps", p.name, len(p.steps)))
			return false
		})
		return len(open)+len(next) == 0
	})
	for _, p := range all {
		r.keepPath(p)
	}
}

// begin lays out a path, and sends its first alert or has it be sent in time.
func (r *recorder) begin(p *path) {
	r.t.Helper()
	r.addHost(p)
	if p.before != nil {
		if err := p.before(r, p); err != nil {
			r.t.Fatalf("path %s: %v", p.name, err)
		}
	}
	if p.begins != nil {
		p.steps = append([]step{p.begins, opens}, p.steps...)
	} else if !opens(r, p) {
		r.t.Fatalf("path %s: its alert was not accepted", p.name)
	}
}

// keepPath keeps the histories of a case that has ended, and of its leases.
func (r *recorder) keepPath(p *path) {
	r.t.Helper()
	c := r.see(p.caseID())
	if c.Outcome != p.outcome {
		r.t.Errorf("path %s ended as %q, want %q", p.name, c.Outcome, p.outcome)
		r.showTimeline(c)
	}
	r.keep("respond-"+p.name, protocol.CaseWorkflowID(p.caseID()), "")
	for _, s := range c.Steps {
		if p.leases && s.Action.Leased() && r.started(leaseOf(c, s)) {
			r.keep("lease-"+p.name+"-"+string(s.Action), leaseOf(c, s), "")
		}
	}
	if p.claim {
		r.keep("claim-"+p.name, protocol.ClaimID(p.playbookName(), "edr", *c.Target), "")
	}
}

// leaseOf is the id of the lease of a step, also of one that does not hold it.
func leaseOf(c incident.Case, s incident.StepState) string {
	return cmp.Or(s.Lease, protocol.LeaseID(s.Use, incident.Order{Action: s.Action, Target: *c.Target}))
}

// started reports whether there is a workflow of an id.
func (r *recorder) started(id string) bool {
	return r.status(id) != enumspb.WORKFLOW_EXECUTION_STATUS_UNSPECIFIED
}

// ended reports whether the last run of a workflow is over.
func (r *recorder) ended(id string) bool {
	return r.status(id) == enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
}

func (r *recorder) status(id string) enumspb.WorkflowExecutionStatus {
	described, err := r.service.Client().DescribeWorkflowExecution(r.t.Context(), id, "")
	if _, none := errors.AsType[*serviceerror.NotFound](err); err != nil && !none {
		r.t.Fatal(err)
	}
	return described.GetWorkflowExecutionInfo().GetStatus()
}

// keep downloads a history, replays it, and keeps it as the JSON that Temporal's
// tools read.
func (r *recorder) keep(name, workflowID, run string) {
	r.t.Helper()
	var h historypb.History
	events := r.service.Client().GetWorkflowHistory(r.t.Context(), workflowID, run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			r.t.Fatalf("read the history %s: %v", name, err)
		}
		h.Events = append(h.Events, event)
	}
	r.decode(&h)
	text, err := temporalproto.CustomJSONMarshalOptions{}.Marshal(&h)
	if err != nil {
		r.t.Fatal(err)
	}
	// Other load of the machine is not a deadlock. What is replayed is changed by
	// that: the SDK notes new search attributes in the first event.
	replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{DisableDeadlockDetection: true})
	if err != nil {
		r.t.Fatal(err)
	}
	workflows.Register(replayer)
	if err := replayer.ReplayWorkflowHistory(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)), &h); err != nil {
		r.t.Errorf("%s does not replay: %v", name, err)
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err = w.Write(text)
	if err = errors.Join(err, w.Close()); err != nil {
		r.t.Fatal(err)
	}
	r.kept[name+generation] = packed.Bytes()
}

// rejectAlert keeps the history of a rejected alert that waits.
func (r *recorder) rejectAlert() {
	r.t.Helper()
	if status := r.post("/v1/alerts/siem", sourceToken, map[string]any{"id": "r-1", "hostt": "ws-042"}, nil); status != http.StatusUnprocessableEntity {
		r.t.Fatalf("an alert that cannot be read has the status %d", status)
	}
	var list api.RejectedList
	r.wait("the rejected alert that waits", func() bool { return r.get("/v1/rejected", &list) == http.StatusOK && len(list.Rejected) == 1 })
	r.keep("rejected-waiting", "rejected/"+list.Rejected[0].ID, "")
}

// continueBudget asks the budget so often that it goes on in a new run, and
// keeps both.
func (r *recorder) continueBudget() {
	r.t.Helper()
	first := r.runOf(protocol.BudgetID)
	next := make(chan int)
	failed := make(chan error, budgetAsked)
	var asking sync.WaitGroup
	for range budgetAskers {
		asking.Go(func() {
			for i := range next {
				failed <- r.reserve(fmt.Sprintf("many-%d", i))
			}
		})
	}
	for i := range budgetAsked {
		next <- i
	}
	close(next)
	asking.Wait()
	close(failed)
	for err := range failed {
		if err != nil {
			r.t.Fatal(err)
		}
	}
	r.wait("the budget to go on in a new run", func() bool { return r.runOf(protocol.BudgetID) != first })
	if err := r.reserve("one-more"); err != nil {
		r.t.Fatal(err)
	}
	r.keep("budget-continued", protocol.BudgetID, first)
	r.keep("budget-goes-on", protocol.BudgetID, "")
}

// A server takes so many updates of a workflow at a time, and so many in all
// before a workflow goes on in a new run.
const (
	budgetAskers = 8
	budgetAsked  = 2100
)

func (r *recorder) reserve(id string) error {
	// What a limit counts crosses to the new run, and is large by then.
	counted := protocol.Limit{Guardrail: "many", Action: incident.Block, Per: "all", Max: 2 * budgetAsked, Window: time.Hour}
	handle, err := r.service.Client().UpdateWorkflow(r.t.Context(), client.UpdateWorkflowOptions{
		WorkflowID: protocol.BudgetID, UpdateName: protocol.ReserveUpdate, UpdateID: id,
		Args: []any{protocol.ReserveRequest{ID: id, Action: incident.Block, Limits: []protocol.Limit{counted}}}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err != nil {
		return fmt.Errorf("ask the budget: %w", err)
	}
	return handle.Get(r.t.Context(), nil)
}

func (r *recorder) runOf(workflowID string) string {
	r.t.Helper()
	described, err := r.service.Client().DescribeWorkflowExecution(r.t.Context(), workflowID, "")
	if err != nil {
		r.t.Fatal(err)
	}
	return described.GetWorkflowExecutionInfo().GetExecution().GetRunId()
}
