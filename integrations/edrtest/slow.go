package edrtest

import (
	"net/http"
	"sync"
	"time"
)

// Slow is a product that takes a while to answer. It counts the waves of calls: those
// that are under way together are one.
type Slow struct {
	next    http.Handler
	latency time.Duration

	mu              sync.Mutex
	underWay, waves int
}

// NewSlow puts a latency before a double.
func NewSlow(latency time.Duration, next http.Handler) *Slow {
	return &Slow{next: next, latency: latency}
}

// Waves returns how many waves of calls there were since it was asked last.
func (s *Slow) Waves() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.waves
	s.waves = 0
	return n
}

// ServeHTTP implements [http.Handler].
func (s *Slow) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	if s.underWay == 0 {
		s.waves++
	}
	s.underWay++
	s.mu.Unlock()
	select {
	case <-time.After(s.latency):
		s.next.ServeHTTP(w, r)
	case <-r.Context().Done():
	}
	s.mu.Lock()
	s.underWay--
	s.mu.Unlock()
}
