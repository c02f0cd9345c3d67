package contract

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// RunnerHarness opens products that run scripts on devices.
type RunnerHarness struct {
	Knobs
	// Open returns a product with two devices and a script in its library. The
	// script prints its arguments, each on a line, and [RunnerOutput], and exits
	// with 3.
	Open func(t testing.TB) RunnerWorld
	// NoExit is why the product does not tell how a script exited; empty where it does.
	NoExit string
	// NoApproval is why no script can wait for approval at the product.
	NoApproval string
}

// RunnerWorld is an opened product and a view of its state.
type RunnerWorld struct {
	integrations.Runner
	Target, Other incident.Target
	Script        string
	// Settle lets the devices run what they were given.
	Settle func()
	// Runs counts how often the script was ordered so far, on both devices.
	Runs func() int
	// HoldForApproval has the product ask somebody before it runs further scripts.
	HoldForApproval func()
	Break           func(Fault)
}

// RunnerOutput is what the script of a harness prints after its arguments: more than
// a product returns in one piece.
func RunnerOutput() string { return strings.Repeat("0123456789abcdef\n", 4000) + "{\"done\":true}\n" }

// Printer is that script, for [edrtest.World.OnScript], where the input of a script is
// its arguments with blanks or line ends between them.
func Printer(_ edrtest.Host, _, input string) edrtest.Result {
	out := strings.Join(strings.Fields(input), "\n")
	if out != "" {
		out += "\n"
	}
	return edrtest.Result{Exit: 3, Stdout: out + RunnerOutput()}
}

// Runner checks an [integrations.Runner].
func Runner(t *testing.T, h RunnerHarness) { t.Helper(); run(t, "Runner", h, runnerChecks()) }

func runnerChecks() []check[RunnerHarness] {
	return slices.Concat([]check[RunnerHarness]{
		{"a script's whole output comes back", checkRunOutput},
		{"a script's exit code comes back", checkRunExit},
		{"the same key runs once", checkRunOnce},
		{"another script waits for the first one's end", checkRunSerial},
		{"a script that waits for approval says so", checkRunApproval},
		{"arguments that could become something else are invalid", checkRunArguments},
		{"what was never ordered, and an unknown device, are not found", checkRunUnknown},
	}, faultChecks(func(t testing.TB, h RunnerHarness) (func(Fault), []call) {
		w := h.Open(t)
		o := w.script("stanch-key-1", "5")
		return w.Break, []call{
			{"run", true, func(ctx context.Context) error { _, err := w.Run(ctx, o); return err }},
			{"ran", false, func(ctx context.Context) error { _, err := w.Ran(ctx, o); return err }},
		}
	}))
}

func (w RunnerWorld) script(key string, args ...string) integrations.ScriptOrder {
	return integrations.ScriptOrder{Key: key, Target: w.Target, Script: w.Script, Args: args}
}

func checkRunOutput(t testing.TB, h RunnerHarness) {
	w := h.Open(t)
	o := w.script("stanch-key-1", "5", `C:\Tools\a.exe`)
	_, err := w.Run(t.Context(), o)
	h.fine(t, "run", err)
	early, err := w.Ran(t.Context(), o)
	h.fine(t, "ran, before the device ran it", err)
	if early.State != integrations.ScriptQueued && early.State != integrations.ScriptRunning {
		t.Errorf("a script that the device has not run is %s", early.State)
	}
	w.Settle()
	got, err := w.Ran(t.Context(), o)
	h.fine(t, "ran", err)
	if want := "5\nC:\\Tools\\a.exe\n" + RunnerOutput(); got.State != integrations.ScriptDone || strings.ReplaceAll(got.Stdout, "\r\n", "\n") != want {
		t.Errorf("the script is %s with %d bytes of output, want done with %d", got.State, len(got.Stdout), len(want))
	}
}

func checkRunExit(t testing.TB, h RunnerHarness) {
	if h.NoExit != "" {
		lacks(t, h.NoExit)
		return
	}
	w := h.Open(t)
	o := w.script("stanch-key-1")
	_, err := w.Run(t.Context(), o)
	h.fine(t, "run", err)
	w.Settle()
	got, err := w.Ran(t.Context(), o)
	h.fine(t, "ran", err)
	if got.Exit == nil || *got.Exit != 3 {
		t.Errorf("the exit code is %v, want 3", got.Exit)
	}
}

func checkRunOnce(t testing.TB, h RunnerHarness) {
	w := h.Open(t)
	o := w.script("stanch-key-1", "5")
	h.fine(t, "run at once", concurrently(4, func() error {
		_, err := w.Run(t.Context(), o)
		if integrations.KindOf(err) == integrations.Conflict {
			return nil
		}
		return err
	}))
	w.Settle()
	_, err := w.Run(t.Context(), o)
	h.fine(t, "run again", err)
	w.Settle()
	if n := w.Runs(); n != 1 {
		t.Errorf("the script was ordered %d times with one key, want once", n)
	}
}

func checkRunSerial(t testing.TB, h RunnerHarness) {
	w := h.Open(t)
	_, err := w.Run(t.Context(), w.script("stanch-key-1"))
	h.fine(t, "run", err)
	_, err = w.Run(t.Context(), w.script("stanch-key-2"))
	h.want(t, "run while another runs", err, integrations.Conflict)
	other := w.script("stanch-key-3")
	other.Target = w.Other
	_, err = w.Run(t.Context(), other)
	h.fine(t, "run on another device", err)
	w.Settle()
	_, err = w.Run(t.Context(), w.script("stanch-key-2"))
	h.fine(t, "run after the first has ended", err)
	if n := w.Runs(); n != 3 {
		t.Errorf("scripts were ordered %d times, want 3", n)
	}
}

func checkRunApproval(t testing.TB, h RunnerHarness) {
	if h.NoApproval != "" {
		lacks(t, h.NoApproval)
		return
	}
	w := h.Open(t)
	w.HoldForApproval()
	o := w.script("stanch-key-1")
	_, err := w.Run(t.Context(), o)
	h.fine(t, "run", err)
	w.Settle()
	got, err := w.Ran(t.Context(), o)
	h.fine(t, "ran", err)
	if got.State != integrations.ScriptAwaitsApproval {
		t.Errorf("a script that nobody has approved is %s", got.State)
	}
}

func checkRunArguments(t testing.TB, h RunnerHarness) {
	w := h.Open(t)
	for _, arg := range []string{"", "a b", "a;b", "'a'", `"a"`, "a|b", "a&b", "$(a)", "`a`", "a\nb", "a\x00", "ä", "%a%", "a>b", strings.Repeat("a", 5000)} {
		_, err := w.Run(t.Context(), w.script("stanch-key-1", arg))
		h.want(t, "run with the argument "+arg[:min(len(arg), 20)], err, integrations.Invalid)
	}
	for name, change := range map[string]func(*integrations.ScriptOrder){
		"no key":                  func(o *integrations.ScriptOrder) { o.Key = "" },
		"a zero target":           func(o *integrations.ScriptOrder) { o.Target = incident.Target{} },
		"no script":               func(o *integrations.ScriptOrder) { o.Script = "" },
		"a script that is a path": func(o *integrations.ScriptOrder) { o.Script = `..\evil' -Raw` },
	} {
		o := w.script("stanch-key-1")
		change(&o)
		_, err := w.Run(t.Context(), o)
		h.want(t, "run with "+name, err, integrations.Invalid)
	}
	if n := w.Runs(); n != 0 {
		t.Errorf("%d invalid scripts were ordered", n)
	}
}

func checkRunUnknown(t testing.TB, h RunnerHarness) {
	w := h.Open(t)
	_, err := w.Ran(t.Context(), w.script("stanch-key-9"))
	h.want(t, "ran of what was never ordered", err, integrations.NotFound)
	o := w.script("stanch-key-1")
	o.Target = h.unknownDevice(t)
	_, err = w.Run(t.Context(), o)
	h.want(t, "run on an unknown device", err, integrations.NotFound)
}
