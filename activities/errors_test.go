package activities

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
)

// Every kind of fault crosses the engine as itself, is tried again exactly
// where that can help, and is reported to people without the product's text.
func TestEveryKindCrossesTheEngine(t *testing.T) {
	words := map[integrations.Kind]string{
		integrations.NotFound: "not found", integrations.Denied: "access denied", integrations.Invalid: "it refused the request",
		integrations.Conflict: "busy with something else on it", integrations.Throttled: "too many requests",
		integrations.Unavailable: "unavailable", integrations.Ambiguous: "no clear answer",
	}
	for _, kind := range integrations.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			cause := integrations.Errorf(kind, "read ws-042", "the product says <script>")
			cause.After = 7 * time.Second
			err := mapError(fmt.Errorf("wrapped: %w", cause))
			application, ok := errors.AsType[*temporal.ApplicationError](err)
			if !ok || application.Type() != string(kind) || application.NonRetryable() == kind.Retryable() || application.NextRetryDelay() != 7*time.Second {
				t.Fatalf("mapped to %#v", err)
			}
			if got, known := ErrorKind(err); got != kind || !known {
				t.Errorf("read back as %q, %v", got, known)
			}
			if got := Reason(err); got != words[kind] {
				t.Errorf("people read %q, want %q", got, words[kind])
			}
			late := temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE, err)
			if got := Reason(late); got != "timed out, "+words[kind] {
				t.Errorf("after the time limit people read %q", got)
			}
		})
	}
}

func TestErrorsOfNoKind(t *testing.T) {
	if mapError(nil) != nil {
		t.Error("no error became one")
	}
	if err := mapError(context.Canceled); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancellation became %v", err)
	}
	if kind, _ := ErrorKind(mapError(errors.New("disk full"))); kind != integrations.Unavailable {
		t.Errorf("an error of no kind is %q, want one that is tried again", kind)
	}
	if kind, known := ErrorKind(errors.New("plain")); known {
		t.Errorf("a plain error has kind %q", kind)
	}
	if got := Reason(errors.New("secret detail")); got != "no answer" {
		t.Errorf("people read %q", got)
	}
	if got := Reason(temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_START_TO_CLOSE, nil)); got != "timed out" {
		t.Errorf("people read %q", got)
	}
}

// The answer of another workflow stays what it is, however it was wrapped: it
// must not be tried again for want of a kind.
func TestAnAnswerOfAWorkflowStaysAsItIs(t *testing.T) {
	answer := temporal.NewNonRetryableApplicationError("isolate of ws-042: denied", string(integrations.Denied), nil, "access denied")
	got := mapError(fmt.Errorf("update hold of lease/x: %w", answer))
	if application, ok := got.(*temporal.ApplicationError); !ok || application.Type() != string(integrations.Denied) || !application.NonRetryable() { //nolint:errorlint // The outermost error is meant.
		t.Errorf("mapped to %#v", got)
	}
	if Reason(got) != "access denied" {
		t.Errorf("people read %q", Reason(got))
	}
}

func TestWhatIsConfiguredWronglyIsSaidInWords(t *testing.T) {
	estate, err := memory.New(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	a := &Activities{Set: integrations.NewSet()}
	a.Set.Add("clock", integrations.Spec{Kind: "sundial"}, struct{}{})
	a.Set.Add("edr", integrations.Spec{Kind: "memory"}, estate)
	for name, want := range map[string]string{
		"edr":     "",
		"gateway": `no integration "gateway" is configured`,
		"clock":   `integration "clock" is of kind sundial, which cannot do that`,
	} {
		_, err := use[integrations.Enforcer](a, name)
		if want == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		mapped := mapError(err)
		if got := Reason(mapped); got != want {
			t.Errorf("%s: people read %q, want %q", name, got, want)
		}
		if kind, _ := ErrorKind(mapped); kind != integrations.Invalid || strings.Contains(Reason(mapped), "use "+name) {
			t.Errorf("%s: kind %q", name, kind)
		}
	}
}

// A call that was not made says so on the case, in words of ours, and the engine comes back
// when it may be made.
func TestWhatWasNotAskedIsSaidInWords(t *testing.T) {
	cause := integrations.Errorf(integrations.Unavailable, "isolate", "https://edr.example: refused hunter2")
	cause.Words, cause.After = "not asked: it failed 5 times in a row", 7*time.Second
	mapped := mapError(fmt.Errorf("wrapped: %w", cause))
	e, ok := errors.AsType[*temporal.ApplicationError](mapped)
	if !ok || e.NonRetryable() || e.NextRetryDelay() != 7*time.Second {
		t.Fatalf("the engine is told %v", mapped)
	}
	if got := Reason(mapped); got != cause.Words {
		t.Errorf("the case says %q, want %q", got, cause.Words)
	}
	if kind, ok := ErrorKind(mapped); !ok || kind != integrations.Unavailable {
		t.Errorf("the kind is %q", kind)
	}
}
