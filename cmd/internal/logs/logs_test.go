package logs_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/stanch-soar/stanch/cmd/internal/logs"
	"github.com/stanch-soar/stanch/integrations"
)

// line reads the one line that was written.
func line(t *testing.T, text string) map[string]any {
	t.Helper()
	if strings.Count(text, "\n") != 1 {
		t.Fatalf("%d lines, want one: %q", strings.Count(text, "\n"), text)
	}
	d := json.NewDecoder(strings.NewReader(text))
	got := map[string]any{}
	if err := d.Decode(&got); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return got
}

// TestFieldsHaveOneName wants what our code, the engine and its client write
// under the same names.
func TestFieldsHaveOneName(t *testing.T) {
	for name, tt := range map[string]struct {
		log  func(*slog.Logger)
		want map[string]any
	}{
		"the engine's client": {
			func(l *slog.Logger) {
				l.With("component", "temporal").Error("Activity error.", "WorkflowID", "case/pb/ws-042", "RunID", "r", "ActivityType", "apply", "Attempt", 2, "TraceID", "0af7")
			},
			map[string]any{"component": "temporal", "workflow_id": "case/pb/ws-042", "case": "pb/ws-042", "run_id": "r", "activity_type": "apply", "attempt": 2.0, "trace_id": "0af7"},
		},
		"the engine": {
			func(l *slog.Logger) {
				l.With("component", "engine").Error("x", "wf-id", "case/pb/ws-042", "wf-run-id", "r", "wf-type", "respond", "component", "history")
			},
			map[string]any{"component": "engine", "workflow_id": "case/pb/ws-042", "case": "pb/ws-042", "run_id": "r", "workflow_type": "respond"},
		},
		"a workflow that is no case": {
			func(l *slog.Logger) { l.Error("x", "WorkflowID", "lease/isolate/edr/d-1") },
			map[string]any{"workflow_id": "lease/isolate/edr/d-1"},
		},
		"errors, durations and secrets": {
			func(l *slog.Logger) {
				l.Error("x", "error", errors.New("two\nlines"), "after", 1500*time.Millisecond, "token", integrations.Secret("hunter2"))
			},
			map[string]any{"error": "two\nlines", "after": "1.5s", "token": "<redacted>"},
		},
		"names that the line has itself": {
			func(l *slog.Logger) { l.Error("x", "msg", "m", "Level", "l", "time", "t") },
			map[string]any{"msg_value": "m", "level_value": "l", "time_value": "t"},
		},
		"groups": {
			func(l *slog.Logger) { l.WithGroup("of").With("a", 1).Error("x", slog.Group("in", "b", 2)) },
			map[string]any{"of_a": 1.0, "of_in_b": 2.0},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var text bytes.Buffer
			tt.log(logs.New(&text, logs.JSON, slog.LevelInfo))
			got := line(t, text.String())
			for _, key := range []string{"time", "level", "msg"} {
				if _, ok := got[key]; !ok {
					t.Errorf("the line has no %s", key)
				}
				delete(got, key)
			}
			if !maps.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			for key := range tt.want {
				if n := strings.Count(text.String(), `"`+key+`":`); n != 1 {
					t.Errorf("%s stands %d times in %s", key, n, text.String())
				}
			}
		})
	}
}

func TestContextNamesCaseAndTrace(t *testing.T) {
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	ctx := integrations.ForCase(trace.ContextWithSpanContext(t.Context(), span), "pb/ws-042")
	var text bytes.Buffer
	logs.New(&text, logs.JSON, slog.LevelInfo).InfoContext(ctx, "x")
	got := line(t, text.String())
	for key, want := range map[string]string{"case": "pb/ws-042", "trace_id": span.TraceID().String(), "span_id": span.SpanID().String()} {
		if got[key] != want {
			t.Errorf("%s is %v, want %s", key, got[key], want)
		}
	}
}

func TestTextHasTheSameFields(t *testing.T) {
	var text bytes.Buffer
	l := logs.New(&text, logs.Text, slog.LevelWarn)
	l.Info("not wanted")
	l.Warn("x y", "WorkflowID", "case/pb/ws-042")
	if got := text.String(); !strings.Contains(got, `level=WARN msg="x y" workflow_id=case/pb/ws-042 case=pb/ws-042`) || strings.Contains(got, "not wanted") {
		t.Errorf("got %q", got)
	}
}

// TestRunNamesItsTrace wants the lines of the engine's client, which names the run
// alone, to have the trace; the oldest of many runs are forgotten.
func TestRunNamesItsTrace(t *testing.T) {
	var text bytes.Buffer
	l := logs.New(&text, logs.JSON, slog.LevelInfo)
	logs.Note(l, "run", "0af7")
	l.With("component", "temporal").Error("Activity error.", "RunID", "run")
	if got := line(t, text.String()); got["trace_id"] != "0af7" {
		t.Errorf("the trace is %v", got["trace_id"])
	}
	for i := range 20_000 {
		logs.Note(l, strconv.Itoa(i), "other")
	}
	text.Reset()
	l.Error("x", "RunID", "run")
	if got, ok := line(t, text.String())["trace_id"]; ok {
		t.Errorf("after 20,000 others its trace is %v", got)
	}
}
