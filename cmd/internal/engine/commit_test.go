package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/stanch-soar/stanch/integrations/bubbletest"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/workflows"
)

// slowEngine is an engine that delays every start and signal.
type slowEngine struct {
	client.Client
	takes time.Duration

	mu              sync.Mutex
	under, most     int
	calls, received int
}

func (e *slowEngine) call(ctx context.Context, alerts int) error {
	e.mu.Lock()
	e.under++
	e.calls, e.most = e.calls+1, max(e.most, e.under)
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		e.under--
		e.mu.Unlock()
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(e.takes):
	}
	e.mu.Lock()
	e.received += alerts
	e.mu.Unlock()
	return nil
}

func (e *slowEngine) ExecuteWorkflow(ctx context.Context, _ client.StartWorkflowOptions, _ any, args ...any) (client.WorkflowRun, error) {
	return started{}, e.call(ctx, len(args[0].(workflows.CaseInput).Alerts))
}

func (e *slowEngine) SignalWorkflow(ctx context.Context, _, _, _ string, arg any) error {
	return e.call(ctx, len(arg.([]incident.Alert)))
}

type started struct{ client.WorkflowRun }

func (started) GetRunID() string { return "run" }

func stormed(subject, i int) workflows.CaseInput {
	return workflows.CaseInput{ID: fmt.Sprintf("p/h%d", subject), Alerts: []incident.Alert{{ID: fmt.Sprintf("%d-%d", subject, i), Source: "s"}}}
}

// With ten times as many subjects as there are calls, every sender sends one
// alert after the other: the alerts that wait for a call are sent together.
func TestAStormOnManySubjectsMakesFewCalls(t *testing.T) {
	const subjects, senders, each = 10 * callsAtOnce, 10, 20
	bubbletest.Run(t, func(t *testing.T) {
		engine := &slowEngine{takes: 50 * time.Millisecond}
		c := New(engine, Options{})
		var sending sync.WaitGroup
		for subject := range subjects {
			for sender := range senders {
				sending.Go(func() {
					for i := range each {
						if _, err := c.Deliver(t.Context(), stormed(subject, sender*each+i)); err != nil {
							t.Error(err)
						}
					}
				})
			}
		}
		sending.Wait()
		synctest.Wait()
		if engine.received != subjects*senders*each {
			t.Errorf("the engine has %d alerts of %d", engine.received, subjects*senders*each)
		}
		if engine.most > callsAtOnce+laterAtOnce {
			t.Errorf("%d calls were under way, more than %d", engine.most, callsAtOnce+laterAtOnce)
		}
		if most := subjects * (each + 2); engine.calls > most {
			t.Errorf("%d calls for %d alerts, more than %d: they did not travel together", engine.calls, engine.received, most)
		}
	})
}

// In a storm the alerts of cases that are there leave the engine to what the cases do, and
// keep no new case waiting.
func TestAStormLeavesTheEngineToTheCases(t *testing.T) {
	const subjects, takes = 10 * callsAtOnce, 50 * time.Millisecond
	bubbletest.Run(t, func(t *testing.T) {
		engine := &slowEngine{takes: takes}
		c := New(engine, Options{})
		send := func(from, to, i int) *sync.WaitGroup {
			var sending sync.WaitGroup
			for subject := from; subject < to; subject++ {
				sending.Go(func() {
					if _, err := c.Deliver(t.Context(), stormed(subject, i)); err != nil {
						t.Error(err)
					}
				})
			}
			return &sending
		}
		send(0, subjects, 0).Wait()
		if engine.most != callsAtOnce {
			t.Errorf("%d new cases were made at a time, want %d", engine.most, callsAtOnce)
		}
		engine.most = 0
		storm := send(0, subjects, 1)
		synctest.Wait()
		if engine.under != laterAtOnce {
			t.Errorf("%d calls to cases that are there are under way, want %d", engine.under, laterAtOnce)
		}
		began := time.Now()
		send(subjects, subjects+callsAtOnce, 0).Wait()
		if took := time.Since(began); took != takes {
			t.Errorf("in a storm new cases are made in %s, want %s", took, takes)
		}
		storm.Wait()
		if most := laterAtOnce + callsAtOnce; engine.most > most {
			t.Errorf("%d calls were under way, more than %d", engine.most, most)
		}
	})
}

// A sender that waits behind an engine that does not answer gets an error in time,
// regardless of how many wait before it.
func TestAnEngineThatDoesNotAnswerKeepsNobodyWaiting(t *testing.T) {
	const subjects = 10 * callsAtOnce
	bubbletest.Run(t, func(t *testing.T) {
		c := New(&slowEngine{takes: time.Hour}, Options{})
		began := time.Now()
		var sending sync.WaitGroup
		busy := 0
		var mu sync.Mutex
		for subject := range subjects {
			sending.Go(func() {
				_, err := c.Deliver(t.Context(), stormed(subject, 0))
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("subject %d: %v", subject, err)
				}
				if err != nil && strings.Contains(err.Error(), "busy with others") {
					mu.Lock()
					busy++
					mu.Unlock()
				}
			})
		}
		sending.Wait()
		if took := time.Since(began); took > 2*callTimeout {
			t.Errorf("the last was answered after %s, want at most %s", took, 2*callTimeout)
		}
		if busy == 0 {
			t.Error("nobody waited for a call: the test tests nothing")
		}
	})
}

// overtaken is an engine in which another receiver is faster: between a look at
// the closed case of a subject and the start of the next, it starts that, and
// the case closes before it is signalled.
type overtaken struct {
	client.Client
	// heard is the alerts of each case of the subject; so many of them have closed,
	// and one more may be open.
	heard  [][]string
	closed int
	open   bool
	// begun are the cases that this receiver started.
	begun []workflows.CaseInput
}

func (e *overtaken) ExecuteWorkflow(_ context.Context, o client.StartWorkflowOptions, _ any, args ...any) (client.WorkflowRun, error) {
	again := o.WorkflowIDReusePolicy == enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
	if again && e.closed == len(e.heard) {
		e.begun = append(e.begun, args[0].(workflows.CaseInput))
		return started{}, nil
	}
	e.open = e.open || again
	return nil, serviceerror.NewWorkflowExecutionAlreadyStarted("there is one", "", "")
}

func (e *overtaken) SignalWorkflow(context.Context, string, string, string, any) error {
	if e.open {
		e.open, e.closed = false, e.closed+1
	}
	return serviceerror.NewNotFound("it is over")
}

func (e *overtaken) DescribeWorkflowExecution(context.Context, string, string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	info := &workflowpb.WorkflowExecutionInfo{FirstRunId: "run", Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING}
	if !e.open {
		memo, err := converter.GetDefaultDataConverter().ToPayload(e.heard[e.closed-1])
		if err != nil {
			return nil, err
		}
		info.Status, info.CloseTime = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, timestamppb.Now()
		info.Memo = &commonpb.Memo{Fields: map[string]*commonpb.Payload{workflows.SeenMemo: memo}}
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: info}, nil
}

// An alert is compared with the case that closed last, also where that was
// opened by another receiver while this one looked at the one before.
func TestAnAlertIsComparedWithTheLastCase(t *testing.T) {
	t.Parallel()
	alert := func(id string) incident.Alert {
		a := incident.Alert{ID: id, Source: "s", Status: incident.Firing, Time: incident.Known(time.Unix(1e9, 0), incident.FromAlert)}
		a.Prints = a.Fingerprints(a.Time)
		return a
	}
	entry := func(id string) string { return strings.Join(alert(id).Prints, "") }
	for name, test := range map[string]struct {
		comes  string
		repeat bool
	}{"a repeat of it": {"a-2", true}, "news": {"a-3", false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			engine := &overtaken{heard: [][]string{{entry("a-1")}, {entry("a-1"), entry("a-2")}}, closed: 1}
			c := New(engine, Options{Payloads: converter.GetDefaultDataConverter()})
			ref, err := c.Deliver(t.Context(), workflows.CaseInput{ID: "p/h", Alerts: []incident.Alert{alert(test.comes)}})
			if err != nil {
				t.Fatal(err)
			}
			if ref.Repeat != test.repeat || len(engine.begun) > 0 == test.repeat {
				t.Errorf("repeat: %t, %d cases were started", ref.Repeat, len(engine.begun))
			}
			for _, in := range engine.begun {
				if len(in.Seen) != 2 {
					t.Errorf("the next case is told of %d alerts that were heard", len(in.Seen))
				}
			}
		})
	}
}
