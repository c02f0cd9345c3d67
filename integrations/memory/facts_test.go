package memory_test

import (
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

func assumed[T any](v T) incident.Value[T] { return incident.Known(v, incident.Assumed) }

func known[T comparable](t testing.TB, what string, v incident.Value[T], want T) {
	t.Helper()
	if got, ok := v.Get(); !ok || got != want {
		t.Errorf("%s is %v, want %v", what, v, want)
	}
}

// given is the estate of the playbook tests: a bare host and the facts.
func given(t testing.TB, facts incident.Facts) world {
	t.Helper()
	w := newWorld(t, memory.Host{ID: "ws-042", Name: "ws-042", IPs: []string{"10.0.0.42"}, OS: "windows"})
	must(t, w.SetFacts("ws-042", facts))
	return w
}

func TestGivenFactsAreAnswered(t *testing.T) {
	facts := incident.Facts{
		Endpoint: incident.Endpoint{Role: assumed("workstation"), Online: assumed(true)},
		Traffic: incident.Traffic{
			BytesOut: assumed(int64(4 << 30)), Role: assumed("requester"), Attribution: assumed("exact"),
		},
		Baseline: incident.Baseline{P99: assumed(int64(20 << 20))},
		Process:  incident.Process{Path: assumed(`C:\x.exe`), Signed: assumed(false)},
	}
	incident.Explain(&facts.Asset, "the test says so")
	w := given(t, facts)
	ctx := t.Context()

	seen := w.last(15 * time.Minute)
	known(t, "bytes_out", seen.BytesOut, 4<<30)
	known(t, "rate", seen.Rate, (4<<30)*8/900)
	known(t, "role", seen.Role, "requester")
	known(t, "attribution", seen.Attribution, "exact")
	known(t, "bytes_out of another window", w.last(30*time.Minute).BytesOut, 4<<30)

	baseline, err := w.Baseline(ctx, integrations.BaselineQuery{IPs: []string{"10.0.0.42"}, To: w.now(), Days: 14, Window: 15 * time.Minute})
	must(t, err)
	known(t, "p99", baseline.P99, 20<<20)
	if baseline.Median.IsKnown() {
		t.Errorf("the median is %v, though it was not given", baseline.Median)
	}
	asset, err := w.Asset(ctx, integrations.EndpointQuery{ID: "ws-042"})
	must(t, err)
	if asset.Role.IsKnown() || asset.Role.Why() != "the test says so" {
		t.Errorf("the role is %v, want unknown for the given reason", asset.Role)
	}
	found, err := w.Endpoints(ctx, integrations.EndpointQuery{Name: "ws-042"})
	must(t, err)
	known(t, "endpoint role", found[0].Role, "workstation")
	known(t, "endpoint name", found[0].Name, "ws-042")

	// The engine's own join finds what was given, and nothing contradicts it.
	conns, err := w.Connections(ctx, integrations.ConnectionQuery{
		Target: target(t, "ws-042"), From: w.now().Add(-15 * time.Minute), To: w.now(), Limit: 1000,
	})
	must(t, err)
	joined := traffic.Join(seen.Sample, conns)
	if joined.Attribution != incident.Exact {
		t.Errorf("the join is %s, want exact", joined.Attribution)
	}
	known(t, "path", joined.Process.Path, `C:\x.exe`)
	known(t, "signed", joined.Process.Signed, false)
	known(t, "name", joined.Process.Name, "powershell.exe")
}

func TestGivenVolumeReactsToContainment(t *testing.T) {
	for name, seen := range map[string]incident.Traffic{
		"bytes":              {BytesOut: assumed(int64(900_000_000))},
		"bytes per window":   {BytesOut: assumed(int64(60_000_000)), Window: assumed(time.Minute)},
		"rate":               {Rate: assumed(int64(8_000_000))},
		"with destinations":  {BytesOut: assumed(int64(900_000_000)), Top: assumed([]incident.TopFlow{{IP: "198.51.100.1", Port: 53, Transport: "udp", Bytes: 3}, {IP: "198.51.100.2", Port: 53, Transport: "udp", Bytes: 1}})},
		"of a reflector":     {BytesOut: assumed(int64(900_000_000)), Role: assumed("reflector")},
		"of a lonely flood":  {BytesOut: assumed(int64(900_000_000)), Role: assumed("flooder")},
		"of many requesters": {BytesOut: assumed(int64(900_000_000)), Role: assumed("requester")},
	} {
		t.Run(name, func(t *testing.T) {
			w := given(t, incident.Facts{Traffic: seen})
			w.move(time.Minute)
			if got, _ := w.last(time.Minute).Rate.Get(); got < 7_900_000 {
				t.Fatalf("before containment the rate is %d, want 8 Mbit/s or what was given", got)
			}
			o := w.order(incident.RateLimit)
			w.apply(o)
			w.move(time.Minute)
			if got, _ := w.last(time.Minute).Rate.Get(); got > o.Rate || got < o.Rate*9/10 {
				t.Errorf("under the limit the rate is %d, want %d", got, o.Rate)
			}
			w.apply(w.order(incident.Isolate))
			w.move(time.Minute)
			if got, _ := w.last(time.Minute).Rate.Get(); got != 8_000 {
				t.Errorf("isolated, the rate is %d, want the agent's 8000", got)
			}
			known(t, "role", w.last(time.Minute).Role, roleOf(seen, w))
		})
	}
}

// roleOf is the given role, which stays, or else what is measured.
func roleOf(t incident.Traffic, w world) string {
	if role, ok := t.Role.Get(); ok {
		return role
	}
	role, _ := w.last(time.Minute).Role.Get()
	return role
}

func TestGivenUnknownStaysUnknown(t *testing.T) {
	oneWay := incident.NotKnown[int64]("one-way capture")
	w := given(t, incident.Facts{Traffic: incident.Traffic{BytesOut: oneWay, Coverage: assumed("one_way")}})
	w.apply(w.order(incident.Isolate))
	w.move(time.Minute)
	got := w.last(time.Minute)
	if got.BytesOut.IsKnown() || got.Rate.IsKnown() || got.BytesOut.Why() != "one-way capture" {
		t.Errorf("bytes_out is %v and the rate %v, want unknown", got.BytesOut, got.Rate)
	}
	points, err := w.Series(t.Context(), integrations.TrafficQuery{IPs: []string{"10.0.0.42"}, From: w.now().Add(-time.Hour), To: w.now()})
	must(t, err)
	if len(points) != 0 {
		t.Errorf("the series has %d points, though nothing can be seen", len(points))
	}

	var all incident.Facts
	incident.Explain(&all.Endpoint, "down")
	incident.Explain(&all.Process, "down")
	incident.Explain(&all.Traffic, "down")
	w = newWorld(t, sender("ws-042"))
	must(t, w.SetFacts("ws-042", all))
	w.move(time.Minute)
	if found, err := w.Endpoints(t.Context(), integrations.EndpointQuery{ID: "ws-042"}); err != nil || len(found) != 0 {
		t.Errorf("endpoints are %v, %v, want none", found, err)
	}
	if got := w.last(time.Minute); got.Flows.IsKnown() || got.Sample != nil {
		t.Errorf("traffic is %+v, want unknown", got)
	}
}

func TestSetFactsRefuses(t *testing.T) {
	w := newWorld(t, memory.Host{ID: "ws-042"})
	if err := w.SetFacts("no-such-host", incident.Facts{}); err == nil {
		t.Error("facts of a host that is not there were taken")
	}
	if err := w.SetFacts("ws-042", incident.Facts{Traffic: incident.Traffic{Rate: assumed(int64(1))}}); err == nil {
		t.Error("a host without an address was made to send")
	}
}
