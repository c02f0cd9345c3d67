//go:build duckdb

package duckdb

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
)

const (
	maxFiles = 100_000
	// clocks is the largest difference between the clock of the machine that wrote
	// a file and the sensors'.
	clocks = time.Hour
	// maxHead bounds the header of a TSV file.
	maxHead = 64 << 10
)

// file is one flow log.
type file struct {
	path string // absolute
	size int64
	// modified is when the file was last written, or the time in its name.
	modified time.Time
	// named reports whether the time in its name is that of its records.
	named bool
}

// list returns the files, last written last. Links are not followed: their targets
// may be outside of the folder.
func (s *Store) list(ctx context.Context, folder string) ([]file, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	var files []file
	err = fs.WalkDir(root.FS(), ".", func(at string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if ok, err := path.Match(s.config.Files, d.Name()); err != nil || !ok {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it was rotated away
		}
		if err != nil || info.Size() == 0 {
			return err
		}
		if strings.ContainsAny(at, "*?[]{}") {
			return fmt.Errorf("the name %q contains a wildcard character", at)
		}
		f := file{path: filepath.Join(folder, at), size: info.Size(), modified: info.ModTime()}
		if named, ok := awsTime(d.Name()); ok && s.config.Format == AWSVPC {
			f.modified, f.named = named, true
		}
		files = append(files, f)
		if len(files) > maxFiles {
			return integrations.Errorf(integrations.Invalid, "list the flow logs", "there are more than %d: choose by files", maxFiles)
		}
		return nil
	})
	slices.SortStableFunc(files, func(a, b file) int { return a.modified.Compare(b.modified) })
	return files, err
}

// since leaves out the files that were last written too long before a time to
// hold records of it. The zero time keeps all.
func since(files []file, from time.Time) []file {
	if from.IsZero() {
		return files
	}
	i, _ := slices.BinarySearchFunc(files, from.Add(-clocks), func(f file, at time.Time) int { return f.modified.Compare(at) })
	return files[i:]
}

// until leaves out the files whose name says that their records are of long after a time. The zero
// time keeps all.
func until(files []file, to time.Time) []file {
	if to.IsZero() {
		return files
	}
	latest := to.Add(awsLongest + clocks)
	return slices.DeleteFunc(slices.Clone(files), func(f file) bool { return f.named && f.modified.After(latest) })
}

// read calls visit with the file's content, unpacked.
func (f file) read(visit func(io.Reader) error) error {
	opened, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer func() { _ = opened.Close() }()
	var r io.Reader = opened
	if strings.HasSuffix(f.path, ".gz") {
		if r, err = gzip.NewReader(opened); err != nil {
			return fmt.Errorf("read %q: %w", f.path, err)
		}
	}
	if err := visit(r); err != nil {
		return fmt.Errorf("read %q: %w", f.path, err)
	}
	return nil
}

// heading is the header of a TSV file of Zeek.
type heading struct {
	separator, unset, empty, path string
	fields                        []string
}

// key is equal for headings with the same columns.
func (h heading) key() string {
	return strings.Join(append([]string{h.separator, h.unset, h.empty, h.path}, h.fields...), "\x00")
}

// headingOf reads the beginning of a TSV file.
func headingOf(f file) (heading, error) {
	h := heading{separator: "\t", unset: "-", empty: "(empty)"}
	var head []byte
	err := f.read(func(r io.Reader) (err error) {
		if head, err = io.ReadAll(io.LimitReader(r, maxHead)); errors.Is(err, io.ErrUnexpectedEOF) {
			return nil // a sensor is still writing it
		}
		return err
	})
	if err != nil {
		return h, err
	}
	for lines := bufio.NewScanner(bytes.NewReader(head)); lines.Scan() && strings.HasPrefix(lines.Text(), "#"); {
		h.line(lines.Text())
	}
	if len(h.fields) == 0 {
		return h, fmt.Errorf("%q is not a log of Zeek: it has no #fields line", f.path)
	}
	return h, nil
}

func (h *heading) line(line string) {
	if s, ok := strings.CutPrefix(line, "#separator "); ok {
		if n, err := strconv.ParseUint(strings.TrimPrefix(s, `\x`), 16, 8); err == nil && strings.HasPrefix(s, `\x`) {
			s = string(rune(n))
		}
		h.separator = s
		return
	}
	key, rest, _ := strings.Cut(line, h.separator)
	switch key {
	case "#unset_field":
		h.unset = rest
	case "#empty_field":
		h.empty = rest
	case "#path":
		h.path = rest
	case "#fields":
		h.fields = strings.Split(rest, h.separator)
	}
}
