// Package sentinelonefake is a SentinelOne console for tests, with the store of its
// events: stateful, and as strict as the vendor's description of its endpoints. It
// reads requests as they come over the wire and knows nothing of any client. What
// is true of agents is in the [edrtest.World] behind it.
//
// Where the documents are silent the double takes the reading that does the most
// harm to a careless client, and a comment says so.
package sentinelonefake

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// Ids of the one account, site and role of the console.
const (
	AccountID = "400000000000000001"
	SiteID    = "400000000000000003"
	roleID    = "400000000000000009"
	userID    = "475482955872052394"
)

// Options say what a console is like. The zero value is a console of today with a
// token that is good for a year and may do everything.
type Options struct {
	// Token is the service user's; empty: "s1-token".
	Token string
	// User is the name of the service user.
	User string
	// Expires is when the token ends, by the world's clock; zero: in a year.
	Expires time.Time
	// Permissions are those of the user's role, as the vendor's description of each
	// endpoint names them; nil: all.
	Permissions []string
	// Scripts are the library of scripts, and Tags the tags that exist.
	Scripts []Script
	Tags    []Tag

	// MaxPage caps every page of a list, whatever limit the request gives; 0: the
	// documented 1000.
	MaxPage int
	// Older spells answers as consoles of some years ago did: booleans as "True",
	// empty cursors as "", totalSteps, columns of numbers that hold strings.
	Older bool
	// Nulls has lists that are empty be null.
	Nulls bool
	// Extra adds members that no document names.
	Extra bool
	// NetworkStatus replaces the word of an agent, by its id.
	NetworkStatus map[string]string
	// OnlyChanged has disconnect and connect count, and order, only what changes. It
	// is not documented whether an agent that is disconnected already is affected;
	// by default it is, and gets the command once more.
	OnlyChanged bool

	// PerSecond is how many requests the console takes each second, 0: any number.
	// The vendor tells no number for the endpoints that are here.
	PerSecond int
	// Unlimited lifts the limit of the query API, QueriesPerSecond for each user; 0: 3.
	Unlimited        bool
	QueriesPerSecond int
	// Pace is the clock of these limits; nil: the real one.
	Pace func() time.Time

	// Steps is how often a query must be polled until it is complete; 0: twice; less:
	// the answer to its launch is complete.
	Steps int
	// QueryFails makes queries fail after they were accepted, within a 200.
	QueryFails string
	// QueryCut lets queries run out of time: half of the rows, and a flag beside them.
	QueryCut bool
	// AnyDataSource finds the events of agents without a filter for their data
	// source. Without such a filter most tenants search other logs, and find nothing.
	AnyDataSource bool
	// AllowUnbounded takes queries that name no host: only for tests of the double itself.
	AllowUnbounded bool

	// Before is called with each request, before it is looked at: a test can count,
	// wait or change the world there.
	Before func(*http.Request)
}

// Double is a SentinelOne console.
type Double struct {
	world   *edrtest.World
	handler http.Handler

	reports sync.Mutex
	tb      testing.TB // nil once the test ended

	mu      sync.Mutex
	options Options
	serial  int
	// decommissioned are the agents that were removed from the console.
	decommissioned map[string]bool
	// externals are the ids that customers gave agents, by the agents' ids.
	externals      map[string]string
	tags           []Tag
	runs           []*run
	queries        map[string]*query
	launched       []string
	console, store window
	bucket         *httptest.Server
	bucketAt       string // where it listens
}

// New returns a console over the devices of a world, whose ids are the agents'.
func New(tb testing.TB, w *edrtest.World, o Options) *Double {
	tb.Helper()
	if o.Token == "" {
		o.Token = "s1-token"
	}
	if o.User == "" {
		o.User = "Stanch"
	}
	if o.Expires.IsZero() {
		o.Expires = w.Now().AddDate(1, 0, 0)
	}
	if o.QueriesPerSecond == 0 {
		o.QueriesPerSecond = queriesPerSecond
	}
	if o.Pace == nil {
		o.Pace = time.Now
	}
	d := &Double{
		world: w, tb: tb, options: o, tags: o.Tags,
		decommissioned: map[string]bool{}, externals: map[string]string{}, queries: map[string]*query{},
	}
	d.handler = d.routes()
	tb.Cleanup(d.end)
	return d
}

// Handler serves the console and the query API.
func (d *Double) Handler() http.Handler { return d.handler }

// Change changes the options while the double runs.
func (d *Double) Change(change func(*Options)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(&d.options)
}

// Decommission removes an agent from the console: it is still listed, its device
// hears nothing any more, and what was ordered on it stays open for ever.
func (d *Double) Decommission(id string) {
	d.mu.Lock()
	d.decommissioned[id] = true
	d.mu.Unlock()
	d.world.Change(id, func(h *edrtest.Host) { h.Offline = true })
}

// OpenQueries is how many queries were neither deleted nor have expired: a client
// that is done with one must delete it.
func (d *Double) OpenQueries() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, q := range d.queries {
		if !d.expired(q) {
			n++
		}
	}
	return n
}

// Queries are the texts of all queries that were launched, oldest first.
func (d *Double) Queries() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.launched...)
}

func (d *Double) now() Options {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.options
}

// next returns a number that no other thing has.
func (d *Double) next() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.serial++
	return d.serial
}

// errorf fails the test, unless it has ended.
func (d *Double) errorf(format string, args ...any) {
	d.reports.Lock()
	defer d.reports.Unlock()
	if d.tb != nil {
		d.tb.Errorf(format, args...)
	}
}

func (d *Double) end() {
	d.reports.Lock()
	d.tb = nil
	d.reports.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bucket != nil {
		d.bucket.Close()
	}
}
