package sentinelone

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/integrations/sentinelone/sentinelonefake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func orderOn(target incident.Target) incident.Order {
	return incident.Order{Key: "lease/isolate/ws-042/edr", Action: incident.Isolate, Target: target, Reason: "test"}
}

// A write holds one id, and an answer about another number of devices is an alarm.
func TestTheNumberOfDevicesIsChecked(t *testing.T) {
	for answer, says := range map[string]string{
		`{"data":{"affected":3}}`: "3 devices were affected, 1 was meant", `{"data":{"affected":0}}`: "0 devices were affected, 1 was meant",
		`{"data":{}}`: "does not say how many", `{"data":{"affected":1},"errors":[{"code":1,"detail":"half of it"}]}`: "half of it",
	} {
		t.Run(answer, func(t *testing.T) {
			var mu sync.Mutex
			var bodies []string
			id := idOf("ws-042")
			key := orderOn(incident.Target{}).Key
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					_, _ = fmt.Fprintf(w, `{"data":[{"id":%q,"networkStatus":"connected","externalId":%q}],"pagination":{"totalItems":1,"nextCursor":null}}`, id, mark(key))
					return
				}
				body, _ := io.ReadAll(r.Body)
				mu.Lock()
				bodies = append(bodies, r.URL.Path+" "+string(body))
				mu.Unlock()
				_, _ = io.WriteString(w, answer)
			}))
			t.Cleanup(server.Close)
			c, err := open(Config{URL: server.URL, Token: secret, Identifier: Refuse, Access: httpx.Access{Timeout: 5 * time.Second}}, nil)
			if err != nil {
				t.Fatal(err)
			}
			target, _ := incident.DeviceTarget(id, "")
			_, err = c.Apply(t.Context(), orderOn(target))
			wants(t, "apply", err, integrations.Ambiguous, says)
			if want := []string{managementPath + `/agents/actions/disconnect {"filter":{"ids":["` + id + `"]}}`}; !slices.Equal(bodies, want) {
				t.Errorf("it wrote %q, want %q", bodies, want)
			}
		})
	}
}

// external is a device's customer identifier, as the double has it.
func (x *console) external(t testing.TB, id string) string {
	t.Helper()
	a, parsed := parseAgent(id)
	if !parsed {
		t.Fatal(id)
	}
	got, err := x.agent(t.Context(), "look", a)
	if err != nil {
		t.Fatal(err)
	}
	return got.ExternalID
}

// identify sets a customer identifier by hand.
func (x *console) identify(t testing.TB, id, text string) {
	t.Helper()
	a, _ := parseAgent(id)
	if err := x.act(t.Context(), "identify", "/agents/actions/set-external-id", namingOf(a, text)); err != nil {
		t.Fatal(err)
	}
}

// What a customer wrote is never lost: such a device is refused, or the mark stands behind it.
func TestACustomersIdentifierIsKept(t *testing.T) {
	const theirs = "ACME 4711, rack 3"
	d := judged(t)
	x := d.open(t, sentinelonefake.Options{})
	x.add(edrtest.Host{ID: idOf("ws-042"), Name: "ws-042"})
	x.identify(t, idOf("ws-042"), theirs)
	_, err := x.Apply(t.Context(), orderOn(x.target(t, "ws-042")))
	wants(t, "apply", err, integrations.Invalid, "identifier: append")
	if n, has := x.world.Effects(""), x.external(t, idOf("ws-042")); n != 0 || has != theirs {
		t.Errorf("%d effects, and the identifier is %q", n, has)
	}

	x = d.open(t, sentinelonefake.Options{}, func(c *Config) { c.Identifier = Append })
	x.add(edrtest.Host{ID: idOf("ws-042"), Name: "ws-042"})
	x.identify(t, idOf("ws-042"), theirs)
	o := orderOn(x.target(t, "ws-042"))
	for step, do := range []func() error{
		func() error { _, err := x.Apply(t.Context(), o); return err },
		func() error { _, err := x.Undo(t.Context(), o); return err },
		func() error { _, err := x.Undo(t.Context(), o); return err },
	} {
		if err := do(); err != nil {
			t.Fatalf("step %d: %v", step, err)
		}
		x.world.Settle()
		want := []string{theirs + " " + mark(o.Key), theirs + " " + lifted(o.Key), theirs}[step]
		if has := x.external(t, idOf("ws-042")); has != want {
			t.Errorf("after step %d the identifier is %q, want %q", step, has, want)
		}
	}
	if x.world.Isolated(idOf("ws-042")) {
		t.Error("it is isolated still")
	}
}

// Another process tells ours from somebody else's, and what somebody orders after our lift
// is theirs.
func TestAnotherProcessKnowsWhoseItIs(t *testing.T) {
	x := judged(t).open(t, sentinelonefake.Options{})
	x.add(edrtest.Host{ID: idOf("ws-042"), Name: "ws-042"})
	other, err := open(x.config, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	o := orderOn(x.target(t, "ws-042"))
	if _, err := x.Apply(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	x.world.Settle()
	if r, err := other.Read(t.Context(), o); err != nil || !r.Stands || r.Key != o.Key {
		t.Errorf("%+v, %v", r, err)
	}
	theirs := o
	theirs.Key = "another"
	if r, err := other.Read(t.Context(), theirs); err != nil || !r.Stands || r.Key == theirs.Key || r.Key == "" {
		t.Errorf("with another key: %+v, %v", r, err)
	}
	if _, err := other.Undo(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	x.world.Settle()
	x.world.Impose(idOf("ws-042"))
	if r, err := other.Read(t.Context(), o); err != nil || !r.Stands || r.Key != "" {
		t.Errorf("isolated by hand after our lift: %+v, %v", r, err)
	}
	if _, err := other.Undo(t.Context(), o); err != nil || !x.world.Isolated(idOf("ws-042")) {
		t.Errorf("the isolation of somebody else was lifted, or %v", err)
	}
}

// A device that is gone is not isolated, and one that is connecting for ever is given back.
func TestADecommissionedDevice(t *testing.T) {
	x := judged(t).open(t, sentinelonefake.Options{})
	x.add(edrtest.Host{ID: idOf("ws-042"), Name: "ws-042"})
	o := orderOn(x.target(t, "ws-042"))
	if _, err := x.Apply(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	x.world.Settle()
	x.double.Decommission(idOf("ws-042"))
	if r, err := x.Read(t.Context(), o); err != nil || !r.Stands {
		t.Errorf("while it is isolated: %+v, %v", r, err)
	}
	if _, err := x.Undo(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	x.world.Settle()
	if r, err := x.Read(t.Context(), o); err != nil || r.Stands || r.Pending {
		t.Errorf("a lift that nobody carries out: %+v, %v", r, err)
	}
	n := x.world.Effects("")
	_, err := x.Apply(t.Context(), o)
	wants(t, "apply", err, integrations.Invalid, "manages the device no more")
	if x.world.Effects("") != n {
		t.Error("it was isolated")
	}
	for q, want := range map[string]int{"id": 1, "name": 0} {
		query := map[string]integrations.EndpointQuery{"id": {ID: idOf("ws-042")}, "name": {Name: "ws-042"}}[q]
		if found, err := x.Endpoints(t.Context(), query); err != nil || len(found) != want {
			t.Errorf("by %s: %d devices, %v; want %d", q, len(found), err, want)
		}
	}
}

func TestAnUnknownStatusStopsEverything(t *testing.T) {
	x := judged(t).open(t, sentinelonefake.Options{NetworkStatus: map[string]string{idOf("ws-042"): "quarantined"}})
	x.add(edrtest.Host{ID: idOf("ws-042"), Name: "ws-042"})
	o := orderOn(x.target(t, "ws-042"))
	_, err := x.Read(t.Context(), o)
	wants(t, "read", err, integrations.Unavailable, "quarantined")
	_, err = x.Apply(t.Context(), o)
	wants(t, "apply", err, integrations.Unavailable, "quarantined")
	_, err = x.Undo(t.Context(), o)
	wants(t, "undo", err, integrations.Unavailable, "quarantined")
	if x.world.Effects("") != 0 || x.external(t, idOf("ws-042")) != "" {
		t.Error("something was written")
	}
	if e, err := x.Endpoints(t.Context(), integrations.EndpointQuery{ID: idOf("ws-042")}); err != nil || e[0].Isolation.IsKnown() {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestAnOfflineDeviceIsQueued(t *testing.T) {
	x := judged(t).open(t, sentinelonefake.Options{})
	x.add(edrtest.Host{ID: idOf("ws-042"), Name: "ws-042", Offline: true})
	o := orderOn(x.target(t, "ws-042"))
	if _, err := x.Apply(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	x.world.Settle()
	if r, err := x.Read(t.Context(), o); err != nil || !r.Pending || !strings.Contains(r.Detail, "offline; queued at SentinelOne") {
		t.Errorf("%+v, %v", r, err)
	}
}

// An order counts until the console shows it.
func TestAnOrderCountsBeforeItShows(t *testing.T) {
	var o ordered
	a, _ := parseAgent("657613730168123595")
	now := time.Now()
	o.add(a, placed{from: connected, to: disconnecting, at: now})
	for _, step := range []struct {
		after     time.Duration
		has, want status
	}{{time.Second, connected, disconnecting}, {remembered, connected, disconnecting}, {remembered + 1, connected, connected}, {time.Second, connected, connected}} {
		if got := o.seen(a, step.has, now.Add(step.after)); got != step.want {
			t.Errorf("%s after %s is %s, want %s", step.has, step.after, got, step.want)
		}
	}
	o.add(a, placed{from: connected, to: disconnecting, at: now})
	for _, s := range []status{disconnected, connected} {
		if got := o.seen(a, s, now); got != s {
			t.Errorf("once it was shown, %s is %s", s, got)
		}
	}
}

// When an agent was heard is the console's time of it, where that proves something: an old
// time may only have been noted late, unless the agent is not active.
func TestReadTellsWhenTheAgentWasHeard(t *testing.T) {
	for name, c := range map[string]struct {
		ago     time.Duration
		offline bool
		told    bool
	}{
		"active, just now":   {time.Minute, false, true},
		"active, noted late": {lag + time.Minute, false, false},
		"not active":         {3 * time.Hour, true, true},
	} {
		x := judged(t).open(t, sentinelonefake.Options{})
		heard := time.Now().UTC().Add(-c.ago).Truncate(time.Second)
		x.add(edrtest.Host{ID: idOf("ws-042"), Name: "ws-042"})
		x.world.Change(idOf("ws-042"), func(h *edrtest.Host) { h.LastSeen, h.Offline = heard, c.offline })
		r, err := x.Read(t.Context(), orderOn(x.target(t, "ws-042")))
		if err != nil || r.Heard.IsZero() == c.told || c.told && r.Heard.Sub(heard).Abs() > time.Second {
			t.Errorf("%s: it was heard at %s, %v; want %s, told: %t", name, r.Heard, err, heard, c.told)
		}
	}
}
