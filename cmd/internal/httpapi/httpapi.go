// Package httpapi is the HTTP side of Stanch: alerts in, the API for people,
// health and metrics. It answers an alert with 202 only after the engine holds
// it.
package httpapi

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
	"golang.org/x/time/rate"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/auth"
	"github.com/stanch-soar/stanch/cmd/internal/engine"
	"github.com/stanch-soar/stanch/cmd/internal/metrics"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Limits of the HTTP side. Headers must come at once; a body may take a while.
const (
	maxRequest        = 64 << 10
	maxInteraction    = 1 << 20
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	idleTimeout       = 2 * time.Minute
)

// Source is one configured sender of alerts.
type Source struct {
	alerts.Source
	Verifier *auth.Verifier
	// Rate is the limit of requests per second; 0 is no limit.
	Rate float64
	// MaxBody bounds a body, in bytes; api.DefaultBody when zero.
	MaxBody int64
	// Lookup fetches what its alerts only name; nil where they hold it.
	Lookup integrations.Completer
}

// Person is somebody who may use the API.
type Person struct {
	incident.Person
	// May are the person's rights.
	May []incident.Right
	// TokenSHA256 is the digest of the person's token, 32 bytes.
	TokenSHA256 []byte
}

// Options configure a receiver.
type Options struct {
	Engine *engine.Client
	// Playbooks returns the playbooks in force, sorted by name.
	Playbooks func() []*playbooks.Playbook
	// Limited names the integrations that are called through a task queue of
	// their own, because their product limits the rate.
	Limited []string
	// Classes are those of their operations that have a task queue of their own.
	Classes []activities.PinnedClass
	// Replies are the sources whose alerts are answered, sorted.
	Replies []activities.PinnedReply
	Sources map[string]Source
	People  []Person
	// TrustedProxies are those whose X-Forwarded-For says where a request comes from.
	TrustedProxies []netip.Prefix
	// Vouch returns those of the groups in which a person is now, according to
	// their products.
	Vouch func(ctx context.Context, person string, groups []string) []string
	// PublicURL is the address at which people reach the API, for links.
	PublicURL string
	// Ready returns nil when an alert can be taken. Its result is shared for a
	// while by all callers.
	Ready func(context.Context) error
	// Drift compares the leases that stand with their products.
	Drift func(context.Context) (api.DriftList, error)
	Log   *slog.Logger
	// Tracer makes spans of requests; nil makes none.
	Tracer trace.Tracer
	// Metrics is what /metrics shows; nil is a registry of its own.
	Metrics *metrics.Registry
	// Now is the clock.
	Now func() time.Time
	// Work is how much the requests may take that the engine is waited for with, in bytes;
	// 128 MiB when zero.
	Work int64
	// ReleaseWait is how long an answer waits for the network to be restored;
	// 20 seconds when zero. A host that is offline may take days.
	ReleaseWait time.Duration
}

// Receiver answers HTTP requests.
type Receiver struct {
	Options
	limits map[string]*rate.Limiter
	mux    *http.ServeMux
	routes []Route
	// nobody is the verifier of sources that are not configured: it refuses all.
	nobody *auth.Verifier
	// senders and strangers are the room for bodies.
	senders, strangers *bodies
	// highest is the highest bound of a body of all sources, and work the room for those
	// that are being handled.
	highest  int64
	work     *work
	refusals *refusals
	keeper   *keeper
	// drifting is held while products are read for somebody.
	drifting sync.Mutex
	probe    probe
}

// New returns a receiver.
func New(o Options) *Receiver {
	o.ReleaseWait = cmp.Or(o.ReleaseWait, releaseWait)
	if o.Metrics == nil {
		o.Metrics = metrics.New()
	}
	r := &Receiver{
		Options: o, limits: map[string]*rate.Limiter{},
		mux:     http.NewServeMux(),
		senders: newBodies(sendersBytes), strangers: newBodies(strangersBytes), refusals: newRefusals(o.Now),
		highest: api.DefaultBody, work: newWork(cmp.Or(o.Work, workBytes)),
		probe: probe{ask: o.Ready, now: o.Now},
	}
	var verifiers []*auth.Verifier
	for name, s := range o.Sources {
		r.highest = max(r.highest, s.bound())
		if s.Verifier != nil {
			verifiers = append(verifiers, s.Verifier)
		}
		limit := rate.Limit(s.Rate)
		if s.Rate == 0 {
			limit = rate.Inf
		}
		r.limits[name] = rate.NewLimiter(limit, max(1, int(s.Rate)))
	}
	r.nobody = auth.Nobody(verifiers...)
	r.keeper = newKeeper(o)
	r.declare()
	r.addRoutes()
	return r
}

// declare begins to count what every source may come to, so that the first is seen as an increase.
func (r *Receiver) declare() {
	for name := range r.Sources {
		r.Metrics.Begin(metrics.Intake, name)
		for _, result := range []string{"accepted", "recorded", "rejected", "unauthorized", "throttled", "unavailable"} {
			r.Metrics.Add(metrics.Alerts, 0, name, result)
		}
	}
	for _, door := range []string{doorSource, doorPerson} {
		r.Metrics.Add(metrics.Refused, 0, door, "unauthorized")
		r.Metrics.Add(metrics.Refused, 0, door, "throttled")
	}
}

// Handler returns the handler of all requests.
func (r *Receiver) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		plain(r.mux).ServeHTTP(w, req)
	})
}

// Server returns an HTTP server with the receiver's limits.
func (r *Receiver) Server() *http.Server {
	return &http.Server{
		Handler: r.Handler(), ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(r.Log.Handler(), slog.LevelDebug),
	}
}

func (r *Receiver) ready(w http.ResponseWriter, req *http.Request) {
	if err := r.probe.ready(req.Context()); err != nil {
		reply(w, http.StatusServiceUnavailable, api.Health{Status: "not ready", Error: err.Error()})
		return
	}
	reply(w, http.StatusOK, api.Health{Status: "ready"})
}
