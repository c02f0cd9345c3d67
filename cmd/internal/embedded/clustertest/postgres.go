//go:build unix

// Package clustertest runs what a deployment has besides Stanch, for tests: PostgreSQL,
// and a Temporal server on it, with the settings of docker-compose.yml.
package clustertest

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/servertest"
)

// owner is PostgreSQL's superuser.
const owner = "temporal"

// postgres is a running PostgreSQL, which syncs as it does by default.
type postgres struct {
	Address  string `json:"address"`
	Password string `json:"password"`
}

// startPostgres starts PostgreSQL until the test ends, and skips it where there is none.
func startPostgres(tb testing.TB) *postgres {
	tb.Helper()
	initdb, server := binary("initdb"), binary("postgres")
	if initdb == "" || server == "" {
		tb.Skip("SKIPPED: PostgreSQL is not installed")
	}
	dir, err := os.MkdirTemp("", "stanch-cluster-") //nolint:usetesting // PostgreSQL's own user enters it, and no folder of the test's.
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) }) // It is below the temporary folder.
	p := &postgres{Password: rand.Text()}
	data, password := filepath.Join(dir, "data"), filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte(p.Password), 0o644); err != nil {
		tb.Fatal(err)
	}
	initialise := exec.CommandContext(tb.Context(), initdb, "-D", data, "-U", owner, "-A", "scram-sha-256", "--pwfile", password, "--no-sync", "-E", "UTF8", "--locale=C.UTF-8")
	if err := asUser(initialise, dir); err != nil {
		tb.Fatal(err)
	}
	if out, err := initialise.CombinedOutput(); err != nil {
		tb.Fatalf("initdb: %v\n%s", err, out)
	}
	port, err := servertest.FreePort()
	if err != nil {
		tb.Fatal(err)
	}
	p.Address = "127.0.0.1:" + strconv.Itoa(port)
	var said bytes.Buffer
	// Not with the test's context: others still use it when that has ended.
	cmd := exec.CommandContext(context.WithoutCancel(tb.Context()), server, "-D", data, "-p", strconv.Itoa(port), "-h", "127.0.0.1", "-k", dir, "-c", "max_connections=200")
	cmd.Stderr = &said
	if err := errors.Join(asUser(cmd, dir), cmd.Start()); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		// It ends its connections; how it ends does not matter, as its folder goes.
		_ = cmd.Process.Signal(syscall.SIGINT)
		_ = cmd.Wait()
	})
	db, err := sql.Open("pgx", fmt.Sprintf("postgres://%s:%s@%s/postgres?sslmode=disable", owner, p.Password, p.Address))
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	defer cancel()
	for look := time.Tick(50 * time.Millisecond); ; <-look {
		if err = db.PingContext(ctx); err == nil {
			return p
		}
		if ctx.Err() != nil {
			tb.Fatalf("connect to PostgreSQL: %v\n%s", err, said.String())
		}
	}
}

// binary finds a program of PostgreSQL, which Debian keeps off the path.
func binary(name string) string {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil || len(found) == 0 {
		path, err := exec.LookPath(name)
		if err != nil {
			return ""
		}
		return path
	}
	slices.Sort(found)
	return found[len(found)-1]
}

// asUser makes the command run as another user when we are root, as which
// PostgreSQL refuses to run.
func asUser(cmd *exec.Cmd, dir string) error {
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
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return os.Chown(dir, int(uid), int(gid))
}
