package clickhouse

import (
	"context"
	"errors"
	"strings"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/stanch-soar/stanch/integrations"
)

// failed tells what went wrong by ClickHouse's own codes.
func failed(ctx context.Context, op string, err error) error {
	if e, ok := errors.AsType[*integrations.Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*driver.Exception](err); ok {
		// The message may quote the question; its first line says what is wrong.
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
	return integrations.Errorf(integrations.Unavailable, op, "%w", err)
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
