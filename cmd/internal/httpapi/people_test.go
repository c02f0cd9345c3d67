package httpapi_test

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/engine"
	"github.com/stanch-soar/stanch/cmd/internal/httpapi"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func TestPeoplesEndpointsAreClosedToStrangers(t *testing.T) {
	endpoints := []string{
		"GET /v1/cases", "GET /v1/cases/contain/ws-1", "POST /v1/cases/contain/ws-1/decide", "POST /v1/cases/contain/ws-1/close",
		"GET /v1/leases", "GET /v1/leases/drift", "POST /v1/leases/extend", "POST /v1/leases/release", "POST /v1/release",
		"GET /v1/budget", "POST /v1/pause", "POST /v1/resume",
		"GET /v1/rejected", "GET /v1/rejected/siem/0", "POST /v1/rejected/siem/0/retry",
	}
	nobody := newSide(t, func(o *httpapi.Options) { o.People = nil })
	twins := newSide(t, func(o *httpapi.Options) {
		o.People = []httpapi.Person{person("alice", aliceToken), person("mallory", aliceToken)}
	})
	tokenless := newSide(t, func(o *httpapi.Options) { o.People = []httpapi.Person{{Person: incident.Person{ID: "alice"}}} })
	s := newSide(t)
	for _, e := range endpoints {
		method, path, _ := cut(e)
		for name, a := range map[string]answer{
			"no token":               s.call(method, path, "", nil),
			"a wrong token":          s.call(method, path, "guess", nil),
			"a source's token":       s.call(method, path, siemToken, nil),
			"another scheme":         s.call(method, path, "", nil, header("Authorization", "Basic "+aliceToken)),
			"nobody configured":      nobody.call(method, path, aliceToken, nil),
			"two people, one token":  twins.call(method, path, aliceToken, nil),
			"a person with no token": tokenless.call(method, path, aliceToken, nil),
		} {
			if a.status != http.StatusUnauthorized {
				t.Errorf("%s with %s: %d %s, want 401", e, name, a.status, a.body)
			}
		}
	}
}

func TestADecisionIsRefusedWithItsRule(t *testing.T) {
	s := newSide(t)
	ref := s.send(alert("a", "ask", host(t))).Cases[0]
	c := s.until(ref, "the case asks", awaiting)
	plan := c.Approvals[0].PlanDigest
	decide := "/v1/cases/" + ref.ID + "/decide"

	for _, tt := range []struct {
		name, token, kind string
		status            int
		body              any
	}{
		{"no plan", aliceToken, "invalid", 400, api.DecideRequest{Approve: true}},
		{"an unknown field", aliceToken, "invalid", 400, `{"approve":true,"plan":"x","force":true}`},
		{"two documents", aliceToken, "invalid", 400, `{"approve":true,"plan":"x"}{}`},
		{"a stray bracket", aliceToken, "invalid", 400, `{"approve":true,"plan":"x"}}`},
		{"a made-up channel", aliceToken, "invalid", 400, api.DecideRequest{Approve: true, Plan: plan, Via: "slack"}},
		{"not an approver", eveToken, "not_an_approver", 409, api.DecideRequest{Approve: true, Plan: plan}},
		{"another plan", aliceToken, "plan_changed", 409, api.DecideRequest{Approve: true, Plan: "sha256:0"}},
		{"another question", aliceToken, "not_pending", 409, api.DecideRequest{Approve: true, Plan: plan, Approval: "second"}},
		{"no reason", aliceToken, "reason_required", 409, api.DecideRequest{Plan: plan}},
	} {
		s.call("POST", decide, tt.token, tt.body).refused(tt.status, tt.kind)
	}
	if got := s.show(ref.ID, ref.Run); got.Status != incident.Awaiting || len(got.Approvals[0].Votes) != 0 {
		t.Fatalf("refused answers changed the case: %+v", got.Approvals)
	}

	yes := api.DecideRequest{Approve: true, Plan: plan, Approval: "on-call", Via: "cli"}
	for range 2 { // a double click
		var a incident.Approval
		s.call("POST", decide, aliceToken, yes).is(200, &a)
		if a.State != incident.Approved || len(a.Votes) != 1 || a.Votes[0].Person.ID != "alice" || a.Votes[0].Person.Via != "cli" {
			t.Fatalf("the approval is %+v", a)
		}
	}
	s.call("POST", decide, bobToken, yes).refused(409, "not_pending")
	s.call("POST", decide, aliceToken, api.DecideRequest{Plan: plan, Reason: "no"}).refused(409, "not_pending")
	s.until(ref, "the host is contained", contained)
	if n := applied(c.Subject); n != 1 {
		t.Errorf("the host was limited %d times", n)
	}
}

func TestOneAnswerPassesOneGate(t *testing.T) {
	s := newSide(t, func(o *httpapi.Options) {
		o.Playbooks = only(playbook(t, "gates", "gates", "approve: on-call, approve: second, throttle", 1))
	})
	h := host(t)
	ref := s.send(alert("a", "gates", h)).Cases[0]
	plan := s.until(ref, "the first question", awaiting).Approvals[0].PlanDigest
	decide := "/v1/cases/" + ref.ID + "/decide"
	first := api.DecideRequest{Approve: true, Plan: plan, Approval: "on-call"}
	s.call("POST", decide, aliceToken, first).is(200, nil)
	s.until(ref, "the second question", func(c incident.Case) bool { return len(c.Approvals) == 2 })

	var a incident.Approval
	s.call("POST", decide, aliceToken, first).is(200, &a)
	if len(a.Votes) != 1 || a.Votes[0].Person.ID != "alice" || a.Votes[0].Person.Via != "api" {
		t.Errorf("the first question has %+v", a.Votes)
	}
	if c := s.show(ref.ID, ref.Run); a.Name != "on-call" || len(c.Approvals[1].Votes) != 0 {
		t.Fatalf("the repeated first answer reached %s, the second question has %+v", a.Name, c.Approvals[1].Votes)
	}
	s.call("POST", decide, aliceToken, api.DecideRequest{Approve: true, Plan: plan, Approval: "second"}).is(200, &a)
	if a.Name != "second" || a.State != incident.Approved {
		t.Fatalf("the second answer reached %+v", a)
	}
	s.until(ref, "the host is contained", contained)
}

func TestWhatIsNotThereIs404(t *testing.T) {
	needsEngine(t)
	s := newSide(t)
	s.call("GET", "/v1/cases/contain/nobody", aliceToken, nil).refused(404, "not_found")
	s.call("GET", "/v1/cases/contain/nobody?run=nonsense", aliceToken, nil).refused(404, "not_found")
	s.call("POST", "/v1/cases/contain/nobody/decide", aliceToken, api.DecideRequest{Plan: "p"}).refused(404, "not_found")
	s.call("POST", "/v1/cases/contain/nobody/close", aliceToken, api.ReasonRequest{Reason: "r"}).refused(404, "not_found")
	s.call("POST", "/v1/leases/release", aliceToken, api.LeaseRequest{ID: "lease/isolate/edr/x", Reason: "r"}).refused(404, "not_found")
	s.call("GET", "/v1/rejected/siem/0", aliceToken, nil).refused(404, "not_found")
}

func TestALeaseOnlyEndsAsALease(t *testing.T) {
	s := newSide(t)
	ref := s.send(alert("a", "high_egress", host(t))).Cases[0]
	s.until(ref, "the host is contained", contained)
	// The same update is known to a budget, and a case is no lease.
	for _, id := range []string{protocol.BudgetID, "case/" + ref.ID, ""} {
		s.call("POST", "/v1/leases/release", aliceToken, api.LeaseRequest{ID: id, Reason: "r"}).refused(400, "invalid")
	}
}

func TestLeasesAreListedExtendedAndReleased(t *testing.T) {
	s := newSide(t)
	h := host(t)
	ref := s.send(alert("a", "high_egress", h)).Cases[0]
	id := s.until(ref, "the host is contained", contained).Steps[0].Lease

	var mine incident.Lease
	eventually(t, "the lease is listed", func() bool {
		var list api.LeaseList
		s.call("GET", "/v1/leases", aliceToken, nil).is(200, &list)
		for _, l := range list.Leases {
			if l.ID == id {
				mine = l
			}
		}
		return mine.ID != ""
	})
	s.call("POST", "/v1/leases/extend", aliceToken, api.LeaseRequest{ID: id, Reason: "r", For: time.Minute}).refused(409, "invalid")
	s.call("POST", "/v1/leases/extend", aliceToken, api.LeaseRequest{ID: id, For: 2 * time.Hour}).refused(400, "invalid")
	for _, d := range []time.Duration{0, -time.Hour} {
		s.call("POST", "/v1/leases/extend", aliceToken, api.LeaseRequest{ID: id, Reason: "r", For: d}).refused(400, "invalid")
	}
	s.call("POST", "/v1/leases/extend", aliceToken, api.LeaseRequest{ID: id + "x", Reason: "r", For: 2 * time.Hour}).refused(404, "not_found")
	// Eve may ask; the approvers of the lease are asked, and it is unchanged
	// until they have approved.
	longer := api.LeaseRequest{ID: id, Reason: "still dirty", For: 2 * time.Hour}
	var asked api.Extending
	s.call("POST", "/v1/leases/extend", eveToken, longer).is(202, &asked)
	if len(asked.Asked) != 1 || asked.Asked[0].Case != ref.ID || !asked.Until.Equal(mine.Until) {
		t.Fatalf("who is asked: %+v", asked)
	}
	s.call("POST", "/v1/leases/extend", aliceToken, longer).refused(409, "not_pending")
	decide, question := "/v1/cases/"+ref.ID+"/decide", asked.Asked[0].Approval
	yes := api.DecideRequest{Approve: true, Plan: question.PlanDigest, Approval: question.Name}
	s.call("POST", decide, eveToken, yes).refused(409, "not_an_approver")
	if c := s.show(ref.ID, ref.Run); !c.Steps[0].Until.Equal(mine.Until) {
		t.Errorf("before it was approved it stands until %s", c.Steps[0].Until)
	}
	s.call("POST", decide, aliceToken, yes).is(200, nil)
	c := s.until(ref, "it to stand longer", func(c incident.Case) bool { return c.Steps[0].Until.Sub(mine.Until) > 50*time.Minute })
	if n := len(c.Timeline); n == 0 || !slices.ContainsFunc(c.Timeline, func(e incident.Event) bool { return e.Kind == incident.EvExtended && e.By == "eve" }) {
		t.Errorf("the record does not say who asked: %+v", c.Timeline)
	}
	var released incident.Lease
	s.call("POST", "/v1/leases/release", bobToken, api.LeaseRequest{ID: id, Reason: "clean"}).is(200, &released)
	if released.Phase != incident.GivenBack {
		t.Errorf("the lease is %s", released.Phase)
	}
	if c = s.over(ref); c.Outcome != incident.OutcomeGivenBack {
		t.Errorf("the case ended %s", c.Outcome)
	}
	if a := s.call("POST", "/v1/leases/extend", aliceToken, longer); a.status != http.StatusNotFound && a.status != http.StatusConflict {
		t.Errorf("extending what was given back is answered %d %s", a.status, a.body)
	}
}

func TestCloseByHandGivesBack(t *testing.T) {
	s := newSide(t)
	ref := s.send(alert("a", "high_egress", host(t))).Cases[0]
	s.until(ref, "the host is contained", contained)
	s.call("POST", "/v1/cases/"+ref.ID+"/close", aliceToken, api.ReasonRequest{}).refused(409, "reason_required")
	s.call("POST", "/v1/cases/"+ref.ID+"/close", aliceToken, api.ReasonRequest{Reason: "a false alarm"}).is(200, nil)
	c := s.over(ref)
	if c.Outcome != incident.OutcomeClosedByHand || c.Steps[0].Status != incident.StepEnded {
		t.Errorf("the case ended %s with step %+v", c.Outcome, c.Steps[0])
	}
	s.call("POST", "/v1/cases/"+ref.ID+"/close", bobToken, api.ReasonRequest{Reason: "again"}).refused(404, "not_found")
}

func TestThePauseHoldsBackNewContainment(t *testing.T) {
	needsEngine(t)
	s := newSide(t)
	s.call("POST", "/v1/resume", aliceToken, api.ReasonRequest{Reason: "nothing is paused"}).refused(409, "not_pending")
	s.call("POST", "/v1/pause", aliceToken, api.ReasonRequest{Reason: " "}).refused(400, "invalid")
	var state protocol.BudgetState
	s.call("POST", "/v1/pause", aliceToken, api.ReasonRequest{Reason: "a change freeze"}).is(200, &state)
	t.Cleanup(func() { resumed(t) })
	if state.Paused == nil || state.Paused.By != "alice" {
		t.Fatalf("the budget is %+v", state)
	}
	s.call("POST", "/v1/pause", bobToken, api.ReasonRequest{Reason: "me too"}).refused(409, "not_pending")

	held := host(t)
	c := s.over(s.send(alert("a", "high_egress", held)).Cases[0])
	if c.Outcome != incident.OutcomeHeldBack || applied(held) != 0 {
		t.Fatalf("while paused the case ended %s with %d effects", c.Outcome, applied(held))
	}
	s.call("POST", "/v1/resume", bobToken, api.ReasonRequest{Reason: "over"}).is(200, &state)
	var shown protocol.BudgetState
	s.call("GET", "/v1/budget", aliceToken, nil).is(200, &shown)
	if shown.Paused != nil {
		t.Fatalf("after the resume the budget is %+v", shown)
	}
	free := host(t)
	s.until(s.send(alert("a", "high_egress", free)).Cases[0], "the host is contained", contained)
	if applied(free) != 1 {
		t.Errorf("after the resume there were %d effects", applied(free))
	}
}

func TestReleaseSinceGivesBackWhatIsRecent(t *testing.T) {
	s := newSide(t)
	hosts := []string{host(t), host(t), host(t)}
	var refs []api.CaseRef
	for _, h := range hosts {
		ref := s.send(alert("a", "high_egress", h)).Cases[0]
		s.until(ref, "the host is contained", contained)
		refs = append(refs, ref)
	}
	// Seen from ten minutes later, no host was contained in the last five.
	later := newSide(t, func(o *httpapi.Options) { o.Now = func() time.Time { return time.Now().Add(10 * time.Minute) } })
	var got api.Released
	later.call("POST", "/v1/release", aliceToken, api.SinceRequest{Since: 5 * time.Minute, Reason: "r"}).is(200, &got)
	if len(got.Released)+len(got.Undoing)+len(got.Failed) != 0 {
		t.Fatalf("what is old was released: %+v", got)
	}
	s.call("POST", "/v1/release", aliceToken, api.SinceRequest{Reason: "r"}).refused(400, "invalid")
	s.call("POST", "/v1/release", aliceToken, api.SinceRequest{Since: time.Minute}).refused(400, "invalid")

	released := map[string]bool{}
	eventually(t, "all three are given back", func() bool {
		got = api.Released{}
		s.call("POST", "/v1/release", aliceToken, api.SinceRequest{Since: time.Hour, Reason: "a false alarm"}).is(200, &got)
		if len(got.Failed) > 0 {
			t.Fatalf("some failed: %v", got.Failed)
		}
		for _, l := range got.Released {
			released[l.Order.Target.ID()] = true
		}
		return released[hosts[0]] && released[hosts[1]] && released[hosts[2]]
	})
	for _, ref := range refs {
		if c := s.over(ref); c.Outcome != incident.OutcomeGivenBack {
			t.Errorf("case %s ended %s", ref.ID, c.Outcome)
		}
	}
}

func TestAReleaseDoesNotWaitForAHostThatIsStuck(t *testing.T) {
	newSide(t, func(o *httpapi.Options) { o.ReleaseWait = 300 * time.Millisecond }).releaseStuck()
}

// releaseStuck releases a host whose network does not come back, and checks that
// the answer reports it, and that the case ends when it does.
func (s *side) releaseStuck() {
	t := s.t
	t.Helper()
	h := host(t)
	ref := s.send(alert("a", "high_egress", h)).Cases[0]
	id := s.until(ref, "the host is contained", contained).Steps[0].Lease
	if err := shared.estate.Behave(h, incident.RateLimit, memory.Behaviour{Stuck: true}); err != nil {
		t.Fatal(err)
	}
	var l incident.Lease
	s.call("POST", "/v1/leases/release", aliceToken, api.LeaseRequest{ID: id, Reason: "clean"}).is(202, &l)
	if l.Phase != incident.Undoing {
		t.Fatalf("the lease is %s", l.Phase)
	}
	if err := shared.estate.Behave(h, incident.RateLimit, memory.Behaviour{}); err != nil {
		t.Fatal(err)
	}
	if c := s.over(ref); c.Outcome != incident.OutcomeGivenBack {
		t.Errorf("the case ended %s", c.Outcome)
	}
}

// hasty is an engine that stops waiting for an update's end before its caller
// does.
type hasty struct{ client.Client }

type hastyUpdate struct{ client.WorkflowUpdateHandle }

func (h hasty) UpdateWorkflow(ctx context.Context, o client.UpdateWorkflowOptions) (client.WorkflowUpdateHandle, error) {
	handle, err := h.Client.UpdateWorkflow(ctx, o)
	return hastyUpdate{handle}, err
}

func (hastyUpdate) Get(context.Context, any) error {
	return client.NewWorkflowUpdateServiceTimeoutOrCanceledError(status.Error(codes.Canceled, "stream terminated by RST_STREAM"))
}

func TestAReleaseIsAnsweredThoughTheEngineEndsTheWaitFirst(t *testing.T) {
	newSide(t, func(o *httpapi.Options) { o.Engine = engine.New(hasty{shared.client}, engine.Options{}) }).releaseStuck()
}

func TestCasesAreListedByStatusAndSubject(t *testing.T) {
	s := newSide(t)
	open, shut := host(t), host(t)
	s.send(alert("a", "ask", open))
	s.send(alert("a", "note", shut))
	statusOf := func(query string) map[string]incident.CaseStatus {
		var list api.CaseList
		s.call("GET", "/v1/cases?limit=1000&"+query, aliceToken, nil).is(200, &list)
		got := map[string]incident.CaseStatus{}
		for _, c := range list.Cases {
			got[c.Subject] = c.Status
		}
		return got
	}
	eventually(t, "both are listed as they stand", func() bool {
		all := statusOf("")
		return all[open] == incident.Awaiting && all[shut] == incident.Closed
	})
	for query, want := range map[string][2]bool{
		"status=open": {true, false}, "status=awaiting": {true, false}, "status=contained": {false, false},
		"status=closed": {false, true}, "subject=" + open: {true, false}, "subject=" + shut + "&status=open": {false, false},
	} {
		got := statusOf(query)
		if (got[open] != "") != want[0] || (got[shut] != "") != want[1] {
			t.Errorf("%s lists %v", query, got)
		}
	}
	s.call("GET", "/v1/cases?status=lost", aliceToken, nil).refused(400, "invalid")
	s.call("GET", "/v1/cases?limit=0", aliceToken, nil).refused(400, "invalid")
	s.call("GET", "/v1/cases?subject=x%27+OR+1%3D1", aliceToken, nil).is(200, nil)
}

func TestACaseThatWasEndedByForceIsShown(t *testing.T) {
	s := newSide(t)
	ref := s.send(alert("a", "ask", host(t))).Cases[0]
	s.until(ref, "the case asks", awaiting)
	if err := shared.client.TerminateWorkflow(t.Context(), "case/"+ref.ID, "", "by an operator"); err != nil {
		t.Fatal(err)
	}
	c := s.over(ref)
	if c.Outcome != incident.OutcomeFailed || c.Subject == "" || len(c.Timeline) != 1 {
		t.Errorf("the case is %+v", c)
	}
}

// resumed resumes containment after a test.
func resumed(t *testing.T) {
	t.Helper()
	var state protocol.BudgetState
	err := engine.New(shared.client, engine.Options{}).UpdateWithStart(context.Background(), activities.Call{
		Workflow: protocol.BudgetWorkflow, ID: protocol.BudgetID, Input: state,
		Update: protocol.ResumeUpdate, UpdateID: t.Name(), Arg: incident.Pause{By: "cleanup"},
	}, &state)
	if err != nil {
		t.Logf("resume after the test: %v", err)
	}
}
