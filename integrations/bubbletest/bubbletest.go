// Package bubbletest runs tests in the fake time of testing/synctest.
package bubbletest

import (
	"runtime"
	"testing"
	"testing/synctest"
)

// Run runs f as [synctest.Test] does, on one processor, so it must not run
// beside parallel tests that measure. Two threads that receive from timers of one
// bubble share a context of the race detector, which then ends the process
// (https://go.dev/issue/78156).
func Run(t *testing.T, f func(*testing.T)) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, f)
}
