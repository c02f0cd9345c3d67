// Package embedded runs a Temporal server inside the process: four services on
// free loopback ports, their state in one SQLite file. It is the only package
// that imports go.temporal.io/server; a build with the tag no_embedded leaves
// that out, and its Start returns an error.
package embedded

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strconv"
	"time"

	"go.temporal.io/api/enums/v1"
)

// Options configure the server. The zero value runs in memory.
type Options struct {
	// DataDir is the folder of the SQLite file; it is created if missing.
	// Empty: everything is in memory and lost with the process.
	DataDir string
	// Namespace is registered at start. Empty: stanch.
	Namespace string
	// SearchAttributes are registered in the namespace at start. Existing ones
	// stay; one of another type than before is an error, and so
	// is one of text or of a list of keywords, which are not searched here.
	SearchAttributes map[string]enums.IndexedValueType
	// Retention is how long closed workflows are kept. Zero: 30 days.
	Retention time.Duration
	// FrontendPort is the loopback port for clients. Zero: a free one.
	FrontendPort int
	// Logger gets the server's own log. Nil: it is dropped.
	Logger *slog.Logger
	// LogLevel is the lowest level that reaches Logger. Nil: warnings.
	LogLevel slog.Leveler
	// SyncDelay is added to every sync of the log, to measure what a slower disk
	// would do. Zero: none.
	SyncDelay time.Duration

	inTest inTest
}

// syncFile is a file that is never closed: it belongs to an open database.
type syncFile interface {
	ReadAt(p []byte, offset int64) (int, error)
	WriteAt(p []byte, offset int64) (int, error)
	// Datasync returns when everything that was written to the file is on the disk.
	Datasync() error
}

// inTest is what a test changes: how many pages the log may hold before a checkpoint,
// and who sees its syncs.
type inTest struct {
	checkpoint int
	watch      func(log syncFile) syncFile
}

// The defaults of Options, and the least retention that the server accepts.
const (
	DefaultNamespace = "stanch"
	DefaultRetention = 30 * 24 * time.Hour
	minRetention     = time.Hour
)

// Server is a running server.
type Server struct {
	hostPort  string
	namespace string
	tls       *tls.Config
	stop      func() error
	check     func() error
	syncs     func() int64
}

// ErrNoEngine is that a folder has no engine's data.
var ErrNoEngine = errors.New("there is no engine's data")

// HostPort returns the address at which clients reach the server.
func (s *Server) HostPort() string { return s.hostPort }

// Namespace returns the namespace that was registered.
func (s *Server) Namespace() string { return s.namespace }

// TLS returns the configuration of a client: the server accepts only clients with
// the key that it made at start.
func (s *Server) TLS() *tls.Config { return s.tls.Clone() }

// Check reads from every table of the database, and returns an error when one
// cannot be read: the database is damaged then, though the server may still answer
// from memory.
func (s *Server) Check() error { return s.check() }

// Syncs returns how often the server waited for its disk since it was started, for
// however many commits each time; 0 in memory. SQLite's own syncs, when it copies the log
// into the database, are not among them.
func (s *Server) Syncs() int64 { return s.syncs() }

// Stop stops the server. What it accepted is on disk. It may be called once.
func (s *Server) Stop() error { return s.stop() }

// withDefaults fills in unset options and checks the rest.
func (o Options) withDefaults() (Options, error) {
	if o.Namespace == "" {
		o.Namespace = DefaultNamespace
	}
	if o.Retention == 0 {
		o.Retention = DefaultRetention
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.LogLevel == nil {
		o.LogLevel = slog.LevelWarn
	}
	if o.Retention < minRetention {
		return o, fmt.Errorf("retention %s is below %s", o.Retention, minRetention)
	}
	if o.FrontendPort < 0 || o.FrontendPort > 65535 {
		return o, fmt.Errorf("invalid port %d", o.FrontendPort)
	}
	for _, name := range slices.Sorted(maps.Keys(o.SearchAttributes)) {
		if name == "" || o.SearchAttributes[name] == enums.INDEXED_VALUE_TYPE_UNSPECIFIED {
			return o, fmt.Errorf("search attribute %q has no name or no type", name)
		}
		if kind := o.SearchAttributes[name]; kind == enums.INDEXED_VALUE_TYPE_TEXT || kind == enums.INDEXED_VALUE_TYPE_KEYWORD_LIST {
			return o, fmt.Errorf("search attribute %q has type %s, which cannot be searched", name, kind)
		}
	}
	return o, nil
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
