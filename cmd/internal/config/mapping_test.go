package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/integrations/all"
)

// A source of the kind mapping is read by the file that it names, from the folder of the
// configuration; every fault of either is told with its place.
func TestMap(t *testing.T) {
	const good = "id: doc.uid\nours: doc.ours\nhost: { name: doc.machine }\n"
	for _, c := range []struct{ source, mapping, want string }{
		{"kind: mapping, map: maps/ndr.yaml", good, ""},
		{"kind: mapping", good, "stanch.yaml:1:17: source ndr: the kind mapping needs map, the file that says where the values of an alert stand"},
		{"kind: mapping, map: maps/none.yaml", good, `stanch.yaml:1:39: source ndr: there is no file "maps/none.yaml"`},
		{"kind: mapping, map: maps", good, "stanch.yaml:1:39: source ndr: read its map: "},
		{"kind: splunk, map: maps/ndr.yaml", good, "stanch.yaml:1:33: source ndr: the kind splunk reads no map"},
		{"kind: maping, map: maps/ndr.yaml", good, "stanch.yaml:1:17: source ndr: there is no kind"},
		{"kind: mapping, map: maps/ndr.yaml", good + "bytes_out: doc.b > 1\n", "maps/ndr.yaml:4:12: bytes_out is bool, it must be int or uint or double or string"},
		{"kind: mapping, map: maps/ndr.yaml", "# " + strings.Repeat("x", 1<<20), "maps/ndr.yaml: the file has 1048577 bytes; at most 1048576 are read"},
	} {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "maps"), 0o700); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "stanch.yaml")
		for path, text := range map[string]string{file: "sources: { ndr: { " + c.source + " } }\n", filepath.Join(dir, "maps/ndr.yaml"): c.mapping} {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		loaded, err := config.Load(file, all.Catalog())
		if c.want != "" {
			if err == nil || !strings.HasPrefix(strings.ReplaceAll(err.Error(), dir+"/", ""), c.want) {
				t.Errorf("%s: %v, want %s", c.source, err, c.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.source, err)
			continue
		}
		parsed, err := loaded.Sources["ndr"].Alerts.Parse([]byte(`{"uid":"u-1","ours":true,"machine":"ws-7"}`), time.Now())
		if err != nil || len(parsed) != 1 || parsed[0].Alert.ID != "u-1" || parsed[0].Alert.Source != "ndr" {
			t.Errorf("%s: read as %+v, %v", c.source, parsed, err)
		}
	}
}
