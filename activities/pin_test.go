package activities

import (
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// A case that began before lint made a complaint goes on with the text that it
// began with.
func TestACaseGoesOnWithWhatLintRefusesByNow(t *testing.T) {
	files, err := filepath.Glob("../playbooks/testdata/lint/never-*.txtar")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d cases, %v", len(files), err)
	}
	for _, file := range append(files, "../playbooks/testdata/lint/approval-gates-nothing.txtar") {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p, err := playbooks.Load("playbook.yaml", archive.Files[0].Data)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		var cache playbookCache
		pinned, err := cache.load(t.Context(), PinOf(p), incident.AssetRoles())
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		var facts incident.Facts
		facts.Alert.Category = incident.Known("high_egress", incident.Assumed)
		facts.Alert.Host.ID = incident.Known("ws-042", incident.Assumed)
		if out, err := DecideWith(t.Context(), pinned, DecideIn{Facts: facts}); err != nil || out.Decision.Outcome == "" {
			t.Errorf("%s: %+v, %v", file, out.Decision, err)
		}
	}
}
