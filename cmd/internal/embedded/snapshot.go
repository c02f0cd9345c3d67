//go:build !no_embedded

package embedded

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Snapshot copies the data of an engine that does not run from one folder to
// another, which must be empty. What is copied is what the next start would read.
// Until it returns no engine can start on the folder, and it fails while one runs
// there.
func Snapshot(from, to string) error {
	if err := snapshot(from, to); err != nil {
		return fmt.Errorf("copy the engine's data from %q: %w", from, err)
	}
	return nil
}

func snapshot(from, to string) error {
	db, err := os.Open(filepath.Join(from, fileName))
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNoEngine
	}
	if err != nil {
		return err
	}
	// Its end gives back the lock.
	defer db.Close()
	if err := keepOthersOut(db); err != nil {
		return err
	}
	files, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, f := range files {
		// The index of the log is made anew by who opens it.
		if !f.Type().IsRegular() || strings.HasSuffix(f.Name(), "-shm") {
			continue
		}
		in := db
		if f.Name() != fileName {
			if in, err = os.Open(filepath.Join(from, f.Name())); err != nil {
				return err
			}
		}
		err = copyTo(filepath.Join(to, f.Name()), in)
		if in != db {
			_ = in.Close()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// copyTo writes a new file that only this user may read.
func copyTo(path string, from io.Reader) error {
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, from)
	return errors.Join(err, out.Close())
}
