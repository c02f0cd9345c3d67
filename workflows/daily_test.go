package workflows_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/workflows"
)

// Configurations that come while the next digest is asked for are taken in together,
// without a timer that they would cancel at once. A digest that is cancelled ends.
func TestTheDigestStartsNoTimerInVain(t *testing.T) {
	t.Parallel()
	suite := testsuite.WorkflowTestSuite{}
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	workflows.Register(env)
	var channels []string
	env.RegisterActivityWithOptions(func(_ context.Context, in activities.DailyIn) (activities.DailyOut, error) {
		if channels = append(channels, in.Channel); len(channels) == 1 {
			for _, channel := range []string{"#second", "#third"} {
				env.SignalWorkflow(protocol.ConfigureSignal, protocol.DailyInput{Use: "slack", Channel: channel})
			}
		}
		return activities.DailyOut{Next: env.Now().Add(24 * time.Hour)}, nil
	}, activity.RegisterOptions{Name: activities.Daily.Name})
	started, stopped := 0, 0
	env.SetOnTimerScheduledListener(func(string, time.Duration) { started++ })
	env.SetOnTimerCanceledListener(func(string) { stopped++ })
	env.RegisterDelayedCallback(func() {
		if started != 1 || stopped != 0 {
			t.Errorf("%d timers were started and %d cancelled, want one that runs", started, stopped)
		}
		env.CancelWorkflow()
	}, time.Hour)
	env.ExecuteWorkflow(protocol.DailyWorkflow, protocol.DailyInput{Use: "slack", Channel: "#first"})
	if !env.IsWorkflowCompleted() || env.GetWorkflowError() == nil {
		t.Errorf("a cancelled digest goes on: %v", env.GetWorkflowError())
	}
	if len(channels) != 2 || channels[1] != "#third" {
		t.Errorf("it was asked for %q, want the first and the last configuration", channels)
	}
}
