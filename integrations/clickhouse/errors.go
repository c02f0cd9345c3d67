package clickhouse

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/stanch-soar/stanch/integrations"
)

// failed returns an error of the kind that ClickHouse's error code stands for.
func failed(ctx context.Context, op string, err error) error {
	if e, ok := errors.AsType[*integrations.Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*driver.Exception](err); ok {
		// The message may quote the query; its first line says what is wrong.
		text, _, _ := strings.Cut(e.Message, "\n")
		const most = 300
		if len(text) > most {
			text = text[:most] + "…"
		}
		return integrations.Errorf(kindOf(e.Code), op, "the server says %s (%d)", text, e.Code)
	}
	if ctx.Err() != nil {
		return integrations.Errorf(integrations.Unavailable, op, "%w", context.Cause(ctx))
	}
	if cure := cureOf(err); cure != "" {
		return integrations.Errorf(integrations.Unavailable, op, "%s (%w)", cure, err)
	}
	return integrations.Errorf(integrations.Unavailable, op, "%w", err)
}

// cureOf returns what to change where the connection was made but the two ends
// speak different protocols, else nothing. The driver has no errors of its own
// for this.
func cureOf(err error) string {
	const native = "9000, or 9440 with tls: true"
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "the port in address does not speak TLS: write that of the native protocol with TLS, 9440, or tls: false"
	}
	said := err.Error()
	switch {
	case strings.Contains(said, "unexpected packet [72]"): // the H of HTTP
		return "the port in address speaks HTTP: write that of the native protocol, " + native
	case strings.Contains(said, "unexpected packet [21]"): // an alert of TLS
		return "the port in address speaks TLS: write tls: true"
	case strings.Contains(said, "handshake:"):
		return "the server does not greet: check that the user may use the database, and that the port in address is that of the native protocol (" +
			native + "), not that of HTTP (8123)"
	default:
		return ""
	}
}

// kindOf returns the kind of an error code.
func kindOf(code int32) integrations.Kind {
	switch code {
	case 192, 193, 194, 195, 291, 497, 516: // unknown user, wrong password, address not allowed, no right to the database, access denied
		return integrations.Denied
	case 36, 43, 46, 47, 48, 60, 62, 81, 158, 396: // bad arguments, no such function, column, table or database, too many rows
		return integrations.Invalid
	default: // too many queries, timeout, memory, network
		return integrations.Unavailable
	}
}
