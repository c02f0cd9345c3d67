package activities

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// lagging is a flow store whose newest record is old, and which says how much
// flowed in any window up to there.
type lagging struct {
	integrations.Flows
	newest incident.Value[time.Time]
	least  []string
	// until is the end of a flood that the store shows; cut is how late its records are.
	until time.Time
	cut   time.Duration
	asked []integrations.TrafficQuery
}

func (l *lagging) Traffic(_ context.Context, q integrations.TrafficQuery) (incident.Traffic, error) {
	l.asked = append(l.asked, q)
	rate := int64(q.To.Sub(q.From) / time.Second)
	if !q.To.After(l.until) {
		rate = 1000
	}
	return incident.Traffic{Freshness: l.newest, AtLeast: l.least, Reports: l.cut, Rate: incident.Known(rate, incident.FromFlows)}, nil
}

func TestMeasureLooksOnlyAtWhatTheStoreHas(t *testing.T) {
	accepted := time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC)
	known := func(after time.Duration) incident.Value[time.Time] {
		return incident.Known(accepted.Add(after), incident.FromFlows)
	}
	for _, c := range []struct {
		name     string
		newest   incident.Value[time.Time]
		reports  time.Duration
		now      time.Duration
		window   time.Duration
		from, to time.Duration // of the window that counts
		why      string
		wait     time.Duration
	}{
		{"it is up to date", known(time.Minute), 0, time.Minute, 10 * time.Second, 50 * time.Second, time.Minute, "", 0},
		{"it lags behind", known(40 * time.Second), 0, time.Minute, 10 * time.Second, 30 * time.Second, 40 * time.Second, "", 0},
		{"the window begins with the action", known(8 * time.Second), 0, 8 * time.Second, 10 * time.Second, 0, 8 * time.Second, "", 0},
		{"it lags behind the action", known(2 * time.Second), 0, time.Minute, 10 * time.Second, 0, 0, "flows: its newest record is 58s old", 3 * time.Second},
		{"it has nothing since the action", known(-time.Hour), 0, time.Minute, 10 * time.Second, 0, 0, "flows: its newest record is 1h1m old", time.Hour + 5*time.Second},
		{"its clock is ahead a little", known(time.Minute + time.Second), 0, time.Minute, 10 * time.Second, 50 * time.Second, time.Minute, "", 0},
		{"records of the host come late", known(time.Minute), 30 * time.Second, time.Minute, 10 * time.Second, 20 * time.Second, 30 * time.Second, "", 0},
		{
			"records of the host have not come", known(34 * time.Second), 30 * time.Second, 36 * time.Second, 10 * time.Second, 0, 0,
			"flows: its newest record is 2s old, and records of the host come up to 30s later", time.Second,
		},
		{"its records are of the future", known(8 * time.Hour), 0, time.Minute, 10 * time.Second, 0, 0, "flows: its newest record is of the future, 7h59m ahead", 0},
		{"it does not say", incident.Value[time.Time]{}, 0, time.Minute, 10 * time.Second, 0, 0, "flows: it does not say how fresh its records are", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := &lagging{newest: c.newest}
			a := &Activities{Set: integrations.NewSet()}
			a.Set.Add("flows", integrations.Spec{Kind: "lagging"}, store)
			out, err := a.measure(t.Context(), MeasureIn{
				Use: "flows", IPs: []string{"10.0.0.1"}, From: accepted, To: accepted.Add(c.now), Window: c.window, Reports: c.reports,
			})
			if err != nil {
				t.Fatal(err)
			}
			if out.Wait != c.wait {
				t.Errorf("the records may be there in %s, want %s", out.Wait, c.wait)
			}
			if c.why != "" {
				if out.Rate.IsKnown() || !strings.Contains(out.Rate.Why(), c.why) {
					t.Errorf("measured %s, want unknown: %s", out.Rate, c.why)
				}
				return
			}
			last := store.asked[len(store.asked)-1]
			if !last.From.Equal(accepted.Add(c.from)) || !last.To.Equal(accepted.Add(c.to)) || !out.Rate.IsKnown() {
				t.Errorf("measured %s from %s to %s", out.Rate, last.From.Sub(accepted), last.To.Sub(accepted))
			}
		})
	}
}

func TestMeasureOfTheLeastIsNoProof(t *testing.T) {
	at := time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC)
	a := &Activities{Set: integrations.NewSet()}
	a.Set.Add("flows", integrations.Spec{Kind: "lagging"}, &lagging{newest: incident.Known(at, incident.FromFlows), least: []string{"flows last up to 4h"}})
	out, err := a.measure(t.Context(), MeasureIn{Use: "flows", IPs: []string{"10.0.0.1"}, From: at.Add(-time.Minute), To: at, Window: 10 * time.Second})
	if err != nil || out.Rate.IsKnown() || !strings.Contains(out.Rate.Why(), "flows last up to 4h") {
		t.Errorf("measured %s, want unknown: %v", out.Rate, err)
	}
}

// TestWhatWasNeverSeenHasNotFallen: a detector may be faster than the flow store, which then
// shows nothing of the flood either before the step or after it.
func TestWhatWasNeverSeenHasNotFallen(t *testing.T) {
	accepted := time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name  string
		quiet bool
		cut   time.Duration
		now   time.Duration
		why   string
	}{
		{"it showed the flood", false, 0, 5 * time.Second, ""},
		{"it showed the flood in records of a second", false, time.Second, 5 * time.Second, ""},
		{"it showed the flood in records of half a minute", false, 30 * time.Second, 5 * time.Second, "records of the host come up to 30s later"},
		{"it showed nothing", true, 0, 5 * time.Second, "it shows no egress of the host before either that could have fallen: it may come up to 1m later"},
		{"it showed nothing for long", true, 0, 63 * time.Second, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := &lagging{newest: incident.Known(accepted.Add(c.now), incident.FromFlows), cut: c.cut}
			if !c.quiet {
				store.until = accepted
			}
			a := &Activities{Set: integrations.NewSet()}
			a.Set.Add("flows", integrations.Spec{Kind: "lagging"}, store)
			out, err := a.measure(t.Context(), MeasureIn{
				Use: "flows", IPs: []string{"10.0.0.1"}, From: accepted, To: accepted.Add(c.now), Window: 5 * time.Second, Below: 1000, Began: accepted,
			})
			if err != nil {
				t.Fatal(err)
			}
			if known := c.why == ""; out.Rate.IsKnown() != known || !strings.Contains(out.Rate.Why(), c.why) {
				t.Errorf("measured %s, want it unknown with %q", out.Rate, c.why)
			}
		})
	}
}
