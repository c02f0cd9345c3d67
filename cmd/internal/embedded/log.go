//go:build !no_embedded

package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"

	"go.temporal.io/server/common/log/tag"
)

// logger passes the server's log to slog.
type logger struct {
	to    *slog.Logger
	least slog.Leveler
	fatal chan error
	// closing drops warnings: services that stop log errors about each other.
	closing atomic.Bool
}

func newLogger(to *slog.Logger, least slog.Leveler) *logger {
	return &logger{to: to.With("component", "engine"), least: least, fatal: make(chan error, 1)}
}

// Debug implements the server's log.Logger, as do the methods below.
func (l *logger) Debug(msg string, tags ...tag.Tag) { l.log(slog.LevelDebug, msg, tags) }

// Info implements the server's log.Logger.
func (l *logger) Info(msg string, tags ...tag.Tag) { l.log(slog.LevelInfo, msg, tags) }

// Warn implements the server's log.Logger. The missing HTTP API is intended.
func (l *logger) Warn(msg string, tags ...tag.Tag) {
	if !l.closing.Load() && !strings.HasPrefix(msg, "HTTP API port has not been set") {
		l.log(slog.LevelWarn, msg, tags)
	}
}

// Error implements the server's log.Logger.
func (l *logger) Error(msg string, tags ...tag.Tag) { l.log(slog.LevelError, msg, tags) }

// DPanic reports a state that the server holds impossible and survives.
func (l *logger) DPanic(msg string, tags ...tag.Tag) { l.log(slog.LevelError, msg, tags) }

// Panic must not return.
func (l *logger) Panic(msg string, tags ...tag.Tag) { l.Fatal(msg, tags...) }

// Fatal must not return. It ends only the goroutine that found the fault:
// the server must not decide whether the process ends.
func (l *logger) Fatal(msg string, tags ...tag.Tag) {
	l.log(slog.LevelError, msg, tags)
	select {
	case l.fatal <- fmt.Errorf("%s%s", msg, cause(tags)):
	default:
	}
	runtime.Goexit()
}

func (l *logger) log(level slog.Level, msg string, tags []tag.Tag) {
	if level < l.least.Level() {
		return
	}
	attrs := make([]slog.Attr, 0, len(tags))
	for _, t := range tags {
		attrs = append(attrs, slog.Any(t.Key(), t.Value()))
	}
	l.to.LogAttrs(context.Background(), level, msg, attrs...)
}

// cause is the error among the tags, as the end of a sentence.
func cause(tags []tag.Tag) string {
	for _, t := range tags {
		if t.Key() == "error" {
			return fmt.Sprintf(": %v", t.Value())
		}
	}
	return ""
}
