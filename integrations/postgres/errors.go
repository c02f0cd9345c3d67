package postgres

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/stanch-soar/stanch/integrations"
)

// failed returns an error of the kind that PostgreSQL's error class stands for.
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
	// An error of the connection names address, user and database, which are not
	// secret, and never the password.
	if cure := cureOf(err); cure != "" {
		return integrations.Errorf(integrations.Unavailable, op, "%s (%w)", cure, err)
	}
	return integrations.Errorf(integrations.Unavailable, op, "%w", err)
}

// cureOf returns what to change where the connection was made but the two ends
// speak different protocols, else nothing. The driver has no errors of its own
// for this.
func cureOf(err error) string {
	switch said := err.Error(); {
	case strings.Contains(said, "server refused TLS connection"):
		return "the server has no TLS at this port: switch it on there (ssl = on), or write tls: disable (sslmode=disable in a dsn) where no one else can read the connection"
	case strings.Contains(said, "tls error: EOF"), strings.Contains(said, "failed to receive message"):
		return "what listens at this port does not greet as PostgreSQL does: check host and port (5432), and that the server takes connections from this machine"
	default:
		return ""
	}
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
