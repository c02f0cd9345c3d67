package evidence_test

import (
	"encoding/json"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/playbooks/evidence"
	"github.com/stanch-soar/stanch/playbooks/evidence/casetest"
	"github.com/stanch-soar/stanch/playbooks/evidence/wording"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Every value of the facts is shown with its source, or as unknown: on the
// page, and in the record that is the case itself.
func TestEveryValueOfTheBundleSaysWhereItIsFrom(t *testing.T) {
	dir := t.TempDir()
	c := casetest.Flood(t)
	b := write(t, dir, c, evidence.Options{})
	var record struct{ Facts map[string]map[string]any }
	read(t, filepath.Join(b.Dir, "case.json"), &record)
	page := pageText(t, b.Dir)
	told := 0
	for _, group := range wording.Of(c).Facts {
		for _, f := range group.Values {
			told++
			if f.From == "" || f.Known == (f.From == "unknown") || f.Known && f.Text == "" && len(f.Items) == 0 {
				t.Errorf("%s is shown as %+v", f.Path, f)
			}
			if want := f.Path + " " + f.Text; f.Known && f.Text != "" && !strings.Contains(page, want+" "+f.From) {
				t.Errorf("the page does not say %q with %q", want, f.From)
			}
			if !f.Known && !strings.Contains(page, strings.TrimSpace(f.Path+" unknown "+f.Why)) {
				t.Errorf("the page does not say that %s is unknown, %q", f.Path, f.Why)
			}
			fact, name, _ := strings.Cut(f.Path, ".")
			value, ok := record.Facts[fact][name].(map[string]any)
			if strings.Contains(name, ".") {
				continue // A part of the alert, which the test of the facts themselves goes through.
			}
			if _, known := value["value"]; !ok || known != f.Known || known && value["from"] == "" || !known && value["unknown"] == nil {
				t.Errorf("the record has %s as %v", f.Path, value)
			}
		}
	}
	if told < 60 {
		t.Errorf("only %d values are shown", told)
	}
}

// A value that cannot be attributed is shown with the reason, everywhere, and
// nowhere as a number.
func TestTheBundleSaysWhyTheSourceIsNotAttributable(t *testing.T) {
	const why = "source not attributable: 10.0.0.7 is the NAT address of fw-01"
	c := casetest.Flood(t)
	c.Facts.Disown([]incident.SharedAddress{{IP: "10.0.0.7", Kind: "nat", Asset: "fw-01"}})
	c.Facts.Alert.BytesOut = incident.NotKnown[int64]("the alert does not say")
	b := write(t, t.TempDir(), c, evidence.Options{})
	page := pageText(t, b.Dir)
	for _, want := range []string{
		"How much volume unknown: " + why, "Where to destination unknown: " + why, "How sure join of process and traffic unknown: " + why,
		"traffic.bytes_out unknown " + why, "traffic.role unknown " + why, "baseline.p99 unknown " + why,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	var record struct{ Facts incident.Facts }
	read(t, filepath.Join(b.Dir, "case.json"), &record)
	if got := record.Facts.Traffic.BytesOut; got.IsKnown() || got.Why() != why {
		t.Errorf("the record has bytes_out as %v", got)
	}
}

func read(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

// pageText is the page of a bundle as a reader sees it, on one line.
func pageText(t *testing.T, dir string) string {
	t.Helper()
	pages, err := filepath.Glob(filepath.Join(dir, "*.html"))
	if err != nil || len(pages) != 1 {
		t.Fatalf("pages of the bundle: %v, %v", pages, err)
	}
	data, err := os.ReadFile(pages[0])
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`<[^>]*>`).ReplaceAllString(string(data), " ")
	return strings.Join(strings.Fields(html.UnescapeString(text)), " ")
}
