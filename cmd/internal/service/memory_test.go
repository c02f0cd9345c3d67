package service

import (
	"runtime/debug"
	"testing"
)

// The configuration limits the heap, unless the environment does.
func TestTheHeapIsLimited(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	t.Setenv("GOMEMLIMIT", "")
	limitMemory(200 << 20)
	if got := debug.SetMemoryLimit(-1); got != 200<<20 {
		t.Errorf("the limit is %d bytes", got)
	}
	t.Setenv("GOMEMLIMIT", "1GiB")
	limitMemory(300 << 20)
	if got := debug.SetMemoryLimit(-1); got != 200<<20 {
		t.Errorf("with GOMEMLIMIT the limit is %d bytes", got)
	}
}
