//go:build no_embedded

package embedded

import (
	"context"
	"errors"
)

// Start fails: this build was made without the server.
func Start(context.Context, Options) (*Server, error) {
	return nil, errors.New("this build has no embedded engine: set temporal.address")
}
