package tracing

import (
	"context"
	"crypto/rand"
	"crypto/sha256"

	"go.opentelemetry.io/otel/trace"
)

// placeKey is the key, in a context, of the place of a span in the run of its
// workflow.
type placeKey struct{}

// ids makes the ids of traces and spans. A span of a workflow gets the same one on
// every worker that goes on with the workflow: spans that were sent before have it
// for their parent.
type ids struct{}

// NewIDs implements sdktrace.IDGenerator.
func (ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	var traceID trace.TraceID
	sum := sumOf(ctx)
	copy(traceID[:], sum[8:])
	return traceID, spanID(sum)
}

// NewSpanID implements sdktrace.IDGenerator.
func (ids) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID { return spanID(sumOf(ctx)) }

func spanID(sum [sha256.Size]byte) (id trace.SpanID) {
	copy(id[:], sum[:])
	return id
}

// sumOf is the digest of the place that the context names, or chance.
func sumOf(ctx context.Context) (sum [sha256.Size]byte) {
	if place, ok := ctx.Value(placeKey{}).(string); ok {
		return sha256.Sum256([]byte(place))
	}
	_, _ = rand.Read(sum[:]) // It never fails.
	return sum
}
