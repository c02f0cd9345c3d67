package bench

import (
	"testing"

	"github.com/stanch-soar/stanch/cmd/internal/embedded"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/all"
)

// A storm in a kind of source ends in a case for each host with every alert in it, also where
// the kind is read by a file, and where the host is known by its address alone.
func TestAStormInAKindOfSource(t *testing.T) {
	if !embedded.BuiltIn {
		t.Skip("this build has no embedded engine")
	}
	o := SourcesOptions{Alerts: 200, Subjects: 10, Senders: 50, Dir: t.TempDir(), Progress: func(string, int, int) {}}
	for _, kind := range []string{"stanch", "mapping", "shadowserver"} {
		spec, _ := all.Catalog().Source(kind)
		o.Kinds = append(o.Kinds, spec)
	}
	measured, err := RunSources(t.Context(), o)
	if err != nil || len(measured) != len(o.Kinds) {
		t.Fatalf("%d kinds were measured: %v", len(measured), err)
	}
	for i, r := range measured {
		if r.Kind != o.Kinds[i].Kind || r.Subjects != o.Subjects || r.Recorded != o.Alerts {
			t.Errorf("the storm in kind %s ended in cases of %d hosts with %d alerts; want %s, %d with %d", r.Kind, r.Subjects, r.Recorded, o.Kinds[i].Kind, o.Subjects, o.Alerts)
		}
		// A case of Shadowserver's closes by itself, as its host is in doubt.
		if r.Cases != o.Subjects && r.Kind != "shadowserver" {
			t.Errorf("%d hosts have %d cases of kind %s", r.Subjects, r.Cases, r.Kind)
		}
		if r.Bytes < 100 || r.PerSecond <= 0 || r.OwnPerSecond <= 0 || r.Ratio <= 0 || r.Processor <= 0 || r.OwnProcessor <= 0 {
			t.Errorf("something of kind %s was not measured: %+v", r.Kind, r)
		}
	}
}

// Alerts that are one occurrence, all of them, are seen to be lost.
func TestAStormThatLosesAlertsIsSeen(t *testing.T) {
	if !embedded.BuiltIn {
		t.Skip("this build has no embedded engine")
	}
	spec, _ := all.Catalog().Source("elastic")
	spec.Varies = []string{"ws-042", "{host}", "10.20.0.42", "{ip}"}
	o := SourcesOptions{Kinds: []alerts.Spec{spec}, Alerts: 40, Subjects: 4, Senders: 4, Dir: t.TempDir(), Progress: func(string, int, int) {}}
	measured, err := RunSources(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r := measured[0]; r.Cases != o.Subjects || r.Recorded != o.Subjects {
		t.Errorf("one alert for each of %d hosts, sent ten times, ended in %d cases with %d alerts", o.Subjects, r.Cases, r.Recorded)
	}
}
