// Package sentinelfake is a workspace of Microsoft Sentinel for tests, behind Azure's
// Resource Manager, with the token endpoint of Entra. It answers by Microsoft's published
// descriptions of the API, by the pages about it and by the issues that people wrote about
// it, and knows nothing of any client. Where these are silent it takes the reading that is
// harder on a client, and says so.
package sentinelfake

import (
	"cmp"
	"crypto/rand"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Role is what the application may do in the workspace.
type Role int

// The roles: Responder reads incidents, comments on them and changes them.
const (
	Responder Role = iota
	Reader
	Nobody
)

// Options say what a workspace is like. The zero value is one whose application is a
// Responder.
type Options struct {
	// Tenant, ClientID, ClientSecret, Subscription, ResourceGroup and Workspace default to
	// values that [Double] shows.
	Tenant, ClientID, ClientSecret         string
	Subscription, ResourceGroup, Workspace string
	// Audience is the address that tokens are for; empty: that of the public cloud.
	Audience string
	// Now is the clock of the product; nil: that of the machine.
	Now func() time.Time

	Role Role
	// ReaderPosts lets a Reader fetch entities. To the Resource Manager a POST is an action,
	// which that role does not list; no page says whether the provider counts this one as a
	// read.
	ReaderPosts bool
	// SecretExpired has every secret of the application be expired.
	SecretExpired bool
	// TokenLifetime is an hour where it is 0.
	TokenLifetime time.Duration
	// EtagRequired refuses changes of incidents that name no etag, as all versions did until
	// 2022; since then such a change overwrites what others wrote.
	EtagRequired bool
	// NoEtag shows incidents without one: the description of the API does not promise it.
	NoEtag bool
	// CommentPage is how many comments a page has at most; 0: 50. It is not documented.
	CommentPage int
	// LinkBase is the origin of next links; empty: that of the request.
	LinkBase string
	// Before is called before each request is answered, and may block.
	Before func(*http.Request)
}

// Double is a workspace.
type Double struct {
	Tenant, ClientID, ClientSecret         string
	Subscription, ResourceGroup, Workspace string

	o Options

	mu        sync.Mutex
	key       []byte // of access tokens
	challenge string // the claims that the tokens of now lack
	incidents map[string]*record
	faults    []Fault
	raw       map[string]string // entities that no product would send, by incident
	races     []func()
	calls     []string
	tokens    int
	serial    int
}

// record is an incident as the product has it.
type record struct {
	name       string
	number     int
	version    int
	created    time.Time
	modified   time.Time
	properties map[string]any // those that can be written
	fixed      map[string]any // those that cannot
	entities   []any
	comments   []*Comment
}

// New returns a workspace without incidents.
func New(o Options) *Double {
	d := &Double{
		Tenant:        cmp.Or(o.Tenant, "4f0c2a6e-7f0c-4f0e-9a53-6d2f0b7f9c11"),
		ClientID:      cmp.Or(o.ClientID, "d9a3b8c1-54f2-4f61-8a57-0f2b7f0e6a22"),
		ClientSecret:  cmp.Or(o.ClientSecret, "the.secret~of_the-application"),
		Subscription:  cmp.Or(o.Subscription, "d0cfe6b2-9ac0-4464-9919-dccaee2e48c0"),
		ResourceGroup: cmp.Or(o.ResourceGroup, "myRg"),
		Workspace:     cmp.Or(o.Workspace, "myWorkspace"),
		o:             o, key: newKey(), incidents: map[string]*record{}, raw: map[string]string{},
	}
	if d.o.Now == nil {
		d.o.Now = time.Now
	}
	return d
}

func newKey() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // It never fails.
	return key
}

// Incident is one as a test writes it.
type Incident struct {
	// Name is its id, a GUID.
	Name string
	// Properties are those that people can write; title, severity and status have defaults.
	Properties map[string]any
	// Fixed are properties that only the product writes, such as relatedAnalyticRuleIds.
	Fixed map[string]any
	// Entities are what its alerts are about, each with kind and properties.
	Entities []any
}

// Add creates an incident, as a rule does.
func (d *Double) Add(i Incident) {
	d.mu.Lock()
	defer d.mu.Unlock()
	properties := map[string]any{"title": "Egress", "severity": "Medium", "status": "New", "labels": []any{}}
	maps.Copy(properties, i.Properties)
	d.serial++
	now := d.o.Now()
	d.incidents[strings.ToLower(i.Name)] = &record{
		name: i.Name, number: 3000 + d.serial, created: now, modified: now,
		properties: properties, fixed: maps.Clone(i.Fixed), entities: i.Entities,
	}
}

// Delete removes an incident, as people may.
func (d *Double) Delete(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.incidents, strings.ToLower(name))
}

// Change changes an incident as a person does in the portal.
func (d *Double) Change(name string, change func(properties map[string]any)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.incidents[strings.ToLower(name)]
	change(r.properties)
	d.touch(r)
}

// Properties are those of an incident that can be written; nil: there is none.
func (d *Double) Properties(name string) map[string]any {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.incidents[strings.ToLower(name)]
	if r == nil {
		return nil
	}
	return maps.Clone(r.properties)
}

// Names are those of all incidents, in order.
func (d *Double) Names() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.incidents))
}

// Race has a function run once after the next incident was read and before its reader gets
// it: what a person does meanwhile. Several run one at each reading.
func (d *Double) Race(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.races = append(d.races, f)
}

// RawEntities has the entities of an incident be answered by a text, which the description
// of the API need not allow.
func (d *Double) RawEntities(name, body string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.raw[strings.ToLower(name)] = body
}

// Fail answers the next calls of the Resource Manager with faults, one each.
func (d *Double) Fail(faults ...Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = append(d.faults, faults...)
}

// RevokeTokens makes every token of now invalid before its time.
func (d *Double) RevokeTokens() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.key = newKey()
}

// Challenge makes every token of now one that lacks claims, as continuous access evaluation
// does: the answer is 401 and names the claims. A token that is asked for afterwards has
// them.
func (d *Double) Challenge() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.challenge = `{"access_token":{"nbf":{"essential":true,"value":"` + d.o.Now().UTC().Format("20060102150405") + `"}}}`
	d.key = newKey()
}

// Calls are the calls of the Resource Manager that were let in, each as a method and the
// part of the path below Microsoft.SecurityInsights.
func (d *Double) Calls() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.calls)
}

// Tokens is how many tokens were given.
func (d *Double) Tokens() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.tokens
}

// touch gives an incident a new version. The caller holds the lock.
func (d *Double) touch(r *record) {
	r.version++
	r.modified = d.o.Now()
}
