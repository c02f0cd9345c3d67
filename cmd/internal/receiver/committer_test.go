package receiver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/workflows"
)

// slowEngine is an engine that takes its time for every start and signal.
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
// alert after the other: the alerts that wait for a call travel together.
func TestAStormOnManySubjectsMakesFewCalls(t *testing.T) {
	const subjects, senders, each = 10 * callsAtOnce, 10, 20
	synctest.Test(t, func(t *testing.T) {
		engine := &slowEngine{takes: 50 * time.Millisecond}
		c := newCommitter(Options{Client: engine, Now: time.Now})
		var sending sync.WaitGroup
		for subject := range subjects {
			for sender := range senders {
				sending.Go(func() {
					for i := range each {
						if _, err := c.commit(t.Context(), stormed(subject, sender*each+i)); err != nil {
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
		if engine.most > callsAtOnce {
			t.Errorf("%d calls were under way, more than %d", engine.most, callsAtOnce)
		}
		if most := subjects * (each + 2); engine.calls > most {
			t.Errorf("%d calls for %d alerts, more than %d: they did not travel together", engine.calls, engine.received, most)
		}
	})
}

// Who waits behind an engine that does not answer is told so in time, however
// many wait before.
func TestAnEngineThatDoesNotAnswerKeepsNobodyWaiting(t *testing.T) {
	const subjects = 10 * callsAtOnce
	synctest.Test(t, func(t *testing.T) {
		c := newCommitter(Options{Client: &slowEngine{takes: time.Hour}, Now: time.Now})
		began := time.Now()
		var sending sync.WaitGroup
		busy := 0
		var mu sync.Mutex
		for subject := range subjects {
			sending.Go(func() {
				_, err := c.commit(t.Context(), stormed(subject, 0))
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
		if took := time.Since(began); took > 2*commitTimeout {
			t.Errorf("the last was answered after %s, want at most %s", took, 2*commitTimeout)
		}
		if busy == 0 {
			t.Error("nobody waited for a call: the test tests nothing")
		}
	})
}
