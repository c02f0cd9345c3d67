package httpapi_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/httpapi"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func TestDriftOfWhatStandsIsShown(t *testing.T) {
	s := newSide(t)
	ref := s.send(alert("a", "high_egress", host(t))).Cases[0]
	id := s.until(ref, "the host is contained", contained).Steps[0].Lease
	found := func() []incident.Drift {
		var list api.DriftList
		s.call("GET", "/v1/leases/drift", aliceToken, nil).is(200, &list)
		return slices.DeleteFunc(list.Drift, func(d incident.Drift) bool { return d.Lease != id })
	}
	if got := found(); len(got) != 0 {
		t.Errorf("before anything was changed: %+v", got)
	}
	var list api.LeaseList
	eventually(t, "the lease is listed", func() bool {
		s.call("GET", "/v1/leases", aliceToken, nil).is(200, &list)
		list.Leases = slices.DeleteFunc(list.Leases, func(l incident.Lease) bool { return l.ID != id })
		return len(list.Leases) == 1
	})
	if err := shared.estate.Lift(list.Leases[0].Order); err != nil {
		t.Fatal(err)
	}
	if got := found(); len(got) != 1 || got[0].Kind != incident.DriftGone {
		t.Errorf("after it was lifted by hand: %+v", got)
	}
	s.call("POST", "/v1/leases/release", bobToken, api.LeaseRequest{ID: id, Reason: "clean"}).is(200, nil)
}

// Each question asks every product, so that they come one after the other.
func TestProductsAreReadForOneAtATime(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan error)
	s := newSide(t, func(o *httpapi.Options) {
		o.Drift = func(context.Context) (api.DriftList, error) {
			asked <- struct{}{}
			return api.DriftList{Drift: []incident.Drift{}}, <-answer
		}
	})
	for _, err := range []error{nil, errors.New("the engine is away"), nil} {
		first := make(chan int)
		go func() { first <- s.call("GET", "/v1/leases/drift", aliceToken, nil).status }()
		<-asked
		a := s.call("GET", "/v1/leases/drift", bobToken, nil)
		a.refused(429, "throttled")
		if a.header.Get("Retry-After") != "5" {
			t.Errorf("it may be asked again after %q", a.header.Get("Retry-After"))
		}
		answer <- err
		want := 200
		if err != nil {
			want = 503
		}
		if status := <-first; status != want {
			t.Errorf("with %v it is answered %d, want %d", err, status, want)
		}
	}
}
