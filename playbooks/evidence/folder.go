package evidence

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path"
	"runtime"
	"slices"
)

// put makes folder hold exactly files: written to a folder next to it, synced,
// then renamed.
func put(ctx context.Context, root *os.Root, folder string, files map[string][]byte) error {
	if same(root, folder, files) {
		return nil
	}
	parent, name := path.Split(folder)
	if err := root.MkdirAll(path.Clean(parent), 0o700); err != nil {
		return err
	}
	fresh := parent + "." + name + ".new-" + rand.Text()
	if err := root.Mkdir(fresh, 0o700); err != nil {
		return err
	}
	if err := fill(ctx, root, fresh, files); err != nil {
		return errors.Join(err, root.RemoveAll(fresh))
	}
	if err := place(root, fresh, folder); err != nil {
		return errors.Join(err, root.RemoveAll(fresh))
	}
	return syncFolder(root, path.Clean(parent))
}

// same reports whether folder already holds exactly files.
func same(root *os.Root, folder string, files map[string][]byte) bool {
	found := 0
	err := fs.WalkDir(root.FS(), folder, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		want, ok := files[p[len(folder)+1:]]
		info, err := d.Info()
		if err != nil {
			return err
		}
		if !ok || !d.Type().IsRegular() || info.Size() != int64(len(want)) {
			return fs.ErrInvalid
		}
		got, err := root.ReadFile(p)
		if err != nil {
			return err
		}
		if !bytes.Equal(got, want) {
			return fs.ErrInvalid
		}
		found++
		return nil
	})
	return err == nil && found == len(files)
}

func fill(ctx context.Context, root *os.Root, folder string, files map[string][]byte) error {
	made := map[string]bool{folder: true}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		at := path.Join(folder, name)
		if dir := path.Dir(at); !made[dir] {
			if err := root.Mkdir(dir, 0o700); err != nil {
				return err
			}
			made[dir] = true
		}
		if err := writeFile(root, at, files[name]); err != nil {
			return err
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(made)) {
		if err := syncFolder(root, dir); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(root *os.Root, name string, data []byte) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// place renames fresh to folder. A folder cannot be renamed over one that has
// files, so an older one is moved aside first, and put back if that fails.
func place(root *os.Root, fresh, folder string) error {
	const attempts = 3 // another writer of the same run may be faster
	var err error
	for range attempts {
		if err = root.Rename(fresh, folder); err == nil || !errors.Is(err, fs.ErrExist) {
			return err
		}
		parent, name := path.Split(folder)
		aside := parent + "." + name + ".old-" + rand.Text()
		if err = root.Rename(folder, aside); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		if err = root.Rename(fresh, folder); err == nil {
			return root.RemoveAll(aside)
		}
		if !errors.Is(err, fs.ErrExist) {
			return errors.Join(err, root.Rename(aside, folder))
		}
		if rmErr := root.RemoveAll(aside); rmErr != nil {
			return rmErr
		}
	}
	return err
}

// syncFolder makes a folder's entries durable. Windows has no such call.
func syncFolder(root *os.Root, name string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
