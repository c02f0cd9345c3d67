package service

import (
	"os"
	"runtime/debug"
)

// memoryGoal is the heap at which the collector works harder. What lives is far
// less; without a goal, a storm's garbage is left to grow to several times of
// it. GOMEMLIMIT in the environment overrides it.
const memoryGoal = 276 << 20

func limitMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryGoal)
	}
}
