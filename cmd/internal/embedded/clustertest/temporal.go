//go:build unix

package clustertest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // The driver by which the test looks for PostgreSQL.
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence/sql"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	_ "go.temporal.io/server/common/persistence/sql/sqlplugin/postgresql" // Registers itself.
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/common/resolver"
	"go.temporal.io/server/schema"
	v12 "go.temporal.io/server/schema/postgresql/v12"
	"go.temporal.io/server/temporal"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/stanch-soar/stanch/integrations/servertest"
)

// Namespace is that of the cluster.
const Namespace = "stanch"

// Program is the name under which a test's binary is Temporal's server; see [Main].
const Program = "temporal-server"

// placement is what the server's process is told.
type placement struct {
	Postgres *postgres         `json:"postgres"`
	Ports    []int             `json:"ports"`
	Env      map[string]string `json:"env"`
	Dynamic  string            `json:"dynamic"`
	Changed  map[string]string `json:"changed"`
}

// Start starts PostgreSQL and a Temporal server on it, as a deployment says, until the test
// or its process ends. It returns the address of the frontend. The test's binary must run
// [Main] under the name Program.
func Start(tb testing.TB, d Deployment) string {
	tb.Helper()
	p := placement{Postgres: startPostgres(tb, d.database), Env: d.env, Dynamic: d.dynamic, Changed: d.changed}
	layOut(tb, p)
	for range temporal.DefaultServices {
		port, err := servertest.FreePort()
		if err != nil {
			tb.Fatal(err)
		}
		p.Ports = append(p.Ports, port)
	}
	told, err := json.Marshal(p)
	if err != nil {
		tb.Fatal(err)
	}
	var said bytes.Buffer
	// Others still use it when the test's context has ended.
	cmd := exec.CommandContext(context.WithoutCancel(tb.Context()), Program, string(told))
	cmd.Stderr = &said
	servertest.EndWithTest(cmd, syscall.SIGKILL)
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		// Its work is over, and its database goes next.
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if tb.Failed() {
			tb.Logf("Temporal said:\n%.20000s", said.String())
		}
	})
	address := loopback(p.Ports[0])
	register(tb, address, &said)
	return address
}

// register makes the namespace, once the server answers.
func register(tb testing.TB, address string, said *bytes.Buffer) {
	tb.Helper()
	c, err := client.NewLazyClient(client.Options{HostPort: address, Logger: silent{}})
	if err != nil {
		tb.Fatal(err)
	}
	defer c.Close()
	deadline := time.Now().Add(2 * time.Minute)
	for look := time.Tick(100 * time.Millisecond); ; <-look {
		_, err := c.WorkflowService().RegisterNamespace(tb.Context(), &workflowservice.RegisterNamespaceRequest{
			Namespace: Namespace, WorkflowExecutionRetentionPeriod: durationpb.New(90 * 24 * time.Hour),
		})
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			tb.Fatalf("register the namespace: %v\n%.20000s", err, said.String())
		}
	}
}

// silent drops what the client logs while it waits.
type silent struct{}

func (silent) Debug(string, ...any) {}
func (silent) Info(string, ...any)  {}
func (silent) Warn(string, ...any)  {}
func (silent) Error(string, ...any) {}

// database is one of a cluster's. The variable conns says how many connections each
// service has to it, and most how many it is without.
type database struct {
	store, file, version string
	conns                string
	most                 int
}

// databases are those of a cluster, by their store's name.
func databases() []database {
	return []database{
		{"temporal", "postgresql/v12/temporal/schema.sql", v12.Version, "SQL_MAX_CONNS", 20},
		{"visibility", "postgresql/v12/visibility/schema.sql", v12.VisibilityVersion, "SQL_VIS_MAX_CONNS", 10},
	}
}

// store is where a database is, with as many connections for each of the server's
// services as the variables of its environment say.
func (p placement) store(d database) (*config.SQL, error) {
	most, err := p.number(d.conns, d.most)
	if err != nil {
		return nil, err
	}
	return &config.SQL{
		PluginName: p.Env["DB"], ConnectProtocol: "tcp", ConnectAddr: p.Postgres.Address, User: owner, Password: p.Postgres.Password,
		DatabaseName: d.store, MaxConns: most, MaxIdleConns: most, MaxConnLifetime: time.Hour,
	}, nil
}

// layOut makes the databases as temporal-sql-tool does.
func layOut(tb testing.TB, p placement) {
	tb.Helper()
	admin := func(d database, name string) sqlplugin.AdminDB {
		d.store = name
		at, err := p.store(d)
		if err != nil {
			tb.Fatal(err)
		}
		db, err := sql.NewSQLAdminDB(sqlplugin.DbKindUnknown, at, resolver.NewNoopResolver(), log.NewNoopLogger(), metrics.NoopMetricsHandler)
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { _ = db.Close() })
		return db
	}
	for _, d := range databases() {
		text, err := fs.ReadFile(schema.Assets(), d.file)
		if err != nil {
			tb.Fatal(err)
		}
		if err := admin(d, "postgres").CreateDatabase(d.store); err != nil {
			tb.Fatal(err)
		}
		db := admin(d, d.store)
		for _, do := range []func() error{
			db.CreateSchemaVersionTables,
			func() error { return db.Exec(string(text)) },
			func() error { return db.UpdateSchemaVersion(d.store, d.version, d.version) },
		} {
			if err := do(); err != nil {
				tb.Fatalf("lay out the database %s: %v", d.store, err)
			}
		}
	}
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// Main is the process of a Temporal server; it runs until it is killed.
func Main() {
	if err := serve(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(told string) error {
	var p placement
	if err := json.Unmarshal([]byte(told), &p); err != nil {
		return fmt.Errorf("read the placement: %w", err)
	}
	l := log.NewZapLogger(log.BuildZapLogger(log.Config{Level: "warn", Format: "console"}))
	settings, err := p.settings()
	if err != nil {
		return err
	}
	placed, err := p.config()
	if err != nil {
		return err
	}
	hosts := map[primitives.ServiceName]static.Hosts{}
	for i, name := range temporal.DefaultServices {
		hosts[primitives.ServiceName(name)] = static.SingleLocalHost(loopback(p.Ports[i]))
	}
	server, err := temporal.NewServer(
		temporal.WithConfig(placed),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithStaticHosts(hosts),
		temporal.WithLogger(l),
		temporal.WithDynamicConfigClient(settings),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.InterruptOn(temporal.InterruptCh()),
	)
	if err != nil {
		return err
	}
	return server.Start()
}

func (p placement) config() (*config.Config, error) {
	const active = "active"
	shards, err := p.number("NUM_HISTORY_SHARDS", 4)
	if err != nil {
		return nil, err
	}
	stores := map[string]config.DataStore{}
	for _, d := range databases() {
		at, err := p.store(d)
		if err != nil {
			return nil, err
		}
		stores[d.store] = config.DataStore{SQL: at}
	}
	run := map[string]config.Service{}
	for i, name := range temporal.DefaultServices {
		run[name] = config.Service{RPC: config.RPC{GRPCPort: p.Ports[i], BindOnIP: "127.0.0.1"}}
	}
	frontend := loopback(p.Ports[0])
	return &config.Config{
		Persistence: config.Persistence{DefaultStore: "temporal", VisibilityStore: "visibility", NumHistoryShards: int32(shards), DataStores: stores},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10, MasterClusterName: active, CurrentClusterName: active,
			ClusterInformation: map[string]cluster.ClusterInformation{active: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: frontend}},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		Services:            run,
		PublicClient:        config.PublicClient{HostPort: frontend},
		Archival:            config.Archival{History: config.HistoryArchival{State: "disabled"}, Visibility: config.VisibilityArchival{State: "disabled"}},
		NamespaceDefaults: config.NamespaceDefaults{Archival: config.ArchivalNamespaceDefaults{
			History:    config.HistoryArchivalNamespaceDefaults{State: "disabled"},
			Visibility: config.VisibilityArchivalNamespaceDefaults{State: "disabled"},
		}},
	}, nil
}
