//go:build !no_embedded

package embedded

import (
	"errors"
	"os"
	"syscall"
)

// datasync does without the file's times, which cost a write of their own.
func datasync(f *os.File) error {
	for {
		if err := syscall.Fdatasync(int(f.Fd())); !errors.Is(err, syscall.EINTR) {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}
