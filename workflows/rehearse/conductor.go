package rehearse

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// conductor keeps the clock honest: it may skip time while an activity waits
// for another workflow, and must stand still while one works.
type conductor struct {
	interceptor.WorkerInterceptorBase
	rehearsal *Rehearsal
}

// InterceptActivity implements [interceptor.WorkerInterceptor].
func (c *conductor) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &performer{ActivityInboundInterceptorBase: interceptor.ActivityInboundInterceptorBase{Next: next}, rehearsal: c.rehearsal}
}

// InterceptWorkflow implements [interceptor.WorkerInterceptor].
func (c *conductor) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &inbound{WorkflowInboundInterceptorBase: interceptor.WorkflowInboundInterceptorBase{Next: next}, rehearsal: c.rehearsal}
}

type inbound struct {
	interceptor.WorkflowInboundInterceptorBase
	rehearsal *Rehearsal
}

// Init implements [interceptor.WorkflowInboundInterceptor].
func (i *inbound) Init(next interceptor.WorkflowOutboundInterceptor) error {
	return i.Next.Init(&outbound{WorkflowOutboundInterceptorBase: interceptor.WorkflowOutboundInterceptorBase{Next: next}, rehearsal: i.rehearsal})
}

// ExecuteWorkflow implements [interceptor.WorkflowInboundInterceptor].
func (i *inbound) ExecuteWorkflow(ctx workflow.Context, in *interceptor.ExecuteWorkflowInput) (any, error) {
	execution := workflow.GetInfo(ctx).WorkflowExecution
	i.rehearsal.mu.Lock()
	i.rehearsal.runs[execution.ID], i.rehearsal.live[execution.ID] = execution.RunID, execution.RunID
	i.rehearsal.mu.Unlock()
	defer func() {
		i.rehearsal.mu.Lock()
		if i.rehearsal.live[execution.ID] == execution.RunID {
			delete(i.rehearsal.live, execution.ID)
		}
		i.rehearsal.mu.Unlock()
	}()
	return i.Next.ExecuteWorkflow(ctx, in)
}

type outbound struct {
	interceptor.WorkflowOutboundInterceptorBase
	rehearsal *Rehearsal
}

// GetInfo implements [interceptor.WorkflowOutboundInterceptor]. The test
// environment can make its suggestion to the root workflow only; a run that
// should yield is shown the root's info with its own particulars.
func (o *outbound) GetInfo(ctx workflow.Context) *workflow.Info {
	own := o.Next.GetInfo(ctx)
	r := o.rehearsal
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.suggested == nil || r.yielding[own.WorkflowExecution.ID] != own.WorkflowExecution.RunID {
		return own
	}
	info := *r.suggested
	to, from := reflect.ValueOf(&info).Elem(), reflect.ValueOf(own).Elem()
	for i := range to.NumField() {
		if to.Type().Field(i).IsExported() {
			to.Field(i).Set(from.Field(i))
		}
	}
	return &info
}

// performance is one activity that is under way.
type performance struct {
	// left is closed when it first waits for another workflow, and so gives back
	// its place; parked receives on every later time; over is closed at its end.
	left, parked, over chan struct{}
	away               atomic.Bool
}

type performanceKey struct{}

// park says that the activity can go on only when the clock does.
func (p *performance) park() {
	if !p.away.Swap(true) {
		close(p.left)
		return
	}
	p.parked <- struct{}{}
}

// wait returns when the activity has gone on as far as it can.
func (p *performance) wait() {
	select {
	case <-p.parked:
	case <-p.over:
	}
}

// performer runs activities. One that waits for another workflow gives back
// its place, so that the clock may skip, and is completed later.
type performer struct {
	interceptor.ActivityInboundInterceptorBase
	rehearsal *Rehearsal
}

type outcome struct {
	value any
	err   error
}

// Init implements [interceptor.ActivityInboundInterceptor].
func (p *performer) Init(next interceptor.ActivityOutboundInterceptor) error {
	return p.Next.Init(&silent{interceptor.ActivityOutboundInterceptorBase{Next: next}})
}

// silent swallows heartbeats: they go by the wall clock, which a rehearsal does
// not.
type silent struct {
	interceptor.ActivityOutboundInterceptorBase
}

// attemptsKey is the context's key of how many attempts came before, besides those
// that the test environment counts.
type attemptsKey struct{}

// GetInfo implements [interceptor.ActivityOutboundInterceptor].
func (s *silent) GetInfo(ctx context.Context) activity.Info {
	info := s.Next.GetInfo(ctx)
	before, _ := ctx.Value(attemptsKey{}).(int32)
	info.Attempt += before
	return info
}

// RecordHeartbeat implements [interceptor.ActivityOutboundInterceptor].
func (*silent) RecordHeartbeat(context.Context, ...any) {}

// ExecuteActivity implements [interceptor.ActivityInboundInterceptor].
func (p *performer) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	info := activity.GetInfo(ctx)
	if info.IsLocalActivity {
		return p.Next.ExecuteActivity(ctx, in)
	}
	now := &performance{left: make(chan struct{}), parked: make(chan struct{}), over: make(chan struct{})}
	result := make(chan outcome, 1)
	// The test environment ends the context when it is given back its place.
	lasting, cancel := context.WithCancel(context.WithValue(context.WithoutCancel(ctx), performanceKey{}, now))
	stop := context.AfterFunc(p.rehearsal.running, cancel)
	go func() {
		defer cancel()
		defer stop()
		defer close(now.over)
		value, err := p.perform(lasting, in, info, now)
		if now.away.Load() {
			p.complete(info, value, err)
			return
		}
		result <- outcome{value, err}
	}()
	select {
	case o := <-result:
		return o.value, o.err
	case <-now.left:
		if info.StartToCloseTimeout > 0 {
			p.rehearsal.At(info.StartToCloseTimeout, func() { cancel(); now.wait() })
		}
		return nil, activity.ErrResultPending
	}
}

// complete hands in a result. The test environment would wake the root
// workflow only.
func (p *performer) complete(info activity.Info, value any, err error) {
	if p.rehearsal.env.CompleteActivity(info.TaskToken, value, err) == nil {
		_ = p.rehearsal.wake(info.WorkflowExecution.ID)
	}
}

// perform runs the activity. One that had given back its place is tried again
// here, for the test environment would not.
func (p *performer) perform(ctx context.Context, in *interceptor.ExecuteActivityInput, info activity.Info, now *performance) (any, error) {
	deadline := p.rehearsal.Now().Add(info.ScheduleToCloseTimeout)
	before := int32(0)
	for pause := 200 * time.Millisecond; ; pause *= 2 {
		value, err := p.Next.ExecuteActivity(context.WithValue(ctx, attemptsKey{}, before), in)
		before++
		if ctx.Err() != nil {
			return nil, temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_START_TO_CLOSE, nil)
		}
		application, ok := errors.AsType[*temporal.ApplicationError](err)
		if !now.away.Load() || !ok || application.NonRetryable() || p.rehearsal.Now().Add(pause).After(deadline) {
			return value, err
		}
		again := make(chan struct{})
		p.rehearsal.At(pause, func() { close(again); now.wait() })
		now.park()
		select {
		case <-again:
		case <-ctx.Done():
		}
	}
}

// meter counts the bytes that are encoded.
type meter struct {
	converter.DataConverter
	bytes atomic.Int64
}

// ToPayload implements [converter.DataConverter].
func (m *meter) ToPayload(value any) (*commonpb.Payload, error) {
	payload, err := m.DataConverter.ToPayload(value)
	m.bytes.Add(int64(len(payload.GetData())))
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return payload, nil
}

// ToPayloads implements [converter.DataConverter].
func (m *meter) ToPayloads(values ...any) (*commonpb.Payloads, error) {
	payloads, err := m.DataConverter.ToPayloads(values...)
	for _, p := range payloads.GetPayloads() {
		m.bytes.Add(int64(len(p.GetData())))
	}
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return payloads, nil
}
