package secops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/apispec"
	"github.com/stanch-soar/stanch/integrations/httpx/faulty"
	"github.com/stanch-soar/stanch/integrations/secops/secopsfake"
)

// world is an instance, and the clock of who asks it.
type world struct {
	t      testing.TB
	double *secopsfake.Double
	server *faulty.Server

	mu sync.Mutex
	// clock is the product's, ahead how much ours is before it.
	clock time.Time
	ahead time.Duration
}

// newWorld is an instance with small pages, whose requests and answers are judged by a
// description of the API.
func newWorld(t testing.TB, change ...func(*secopsfake.Options)) *world {
	t.Helper()
	w := &world{t: t, clock: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	const pages = 3
	o := secopsfake.Options{Now: w.now, LoginNow: time.Now, TokenLifetime: 1000 * time.Hour, MaxPage: pages}
	for _, f := range change {
		f(&o)
	}
	w.double = secopsfake.New(t, o)
	w.server = faulty.New(t, apispec.Load(t, "secops", "google-token").Handler(t, w.double.Handler()))
	return w
}

// The rule of the detections, and its revisions.
const (
	aRule  = "ru_e6abfcb5-1b85-41b0-b64c-695b3250436f"
	first  = "v_1602631093_146879000"
	second = "v_1702631093_146879000"
)

// aDetection is one of a rule's revision that was created at a time.
func aDetection(id, revision string, created time.Time) string {
	at := created.UTC().Format(time.RFC3339Nano)
	return fmt.Sprintf(`{"type":"RULE_DETECTION","id":%q,"createdTime":%q,"detectionTime":%[2]q,"detection":[{"ruleName":"udp_egress","ruleId":%q,"ruleVersion":"%[3]s@%s","alertState":"ALERTING"}]}`,
		id, at, aRule, revision)
}

// add makes detections that were created at a time.
func (w *world) add(created time.Time, ids ...string) {
	for _, id := range ids {
		w.double.Add(aDetection(id, first, created))
	}
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

// open is a puller, as another process opens one, which is closed with the test.
func (w *world) open() *puller {
	w.t.Helper()
	p := w.connect()
	w.t.Cleanup(func() {
		if err := p.Close(); err != nil {
			w.t.Errorf("close: %v", err)
		}
	})
	return p
}

func (w *world) connect() *puller {
	w.t.Helper()
	c := defaults()
	c.Project, c.Location, c.Instance, c.URL = w.double.Project, w.double.Location, w.double.Instance, w.server.URL()
	c.ServiceAccount = integrations.Secret(w.double.ServiceAccount(w.server.URL()))
	opened, err := Transport().Open(w.t.Context(), c)
	if err != nil {
		w.t.Fatalf("open: %v", err)
	}
	p, ok := opened.(*puller)
	if !ok {
		w.t.Fatalf("open gives a %T", opened)
	}
	p.config.Every, p.impatient = time.Millisecond, time.Millisecond
	p.now = func() time.Time { return w.now().Add(w.ahead) }
	return p
}

// basket is what was taken, by the ids of the detections.
type basket []string

func (b *basket) take(_ context.Context, body []byte) error {
	var d struct {
		ID string `json:"id"`
	}
	err := json.Unmarshal(body, &d)
	*b = append(*b, d.ID)
	return err
}

// takes checks that a pass takes just these, each once.
func (w *world) takes(p *puller, want ...string) {
	w.t.Helper()
	var b basket
	if err := p.pass(w.t.Context(), alerts.Each(b.take)); err != nil {
		w.t.Fatalf("fetch: %v", err)
	}
	slices.Sort(b)
	if !slices.Equal(b, want) {
		w.t.Errorf("%q were taken, want %q", b, want)
	}
}

func ids(from, n int) []string {
	list := make([]string, 0, n)
	for i := range n {
		list = append(list, fmt.Sprintf("de_%03d", from+i))
	}
	return list
}

func TestDetectionsAreTakenOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(w.now().Add(-25*time.Hour), "de_before")
	w.add(w.now().Add(-20*time.Hour), ids(0, 4)...)
	w.add(w.now().Add(-time.Second), ids(4, 7)...)
	p := w.open()
	w.takes(p, ids(0, 11)...)
	w.takes(p)
	w.pass(5 * time.Minute)
	w.add(w.now().Add(-time.Minute), "de_011")
	// One that shows late, within the overlap.
	w.add(w.now().Add(-8*time.Minute), "de_012")
	w.takes(p, "de_011", "de_012")
	w.takes(p)
	// What is taken is not remembered for ever.
	for range 2 {
		w.pass(time.Hour)
		w.takes(p)
	}
	if len(p.taken) != 0 {
		t.Errorf("%d detections are remembered that are not listed any more", len(p.taken))
	}
	if got := w.double.Tokens(); got != 1 {
		t.Errorf("%d tokens were fetched, want one", got)
	}
}

// Nothing is kept over a restart: what was taken comes again, with the same content, and what
// was created meanwhile is not lost.
func TestARestartLosesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(w.now().Add(-time.Minute), ids(0, 5)...)
	w.takes(w.open(), ids(0, 5)...)
	w.pass(3 * time.Hour)
	w.add(w.now().Add(-2*time.Hour), ids(5, 5)...)
	source := alerts.Source{Spec: Alerts(), Name: "siem"}
	prints := map[string]int{}
	for range 2 {
		err := w.open().pass(t.Context(), alerts.Each(func(_ context.Context, body []byte) error {
			parsed, err := source.Parse(body, w.now())
			if err != nil || len(parsed) != 1 || parsed[0].Wrong != nil {
				t.Fatalf("%s is read as %+v, %v", body, parsed, err)
			}
			prints[strings.Join(parsed[0].Alert.Prints, " ")]++
			return nil
		}))
		if err != nil {
			t.Fatalf("fetch: %v", err)
		}
		w.pass(time.Minute)
	}
	if len(prints) != 10 {
		t.Errorf("10 detections are %d different alerts when they come again: %v", len(prints), prints)
	}
}

func TestWhatIsNotTakenComesAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(w.now().Add(-time.Minute), ids(0, 10)...)
	p, refused := w.open(), errors.New("the engine rests")
	var before basket
	err := p.Pull(t.Context(), alerts.Each(func(ctx context.Context, body []byte) error {
		if len(before) == 4 {
			return refused
		}
		return before.take(ctx, body)
	}))
	if !errors.Is(err, refused) {
		t.Errorf("Pull returns %v, which does not wrap the error of take", err)
	}
	w.takes(p, slices.DeleteFunc(ids(0, 10), func(id string) bool { return slices.Contains(before, id) })...)
}

// A clock that is ahead must not have detections that were not created yet counted as taken.
func TestAClockThatIsAhead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ahead = 40 * time.Minute
	p := w.open()
	w.add(w.now().Add(-time.Minute), "de_000")
	w.takes(p, "de_000")
	w.pass(time.Minute)
	w.add(w.now().Add(-time.Second), "de_001")
	w.takes(p, "de_001")
}

// A part of the time with more pages than are listed at once is listed in smaller parts.
func TestMoreThanIsListedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.double.SetPages(1)
	p := w.open()
	p.config.Lookback = time.Hour
	const n = maxPages + 50
	for i, id := range ids(0, n) {
		w.add(w.now().Add(-time.Hour+time.Duration(i)*time.Hour/n), id)
	}
	w.takes(p, ids(0, n)...)
}

func TestLag(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.open()
	if _, err := p.Lag(t.Context()); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("the lag is told as %v", err)
	}
	if got := len(w.double.Queries()); got != 1 {
		t.Errorf("before the first Pull the API is asked %d times, want once", got)
	}
	p.config.Instance = "5f1c0c9d-0000-4000-8000-00000000000f"
	p.base, _ = p.config.base()
	w.pass(time.Hour)
	if _, err := p.Lag(t.Context()); err == nil || errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("of an instance that is not there the lag is told as %v", err)
	}
}

func TestPullEndsWithItsContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(w.now().Add(-time.Second), ids(0, 3)...)
	ctx, cancel := context.WithCancel(t.Context())
	taken := 0
	err := w.open().Pull(ctx, alerts.Each(func(context.Context, []byte) error {
		taken++
		cancel()
		return nil
	}))
	if !errors.Is(err, context.Canceled) || taken != 1 {
		t.Errorf("Pull returns %v after %d detections", err, taken)
	}
}
