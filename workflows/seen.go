package workflows

import (
	"slices"
	"strconv"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// RetryWithin is how long after it was first received an alert that does not
// say when it happened is taken for a retry when the same content comes
// again; later it is another occurrence. A signed request can be replayed for
// less than that.
const RetryWithin = 10 * time.Minute

// contentsKept bounds the contents that are remembered of one occurrence: some
// senders repeat an alert every few seconds with other numbers.
const contentsKept = 20

// Heard is how an alert relates to those that were heard before.
type Heard int

// An alert is another occurrence, the same one with newer content, or the very
// same.
const (
	Another Heard = iota
	Newer
	Same
)

// Seen remembers the alerts that were heard, oldest first, so that a repeat is
// recognised. Each is one text:
//
//	occurrence+content         the fingerprints of one that says when it happened
//	key+content+"@"+received   the same of one that does not, and fires
//	key+content+"!"+received   ... and does not fire: the alert was over then
//	key                        an alert of a version without occurrences:
//	                           each of them that was received before its
//	                           case closed
//	key+"<"+closed             the same, once that is known
//
// Fingerprints are 16 characters; times are milliseconds since 1970.
type Seen struct {
	entries []string
	// exact is when an occurrence was received with a content, zero for one that
	// says itself when it happened.
	exact map[string]int64
	// contents counts the contents of an occurrence that is not over; undated
	// those of an alert that does not say when it happened.
	contents, undated map[string]int
	// before is until when every occurrence of an alert was heard, zero where it
	// is not known.
	before map[string]int64
}

// sizeOf is how many characters a fingerprint has.
const sizeOf = 16

// NewSeen reads what was remembered. Invalid entries are left out.
func NewSeen(entries []string) *Seen {
	s := &Seen{exact: map[string]int64{}, contents: map[string]int{}, undated: map[string]int{}, before: map[string]int64{}}
	s.Add(entries)
	return s
}

// Add notes what was remembered elsewhere, and returns how much of it is new.
func (s *Seen) Add(entries []string) int {
	before := len(s.entries)
	for _, e := range entries {
		if !s.has(e) {
			s.add(e)
		}
	}
	return len(s.entries) - before
}

func (s *Seen) has(e string) bool {
	known := false
	switch {
	case len(e) < sizeOf:
	case len(e) < 2*sizeOf || e[sizeOf] == '<':
		_, known = s.before[e[:sizeOf]]
	default:
		_, known = s.exact[e[:2*sizeOf]]
	}
	return known
}

// Entries returns what is remembered, to be handed on. It must not be changed.
func (s *Seen) Entries() []string { return s.entries }

// Closed notes when the case closed whose entries these are.
func (s *Seen) Closed(at time.Time) {
	for i, e := range s.entries {
		if len(e) == sizeOf {
			s.entries[i] = e + "<" + strconv.FormatInt(at.UnixMilli(), 10)
			s.before[e] = at.UnixMilli()
		}
	}
}

// Judge classifies an alert against those that were heard. Until is when every
// occurrence was heard of an alert of which that is not known otherwise.
func (s *Seen) Judge(a incident.Alert, until time.Time) Heard {
	key := a.Fingerprint()
	closed, legacy := s.before[key]
	if len(a.Prints) != 2 {
		// It was received by a version that did not distinguish occurrences.
		if legacy {
			return Same
		}
		return Another
	}
	received, known := s.exact[a.Prints[0]+a.Prints[1]]
	switch {
	case known && (received == 0 || a.ReceivedAt.Sub(time.UnixMilli(received)) < RetryWithin):
		return Same
	case known:
		return Another
	case s.contents[a.Prints[0]] > 0:
		return Newer
	case !legacy:
		return Another
	}
	if closed != 0 {
		until = time.UnixMilli(closed)
	}
	if at, dated := a.Time.Get(); dated && at.After(until) || !dated && a.ReceivedAt.Sub(until) > RetryWithin {
		return Another
	}
	return Same
}

// Note remembers an alert. One that does not fire ends the occurrence of an alert
// that does not say when it happened: the next is another.
func (s *Seen) Note(a incident.Alert) {
	key := a.Fingerprint()
	if len(a.Prints) != 2 {
		s.add(key)
		return
	}
	occurrence, content := a.Prints[0], a.Prints[1]
	undated, firing := occurrence == key, a.Status == incident.Firing
	if (undated || !firing) && s.undated[key] > 0 {
		s.remove(func(e string) bool { return len(e) > 2*sizeOf && e[:sizeOf] == key && (e[2*sizeOf] == '@') != firing })
	}
	if _, again := s.exact[occurrence+content]; again {
		s.remove(func(e string) bool { return len(e) >= 2*sizeOf && e[:2*sizeOf] == occurrence+content })
	}
	if s.contents[occurrence] >= contentsKept {
		first := true
		s.remove(func(e string) bool {
			oldest := first && len(e) >= 2*sizeOf && e[:sizeOf] == occurrence
			first = first && !oldest
			return oldest
		})
	}
	entry := occurrence + content
	switch {
	case undated && firing:
		entry += "@" + strconv.FormatInt(a.ReceivedAt.UnixMilli(), 10)
	case undated:
		entry += "!" + strconv.FormatInt(a.ReceivedAt.UnixMilli(), 10)
	}
	s.add(entry)
}

// Before reports whether an alert was heard by a version that did not
// distinguish occurrences, and it is not known until when.
func (s *Seen) Before(a incident.Alert) bool {
	closed, before := s.before[a.Fingerprint()]
	return before && closed == 0
}

// End forgets an alert that does not say when it happened, because it was
// over in the meantime.
func (s *Seen) End(a incident.Alert) {
	key := a.Fingerprint()
	s.remove(func(e string) bool { return len(e) > 2*sizeOf && e[:sizeOf] == key })
}

// Received returns when an alert that does not say when it happened was first
// received; false for another.
func (s *Seen) Received(a incident.Alert) (time.Time, bool) {
	if len(a.Prints) != 2 || s.exact[a.Prints[0]+a.Prints[1]] == 0 {
		return time.Time{}, false
	}
	return time.UnixMilli(s.exact[a.Prints[0]+a.Prints[1]]), true
}

// Keep forgets the oldest beyond a number.
func (s *Seen) Keep(most int) {
	if len(s.entries) <= most {
		return
	}
	for _, e := range s.entries[:len(s.entries)-most] {
		s.drop(e)
	}
	s.entries = slices.Clone(s.entries[len(s.entries)-most:])
}

// add takes in an entry.
func (s *Seen) add(e string) {
	switch {
	case len(e) == sizeOf:
		s.before[e] = 0
	case len(e) > sizeOf && e[sizeOf] == '<':
		s.before[e[:sizeOf]], _ = strconv.ParseInt(e[sizeOf+1:], 10, 64)
	case len(e) == 2*sizeOf:
		s.exact[e] = 0
		s.count(e, 1)
	case len(e) > 2*sizeOf && (e[2*sizeOf] == '@' || e[2*sizeOf] == '!'):
		s.exact[e[:2*sizeOf]], _ = strconv.ParseInt(e[2*sizeOf+1:], 10, 64)
		s.count(e, 1)
	default:
		return
	}
	s.entries = append(s.entries, e)
}

// count adds to what is counted of an entry's occurrence.
func (s *Seen) count(e string, n int) {
	if len(e) > 2*sizeOf {
		add(s.undated, e[:sizeOf], n)
	}
	if len(e) == 2*sizeOf || e[2*sizeOf] == '@' {
		add(s.contents, e[:sizeOf], n)
	}
}

func add(counts map[string]int, of string, n int) {
	if counts[of] += n; counts[of] == 0 {
		delete(counts, of)
	}
}

// drop takes an entry out of the indexes.
func (s *Seen) drop(e string) {
	if len(e) < 2*sizeOf || e[sizeOf] == '<' {
		delete(s.before, e[:sizeOf])
		return
	}
	delete(s.exact, e[:2*sizeOf])
	s.count(e, -1)
}

func (s *Seen) remove(which func(string) bool) {
	s.entries = slices.DeleteFunc(s.entries, func(e string) bool {
		gone := which(e)
		if gone {
			s.drop(e)
		}
		return gone
	})
}
