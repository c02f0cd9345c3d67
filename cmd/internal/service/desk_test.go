package service

import (
	"context"
	"errors"
	"testing"

	"go.temporal.io/sdk/client"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/engine"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/bubbletest"
)

// keeping is an engine that notes the workflows that are started.
type keeping struct {
	client.Client
	kept []string
}

func (k *keeping) ExecuteWorkflow(ctx context.Context, o client.StartWorkflowOptions, _ any, _ ...any) (client.WorkflowRun, error) {
	if ctx.Err() == nil {
		k.kept = append(k.kept, o.ID)
	}
	return nil, ctx.Err()
}

// A click that counts at once needs no workflow; all others are stored, also when
// counting takes too long.
func TestAClickIsCountedOrKept(t *testing.T) {
	type answer func(context.Context, protocol.ClickInput) (protocol.Answered, error)
	for name, test := range map[string]struct {
		answer answer
		kept   int
	}{
		"counted": {func(context.Context, protocol.ClickInput) (protocol.Answered, error) {
			return protocol.Answered{}, nil
		}, 0},
		"refused": {func(context.Context, protocol.ClickInput) (protocol.Answered, error) {
			return protocol.Answered{Refused: "already_voted"}, nil
		}, 1},
		"failed": {func(context.Context, protocol.ClickInput) (protocol.Answered, error) {
			return protocol.Answered{}, errors.New("slack is down")
		}, 1},
		"slow": {func(ctx context.Context, _ protocol.ClickInput) (protocol.Answered, error) {
			<-ctx.Done()
			return protocol.Answered{}, ctx.Err()
		}, 1},
		"not of this process": {nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			bubbletest.Run(t, func(t *testing.T) {
				temporal := &keeping{}
				d := desk{engine: engine.New(temporal, engine.Options{}), use: "slack", answer: test.answer}
				if err := d.Answer(t.Context(), integrations.Click{ID: "1"}); err != nil {
					t.Fatal(err)
				}
				if len(temporal.kept) != test.kept || test.kept > 0 && temporal.kept[0] != "click/slack/1" {
					t.Errorf("kept %q, want %d", temporal.kept, test.kept)
				}
			})
		})
	}
}
