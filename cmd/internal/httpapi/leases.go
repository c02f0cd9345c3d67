package httpapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func (r *Receiver) listLeases(w http.ResponseWriter, req *http.Request, _ incident.Person) *problem {
	list, err := r.leases(req.Context())
	if err != nil {
		return r.unavailable("list leases", err)
	}
	reply(w, http.StatusOK, list)
	return nil
}

// leases returns the leases that stand.
func (r *Receiver) leases(ctx context.Context) (api.LeaseList, error) { return Leases(ctx, r.Client) }

// Leases returns every lease that stands, the first to end first.
func Leases(ctx context.Context, engine client.Client) (api.LeaseList, error) {
	infos, more, err := list(ctx, engine, protocol.AttrKind+" = 'lease' AND ExecutionStatus = 'Running'", maxListed)
	if err != nil {
		return api.LeaseList{}, err
	}
	read := make([]*incident.Lease, len(infos))
	each(len(infos), func(i int) {
		if l, err := lease(ctx, engine, infos[i].GetExecution().GetWorkflowId()); err == nil {
			read[i] = &l
		}
	})
	out := api.LeaseList{Leases: []incident.Lease{}, More: more}
	for i, l := range read {
		switch {
		case l == nil:
			out.Unread = append(out.Unread, infos[i].GetExecution().GetWorkflowId())
		case !ended(*l):
			out.Leases = append(out.Leases, *l)
		}
	}
	slices.SortFunc(out.Leases, func(a, b incident.Lease) int {
		return cmp.Or(a.Until.Compare(b.Until), cmp.Compare(a.ID, b.ID))
	})
	slices.Sort(out.Unread)
	return out, nil
}

// ended reports whether a lease holds nothing any more: the list of what runs
// lags a little behind.
func ended(l incident.Lease) bool {
	return l.Phase == incident.GivenBack || l.Phase == incident.LeaseFailed
}

func lease(ctx context.Context, engine client.Client, id string) (incident.Lease, error) {
	var l incident.Lease
	value, err := engine.QueryWorkflow(ctx, id, "", protocol.LeaseQuery)
	if err != nil {
		return l, fmt.Errorf("ask %s: %w", id, err)
	}
	if err := value.Get(&l); err != nil {
		return l, fmt.Errorf("read %s: %w", id, err)
	}
	return l, nil
}

func leaseRequest(w http.ResponseWriter, req *http.Request) (api.LeaseRequest, *problem) {
	var in api.LeaseRequest
	if p := decode(w, req, &in); p != nil {
		return in, p
	}
	switch {
	case !strings.HasPrefix(in.ID, protocol.LeaseWorkflow+"/"):
		return in, invalid("id", "%q is not the id of a lease", in.ID)
	case strings.TrimSpace(in.Reason) == "":
		return in, invalid("reason", "a reason is required")
	}
	return in, nil
}

func (r *Receiver) releaseLease(w http.ResponseWriter, req *http.Request, who incident.Person) *problem {
	in, p := leaseRequest(w, req)
	if p != nil {
		return p
	}
	l, err := r.release(req.Context(), in.ID, who, in.Reason, time.Now().Add(r.ReleaseWait))
	if err != nil {
		return r.refused("release "+in.ID, err)
	}
	if !ended(l) {
		reply(w, http.StatusAccepted, l)
		return nil
	}
	reply(w, http.StatusOK, l)
	return nil
}

const releaseWait = 20 * time.Second

// release has a lease given back and returns it as it stands then, or when the
// time is up: the engine goes on with an undo until it has worked. The order
// itself has its own limit, so that the last of many is ordered as the first.
func (r *Receiver) release(ctx context.Context, id string, who incident.Person, reason string, until time.Time) (incident.Lease, error) {
	var l incident.Lease
	order, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	handle, err := r.Client.UpdateWorkflow(order, client.UpdateWorkflowOptions{
		WorkflowID: id, UpdateName: protocol.ReleaseUpdate,
		UpdateID:     fmt.Sprintf("release/%s/%d", who.ID, r.Now().UnixNano()),
		Args:         []any{protocol.ReleaseRequest{By: who.ID, Reason: reason}},
		WaitForStage: client.WorkflowUpdateStageAccepted,
	})
	if err != nil {
		return l, fmt.Errorf("release %s: %w", id, err)
	}
	wait, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	err = handle.Get(wait, &l)
	// The engine keeps the deadline as well, and can be the first to reach it.
	if _, late := errors.AsType[*client.WorkflowUpdateServiceTimeoutOrCanceledError](err); !late {
		return l, err
	}
	// It has the order. How far it came is asked beside the time limit.
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	return lease(late, r.Client, id)
}

// releaseSince gives back every lease that was applied in the last while, or is
// being applied. Released, undoing and failed add up to what stood.
func (r *Receiver) releaseSince(w http.ResponseWriter, req *http.Request, who incident.Person) *problem {
	var in api.SinceRequest
	if p := decode(w, req, &in); p != nil {
		return p
	}
	switch {
	case in.Since <= 0:
		return invalid("since", "required: since when")
	case strings.TrimSpace(in.Reason) == "":
		return invalid("reason", "a reason is required")
	}
	from := r.Now().Add(-in.Since)
	list, err := r.leases(req.Context())
	if err != nil {
		return r.unavailable("list leases", err)
	}
	recent := slices.DeleteFunc(list.Leases, func(l incident.Lease) bool {
		return !l.AppliedAt.IsZero() && l.AppliedAt.Before(from)
	})
	out := r.releaseAll(req.Context(), recent, who, in.Reason)
	out.More = list.More
	for _, id := range list.Unread {
		out.Failed[id] = "it did not answer"
	}
	reply(w, http.StatusOK, out)
	return nil
}

func (r *Receiver) releaseAll(ctx context.Context, leases []incident.Lease, who incident.Person, reason string) api.Released {
	until := time.Now().Add(r.ReleaseWait)
	done, errs := make([]incident.Lease, len(leases)), make([]error, len(leases))
	each(len(leases), func(i int) { done[i], errs[i] = r.release(ctx, leases[i].ID, who, reason, until) })
	out := api.Released{Released: []incident.Lease{}, Failed: map[string]string{}}
	for i, l := range done {
		switch {
		case notFound(errs[i]):
			// It ended by itself in the meantime.
			l = leases[i]
			l.Phase = incident.GivenBack
			out.Released = append(out.Released, l)
		case errs[i] != nil:
			out.Failed[leases[i].ID] = r.refused("release "+leases[i].ID, errs[i]).Error
		case ended(l):
			out.Released = append(out.Released, l)
		default:
			out.Undoing = append(out.Undoing, l)
		}
	}
	return out
}
