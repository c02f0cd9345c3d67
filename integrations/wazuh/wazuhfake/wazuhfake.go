// Package wazuhfake is a Wazuh 4.x for tests: the API of its manager, and the index
// of alerts in its indexer. It is stateful, and as strict as the vendor's
// description of the API. It reads requests as they come over the wire and knows
// nothing of any client. What is true of agents is in the [edrtest.World] behind it.
//
// Where the documents are silent the double takes the reading that does the most
// harm to a careless client, and a comment says so.
package wazuhfake

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// ManagerID is the agent that is the manager itself: it is listed among the agents.
const ManagerID = "000"

// Options say what a Wazuh is like. The zero value is a 4.14.7 whose user may do
// everything, and whose agents have no scripts.
type Options struct {
	// User and Password are those of the manager's API, and IndexUser and
	// IndexPassword those of the indexer; empty: "stanch" and "secret".
	User, Password           string
	IndexUser, IndexPassword string
	// TokenLife is how long a token is good for, by the world's clock; 0: the 15
	// minutes of the vendor.
	TokenLife time.Duration
	// Version is the manager's as it writes it; empty: 4.14.7. From 5 on there are no
	// active responses and no inventory of agents.
	Version string
	// Rights are what the user may do: actions, each with its resources, such as
	// "agent:id:001", "agent:group:wards" or "*:*:*"; nil: all.
	Rights map[string][]string

	// Scripts are the executables in the folder of active responses on every agent,
	// by file name. Each says what the script does with what it gets: Isolate or
	// Release; empty is whatever the world's OnScript does.
	Scripts map[string]func(Message) edrtest.Kind
	// Commands are the manager's ar.conf: names of commands, with the timeout at their
	// end, and their executables.
	Commands map[string]string
	// Disabled are agents whose active responses are switched off.
	Disabled map[string]bool
	// Agents are the versions of agents, by their ids; others have that of the manager.
	Agents map[string]string
	// Status replaces the status of agents, by their ids: pending, never_connected.
	Status map[string]string
	// Groups are those that exist besides those that agents have.
	Groups []string

	// MaxPage caps every page of a list, 0: the documented 100,000.
	MaxPage int
	// Older spells what the documents spell in two ways in the other one: dates with a
	// blank, ids as numbers, the code of an error as "code".
	Older bool
	// ScannedAt is when the inventory of agents was taken; zero: now.
	ScannedAt time.Time
	// PerMinute is how many requests the API takes each minute, 0: the vendor's 300.
	PerMinute int
	// Pace is the clock of that; nil: the real one.
	Pace func() time.Time

	// Lag is how long an alert takes until it can be found.
	Lag time.Duration
	// Missing are numbers of Windows events that are not collected, or have no rule
	// that makes an alert of them, such as "3": the vendor's rules make none of it.
	Missing map[string]bool
	// SingleBackslashes has paths in Windows events as they are. Wazuh writes each
	// backslash twice; that was mended in some versions, and came back.
	SingleBackslashes bool
	// Respell changes the names of members of Windows events: how they are written is
	// not documented beyond examples.
	Respell func(string) string
	// BlockSize is how many characters of a script one event holds, 0: all.
	BlockSize int
	// FailedShards and TimedOut cut half of what a search finds, and tell it beside
	// the hits.
	FailedShards int
	TimedOut     bool
	// AllowUnbounded takes searches that name no host or no time: only for tests of the
	// double itself.
	AllowUnbounded bool

	// Before is called with each request, before it is looked at.
	Before func(*http.Request)
}

// Message is what a script is told.
type Message struct {
	// Arguments are those of the request, and Alert is its alert.
	Arguments []string
	Alert     map[string]any
	// Text is what the script reads from its standard input: one line of JSON. For
	// agents before 4.2 it is the arguments, which they get on the command line.
	Text string
}

// Double is a Wazuh.
type Double struct {
	world         *edrtest.World
	manager, find http.Handler

	reports sync.Mutex
	tb      testing.TB // nil once the test ended

	mu      sync.Mutex
	options Options
	serial  int
	tokens  map[string]time.Time // and when each ends
	logins  attempts
	minute  window
}

// New returns a Wazuh over the devices of a world, whose ids are the agents': three
// digits or more.
func New(tb testing.TB, w *edrtest.World, o Options) *Double {
	tb.Helper()
	for field, value := range map[*string]string{
		&o.User: "stanch", &o.Password: "secret", &o.IndexUser: "stanch", &o.IndexPassword: "secret", &o.Version: "4.14.7",
	} {
		if *field == "" {
			*field = value
		}
	}
	if o.TokenLife == 0 {
		o.TokenLife = 15 * time.Minute
	}
	if o.PerMinute == 0 {
		o.PerMinute = 300
	}
	if o.Pace == nil {
		o.Pace = time.Now
	}
	d := &Double{world: w, tb: tb, options: o, tokens: map[string]time.Time{}}
	d.manager, d.find = d.routes(), d.indexRoutes()
	tb.Cleanup(d.end)
	return d
}

// Handler serves the API of the manager.
func (d *Double) Handler() http.Handler { return d.manager }

// Indexer serves the index of alerts.
func (d *Double) Indexer() http.Handler { return d.find }

// Change changes the options while the double runs.
func (d *Double) Change(change func(*Options)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(&d.options)
}

func (d *Double) now() Options {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.options
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
	defer d.reports.Unlock()
	d.tb = nil
}
