// Package splunkfake is a double of Splunk Enterprise Security as people use it to comment on
// notable events and to close them: the API of notable events, and the collection in which
// it keeps what was done to them; and of its searches over network traffic. It is written from
// Splunk's REST reference, the reference of Enterprise Security's API 4.7 to 8.1, and public
// copies of the part of Enterprise Security that serves it. Where they are silent it takes the reading that is worse for a client, and
// says so.
package splunkfake

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// Collection is where reviews are kept, below the address of splunkd.
const Collection = "/servicesNS/nobody/SA-ThreatIntelligence/storage/collections/data/incident_review"

// Update is where they are written, and Context where a user is told who it is.
const (
	Update  = "/services/notable_update"
	Context = "/services/authentication/current-context"
)

// Options say what an installation is like. The zero value has one token, that may do
// everything, and asks for no comment.
type Options struct {
	// Tokens are those that exist; none: [Analyst].
	Tokens []Token
	// LeastComment is how long a comment must be; 0 asks for none.
	LeastComment int
	// NoClosing has the token's user lack the right to change a state into closed.
	NoClosing bool
	// MostRows is how many rows a query gives, without a word about others; 0 is 50,000.
	MostRows int
	// Search is how it searches.
	Search Search
}

// Token is one of Splunk's authentication tokens.
type Token struct {
	Text, User string
	// Capabilities are those of its user's roles, and ReadReviews.
	Capabilities []string
	// Indexes are those that the user may read; nil is all. What is in others is not there, without
	// a word.
	Indexes []string
	// Window is how much time a search of the user is about at most; 0 is any. One about more begins
	// later, and says so in its own bounds alone.
	Window time.Duration
}

// The capabilities that matter here.
const (
	EditNotables = "edit_notable_events"
	// ReadReviews stands for the permission to read the collection.
	ReadReviews = "read incident_review"
)

// Analyst is a token that may do everything.
func Analyst() Token {
	return Token{Text: "eyJraWQiOiJzcGx1bmsuc2VjcmV0IiwiYWxnIjoiSFM1MTIifQ.double.h0TqzE7yQ3m7mVtK", User: "stanch", Capabilities: []string{EditNotables, ReadReviews, Searching}}
}

// Review is what was done to an event at one time. What was never set is null.
type Review struct {
	Rule, Comment, User string
	Status              *string
	Owner, Urgency      *string
	Time                time.Time
}

// Double is an installation. It is safe for concurrent use.
type Double struct {
	o Options

	mu      sync.Mutex
	last    time.Time
	reviews []Review
	fails   map[Failure]int
	search  searching
}

// Failure is how Splunk fails while it answers.
type Failure string

// The ways.
const (
	// StoreDown is a store of collections that cannot be read: 503. An update is answered
	// with 200, and the error inside.
	StoreDown Failure = "store_down"
	// NotSaved is an update that the store did not take: status 200, no success.
	NotSaved Failure = "not_saved"
	// SavedUnsaid is an update that the store took, and that failed after it: the same answer.
	SavedUnsaid Failure = "saved_unsaid"
	// Traced is an update that failed within: status 200, no success, with the way to it.
	Traced Failure = "traced"
)

// New returns an installation without reviews.
func New(tb testing.TB, o Options) *Double {
	tb.Helper()
	o.MostRows = cmp.Or(o.MostRows, 50_000)
	if o.Tokens == nil {
		o.Tokens = []Token{Analyst()}
	}
	return &Double{o: o, fails: map[Failure]int{}}
}

// Fail has the next requests that can, this many, fail in a way.
func (d *Double) Fail(how Failure, times int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fails[how] = times
}

// failing reports whether a request fails in a way, and counts it. The lock is held.
func (d *Double) failing(how Failure) bool {
	if d.fails[how] == 0 {
		return false
	}
	d.fails[how]--
	return true
}

// ReviewByHand has a person comment on an event, and set its state unless it is empty.
func (d *Double) ReviewByHand(rule, comment, status string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.add(Review{Rule: rule, Comment: comment, User: "analyst", Status: set(status)})
}

// Reviews are those of an event, oldest first.
func (d *Double) Reviews(rule string) []Review {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(d.reviews), func(r Review) bool { return r.Rule != rule })
}

// Status is the number of an event's state: that of its newest review, else 1, new.
func (d *Double) Status(rule string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if last := d.newest(rule); last != nil && last.Status != nil {
		return *last.Status
	}
	return "1"
}

func (d *Double) newest(rule string) *Review {
	for i := len(d.reviews) - 1; i >= 0; i-- {
		if d.reviews[i].Rule == rule {
			return &d.reviews[i]
		}
	}
	return nil
}

// add keeps a review, which has from the one before it what it does not say. The lock is held.
func (d *Double) add(r Review) {
	if before := d.newest(r.Rule); before != nil {
		r.Status, r.Owner, r.Urgency = cmp.Or(r.Status, before.Status), cmp.Or(r.Owner, before.Owner), cmp.Or(r.Urgency, before.Urgency)
	}
	r.Time = time.Now().Truncate(time.Microsecond)
	if !r.Time.After(d.last) {
		r.Time = d.last.Add(time.Microsecond)
	}
	d.last = r.Time
	d.reviews = append(d.reviews, r)
}

// set is a value that was said, and nil where it is empty.
func set(value string) *string {
	if value == "" {
		return nil
	}
	return &value
}

// record is a review as the collection keeps it.
func (r Review) record() map[string]any {
	at := fmt.Sprintf("%d.%06d", r.Time.Unix(), r.Time.Nanosecond()/1000)
	return map[string]any{
		"_key": r.Rule + "_" + at, "_user": "nobody", "time": number(at), "rule_id": r.Rule, "rule_name": nil,
		"owner": r.Owner, "urgency": r.Urgency, "status": r.Status, "comment": r.Comment, "user": r.User,
	}
}
