package metrics_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/cmd/internal/metrics"
)

const documents = "../../../docs"

// The alarms fire as testdata/alerts_test.yml says, each after its time, and every alarm is in there.
func TestAlarmsFire(t *testing.T) {
	if _, err := exec.LookPath("promtool"); err != nil {
		t.Skip("SKIPPED: Prometheus is not installed")
	}
	for _, args := range [][]string{
		{"check", "config", documents + "/monitoring/prometheus.yml"},
		{"test", "rules", "testdata/alerts_test.yml"},
	} {
		if out, err := exec.CommandContext(t.Context(), "promtool", args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	tests := read(t, "testdata/alerts_test.yml")
	alarms := regexp.MustCompile(`(?m)alert: (\w+)$`).FindAllStringSubmatch(read(t, documents+"/monitoring/alerts.yml"), -1)
	if len(alarms) == 0 {
		t.Fatal("there are no alarms")
	}
	for _, alarm := range alarms {
		if !strings.Contains(tests, "alertname: "+alarm[1]+"\n") {
			t.Errorf("alarm %s is not tested", alarm[1])
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// families are the names that Prometheus knows, with the labels of each.
func families() map[string][]string {
	all := map[string][]string{}
	for _, d := range metrics.Definitions() {
		all[d.Name] = d.Labels
		if d.Kind == metrics.Histogram {
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				all[d.Name+suffix] = append(slices.Clone(d.Labels), "le")
			}
		}
	}
	return all
}

// notMetrics are the names in documents that begin as a metric does: a role of a database, and
// the field in which a team's own rule says its category.
func notMetrics() []string { return []string{"stanch_ro", "stanch_category"} }

// Every metric that a document, an alarm or the dashboard names exists, with the labels that are read of it.
func TestDocumentsNameMetricsThatExist(t *testing.T) {
	known := families()
	used := map[string]bool{}
	err := filepath.WalkDir(documents, func(file string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !slices.Contains([]string{".md", ".yml", ".json"}, filepath.Ext(file)) {
			return err
		}
		text := read(t, file)
		for _, complaint := range unknown(text, known) {
			t.Errorf("%s: %s", file, complaint)
		}
		for _, m := range metric.FindAllStringSubmatch(text, -1) {
			used[m[1]] = used[m[1]] || strings.Contains(file, "monitoring")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(used) < 10 {
		t.Errorf("the documents name %d metrics", len(used))
	}
	for _, planted := range []string{"alarm on `stanch_leases_in_trouble`", `sum(stanch_cases{host="a"})`, "stanch_paused_bucket", `by (le, person) (rate(stanch_intake_seconds_bucket[1h]))`} {
		if len(unknown(planted, known)) == 0 {
			t.Errorf("%q is not found", planted)
		}
	}
}

var (
	metric   = regexp.MustCompile(`\b(stanch_[a-z0-9_]+[a-z0-9])(?:\{([^}]*)\})?`)
	label    = regexp.MustCompile(`([a-z_]+)(?:=~|!~|!=|=)\\?"`)
	grouping = regexp.MustCompile(`\bby \(([a-z_, ]+)\)((?:[^\n"]|\\")*)`)
)

// unknown are the metrics of a text that do not exist, and the labels that theirs do not have.
func unknown(text string, known map[string][]string) []string {
	var found []string
	always := []string{"instance", "job"}
	for _, m := range metric.FindAllStringSubmatch(text, -1) {
		labels, ok := known[m[1]]
		if !ok && !slices.Contains(notMetrics(), m[1]) {
			found = append(found, "there is no metric "+m[1])
		}
		for _, l := range label.FindAllStringSubmatch(m[2], -1) {
			if !slices.Contains(slices.Concat(labels, always), l[1]) {
				found = append(found, m[1]+" has no label "+l[1])
			}
		}
	}
	for _, m := range grouping.FindAllStringSubmatch(text, -1) {
		of := metric.FindStringSubmatch(m[2])
		if of == nil {
			continue
		}
		for l := range strings.SplitSeq(m[1], ", ") {
			if !slices.Contains(slices.Concat(known[of[1]], always), l) {
				found = append(found, of[1]+" has no label "+l)
			}
		}
	}
	return found
}

// The dashboard is what Grafana imports: each panel has a query, and a place of its own.
func TestTheDashboardIsWhole(t *testing.T) {
	var d struct {
		Panels []struct {
			ID      int
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, documents+"/monitoring/dashboard.json")), &d); err != nil {
		t.Fatal(err)
	}
	places := map[[2]int]string{}
	for _, p := range d.Panels {
		if len(p.Targets) == 0 || p.Targets[0].Expr == "" {
			t.Errorf("panel %q asks nothing", p.Title)
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other, taken := places[[2]int{x, y}]; taken || x >= 24 {
					t.Fatalf("panel %q lies on %q", p.Title, other)
				}
				places[[2]int{x, y}] = p.Title
			}
		}
	}
}
