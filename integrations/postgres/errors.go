package postgres

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/stanch-soar/stanch/integrations"
)

// failed tells what went wrong by PostgreSQL's own classes of errors.
func failed(ctx context.Context, op string, err error) error {
	if e, ok := errors.AsType[*integrations.Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return integrations.Errorf(kindOf(e.Code), op, "the server says %s (%s)", e.Message, e.Code)
	}
	if ctx.Err() != nil {
		return integrations.Errorf(integrations.Unavailable, op, "%w", context.Cause(ctx))
	}
	// A complaint about the connection names address, user and database, which
	// are none of a secret, and never the password.
	return integrations.Errorf(integrations.Unavailable, op, "%w", err)
}

// kindOf returns the kind of a SQLSTATE.
func kindOf(code string) integrations.Kind {
	switch {
	case strings.HasPrefix(code, "28"), code == "42501": // no such role, wrong password, no right
		return integrations.Denied
	case strings.HasPrefix(code, "42"), strings.HasPrefix(code, "22"), strings.HasPrefix(code, "3D"): // no such column, bad value, no such database
		return integrations.Invalid
	default: // no connection left, statement timeout, shutdown
		return integrations.Unavailable
	}
}
