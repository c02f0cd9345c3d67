package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Leases returns every active lease, the first to end first.
func (c *Client) Leases(ctx context.Context) (api.LeaseList, error) {
	infos, more, err := c.list(ctx, protocol.AttrKind+" = 'lease' AND ExecutionStatus = 'Running'", maxListed)
	if err != nil {
		return api.LeaseList{}, err
	}
	read := make([]*incident.Lease, len(infos))
	SideBySide(len(infos), func(i int) {
		if l, err := c.Lease(ctx, infos[i].GetExecution().GetWorkflowId()); err == nil {
			read[i] = &l
		}
	})
	out := api.LeaseList{Leases: []incident.Lease{}, More: more}
	for i, l := range read {
		switch {
		case l == nil:
			out.Unread = append(out.Unread, infos[i].GetExecution().GetWorkflowId())
		case !Ended(*l):
			out.Leases = append(out.Leases, *l)
		}
	}
	slices.SortFunc(out.Leases, func(a, b incident.Lease) int {
		return cmp.Or(a.Until.Compare(b.Until), cmp.Compare(a.ID, b.ID))
	})
	slices.Sort(out.Unread)
	return out, nil
}

// StandingOrders are the orders of an integration's leases by which something stands that
// is ours, or stood until now. Leases that do not answer are named.
func (c *Client) StandingOrders(ctx context.Context, use string) (orders []incident.Order, unread []string, err error) {
	infos, _, err := c.list(ctx, protocol.AttrKind+" = 'lease' AND ExecutionStatus = 'Running'", math.MaxInt32)
	if err != nil {
		return nil, nil, err
	}
	var ids []string
	for _, info := range infos {
		if id := info.GetExecution().GetWorkflowId(); protocol.LeaseUses(id, use) {
			ids = append(ids, id)
		}
	}
	read := make([]*incident.Lease, len(ids))
	SideBySide(len(ids), func(i int) {
		if l, err := c.Lease(ctx, ids[i]); err == nil {
			read[i] = &l
		}
	})
	for i, l := range read {
		switch {
		case l == nil:
			unread = append(unread, ids[i])
		case l.Use == use && !l.Adopted && !l.AppliedAt.IsZero() && !Ended(*l) && l.Phase != incident.Undoing:
			orders = append(orders, l.Order)
		}
	}
	return orders, unread, nil
}

// Ended reports whether a lease is over: the list of running workflows
// lags a little behind.
func Ended(l incident.Lease) bool {
	return l.Phase == incident.GivenBack || l.Phase == incident.LeaseFailed
}

// Lease returns a lease that has not ended. One that is not there is a not_found
// error.
func (c *Client) Lease(ctx context.Context, id string) (incident.Lease, error) {
	var out incident.Lease
	value, err := c.temporal.QueryWorkflow(ctx, id, "", protocol.LeaseQuery)
	if err != nil {
		return out, missing("ask "+id, err)
	}
	if err := value.Get(&out); err != nil {
		return out, fmt.Errorf("read %s: %w", id, err)
	}
	return out, nil
}

// Compare has a lease ask its product what is in place, by the process that may.
func (c *Client) Compare(ctx context.Context, id string) (protocol.Compared, error) {
	var out protocol.Compared
	handle, err := c.temporal.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: id, UpdateName: protocol.CompareUpdate, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = handle.Get(ctx, &out)
	}
	return out, missing("compare "+id, err)
}

// Release ends a lease and returns its state then, or when the
// time is up: the engine retries an undo until it succeeds. The order
// itself has its own limit, so that the last of many is ordered as the first.
func (c *Client) Release(ctx context.Context, id, updateID string, in protocol.ReleaseRequest, until time.Time) (incident.Lease, error) {
	var out incident.Lease
	order, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	handle, err := c.temporal.UpdateWorkflow(order, client.UpdateWorkflowOptions{
		WorkflowID: id, UpdateName: protocol.ReleaseUpdate, UpdateID: updateID, Args: []any{in},
		WaitForStage: client.WorkflowUpdateStageAccepted,
	})
	if err != nil {
		return out, missing("release "+id, err)
	}
	wait, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	err = handle.Get(wait, &out)
	// The engine keeps the deadline as well, and can be the first to reach it.
	if _, late := errors.AsType[*client.WorkflowUpdateServiceTimeoutOrCanceledError](err); !late {
		return out, missing("release "+id, err)
	}
	// It has the order. Its progress is queried outside the time limit.
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	return c.Lease(late, id)
}
