// Package defenderfake is a Microsoft Defender for Endpoint for tests, with the
// token endpoint of Entra, the hunting of Microsoft Graph and the storage that
// results are downloaded from. It answers from an [edrtest.World] by what
// Microsoft's documents and the issues about them say, and knows nothing of any
// client. Where the documents are silent it takes the reading that is harder on a
// client, and says so.
package defenderfake

import (
	"crypto/rand"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// Plan is what a tenant has bought.
type Plan string

// The plans. The first has no live response and, as [Business], no hunting.
const (
	Plan1    Plan = "P1"
	Plan2    Plan = "P2"
	Business Plan = "Business"
)

// Repeat is what becomes of an order while one like it is open; the product does
// all three.
type Repeat int

// The answers to a repeated order.
const (
	Refuse        Repeat = iota // 400 ActiveRequestAlreadyExists
	AnswerPending               // the action that is open, and no new one
	StayPending                 // a new action that stays Pending
)

// Options say what a tenant is like. The zero value is one with plan 2 whose app
// has a secret and every role.
type Options struct {
	// Tenant, ClientID and ClientSecret default to values that [Double] shows.
	Tenant, ClientID, ClientSecret string
	// Certificates are those with which assertions of the app may be signed.
	Certificates []*x509.Certificate
	// Roles are the application permissions for Defender and GraphRoles those for
	// Graph; nil: all that an operation here asks for.
	Roles, GraphRoles []string
	// SecretExpired has every secret of the app be expired.
	SecretExpired bool
	// TokenLifetime is an hour where it is 0.
	TokenLifetime time.Duration
	// LoginNow is the clock by which Entra judges assertions; nil: the world's.
	LoginNow func() time.Time

	Plan Plan
	// Unmanaged are the ids of devices that are known but not onboarded.
	Unmanaged []string
	// Unremediated are device groups without a level of automated remediation: live
	// response does not run there.
	Unremediated []string

	// Repeated is what becomes of repeated orders.
	Repeated Repeat
	// GivesUpAsFailed ends what an offline device never carried out with Failed; the
	// documents do not say whether it is that or TimeOut.
	GivesUpAsFailed bool
	// Respell replaces words of closed sets in answers, as future versions will.
	Respell map[string]string
	// Extra is added to every machine and action.
	Extra map[string]any
	// LiveResponseOK answers an accepted session with 200, as the sample of its page
	// does; the text says 201.
	LiveResponseOK bool
	// NullLists writes lists without elements as null.
	NullLists bool
	// EmptyIsNotFound answers a list of machines without any with 404, as the page of
	// that call says; otherwise the list is empty.
	EmptyIsNotFound bool
	// MaxPage caps pages; 0: the documented 10,000.
	MaxPage int
	// LinkBase is the origin of next links; empty: that of the request.
	LinkBase string

	// Unlimited lifts the documented limits of calls.
	Unlimited bool
	// PerMinute and PerHour are how many calls each operation has; 0: 100 and 1500. Live
	// response has no more than 10 a minute.
	PerMinute, PerHour int
	// PerConnection is how many calls a minute there are of all operations together, as the
	// terms of use have 100 for each connection; 0: any number.
	PerConnection int
	// Pace is the clock of the limits; nil: that of the world.
	Pace func() time.Time
	// HuntingPerMinute is how many queries a minute has; 0: 45.
	HuntingPerMinute int
	// MaxRows caps the result of a query; 0: the documented 100,000.
	MaxRows int
	// HuntingLag is how long events take until queries see them.
	HuntingLag time.Duration
	// UpperSchema spells the schema of results Name and Type.
	UpperSchema bool
	// DraftScriptKeys spells the text of a script Content instead of ScriptContent.
	DraftScriptKeys bool
	// FolderOnly leaves file names out of FolderPath, as its description reads; the
	// product's queries show it with them.
	FolderOnly bool
	// NoSHA256 leaves the column empty, as it usually is by its description.
	NoSHA256 bool

	// Before is called before each request is answered, and may block.
	Before func(*http.Request)
}

// Double is a tenant.
type Double struct {
	Tenant, ClientID, ClientSecret string

	tb    testing.TB
	world *edrtest.World
	o     Options
	key   []byte // of access tokens
	sas   []byte // of links

	mu       sync.Mutex
	ended    bool
	roles    map[string][]string // by resource
	windows  map[string]*window
	sessions map[string]*session // of live response, by action
	notes    map[string]note     // by action
	cancels  map[string]cancel
	library  []*libraryFile
	storage  string
	serial   int
	throttle int
	after    time.Duration
	spent    time.Time // when the hunting's processor time is there again
	failures []int     // of hunting
}

// New returns a tenant over a world. It starts the storage on loopback.
func New(tb testing.TB, w *edrtest.World, o Options) *Double {
	tb.Helper()
	d := &Double{
		Tenant:       or(o.Tenant, "8f3d0c6e-1c55-4a3f-9b0a-6f1f6a1c2d3e"),
		ClientID:     or(o.ClientID, "0b7c9a51-2f64-4c1b-8d0e-5a6b7c8d9e0f"),
		ClientSecret: or(o.ClientSecret, "secret~of.the-app"),
		tb:           tb, world: w, o: o, key: make([]byte, 32), sas: make([]byte, 32),
		roles:   map[string][]string{defenderResource: o.Roles, graphResource: o.GraphRoles},
		windows: map[string]*window{}, sessions: map[string]*session{}, notes: map[string]note{},
		cancels: map[string]cancel{},
	}
	_, _ = rand.Read(d.key) // It never fails.
	_, _ = rand.Read(d.sas)
	if d.o.Pace == nil {
		d.o.Pace = w.Now
	}
	if o.Roles == nil {
		d.roles[defenderResource] = []string{readAll, readWriteAll, isolate, liveResponse, manageLibrary, readUsers}
	}
	if o.GraphRoles == nil {
		d.roles[graphResource] = []string{huntingRead}
	}
	storage := httptest.NewServer(d.Storage())
	d.storage = storage.URL
	tb.Cleanup(func() {
		storage.Close()
		d.mu.Lock()
		defer d.mu.Unlock()
		d.ended = true
	})
	return d
}

// Handler serves Entra, Defender and Graph on one origin.
func (d *Double) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/v1.0/"):
			d.Graph().ServeHTTP(w, r)
		case strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/token"):
			d.Login().ServeHTTP(w, r)
		default:
			d.API().ServeHTTP(w, r)
		}
	})
}

// SetStorageURL moves the storage to where a test serves [Double.Storage].
func (d *Double) SetStorageURL(u string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.storage = strings.TrimSuffix(u, "/")
}

// SetRoles changes what the app may do at Defender; tokens that were issued before
// keep their roles.
func (d *Double) SetRoles(roles ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.roles[defenderResource] = slices.Clone(roles)
}

// RevokeTokens makes every token of now invalid before its time.
func (d *Double) RevokeTokens() {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, _ = rand.Read(d.key)
}

// Throttle answers the next n calls with 429 and that time to wait.
func (d *Double) Throttle(n int, after time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.throttle, d.after = n, after
}

// SpendHunting uses the tenant's processor time for queries up: they are refused
// until the next quarter of an hour.
func (d *Double) SpendHunting() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.spent = d.world.Now().Truncate(15 * time.Minute).Add(15 * time.Minute)
}

// FailHunting answers the next query with Graph's error without a reason and a
// status, such as 500 or 504.
func (d *Double) FailHunting(status int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failures = append(d.failures, status)
}

// fail fails the test, unless it is over.
func (d *Double) fail(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.ended {
		d.tb.Errorf(format, args...)
	}
}

func or[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}
