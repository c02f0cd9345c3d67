// Package logs writes the log of a process: what Stanch, the engine and the
// engine's client say, in one format and with the same names of fields.
package logs

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
	"unicode"

	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/activity"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations"
)

// Format is how a line is written.
type Format string

// The formats.
const (
	JSON Format = "json"
	Text Format = "text"
)

// The fields that a line about a case can have.
const (
	fieldCase     = "case"
	fieldTrace    = "trace_id"
	fieldSpan     = "span_id"
	fieldWorkflow = "workflow_id"
	fieldRun      = "run_id"
	fieldActivity = "activity_type"
	fieldAttempt  = "attempt"
)

// ParseFormat reads a format.
func ParseFormat(text string) (Format, error) {
	switch f := Format(text); f {
	case JSON, Text:
		return f, nil
	default:
		return "", fmt.Errorf("invalid log format %q: must be one of json, text", text)
	}
}

// ParseLevel reads the least level that is logged.
func ParseLevel(text string) (slog.Level, error) {
	switch text {
	case "debug", "info", "warn", "error":
		var level slog.Level
		err := level.UnmarshalText([]byte(text))
		return level, err
	default:
		return 0, fmt.Errorf("invalid log level %q: must be one of debug, info, warn, error", text)
	}
}

// New returns a logger that writes lines of at least the level.
func New(w io.Writer, format Format, level slog.Leveler) *slog.Logger {
	o := &slog.HandlerOptions{Level: level}
	h := &handler{to: slog.NewJSONHandler(w, o), traces: &notes{}, cases: &notes{}}
	if format == Text {
		h.to = slog.NewTextHandler(w, o)
	}
	return slog.New(h)
}

// handler gives every line the same fields, whoever logs it: names in snake
// case, each once, and the case and the trace that the line is about.
type handler struct {
	to    slog.Handler
	attrs []slog.Attr
	group string
	// traces are those of runs, and cases those for which other workflows work: the
	// engine's client names run and workflow alone.
	traces, cases *notes
}

// Enabled implements slog.Handler, as do the methods below.
func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.to.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := fields{}
	with.attrs = append(with.attrs, h.attrs...)
	for _, a := range attrs {
		with.flatten(h.group, a)
	}
	return &handler{to: h.to, attrs: with.attrs, group: h.group, traces: h.traces, cases: h.cases}
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &handler{to: h.to, attrs: h.attrs, group: h.group + name + "_", traces: h.traces, cases: h.cases}
}

// Handle implements slog.Handler.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	var all fields
	all.attrs = append(all.attrs, h.attrs...)
	r.Attrs(func(a slog.Attr) bool {
		all.flatten(h.group, a)
		return true
	})
	all.attrs = append(all.attrs, ofContext(ctx)...)
	out := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	out.AddAttrs(h.once(all.attrs)...)
	return h.to.Handle(ctx, out)
}

// ofContext returns what the context of a line says of its case and trace.
func ofContext(ctx context.Context) []slog.Attr {
	var out []slog.Attr
	if id := integrations.CaseOf(ctx); id != "" {
		out = append(out, slog.String(fieldCase, id))
	}
	if activity.IsActivity(ctx) {
		info := activity.GetInfo(ctx)
		out = append(out, slog.String(fieldWorkflow, info.WorkflowExecution.ID), slog.String(fieldRun, info.WorkflowExecution.RunID),
			slog.String(fieldActivity, info.ActivityType.Name), slog.Int(fieldAttempt, int(info.Attempt)))
	}
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		out = append(out, slog.String(fieldTrace, span.TraceID().String()), slog.String(fieldSpan, span.SpanID().String()))
	}
	return out
}

// fields are those of one line, with their names as they are written.
type fields struct{ attrs []slog.Attr }

// flatten adds an attribute; those of a group become fields of their own.
func (f *fields) flatten(prefix string, a slog.Attr) {
	v := a.Value.Resolve()
	switch {
	case a.Equal(slog.Attr{}):
	case v.Kind() == slog.KindGroup:
		if a.Key != "" {
			prefix += a.Key + "_"
		}
		for _, in := range v.Group() {
			f.flatten(prefix, in)
		}
	default:
		f.attrs = append(f.attrs, slog.Attr{Key: nameOf(prefix + a.Key), Value: readable(v)})
	}
}

// once returns the fields, each name once: the first stays, for it is the more
// general one. The workflow names the case, a run its trace.
func (h *handler) once(attrs []slog.Attr) []slog.Attr {
	seen := map[string]bool{}
	var out []slog.Attr
	var of, run string
	for _, a := range attrs {
		if seen[a.Key] {
			continue
		}
		seen[a.Key] = true
		out = append(out, a)
		switch a.Key {
		case fieldRun:
			run = a.Value.String()
		case fieldWorkflow:
			of = cmp.Or(protocol.CaseID(a.Value.String()), h.cases.of(a.Value.String()))
		}
	}
	if of != "" && !seen[fieldCase] {
		out = append(out, slog.String(fieldCase, of))
	}
	if id := h.traces.of(run); id != "" && !seen[fieldTrace] {
		out = append(out, slog.String(fieldTrace, id))
	}
	return out
}

// readable returns a value as people read it: errors and durations as text.
func readable(v slog.Value) slog.Value {
	switch of := v.Any().(type) {
	case time.Duration:
		return slog.StringValue(of.String())
	case error:
		return slog.StringValue(of.Error())
	default:
		return v
	}
}

// nameOf is a field's name in snake case. The engine's client writes WorkflowID,
// the engine wf-id; both are workflow_id here. A name that the line itself has is
// no field's.
func nameOf(key string) string {
	name := snake(key)
	switch short, engine := strings.CutPrefix(name, "wf_"); {
	case engine && (short == "id" || short == "type"):
		return "workflow_" + short
	case engine:
		return short
	}
	switch name {
	case slog.TimeKey, slog.LevelKey, slog.MessageKey, slog.SourceKey:
		return name + "_value"
	}
	return name
}

func snake(key string) string {
	var b strings.Builder
	runes := []rune(key)
	for i, r := range runes {
		switch {
		case r == '-' || r == '.' || unicode.IsSpace(r):
			b.WriteByte('_')
		case unicode.IsUpper(r):
			follows := i > 0 && (unicode.IsLower(runes[i-1]) || unicode.IsDigit(runes[i-1]))
			begins := i > 0 && i+1 < len(runes) && unicode.IsUpper(runes[i-1]) && unicode.IsLower(runes[i+1])
			if follows || begins {
				b.WriteByte('_')
			}
			b.WriteRune(unicode.ToLower(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
