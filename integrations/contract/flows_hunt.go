package contract

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Hunter checks an [integrations.Hunter]: the harness must open one.
func Hunter(t *testing.T, h FlowsHarness) { t.Helper(); run(t, "Hunter", h, hunterChecks()) }

// Surveyor checks an [integrations.Surveyor]: the harness must open one.
func Surveyor(t *testing.T, h FlowsHarness) { t.Helper(); run(t, "Surveyor", h, surveyorChecks()) }

func hunterChecks() []check[FlowsHarness] {
	return slices.Concat([]check[FlowsHarness]{
		{"hosts come by what they sent, the largest first", checkHostsRanked},
		{"hosts are bounded", checkHostsBounded},
		{"only hosts of the networks count", checkHostsNetworks},
		{"a host that answers sent its answer", checkHostsAnswering},
		{"a host of unknown volume is not a quiet one", checkHostsOneWay},
		{"a flow that two sensors saw makes no host larger", checkHostsSensors},
		{"hosts of no window or of no network are invalid", checkHostsInvalid},
	}, faultChecks(func(t testing.TB, h FlowsHarness) (func(Fault), []call) {
		f := h.open(t, []incident.Flow{h.flow(-time.Minute, "10.0.0.1", flowsPeer, 1000)})
		return h.breaker(f), []call{{"hosts", false, func(ctx context.Context) error {
			_, err := hunter(t, f).Hosts(ctx, h.hosts(10))
			return err
		}}}
	}))
}

func surveyorChecks() []check[FlowsHarness] {
	return slices.Concat([]check[FlowsHarness]{
		{"a survey counts the records and names the sensors", checkSurvey},
		{"a survey reports the worst coverage", checkSurveyCoverage},
		{"a survey distinguishes a stale store from a quiet one", checkSurveyStale},
		{"a survey of no window is invalid", checkSurveyInvalid},
	}, faultChecks(func(t testing.TB, h FlowsHarness) (func(Fault), []call) {
		f := h.open(t, []incident.Flow{h.flow(-time.Minute, "10.0.0.1", flowsPeer, 1000)})
		return h.breaker(f), []call{{"survey", false, func(ctx context.Context) error {
			_, err := surveyor(t, f).Survey(ctx, h.at().Add(-flowsWindow), h.at())
			return err
		}}}
	}))
}

func (h FlowsHarness) breaker(f integrations.Flows) func(Fault) {
	if h.Break == nil {
		return nil
	}
	return func(fault Fault) { h.Break(f, fault) }
}

func hunter(t testing.TB, f integrations.Flows) integrations.Hunter {
	t.Helper()
	hunter, ok := f.(integrations.Hunter)
	if !ok {
		t.Fatalf("%T is not a Hunter", f)
	}
	return hunter
}

func surveyor(t testing.TB, f integrations.Flows) integrations.Surveyor {
	t.Helper()
	surveyor, ok := f.(integrations.Surveyor)
	if !ok {
		t.Fatalf("%T is not a Surveyor", f)
	}
	return surveyor
}

func (h FlowsHarness) hosts(top int) integrations.HostsQuery {
	return integrations.HostsQuery{From: h.at().Add(-flowsWindow), To: h.at(), Top: top}
}

func (h FlowsHarness) hunt(t testing.TB, f integrations.Flows, q integrations.HostsQuery) []incident.HostTraffic {
	t.Helper()
	hosts, err := hunter(t, f).Hosts(t.Context(), q)
	h.fine(t, "hosts", err)
	return hosts
}

// estate is three hosts and what they sent; the fourth sent before the window.
func (h FlowsHarness) estate() []incident.Flow {
	return []incident.Flow{
		h.flow(-3*time.Minute, "10.0.0.1", "198.51.100.1", 1000),
		h.flow(-3*time.Minute, "10.0.0.2", "198.51.100.1", 4000),
		h.flow(-2*time.Minute, "10.0.0.2", "198.51.100.2", 5000),
		h.flow(-2*time.Minute, "10.0.0.3", "198.51.100.3", 500),
		h.flow(-2*time.Hour, "10.0.0.4", "198.51.100.3", 70_000),
		h.flow(time.Minute, "10.0.0.1", flowsPeer, 80_000),
	}
}

func addressesOf(hosts []incident.HostTraffic) []string {
	var ips []string
	for _, host := range hosts {
		ips = append(ips, host.IP)
	}
	return ips
}

func checkHostsRanked(t testing.TB, h FlowsHarness) {
	got := h.hunt(t, h.open(t, h.estate()), h.hosts(10))
	if want := []string{"10.0.0.2", "10.0.0.1", "10.0.0.3"}; !slices.Equal(addressesOf(got), want) {
		t.Fatalf("the hosts are %v, want %v", addressesOf(got), want)
	}
	first := got[0]
	is(t, "bytes_out", first.BytesOut, 9000)
	is(t, "bytes_in", first.BytesIn, 900)
	is(t, "coverage", first.Coverage, incident.BothWays)
	if first.Flows != 2 || first.Destinations != 2 {
		t.Errorf("the first host has %d flows to %d destinations, want 2 to 2", first.Flows, first.Destinations)
	}
	want := incident.TopFlow{IP: "198.51.100.2", Port: 53, Transport: "udp", Bytes: 5000, Packets: h.counts(4), Flows: 1}
	if first.Top != want {
		t.Errorf("top is %+v, want %+v", first.Top, want)
	}
}

func checkHostsBounded(t testing.TB, h FlowsHarness) {
	got := h.hunt(t, h.open(t, h.estate()), h.hosts(2))
	if want := []string{"10.0.0.2", "10.0.0.1"}; !slices.Equal(addressesOf(got), want) {
		t.Errorf("the hosts are %v, want the first two, %v", addressesOf(got), want)
	}
}

func checkHostsNetworks(t testing.TB, h FlowsHarness) {
	f := h.open(t, append(h.estate(),
		h.flow(-time.Minute, flowsHost, flowsPeer, 600),
		h.flow(-time.Minute, "10.0.1.1", flowsPeer, 700),
		h.flow(-time.Minute, "2001:db8::7", "2001:db8:1::1", 800),
	))
	q := h.hosts(10)
	q.Networks = []string{"192.0.2.0/24", "10.0.1.0/24", "2001:db8::/64"}
	if got, want := addressesOf(h.hunt(t, f, q)), []string{"2001:db8::7", "10.0.1.1", flowsHost}; !slices.Equal(got, want) {
		t.Errorf("the hosts of %v are %v, want %v", q.Networks, got, want)
	}
	if got := addressesOf(h.hunt(t, f, h.hosts(10))); slices.Contains(got, flowsHost) {
		t.Errorf("without networks the hosts are %v, want private addresses only", got)
	}
}

func checkHostsAnswering(t testing.TB, h FlowsHarness) {
	asked := h.flow(-time.Minute, "198.51.100.9", "10.0.0.5", 200)
	asked.BytesIn = 6000
	got := h.hunt(t, h.open(t, append(h.estate(), asked)), h.hosts(10))
	if want := []string{"10.0.0.2", "10.0.0.5", "10.0.0.1", "10.0.0.3"}; !slices.Equal(addressesOf(got), want) {
		t.Fatalf("the hosts are %v, want %v", addressesOf(got), want)
	}
	is(t, "bytes_out", got[1].BytesOut, 6000)
	is(t, "bytes_in", got[1].BytesIn, 200)
}

func checkHostsOneWay(t testing.TB, h FlowsHarness) {
	f := h.flow(-time.Minute, "10.0.0.6", flowsPeer, -1)
	f.BytesIn, f.PacketsOut = 9000, -1
	got := h.hunt(t, h.open(t, append(h.estate(), f)), h.hosts(10))
	i := slices.IndexFunc(got, func(host incident.HostTraffic) bool { return host.IP == "10.0.0.6" })
	if i != len(got)-1 {
		t.Fatalf("the hosts are %v, want the one of unknown volume at the end", addressesOf(got))
	}
	notKnown(t, "bytes_out", got[i].BytesOut)
	is(t, "coverage", got[i].Coverage, incident.OneWay)
}

func checkHostsSensors(t testing.TB, h FlowsHarness) {
	got := h.hunt(t, h.seen(t,
		Seen{h.flow(-2*time.Minute, "10.0.0.1", flowsPeer, 1000), "north", 1},
		Seen{h.flow(-2*time.Minute, "10.0.0.1", flowsPeer, 1000), "south", 1},
		Seen{h.flow(-2*time.Minute, "10.0.0.2", flowsPeer, 1500), "north", 1},
	), h.hosts(10))
	if want := []string{"10.0.0.2", "10.0.0.1"}; !slices.Equal(addressesOf(got), want) {
		t.Fatalf("the hosts are %v, want %v", addressesOf(got), want)
	}
	is(t, "bytes_out", got[1].BytesOut, 1000)
}

func checkHostsInvalid(t testing.TB, h FlowsHarness) {
	f := hunter(t, h.open(t, h.estate()))
	never, nowhere := h.hosts(10), h.hosts(10)
	never.From = never.To
	nowhere.Networks = []string{"10.0.0.0/33"}
	for name, q := range map[string]integrations.HostsQuery{"no window": never, "no network": nowhere} {
		_, err := f.Hosts(t.Context(), q)
		h.want(t, "hosts of "+name, err, integrations.Invalid)
	}
}

func (h FlowsHarness) survey(t testing.TB, records ...Seen) incident.Survey {
	t.Helper()
	if h.OpenSeen == nil {
		t.Fatalf("the harness has no OpenSeen")
	}
	got, err := surveyor(t, h.OpenSeen(t, records)).Survey(t.Context(), h.at().Add(-flowsWindow), h.at())
	h.fine(t, "survey", err)
	return got
}

// named is the store's name of a sensor.
func (h FlowsHarness) named(sensor string) string {
	if name, ok := h.Named[sensor]; ok {
		return name
	}
	return sensor
}

func checkSurvey(t testing.TB, h FlowsHarness) {
	got := h.survey(t,
		Seen{h.flow(-time.Hour, flowsHost, flowsPeer, 1000), "west", 1},
		Seen{h.flow(-5*time.Minute, flowsHost, flowsPeer, 1000), "north", 1},
		Seen{h.flow(-2*time.Minute, flowsElse, flowsPeer, 1000), "north", 1},
		Seen{h.flow(-3*time.Minute, "10.0.0.1", flowsPeer, 1000), "south", 100},
	)
	each := int64(1)
	if h.Halves {
		each = 2
	}
	if got.Records != 3*each || len(got.Sensors) != 2 {
		t.Fatalf("the survey has %d records of the sensors %+v, want %d of north and south", got.Records, got.Sensors, 3*each)
	}
	want := []incident.Sensor{
		{Name: h.named("north"), Records: 2 * each, Sampling: 1, Newest: h.at().Add(-2*time.Minute + time.Second)},
		{Name: h.named("south"), Records: each, Sampling: 100, Newest: h.at().Add(-3*time.Minute + time.Second)},
	}
	for i, s := range got.Sensors {
		if !s.Newest.Equal(want[i].Newest) {
			t.Errorf("the newest record of %s is of %s, want %s", s.Name, s.Newest, want[i].Newest)
		}
		if s.Newest = want[i].Newest; s != want[i] {
			t.Errorf("sensor %d is %+v, want %+v", i, s, want[i])
		}
	}
}

func checkSurveyCoverage(t testing.TB, h FlowsHarness) {
	plain := Seen{h.flow(-5*time.Minute, flowsHost, flowsPeer, 1000), "north", 1}
	sampled := Seen{h.flow(-4*time.Minute, flowsElse, flowsPeer, 1000), "south", 100}
	more := Seen{h.flow(-5*time.Minute, flowsHost, flowsPeer, 900_000), "south", 1}
	blind := Seen{h.flow(-3*time.Minute, flowsHost2, flowsPeer, -1), "west", 1}
	blind.BytesIn, blind.PacketsOut = 1000, -1
	for _, tt := range []struct {
		want    incident.Coverage
		records []Seen
	}{
		{incident.BothWays, []Seen{plain}},
		{incident.Sampled, []Seen{plain, sampled}},
		{incident.Disagree, []Seen{plain, sampled, more}},
		{incident.OneWay, []Seen{plain, sampled, more, blind}},
	} {
		got := h.survey(t, tt.records...)
		if got.Coverage != tt.want {
			t.Errorf("coverage is %q, want %q", got.Coverage, tt.want)
		}
		for _, s := range got.Sensors {
			if s.OneWay != (s.Name == h.named("west")) {
				t.Errorf("sensor %s is one-way: %v", s.Name, s.OneWay)
			}
		}
	}
}

func checkSurveyStale(t testing.TB, h FlowsHarness) {
	got := h.survey(t, Seen{h.flow(-2*time.Hour, flowsElse, flowsPeer, 1000), "north", 1})
	if want := h.at().Add(-2*time.Hour + time.Second); got.Records != 0 || !got.Newest.Equal(want) {
		t.Errorf("a stale store has %d records, the newest of %s; want 0, and %s", got.Records, got.Newest, want)
	}
	if got.Coverage != "" {
		t.Errorf("a window without records has coverage %q", got.Coverage)
	}
	if got := h.survey(t); got.Records != 0 || !got.Newest.IsZero() {
		t.Errorf("an empty store has %d records, the newest of %s", got.Records, got.Newest)
	}
}

func checkSurveyInvalid(t testing.TB, h FlowsHarness) {
	_, err := surveyor(t, h.open(t, nil)).Survey(t.Context(), h.at(), h.at())
	h.want(t, "survey of no window", err, integrations.Invalid)
}
