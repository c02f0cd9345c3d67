// Package secopsfake is an instance of Google SecOps for tests, as much of its API
// (v1alpha) as lists detections, with Google's token endpoint for service accounts. It
// answers by what Google's pages say, and knows nothing of any client. Where they are silent
// it takes the reading that is harder on a client, and says so.
package secopsfake

import (
	"cmp"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Options say what an instance is like. The zero value is one whose service account may
// list detections.
type Options struct {
	// Project, Location and Instance default to values that [Double] shows.
	Project, Location, Instance string
	// Now is Google's clock; nil: that of the machine.
	Now func() time.Time
	// LoginNow is the clock by which assertions are judged; nil: Now.
	LoginNow func() time.Time
	// TokenLifetime is an hour where it is 0.
	TokenLifetime time.Duration
	// Denied has the service account lack the permission.
	Denied bool
	// MaxPage caps pages, which may always be shorter than was asked for; 0: 1,000.
	MaxPage int
	// MaxBytes cuts pages by their size, as the API says it may: what is cut off has no page
	// token, and the answer says that it was truncated. 0: no bound.
	MaxBytes int
	// Positions has page tokens count from the newest, so that what is created between two
	// pages moves all others along. Otherwise they name the last one of a page. Neither is
	// documented.
	Positions bool
	// Unordered lists in an order of its own; that the newest come first is documented of
	// the older API only.
	Unordered bool
	// Pretty writes each answer with other blanks than the one before: what is the same JSON
	// need not be the same bytes.
	Pretty bool
	// Before is called before each request is answered, and may block.
	Before func(*http.Request)
}

// Double is an instance.
type Double struct {
	Project, Location, Instance string
	// Email is that of the service account.
	Email string

	tb  testing.TB
	o   Options
	key *rsa.PrivateKey

	mu       sync.Mutex
	tokens   map[string]time.Time // until when each is valid
	entries  []entry
	revision map[string]string // the latest of each rule
	faults   []Fault
	looping  bool
	given    int // tokens
	answers  int
	queries  []string
}

// entry is a detection with what lists go by.
type entry struct {
	id, rule, version, state   string
	created, detected, visible time.Time
	body                       json.RawMessage
}

// keyID is the id of the service account's key.
const keyID = "0f6b1c7d2e3a4b5c6d7e8f90a1b2c3d4e5f60718"

// New returns an instance without detections.
func New(tb testing.TB, o Options) *Double {
	tb.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		tb.Fatalf("make the service account's key: %v", err)
	}
	d := &Double{
		Project: cmp.Or(o.Project, "my-project"), Location: cmp.Or(o.Location, "us"),
		Instance: cmp.Or(o.Instance, "5f1c0c9d-0000-4000-8000-000000000000"),
		Email:    "stanch@my-project.iam.gserviceaccount.com",
		tb:       tb, o: o, key: key, tokens: map[string]time.Time{}, revision: map[string]string{},
	}
	if d.o.Now == nil {
		d.o.Now = time.Now
	}
	if d.o.LoginNow == nil {
		d.o.LoginNow = d.o.Now
	}
	return d
}

// ServiceAccount is the JSON key of the service account, for tokens of the endpoint at this
// origin.
func (d *Double) ServiceAccount(origin string) string {
	d.tb.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(d.key)
	if err != nil {
		d.tb.Fatalf("write the service account's key: %v", err)
	}
	text, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": d.Project, "private_key_id": keyID,
		"private_key":  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"client_email": d.Email, "client_id": "100000000000000000001",
		"auth_uri":  "https://accounts.google.com/o/oauth2/auth",
		"token_uri": origin + "/token", "universe_domain": "googleapis.com",
		"auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
		"client_x509_cert_url":        "https://www.googleapis.com/robot/v1/metadata/x509/stanch%40my-project.iam.gserviceaccount.com",
	})
	if err != nil {
		d.tb.Fatalf("write the service account: %v", err)
	}
	return string(text)
}

// Add creates a detection of the API's form, which lists show at once.
func (d *Double) Add(body string) { d.Put(body, time.Time{}, time.Time{}) }

// Put creates one at a time, which is the one that it says itself where it is zero. Lists
// show it from another time on, though it was created before.
func (d *Double) Put(body string, created, visible time.Time) {
	d.tb.Helper()
	var c struct {
		ID            string    `json:"id"`
		CreatedTime   time.Time `json:"createdTime"`
		DetectionTime time.Time `json:"detectionTime"`
		Detection     []struct {
			RuleID      string `json:"ruleId"`
			RuleVersion string `json:"ruleVersion"`
			AlertState  string `json:"alertState"`
		} `json:"detection"`
	}
	if err := json.Unmarshal([]byte(body), &c); err != nil {
		d.tb.Fatalf("add a detection: %v", err)
	}
	if created.IsZero() {
		created = c.CreatedTime
	}
	if c.ID == "" || created.IsZero() || len(c.Detection) == 0 {
		d.tb.Fatalf("add a detection: it has no id, time or rule")
	}
	e := entry{
		id: c.ID, rule: c.Detection[0].RuleID, version: c.Detection[0].RuleVersion, state: c.Detection[0].AlertState,
		created: created, detected: c.DetectionTime, visible: visible, body: json.RawMessage(body),
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.entries = append(d.entries, e)
	if e.version > d.revision[e.rule] {
		d.revision[e.rule] = e.version
	}
}

// Revise is a person who edits a rule: the revision that it has from now on.
func (d *Double) Revise(rule, version string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.revision[rule] = version
}

// Fail answers the next calls of the API with faults, one each.
func (d *Double) Fail(faults ...Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = append(d.faults, faults...)
}

// Loop has every page name itself as the next one, or not any more.
func (d *Double) Loop(loops bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.looping = loops
}

// SetPages caps pages from now on.
func (d *Double) SetPages(most int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.o.MaxPage = most
}

// Tokens is how many tokens were given.
func (d *Double) Tokens() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.given
}

// RevokeTokens makes every token of now invalid before its time.
func (d *Double) RevokeTokens() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.tokens)
}

// Queries are those of the lists that were answered, as they were written.
func (d *Double) Queries() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.queries)
}

// Handler serves the API and the token endpoint on one origin.
func (d *Double) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.o.Before != nil {
			d.o.Before(r)
		}
		w.Header().Set("Date", d.o.Now().UTC().Format(http.TimeFormat))
		if r.URL.Path == "/token" {
			d.token(w, r)
			return
		}
		d.api(w, r)
	})
}

// verify reports whether the service account signed a text.
func (d *Double) verify(text string, signature []byte) bool {
	sum := sha256.Sum256([]byte(text))
	return rsa.VerifyPKCS1v15(&d.key.PublicKey, crypto.SHA256, sum[:], signature) == nil
}

// path is that of the operation.
func (d *Double) path() string {
	return strings.Join([]string{"/v1alpha/projects", d.Project, "locations", d.Location, "instances", d.Instance, "legacy:legacySearchDetections"}, "/")
}
