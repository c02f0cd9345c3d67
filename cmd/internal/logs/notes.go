package logs

import (
	"log/slog"
	"sync"
)

// notesKept bounds what is noted; the oldest is forgotten.
const notesKept = 10_000

// notes are what is known of runs or workflows beside their lines.
type notes struct {
	mu     sync.Mutex
	values map[string]string
	oldest []string
}

// Note has the lines of a logger of [New] about a run name its trace.
func Note(l *slog.Logger, run, trace string) {
	if h, ok := l.Handler().(*handler); ok {
		h.traces.note(run, trace)
	}
}

func (n *notes) note(id, value string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.values == nil {
		n.values = map[string]string{}
	}
	if _, known := n.values[id]; !known {
		n.oldest = append(n.oldest, id)
	}
	n.values[id] = value
	if len(n.oldest) > notesKept {
		delete(n.values, n.oldest[0])
		n.oldest = n.oldest[1:]
	}
}

// of returns what was noted; it is empty where nothing was.
func (n *notes) of(id string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.values[id]
}
