package httpx

import (
	"slices"
	"sync"
	"time"
)

// remembered is how long an order that was accepted counts, though the product's list does
// not show it: whether one does so at once is not documented.
const remembered = 10 * time.Minute

// Recent are the orders that this process gave a moment ago. The zero value is ready, and
// safe for concurrent use.
type Recent[Order any] struct {
	mu   sync.Mutex
	kept []given[Order]
}

type given[Order any] struct {
	order Order
	at    time.Time
}

// Add keeps an order that was accepted now.
func (r *Recent[Order]) Add(o Order, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = append(slices.DeleteFunc(r.kept, func(g given[Order]) bool { return now.Sub(g.at) >= remembered }), given[Order]{o, now})
}

// At returns those of the orders that were given a moment before now, the oldest first.
func (r *Recent[Order]) At(now time.Time, of func(Order) bool) []Order {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []Order
	for _, g := range r.kept {
		if now.Sub(g.at) < remembered && of(g.order) {
			all = append(all, g.order)
		}
	}
	return all
}
