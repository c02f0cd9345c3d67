//go:build !no_embedded

package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"
)

// BuiltIn reports whether the server is part of this build.
const BuiltIn = true

// Start starts a server and returns when it accepts requests. It listens on
// loopback only, and every client, its own services included, must have the key
// that is made here and never leaves the process: other users of the machine could
// otherwise approve an isolation by themselves.
func Start(ctx context.Context, o Options) (*Server, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("start the embedded engine: %w", err)
	}
	s, err := start(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("start the embedded engine: %w", err)
	}
	return s, nil
}

func start(ctx context.Context, o Options) (*Server, error) {
	identity, err := newIdentity()
	if err != nil {
		return nil, err
	}
	store, err := openStore(ctx, o)
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(o.FrontendPort)
	if err != nil {
		return nil, err
	}
	log := newLogger(o.Logger, o.LogLevel)
	services, hosts := placement(ports)
	server, err := boot(ctx, log, func() (temporal.Server, error) {
		return temporal.NewServer(
			temporal.WithConfig(serverConfig(store.served, ports[0], services)),
			temporal.ForServices(services.names()),
			temporal.WithStaticHosts(hosts),
			temporal.WithLogger(log),
			temporal.WithTLSConfigFactory(identity),
			temporal.WithDynamicConfigClient(settings()),
			temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		)
	})
	if err != nil {
		return nil, err
	}
	return &Server{
		hostPort:  loopback(ports[0]),
		namespace: o.Namespace,
		tls:       identity.client,
		syncs:     store.syncs,
		check:     func() error { return readTables(store.own) },
		stop: func() error {
			log.closing.Store(true)
			return errors.Join(server.Stop(), store.foldIn())
		},
	}, nil
}

type booted struct {
	server temporal.Server
	err    error
}

// boot builds and starts the server in a goroutine of its own, because the
// server reports some failures by ending the goroutine that found them. A
// server that comes up when Start has returned is stopped.
func boot(ctx context.Context, log *logger, build func() (temporal.Server, error)) (temporal.Server, error) {
	done := make(chan booted, 1)
	go func() {
		server, err := build()
		if err == nil {
			err = server.Start()
		}
		done <- booted{server, err}
	}()
	select {
	case b := <-done:
		return b.server, b.err
	case err := <-log.fatal:
		return nil, err
	case <-ctx.Done():
		go func() {
			if b := <-done; b.err == nil {
				_ = b.server.Stop()
			}
		}()
		return nil, context.Cause(ctx)
	}
}

// freePorts finds a port per service. All are held until the last is found, so
// that no port is given twice.
func freePorts(frontend int) ([]int, error) {
	ports := make([]int, 0, len(temporal.DefaultServices))
	for i := range temporal.DefaultServices {
		want := 0
		if i == 0 {
			want = frontend
		}
		l, err := net.Listen("tcp", loopback(want))
		if err != nil {
			return nil, err
		}
		// The ports are held until all are found, so that no two are the same.
		defer func() { _ = l.Close() }()
		address, ok := l.Addr().(*net.TCPAddr)
		if !ok {
			return nil, fmt.Errorf("listen on loopback: %s is not a TCP address", l.Addr())
		}
		ports = append(ports, address.Port)
	}
	return ports, nil
}

// services are those that run here, by name.
type services map[string]config.Service

// placement is the port of each service. The services find each other by these
// fixed addresses, so none of them gossips.
//
// The worker service has an address, as the server demands, and does not run:
// it schedules, batches, deletes namespaces and sweeps what closed workflows
// left behind on other stores, none of which is used here.
func placement(ports []int) (services, map[primitives.ServiceName]static.Hosts) {
	run := services{}
	hosts := map[primitives.ServiceName]static.Hosts{}
	for i, name := range temporal.DefaultServices {
		hosts[primitives.ServiceName(name)] = static.SingleLocalHost(loopback(ports[i]))
		if name != string(primitives.WorkerService) {
			run[name] = config.Service{RPC: config.RPC{GRPCPort: ports[i], BindOnIP: "127.0.0.1"}}
		}
	}
	return run, hosts
}

func (s services) names() []string {
	names := make([]string, 0, len(s))
	for name := range s {
		names = append(names, name)
	}
	return names
}
