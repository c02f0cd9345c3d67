// Package sqlite is the embedded flow store: one SQLite file that keeps every
// flow with its 5-tuple, and the egress per host and minute. Several
// processes may use the file at once; one of them writes at a time.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	_ "modernc.org/sqlite" // the driver
)

// Config is the store's part of stanch.yaml.
type Config struct {
	Path string `yaml:"path,required" doc:"The store's file; it is created when it does not exist."`
	Logs []Log  `yaml:"logs" as:"list of logs" doc:"Logs of firewalls, proxies and clouds that a worker follows: each with a path, and a format, layout, zone, sensor and sampling where the files do not say them."`
}

// Vendor is what this folder registers.
func Vendor() integrations.Vendor {
	return integrations.Vendor{Integrations: []integrations.Spec{Spec()}}
}

// Spec describes the integration.
func Spec() integrations.Spec {
	return integrations.Spec{
		Kind:       "sqlite",
		Summary:    "Embedded flow store: flow logs of sensors, firewalls, proxies and clouds in one SQLite file.",
		Implements: (*Store)(nil),
		Facts:      []string{"traffic", "baseline"},
		Permissions: []integrations.Permission{
			{Name: "read and write the file and its folder", Why: "SQLite keeps a write-ahead log next to the file"},
		},
		MakesFile: true,
		Example:   "flows: { kind: sqlite, path: ./flows.db }",
		NewConfig: func() any { return &Config{} },
		Open: integrations.OpenWith(func(_ context.Context, c *Config) (any, error) {
			if c.Path == "" {
				return nil, integrations.Errorf(integrations.Invalid, "open the flow store", "path is empty")
			}
			for _, l := range c.Logs {
				if _, err := l.Options(l.Path); err != nil {
					return nil, integrations.Errorf(integrations.Invalid, "open the flow store", "logs: %w", err)
				}
			}
			s := newStore(c.Path)
			s.logs = c.Logs
			return s, nil
		}),
	}
}

// Store is a flow store in one file. It is safe for concurrent use. The first use
// opens the file, so a disk that is not mounted yet is reported then.
type Store struct {
	path string
	now  func() time.Time
	// chunk is how many lines an import writes in one transaction.
	chunk int64
	// logs are those that are followed, looked at as often as every says.
	logs  []Log
	every time.Duration
	open  opener
}

func newStore(path string) *Store {
	return &Store{path: path, now: time.Now, chunk: chunkRecords, every: followEvery}
}

// Open opens the store at path, and creates it when it does not exist.
func Open(ctx context.Context, path string) (*Store, error) {
	s := newStore(path)
	if _, err := s.dbs(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Path is the store's file.
func (s *Store) Path() string { return s.path }

// Close closes the file.
func (s *Store) Close() error { return s.open.close() }

// Probe implements [integrations.Prober].
func (s *Store) Probe(ctx context.Context) []integrations.Finding {
	now := s.now()
	span, err := s.SpanAt(ctx, now)
	if err != nil {
		return []integrations.Finding{{
			What: fmt.Sprintf("open the flow store %q: %v", s.path, err),
			Fix:  "check that the path is right, and that the file and its folder can be written",
		}}
	}
	found := s.probeLogs()
	if span.Records == 0 {
		return append(found, integrations.Finding{
			What: fmt.Sprintf("the flow store %q is empty", s.path),
			Fix:  "import flow logs with stanch flows import, or name them under logs",
		})
	}
	name := fmt.Sprintf("the flow store %q", s.path)
	found = append(found, integrations.Finding{What: fmt.Sprintf("%s has %d records, the newest of %s", name, span.Records, span.NewestText()), OK: true})
	return append(found, span.Findings(name, now, "")...)
}

// Span returns what the store holds that counts now.
func (s *Store) Span(ctx context.Context) (flowmath.Span, error) { return s.SpanAt(ctx, s.now()) }

// SpanAt returns what the store holds that counts for a query whose time ends at
// to.
func (s *Store) SpanAt(ctx context.Context, to time.Time) (flowmath.Span, error) {
	dbs, err := s.dbs(ctx)
	if err != nil {
		return flowmath.Span{}, err
	}
	return s.span(ctx, dbs, to)
}

type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func readSpan(ctx context.Context, q querier) (flowmath.Span, error) {
	var oldest, newest, records int64
	err := q.QueryRowContext(ctx, `SELECT oldest, newest, records FROM span`).Scan(&oldest, &newest, &records)
	if errors.Is(err, sql.ErrNoRows) {
		return flowmath.Span{}, nil
	}
	if err != nil {
		return flowmath.Span{}, failed("read the flow store", err)
	}
	return flowmath.Span{Oldest: time.Unix(0, oldest).UTC(), Newest: time.Unix(0, newest).UTC(), Records: records}, nil
}

// failed wraps an error of SQLite or the context.
func failed(op string, err error) error {
	if e, ok := errors.AsType[*integrations.Error](err); ok {
		return e
	}
	return integrations.Errorf(integrations.Unavailable, op, "%w", err)
}

// invalid returns the error of an invalid request.
func invalid(op, format string, args ...any) error {
	return integrations.Errorf(integrations.Invalid, op, format, args...)
}

// connect opens the two pools on the file: one connection that writes, and a
// few that only read.
func connect(path string) (*sql.DB, *sql.DB, error) {
	full, err := filepath.Abs(path)
	if err != nil {
		return nil, nil, err
	}
	if info, err := os.Stat(filepath.Dir(full)); err != nil {
		return nil, nil, err
	} else if !info.IsDir() {
		return nil, nil, fmt.Errorf("%q is not a folder", filepath.Dir(full))
	}
	dsn := func(pragmas ...string) string {
		q := url.Values{"_pragma": append(pragmas, "busy_timeout(30000)")}
		return (&url.URL{Scheme: "file", Path: full, RawQuery: q.Encode()}).String()
	}
	write, err := sql.Open("sqlite", dsn("journal_mode(WAL)", "synchronous(NORMAL)", "cache_size(-16384)")+"&_txlock=immediate")
	if err != nil {
		return nil, nil, err
	}
	write.SetMaxOpenConns(1)
	read, err := sql.Open("sqlite", dsn("query_only(1)", "mmap_size(268435456)"))
	if err != nil {
		return nil, nil, errors.Join(err, write.Close())
	}
	read.SetMaxOpenConns(4)
	return write, read, nil
}
