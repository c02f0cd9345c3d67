package workflows

import (
	"slices"
	"testing"
)

// A name that stands twice would tell two runs apart that made the same change.
func TestEachChangeIsNamedOnce(t *testing.T) {
	if all := changes(); len(all) != len(slices.Compact(slices.Sorted(slices.Values(all)))) {
		t.Errorf("a change is named twice in %q", all)
	}
}
