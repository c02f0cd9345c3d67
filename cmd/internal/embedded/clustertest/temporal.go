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
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // The driver by which the test looks for PostgreSQL.
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence/sql"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/postgresql"
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

// shards are far fewer than a deployment has, so that a test starts fast.
const shards = 4

// Program is the name under which a test's binary is Temporal's server; see [Main].
const Program = "temporal-server"

// placement is what the server's process is told.
type placement struct {
	Postgres *postgres `json:"postgres"`
	Ports    []int     `json:"ports"`
	// Settings is the file of the dynamic configuration.
	Settings string `json:"settings"`
}

// Start starts PostgreSQL and a Temporal server on it until the test ends, with the dynamic
// configuration that docker-compose.yml has. It returns the address of the frontend. The
// test's binary must run [Main] under the name Program.
func Start(tb testing.TB, compose string) string {
	tb.Helper()
	p := placement{Postgres: startPostgres(tb), Settings: tb.TempDir() + "/dynamic.yaml"}
	layOut(tb, p.Postgres)
	text, err := os.ReadFile(compose)
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(p.Settings, []byte(Settings(string(text))), 0o600); err != nil {
		tb.Fatal(err)
	}
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

// Settings returns the dynamic configuration in docker-compose.yml.
func Settings(compose string) string {
	_, rest, _ := strings.Cut(compose, "\n  temporal-dynamic:\n    content: |\n")
	var b strings.Builder
	for line := range strings.Lines(rest) {
		own, inside := strings.CutPrefix(line, "      ")
		if !inside && strings.TrimSpace(line) != "" {
			break
		}
		b.WriteString(own)
	}
	return b.String()
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

// databases are those of a cluster, by their store's name.
func databases() []struct{ store, file, version string } {
	return []struct{ store, file, version string }{
		{"temporal", "postgresql/v12/temporal/schema.sql", v12.Version},
		{"visibility", "postgresql/v12/visibility/schema.sql", v12.VisibilityVersion},
	}
}

func (p *postgres) store(database string) *config.SQL {
	return &config.SQL{
		PluginName: postgresql.PluginName, ConnectProtocol: "tcp", ConnectAddr: p.Address, User: owner, Password: p.Password, DatabaseName: database,
		MaxConns: 20, MaxIdleConns: 20, MaxConnLifetime: time.Hour,
	}
}

// layOut makes the databases as temporal-sql-tool does.
func layOut(tb testing.TB, p *postgres) {
	tb.Helper()
	admin := func(database string) sqlplugin.AdminDB {
		db, err := sql.NewSQLAdminDB(sqlplugin.DbKindUnknown, p.store(database), resolver.NewNoopResolver(), log.NewNoopLogger(), metrics.NoopMetricsHandler)
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
		if err := admin("postgres").CreateDatabase(d.store); err != nil {
			tb.Fatal(err)
		}
		db := admin(d.store)
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
	settings, err := dynamicconfig.NewFileBasedClient(&dynamicconfig.FileBasedClientConfig{Filepath: p.Settings, PollInterval: time.Minute}, l, nil)
	if err != nil {
		return fmt.Errorf("read the settings of docker-compose.yml: %w", err)
	}
	hosts := map[primitives.ServiceName]static.Hosts{}
	for i, name := range temporal.DefaultServices {
		hosts[primitives.ServiceName(name)] = static.SingleLocalHost(loopback(p.Ports[i]))
	}
	server, err := temporal.NewServer(
		temporal.WithConfig(p.config()),
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

func (p placement) config() *config.Config {
	const active = "active"
	stores := map[string]config.DataStore{}
	for _, d := range databases() {
		stores[d.store] = config.DataStore{SQL: p.Postgres.store(d.store)}
	}
	run := map[string]config.Service{}
	for i, name := range temporal.DefaultServices {
		run[name] = config.Service{RPC: config.RPC{GRPCPort: p.Ports[i], BindOnIP: "127.0.0.1"}}
	}
	frontend := loopback(p.Ports[0])
	return &config.Config{
		Persistence: config.Persistence{DefaultStore: "temporal", VisibilityStore: "visibility", NumHistoryShards: shards, DataStores: stores},
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
	}
}
