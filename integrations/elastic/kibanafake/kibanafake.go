// Package kibanafake is a double of Kibana as people use it with the alerts of Elastic
// Security: notes at alerts, the search of alerts, and their state. It is written from the
// product's published description and source of versions 8.16 to 9.3, and serves what they
// serve. Where they are silent it takes the reading that is worse for a client, and says so.
package kibanafake

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// Options say what an installation is like. The zero value is the default space of a Kibana
// 9.2, with one key that may do everything.
type Options struct {
	// Space is the space that has the alerts and in which the keys have their privileges;
	// empty is default.
	Space string
	// Release is what notes are like; empty is [Release92].
	Release Release
	// Keys are those that exist; none: [Administrator].
	Keys []Key
	// MostNotes is how many notes may be kept; 0 is what the release has.
	MostNotes int
	// Payload is the longest body in bytes; 0 is 1 MiB, what server.maxPayload is unless it
	// is set.
	Payload int
	// Author is the name that notes bear: a user may have one for people; empty is the user.
	Author string
}

// Release is what notes are like.
type Release string

// The releases that differ.
const (
	// Release815 has no notes at alerts: they were new in 8.16.
	Release815 Release = "8.15"
	// Release90 answers a written note within data.persistNote, and takes no more than
	// 1,000 notes without a timeline in a space.
	Release90 Release = "9.0"
	// Release92 answers without that, and takes no more than 100 notes at an alert.
	Release92 Release = "9.2"
)

// Alert is one of Elastic Security.
type Alert struct {
	ID string
	// Status is open, acknowledged or closed.
	Status string
	// Legacy is one of before 8.0, whose state is in signal.status too.
	Legacy bool
	// Reason is why it was closed; empty where nobody said.
	Reason  string
	version int
}

// Note is one at an alert.
type Note struct {
	ID, Event, Timeline, Text, By string
	Created                       time.Time
	version                       int
}

// Double is an installation. It is safe for concurrent use.
type Double struct {
	o Options

	mu     sync.Mutex
	last   time.Time
	nextID int
	alerts map[string]*Alert
	notes  []*Note
	fails  map[Failure]int
}

// Failure is how Kibana, or the Elasticsearch behind it, fails while it answers.
type Failure string

// The ways.
const (
	// Conflict is a change of a state that another change overtook: 409, nothing is changed.
	Conflict Failure = "conflict"
	// PassedOver is the same where conflicts are passed over, which a query may ask for: 200.
	PassedOver Failure = "passed_over"
	// ShardsFailed and TimedOut are searches that found less than there is: status 200.
	ShardsFailed Failure = "shards_failed"
	TimedOut     Failure = "timed_out"
	// NotReady is a Kibana that starts: 503, a text that is no JSON, and Retry-After.
	NotReady Failure = "not_ready"
	// Disabled is a Kibana without the security solution: 404, as for any unknown path.
	Disabled Failure = "disabled"
	// Overloaded is an Elasticsearch without memory: 429 without Retry-After.
	Overloaded Failure = "overloaded"
)

// New returns an installation without alerts.
func New(tb testing.TB, o Options) *Double {
	tb.Helper()
	o.Space = cmp.Or(o.Space, "default")
	o.Release = cmp.Or(o.Release, Release92)
	o.Payload = cmp.Or(o.Payload, 1<<20)
	if o.Keys == nil {
		o.Keys = []Key{Administrator()}
	}
	if o.MostNotes == 0 {
		o.MostNotes = map[Release]int{Release90: 1000, Release92: 100}[o.Release]
	}
	return &Double{o: o, alerts: map[string]*Alert{}, fails: map[Failure]int{}}
}

// Add puts an alert there, which is open unless it says otherwise.
func (d *Double) Add(a Alert) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a.Status = cmp.Or(a.Status, "open")
	d.alerts[a.ID] = &a
}

// Remove takes an alert away, as the end of its index does.
func (d *Double) Remove(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.alerts, id)
}

// Alert returns an alert as it is.
func (d *Double) Alert(id string) (Alert, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.alerts[id]
	if a == nil {
		return Alert{}, false
	}
	return *a, true
}

// SetByHand has a person change the state of an alert.
func (d *Double) SetByHand(id, status string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.alerts[id].Status = status
	d.alerts[id].version++
}

// NoteByHand has a person write a note at an alert.
func (d *Double) NoteByHand(id, text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.add(id, "", text, "analyst")
}

// Notes are those at an alert, oldest first.
func (d *Double) Notes(id string) []Note {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []Note
	for _, n := range d.notes {
		if n.Event == id {
			all = append(all, *n)
		}
	}
	slices.SortFunc(all, func(a, b Note) int { return a.Created.Compare(b.Created) })
	return all
}

// Fail has the next requests of the kind that can, this many, fail in a way.
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

// now is the time, of which no two are the same millisecond. The lock is held.
func (d *Double) now() time.Time {
	t := time.Now().Truncate(time.Millisecond)
	if !t.After(d.last) {
		t = d.last.Add(time.Millisecond)
	}
	d.last = t
	return t
}

// add writes a note. The lock is held.
func (d *Double) add(event, timeline, text, by string) *Note {
	d.nextID++
	// Ids are random there: they must not be in the order of the notes here.
	n := &Note{
		ID:    fmt.Sprintf("%08x-0000-4000-8000-%012x", uint32(d.nextID)*2654435761, d.nextID),
		Event: event, Timeline: timeline, Text: text, By: cmp.Or(by, "elastic"), Created: d.now(),
	}
	d.notes = append(d.notes, n)
	return n
}
