package integrations

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Kind is what went wrong, from a closed set. Everybody switches on kinds;
// no caller compares error text.
type Kind string

// The closed set of kinds.
const (
	NotFound    Kind = "not_found"   // no such device, asset or object
	Denied      Kind = "denied"      // credentials or permissions
	Invalid     Kind = "invalid"     // the request itself is wrong
	Conflict    Kind = "conflict"    // another operation is running on the object
	Throttled   Kind = "throttled"   // come back after After
	Unavailable Kind = "unavailable" // no change was made; may be tried again
	Ambiguous   Kind = "ambiguous"   // a write may have been done: read back first
)

// Kinds lists all kinds.
func Kinds() []Kind {
	return []Kind{NotFound, Denied, Invalid, Conflict, Throttled, Unavailable, Ambiguous}
}

// Retryable reports whether the same request may succeed later.
func (k Kind) Retryable() bool {
	switch k {
	case Throttled, Unavailable, Ambiguous, Conflict:
		return true
	case NotFound, Denied, Invalid:
		return false
	}
	return true
}

// Error is the error of every capability. Its text must not contain a secret.
type Error struct {
	Kind Kind
	// Op names the operation: "read isolation of ws-042".
	Op string
	// After is how long to wait until the next try, of a product that asked for it or
	// that is not asked for a while; 0 is not known.
	After time.Duration
	// Words are for people, where the error is of our own making: no text of a product.
	// They stay the same while the reason does.
	Words string
	Err   error
}

// Error is the text. The name of a host is part of it, and stays on its line.
func (e *Error) Error() string {
	op := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, e.Op)
	if e.Err == nil {
		return fmt.Sprintf("%s: %s", op, e.Kind)
	}
	return fmt.Sprintf("%s: %s: %v", op, e.Kind, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an error of a kind.
func Errorf(kind Kind, op, format string, args ...any) *Error {
	return &Error{Kind: kind, Op: op, Err: fmt.Errorf(format, args...)}
}

// Refuse returns an error of a kind whose text is for people, too: it must be of our own
// making.
func Refuse(kind Kind, op, format string, args ...any) *Error {
	err := Errorf(kind, op, format, args...)
	err.Words = err.Err.Error()
	return err
}

// KindOf returns the kind of an error; one of another type is
// unavailable.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Unavailable
}
