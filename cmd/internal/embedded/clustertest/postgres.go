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
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/servertest"
)

// owner is PostgreSQL's superuser.
const owner = "temporal"

// postgres is a running PostgreSQL, which syncs as the deployment's does.
type postgres struct {
	Address  string `json:"address"`
	Password string `json:"password"`
}

// startPostgres starts PostgreSQL until the test or its process ends, and skips it where there is none.
func startPostgres(tb testing.TB, args []string) *postgres {
	tb.Helper()
	initdb, noInitdb := servertest.PostgresProgram("initdb")
	server, noServer := servertest.PostgresProgram("postgres")
	if noInitdb != nil || noServer != nil {
		tb.Skip("SKIPPED: PostgreSQL is not installed")
	}
	dir, err := os.MkdirTemp("", "stanch-cluster-") //nolint:usetesting // PostgreSQL's own user enters it, and no folder of the test's.
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) }) // It is below the temporary folder.
	p := &postgres{Password: rand.Text()}
	data, err := servertest.InitPostgres(tb.Context(), initdb, dir, owner, p.Password)
	if err != nil {
		tb.Fatal(err)
	}
	port, err := servertest.FreePort()
	if err != nil {
		tb.Fatal(err)
	}
	p.Address = "127.0.0.1:" + strconv.Itoa(port)
	var said bytes.Buffer
	// Not with the test's context: others still use it when that has ended.
	args = append([]string{"-D", data, "-p", strconv.Itoa(port), "-h", "127.0.0.1", "-k", dir}, args...)
	cmd := exec.CommandContext(context.WithoutCancel(tb.Context()), server, args...)
	cmd.Stderr = &said
	servertest.EndWithTest(cmd, syscall.SIGINT)
	if err := errors.Join(servertest.AsPostgres(cmd, dir), cmd.Start()); err != nil {
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
