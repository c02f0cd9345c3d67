package httpapi

import (
	"net/http"
	"testing"
)

func TestTheRoomForWork(t *testing.T) {
	w := newWork(16 * requestBytes)
	var releases []func()
	take := func(source string, body int) int {
		release, p := w.take(source, body)
		releases = append(releases, release)
		if p == nil {
			return http.StatusOK
		}
		if p.retry == 0 {
			t.Errorf("%d without a time", p.status)
		}
		return p.status
	}
	for i := range 12 {
		if got := take("flood", 0); got != http.StatusOK {
			t.Fatalf("request %d: %d", i, got)
		}
	}
	if got := take("flood", 0); got != http.StatusTooManyRequests {
		t.Errorf("beyond its share: %d", got)
	}
	for range 4 {
		if got := take("quiet", 0); got != http.StatusOK {
			t.Errorf("the others: %d", got)
		}
	}
	if got := take("third", 0); got != http.StatusServiceUnavailable {
		t.Errorf("where there is no room: %d", got)
	}
	for _, release := range releases {
		release()
		release()
	}
	if w.taken != 0 || len(w.by) != 0 {
		t.Errorf("%d are taken, by %v", w.taken, w.by)
	}
	// The largest takes the share, whatever its size.
	if got := take("large", 64<<20); got != http.StatusOK || w.taken != 12*requestBytes {
		t.Errorf("the largest: %d, which takes %d", got, w.taken)
	}
}
