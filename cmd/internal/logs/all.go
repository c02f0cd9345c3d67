package logs

import (
	"io"
	"log/slog"
	"strings"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"google.golang.org/grpc/grpclog"
)

// TakeAll makes a logger that of everything in the process that has none of its
// own: slog's default, Go's log package, and the errors of gRPC and OpenTelemetry.
// OpenTelemetry's own log is off: it says how exporters are set up. A process calls
// it once, before it opens a connection.
func TakeAll(l *slog.Logger) {
	slog.SetDefault(l)
	otel.SetLogger(logr.Discard())
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { l.Warn("OpenTelemetry failed", "error", err) }))
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, connections{l}))
}

// connections gets the errors of gRPC's connections, a text each.
type connections struct{ log *slog.Logger }

// Write implements io.Writer.
func (c connections) Write(text []byte) (int, error) {
	c.log.Error("a connection of gRPC", "error", strings.TrimSpace(string(text)))
	return len(text), nil
}
