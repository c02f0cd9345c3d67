//go:build !unix

package bench

import (
	"errors"
	"time"
)

func processorTime() (time.Duration, error) {
	return 0, errors.New("read the process's processor time: the system does not report it")
}
