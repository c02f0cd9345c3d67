package term_test

import (
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/cmd/internal/term"
	"github.com/stanch-soar/stanch/playbooks/evidence/casetest"
)

// What could not be given back yet does not look as if it stood as it should.
func TestAnUndoThatIsPendingIsShown(t *testing.T) {
	c := casetest.Waiting(t)
	c.Steps[1].UndoPending = true
	got := show(t, term.Options{Width: 120}, card(c))
	if n := strings.Count(got, "undo pending"); n != 2 || strings.Contains(got, "stands, ") {
		t.Errorf("it is said of the step and of the lease, so 2 times, not %d:\n%s", n, got)
	}
}
