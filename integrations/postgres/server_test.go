package postgres

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stanch-soar/stanch/integrations/servertest"
)

// server is a PostgreSQL for these tests only, on a loopback port.
type server struct {
	port   int
	admin  *pgx.Conn
	mu     sync.Mutex // of admin
	made   atomic.Int64
	absent bool // it is not installed
}

// shared is started by TestMain and then only read.
var shared *server

const adminPassword = "only-for-tests"

func TestMain(m *testing.M) {
	var stop func()
	shared, stop = startServer()
	code := m.Run()
	stop()
	os.Exit(code)
}

// binary finds a program of PostgreSQL, which Debian keeps off the path.
func binary(name string) (string, error) {
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

func startServer() (*server, func()) {
	initdb, err := binary("initdb")
	if err != nil {
		return &server{absent: true}, func() {}
	}
	postgres, err := binary("postgres")
	if err != nil {
		return &server{absent: true}, func() {}
	}
	dir, err := os.MkdirTemp("", "stanch-postgres-")
	if err != nil {
		panic(err)
	}
	s, stop, err := start(dir, initdb, postgres)
	if err != nil {
		_ = os.RemoveAll(dir)
		panic(err)
	}
	return s, func() {
		stop()
		_ = os.RemoveAll(dir)
	}
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
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return os.Chown(dir, uid, gid)
}

func start(dir, initdb, postgres string) (*server, func(), error) {
	data, password := filepath.Join(dir, "data"), filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte(adminPassword), 0o644); err != nil {
		return nil, nil, err
	}
	ctx := context.Background()
	initialise := exec.CommandContext(ctx, initdb, "-D", data, "-U", "admin", "-A", "scram-sha-256", "--pwfile", password, "--no-sync", "-E", "UTF8", "--locale=C.UTF-8")
	if err := asUser(initialise, dir); err != nil {
		return nil, nil, err
	}
	if out, err := initialise.CombinedOutput(); err != nil {
		return nil, nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	port, err := servertest.FreePort()
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.CommandContext(ctx, postgres, "-D", data, "-p", strconv.Itoa(port), "-h", "127.0.0.1", "-k", dir,
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off", "-c", "max_connections=200",
		"-c", "shared_buffers=512MB", "-c", "max_wal_size=4GB", "-c", "work_mem=64MB")
	if err := asUser(cmd, dir); err != nil {
		return nil, nil, err
	}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.Discard, &said
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	s := &server{port: port}
	stop := func() {
		if s.admin != nil {
			_ = s.admin.Close(ctx)
		}
		_ = cmd.Process.Signal(syscall.SIGINT)
		_ = cmd.Wait()
	}
	deadline := time.Now().Add(30 * time.Second)
	for look := time.Tick(50 * time.Millisecond); ; <-look {
		s.admin, err = pgx.Connect(ctx, s.dsn("admin", adminPassword, port))
		if err == nil {
			return s, stop, nil
		}
		if time.Now().After(deadline) {
			stop()
			return nil, nil, fmt.Errorf("connect to the server: %w\n%s", err, said.String())
		}
	}
}

func (s *server) dsn(user, password string, port int) string {
	return fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/postgres?sslmode=disable", user, password, port)
}

// exec runs statements as the administrator.
func (s *server) exec(tb testing.TB, sql string) {
	tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.admin.Exec(context.Background(), sql); err != nil {
		tb.Fatalf("%s: %v", sql, err)
	}
}

func running(tb testing.TB) *server {
	tb.Helper()
	if shared.absent {
		tb.Skip("SKIPPED: PostgreSQL is not installed")
	}
	return shared
}
