// Package loganalyticsfake is a Log Analytics workspace of Azure Monitor for tests, with
// the token endpoint of Entra. It runs the queries that it gets, answers by Microsoft's
// published description of the API, by the pages about it and by answers that people
// recorded, and knows nothing of any client. Where these are silent it takes the reading
// that is harder on a client, and says so.
//
// Facts: Azure/azure-rest-api-specs, operationalinsights data-plane (MIT); MicrosoftDocs/
// azure-monitor-docs, logs/api and reference/tables, and MicrosoftDocs/azure-docs,
// network-watcher/traffic-analytics-schema.md (CC-BY-4.0); the recorded answers of
// Azure/azure-sdk-for-java (MIT).
package loganalyticsfake

import (
	"cmp"
	"crypto/rand"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Options say what a workspace is like. The zero value is one with all tables, whose
// application may read them.
type Options struct {
	// Tenant, ClientID, ClientSecret and Workspace default to values that [Double] shows.
	Tenant, ClientID, ClientSecret, Workspace string
	// Audience is what tokens are for; empty: that of the public cloud.
	Audience string
	// Now is the clock of the product; nil: that of the machine.
	Now func() time.Time

	// Nobody takes the role on the workspace from the application.
	Nobody bool
	// SecretExpired has every secret of the application be expired.
	SecretExpired bool
	// TokenLifetime is an hour where it is 0.
	TokenLifetime time.Duration

	// Tables are those that the workspace has; nil: all that [Tables] names. A table is
	// there once something was written to it, or its solution was installed.
	Tables []string
	// VNet are the addresses that traffic analytics knows as those of machines of its own;
	// nil: private ones and those of documentation in 192.0.2.0/24. All others are public.
	VNet []netip.Prefix
	// Letters has traffic analytics write A, D, I and O into NTANetAnalytics, as its page
	// says, and not the words that workspaces were seen to have.
	Letters bool

	// MostRows and MostBytes are what an answer has at most; 0: 500,000 and 64,000,000.
	MostRows, MostBytes int
	// Rate is how many queries half a minute takes; 0: 200.
	Rate int
	// Takes is how long a query runs; nil: no time. Nobody waits for it.
	Takes func(query string) time.Duration
	// Warns tells of the tables that a fuzzy union was without as a partial error, which
	// people report of some workspaces.
	Warns bool
	// Before is called before each request is answered, and may block.
	Before func(*http.Request)
}

// Double is a workspace.
type Double struct {
	Tenant, ClientID, ClientSecret, Workspace string

	o Options

	mu     sync.Mutex
	key    []byte // of access tokens
	rows   map[string][]stored
	faults []Fault
	broken *Fault
	times  []time.Time // of the queries of the last half minute
	tokens int
	reads  []Read
	asked  []Query
}

// Read is what a query took of a table. A zero time is no bound: the rows of all time.
type Read struct {
	Table    string
	From, To time.Time
	Rows     int
}

// Query is one that was run, or refused.
type Query struct {
	Text, Timespan string
	// Wait is how long the product may take.
	Wait time.Duration
	// Refused is why it was not run; empty where it was.
	Refused string
}

// New returns a workspace without rows.
func New(o Options) *Double {
	d := &Double{
		Tenant:       cmp.Or(o.Tenant, "4f0c2a6e-7f0c-4f0e-9a53-6d2f0b7f9c11"),
		ClientID:     cmp.Or(o.ClientID, "d9a3b8c1-54f2-4f61-8a57-0f2b7f0e6a22"),
		ClientSecret: cmp.Or(o.ClientSecret, "the.secret~of_the-application"),
		Workspace:    cmp.Or(o.Workspace, "b438b4f6-912a-46d5-9cb1-b44069212abc"),
		o:            o, rows: map[string][]stored{},
	}
	if d.o.Now == nil {
		d.o.Now = time.Now
	}
	if d.o.Tables == nil {
		d.o.Tables = Tables()
	}
	if d.o.VNet == nil {
		for _, p := range []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "192.0.2.0/24", "fc00::/7"} {
			d.o.VNet = append(d.o.VNet, netip.MustParsePrefix(p))
		}
	}
	d.o.MostRows = cmp.Or(d.o.MostRows, 500_000)
	d.o.MostBytes = cmp.Or(d.o.MostBytes, 64_000_000)
	d.o.Rate = cmp.Or(d.o.Rate, 200)
	d.o.Audience = cmp.Or(d.o.Audience, "https://api.loganalytics.io")
	d.ForgetTokens()
	return d
}

// ForgetTokens makes all tokens that were given invalid.
func (d *Double) ForgetTokens() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.key = make([]byte, 32)
	_, _ = rand.Read(d.key) // It never fails.
}

// Tokens is how many tokens were given.
func (d *Double) Tokens() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.tokens
}

// Reads are what the queries took so far, in their order.
func (d *Double) Reads() []Read {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.reads)
}

// Unbounded is how many times a table was read from the beginning of time.
func (d *Double) Unbounded() int {
	n := 0
	for _, r := range d.Reads() {
		if r.From.IsZero() {
			n++
		}
	}
	return n
}

// Queries are those that were asked, in their order.
func (d *Double) Queries() []Query {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.asked)
}
