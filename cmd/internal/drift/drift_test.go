package drift_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/drift"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// world is an estate and the leases that the engine has.
type world struct {
	*memory.Estate
	t    *testing.T
	list api.LeaseList
	// unlisted run, and the list does not have them yet; broken do not answer.
	unlisted, broken map[string]incident.Lease
}

func (w *world) Leases(context.Context) (api.LeaseList, error) { return w.list, nil }

func (w *world) Lease(_ context.Context, id string) (incident.Lease, error) {
	if _, ok := w.broken[id]; ok {
		return incident.Lease{}, errors.New("no answer")
	}
	if l, ok := w.unlisted[id]; ok {
		return l, nil
	}
	for _, l := range w.list.Leases {
		if l.ID == id {
			return l, nil
		}
	}
	return incident.Lease{}, integrations.Errorf(integrations.NotFound, "ask "+id, "there is none")
}

func newWorld(t *testing.T) *world {
	t.Helper()
	e, err := memory.New(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return &world{Estate: e, t: t, unlisted: map[string]incident.Lease{}, broken: map[string]incident.Lease{}}
}

// lease is a limit of a device that is in place at the gateway.
func (w *world) lease(id string) incident.Lease {
	w.t.Helper()
	device, err := incident.DeviceTarget(id, id)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.AddHost(memory.Host{ID: id, Name: id}); err != nil {
		w.t.Fatal(err)
	}
	o := incident.Order{Action: incident.RateLimit, Target: device, Rate: 2_000_000}
	o.Key = protocol.LeaseID("gateway", o)
	if _, err := w.Apply(w.t.Context(), o); err != nil {
		w.t.Fatal(err)
	}
	return incident.Lease{ID: o.Key, Use: "gateway", Order: o, Phase: incident.Confirmed}
}

// finds looks for drift, and fails unless it finds exactly that.
func (w *world) finds(want ...string) api.DriftList {
	w.t.Helper()
	set := integrations.NewSet()
	for _, name := range []string{"edr", "gateway"} {
		set.Add(name, w.Spec(), w.Estate)
	}
	effects := len(w.Effects())
	out, err := drift.Find(w.t.Context(), set, w, func(string) bool { return false })
	if err != nil {
		w.t.Fatal(err)
	}
	var got []string
	for _, d := range out.Drift {
		got = append(got, string(d.Kind)+" "+d.Lease+" "+d.Use+" "+d.Host)
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("found\n%q, want\n%q", got, want)
	}
	if n := len(w.Effects()); n != effects {
		w.t.Errorf("looking had %d effects", n-effects)
	}
	return out
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestDriftIsFoundAtEveryProduct(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{"ws-1", "ws-2", "ws-3", "ws-4"} {
		w.list.Leases = append(w.list.Leases, w.lease(id))
	}
	if out := w.finds(); out.Read != 4 || out.More || len(out.Unlisted) > 0 {
		t.Errorf("%+v", out)
	}
	w.must(w.Lift(w.list.Leases[0].Order))
	w.must(w.Retune(w.list.Leases[1].Order, 5_000_000))
	w.must(w.Lift(w.list.Leases[2].Order))
	w.must(w.Impose(w.list.Leases[2].Order))
	w.finds(
		"gone lease/rate_limit/gateway/ws-1 gateway ws-1",
		"rate lease/rate_limit/gateway/ws-2 gateway ws-2",
		"key lease/rate_limit/gateway/ws-3 gateway ws-3",
	)
}

func TestWhatNobodyHoldsIsAStray(t *testing.T) {
	w := newWorld(t)
	w.list.Leases = append(w.list.Leases, w.lease("ws-1"))
	w.lease("ws-2")
	other := w.lease("ws-3").Order
	w.must(w.Lift(other))
	other.Key = "made by hand"
	if _, err := w.Apply(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	w.finds("stray lease/rate_limit/gateway/ws-2 gateway ws-2", "stray made by hand edr ws-3")

	w.unlisted["lease/rate_limit/gateway/ws-2"] = incident.Lease{Phase: incident.Undoing}
	w.finds("stray made by hand edr ws-3")
	w.unlisted["lease/rate_limit/gateway/ws-2"] = incident.Lease{Phase: incident.GivenBack}
	w.finds("stray lease/rate_limit/gateway/ws-2 gateway ws-2", "stray made by hand edr ws-3")
	w.broken["lease/rate_limit/gateway/ws-2"] = incident.Lease{}
	w.finds("unread lease/rate_limit/gateway/ws-2 gateway ws-2", "stray made by hand edr ws-3")

	w.list.More = true
	if out := w.finds(); !out.More {
		t.Error("it does not say that there are more")
	}
}

func TestWhatIsAboutToChangeHasNotDrifted(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{"ws-1", "ws-2", "ws-3"} {
		l := w.lease(id)
		w.must(w.Lift(l.Order))
		w.list.Leases = append(w.list.Leases, l)
	}
	w.list.Leases[0].Phase = incident.Undoing
	w.unlisted[w.list.Leases[1].ID] = incident.Lease{ID: w.list.Leases[1].ID, Phase: incident.Undoing}
	w.broken[w.list.Leases[2].ID] = incident.Lease{}
	w.list.Unread = []string{"lease/isolate/edr/ws-9"}
	w.finds("unread lease/isolate/edr/ws-9  ", "unread lease/rate_limit/gateway/ws-3 gateway ws-3")
}

func TestAProductThatCannotBeReadIsDrift(t *testing.T) {
	w := newWorld(t)
	l := w.lease("ws-1")
	l.Use = "firewall"
	w.list.Leases = append(w.list.Leases, l, w.lease("ws-2"))
	w.Fail("read rate_limit", integrations.Error{Kind: integrations.Unavailable}, -1)
	w.Fail("standing", integrations.Error{Kind: integrations.Unavailable}, -1)
	out := w.finds("unread  edr ", "unread  gateway ", "unread lease/rate_limit/gateway/ws-1 firewall ws-1", "unread lease/rate_limit/gateway/ws-2 gateway ws-2")
	if !slices.Equal(out.Unlisted, []string{"firewall"}) {
		t.Errorf("unlisted are %v", out.Unlisted)
	}
}

// Compare is not called where nothing is carried out by another process.
func (w *world) Compare(context.Context, string) (protocol.Compared, error) {
	return protocol.Compared{}, errors.New("nothing is elsewhere")
}
