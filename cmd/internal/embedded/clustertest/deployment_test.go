//go:build unix

package clustertest

import (
	"maps"
	"slices"
	"testing"

	"go.temporal.io/server/common/dynamicconfig"
)

func shipped(t *testing.T) Deployment {
	t.Helper()
	d, err := ReadDeployment(t.Context(), "../../../../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (d Deployment) placement() placement {
	return placement{Postgres: &postgres{}, Ports: make([]int, 4), Env: d.env, Dynamic: d.dynamic, Changed: d.changed}
}

// The server knows every setting of docker-compose.yml: it starts with a wrong one too,
// and ignores it.
func TestTheServerKnowsTheSettings(t *testing.T) {
	d := shipped(t)
	if _, err := d.placement().settings(); err != nil {
		t.Error(err)
	}
	for name, value := range map[string]string{"history.shardIOConcurency": "32", "history.shardIOConcurrency": "many"} {
		if _, err := d.With(name, value).placement().settings(); err == nil {
			t.Errorf("%s=%s: no error", name, value)
		}
	}
}

// A setting that a test changes changes, and nothing else does; the deployment it came from stays.
func TestASettingIsChanged(t *testing.T) {
	d := shipped(t)
	before := maps.Clone(d.env)
	changed := d.With("NUM_HISTORY_SHARDS", "7").With("matching.numTaskqueueReadPartitions", "4").With("max_connections", "33")
	c, err := changed.placement().config()
	if err != nil {
		t.Fatal(err)
	}
	if n := c.Persistence.NumHistoryShards; n != 7 {
		t.Errorf("%d shards, want 7", n)
	}
	settings, err := changed.placement().settings()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"matching.numTaskqueueReadPartitions": 4, "matching.numTaskqueueWritePartitions": 1} {
		if got := settings.GetValue(dynamicconfig.MakeKey(name)); len(got) != 1 || got[0].Value != want {
			t.Errorf("%s is %v, want %d", name, got, want)
		}
	}
	if n := len(changed.database); n < 2 || !slices.Equal(changed.database[n-2:], []string{"-c", "max_connections=33"}) {
		t.Errorf("PostgreSQL starts with %q", changed.database)
	}
	if !maps.Equal(before, d.env) || slices.Contains(d.database, "max_connections=33") || len(d.changed) > 0 {
		t.Error("the deployment that was read changed")
	}
	for name, wrong := range map[string]string{"NUM_HISTORY_SHARDS": "few", "SQL_MAX_CONNS": "many"} {
		if _, err := d.With(name, wrong).placement().config(); err == nil {
			t.Errorf("%s=%s: no error", name, wrong)
		}
	}
}
