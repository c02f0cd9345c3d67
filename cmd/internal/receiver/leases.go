package receiver

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// LeaseList is the leases that stand, those that end soonest first.
type LeaseList struct {
	Leases []incident.Lease `json:"leases"`
	// Unread are the ids of leases that did not answer.
	Unread []string `json:"unread,omitempty"`
	More   bool     `json:"more,omitempty"`
}

func (r *Receiver) listLeases(w http.ResponseWriter, req *http.Request, _ incident.Person) *problem {
	list, err := r.leases(req.Context(), "")
	if err != nil {
		return r.unavailable("list leases", err)
	}
	reply(w, http.StatusOK, list)
	return nil
}

// leases returns the leases that stand and that the further condition selects.
func (r *Receiver) leases(ctx context.Context, condition string) (LeaseList, error) {
	infos, more, err := r.list(ctx, activities.AttrKind+" = 'lease' AND ExecutionStatus = 'Running'"+condition, maxListed)
	if err != nil {
		return LeaseList{}, err
	}
	out := LeaseList{Leases: []incident.Lease{}, More: more}
	for _, info := range infos {
		var l incident.Lease
		value, err := r.Client.QueryWorkflow(ctx, info.GetExecution().GetWorkflowId(), "", activities.LeaseQuery)
		if err == nil {
			err = value.Get(&l)
		}
		if err != nil {
			out.Unread = append(out.Unread, info.GetExecution().GetWorkflowId())
			continue
		}
		out.Leases = append(out.Leases, l)
	}
	slices.SortFunc(out.Leases, func(a, b incident.Lease) int {
		return cmp.Or(a.Until.Compare(b.Until), cmp.Compare(a.ID, b.ID))
	})
	return out, nil
}

// LeaseRequest names a lease and what a person wants of it.
type LeaseRequest struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
	// For is how long from now an extended lease stands.
	For time.Duration `json:"for,omitempty"`
}

func (r *Receiver) leaseRequest(w http.ResponseWriter, req *http.Request) (LeaseRequest, *problem) {
	var in LeaseRequest
	if p := decode(w, req, &in); p != nil {
		return in, p
	}
	for field, value := range map[string]string{"id": in.ID, "reason": in.Reason} {
		if value == "" {
			p := fail(http.StatusBadRequest, "invalid", "%s is needed", field)
			p.Field = field
			return in, p
		}
	}
	return in, nil
}

func (r *Receiver) extendLease(w http.ResponseWriter, req *http.Request, who incident.Person) *problem {
	in, p := r.leaseRequest(w, req)
	if p != nil {
		return p
	}
	if in.For <= 0 {
		return fail(http.StatusBadRequest, "invalid", "for how long is needed")
	}
	var l incident.Lease
	until := r.Now().Add(in.For).UTC()
	err := r.update(req.Context(), in.ID, activities.ExtendUpdate, "extend/"+who.ID+"/"+until.Format(time.RFC3339Nano),
		activities.ExtendRequest{By: who.ID, Reason: in.Reason, Until: until}, &l)
	if err != nil {
		return r.refused("extend "+in.ID, err)
	}
	reply(w, http.StatusOK, l)
	return nil
}

func (r *Receiver) releaseLease(w http.ResponseWriter, req *http.Request, who incident.Person) *problem {
	in, p := r.leaseRequest(w, req)
	if p != nil {
		return p
	}
	l, err := r.release(req.Context(), in.ID, who, in.Reason)
	if err != nil {
		return r.refused("release "+in.ID, err)
	}
	reply(w, http.StatusOK, l)
	return nil
}

func (r *Receiver) release(ctx context.Context, id string, who incident.Person, reason string) (incident.Lease, error) {
	var l incident.Lease
	return l, r.update(ctx, id, activities.ReleaseUpdate, fmt.Sprintf("release/%s/%d", who.ID, r.Now().UnixNano()),
		activities.ReleaseRequest{By: who.ID, Reason: reason}, &l)
}

// SinceRequest asks to give back everything that was contained lately.
type SinceRequest struct {
	Since  time.Duration `json:"since"`
	Reason string        `json:"reason"`
}

// Released says what became of each lease.
type Released struct {
	Released []incident.Lease `json:"released"`
	// Failed are the leases that were not given back, by id, with the reason.
	Failed map[string]string `json:"failed,omitempty"`
}

// releaseSince gives back every lease that began in the last while. Requested,
// released and failed add up, or it says so.
func (r *Receiver) releaseSince(w http.ResponseWriter, req *http.Request, who incident.Person) *problem {
	var in SinceRequest
	if p := decode(w, req, &in); p != nil {
		return p
	}
	if in.Since <= 0 || in.Reason == "" {
		return fail(http.StatusBadRequest, "invalid", "since when, and a reason, are needed")
	}
	from := r.Now().Add(-in.Since).UTC().Format(time.RFC3339Nano)
	list, err := r.leases(req.Context(), " AND StartTime >= '"+from+"'")
	if err != nil {
		return r.unavailable("list leases", err)
	}
	out := Released{Released: []incident.Lease{}, Failed: map[string]string{}}
	for _, id := range list.Unread {
		out.Failed[id] = "it did not answer"
	}
	for _, l := range list.Leases {
		done, err := r.release(req.Context(), l.ID, who, in.Reason)
		if err != nil {
			out.Failed[l.ID] = r.refused("release "+l.ID, err).Error
			continue
		}
		out.Released = append(out.Released, done)
	}
	if list.More {
		out.Failed["more"] = fmt.Sprintf("more than %d leases stand: run it again", maxListed)
	}
	reply(w, http.StatusOK, out)
	return nil
}
