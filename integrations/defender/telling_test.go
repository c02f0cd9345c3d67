package defender

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/apispec"
	"github.com/stanch-soar/stanch/integrations/defender/defenderfake"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// What runs is told with its signature, where the device has checked it, and what led to it.
func TestASignatureIsTold(t *testing.T) {
	d := judged(t)
	x := d.open(t, defenderfake.Options{})
	start := time.Now().Add(-time.Hour)
	parent := &edrtest.Process{PID: 900, Path: `C:\Windows\explorer.exe`, Start: start}
	x.add(edrtest.Host{ID: idOf("ws-042"), Name: "ws-042", Processes: []*edrtest.Process{
		{PID: 4001, Path: `C:\Tools\signed.exe`, Signer: "Example Ltd", Start: start.Add(time.Minute), Parent: parent, Session: 2},
		{PID: 4002, Path: `C:\Tools\other.exe`, Start: start, Parent: parent},
	}})
	got, err := x.Executions(t.Context(), integrations.ExecutionQuery{Target: x.target(t, "ws-042"), From: start, To: start.Add(time.Hour), Limit: 10})
	if err != nil || len(got) != 2 {
		t.Fatalf("%d executions, %v", len(got), err)
	}
	signed, other := got[0].Process, got[1].Process
	for name, got := range map[string][2]string{
		"signed": {signed.Signed.String(), "true"}, "signer": {signed.Signer.String(), "Example Ltd"}, "session": {signed.Session.String(), "2"},
		"parent": {signed.Parent.String(), `C:\Windows\explorer.exe`}, "unchecked": {other.Signed.String(), "unknown (Defender has no check of the image's signature)"},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %s, want %s", name, got[0], got[1])
		}
	}
}

// What a device records after it was isolated shows that its agent reaches the cloud.
// Where nothing comes, that is not said.
func TestAnEventSinceIsASignOfLife(t *testing.T) {
	x := judged(t).open(t, defenderfake.Options{})
	before := time.Now().Add(-time.Minute)
	x.add(edrtest.Host{ID: idOf("ws-042"), Name: "ws-042", Processes: []*edrtest.Process{{PID: 1, Path: `C:\a.exe`, Start: before}}})
	x.world.Change(idOf("ws-042"), func(h *edrtest.Host) { h.LastSeen = before })
	o := incident.Order{Key: "key-1", Action: incident.Isolate, Target: x.target(t, "ws-042"), HeardWithin: 10 * time.Minute}
	if _, err := x.Apply(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	x.world.Settle()
	heard := func() time.Time {
		t.Helper()
		r, err := x.Read(t.Context(), o)
		if err != nil || !r.Stands {
			t.Fatalf("%+v, %v", r, err)
		}
		return r.Heard
	}
	if at := heard(); !at.IsZero() {
		t.Errorf("it was heard at %s, before it was isolated", at)
	}
	since := time.Now().UTC()
	x.world.Change(idOf("ws-042"), func(h *edrtest.Host) {
		h.Processes = append(slices.Clone(h.Processes), &edrtest.Process{PID: 2, Path: `C:\b.exe`, Start: since})
	})
	if at := heard(); at.Sub(since).Abs() > tick {
		t.Errorf("it was heard at %s, want %s", at, since)
	}
	o.HeardWithin = 0
	if at := heard(); !at.IsZero() {
		t.Errorf("nobody asked, and it was heard at %s", at)
	}
	o.HeardWithin = time.Minute
	x.double.FailHunting(http.StatusInternalServerError)
	if at := heard(); !at.IsZero() {
		t.Errorf("hunting failed, and it was heard at %s", at)
	}
}

// Microsoft's own service for the language finds nothing wrong with a query of ours.
func TestQueriesAreWell(t *testing.T) {
	now := time.Now()
	wanted, err := wantedOf("ask", []incident.Tuple{{SrcIP: "192.0.2.2", SrcPort: 50001, DstIP: "2001:db8::1", DstPort: 53, Transport: "udp"}})
	if err != nil {
		t.Fatal(err)
	}
	asked := integrations.ExecutionQuery{From: now.Add(-time.Hour), To: now, Limit: 10, PIDs: []int64{7, 8}}
	apispec.CheckKQL(t,
		network(device, now.Add(-time.Hour), now, nil).newest(10, networkColumns()),
		network(device, now.Add(-time.Hour), now, wanted).newest(10, networkColumns()),
		startsQuery(device, asked), scriptsQuery(device, asked),
		sightings("DeviceProcessEvents", created(), device, 7, now), sightings("DeviceNetworkEvents", initiating(), device, 7, now),
		usersQuery("ws-042", nil, now), usersQuery("ws-042.corp.example", nil, now),
		usersQuery("", addressesOf([]string{"192.0.2.2", "2001:db8::1"}), now),
		events("DeviceInfo", device, now.Add(-time.Minute), now).newest(1, []string{"Timestamp"}),
	)
}
