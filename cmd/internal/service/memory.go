package service

import (
	"os"
	"runtime/debug"
)

// limitMemory sets the runtime's soft memory limit, in bytes, where GOMEMLIMIT in the
// environment sets none. The garbage collector runs more often as the heap
// approaches it: without a limit a storm's garbage grows the process to several
// times what is in use.
func limitMemory(limit int64) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit)
	}
}
