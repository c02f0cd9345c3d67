package workflows_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/workflows/historytest"
)

// released is how many histories were here when the first release was made.
const released = 45

// TestRecordedHistoriesStandAsTheyWere compares every recorded history with its
// digest: what a release has recorded is evidence, and nobody records it anew.
func TestRecordedHistoriesStandAsTheyWere(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile(filepath.Join(histories, "DIGESTS"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for lines := bufio.NewScanner(bytes.NewReader(list)); lines.Scan(); {
		digest, name, ok := strings.Cut(lines.Text(), "  ")
		if _, twice := want[name]; !ok || twice {
			t.Fatalf("DIGESTS has the line %q, want one digest and name a line, each name once", lines.Text())
		}
		want[name] = digest
	}
	if len(want) < released {
		t.Errorf("DIGESTS names %d histories, and %d were released", len(want), released)
	}
	for _, file := range historytest.Files(t, histories) {
		name := filepath.Base(file)
		if want[name] == "" {
			t.Errorf("%s is not in DIGESTS: add the line that sha256sum prints", name)
		}
	}
	for name, digest := range want {
		text, err := os.ReadFile(filepath.Join(histories, name))
		if err != nil {
			t.Errorf("a recorded history is gone: %v", err)
			continue
		}
		if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != digest {
			t.Errorf("%s was changed: a recorded history is replayed as it was written, a new path gets a file of its own", name)
		}
	}
}
