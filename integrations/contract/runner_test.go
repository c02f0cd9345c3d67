package contract

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// scripts runs scripts in a world; its mistakes are those that the suite must see.
type scripts struct {
	mu    sync.Mutex
	world *edrtest.World
	hold  bool
	// twice orders again, atOnce does not wait, loose takes any argument, firstPiece
	// returns one, approved takes what waits for approval for queued, and fine tells of
	// no failure.
	twice, atOnce, loose, firstPiece, approved, fine bool
}

func (s *scripts) of(key string) (edrtest.Action, bool) {
	for _, a := range s.world.Actions("") {
		if a.Comment == key {
			return a, true
		}
	}
	return edrtest.Action{}, false
}

func (s *scripts) Run(ctx context.Context, o integrations.ScriptOrder) (incident.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	strange := func(arg string) bool { return !regexp.MustCompile(`^[A-Za-z0-9._:/\\-]{1,200}$`).MatchString(arg) }
	switch _, known := s.world.Host(o.Target.ID()); {
	case ctx.Err() != nil:
		return incident.Receipt{}, integrations.Errorf(integrations.Unavailable, "run", "%w", ctx.Err())
	case o.Key == "" || o.Target.IsZero() || !regexp.MustCompile(`^[a-z-]+$`).MatchString(o.Script) || !s.loose && slices.ContainsFunc(o.Args, strange):
		return incident.Receipt{}, integrations.Errorf(integrations.Invalid, "run", "invalid order")
	case !known:
		return incident.Receipt{}, integrations.Errorf(integrations.NotFound, "run", "no such device")
	}
	if _, before := s.of(o.Key); before && !s.twice {
		return incident.Receipt{}, nil
	}
	if len(s.world.Open(o.Target.ID())) > 0 && !s.atOnce {
		return incident.Receipt{}, integrations.Errorf(integrations.Conflict, "run", "another script runs")
	}
	a := edrtest.Action{Kind: edrtest.RunScript, Host: o.Target.ID(), Comment: o.Key, Script: o.Script, Input: strings.Join(o.Args, "\n")}
	if s.hold {
		a.State = edrtest.AwaitsApproval
	}
	s.world.Order(a)
	return incident.Receipt{}, nil
}

func (s *scripts) Ran(ctx context.Context, o integrations.ScriptOrder) (integrations.ScriptResult, error) {
	a, ok := s.of(o.Key)
	switch {
	case ctx.Err() != nil:
		return integrations.ScriptResult{}, integrations.Errorf(integrations.Unavailable, "ran", "%w", ctx.Err())
	case !ok:
		return integrations.ScriptResult{}, integrations.Errorf(integrations.NotFound, "ran", "never ordered")
	case a.State == edrtest.AwaitsApproval && !s.approved:
		return integrations.ScriptResult{State: integrations.ScriptAwaitsApproval}, nil
	case a.Open():
		return integrations.ScriptResult{State: integrations.ScriptQueued}, nil
	}
	out := a.Result.Stdout
	if s.firstPiece {
		out = out[:4096]
	}
	exit := &a.Result.Exit
	if s.fine {
		exit = new(int)
	}
	return integrations.ScriptResult{State: integrations.ScriptDone, Exit: exit, Stdout: out}, nil
}

func TestRunnerBites(t *testing.T) {
	for name, c := range map[string]struct {
		with  *scripts
		bites []string
	}{
		"right":                     {&scripts{}, nil},
		"orders again":              {&scripts{twice: true}, []string{"the same key runs once"}},
		"does not wait":             {&scripts{atOnce: true}, []string{"another script waits for the first one's end"}},
		"takes any argument":        {&scripts{loose: true}, []string{"arguments that could become something else are invalid"}},
		"returns the first piece":   {&scripts{firstPiece: true}, []string{"a script's whole output comes back"}},
		"says that all went well":   {&scripts{fine: true}, []string{"a script's exit code comes back"}},
		"does not know of approval": {&scripts{approved: true}, []string{"a script that waits for approval says so"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := RunnerHarness{Knobs: Knobs{Unbreakable: "a world"}, Open: func(t testing.TB) RunnerWorld {
				w := edrtest.New(t, time.Now)
				w.Add(edrtest.Host{ID: "ws-042"})
				w.Add(edrtest.Host{ID: "ws-007"})
				w.OnScript(Printer)
				s := &scripts{world: w, twice: c.with.twice, atOnce: c.with.atOnce, loose: c.with.loose, firstPiece: c.with.firstPiece, approved: c.with.approved, fine: c.with.fine}
				return RunnerWorld{
					Runner: s, Target: device(t, "ws-042"), Other: device(t, "ws-007"), Script: "print",
					Settle: w.Settle, Runs: func() int { return len(w.Actions("")) }, HoldForApproval: func() { s.hold = true },
				}
			}}
			bites(t, verdicts(t, h, runnerChecks()), c.bites...)
		})
	}
}
