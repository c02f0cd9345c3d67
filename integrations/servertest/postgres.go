//go:build unix

package servertest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// PostgresProgram finds a program of PostgreSQL, which Debian keeps off the path.
func PostgresProgram(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			return real, nil
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("%s is not installed", name)
	}
	slices.Sort(found)
	return found[len(found)-1], nil
}

// InitPostgres makes a new cluster of PostgreSQL below a folder, with initdb, and returns
// its data folder. Who connects as its owner needs the password.
func InitPostgres(ctx context.Context, initdb, dir, owner, password string) (string, error) {
	data, file := filepath.Join(dir, "data"), filepath.Join(dir, "password")
	if err := os.WriteFile(file, []byte(password), 0o644); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, initdb, "-D", data, "-U", owner, "-A", "scram-sha-256", "--pwfile", file, "--no-sync", "-E", "UTF8", "--locale=C.UTF-8")
	if err := AsPostgres(cmd, dir); err != nil {
		return "", err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return data, nil
}

// AsPostgres makes the command run in a folder, and as another user when we are root, as
// which PostgreSQL refuses to run. The folder is that user's then.
func AsPostgres(cmd *exec.Cmd, dir string) error {
	cmd.Dir = dir
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return err
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(dir, int(uid), int(gid))
}
