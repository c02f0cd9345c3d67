package bench

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// A request that is refused because the engine is busy is sent again, and
// counted; every other refusal ends the storm.
func TestTheStormIsSentAgain(t *testing.T) {
	t.Parallel()
	for status, again := range map[int]bool{http.StatusServiceUnavailable: true, http.StatusTooManyRequests: true, http.StatusForbidden: false} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			asked := 0
			receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				if asked++; asked == 1 {
					w.WriteHeader(status)
					return
				}
				w.WriteHeader(http.StatusAccepted)
			}))
			t.Cleanup(receiver.Close)
			s := Storm{Address: strings.TrimPrefix(receiver.URL, "http://"), Subjects: 1, Alerts: 3, Senders: 1}
			sent, err := s.Send(t.Context())
			if again && (err != nil || sent.Again != 1 || asked != 4) {
				t.Errorf("%d requests for 3 alerts, %d sent again: %v", asked, sent.Again, err)
			}
			if !again && err == nil {
				t.Error("the refusal was overlooked")
			}
		})
	}
}
