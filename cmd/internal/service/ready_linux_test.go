package service

import (
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// smallDisk is a file system of a few megabytes.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("stanch-test", dir, "tmpfs", 0, "size=24m"); err != nil {
		t.Skip("no small disk can be mounted here")
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

func TestNotReadyOnAFullDisk(t *testing.T) {
	dir := smallDisk(t)
	s := serveIn(t, filepath.Join(dir, "data"))
	defer func() { _ = s.Stop() }()
	s.becomes(t, http.StatusOK)
	ballast, err := os.Create(filepath.Join(dir, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 4096)
	for err == nil {
		_, err = ballast.Write(block)
	}
	s.becomes(t, http.StatusServiceUnavailable)
	if err := ballast.Truncate(0); err != nil {
		t.Fatal(err)
	}
	s.becomes(t, http.StatusOK)
}
