package sentinelone

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/edrtest"
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
	var polls atomic.Int32
	busy := d.open(t, sentinelonefake.Options{Steps: 5, Before: func(r *http.Request) {
		if r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, lakePath) {
			polls.Add(1)
		}
	}})
	busy.add(sender())
	pace := time.Now()
	busy.double.Change(func(o *sentinelonefake.Options) {
		o.Unlimited = false
		o.Pace = func() time.Time { return pace.Add(time.Duration(polls.Load()/6) * time.Second) }
	})
	if err := ask(busy); err != nil || polls.Load() <= 5 {
		t.Errorf("while it is busy: %v after %d polls", err, polls.Load())
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
