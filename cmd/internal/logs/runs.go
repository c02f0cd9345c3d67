package logs

import (
	"log/slog"
	"sync"
)

// runsKept bounds the runs whose trace is known; the oldest are forgotten.
const runsKept = 10_000

// runs has the traces of the runs of workflows.
type runs struct {
	mu     sync.Mutex
	traces map[string]string
	oldest []string
}

// Note has the lines of a logger of [New] about a run name its trace.
func Note(l *slog.Logger, run, trace string) {
	if h, ok := l.Handler().(*handler); ok {
		h.runs.note(run, trace)
	}
}

func (r *runs) note(run, trace string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.traces == nil {
		r.traces = map[string]string{}
	}
	if _, known := r.traces[run]; !known {
		r.oldest = append(r.oldest, run)
	}
	r.traces[run] = trace
	if len(r.oldest) > runsKept {
		delete(r.traces, r.oldest[0])
		r.oldest = r.oldest[1:]
	}
}

// traceOf returns the trace of a run; it is empty where it is not known.
func (r *runs) traceOf(run string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.traces[run]
}
