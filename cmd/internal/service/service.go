// Package service runs the roles of Stanch in one process: the engine, the
// worker and the receiver. The serve command, the demo, the benchmark and the
// tests all start it here.
package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/cmd/internal/drift"
	"github.com/stanch-soar/stanch/cmd/internal/embedded"
	"github.com/stanch-soar/stanch/cmd/internal/engine"
	"github.com/stanch-soar/stanch/cmd/internal/httpapi"
	"github.com/stanch-soar/stanch/cmd/internal/logs"
	"github.com/stanch-soar/stanch/cmd/internal/metrics"
	"github.com/stanch-soar/stanch/cmd/internal/tracing"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/workflows"
)

// stopTimeout is how long a worker may finish what it is doing.
const stopTimeout = 10 * time.Second

// engineTimeout is how long a start waits for an engine that does not answer: one
// that starts at the same time needs a while.
const engineTimeout = time.Minute

// cachedWorkflows bounds the workflows that the worker keeps in memory; others
// are replayed from their history when something happens to them.
const cachedWorkflows = 400

// containAtOnce bounds this process's concurrent containments. More would
// be no faster, and let all others wait for the engine. As many more wait in
// the process as containWait says, others in their queue.
const (
	containAtOnce = 16
	containWait   = 32
)

// Options configure a service.
type Options struct {
	Config *config.Config
	// Roles are those of this process; none means all, on a cluster all but the speaker.
	Roles []string
	Log   *slog.Logger
	// SyncDelay plays a slower disk for the embedded engine, in measurements.
	SyncDelay time.Duration
}

// Service is a running process.
type Service struct {
	options Options
	server  *embedded.Server
	client  client.Client
	engine  *engine.Client
	// tracing is nil when nothing is traced.
	tracing *tracing.Tracing
	set     *integrations.Set
	shelf   *shelf
	// identity tells this process's workers from those of all others.
	identity string
	// activities are the activities of the workers; nil where none runs.
	activities *activities.Activities
	workers    []worker.Worker
	// speaks reports whether this process carries out what only one may.
	speaks  atomic.Bool
	metrics *metrics.Registry
	http    *http.Server
	// scraped serves the metrics, where they have an address of their own.
	scraped  *http.Server
	listener net.Listener
	// secure is the second one, with TLS; nil where there is none.
	secure  net.Listener
	stop    context.CancelFunc
	running sync.WaitGroup
	failed  chan error
}

// Start starts everything and returns when alerts can be taken. What was
// started is stopped again on an error.
func Start(ctx context.Context, o Options) (*Service, error) {
	if len(o.Roles) == 0 {
		o.Roles = rolesOf(o.Config)
	}
	limitMemory(o.Config.Memory)
	s := &Service{options: o, failed: make(chan error, 1), metrics: metrics.New(), identity: identity()}
	for _, start := range []func(context.Context) error{
		s.checkAddress, s.openIntegrations, s.loadPlaybooks, s.startTracing, s.startEngine, s.watch, s.startWorker, s.startReceiver,
	} {
		if err := start(ctx); err != nil {
			return nil, errors.Join(err, s.Stop())
		}
	}
	return s, nil
}

// URL is where the receiver listens.
func (s *Service) URL() string {
	if s.options.Config.PublicURL != "" {
		return strings.TrimSuffix(s.options.Config.PublicURL, "/")
	}
	if s.listener == nil {
		return ""
	}
	return "http://" + s.listener.Addr().String()
}

// Address is what the receiver listens on.
func (s *Service) Address() string { return s.listener.Addr().String() }

// Client reaches the engine.
func (s *Service) Client() client.Client { return s.client }

// Syncs returns how often the embedded engine waited for its disk; 0 where there is none.
func (s *Service) Syncs() int64 {
	if s.server == nil {
		return 0
	}
	return s.server.Syncs()
}

// Integrations are the opened integrations.
func (s *Service) Integrations() *integrations.Set { return s.set }

// Failed gets an error when a part of the service ends by itself.
func (s *Service) Failed() <-chan error { return s.failed }

func (s *Service) openIntegrations(ctx context.Context) error {
	if err := os.MkdirAll(s.options.Config.Data, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	set, err := Open(ctx, s.options.Config.Opened)
	s.set = set
	return err
}

func (s *Service) loadPlaybooks(context.Context) error {
	shelf, err := newShelf(folders(s.options.Config), s.set, s.options.Log, playbooks.WithRoles(s.options.Config.AssetRoles))
	s.shelf = shelf
	return err
}

// startEngine starts the embedded engine, or reaches the team's own.
func (s *Service) startEngine(ctx context.Context) error {
	c := s.options.Config
	reach, err := reachOf(c, s.options.Log)
	if err != nil {
		return err
	}
	if s.tracing != nil {
		reach.Interceptors = s.tracing.Interceptors()
	}
	reach.Metrics = s.metrics.Client()
	attributes := engine.SearchAttributes()
	if c.Temporal.Address == config.Embedded {
		s.server, err = embedded.Start(ctx, embedded.Options{
			DataDir: engineDir(c), Namespace: c.Temporal.Namespace,
			SearchAttributes: attributes, Logger: s.options.Log, SyncDelay: s.options.SyncDelay,
		})
		if err != nil {
			return err
		}
		reach.Address, reach.TLS = s.server.HostPort(), s.server.TLS()
	}
	if s.client, err = engine.DialPatiently(ctx, reach, engineTimeout); err != nil {
		return err
	}
	payloads, err := reach.DataConverter()
	if err != nil {
		return err
	}
	s.engine = engine.New(s.client, engine.Options{Payloads: payloads, Namespace: c.Temporal.Namespace, Eager: s.has(RoleWorker)})
	if s.server != nil {
		return nil
	}
	return engine.EnsureSearchAttributes(ctx, s.client, c.Temporal.Namespace, attributes)
}

// startWorker starts the worker of the cases, and one for each integration and each of its
// classes: a case that began when the integration had a limit calls it there also when
// the limit is gone.
func (s *Service) startWorker(ctx context.Context) error {
	if !s.has(RoleWorker) && !s.has(RoleSpeaker) {
		return nil
	}
	c := s.options.Config
	s.activities = &activities.Activities{
		Set: s.set, Workflows: s.engine, People: s.directory(), Leases: s.leases,
		EvidenceDir: c.EvidenceDir(), Limits: c.Traffic.ByRole, Agents: c.Traffic.Agents, Routes: c.Routes.Networks,
		Infrastructure: infrastructure(ctx, c), ExceptBy: c.ExceptBy(), SharedNetworks: c.SharedNetworks, Sees: c.Sees(),
		Roles: c.AssetRoles, PublicURL: c.PublicURL,
		Turn: activities.NewTurns(containAtOnce, containWait).Take,
	}
	if !s.has(RoleWorker) {
		return nil
	}
	worker.SetStickyWorkflowCacheSize(cachedWorkflows)
	cases := worker.New(s.client, protocol.TaskQueue, s.workerOptions())
	workflows.Register(cases)
	o := s.workerOptions()
	o.DisableWorkflowWorker, o.MaxConcurrentActivityExecutionSize = true, containAtOnce
	workers := []worker.Worker{cases, worker.New(s.client, protocol.ContainQueue, o)}
	for queue, pace := range ownQueues(s.options.Config) {
		if !slices.ContainsFunc(reserved(c), func(i config.Integration) bool { return queue == protocol.QueueOf(i.Name) }) {
			workers = append(workers, s.paced(queue, pace))
		}
	}
	s.share(ctx)
	for _, w := range workers {
		s.activities.Register(w)
		if err := w.Start(); err != nil {
			return fmt.Errorf("start a worker: %w", err)
		}
		s.workers = append(s.workers, w)
	}
	return s.tellDaily(ctx)
}

func (s *Service) workerOptions() worker.Options {
	return worker.Options{
		Identity:          s.identity,
		WorkerStopTimeout: stopTimeout,
		// A poll ends only when the engine has noted that its task begins. With few, what the
		// first cases of a storm wait for would come after what is sent for the others.
		MaxConcurrentWorkflowTaskPollers: 16,
		// Sent as seldom as by default, one late heartbeat makes a live worker
		// look dead.
		MaxHeartbeatThrottleInterval: time.Second,
		Interceptors:                 []interceptor.WorkerInterceptor{logs.Cases(s.options.Log)},
		OnFatalError:                 func(err error) { s.fail(fmt.Errorf("a worker ended: %w", err)) },
	}
}

func (s *Service) startReceiver(context.Context) error {
	// Everything that keeps running ends with Stop, not with the context of Start.
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.running.Go(func() { s.shelf.watch(ctx) })
	s.running.Go(func() { s.checkAtStart(ctx) })
	s.running.Go(func() { s.shareLimits(ctx) })
	s.running.Go(func() { s.speak(ctx) })
	s.follow(ctx)
	if !s.has(RoleReceiver) {
		return nil
	}
	listener, err := Listen(s.options.Config.Listen, setListen)
	if err != nil {
		return err
	}
	s.listener = listener
	r, err := s.receiver()
	if err != nil {
		return err
	}
	if err := s.pull(ctx, r); err != nil {
		return err
	}
	s.listenToMessengers(ctx, r)
	s.http = r.Server()
	s.running.Go(func() {
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.fail(fmt.Errorf("the receiver ended: %w", err))
		}
	})
	return s.listenTLS()
}

func (s *Service) receiver() (*httpapi.Receiver, error) {
	c := s.options.Config
	warnOfRights(c, s.options.Log)
	o := httpapi.Options{
		Engine: s.engine, Vouch: s.directory().Vouch, Playbooks: s.shelf.playbooks, Sources: map[string]httpapi.Source{},
		Metrics: s.metrics, PublicURL: s.URL(), Log: s.options.Log, Now: time.Now, Ready: s.ready,
		TrustedProxies: c.Proxies,
		Drift:          func(ctx context.Context) (api.DriftList, error) { return drift.Find(ctx, s.set, s.engine, s.elsewhere) },
	}
	o.Limited, o.Classes, o.Replies = s.limited(), s.classes(), repliesOf(c)
	if s.tracing != nil {
		o.Tracer = s.tracing.Tracer()
	}
	for name, source := range c.Sources {
		verifier, err := source.Auth.Verifier()
		if err != nil {
			return nil, fmt.Errorf("source %s: %w", name, err)
		}
		of := httpapi.Source{Source: source.Alerts, Verifier: verifier, Rate: float64(source.Rate), MaxBody: source.MaxBody}
		if source.Lookup != "" {
			if of.Lookup, err = integrations.Use[integrations.Completer](s.set, source.Lookup); err != nil {
				return nil, fmt.Errorf("source %s: lookup: %w", name, err)
			}
		}
		o.Sources[name] = of
	}
	for _, p := range c.People {
		person, err := receiverPerson(c, p)
		if err != nil {
			return nil, err
		}
		o.People = append(o.People, person)
	}
	return httpapi.New(o), nil
}

func (s *Service) fail(err error) {
	select {
	case s.failed <- err:
	default:
	}
}

// Stop stops everything, in the reverse order. Open cases, leases and timers
// go on when the engine runs again. It may be called once.
func (s *Service) Stop() error {
	var errs []error
	if s.http != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		err := s.http.Shutdown(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			// Slow or stalled clients do not keep the service from a clean end.
			err = s.http.Close()
		}
		errs = append(errs, err)
	} else if s.listener != nil {
		errs = append(errs, s.listener.Close())
	}
	if s.scraped != nil {
		errs = append(errs, s.scraped.Close())
	}
	if s.stop != nil {
		s.stop()
	}
	s.running.Wait()
	for _, w := range s.workers {
		w.Stop()
	}
	if s.client != nil {
		s.client.Close()
	}
	if s.server != nil {
		errs = append(errs, s.server.Stop())
	}
	if s.tracing != nil {
		s.tracing.Stop()
	}
	if s.set != nil {
		errs = append(errs, s.set.Close())
	}
	return errors.Join(errs...)
}
