package workflows

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

func dawn() time.Time { return time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC) }

// heard is an alert as the receiver hands it on: received so many minutes after
// dawn, and begun at the minute that it names, if any.
func heardAt(minute int, id, begun string, count int64, status incident.AlertStatus) incident.Alert {
	a := incident.Alert{ID: id, Source: "siem", Status: status, ReceivedAt: dawn().Add(time.Duration(minute) * time.Minute), Count: incident.Known(count, incident.FromAlert)}
	if begun != "" {
		var at int
		_, _ = fmt.Sscan(begun, &at)
		a.Time = incident.Known(dawn().Add(time.Duration(at)*time.Minute), incident.FromAlert)
	}
	a.Prints = a.Fingerprints(a.Time)
	return a
}

// What an alert is to those before it. Each line is the minute in which it is
// received, its id, when it began, its count and its status.
func TestAnAlertIsAnotherNewerOrTheSame(t *testing.T) {
	for name, lines := range map[string]string{
		"sent again":                               `0 a 0 1 firing another, 90 a 0 1 firing same`,
		"another occurrence":                       `0 a 0 1 firing another, 9 a 5 1 firing another, 10 a 0 1 firing same, 11 a 5 1 firing same`,
		"newer content":                            `0 a 0 1 firing another, 1 a 0 2 firing newer, 2 a 0 1 firing same, 3 a 0 2 firing same, 4 a 0 3 firing newer`,
		"resolved, and another occurrence":         `0 a 0 1 firing another, 1 a 0 1 resolved newer, 2 a 0 1 firing same, 3 a 3 1 firing another`,
		"without a time":                           `0 a - 1 firing another, 9 a - 1 firing same, 10 a - 1 firing another, 19 a - 1 firing same, 20 a - 1 firing another`,
		"without a time, newer content":            `0 a - 1 firing another, 1 a - 2 firing newer, 2 a - 1 firing same`,
		"without a time, resolved":                 `0 a - 1 firing another, 1 a - 1 resolved newer, 2 a - 1 resolved same, 3 a - 1 firing another, 4 a - 1 firing same, 5 a - 1 resolved newer`,
		"without a time, resolved at a time":       `0 a - 1 firing another, 1 a 1 1 resolved another, 2 a - 1 firing another`,
		"without a time, resolved before it fires": `0 a - 1 resolved another, 1 a - 1 firing another, 2 a - 1 firing same`,
		"one resolved is not another":              `0 a - 1 firing another, 0 b - 1 firing another, 1 b - 1 resolved newer, 2 a - 1 firing same`,
		"a clock that is behind":                   `5 a - 1 firing another, 3 a - 1 firing same`,
	} {
		s := NewSeen(nil)
		for i, line := range strings.Split(lines, ", ") {
			f := strings.Fields(line)
			var minute int
			var count int64
			_, _ = fmt.Sscan(f[0], &minute)
			_, _ = fmt.Sscan(f[3], &count)
			a := heardAt(minute, f[1], strings.Trim(f[2], "-"), count, incident.AlertStatus(f[4]))
			// What was handed on says the same.
			handed := NewSeen(slices.Clone(s.Entries()))
			got, again := s.Judge(a, time.Time{}), handed.Judge(a, time.Time{})
			if want := map[string]Heard{"another": Another, "newer": Newer, "same": Same}[f[5]]; got != want || again != want {
				t.Errorf("%s, %d: %q is %d, and %d when it was handed on, want %s", name, i, line, got, again, f[5])
			}
			if got != Same {
				s.Note(a)
			}
		}
	}
}

// What an earlier version remembered of an alert counts as every occurrence
// that was received before its case closed.
func TestFingerprintsOfBefore(t *testing.T) {
	old := heardAt(0, "a", "", 1, incident.Firing)
	old.Prints = nil
	s := NewSeen([]string{old.Fingerprint()})
	if got := s.Judge(old, time.Time{}); got != Same {
		t.Errorf("an alert that the earlier version received is %d", got)
	}
	closed := dawn().Add(30 * time.Minute)
	for _, handed := range []bool{false, true} {
		if handed {
			s.Closed(closed)
			s = NewSeen(s.Entries())
		}
		for _, c := range []struct {
			alert incident.Alert
			want  Heard
		}{
			{heardAt(40, "a", "0", 1, incident.Firing), Same},
			{heardAt(90, "a", "29", 2, incident.Firing), Same},
			{heardAt(90, "a", "31", 1, incident.Firing), Another},
			{heardAt(39, "a", "", 1, incident.Firing), Same},
			{heardAt(41, "a", "", 1, incident.Firing), Another},
			{heardAt(31, "b", "0", 1, incident.Firing), Another},
		} {
			until := closed
			if handed {
				until = time.Time{}
			}
			if got := s.Judge(c.alert, until); got != c.want {
				t.Errorf("handed on %t: %s of %s received at %s is %d, want %d", handed, c.alert.ID, c.alert.Time, c.alert.ReceivedAt, got, c.want)
			}
		}
	}
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	s := NewSeen(nil)
	for i := range 5 * contentsKept {
		s.Note(heardAt(i, "chatty", "0", int64(i), incident.Firing))
		s.Note(heardAt(i, "undated", "", int64(i), incident.Firing))
	}
	if n := len(s.Entries()); n != 2*contentsKept {
		t.Errorf("%d contents of two occurrences are kept, want %d", n, 2*contentsKept)
	}
	for i := range 300 {
		s.Note(heardAt(i, fmt.Sprint(i), "0", 1, incident.Firing))
	}
	s.Keep(100)
	if len(s.Entries()) != 100 || len(s.exact) != 100 || len(s.contents) != 100 || len(s.undated) != 0 {
		t.Errorf("%d entries are kept, %d, %d and %d in the indexes", len(s.Entries()), len(s.exact), len(s.contents), len(s.undated))
	}
	if got := s.Judge(heardAt(400, "299", "0", 1, incident.Firing), time.Time{}); got != Same {
		t.Errorf("the last is %d", got)
	}
	if got := s.Judge(heardAt(400, "0", "0", 1, incident.Firing), time.Time{}); got != Another {
		t.Errorf("the first is %d", got)
	}
}

// What two cases remember is put together: an entry counts once, whatever kind it
// is of, and invalid entries are left out.
func TestWhatIsRememberedElsewhereIsAdded(t *testing.T) {
	dated, undated, over := heardAt(0, "a", "0", 1, incident.Firing), heardAt(0, "b", "", 1, incident.Firing), heardAt(0, "c", "", 1, incident.Resolved)
	old, closed := heardAt(0, "d", "", 1, incident.Firing), heardAt(0, "e", "", 1, incident.Firing)
	old.Prints, closed.Prints = nil, nil
	before := NewSeen(nil)
	before.Note(closed)
	before.Closed(dawn())
	for _, a := range []incident.Alert{dated, undated, over, old} {
		before.Note(a)
	}
	entries := slices.Clone(before.Entries())
	if len(entries) != 5 {
		t.Fatalf("5 alerts are remembered as %v", entries)
	}
	s := NewSeen(entries)
	if n := s.Add(entries); n != 0 || len(s.Entries()) != 5 {
		t.Errorf("%d of the same entries are new, %d are kept", n, len(s.Entries()))
	}
	for _, a := range []incident.Alert{dated, undated, over, old, closed} {
		if got := s.Judge(a, time.Time{}); got != Same {
			t.Errorf("%s is %d", a.ID, got)
		}
	}
	other := heardAt(0, "f", "0", 1, incident.Firing)
	torn := heardAt(0, "g", "0", 1, incident.Firing)
	if n := s.Add([]string{entries[0], other.Prints[0] + other.Prints[1], "short", entries[4] + "x", torn.Prints[0] + torn.Prints[1] + "?1"}); n != 1 {
		t.Errorf("%d entries are new, want 1: %v", n, s.Entries())
	}
	if got := s.Judge(other, time.Time{}); got != Same {
		t.Errorf("what was added is %d", got)
	}
	torn.Prints = nil
	if got := s.Judge(torn, time.Time{}); got != Another {
		t.Errorf("what was never heard is %d", got)
	}
}

// An alert that does not say when it happened is over when it was resolved, by whomever
// that was heard; the others are not.
func TestAnUndatedAlertIsOver(t *testing.T) {
	a, b, dated := heardAt(3, "a", "", 1, incident.Firing), heardAt(4, "b", "", 1, incident.Firing), heardAt(5, "c", "5", 1, incident.Firing)
	s := NewSeen(nil)
	for _, one := range []incident.Alert{a, b, dated} {
		s.Note(one)
	}
	if at, ok := s.Received(a); !ok || !at.Equal(a.ReceivedAt) {
		t.Errorf("a was received %s, %t", at, ok)
	}
	for _, none := range []incident.Alert{dated, heardAt(3, "d", "", 1, incident.Firing), {ID: "a", Source: "siem"}} {
		if at, ok := s.Received(none); ok {
			t.Errorf("%s was received at %s", none.ID, at)
		}
	}
	s.End(a)
	s.End(dated)
	for one, want := range map[*incident.Alert]Heard{&a: Another, &b: Same, &dated: Same} {
		if got := s.Judge(*one, time.Time{}); got != want {
			t.Errorf("%s is %d, want %d", one.ID, got, want)
		}
	}
}

// Of an alert of an earlier version it is known until when it was heard once its
// case has closed. The oldest is forgotten first, of every kind.
func TestWhatIsForgotten(t *testing.T) {
	old := heardAt(0, "a", "", 1, incident.Firing)
	old.Prints = nil
	s := NewSeen(nil)
	s.Note(old)
	again := heardAt(1, "a", "", 1, incident.Firing)
	if !s.Before(again) || s.Before(heardAt(1, "b", "", 1, incident.Firing)) {
		t.Errorf("heard before: %t, and the other %t", s.Before(again), s.Before(heardAt(1, "b", "", 1, incident.Firing)))
	}
	s.Closed(dawn())
	if s.Before(again) {
		t.Error("until when it was heard is known")
	}
	s.Note(heardAt(2, "c", "", 1, incident.Firing))
	s.Note(heardAt(3, "d", "0", 1, incident.Firing))
	s.Keep(3)
	if n := len(s.Entries()); n != 3 {
		t.Errorf("%d of 3 are kept", n)
	}
	s.Keep(1)
	if n := len(s.Entries()); n != 1 || len(s.before)+len(s.undated) != 0 || len(s.exact) != 1 {
		t.Errorf("%d entries are kept, in the indexes %d, %d and %d", n, len(s.before), len(s.undated), len(s.exact))
	}
	// Of one occurrence with many contents the oldest is.
	for i := range contentsKept + 1 {
		s.Note(heardAt(i, "chatty", "0", int64(i), incident.Firing))
	}
	for count, want := range map[int64]Heard{0: Newer, 1: Same, contentsKept: Same} {
		if got := s.Judge(heardAt(60, "chatty", "0", count, incident.Firing), time.Time{}); got != want {
			t.Errorf("content %d is %d, want %d", count, got, want)
		}
	}
	if got := s.Judge(heardAt(60, "d", "0", 1, incident.Firing), time.Time{}); got != Same {
		t.Errorf("the other occurrence is %d", got)
	}
}

func FuzzSeen(f *testing.F) {
	f.Add("0123456789abcdef")
	f.Add("0123456789abcdef<1")
	f.Add("0123456789abcdef0123456789abcdef@1")
	f.Fuzz(func(_ *testing.T, entry string) {
		s := NewSeen([]string{entry, entry})
		a := heardAt(0, "a", "", 1, incident.Firing)
		s.Judge(a, dawn())
		s.Note(a)
		s.Closed(dawn())
		s.Keep(0)
	})
}
