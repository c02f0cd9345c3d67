package evidence

import (
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/playbooks/evidence/casetest"
)

func TestThePageSaysThatAnUndoIsPending(t *testing.T) {
	c := casetest.Waiting(t)
	if before := pageOf(t, c); strings.Contains(before, "undo pending") || !strings.Contains(before, "still stands") {
		t.Error("a limit that stands is shown as one that is not given back")
	}
	c.Steps[1].UndoPending = true
	if page := pageOf(t, c); strings.Count(page, "undo pending") != 2 || strings.Contains(page, "still stands") {
		t.Error("the page does not say of the step and of its lease that the undo is pending")
	}
}
