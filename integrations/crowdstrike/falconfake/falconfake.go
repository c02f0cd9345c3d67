// Package falconfake is a CrowdStrike Falcon for tests. It is stateful and as
// strict as the public documents say the product is: gofalcon's and falconpy's
// definitions, the wiki of PSFalcon, LogScale's manual, and what people report in
// those projects' issues. It reads requests as they come over the wire and knows
// nothing of any client. What is true of a device is in [edrtest.World]; the double
// keeps only what belongs to the protocol.
//
// Where the documents are silent it takes the reading that is worse for a client,
// and a comment says "not documented".
package falconfake

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// Options say what a tenant is like. The zero value is a tenant in us-1 with one API
// client that may do everything.
type Options struct {
	// Credentials are the API clients; none: one with the id "client", the secret
	// "secret" and every scope.
	Credentials []Credential
	// CID is the tenant's id.
	CID string
	// Region is the cloud that answers.
	Region string
	// Elsewhere is the cloud in which the tenant really is; empty: Region. The token
	// that the wrong cloud gives names the right one, and is good for nothing here.
	Elsewhere string
	// Redirects has the wrong cloud answer the request for a token with a redirect.
	// Both answers were reported.
	Redirects bool
	// TokenLifetime is how long a token is good; 0: 30 minutes.
	TokenLifetime time.Duration
	// Limit and TokenLimit are the requests per minute; 0: 6000 and 300, as the
	// headers showed that people posted.
	Limit, TokenLimit int
	// Pace is the clock of these limits; nil: that of the world.
	Pace func() time.Time
	// Latency delays every answer.
	Latency time.Duration
	// MaxPage caps every page of hosts, whatever the limit; 0: no cap of its own.
	MaxPage int
	// AcceptRepeats accepts the containment of a contained host again instead of
	// answering 409. The documents list the code and do not say when it comes.
	AcceptRepeats bool
	// Nulls writes null for empty lists, as some recorded answers do.
	Nulls bool
	// Chunk is the size, in bytes, of one part of a command's output; 0: 4000.
	Chunk int
	// Polls is how often a command or a search is asked for before it is done
	// though nothing delays it; 0: once, negative: never.
	Polls int
	// PollAfter is the pause that searches ask for; 0: 10 ms.
	PollAfter time.Duration
	// SensorStarted is when the sensors started: the processes that ran by then are
	// told by SyntheticProcessRollup2 events of that time.
	SensorStarted time.Time
	// CountRows makes the eventCount of a search that of the rows in the answer
	// instead of that of the events that matched. Documents disagree.
	CountRows bool
	// NewFields adds to answers, and to each of their resources, a field that no
	// document knows.
	NewFields bool
	// UnknownWords makes states that no document knows.
	UnknownWords bool
	// ScriptsOff is a response policy of the hosts that allows no scripts.
	ScriptsOff bool
	// NestedErrors tells that a script failed by errors inside the resource, as the
	// answers to batches do, instead of on stderr.
	NestedErrors bool
}

// Credential is an API client.
type Credential struct {
	ID, Secret string
	// Scopes are those that it was granted; nil: all.
	Scopes []string
}

// Double is a tenant.
type Double struct {
	w      *edrtest.World
	o      Options
	routes map[string]operation

	tbMu  sync.Mutex
	tb    testing.TB
	ended bool

	mu        sync.Mutex
	serial    int
	tokens    map[string]token
	windows   map[string]*window
	throttled int
	scrolls   map[string]scroll
	sessions  []*session
	commands  map[string]*command
	scripts   []*script
	jobs      map[string]*job
	cancels   int
	warning   string
	tagged    int
}

// New returns a tenant with the world's devices. It reports on tb what no client
// may do, until the test ends.
func New(tb testing.TB, w *edrtest.World, o Options) *Double {
	tb.Helper()
	d := &Double{
		w: w, o: o.withDefaults(), tb: tb,
		tokens: map[string]token{}, windows: map[string]*window{}, scrolls: map[string]scroll{},
		commands: map[string]*command{}, jobs: map[string]*job{},
	}
	if d.o.Pace == nil {
		d.o.Pace = w.Now
	}
	d.routes = d.operations()
	tb.Cleanup(func() {
		d.tbMu.Lock()
		defer d.tbMu.Unlock()
		d.ended = true
	})
	return d
}

func (o Options) withDefaults() Options {
	if len(o.Credentials) == 0 {
		o.Credentials = []Credential{{ID: "client", Secret: "secret"}}
	}
	o.CID = or(o.CID, "cfe6986909644340aaaaaaaaaaaaaaaa")
	o.Region = or(o.Region, "us-1")
	o.Elsewhere = or(o.Elsewhere, o.Region)
	o.TokenLifetime = or(o.TokenLifetime, 30*time.Minute)
	o.Limit = or(o.Limit, 6000)
	o.TokenLimit = or(o.TokenLimit, 300)
	o.Chunk = or(o.Chunk, 4000)
	o.Polls = max(or(o.Polls, 1), 0)
	o.PollAfter = or(o.PollAfter, 10*time.Millisecond)
	return o
}

func or[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

// Handler answers as the tenant does.
func (d *Double) Handler() http.Handler { return http.HandlerFunc(d.serve) }

// Throttle has the next n requests refused with 429.
func (d *Double) Throttle(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.throttled = n
}

// CancelSearches has the next n searches cancelled while they run.
func (d *Double) CancelSearches(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cancels = n
}

// Warn puts a warning into the results of all searches; empty ends it.
func (d *Double) Warn(message string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.warning = message
}

// complain fails the test for what a client must never do.
func (d *Double) complain(format string, args ...any) {
	d.tbMu.Lock()
	defer d.tbMu.Unlock()
	if !d.ended {
		d.tb.Errorf("falcon: "+format, args...)
	}
}
