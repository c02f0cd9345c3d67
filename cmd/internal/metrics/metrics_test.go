package metrics

import (
	"context"
	"errors"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations/bubbletest"
)

// exposed is what a scrape gets.
func exposed(t *testing.T, r *Registry) string {
	t.Helper()
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("a scrape is answered %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func has(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains("\n"+text, "\n"+line+"\n") {
			t.Errorf("there is no %s in\n%s", line, text)
		}
	}
}

// What workflows emit keeps its own labels alone; what the client emits itself keeps all, by the rules of
// Prometheus for names.
func TestTheClientsMetricsAreExposed(t *testing.T) {
	r := New()
	root := r.Client().WithTags(map[string]string{"namespace": "stanch", "task_queue": "stanch"})
	root.WithTags(map[string]string{protocol.LabelPlaybook: "p", protocol.LabelOutcome: "denied"}).Counter(protocol.MetricCasesClosed).Inc(2)
	root.WithTags(map[string]string{protocol.LabelPlaybook: "p", protocol.LabelAction: "isolate", protocol.LabelStage: "applied"}).
		Timer(protocol.MetricStage).Record(1500 * time.Millisecond)
	root.WithTags(map[string]string{protocol.LabelIntegration: "edr"}).Gauge(protocol.MetricLastFailure).Update(12)
	root.Counter("temporal_request").Inc(1)
	root.WithTags(map[string]string{"operation": "Poll"}).Counter("temporal_request").Inc(3)
	root.Timer("temporal_request_latency").Record(20 * time.Millisecond)
	root.Gauge("temporal_num_pollers").Update(4)
	text := exposed(t, r)
	has(t, text,
		`stanch_cases_closed_total{outcome="denied",playbook="p"} 2`,
		`stanch_stage_seconds_sum{action="isolate",playbook="p",stage="applied"} 1.5`,
		`stanch_integration_last_failure_timestamp_seconds{integration="edr"} 12`,
		`temporal_request_total{namespace="stanch",task_queue="stanch"} 1`,
		`temporal_request_total{namespace="stanch",operation="Poll",task_queue="stanch"} 3`,
		`temporal_request_latency_seconds_bucket{namespace="stanch",task_queue="stanch",le="0.025"} 1`,
		`temporal_num_pollers{namespace="stanch",task_queue="stanch"} 4`,
	)
}

func TestSeriesOfTheClientAreBounded(t *testing.T) {
	r := New()
	for i := range seriesKept + 3 {
		r.Client().WithTags(map[string]string{"operation": strconv.Itoa(i)}).Counter("temporal_request").Inc(1)
	}
	text := exposed(t, r)
	has(t, text, SeriesDropped+" 3")
	if n := strings.Count(text, "\ntemporal_request_total{"); n != seriesKept {
		t.Errorf("%d series are kept", n)
	}
}

// Scrapes share an answer; one that takes long is not waited for, and an error leaves what was known, which
// grows older.
func TestWhatStandsIsAskedForByScrapes(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		r := New()
		var mu sync.Mutex
		asked, slow, down := 0, time.Duration(0), error(nil)
		r.Sample(10*time.Second, time.Minute, Point{Name: StandingAge}, func(ctx context.Context) ([]Point, error) {
			mu.Lock()
			asked++
			took, n, err := slow, asked, down
			mu.Unlock()
			time.Sleep(took)
			return []Point{{Name: Paused, Value: float64(n)}}, err
		}, func(error) {})
		seen := func() string {
			text := exposed(t, r)
			return regexp.MustCompile(`(?m)^stanch_(paused|standing_age_seconds) .*$`).FindAllString(text, -1)[0] + " " +
				regexp.MustCompile(`(?m)^stanch_standing_age_seconds (.*)$`).FindStringSubmatch(text)[1]
		}
		for _, step := range []struct {
			after, slow time.Duration
			down        error
			want        string
		}{
			{0, 0, nil, "stanch_paused 1 0"},
			{9 * time.Second, 0, nil, "stanch_paused 1 9"},
			{time.Second, 0, nil, "stanch_paused 2 0"},
			{10 * time.Second, 5 * time.Second, nil, "stanch_paused 2 12"}, // two seconds are waited for it
			{3 * time.Second, 0, nil, "stanch_paused 3 5"},
			{80 * time.Second, 0, nil, "stanch_paused 3 85"}, // five seconds of work, a hundred of rest
			{20 * time.Second, 0, nil, "stanch_paused 4 0"},
			{10 * time.Second, 0, errors.New("down"), "stanch_paused 4 10"},
			{10 * time.Second, 0, nil, "stanch_paused 6 0"},
		} {
			time.Sleep(step.after)
			mu.Lock()
			slow, down = step.slow, step.down
			mu.Unlock()
			if got := seen(); got != step.want {
				t.Errorf("after %s more: %s, want %s", step.after, got, step.want)
			}
		}
	})
}

// Names follow Prometheus' conventions, and every gauge that stands comes from a sampler.
func TestDefinitionsFollowTheConventions(t *testing.T) {
	for _, d := range Definitions() {
		if !regexp.MustCompile(`^stanch_[a-z][a-z_]*[a-z]$`).MatchString(d.Name) || d.Help == "" {
			t.Errorf("%s: help %q", d.Name, d.Help)
		}
		if total := strings.HasSuffix(d.Name, "_total"); total != (d.Kind == Counter) {
			t.Errorf("%s is a %s", d.Name, d.Kind)
		}
		if d.Kind == Histogram && (!strings.HasSuffix(d.Name, "_seconds") || !slices.IsSorted(d.buckets) || len(d.buckets) == 0) {
			t.Errorf("%s has the buckets %v", d.Name, d.buckets)
		}
		if d.Shared && !sampled(d.Name) {
			t.Errorf("%s says what stands, and is in no sample", d.Name)
		}
	}
}
