//go:build no_embedded

package embedded

import (
	"context"
	"errors"
	"time"
)

// BuiltIn reports whether the server is part of this build.
const BuiltIn = false

// Start fails: this build was made without the server.
func Start(context.Context, Options) (*Server, error) {
	return nil, errAbsent
}

// StartStock fails: this build was made without the server.
func StartStock(context.Context, Options) (*Server, error) {
	return nil, errAbsent
}

// SyncTime fails: this build was made without the server.
func SyncTime(string, int) (time.Duration, error) { return 0, errAbsent }

// Snapshot fails: this build was made without the server.
func Snapshot(_, _ string) error { return errAbsent }

var errAbsent = errors.New("this build has no embedded engine: set temporal.address")
