//go:build unix && !no_embedded

package embedded

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// digests are those of all files of a folder, by name.
func digests(t *testing.T, dir string) map[string][sha256.Size]byte {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][sha256.Size]byte{}
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[f.Name()] = sha256.Sum256(data)
	}
	return out
}

// What an engine that was killed held is all in the copy, and its own folder is as it
// was. While it runs nothing is copied.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "napping\n" {
		t.Fatalf("the child says %q, %v", line, err)
	}
	early := t.TempDir()
	err = Snapshot(dir, early)
	if want := fmt.Sprintf("copy the engine's data from %q: another process uses it", dir); err == nil || err.Error() != want {
		t.Errorf("while it runs: %v, want %s", err, want)
	}
	if found := digests(t, early); len(found) > 0 {
		t.Errorf("while it runs %d files are copied", len(found))
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // The error is that it was killed.

	before := digests(t, dir)
	copied := t.TempDir()
	if err := Snapshot(dir, copied); err != nil {
		t.Fatal(err)
	}
	_, c := serve(t, Options{DataDir: copied})
	listed(t, c, `WorkflowId = "nap" AND ExecutionStatus = "Running"`, "nap")
	if after := digests(t, dir); !maps.Equal(before, after) {
		t.Errorf("of the folder's files some were changed: %d before, %d after", len(before), len(after))
	}
	if err := Snapshot(t.TempDir(), t.TempDir()); !errors.Is(err, ErrNoEngine) {
		t.Errorf("a folder without an engine: %v", err)
	}
}
