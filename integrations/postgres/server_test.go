package postgres

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
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

func startServer() (*server, func()) {
	initdb, err := servertest.PostgresProgram("initdb")
	if err != nil {
		return &server{absent: true}, func() {}
	}
	postgres, err := servertest.PostgresProgram("postgres")
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

func start(dir, initdb, postgres string) (*server, func(), error) {
	ctx := context.Background()
	data, err := servertest.InitPostgres(ctx, initdb, dir, "admin", adminPassword)
	if err != nil {
		return nil, nil, err
	}
	port, err := servertest.FreePort()
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.CommandContext(ctx, postgres, "-D", data, "-p", strconv.Itoa(port), "-h", "127.0.0.1", "-k", dir,
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off", "-c", "max_connections=200",
		"-c", "shared_buffers=512MB", "-c", "max_wal_size=4GB", "-c", "work_mem=64MB")
	servertest.EndWithTest(cmd, syscall.SIGINT)
	if err := servertest.AsPostgres(cmd, dir); err != nil {
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
