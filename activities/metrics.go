package activities

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// resultOK is the result of a call that did not fail; others are kinds of errors.
const resultOK = "ok"

// calls is the input of an activity that calls one integration.
type calls interface{ integration() string }

func (in EnrichIn) integration() string     { return in.Use }
func (in MeasureIn) integration() string    { return in.Use }
func (in LeaseIn) integration() string      { return in.Use }
func (in CountIn) integration() string      { return in.Use }
func (in ConnectedIn) integration() string  { return in.Use }
func (in CollectIn) integration() string    { return in.Use }
func (in OnCallIn) integration() string     { return in.OnCall.Use }
func (in ShowIn) integration() string       { return in.Use }
func (in IllustrateIn) integration() string { return in.Use }
func (in SummariseIn) integration() string  { return in.Use }
func (in TellSenderIn) integration() string { return in.Use }

// observe counts a call of an integration by its result, and when the product answered last.
// An answer is also that it does not know the device, or is busy with it.
func observe(ctx context.Context, integration, call string, err error, now time.Time) {
	if !activity.IsActivity(ctx) || notWaitedFor(ctx, err) {
		return
	}
	result, answered := resultOK, true
	if err != nil {
		kind := integrations.KindOf(err)
		result, answered = string(kind), kind == integrations.NotFound || kind == integrations.Conflict
	}
	h := activity.GetMetricsHandler(ctx).WithTags(map[string]string{
		protocol.LabelIntegration: integration, protocol.LabelCall: call, protocol.LabelResult: result,
	})
	h.Counter(protocol.MetricCalls).Inc(1)
	last := protocol.MetricLastFailure
	if answered {
		last = protocol.MetricLastSuccess
	}
	h.Gauge(last).Update(float64(now.UnixMilli()) / 1000)
}

// notWaitedFor reports whether a call was given up before its time: that says nothing about the
// product. A quick attempt is followed by one with more time.
func notWaitedFor(ctx context.Context, err error) bool {
	return err != nil && (errors.Is(ctx.Err(), context.Canceled) || ctx.Err() != nil && activity.GetInfo(ctx).IsLocalActivity)
}

// duplicates counts effects of ours that are in place more than once.
func duplicates(ctx context.Context, in LeaseIn, r incident.Reading) {
	if r.Copies < 2 || r.Key != in.Order.Key || !activity.IsActivity(ctx) {
		return
	}
	activity.GetMetricsHandler(ctx).WithTags(map[string]string{
		protocol.LabelIntegration: in.Use, protocol.LabelAction: string(in.Order.Action),
	}).Counter(protocol.MetricDuplicateEffects).Inc(int64(r.Copies - 1))
}
