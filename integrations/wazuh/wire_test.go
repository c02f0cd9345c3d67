package wazuh

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
	"github.com/stanch-soar/stanch/integrations/wazuh/wazuhfake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// wire is a manager and an indexer that answer with what a test says, and keep the writes.
type wire struct {
	*Client
	mu     sync.Mutex
	writes []string
	logins int
	// put is the answer to an order, version what the manager says it is, agent the entry
	// of agent 042, and lines the alerts that a search finds.
	put, version, agent, lines string
	status                     int
}

func wired(t testing.TB) *wire {
	t.Helper()
	w := &wire{
		put: `{"data":{"affected_items":["042"],"total_affected_items":1,"failed_items":[],"total_failed_items":0},"error":0}`, status: http.StatusOK,
		version: "4.14.7", agent: `{"id":"042","name":"ws-042","status":"active","version":"Wazuh v4.14.7"}`, lines: `[]`,
	}
	server := httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(server.Close)
	c, err := Open(Config{
		URL: server.URL, User: "u", Password: "the-secret", IndexerURL: server.URL, IndexerUser: "u", IndexerPassword: "the-secret",
		Index: defaultIndex, Access: httpx.Access{Timeout: 5 * time.Second},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.poll = time.Millisecond
	w.Client = c
	return w
}

func (w *wire) serve(out http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := func(items string, n int) string {
		return fmt.Sprintf(`{"data":{"affected_items":[%s],"total_affected_items":%d,"failed_items":null,"total_failed_items":0},"error":0}`, items, n)
	}
	answer := ""
	switch {
	case r.URL.Path == "/security/user/authenticate":
		w.logins++
		if w.status == http.StatusUnauthorized {
			out.WriteHeader(w.status)
		}
		answer = `{"data":{"token":"e30.e30.x"}}`
	case r.Method == http.MethodPut:
		body, _ := io.ReadAll(r.Body)
		w.writes = append(w.writes, r.Method+" "+r.URL.String()+" "+string(body))
		out.WriteHeader(w.status)
		answer = w.put
	case r.URL.Path == "/":
		answer = `{"data":{"api_version":"` + w.version + `"}}`
	case r.URL.Path == "/agents":
		answer = list(w.agent, 1)
	case strings.HasSuffix(r.URL.Path, "/_search"):
		answer = `{"timed_out":false,"_shards":{"failed":0},"hits":{"hits":` + w.lines + `}}`
	default:
		answer = list("", 0)
	}
	_, _ = io.WriteString(out, answer)
}

func (w *wire) written() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.writes)
}

func device(t testing.TB, id string) incident.Target {
	t.Helper()
	d, err := incident.DeviceTarget(id, "ws-042")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func isolation042(t testing.TB) incident.Order {
	return incident.Order{Key: "lease/isolate/042/edr", Action: incident.Isolate, Target: device(t, "042"), Reason: "test"}
}

// What cannot be one agent never reaches the wire.
func TestOneAgentOnly(t *testing.T) {
	w := wired(t)
	for _, id := range []string{"all", "000", "*", "001,002", "001%2C002", "042&agents_list=043", "4", "0042", "ws-042", "042/../043"} {
		d := device(t, id)
		o := incident.Order{Key: "k", Action: incident.Isolate, Target: d}
		window := integrations.ConnectionQuery{Target: d, From: time.Now().Add(-time.Minute), To: time.Now(), Limit: 1}
		for what, do := range map[string]func() error{
			"read":  func() error { _, err := w.Read(t.Context(), o); return err },
			"apply": func() error { _, err := w.Apply(t.Context(), o); return err },
			"undo":  func() error { _, err := w.Undo(t.Context(), o); return err },
			"run": func() error {
				_, err := w.Run(t.Context(), integrations.ScriptOrder{Key: "k", Target: d, Script: "a"})
				return err
			},
			"kill": func() error {
				_, err := w.Kill(t.Context(), integrations.KillOrder{Key: "k", Target: d, PID: 4, Path: `C:\a.exe`})
				return err
			},
			"collect": func() error {
				_, err := w.Collect(t.Context(), integrations.CollectOrder{Target: d, What: []string{"processes"}})
				return err
			},
			"connections": func() error { _, err := w.Connections(t.Context(), window); return err },
		} {
			if err := do(); err == nil || integrations.KindOf(err) != integrations.Invalid {
				t.Errorf("%s on %q: %v, want invalid", what, id, err)
			}
		}
	}
	if w.logins > 0 || len(w.written()) > 0 {
		t.Errorf("%d logins and the writes %q for what is no agent", w.logins, w.written())
	}
}

// The order on the wire: one agent in the query, and again in the order itself.
func TestOrderOnTheWire(t *testing.T) {
	w := wired(t)
	w.now = func() time.Time { return time.UnixMilli(1_700_000_000_000) }
	if _, err := w.Apply(t.Context(), isolation042(t)); err != nil {
		t.Fatal(err)
	}
	want := `PUT /active-response?agents_list=042 {"command":"!stanch-isolate.cmd","arguments":[],"alert":{"data":{"stanch":` +
		`{"verb":"isolate","agent":"042","key":"lease/isolate/042/edr","order":"1700000000000","expires":"1700000600000"}}}}`
	if got := w.written(); len(got) != 1 || got[0] != want {
		t.Errorf("written was %q, want %q", got, want)
	}
}

func TestAnswersToAnOrder(t *testing.T) {
	failed := func(code int) string {
		return fmt.Sprintf(`{"data":{"affected_items":[],"total_affected_items":0,"failed_items":[{"error":{"code":%d,"message":"no"},"id":["042"]}],"total_failed_items":1},"error":1}`, code)
	}
	for _, c := range []struct {
		name, put string
		status    int
		kind      integrations.Kind
		says      string
	}{
		{"two agents", `{"data":{"affected_items":["042","043"],"total_affected_items":2,"failed_items":[]},"error":0}`, 200, integrations.Ambiguous, "2 devices were affected, 1 was meant"},
		{"more than are listed", `{"data":{"affected_items":["042"],"total_affected_items":350},"error":0}`, 200, integrations.Ambiguous, "350 devices were affected"},
		{"another agent", `{"data":{"affected_items":["043"],"total_affected_items":1},"error":0}`, 200, integrations.Ambiguous, "042 was meant"},
		{"nobody", `{"data":{"affected_items":[],"total_affected_items":0},"error":0}`, 200, integrations.Ambiguous, "does not say"},
		{"no JSON", `<html>`, 200, integrations.Ambiguous, ""},
		{"inactive", failed(1707), 200, integrations.Unavailable, "1707"},
		{"unknown command", failed(1652), 200, integrations.Invalid, "1652"},
		{"switched off on the agent", failed(1750), 200, integrations.Invalid, "1750"},
		{"no such agent", failed(1701), 200, integrations.NotFound, "1701"},
		{"no right", failed(4000), 200, integrations.Denied, "4000"},
		{"no right at all", `{"title":"Permission Denied","detail":"no","error":4000}`, 403, integrations.Denied, "4000"},
		{"too many", `{"title":"Wazuh Error","detail":"Maximum number of requests per minute reached","code":6001}`, 429, integrations.Throttled, "6001"},
		{"broken", `{}`, 500, integrations.Ambiguous, "500"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := wired(t)
			w.put, w.status = c.put, c.status
			_, err := w.Apply(t.Context(), isolation042(t))
			if err == nil || integrations.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want kind %s and %q", err, c.kind, c.says)
			}
			r, err := w.Read(t.Context(), isolation042(t))
			if err != nil || r.Pending != (c.kind == integrations.Ambiguous) {
				t.Errorf("read %+v, %v; an order is open only where it may have been sent", r, err)
			}
		})
	}
}

// To an agent that the manager does not hear nothing is sent: it would be lost.
func TestOfflineAgent(t *testing.T) {
	for agent, kind := range map[string]integrations.Kind{
		`{"id":"042","status":"disconnected","version":"Wazuh v4.14.7"}`: integrations.Unavailable,
		`{"id":"042","status":"never_connected"}`:                        integrations.Unavailable,
		`{"id":"042","status":"dormant"}`:                                integrations.Unavailable,
		`{"id":"042","status":"active","version":"Wazuh v4.1.5"}`:        integrations.Invalid,
		`{"id":"043","status":"active"}`:                                 integrations.NotFound,
	} {
		w := wired(t)
		w.agent = agent
		if _, err := w.Apply(t.Context(), isolation042(t)); err == nil || integrations.KindOf(err) != kind {
			t.Errorf("%s: %v, want %s", agent, err, kind)
		}
		if got := w.written(); len(got) > 0 {
			t.Errorf("%s: written was %q", agent, got)
		}
	}
}

// Wazuh 5 has no active responses: nothing is asked of it, and the reason is said.
func TestAnotherRelease(t *testing.T) {
	for _, version := range []string{"5.0.0", "v5.1.0", "3.13.6", "x"} {
		w := wired(t)
		w.version = version
		_, err := w.Apply(t.Context(), isolation042(t))
		if err == nil || integrations.KindOf(err) != integrations.Invalid || !strings.Contains(err.Error(), "only 4.x") {
			t.Errorf("%s: %v, want invalid", version, err)
		}
		if _, err := w.Endpoints(t.Context(), integrations.EndpointQuery{ID: "042"}); integrations.KindOf(err) != integrations.Invalid || err == nil {
			t.Errorf("%s: endpoints: %v, want invalid", version, err)
		}
		if got := w.written(); len(got) > 0 {
			t.Errorf("%s: written was %q", version, got)
		}
	}
}

// A wrong password is tried once, whoever asks how often: 50 lock the address out.
func TestRefusedLoginIsNotRepeated(t *testing.T) {
	w := wired(t)
	w.status = http.StatusUnauthorized
	for range 20 {
		if _, err := w.Read(t.Context(), isolation042(t)); err == nil || integrations.KindOf(err) != integrations.Denied || strings.Contains(err.Error(), "the-secret") {
			t.Fatalf("%v, want denied", err)
		}
	}
	if w.logins != 1 {
		t.Errorf("%d logins, want 1", w.logins)
	}
}

// An isolation that the script does not answer is open for a while, then in doubt: it blocks
// nothing any more, and is given back.
func TestUnansweredIsolation(t *testing.T) {
	w := wired(t)
	now := time.UnixMilli(1_700_000_000_000)
	w.now = func() time.Time { return now }
	o := isolation042(t)
	if _, err := w.Apply(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	now = now.Add(reportedWithin - time.Second)
	if _, err := w.Undo(t.Context(), o); err == nil || integrations.KindOf(err) != integrations.Conflict {
		t.Errorf("undo while it may still be carried out: %v, want a conflict", err)
	}
	now = now.Add(time.Minute)
	if r, err := w.Read(t.Context(), o); err != nil || r.Stands || !r.Pending || r.Key != o.Key || !strings.Contains(r.Detail, "has not reported") {
		t.Errorf("read %+v, %v; want it in doubt", r, err)
	}
	other := o
	other.Key = "another"
	if _, err := w.Undo(t.Context(), other); err != nil || len(w.written()) != 1 {
		t.Errorf("undo of another key: %v, written %q", err, w.written())
	}
	if _, err := w.Undo(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	got := w.written()
	if len(got) != 2 || !strings.Contains(got[1], `"verb":"release"`) {
		t.Fatalf("written was %q, want an isolation and its release", got)
	}
	now = now.Add(reportedWithin)
	if r, err := w.Read(t.Context(), o); err != nil || r.Stands || r.Pending {
		t.Errorf("read %+v, %v; want nothing open any more", r, err)
	}
}

// A line of a later order answers those before it: the machine refuses them from then on.
func TestOrdersAreNumbered(t *testing.T) {
	var s sentOrders
	now := time.UnixMilli(1_700_000_000_000)
	first, second := s.add("042", order{Verb: verbIsolate}, now), s.add("042", order{Verb: verbRelease}, now)
	if first.Number != "1700000000000" || second.Number != "1700000000001" {
		t.Errorf("the numbers are %s and %s, want them to grow", first.Number, second.Number)
	}
	if got := s.unanswered("042", []line{{verb: verbRelease, order: 1_700_000_000_001}}, verbIsolate, verbRelease); len(got) != 0 {
		t.Errorf("unanswered are %v, want none", got)
	}
	if got := s.unanswered("042", []line{{verb: verbIsolate, order: 1_700_000_000_000}}, verbIsolate, verbRelease); len(got) != 1 || got[0].Verb != verbRelease {
		t.Errorf("unanswered are %v, want the release", got)
	}
	if got := s.unanswered("043", nil, verbIsolate, verbRelease); len(got) != 0 {
		t.Errorf("another agent has %v", got)
	}
}

// A state that the script does not have is not taken for none.
func TestUnknownState(t *testing.T) {
	w := wired(t)
	w.lines = `[{"_id":"1","_source":{"timestamp":"` + time.Now().UTC().Format(time.RFC3339) + `","agent":{"id":"042"},"data":{"stanch":{"script":"isolate","state":"half"}}}}]`
	if _, err := w.Read(t.Context(), isolation042(t)); err == nil || integrations.KindOf(err) != integrations.Unavailable {
		t.Errorf("read: %v, want unavailable", err)
	}
	found, err := w.Endpoints(t.Context(), integrations.EndpointQuery{ID: "042"})
	if err != nil || len(found) != 1 || found[0].Isolation.IsKnown() {
		t.Errorf("endpoints: %v, %v; want one whose isolation is unknown", found, err)
	}
}

// Alerts of which a part is missing are not taken for all.
func TestPartOfTheAlerts(t *testing.T) {
	d := judged(t)
	for name, o := range map[string]wazuhfake.Options{"shards failed": {FailedShards: 1}, "timed out": {TimedOut: true}} {
		x := d.open(t, o)
		x.add(edrtest.Host{ID: idOf("ws-042"), Name: "ws-042"})
		if _, err := x.Read(t.Context(), incident.Order{Action: incident.Isolate, Target: target(t, "ws-042")}); err == nil || integrations.KindOf(err) != integrations.Unavailable {
			t.Errorf("%s: %v, want unavailable", name, err)
		}
	}
}

// The manager is an agent of its own, and never a device.
func TestTheManagerIsNoDevice(t *testing.T) {
	x := judged(t).open(t, wazuhfake.Options{})
	for _, q := range []integrations.EndpointQuery{{ID: "000"}, {Name: "wazuh-manager"}, {IPs: []string{"127.0.0.1"}}} {
		if found, err := x.Endpoints(t.Context(), q); err != nil || len(found) > 0 {
			t.Errorf("%+v finds %v, %v", q, found, err)
		}
	}
}
