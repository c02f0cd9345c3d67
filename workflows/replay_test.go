package workflows_test

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/workflows"
	"github.com/stanch-soar/stanch/workflows/historytest"
)

const histories = "testdata/histories"

// paths are those without whose history the guard would be open; more
// may be in the folder.
func paths() []string {
	return []string{
		"budget-continued", "budget-goes-on",
		"lease-adopted-isolate", "lease-contained-isolate", "lease-contained-rate_limit", "lease-denied-rate_limit",
		"lease-extended-isolate", "lease-failed-isolate", "lease-late-isolate", "lease-process-killed-block",
		"lease-shared-first-isolate", "lease-undo-fails-isolate",
		"rejected-retried", "rejected-waiting",
		"respond-adopted", "respond-approved", "respond-cannot-decide", "respond-closed-by-hand", "respond-contained",
		"respond-denied", "respond-denied-by-guardrail", "respond-expired", "respond-extended", "respond-failed",
		"respond-held-back", "respond-late", "respond-limited", "respond-no-target", "respond-policy-error",
		"respond-process-killed", "respond-retried", "respond-shadow", "respond-shared-first", "respond-shared-second", "respond-stricter",
		"respond-undo-fails", "respond-unmatched", "respond-unsure",

		"budget-continued-2", "budget-goes-on-2",
		"channel-continued-2", "channel-goes-on-2", "click-refused-2", "standing-continued-2", "standing-goes-on-2",
		"lease-adopted-isolate-2", "lease-contained-isolate-2", "lease-extended-isolate-2", "lease-undo-fails-isolate-2",
		"respond-approved-2", "respond-closed-by-hand-2", "respond-contained-2", "respond-denied-2", "respond-held-back-2",
		"respond-pause-expired-2", "respond-pause-resumed-2", "respond-unsure-2",
		"respond-cancelled-2", "respond-closed-late-2", "respond-given-up-2",

		"claim-contained-2", "claim-merged-first-2",
		"lease-given-up-isolate-2", "lease-given-up-rate_limit-2", "lease-stopped-isolate-2", "lease-stopped-rate_limit-2",
		"respond-assumed-approved-2", "respond-assumed-denied-2", "respond-assumed-expired-2", "respond-assumed-now-exact-2",
		"respond-extension-denied-2", "respond-extension-expired-2", "respond-extension-void-2",
		"respond-fires-again-2", "respond-occurs-again-2", "respond-updated-2",
		"respond-merged-first-2", "respond-merged-second-2", "respond-merges-closing-2", "respond-merges-waits-2", "respond-stopped-2",
		"respond-undecided-approved-2", "respond-undecided-down-2", "respond-undecided-late-2", "respond-undecided-refused-2",
		"respond-undecided-shadow-2", "respond-undecided-silent-2", "respond-undecided-superseded-2",

		"claim-contained-3", "claim-merged-first-3",
		"respond-approved-3", "respond-contained-3", "respond-denied-3", "respond-given-up-3", "respond-held-back-3",
		"respond-merged-first-3", "respond-merged-second-3", "respond-pause-resumed-3", "respond-retried-3", "respond-stopped-3",
		"respond-unsure-3", "respond-updated-3",

		"lease-counted-rate_limit-3", "lease-shifted-rate_limit-3", "respond-counted-3", "respond-shifted-3",

		"lease-drifted-rate_limit-3", "lease-early-rate_limit-3", "lease-held-again-rate_limit-3", "lease-undo-pending-rate_limit-3", "lease-used-up-rate_limit-3",
		"outbox-continued-3", "outbox-goes-on-3", "respond-answered-3", "respond-answered-closed-3",

		"respond-drifted-3", "respond-early-3", "respond-held-again-3", "respond-undo-pending-3", "respond-used-up-3",
	}
}

// TestRecordedHistoriesReplay runs the workflows of today over what a real
// engine recorded: a case that runs must survive an upgrade.
func TestRecordedHistoriesReplay(t *testing.T) {
	files := historytest.Files(t, histories)
	for _, name := range paths() {
		if !slices.Contains(files, filepath.Join(histories, name+historytest.Ext)) {
			t.Errorf("the history %s was not recorded", name)
		}
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), historytest.Ext), func(t *testing.T) {
			t.Parallel()
			replayer := newReplayer(t)
			workflows.Register(replayer)
			if err := replay(t, replayer, file, patience); err != nil {
				t.Errorf("a workflow of this kind that runs would stop: %v", err)
			}
		})
	}
}

// TestReplayBites plants a change in each workflow that one which runs does not
// survive: it waits before it begins. Its history must be refused.
func TestReplayBites(t *testing.T) {
	planted := map[string]any{
		protocol.RespondWorkflow: func(ctx workflow.Context, in workflows.CaseInput) (incident.Case, error) {
			return late(ctx, workflows.Respond, in)
		},
		protocol.LeaseWorkflow: func(ctx workflow.Context, in protocol.LeaseInput) (incident.Lease, error) {
			return late(ctx, workflows.Lease, in)
		},
		protocol.BudgetWorkflow: silently(workflows.Budget),
		protocol.RejectedWorkflow: func(ctx workflow.Context, in protocol.RejectedAlert) (protocol.RejectedAlert, error) {
			return late(ctx, workflows.Rejected, in)
		},
		protocol.ClickWorkflow: func(ctx workflow.Context, in protocol.ClickInput) (protocol.Answered, error) {
			return late(ctx, workflows.Click, in)
		},
		protocol.ChannelWorkflow: silently(workflows.Channel),
		protocol.ClaimWorkflow:   silently(workflows.Claim),
		protocol.DailyWorkflow:   silently(workflows.Daily),
		protocol.OutboxWorkflow:  silently(workflows.Outbox),
	}
	for name, history := range map[string]string{
		protocol.RespondWorkflow: "respond-contained", protocol.LeaseWorkflow: "lease-contained-isolate",
		protocol.BudgetWorkflow: "budget-continued", protocol.RejectedWorkflow: "rejected-retried",
		protocol.ClickWorkflow: "click-refused-2", protocol.ChannelWorkflow: "channel-goes-on-2", protocol.DailyWorkflow: "standing-goes-on-2",
		protocol.ClaimWorkflow: "claim-contained-2", protocol.OutboxWorkflow: "outbox-continued-3",
	} {
		t.Run(name, func(t *testing.T) {
			replayer := newReplayer(t)
			replayer.RegisterWorkflowWithOptions(planted[name], workflow.RegisterOptions{Name: name})
			err := replay(t, replayer, filepath.Join(histories, history+historytest.Ext), patience)
			// The SDK gives this error no type that can be asked for.
			if err == nil || !strings.Contains(err.Error(), "[TMPRL1100]") {
				t.Errorf("a timer was added to %s, and its recorded history replays with %v", name, err)
			}
		})
	}
}

// late runs a workflow after a timer.
func late[In, Out any](ctx workflow.Context, run func(workflow.Context, In) (Out, error), in In) (Out, error) {
	if err := workflow.Sleep(ctx, time.Second); err != nil {
		var none Out
		return none, err
	}
	return run(ctx, in)
}

// silently runs a workflow that answers nothing after a timer.
func silently[In any](run func(workflow.Context, In) error) func(workflow.Context, In) error {
	return func(ctx workflow.Context, in In) error {
		_, err := late(ctx, func(ctx workflow.Context, in In) (struct{}, error) { return struct{}{}, run(ctx, in) }, in)
		return err
	}
}

// TestReplayOfADeadlockEnds plants a wait that the engine does not know of: the
// workflow never gives way, and its history must be refused.
func TestReplayOfADeadlockEnds(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	replayer := newReplayer(t)
	replayer.RegisterWorkflowWithOptions(func(ctx workflow.Context, in workflows.CaseInput) (incident.Case, error) {
		<-over
		return workflows.Respond(ctx, in)
	}, workflow.RegisterOptions{Name: protocol.RespondWorkflow})
	if err := replay(t, replayer, filepath.Join(histories, "respond-contained"+historytest.Ext), 100*time.Millisecond); !errors.Is(err, errStuck) {
		t.Errorf("a workflow that never gives way replays with %v", err)
	}
}

// patience is how long the replay of one history may take: seconds, also where
// the machine has much else to do.
const patience = 2 * time.Minute

var errStuck = errors.New("a workflow does not give way to the engine")

// newReplayer returns a replayer that leaves it to [replay] to find a workflow
// that does not give way. The SDK takes one for that which was not scheduled for
// a second, as happens on a machine with much else to do.
func newReplayer(t *testing.T) worker.WorkflowReplayer {
	t.Helper()
	replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{DisableDeadlockDetection: true})
	if err != nil {
		t.Fatal(err)
	}
	return replayer
}

func replay(t *testing.T, replayer worker.WorkflowReplayer, file string, within time.Duration) error {
	t.Helper()
	history := historytest.History(t, file)
	replayed := make(chan error, 1)
	go func() {
		replayed <- replayer.ReplayWorkflowHistory(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)), history)
	}()
	select {
	case err := <-replayed:
		return err
	case <-time.After(within):
		return fmt.Errorf("%w: it takes more than %s", errStuck, within)
	}
}
