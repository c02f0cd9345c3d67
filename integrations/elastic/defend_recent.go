package elastic

import (
	"sync"
	"time"
)

// remembered is how long an action that was accepted counts, though the list does not show
// it: whether it does so at once is not documented.
const remembered = 10 * time.Minute

// recent are the actions that this process ordered a moment ago.
type recent struct {
	mu      sync.Mutex
	actions []action
}

func (r *recent) add(a action, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := r.actions[:0]
	for _, other := range r.actions {
		if now.Sub(other.taken) < remembered {
			kept = append(kept, other)
		}
	}
	a.taken = now
	r.actions = append(kept, a)
}

// missing are those on a device that a list lacks.
func (r *recent) missing(id agentID, list []action, now time.Time) []action {
	listed := map[string]bool{}
	for _, a := range list {
		listed[a.ID] = true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []action
	for _, a := range r.actions {
		if a.on(id) && !listed[a.ID] && now.Sub(a.taken) < remembered {
			out = append(out, a)
		}
	}
	return out
}
