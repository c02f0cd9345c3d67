package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/engine"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func (r *Receiver) listLeases(w http.ResponseWriter, req *http.Request, _ incident.Person) *problem {
	list, err := r.Engine.Leases(req.Context())
	if err != nil {
		return r.unavailable(req.Context(), "list leases", err)
	}
	reply(w, http.StatusOK, list)
	return nil
}

// driftRetry is when products may be read for the next who asks: each question reads all.
const driftRetry = 5 * time.Second

func (r *Receiver) showDrift(w http.ResponseWriter, req *http.Request, _ incident.Person) *problem {
	if !r.drifting.TryLock() {
		p := fail(http.StatusTooManyRequests, "throttled", "the products are being read for somebody else")
		p.retry = driftRetry
		return p
	}
	defer r.drifting.Unlock()
	list, err := r.Drift(req.Context())
	if err != nil {
		return r.unavailable(req.Context(), "look for drift", err)
	}
	reply(w, http.StatusOK, list)
	return nil
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
		return r.refused(req.Context(), "release "+in.ID, err)
	}
	if !engine.Ended(l) {
		reply(w, http.StatusAccepted, l)
		return nil
	}
	reply(w, http.StatusOK, l)
	return nil
}

// releaseWait is the default of [Options.ReleaseWait].
const releaseWait = 20 * time.Second

// releaseSince releases every lease that was applied in the last while, or is
// being applied. Released, undoing and failed add up to the leases found.
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
	list, err := r.Engine.Leases(req.Context())
	if err != nil {
		return r.unavailable(req.Context(), "list leases", err)
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

// release ends a lease; the order's id is new each time.
func (r *Receiver) release(ctx context.Context, id string, who incident.Person, reason string, until time.Time) (incident.Lease, error) {
	order := fmt.Sprintf("release/%s/%d", who.ID, r.Now().UnixNano())
	return r.Engine.Release(ctx, id, order, protocol.ReleaseRequest{By: who.ID, Reason: reason}, until)
}

func (r *Receiver) releaseAll(ctx context.Context, leases []incident.Lease, who incident.Person, reason string) api.Released {
	until := time.Now().Add(r.ReleaseWait)
	done, errs := make([]incident.Lease, len(leases)), make([]error, len(leases))
	engine.SideBySide(len(leases), func(i int) { done[i], errs[i] = r.release(ctx, leases[i].ID, who, reason, until) })
	out := api.Released{Released: []incident.Lease{}, Failed: map[string]string{}}
	for i, l := range done {
		switch {
		case missing(errs[i]):
			// It ended by itself in the meantime.
			l = leases[i]
			l.Phase = incident.GivenBack
			out.Released = append(out.Released, l)
		case errs[i] != nil:
			of := integrations.ForCase(ctx, protocol.FirstCase(leases[i].Holders, nil))
			out.Failed[leases[i].ID] = r.refused(of, "release "+leases[i].ID, errs[i]).Error
		case engine.Ended(l):
			out.Released = append(out.Released, l)
		default:
			out.Undoing = append(out.Undoing, l)
		}
	}
	return out
}
