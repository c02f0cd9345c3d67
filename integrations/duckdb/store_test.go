//go:build duckdb

package duckdb

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
)

// query runs a statement in the store's own DuckDB.
func query(t *testing.T, s *Store, statement string) error {
	t.Helper()
	rows, err := s.db.QueryContext(t.Context(), statement)
	if err != nil {
		return err
	}
	for rows.Next() {
	}
	return errors.Join(rows.Err(), rows.Close())
}

func TestDuckDBIsLockedIn(t *testing.T) {
	base := t.TempDir()
	folder := filepath.Join(base, "it's flows")
	for _, dir := range []string{folder, folder + "-other"} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "a.csv"), "1\n")
	}
	tsv(t, folder, nil)
	s := store(t, folder, ZeekTSV, nil)
	if _, _, err := s.connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := query(t, s, "FROM read_csv("+text(filepath.Join(folder, "a.csv"))+")"); err != nil {
		t.Fatalf("it cannot read its own folder: %v", err)
	}
	for _, statement := range []string{
		"FROM read_csv(" + text(filepath.Join(folder+"-other", "a.csv")) + ")",
		"FROM read_csv(" + text(folder+"/../it's flows-other/a.csv") + ")",
		"FROM read_text('/etc/passwd')",
		"FROM glob('/etc/*')",
		"ATTACH " + text(filepath.Join(base, "new.db")),
		"COPY (SELECT 1) TO " + text(filepath.Join(base, "new.csv")),
		"FROM read_csv('http://127.0.0.1:1/a.csv')",
		"INSTALL httpfs", "LOAD httpfs", "LOAD '/tmp/evil.duckdb_extension'",
		"SET enable_external_access = true", "SET allowed_directories = ['/']", "SET memory_limit = '1TiB'",
		"SET threads = 64", "SET autoinstall_known_extensions = true", "RESET lock_configuration",
	} {
		if err := query(t, s, statement); err == nil {
			t.Errorf("%s: it was done", statement)
		}
	}
	var limit string
	var threads int64
	if err := s.db.QueryRow("SELECT current_setting('memory_limit'), current_setting('threads')").Scan(&limit, &threads); err != nil {
		t.Fatal(err)
	}
	if limit != "1.0 GiB" || threads != 2 {
		t.Errorf("it may take %s and %d threads, want 1.0 GiB and 2", limit, threads)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	folder := t.TempDir()
	tsv(t, folder, nil)
	s := store(t, folder, ZeekTSV, func(c *Config) { c.Memory = minMemory })
	if _, _, err := s.connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := query(t, s, "SELECT count(DISTINCT hash(i)::VARCHAR || 'long enough for memory') FROM range(100_000_000) t(i)")
	if err == nil || !strings.Contains(err.Error(), "Out of Memory") {
		t.Errorf("error %v, want one of memory", err)
	}
}

func TestAQueryEndsWithItsContext(t *testing.T) {
	folder := t.TempDir()
	tsv(t, folder, nil)
	s := store(t, folder, ZeekTSV, nil)
	if _, _, err := s.connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	var n int64
	err := s.db.QueryRowContext(ctx, "SELECT sum(hash(a.range + b.range) % 7) FROM range(10_000_000) a, range(10_000_000) b").Scan(&n)
	if err == nil {
		t.Fatal("the query took a hundred trillion steps before its context ended")
	}
	if ctx.Err() == nil {
		t.Errorf("it failed by itself: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	folder := t.TempDir()
	for want, change := range map[string]func(*Config){
		`folder "logs" is not an absolute path`:                    func(c *Config) { c.Folder = "logs" },
		`folder "/" is the root`:                                   func(c *Config) { c.Folder = "/" },
		`files "../*.log" is a pattern for names, without folders`: func(c *Config) { c.Files = "../*.log" },
		`files "[" is not a pattern`:                               func(c *Config) { c.Files = "[" },
		`invalid format "csv": must be one of`:                     func(c *Config) { c.Format = "csv" },
		`invalid unit "h": must be one of`:                         func(c *Config) { c.Unit = "h" },
		`records is 0`:                                             func(c *Config) { c.Records = 0 },
		`memory is 1 MiB: must be between 64 and 1048576`:          func(c *Config) { c.Memory = 1 },
		`threads is 0`:                                             func(c *Config) { c.Threads = 0 },
		`one_direction is for parquet, not zeek_tsv`:               func(c *Config) { c.OneDirection = true },
	} {
		spec := Spec()
		c, ok := spec.NewConfig().(*Config)
		if !ok {
			t.Fatal("no configuration")
		}
		c.Folder, c.Format = folder, ZeekTSV
		change(c)
		_, err := spec.Open(t.Context(), c)
		if err == nil || !strings.Contains(err.Error(), want) || integrations.KindOf(err) != integrations.Invalid {
			t.Errorf("error %v, want an invalid one with %s", err, want)
		}
	}
}

func TestProbe(t *testing.T) {
	folder := t.TempDir()
	s := store(t, folder, ZeekTSV, nil)
	if got := s.Probe(t.Context()); len(got) != 1 || got[0].OK || !strings.Contains(got[0].What, "none of the 0 files") {
		t.Errorf("of an empty folder it says %+v", got)
	}
	write(t, filepath.Join(folder, "conn.log"), "#fields\tts\tid.orig_h\tid.resp_h\torig_bytes\n1772443800.0\t192.0.2.10\t198.51.100.1\t5\n")
	if got := s.Probe(t.Context()); len(got) != 1 || !got[0].OK || !strings.Contains(got[0].What, "2026-03-02T09:30:00Z") {
		t.Errorf("it says %+v", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Traffic(t.Context(), hour()); integrations.KindOf(err) != integrations.Unavailable || err == nil {
		t.Errorf("a closed store answers %v", err)
	}
}
