//go:build !no_embedded && !linux

package embedded

import "os"

func datasync(f *os.File) error { return f.Sync() }
