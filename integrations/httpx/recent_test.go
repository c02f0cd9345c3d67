package httpx

import (
	"slices"
	"testing"
	"time"
)

// An order counts for ten minutes, and is forgotten then.
func TestRecent(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	var r Recent[string]
	r.Add("a1", now)
	r.Add("b1", now.Add(time.Minute))
	r.Add("a2", now.Add(2*time.Minute))
	ofA := func(o string) bool { return o[0] == 'a' }
	for after, want := range map[time.Duration][]string{
		2 * time.Minute: {"a1", "a2"}, 10*time.Minute - 1: {"a1", "a2"}, 10 * time.Minute: {"a2"}, 12 * time.Minute: nil,
	} {
		if got := r.At(now.Add(after), ofA); !slices.Equal(got, want) {
			t.Errorf("after %s there are %v, want %v", after, got, want)
		}
	}
	r.Add("a3", now.Add(11*time.Minute))
	if n := len(r.kept); n != 2 {
		t.Errorf("%d orders are kept, want 2", n)
	}
}
