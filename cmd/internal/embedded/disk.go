//go:build !no_embedded

package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// SyncTime measures how long the disk of a folder takes to make an appended page
// durable: the median of n times.
func SyncTime(dir string, n int) (time.Duration, error) {
	all, err := syncTimes(filepath.Join(dir, "sync-time"), n)
	if err != nil {
		return 0, fmt.Errorf("measure the disk in %q: %w", dir, err)
	}
	slices.Sort(all)
	return all[len(all)/2], nil
}

func syncTimes(path string, n int) (all []time.Duration, err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(path)) }()
	page := make([]byte, pageBytes)
	for range max(n, 1) {
		if _, err := f.Write(page); err != nil {
			return nil, err
		}
		began := time.Now()
		if err := datasync(f); err != nil {
			return nil, err
		}
		all = append(all, time.Since(began))
	}
	return all, nil
}
