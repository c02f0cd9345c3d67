package contract

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Uncounted is the class of calls that no limit counts, such as those for a token.
const Uncounted = "-"

// RequestsHarness opens products whose calls are counted.
type RequestsHarness struct {
	Knobs
	Spec integrations.Spec
	// Class names the class of limits that counts a request, or is [Uncounted].
	Class func(*http.Request) string
	// Kind names the kind of a request, where a limit counts each kind by itself.
	Kind func(*http.Request) string
	// Open returns a product with one device, which count must see all requests of.
	Open func(t testing.TB, count func(http.Handler) http.Handler) RequestsWorld
}

// RequestsWorld is an opened product with a device that sends.
type RequestsWorld struct {
	Product interface {
		integrations.Endpoints
		integrations.Enforcer
		integrations.Connections
		integrations.Executions
	}
	Target incident.Target
	IP     string
	PID    int64
	// Settle lets the product carry out what it has accepted.
	Settle func()
	// Idle waits for what the client still tidies up at the product; nil: nothing.
	Idle func()
}

// Requests checks that the Spec says how many counted calls an operation of the engine makes:
// so many operations are begun that with as many calls each the limits are kept.
func Requests(t *testing.T, h RequestsHarness) {
	t.Helper()
	c := &counter{class: h.Class, kind: h.Kind, calls: map[counting]int{}}
	w := h.Open(t, c.count)
	o := incident.Order{
		Key: "stanch-key-1", Action: incident.Isolate, Target: w.Target, Until: time.Now().Add(time.Hour).UTC().Truncate(time.Second), Reason: "contract suite",
	}
	find := func() error {
		found, err := w.Product.Endpoints(t.Context(), integrations.EndpointQuery{ID: w.Target.ID(), Name: w.Target.Name(), IPs: []string{w.IP}, At: time.Now()})
		if len(found) != 1 {
			t.Errorf("%d devices were found, want one", len(found))
		}
		return err
	}
	read := func() error { _, err := w.Product.Read(t.Context(), o); return err }
	window := integrations.ConnectionQuery{Target: w.Target, From: time.Now().Add(-time.Hour), To: time.Now(), Limit: 500}
	ours := window
	ours.Tuples = []incident.Tuple{{SrcIP: w.IP, SrcPort: 50001, DstIP: "198.51.100.1", DstPort: 53, Transport: "udp"}}
	together, each := map[string]int{}, map[string]int{}
	for _, op := range []struct {
		name  string
		calls []func() error
	}{
		{"find the device", []func() error{find}},
		{"tell the sender", []func() error{
			func() error { _, err := w.Product.Connections(t.Context(), window); return err },
			func() error { _, err := w.Product.Connections(t.Context(), ours); return err },
			func() error {
				_, err := w.Product.Executions(t.Context(), integrations.ExecutionQuery{Target: w.Target, From: window.From, To: window.To, Limit: 500, PIDs: []int64{w.PID}})
				return err
			},
		}},
		// The target is found once more right before it is isolated, which is not begun by the
		// queue of the integration.
		{"isolate", []func() error{find, read, func() error { _, err := w.Product.Apply(t.Context(), o); return err }, read}},
		{"read while it is pending", []func() error{read}},
		{"read", []func() error{func() error { w.Settle(); return nil }, read}},
		{"give back", []func() error{read, func() error { _, err := w.Product.Undo(t.Context(), o); return err }}},
	} {
		c.take()
		for _, call := range op.calls {
			h.fine(t, op.name, call())
		}
		if w.Idle != nil {
			w.Idle()
		}
		sums := map[string]int{}
		for is, n := range c.take() {
			sums[is.class] += n
			each[is.class] = max(each[is.class], n)
		}
		for class, n := range sums {
			together[class] = max(together[class], n)
			t.Logf("%s: %d calls of class %q", op.name, n, class)
		}
	}
	for _, l := range h.Spec.Limits {
		most := together
		if l.Each {
			most = each
		}
		if want, asked := most[l.Name]; asked && l.Requests != want {
			t.Errorf("limit %q says that an operation makes %d calls; one makes %d", l.Text(), l.Requests, want)
		}
	}
}

// counting is what calls are counted by.
type counting struct{ class, kind string }

// counter counts requests.
type counter struct {
	class, kind func(*http.Request) string
	mu          sync.Mutex
	calls       map[counting]int
}

func (c *counter) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if is := (counting{class: c.class(r)}); is.class != Uncounted {
			if c.kind != nil {
				is.kind = c.kind(r)
			}
			c.mu.Lock()
			c.calls[is]++
			c.mu.Unlock()
		}
		next.ServeHTTP(w, r)
	})
}

// take returns the counts, and begins anew.
func (c *counter) take() map[counting]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.calls
	c.calls = map[counting]int{}
	return all
}
