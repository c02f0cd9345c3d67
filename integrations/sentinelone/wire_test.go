package sentinelone

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/integrations/sentinelone/sentinelonefake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// wants fails unless an error is of a kind and says something.
func wants(t testing.TB, what string, err error, kind integrations.Kind, says string) {
	t.Helper()
	if err == nil || integrations.KindOf(err) != kind || !strings.Contains(err.Error(), says) {
		t.Errorf("%s: %v; want an error of kind %s that says %q", what, err, kind, says)
	}
}

func orderOn(target incident.Target) incident.Order {
	return incident.Order{Key: "lease/isolate/ws-042/edr", Action: incident.Isolate, Target: target, Reason: "test"}
}

// What is no exact device is refused before anything is sent.
func TestOnlyOneDeviceIsATarget(t *testing.T) {
	x := judged(t).open(t, sentinelonefake.Options{})
	x.add(edrtest.Host{ID: idOf("ws-042"), Name: "ws-042"})
	id := idOf("ws-042")
	for _, text := range []string{"all", "*", id + "," + idOf("ws-007"), id + " ", id[:5], "0" + id[1:], id + `"]}`, "ws-042", "12345678901234567890123", "-" + id[1:]} {
		target, err := incident.DeviceTarget(text, "")
		if err != nil {
			t.Fatal(err)
		}
		for name, do := range map[string]func() error{
			"read":  func() error { _, err := x.Read(t.Context(), orderOn(target)); return err },
			"apply": func() error { _, err := x.Apply(t.Context(), orderOn(target)); return err },
			"undo":  func() error { _, err := x.Undo(t.Context(), orderOn(target)); return err },
			"connections": func() error {
				_, err := x.Connections(t.Context(), integrations.ConnectionQuery{Target: target, From: time.Now().Add(-1), To: time.Now(), Limit: 1})
				return err
			},
			"executions": func() error {
				_, err := x.Executions(t.Context(), integrations.ExecutionQuery{Target: target, From: time.Now().Add(-1), To: time.Now(), Limit: 1})
				return err
			},
			"collect": func() error {
				_, err := x.Collect(t.Context(), integrations.CollectOrder{Key: "k", Target: target, What: []string{"processes"}})
				return err
			},
			"kill": func() error {
				_, err := x.Kill(t.Context(), integrations.KillOrder{Key: "k", Target: target, PID: 1, Path: `C:\a.exe`})
				return err
			},
			"run": func() error {
				_, err := x.Run(t.Context(), integrations.ScriptOrder{Key: "k", Target: target, Script: "a"})
				return err
			},
		} {
			wants(t, name+" of "+text, do(), integrations.Invalid, "device id")
		}
	}
	if n := x.server.Calls(); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
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

// Queries are bounded, deleted in any case, and a part is not taken for the whole.
func TestQueries(t *testing.T) {
	d := judged(t)
	// Of two at once, one that is given up while its answer comes does not learn the new tag,
	// and cannot be deleted: it expires.
	ask := func(x *console) error {
		_, err := x.events(t.Context(), question{
			op: "ask", agent: uuid{sentinelonefake.UUID(idOf("ws-042"))}, event: ipConnect, from: time.Now().Add(-time.Hour), to: time.Now(), limit: 10,
		})
		return err
	}
	for name, c := range map[string]struct {
		o      sentinelonefake.Options
		change func(*Config)
		says   string
	}{
		"well": {}, "at once": {o: sentinelonefake.Options{Steps: -1}},
		"of an account": {change: func(c *Config) { c.Accounts = []string{sentinelonefake.AccountID} }},
		"fails":         {o: sentinelonefake.Options{QueryFails: "it broke"}, says: "it broke"},
		"a part":        {o: sentinelonefake.Options{QueryCut: true}, says: "a part of the events"},
		"not allowed":   {o: sentinelonefake.Options{Permissions: []string{"Endpoints.view"}}, says: "permission denied"},
	} {
		t.Run(name, func(t *testing.T) {
			change := c.change
			if change == nil {
				change = func(*Config) {}
			}
			x := d.open(t, c.o, change)
			h := sender()
			h.Connections = append(h.Connections, h.Connections[0])
			h.Connections[1].At = h.Connections[1].At.Add(-time.Second)
			x.add(h)
			err := ask(x)
			if (err != nil) != (c.says != "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want an error that says %q", err, c.says)
			}
			x.ending.Wait()
			if n := x.double.OpenQueries(); n != 0 {
				t.Errorf("%d queries were left", n)
			}
			for _, q := range x.double.Queries() {
				if !strings.Contains(q, "| limit ") || !strings.Contains(q, "agent.uuid = '"+sentinelonefake.UUID(idOf("ws-042"))+"'") || !strings.Contains(q, "event.time >= ") {
					t.Errorf("the query is not bounded: %s", q)
				}
			}
		})
	}
	x := d.open(t, sentinelonefake.Options{Steps: 1 << 20})
	x.add(sender())
	x.poll = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for len(x.double.Queries()) < 2 {
			runtime.Gosched()
		}
		time.AfterFunc(200*time.Millisecond, cancel)
	}()
	if _, err := x.Connections(ctx, integrations.ConnectionQuery{Target: x.target(t, "ws-042"), From: time.Now().Add(-time.Hour), To: time.Now(), Limit: 10}); err == nil {
		t.Error("a query that does not end has ended")
	}
	x.ending.Wait()
	if n := x.double.OpenQueries(); n != 0 {
		t.Errorf("%d queries were left by who gave up", n)
	}
}

// Pages follow each other where rows that do not count fill them, and rows of one time
// are not cut apart.
func TestPagesOfEvents(t *testing.T) {
	x := judged(t).open(t, sentinelonefake.Options{Steps: -1})
	h := edrtest.Host{ID: idOf("ws-042"), Name: "ws-042"}
	at := time.Now().Add(-time.Minute).Truncate(time.Second)
	for i := range 7 {
		h.Processes = append(h.Processes, &edrtest.Process{PID: int64(100 + i), Path: fmt.Sprintf(`C:\%d.exe`, i), Start: at.Add(time.Duration(i/2) * time.Second)})
	}
	x.add(h)
	q := question{
		op: "ask", agent: uuid{sentinelonefake.UUID(idOf("ws-042"))}, event: created, from: at.Add(-time.Hour), to: time.Now(), limit: 7,
		fields: []string{target + ".pid"},
	}
	rows, err := x.events(t.Context(), q)
	if err != nil || len(rows) != 7 || rows[0][target+".pid"] != "106" {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	q.limit, q.keep = 2, func(r row) bool { return r[target+".pid"] < "102" }
	if rows, err = x.events(t.Context(), q); err != nil || len(rows) != 2 {
		t.Errorf("%d rows that count, %v; want 2", len(rows), err)
	}
}

func TestScripts(t *testing.T) {
	d := judged(t)
	library := []sentinelonefake.Script{{ID: "5000001", Name: "print.ps1"}, {ID: "5000002", Name: "held.ps1", RequiresApproval: true}, {ID: "5000003", Name: "twice.ps1"}, {ID: "5000004", Name: "twice.ps1"}}
	fresh := func(t *testing.T, change ...func(*Config)) (*console, integrations.ScriptOrder) {
		t.Helper()
		x := d.open(t, sentinelonefake.Options{Scripts: library}, change...)
		x.add(edrtest.Host{ID: idOf("ws-042"), Name: "ws-042"})
		x.world.OnScript(func(edrtest.Host, string, string) edrtest.Result {
			return edrtest.Result{Exit: 1, Stdout: "out", Stderr: "err"}
		})
		return x, integrations.ScriptOrder{Key: "key", Target: x.target(t, "ws-042"), Script: "print.ps1"}
	}
	t.Run("completed in failure is failed", func(t *testing.T) {
		x, o := fresh(t)
		if _, err := x.Run(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		x.world.Settle()
		r, err := x.Ran(t.Context(), o)
		if err != nil || r.State != integrations.ScriptFailed || r.Stdout != "out" || r.Stderr != "err" || r.Exit != nil || !strings.Contains(r.Detail, "terminated in failure") {
			t.Errorf("%+v, %v", r, err)
		}
	})
	t.Run("approved by somebody, for another process", func(t *testing.T) {
		x, o := fresh(t)
		o.Script = "held.ps1"
		r, err := x.Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		other, err := open(x.config, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = other.Close() })
		if got, err := other.Ran(t.Context(), o); err != nil || got.State != integrations.ScriptAwaitsApproval {
			t.Errorf("%+v, %v", got, err)
		}
		if again, err := other.Run(t.Context(), o); err != nil || again.Ref != r.Ref {
			t.Errorf("%+v, %v; want %s again", again, err, r.Ref)
		}
		o2 := o
		o2.Key = "other"
		third, err := open(x.config, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = third.Close() })
		_, err = third.Run(t.Context(), o2)
		wants(t, "another script", err, integrations.Conflict, "waits for approval")
		x.decide(t, r.Ref, "approve")
		x.world.Settle()
		if got, err := other.Ran(t.Context(), o); err != nil || got.Stdout != "out" {
			t.Errorf("%+v, %v", got, err)
		}
	})
	t.Run("declined by somebody", func(t *testing.T) {
		x, o := fresh(t)
		o.Script = "held.ps1"
		r, err := x.Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		x.decide(t, r.Ref, "decline")
		if got, err := x.Ran(t.Context(), o); err != nil || got.State != integrations.ScriptFailed || !strings.Contains(got.Detail, "declined") {
			t.Errorf("%+v, %v", got, err)
		}
	})
	t.Run("a name that is not one script's", func(t *testing.T) {
		x, o := fresh(t)
		for name, says := range map[string]string{"twice.ps1": "has 2 scripts", "print": "has 0 scripts"} {
			o.Script = name
			_, err := x.Run(t.Context(), o)
			wants(t, name, err, integrations.Invalid, says)
		}
		if n := len(x.world.Actions("")); n != 0 {
			t.Errorf("%d scripts were ordered", n)
		}
	})
	t.Run("a lost answer is not ordered again", func(t *testing.T) {
		x, o := fresh(t)
		x.fail(contract.LoseAnswer)
		_, err := x.Run(t.Context(), o)
		wants(t, "run", err, integrations.Ambiguous, "")
		x.fail(contract.Works)
		_, err = x.Run(t.Context(), o)
		wants(t, "run again", err, integrations.Ambiguous, "answer was lost")
		if n := len(x.world.Actions("")); n != 1 {
			t.Errorf("%d scripts were ordered", n)
		}
	})
	t.Run("output elsewhere is not fetched", func(t *testing.T) {
		x, o := fresh(t, func(c *Config) { c.Downloads = nil })
		if _, err := x.Run(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		x.world.OnScript(func(edrtest.Host, string, string) edrtest.Result { return edrtest.Result{Stdout: "out"} })
		x.world.Settle()
		_, err := x.Ran(t.Context(), o)
		wants(t, "ran", err, integrations.Denied, "name the host in downloads")
	})
}

// decide approves or declines an execution, as people do in the console.
func (x *console) decide(t testing.TB, id, action string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPut, managementPath+scriptsPath+"/pending-executions/"+id, strings.NewReader(`{"data":{"action":"`+action+`"}}`))
	r.Header.Set("Authorization", "ApiToken "+secret)
	w := httptest.NewRecorder()
	x.double.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", action, w.Code, w.Body)
	}
}

func TestProbe(t *testing.T) {
	d := judged(t)
	every := func() []string {
		var names []string
		for _, p := range permissions() {
			names = append(names, p.Name)
		}
		return names
	}
	for name, c := range map[string]struct {
		o    sentinelonefake.Options
		now  time.Duration
		want string
		ok   bool
		warn bool
	}{
		"all is well":       {want: "the token is good until", ok: true},
		"the documented":    {o: sentinelonefake.Options{Permissions: every()}, want: "has events of the device", ok: true},
		"no agents":         {o: sentinelonefake.Options{Permissions: []string{}}, want: "may lack Endpoints.view"},
		"no data lake":      {o: sentinelonefake.Options{Permissions: []string{"Endpoints.view"}}, want: "may lack Skylight Query API.view"},
		"no scripts":        {o: sentinelonefake.Options{Permissions: []string{"Endpoints.view"}}, want: "may lack Remote Script Orchestration.view"},
		"the token ends":    {o: sentinelonefake.Options{Expires: time.Now().Add(48 * time.Hour)}, want: "the token is good until", ok: true, warn: true},
		"the clock is off":  {now: 3 * time.Minute, want: "the clock differs", ok: true, warn: true},
		"the clock is far":  {now: -6 * time.Minute, want: "the clock differs"},
		"what is not known": {want: "cannot be told without doing so", ok: true, warn: true},
	} {
		t.Run(name, func(t *testing.T) {
			x := d.open(t, c.o)
			x.add(sender())
			x.now = func() time.Time { return time.Now().Add(c.now) }
			found := x.Probe(t.Context())
			if !slices.ContainsFunc(found, func(f integrations.Finding) bool {
				return strings.Contains(f.What, c.want) && f.OK == c.ok && f.Warning == c.warn && (f.Fix != "") == (!c.ok || c.warn)
			}) {
				t.Errorf("the findings %+v lack %q, ok %t, warning %t", found, c.want, c.ok, c.warn)
			}
			if x.world.Effects("") != 0 || len(x.world.Actions("")) != 0 {
				t.Error("the probe changed something")
			}
			if text, _ := json.Marshal(found); strings.Contains(string(text), secret) {
				t.Error("the findings have the token")
			}
		})
	}
}
