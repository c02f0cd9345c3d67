// Package defendfake is an Elastic Defend for tests: Kibana's endpoint management
// and the Elasticsearch behind it, over an [edrtest.World]. It is written from the
// products' documents and from reports about them. Where they are silent it takes
// the reading that is worse for a client, and says so.
package defendfake

import (
	"cmp"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// Options say what an installation is like. The zero value is the default space
// under an enterprise licence, with one credential that may do everything.
type Options struct {
	// Space is the Kibana space that has the agents; empty is default.
	Space string
	// Licence is basic, gold, platinum or enterprise; empty is enterprise.
	Licence string
	// Credentials are those that exist; none: [Administrator].
	Credentials []Credential
	// Scripts are those of Kibana's library.
	Scripts []Script

	// Published has Kibana read and write what its published schema says where the
	// product differs: pages of hosts count from 1, an action has isComplete, the
	// pending actions are one object below body, a process id is a number.
	Published bool
	// UnknownWords has states that no document names, and ExtraFields fields.
	UnknownWords, ExtraFields bool
	// MaxPage is the longest page that Kibana gives, whatever was asked for; 0 is
	// that which was asked for.
	MaxPage int
	// RepeatedIsolates is how many isolations in a row make an endpoint unhealthy,
	// after which it carries nothing out; 0 is 4.
	RepeatedIsolates int
	// OutputBytes is how much of an output an action shows; the rest is in its
	// file. 0 is 2000; not documented: how much it is.
	OutputBytes int

	// KibanaRequests and ElasticRequests are how many requests each takes within a
	// Window (0 is a minute); 0 is any number. Not documented: any number.
	KibanaRequests, ElasticRequests int
	Window                          time.Duration
	// Latency is how long each answer takes.
	Latency time.Duration

	// Streams are the data streams that exist; nil: all that are known here.
	Streams []string
	// TCPOnly is an agent of before it reported UDP.
	TCPOnly bool
	// DeduplicateBelow drops the events of a connection of fewer bytes that repeats
	// one of the same process and server; 0 drops none.
	DeduplicateBelow int64
	// ScriptBlock is the longest part of a script in one event; 0 is 16,000.
	ScriptBlock int
	// CountedHits is how far Elasticsearch counts hits unless it is asked for more,
	// and ResultWindow how many one search may ask for; 0 is 10,000.
	CountedHits, ResultWindow int
	// DefaultRows is the limit of an ES|QL query that has none, and MostRows what no
	// query exceeds; 0 is 1,000 and 10,000.
	DefaultRows, MostRows int
	// AllowUnbounded lets a query ask for all hosts or all times: only for tests of
	// the double itself. Otherwise it fails the test.
	AllowUnbounded bool
}

// Double is an installation. It is safe for concurrent use.
type Double struct {
	tb testing.TB
	w  *edrtest.World
	o  Options

	mu      sync.Mutex
	ended   bool
	orders  []*order
	status  map[string]string // a host's health, where it is not that of the world
	streaks map[string]int    // isolations in a row, by host
	partial Partial
	// exceptions are the entries of what isolated hosts still reach, excepted their
	// addresses.
	exceptions []map[string]any
	excepted   []string
	pits       map[string]string // the indices of an open point in time
	kibana     window
	elastic    window
}

// Partial is how a search answers less than there is.
type Partial string

// The ways. Both answers have the status 200.
const (
	Whole        Partial = ""
	ShardsFailed Partial = "shards_failed"
	TimedOut     Partial = "timed_out"
)

// New returns an installation over a world, whose hosts have agent ids for ids.
func New(tb testing.TB, w *edrtest.World, o Options) *Double {
	tb.Helper()
	o.Space = cmp.Or(o.Space, "default")
	o.Licence = cmp.Or(o.Licence, "enterprise")
	o.RepeatedIsolates = cmp.Or(o.RepeatedIsolates, 4)
	o.OutputBytes = cmp.Or(o.OutputBytes, 2000)
	o.Window = cmp.Or(o.Window, time.Minute)
	o.ScriptBlock = cmp.Or(o.ScriptBlock, 16_000)
	o.CountedHits = cmp.Or(o.CountedHits, 10_000)
	o.ResultWindow = cmp.Or(o.ResultWindow, 10_000)
	o.DefaultRows = cmp.Or(o.DefaultRows, 1_000)
	o.MostRows = cmp.Or(o.MostRows, 10_000)
	if o.Credentials == nil {
		o.Credentials = []Credential{Administrator()}
	}
	if o.Streams == nil {
		o.Streams = streams()
	}
	if licenceRank(o.Licence) < 0 {
		tb.Errorf("double of Elastic: there is no licence %q", o.Licence)
	}
	d := &Double{tb: tb, w: w, o: o, status: map[string]string{}, streaks: map[string]int{}, pits: map[string]string{}}
	tb.Cleanup(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.ended = true
	})
	return d
}

// Handler serves both products under one address: what begins with /api/ or /s/
// is Kibana's.
func (d *Double) Handler() http.Handler {
	kibana, elastic := d.Kibana(), d.Elasticsearch()
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/") || strings.HasPrefix(r.URL.Path, "/s/") {
			kibana.ServeHTTP(rw, r)
			return
		}
		elastic.ServeHTTP(rw, r)
	})
}

// SetStatus sets a host's health in Kibana, whatever the world says, such as
// updating, inactive or unenrolled; an empty word ends that.
func (d *Double) SetStatus(host, word string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.status[host] = word
}

// SetPartial has all searches from now on answer in a way.
func (d *Double) SetPartial(p Partial) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.partial = p
}

// complain fails the test, unless it has ended.
func (d *Double) complain(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.ended {
		d.tb.Errorf("double of Elastic: "+format, args...)
	}
}

// wait takes the time of an answer, and reports whether anybody still wants it.
func (d *Double) wait(r *http.Request) bool {
	if d.o.Latency == 0 {
		return true
	}
	timer := time.NewTimer(d.o.Latency)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}
