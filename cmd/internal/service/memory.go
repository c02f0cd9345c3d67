package service

import (
	"os"
	"runtime/debug"
)

// memoryLimit is the runtime's soft memory limit, in bytes, where GOMEMLIMIT in
// the environment sets none. The garbage collector runs more often as the heap
// approaches it: without a limit a storm's garbage grows the process to several
// times what is in use.
const memoryLimit = 276 << 20

func limitMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
}
