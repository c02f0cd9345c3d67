//go:build duckdb

package duckdb

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	driver "github.com/duckdb/duckdb-go/v2"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
)

const (
	maxRecords = 20_000_000
	minMemory  = 64
	maxMemory  = 1 << 20
	maxThreads = 256
	// queries bounds how many run at once: each takes all threads.
	queries = 2
)

// Store is a folder of flow logs. It is safe for concurrent use.
type Store struct {
	config Config
	layout layout
	now    func() time.Time

	mu     sync.Mutex
	folder string // without links, once db is open
	db     *sql.DB
	closed bool
	// known is the last result, of the files written first and last.
	known [2]bounds
	// reached is the last result for a time in the past.
	reached reached
}

func open(c Config) (any, error) { return Open(c) }

func implements() any { return (*Store)(nil) }

var _ capabilities = (*Store)(nil)

// Open returns the store that a configuration describes. The first use reads the
// folder, so a disk that is not mounted yet is reported then.
func Open(c Config) (*Store, error) {
	invalid := func(format string, args ...any) (*Store, error) {
		return nil, integrations.Errorf(integrations.Invalid, opening, format, args...)
	}
	switch {
	case !filepath.IsAbs(c.Folder):
		return invalid("folder %q is not an absolute path", c.Folder)
	case filepath.Clean(c.Folder) == "/":
		return invalid("folder %q is the root: name the folder of the flow logs", c.Folder)
	case strings.ContainsFunc(c.Folder, unicode.IsControl):
		return invalid("folder %q holds a control character", c.Folder)
	case strings.Contains(c.Files, "/"):
		return invalid("files %q is a pattern for names, without folders", c.Files)
	case c.Sampling < 0 || c.Sampling > flowmath.MaxSampling:
		return invalid("sampling is %d: must be between 0 and %d", c.Sampling, flowmath.MaxSampling)
	case c.Records < 1 || c.Records > maxRecords:
		return invalid("records is %d: must be between 1 and %d", c.Records, maxRecords)
	case c.Memory < minMemory || c.Memory > maxMemory:
		return invalid("memory is %d MiB: must be between %d and %d", c.Memory, minMemory, maxMemory)
	case c.Threads < 1 || c.Threads > maxThreads:
		return invalid("threads is %d: must be between 1 and %d", c.Threads, maxThreads)
	case c.OneDirection && c.Format != Parquet:
		return invalid("one_direction is for parquet, not %s", c.Format)
	}
	l, err := layoutOf(c)
	if err != nil {
		return invalid("%w", err)
	}
	if c.Files == "" {
		c.Files = l.files
	}
	if _, err := path.Match(c.Files, "x"); err != nil {
		return invalid("files %q is not a pattern: %w", c.Files, err)
	}
	return &Store{config: c, layout: l, now: time.Now}, nil
}

// Close ends DuckDB.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.db == nil {
		return nil
	}
	err := s.db.Close()
	s.db = nil
	return err
}

// connect starts DuckDB unless it runs, and locks it in.
func (s *Store) connect(ctx context.Context) (*sql.DB, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, "", integrations.Errorf(integrations.Unavailable, opening, "the store is closed")
	case s.db != nil:
		return s.db, s.folder, nil
	}
	folder, err := filepath.EvalSymlinks(s.config.Folder)
	if err != nil {
		return nil, "", integrations.Errorf(integrations.Unavailable, opening, "%w", err)
	}
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return nil, "", integrations.Errorf(integrations.Unavailable, opening, "%q is not a folder", s.config.Folder)
	}
	connector, err := driver.NewConnector("?"+s.options().Encode(), nil)
	if err != nil {
		return nil, "", integrations.Errorf(integrations.Unavailable, opening, "%w", err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(queries)
	if err := lock(ctx, db, folder, cmp.Or(string(s.config.TimeZone), "UTC")); err != nil {
		return nil, "", failed(opening, errors.Join(err, db.Close()))
	}
	s.db, s.folder = db, folder
	return db, folder, nil
}

// options are DuckDB's settings at its start: it loads nothing that is not linked
// in, and keeps to its memory. Without a temporary folder it spills nothing to disk.
func (s *Store) options() url.Values {
	return url.Values{
		"autoinstall_known_extensions": {"false"},
		"autoload_known_extensions":    {"false"},
		"allow_community_extensions":   {"false"},
		"memory_limit":                 {strconv.Itoa(s.config.Memory) + "MiB"},
		"threads":                      {strconv.Itoa(s.config.Threads)},
		"temp_directory":               {""},
		"preserve_insertion_order":     {"false"},
	}
}

// lock restricts DuckDB to the folder. The order matters: once the
// configuration is locked, no query can change it back.
func lock(ctx context.Context, db *sql.DB, folder, zone string) error {
	for _, statement := range []string{
		"SET GLOBAL TimeZone = " + text(zone),      // the zone of a time without one
		"SET GLOBAL parquet_metadata_cache = true", // each file's footer is read once
		"SET allowed_directories = [" + text(folder) + "]",
		"SET enable_external_access = false",
		"SET lock_configuration = true",
	} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// Probe implements [integrations.Prober].
func (s *Store) Probe(ctx context.Context) []integrations.Finding {
	now := s.now()
	v, err := s.lookAt(ctx, time.Time{}, now)
	if err != nil {
		return []integrations.Finding{{
			What: fmt.Sprintf("read the flow logs in %q: %v", s.config.Folder, err),
			Fix:  "check the folder, the format and the columns, and that Stanch may read everything below the folder",
		}}
	}
	chosen := v.probeMatches(ctx)
	if v.bounds.span.Records == 0 {
		return append(chosen, integrations.Finding{
			What: fmt.Sprintf("none of the %d files %q in %q has a flow record", len(v.files), s.config.Files, s.config.Folder),
			Fix:  "check the folder, the pattern and the format",
		})
	}
	found := append(chosen, integrations.Finding{
		What: fmt.Sprintf("%d files %q in %q, the newest record of %s", len(v.files), s.config.Files, s.config.Folder,
			v.bounds.span.NewestText()),
		OK: true,
	})
	found = append(found, v.bounds.span.Findings(fmt.Sprintf("the flow logs in %q", s.config.Folder), now, s.cure(v))...)
	return append(found, s.probeLines(ctx, v)...)
}

// probeMatches checks that the values of only and without occur.
func (v *seen) probeMatches(ctx context.Context) []integrations.Finding {
	if len(v.parts) == 0 {
		return nil
	}
	var found []integrations.Finding
	look := func(setting string, list []integrations.Match) {
		for _, m := range list {
			occurs := false
			for _, p := range v.parts {
				there, err := v.any(ctx, fmt.Sprintf("SELECT 1 FROM %s WHERE %s", p.source, matches(m)), nil)
				if err != nil {
					found = append(found, integrations.Finding{What: fmt.Sprintf("%s: look for %s: %v", setting, m, err), Fix: "check the column and the files"})
					return
				}
				occurs = occurs || there
			}
			found = append(found, integrations.MatchFinding(setting, m, occurs))
		}
	}
	look("only", v.parts[0].only)
	look("without", v.parts[0].without)
	return found
}

// probeLines looks for damage in the files of the last day.
func (s *Store) probeLines(ctx context.Context, v *seen) []integrations.Finding {
	parts, err := s.parts(ctx, v.db, since(v.files, s.now().AddDate(0, 0, -1)))
	var n int64
	if err == nil {
		n, err = damaged(ctx, v.db, parts)
	}
	switch {
	case err != nil:
		return []integrations.Finding{{
			What: fmt.Sprintf("count the lines of the last day's flow logs in %q: %v", s.config.Folder, err),
			Fix:  "check that Stanch may read everything below the folder",
		}}
	case n > 0:
		return []integrations.Finding{{
			What: fmt.Sprintf("%d lines of the last day's flow logs in %q are not flow records: answers lack them", n, s.config.Folder),
			Fix:  "look for their cause: another log that matches the pattern, two writers of one file, or a full disk",
		}}
	}
	return nil
}

// failed wraps an error of DuckDB, the disk or the context.
func failed(op string, err error) error {
	if e, ok := errors.AsType[*integrations.Error](err); ok {
		return e
	}
	return integrations.Errorf(integrations.Unavailable, op, "%w", err)
}

// text is a string as a literal of SQL, name an identifier.
func text(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func name(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
