package synthetic_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowlog/synthetic"
	"github.com/stanch-soar/stanch/integrations/sqlite"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func options(seed uint64) synthetic.Options {
	return synthetic.Options{
		Seed: seed, Host: netip.MustParseAddr("10.20.4.42"), Length: 30 * time.Second,
		Begin: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC),
	}
}

func logOf(s synthetic.Scenario, seed uint64) synthetic.Log {
	return synthetic.Log{Note: fmt.Sprintf("scenario %s, seed %d", s.Name, seed), UID: "CSyn", Flows: s.Flows(options(seed))}
}

// traffic imports a log and returns the traffic of its host.
func traffic(t *testing.T, log []byte, flows int) incident.Traffic {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "flows.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	done, err := store.Import(t.Context(), bytes.NewReader(log), sqlite.ImportOptions{Name: t.Name(), Sensor: "synthetic"})
	if err != nil || done.Bad > 0 || done.Records != int64(flows) {
		t.Fatalf("imported %d of %d flows, %d bad: %v %v", done.Records, flows, done.Bad, done.BadLines, err)
	}
	o := options(0)
	got, err := store.Traffic(t.Context(), integrations.TrafficQuery{
		IPs: []string{o.Host.String()}, From: o.Begin, To: o.Begin.Add(o.Length + time.Millisecond), Top: 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestEveryScenarioHasItsRole(t *testing.T) {
	labelled := map[incident.Role]int{}
	for _, s := range synthetic.Scenarios() {
		labelled[s.Role]++
		t.Run(s.Name, func(t *testing.T) {
			for seed := range uint64(5) {
				l := logOf(s, seed)
				var log bytes.Buffer
				if err := l.WriteTSV(&log); err != nil {
					t.Fatal(err)
				}
				got := traffic(t, log.Bytes(), len(l.Flows))
				role, known := got.Role.Get()
				if role != string(s.Role) {
					t.Errorf("seed %d: the role is %v, want %s: %s out, %s in, %s packets, %s destinations",
						seed, got.Role, s.Role, got.BytesOut, got.BytesIn, got.PacketsOut, got.Destinations)
				}
				if s.Benign && (!known || role == string(incident.Requester) || role == string(incident.Flooder) || role == string(incident.Reflector)) {
					t.Errorf("seed %d: benign traffic is taken for %s", seed, got.Role)
				}
			}
		})
	}
	for _, role := range []incident.Role{
		incident.Requester, incident.Flooder, incident.Reflector, incident.Transfer, incident.Discovery, incident.UnknownRole,
	} {
		if labelled[role] == 0 {
			t.Errorf("no scenario is labelled %s", role)
		}
	}
}

func TestBothFormsSayTheSame(t *testing.T) {
	for _, s := range synthetic.Scenarios() {
		t.Run(s.Name, func(t *testing.T) {
			l := logOf(s, 1)
			var tsv, json bytes.Buffer
			if err := l.WriteTSV(&tsv); err != nil {
				t.Fatal(err)
			}
			if err := l.WriteJSON(&json); err != nil {
				t.Fatal(err)
			}
			a, b := traffic(t, tsv.Bytes(), len(l.Flows)), traffic(t, json.Bytes(), len(l.Flows))
			if diff := cmp.Diff(a, b, cmp.Comparer(func(x, y incident.Traffic) bool { return fmt.Sprint(x) == fmt.Sprint(y) })); diff != "" {
				t.Errorf("TSV and JSON differ (-tsv +json):\n%s", diff)
			}
		})
	}
}

func TestTheSeedDecidesEverything(t *testing.T) {
	write := func(s synthetic.Scenario, seed uint64) string {
		var log bytes.Buffer
		if err := logOf(s, seed).WriteTSV(&log); err != nil {
			t.Fatal(err)
		}
		return log.String()
	}
	for _, s := range synthetic.Scenarios() {
		if first, again := write(s, 7), write(s, 7); first != again {
			t.Errorf("%s: one seed makes two logs", s.Name)
		}
		if cmp.Equal(s.Flows(options(7)), s.Flows(options(8)), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })) {
			t.Errorf("%s: two seeds make the same log", s.Name)
		}
		for _, f := range s.Flows(options(7)) {
			o := options(7)
			if f.At.Before(o.Begin) || f.At.Add(f.Duration).After(o.Begin.Add(o.Length)) {
				t.Fatalf("%s: a flow of %s at %s is outside", s.Name, f.Duration, f.At)
			}
		}
	}
}

func TestEveryLogSaysThatItIsSynthetic(t *testing.T) {
	for _, s := range synthetic.Scenarios() {
		l := logOf(s, 3)
		l.Flows = l.Flows[:2]
		var tsv, json bytes.Buffer
		if err := l.WriteTSV(&tsv); err != nil {
			t.Fatal(err)
		}
		if err := l.WriteJSON(&json); err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(tsv.Bytes(), []byte("#comment\tSYNTHETIC: scenario "+s.Name+", seed 3\n")) {
			t.Errorf("the log of %s does not say that it is synthetic:\n%s", s.Name, tsv.Bytes())
		}
		if n := bytes.Count(json.Bytes(), []byte(`{"synthetic":"scenario `+s.Name+`, seed 3"`)); n != len(l.Flows) {
			t.Errorf("%d of %d lines of %s say that they are synthetic", n, len(l.Flows), s.Name)
		}
	}
}
