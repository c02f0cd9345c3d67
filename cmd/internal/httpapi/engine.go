package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

// update sends an update and waits for its answer.
func (r *Receiver) update(ctx context.Context, id, name, updateID string, arg, result any) error {
	handle, err := r.Client.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: id, UpdateName: name, UpdateID: updateID, Args: []any{arg},
		WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err != nil {
		return fmt.Errorf("update %s of %s: %w", name, id, err)
	}
	return handle.Get(ctx, result)
}

// refused turns an engine's error into an answer: not found, refused with the
// rule that refused it, or unavailable.
func (r *Receiver) refused(op string, err error) *problem {
	if _, ok := errors.AsType[*serviceerror.NotFound](err); ok {
		return fail(http.StatusNotFound, "not_found", "%s: there is none that is open", op)
	}
	if e, ok := errors.AsType[*temporal.ApplicationError](err); ok && e.Type() != "" {
		return fail(http.StatusConflict, e.Type(), "%s", e.Message())
	}
	return r.unavailable(op, err)
}

func (r *Receiver) unavailable(op string, err error) *problem {
	r.Log.Error(op, "error", err)
	return fail(http.StatusServiceUnavailable, "unavailable", "%s: the engine did not answer", op)
}

// atOnce is how many questions are put to the engine side by side.
const atOnce = 16

// each does something for every number below n, several side by side.
func each(n int, do func(i int)) {
	var running sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i := range n {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			do(i)
		})
	}
	running.Wait()
}
