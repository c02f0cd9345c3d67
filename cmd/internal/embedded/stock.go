//go:build !no_embedded

package embedded

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	schema "go.temporal.io/server/schema/sqlite"
	"go.temporal.io/server/temporal"
	driver "modernc.org/sqlite"
)

// StartStock starts the server as Temporal ships it, to compare [Start] with: its
// own SQLite store, which syncs every commit, its whole schema, its default
// settings. It is for a process of its own. Only addresses, keys and the question for a
// newest version on the Internet are as in Start. Of the options, DataDir must be
// given, and SearchAttributes and Retention have no effect.
func StartStock(ctx context.Context, o Options) (*Server, error) {
	o, err := o.withDefaults()
	if err == nil && o.DataDir == "" {
		err = errors.New("it needs a data folder")
	}
	if err != nil {
		return nil, fmt.Errorf("start the stock engine: %w", err)
	}
	s, err := startStock(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("start the stock engine: %w", err)
	}
	return s, nil
}

func startStock(ctx context.Context, o Options) (*Server, error) {
	identity, err := newIdentity()
	if err != nil {
		return nil, err
	}
	store, commits, err := stockStore(o)
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(o.FrontendPort)
	if err != nil {
		return nil, err
	}
	l := newLogger(o.Logger, o.LogLevel)
	services, hosts := placement(ports)
	server, err := boot(ctx, l, func() (temporal.Server, error) {
		return temporal.NewServer(
			temporal.WithConfig(serverConfig(store, ports[0], services)),
			temporal.ForServices(services.names()),
			temporal.WithStaticHosts(hosts),
			temporal.WithLogger(l),
			temporal.WithTLSConfigFactory(identity),
			temporal.WithDynamicConfigClient(dynamicconfig.StaticClient{dynamicconfig.EnableServerVersionCheck.Key(): false}),
			temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		)
	})
	if err != nil {
		return nil, err
	}
	return &Server{
		hostPort: loopback(ports[0]), namespace: o.Namespace, tls: identity.client, syncs: commits.Load,
		check: func() error { return readTables(store) },
		stop: func() error {
			l.closing.Store(true)
			return server.Stop()
		},
	}, nil
}

// stockStore makes a database as Temporal lays it out, and counts its commits, each of
// which is a sync.
func stockStore(o Options) (*config.SQL, *atomic.Int64, error) {
	dir, err := filepath.Abs(o.DataDir)
	if err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	name := (&url.URL{Path: filepath.Join(dir, "stock.db")}).EscapedPath()
	commits := onCommit(name, o.SyncDelay)
	store := &config.SQL{
		PluginName: sqlite.PluginName, DatabaseName: name,
		ConnectAttributes: map[string]string{"mode": "rwc", "journal_mode": "wal", "synchronous": "full"},
	}
	db, err := openAdmin(store)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = db.Close() }()
	if err := schema.SetupSchemaOnDB(db); err != nil {
		return nil, nil, err
	}
	namespace, err := schema.NewNamespaceConfig(clusterName, o.Namespace, false, nil)
	if err != nil {
		return nil, nil, err
	}
	return store, commits, schema.CreateNamespaces(store, namespace)
}

// onCommit counts the commits that write into a database, and delays each of
// them, on connections that are opened from now on. Whoever commits holds the database meanwhile,
// as he does while its log is synced.
func onCommit(database string, delay time.Duration) *atomic.Int64 {
	var commits atomic.Int64
	driver.RegisterConnectionHook(func(c driver.ExecQuerierContext, dsn string) error {
		hooks, ok := c.(driver.HookRegisterer)
		if !ok {
			return fmt.Errorf("connect to %s: a %T has no hooks", database, c)
		}
		if strings.HasPrefix(dsn, "file:"+database+"?") {
			hooks.RegisterCommitHook(func() int32 {
				commits.Add(1)
				time.Sleep(delay)
				return 0
			})
		}
		return nil
	})
	return &commits
}
