package nfdump

import (
	"testing"
	"time"
)

// TestTimesAreWhole has a record begin and end between two seconds: both are read to the
// millisecond, and so is how fresh the store is.
func TestTimesAreWhole(t *testing.T) {
	folder := t.TempDir()
	r := sent(-5*time.Minute+123*time.Millisecond, ownHost, "198.51.100.1", 443, 7000)
	r.Duration = 2*time.Second + 838*time.Millisecond
	stored(t, folder, r)
	got := traffic(t, openFolder(t, folder))
	if len(got.Sample) != 1 || !got.Sample[0].Start.Equal(r.Start) || got.Sample[0].Duration != r.Duration {
		t.Errorf("the flow is %+v, want it from %s for %s", got.Sample, r.Start, r.Duration)
	}
	if newest, _ := got.Freshness.Get(); !newest.Equal(r.Start.Add(r.Duration)) {
		t.Errorf("the newest record is of %v, want %s", got.Freshness, r.Start.Add(r.Duration))
	}
}

func TestInstant(t *testing.T) {
	for text, want := range map[string]time.Time{
		"2026-03-02 12:00:05.361": noon().Add(5361 * time.Millisecond),
		"2026-03-02 12:00:05.007": noon().Add(5007 * time.Millisecond),
		"1970-01-01 00:00:00.000": time.Unix(0, 0),
		"0000-00-00 00:00:00.000": time.Unix(0, 0),
	} {
		var n counts
		if got := n.instant([]byte(text)); n.err != nil || !got.Equal(want) {
			t.Errorf("%q is %s, %v, want %s", text, got, n.err, want)
		}
	}
	for _, text := range []string{"", "1772452805.361", "2026-03-02 12:00:05", "2026-02-30 12:00:05.361", "2026-03-02 12:00:05.361 "} {
		var n counts
		if got := n.instant([]byte(text)); n.err == nil {
			t.Errorf("%q is %s", text, got)
		}
	}
}
