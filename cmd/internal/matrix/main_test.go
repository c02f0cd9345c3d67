package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/all"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/file"
	"github.com/stanch-soar/stanch/integrations/suricata"
)

// small has one integration, which has one capability with a suite, and one source.
func small() integrations.Catalog { return integrations.NewCatalog(file.Vendor(), suricata.Vendor()) }

// told is a test's own events: what it checks, what is lacking, and how it ends, which
// is an action or the reason of a skip.
type told struct{ pkg, test, ran, lacks, ends string }

// printed is what go test would print of the tests, with the packages' ends.
func printed(t *testing.T, tests ...told) string {
	t.Helper()
	var out []string
	say := func(e event) {
		line, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(line))
	}
	say(event{Action: "start", Package: inventories})
	say(event{Action: "start", Package: sources})
	say(event{Action: "start", Package: module + "integrations/bubbletest"})
	say(event{Action: "skip", Package: module + "integrations/bubbletest"}) // It has no tests.
	for _, of := range tests {
		if of.ran != "" {
			say(event{Action: "attr", Package: of.pkg, Test: of.test, Key: contract.Ran, Value: of.ran})
		}
		if of.lacks != "" {
			say(event{Action: "attr", Package: of.pkg, Test: of.test, Key: contract.Lacks, Value: of.lacks})
		}
		if strings.HasPrefix(of.ends, "SKIPPED") {
			say(event{Action: "output", Package: of.pkg, Test: of.test, Output: "    a_test.go:1: " + of.ends + "\n"})
			of.ends = "skip"
		}
		say(event{Action: of.ends, Package: of.pkg, Test: of.test})
	}
	say(event{Action: "pass", Package: inventories})
	say(event{Action: "pass", Package: sources})
	return strings.Join(out, "\n") + "\n"
}

const (
	inventories = module + "integrations/file"
	sources     = module + "integrations/suricata"
)

func good() []told {
	return []told{
		{inventories, "TestYAML/an_asset_is_found", "file Inventory an asset is found", "", "pass"},
		{inventories, "TestYAML/down_is_unavailable", "file Inventory down is unavailable", "a local file", "skip"},
		{inventories, "TestYAML/a_tag", "file Inventory a tag", "", "pass"},
		{inventories, "TestCSV/an_asset_is_found", "file Inventory an asset is found", "", "pass"},
		{inventories, "TestCSV/down_is_unavailable", "file Inventory down is unavailable", "a local file", "skip"},
		{inventories, "TestCSV/a_tag", "file Inventory a tag", "a row has | between tags", "pass"},
		{inventories, "TestCSV/an_approval", "file Inventory an approval", "nobody is asked", "pass"},
		{inventories, "TestSchedules/seed_0", "file Schedules seed 0", "", "pass"},
		{sources, "TestAlerts/the_example", "suricata Alerts the example", "", "pass"},
	}
}

func runOf(t *testing.T, printed string) *run {
	t.Helper()
	r := newRun()
	if err := r.read(strings.NewReader(printed)); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestPage(t *testing.T) {
	got := page(small(), runOf(t, "go: downloading\n"+printed(t, good()...)))
	_, after, _ := strings.Cut(got, "| [file](#file) ")
	cells, after, _ := strings.Cut(after, "\n")
	if got := strings.Join(strings.Fields(strings.ReplaceAll(cells, "|", " ")), " "); got != "2 of 4 1" {
		t.Errorf("the cells of the kind are %s; want 2 of 4, and 1", got)
	}
	want := `
| source | Alerts |
|---|---|
| [suricata](alerts.md#kind-suricata) | 1 |

What was not checked, and why:

| kind | suite | check | why |
|---|---|---|---|
| file | Inventory | down is unavailable | a local file |
| file | Inventory | a tag (in 1 of 2 set-ups) | a row has \| between tags |
| file | Inventory | an approval | nobody is asked |
`
	if diff := cmp.Diff(want, after); diff != "" {
		t.Errorf("the rest of the page (-want +got):\n%s", diff)
	}
	head, _, _ := strings.Cut(got, "\n")
	if !strings.Contains(head, "| Inventory |") || !strings.HasSuffix(head, "| Schedules |") || strings.Contains(head, "Prober") {
		t.Errorf("the columns are %s; want those that have a suite, and what else ran", head)
	}
}

// What the table would hide is a problem.
func TestProblems(t *testing.T) {
	changed := func(at int, change func(*told)) []told {
		tests := good()
		change(&tests[at])
		return tests
	}
	for name, c := range map[string]struct {
		tests []told
		want  []string
	}{
		"none": {good(), nil},
		"a suite did not run": {good()[:8], []string{
			"kind suricata has the capability Alerts, and no check of contract.Alerts passed in this run",
		}},
		"a suite only lacks": {append(good()[1:2], good()[8]), []string{
			"kind file has the capability Inventory, and no check of contract.Inventory passed in this run",
		}},
		"a check failed": {changed(0, func(c *told) { c.ends = "fail" }), []string{
			inventories + ` TestYAML/an_asset_is_found ended with "fail", and says no reason`,
		}},
		"a check that failed is not excused": {changed(1, func(c *told) { c.ends = "fail" }), []string{
			inventories + ` TestYAML/down_is_unavailable ended with "fail", and says no reason`,
		}},
		"a check was skipped without a reason": {changed(0, func(c *told) { c.ends = "skip" }), []string{
			inventories + ` TestYAML/an_asset_is_found ended with "skip", and says no reason`,
		}},
		"a check did not end": {changed(0, func(c *told) { c.ends = "pause" }), []string{
			inventories + ` TestYAML/an_asset_is_found ended with "", and says no reason`,
		}},
		"a server was not there": {append(good(), told{inventories, "TestServer", "", "", "SKIPPED: no server"}), []string{
			inventories + " TestServer was skipped, so the run is not whole",
		}},
		"one kind for another": {append(good(), told{sources, "TestX/y", "file Inventory y", "", "pass"}), []string{
			sources + " TestX/y says that it checks Inventory of kind file, which is not in its package",
		}},
		"a kind that nobody knows": {append(good(), told{sources, "TestX/y", "acme Alerts y", "", "pass"}), []string{
			sources + " TestX/y says that it checks Alerts of kind acme, which is not in its package",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, runOf(t, printed(t, c.tests...)).problems(small())); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
	whole := printed(t, good()...)
	if got := runOf(t, whole[:strings.LastIndex(whole, `{"Action":"pass"`)]).problems(small()); len(got) != 1 || got[0] != sources+" did not pass" {
		t.Errorf("a stream that ends early has the problems %q", got)
	}
	if err := newRun().read(strings.NewReader(`{"Action":"attr","Package":"p","Test":"T","Key":"contract","Value":"file"}`)); err == nil {
		t.Error("an attribute of no check is taken")
	}
}

// Only a whole run changes the document, and only with -write.
func TestUpdate(t *testing.T) {
	folder := t.TempDir()
	document, part, other := filepath.Join(folder, "integrations.md"), filepath.Join(folder, "run.json"), filepath.Join(folder, "other.json")
	const before = "# Integrations\n\n<!-- from a run of the tests -->\nold\n<!-- end of the run -->\n\n## file\n"
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text := func() string {
		t.Helper()
		got, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		return string(got)
	}
	put(document, before)
	put(part, printed(t, good()[:8]...))
	put(other, printed(t, good()[8]))
	if err := update(small(), document, []string{part}, true); err == nil || !strings.Contains(err.Error(), "kind suricata") || text() != before {
		t.Errorf("error %v of a part of a run; the document is now\n%s", err, text())
	}
	if err := update(small(), document, []string{part, other}, false); err == nil || !strings.Contains(err.Error(), "matrix -write "+document) || text() != before {
		t.Errorf("error %v of another table; the document is now\n%s", err, text())
	}
	if err := update(small(), document, []string{part, other}, true); err != nil {
		t.Fatal(err)
	}
	if got := text(); !strings.HasPrefix(got, "# Integrations\n") || strings.Contains(got, "\nold\n") || !strings.Contains(got, "2 of 4") || !strings.HasSuffix(got, "\n\n## file\n") {
		t.Errorf("the document is now\n%s", got)
	}
	if err := update(small(), document, []string{part, other}, false); err != nil {
		t.Errorf("the table that was written: %v", err)
	}
	put(document, "# Integrations\n")
	if err := update(small(), document, []string{part, other}, true); err == nil || text() != "# Integrations\n" {
		t.Errorf("error %v of a document without a part for it", err)
	}
}

// A document that was written without a run has no table, and no other test of
// this package or of the documents would tell.
func TestTheDocumentHasTheTable(t *testing.T) {
	document, err := os.ReadFile("../../../docs/reference/integrations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, missing := range unlisted(all.Catalog(), string(document)) {
		t.Error(missing)
	}
	if got := unlisted(small(), strings.Replace(page(small(), runOf(t, printed(t, good()...))), "2 of 4", "", 1)); len(got) != 1 {
		t.Errorf("of a table without one cell the complaints are %q", got)
	}
}

// unlisted are the capabilities of kinds, and the sources, that have no number.
func unlisted(catalog integrations.Catalog, document string) []string {
	var missing []string
	_, table, _ := strings.Cut(document, "| kind | Answerable |")
	head, _, _ := strings.Cut("| kind | Answerable |"+table, "\n")
	columns := strings.Split(head, " | ")
	for _, s := range catalog.Integrations {
		_, row, _ := strings.Cut(table, "\n| ["+s.Kind+"](#"+s.Kind+") |")
		row, _, _ = strings.Cut(row, "\n")
		cells := strings.Split(row, " | ")
		for _, c := range s.Capabilities() {
			at := slices.Index(columns, c.Name) - 1
			if c.Unchecked == "" && (at < 0 || at >= len(cells) || strings.Trim(cells[at], "| ") == "") {
				missing = append(missing, "the table has nothing of kind "+s.Kind+" as "+c.Name)
			}
		}
	}
	for _, s := range catalog.Sources {
		if !strings.Contains(document, "\n| ["+s.Kind+"](alerts.md#kind-"+s.Kind+") | ") {
			missing = append(missing, "the table has nothing of source "+s.Kind)
		}
	}
	return missing
}
