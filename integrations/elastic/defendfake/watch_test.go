package defendfake_test

import (
	"sync"
	"testing"
)

// watch is a test whose complaints are counted instead of failing it.
type watch struct {
	testing.TB
	mu    sync.Mutex
	count int
}

func (w *watch) Errorf(string, ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count++
}

func (w *watch) complaints() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count
}
