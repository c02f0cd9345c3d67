// Package historytest reads the histories that a real engine recorded, for tests.
package historytest

import (
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"testing"

	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
)

// Ext is how the file of a history ends.
const Ext = ".json.gz"

// Files returns the files of all histories in a folder.
func Files(t testing.TB, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"+Ext))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d recorded histories in %s, %v", len(files), dir, err)
	}
	return files
}

// History reads the file of a history.
func History(t testing.TB, file string) *historypb.History {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	packed, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	h, err := client.HistoryFromJSON(packed, client.HistoryJSONOptions{})
	if err = errors.Join(err, packed.Close()); err != nil {
		t.Fatalf("read %s: %v", file, err)
	}
	return h
}
