//go:build unix && !no_embedded

package embedded

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// Where SQLite locks its file: the byte of a writer that waits, that of one that is
// about to write, and those of readers. An engine holds all of them for writing.
const (
	lockedFrom = 0x40000000
	lockedLen  = 512
)

// keepOthersOut takes a reader's lock on all that an engine locks, for as long as
// the file is open. The process must not have opened the database otherwise: its
// locks would be gone with this one.
func keepOthersOut(db *os.File) error {
	lock := syscall.Flock_t{Type: syscall.F_RDLCK, Whence: io.SeekStart, Start: lockedFrom, Len: lockedLen}
	err := syscall.FcntlFlock(db.Fd(), syscall.F_SETLK, &lock)
	if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) {
		return errors.New("another process uses it")
	}
	return err
}
