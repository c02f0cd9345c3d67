package sentinelone

import (
	"sync"
)

// tidying counts what is being ended in the background.
type tidying struct{ sync.WaitGroup }
