package crowdstrike

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
)

// A target that is not one device of Falcon's is refused by every operation before
// anything is sent.
func TestTargetsAreOneDevice(t *testing.T) {
	for name, id := range map[string]string{
		"none": "", "all": "all", "an asterisk": "*", "two": aid + "," + aid, "two with a blank": aid + " " + aid,
		"a part": aid[:31], "too much": aid + "a", "an array": `["` + aid + `"]`, "a filter": "' OR '1'='1", "no hexadecimal": strings.Repeat("g", 32),
		"a path": "../" + aid[:29],
	} {
		t.Run(name, func(t *testing.T) {
			f, r := falcon(t, nil)
			o := isolation(t, id)
			now := time.Now()
			for op, do := range map[string]func(context.Context) error{
				"read":  func(ctx context.Context) error { _, err := f.Read(ctx, o); return err },
				"apply": func(ctx context.Context) error { _, err := f.Apply(ctx, o); return err },
				"undo":  func(ctx context.Context) error { _, err := f.Undo(ctx, o); return err },
				"connections": func(ctx context.Context) error {
					_, err := f.Connections(ctx, integrations.ConnectionQuery{Target: o.Target, From: now.Add(-time.Hour), To: now, Limit: 1})
					return err
				},
				"executions": func(ctx context.Context) error {
					_, err := f.Executions(ctx, integrations.ExecutionQuery{Target: o.Target, From: now.Add(-time.Hour), To: now, Limit: 1})
					return err
				},
				"collect": func(ctx context.Context) error {
					_, err := f.Collect(ctx, integrations.CollectOrder{Key: "k", Target: o.Target, What: []string{"processes"}})
					return err
				},
				"kill": func(ctx context.Context) error {
					_, err := f.Kill(ctx, integrations.KillOrder{Key: "k", Target: o.Target, PID: 4, Path: `C:\a.exe`})
					return err
				},
				"run": func(ctx context.Context) error {
					_, err := f.Run(ctx, integrations.ScriptOrder{Key: "k", Target: o.Target, Script: "limit"})
					return err
				},
				"ran": func(ctx context.Context) error {
					_, err := f.Ran(ctx, integrations.ScriptOrder{Key: "k", Target: o.Target, Script: "limit"})
					return err
				},
			} {
				if err := do(t.Context()); integrations.KindOf(err) != integrations.Invalid {
					t.Errorf("%s: %v, want an invalid error", op, err)
				}
			}
			if asked := r.requests(); len(asked) > 0 {
				t.Errorf("%d requests were sent: %+v", len(asked), asked)
			}
		})
	}
}

func TestErrorsInsideAnAnswer(t *testing.T) {
	for _, test := range []struct {
		name, body string
		write      bool
		want       integrations.Kind
	}{
		{"denied", `{"errors":[{"code":403,"message":"access denied, authorization failed"}],"resources":null}`, false, integrations.Denied},
		{"denied, a write", `{"errors":[{"code":403,"message":"access denied"}]}`, true, integrations.Denied},
		{"a code in quotes", `{"errors":[{"code":"404","message":"gone"}],"resources":[]}`, false, integrations.NotFound},
		{"a longer code", `{"errors":[{"code":40401,"message":"Could not establish sensor comms"}],"resources":[]}`, false, integrations.NotFound},
		{"a conflict", `{"errors":[{"code":409,"message":"busy"}],"resources":[]}`, true, integrations.Conflict},
		{"no code, a read", `{"errors":[{"message":"Some error"}],"resources":[]}`, false, integrations.Unavailable},
		{"no code, a write", `{"errors":[{"message":"Some error"}],"resources":[{"id":"` + aid + `"}]}`, true, integrations.Ambiguous},
		{"a failure, a write", `{"errors":[{"code":500,"message":"internal"}],"resources":[]}`, true, integrations.Ambiguous},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, _ := falcon(t, map[string][]reply{"POST /x": {{202, test.body}}})
			_, err := ask[acted](t.Context(), f, call{op: "try", method: "POST", path: "/x", body: struct{}{}, write: test.write})
			if err == nil || integrations.KindOf(err) != test.want {
				t.Errorf("the error is %v, want kind %s", err, test.want)
			}
		})
	}
}

// What Falcon says with a refusal is told, with its trace, and within bounds.
func TestRefusalsSayWhy(t *testing.T) {
	f, _ := falcon(t, map[string][]reply{"GET " + devicePath: {{403, `{"meta":{"trace_id":"9ad1-77"},"errors":[{"code":403,"message":"scope not permitted ` + strings.Repeat("x", 5000) + `"}]}`}}})
	_, err := f.Read(t.Context(), isolation(t, aid))
	e, ok := errors.AsType[*integrations.Error](err)
	if !ok || e.Kind != integrations.Denied || !strings.Contains(err.Error(), "scope not permitted") || !strings.Contains(err.Error(), "trace 9ad1-77") || len(err.Error()) > 600 {
		t.Errorf("the error is %v", err)
	}
	if strings.Contains(err.Error(), "hush-hush") || strings.Contains(err.Error(), "token") {
		t.Errorf("the error shows a secret: %v", err)
	}
}

// What goes into a path or a query is an id that cannot lead elsewhere.
func TestHandles(t *testing.T) {
	for text, want := range map[string]bool{
		"P1-a_b.c": true, "4f9e77a0-1c2d-4e5f-8a9b-0c1d2e3f4a5b": true, "": false, ".": false, "..": false, "a/b": false, "a?b": false, "a b": false, "ä": false,
		strings.Repeat("a", 201): false,
	} {
		if got := handle(text); got != want {
			t.Errorf("%q can be an id: %t, want %t", text, got, want)
		}
	}
}
