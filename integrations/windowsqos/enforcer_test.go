package windowsqos

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/windowsqos/netqosfake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func words(err error) string {
	e, _ := errors.AsType[*integrations.Error](err)
	if e == nil {
		return ""
	}
	return e.Words
}

// What a device has not run is accepted, and under way; it is not lifted before.
func TestLimitThatTheDeviceHasNotRun(t *testing.T) {
	for state, say := range map[integrations.ScriptState]string{
		integrations.ScriptQueued: "offline", integrations.ScriptAwaitsApproval: "approve", integrations.ScriptRunning: "running",
	} {
		x := start(t, netqosfake.Options{})
		x.edr.Hold("ws-042", state)
		o := order(t)
		if r := x.apply(t, o); !strings.Contains(r.Detail, say) {
			t.Errorf("%s: the receipt says %q", state, r.Detail)
		}
		if r := x.read(t, o); r.Stands || !r.Pending || r.Key != o.Key || !strings.Contains(r.Detail, say) {
			t.Errorf("%s: it reads %+v", state, r)
		}
		x.apply(t, o)
		_, err := x.Undo(t.Context(), o)
		wants(t, "undo of what is under way", err, integrations.Conflict)
		if n := x.edr.Orders(); n != 1 {
			t.Errorf("%s: %d scripts were ordered, want 1", state, n)
		}
		x.edr.Hold("ws-042", "")
		if r := x.read(t, o); !r.Stands || r.Pending {
			t.Errorf("%s: once the device is back it reads %+v", state, r)
		}
		x.edr.Hold("ws-042", state)
		if _, err := x.Undo(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if r := x.read(t, o); !r.Stands || !r.Pending || r.Key != o.Key {
			t.Errorf("%s: while its end is under way it reads %+v", state, r)
		}
	}
}

// Nothing is read from a device that does not answer: it is not taken for nothing in place.
func TestDeviceThatDoesNotAnswer(t *testing.T) {
	x := start(t, netqosfake.Options{})
	o := order(t)
	x.apply(t, o)
	x.edr.Hold("ws-042", integrations.ScriptQueued)
	_, err := x.Read(t.Context(), o)
	wants(t, "read", err, integrations.Unavailable)
	ordered := x.edr.Orders()
	_, err = x.Read(t.Context(), o)
	wants(t, "read again", err, integrations.Unavailable)
	x.edr.Hold("ws-042", "")
	if r := x.read(t, o); !r.Stands {
		t.Errorf("once it answers it reads %+v", r)
	}
	if n := x.edr.Orders(); n != ordered {
		t.Errorf("what was not answered yet was asked %d times more", n-ordered)
	}

	x.edr.Hold("ws-042", integrations.ScriptQueued)
	_, err = x.Read(t.Context(), o)
	wants(t, "read while it is away", err, integrations.Unavailable)
	x.edr.Hold("ws-042", "")
	if r := x.read(t, order(t, func(o *incident.Order) { o.Key, o.Program = "another", `C:\Tools\other.exe` })); r.Stands || r.Pending {
		t.Errorf("what was asked for another order reads %+v", r)
	}
}

// An answer that was asked for long ago, or before something was changed, says nothing of now.
func TestOldAnswerIsNotBelieved(t *testing.T) {
	late := func(x *site, _ incident.Order) { x.now = x.now.Add(freshFor) }
	undone := func(x *site, o incident.Order) {
		if _, err := x.Undo(t.Context(), o); err != nil {
			t.Error(err)
		}
		if err := x.edr.Add("ws-042", netqosfake.Policy{Name: nameOf(o.Key), AppPath: o.Program, Protocol: "Both", Bps: o.Rate}); err != nil {
			t.Error(err)
		}
	}
	for name, then := range map[string]func(*site, incident.Order){"late": late, "changed since": undone} {
		x := start(t, netqosfake.Options{})
		o := order(t)
		x.edr.Hold("ws-042", integrations.ScriptRunning)
		_, err := x.Read(t.Context(), o)
		wants(t, "read", err, integrations.Unavailable)
		x.edr.Hold("ws-042", "")
		if _, err := x.edr.Ran(t.Context(), x.asked.all["ws-042"].ScriptOrder); err != nil { // The device answers: nothing stands.
			t.Fatal(err)
		}
		if name == "late" {
			if err := x.edr.Add("ws-042", netqosfake.Policy{Name: nameOf(o.Key), AppPath: o.Program, Protocol: "Both", Bps: o.Rate}); err != nil {
				t.Fatal(err)
			}
		}
		then(x, o)
		if r := x.read(t, o); !r.Stands {
			t.Errorf("%s: it reads %+v from an old answer", name, r)
		}
	}
}

// After a restart nothing is in place, which is seen, and it can be put in place anew although
// the EDR knows the order.
func TestRestartOfADevice(t *testing.T) {
	x := start(t, netqosfake.Options{})
	o := order(t)
	for range 4 {
		x.apply(t, o)
		if r := x.read(t, o); !r.Stands || r.Key != o.Key {
			t.Errorf("applied it reads %+v", r)
		}
		x.edr.Restart("ws-042")
		if r := x.read(t, o); r.Stands || r.Pending {
			t.Errorf("after the restart it reads %+v", r)
		}
	}
}

func TestPoliciesOfOthers(t *testing.T) {
	theirs := netqosfake.Policy{Name: "Backup", AppPath: strings.ToUpper(sender), Protocol: "Both", Bps: 10_000_000, Precedence: 127}
	x, o := start(t, netqosfake.Options{}), order(t)
	if err := x.edr.Add("ws-042", theirs); err != nil {
		t.Fatal(err)
	}
	if r := x.read(t, o); r.Stands || !strings.Contains(r.Detail, "10000000 bit/s, which is looser") {
		t.Errorf("a looser one reads %+v", r)
	}
	x.apply(t, o)
	if r := x.read(t, o); !r.Stands || r.Rate != o.Rate || r.Key != o.Key {
		t.Errorf("beside a looser one ours reads %+v", r)
	}
	if _, err := x.Undo(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if left := x.edr.Policies("ws-042"); len(left) != 1 || left[0] != theirs {
		t.Errorf("there are %+v after undo, want theirs alone", left)
	}

	x = start(t, netqosfake.Options{})
	theirs.Precedence = 255
	if err := x.edr.Add("ws-042", theirs); err != nil {
		t.Fatal(err)
	}
	_, err := x.Apply(t.Context(), o)
	wants(t, "apply below one that goes first", err, integrations.Conflict)
	if !strings.Contains(words(err), "not ours to remove") {
		t.Errorf("the words are %q", words(err))
	}

	x = start(t, netqosfake.Options{})
	for _, name := range []string{"a", "b"} {
		if err := x.edr.Add("ws-042", netqosfake.Policy{Name: name, AppPath: "send it.exe", Port: len(name) + 442, Protocol: "TCP", Bps: 8000}); err != nil {
			t.Fatal(err)
		}
	}
	if r := x.read(t, o); r.Stands || !strings.Contains(r.Detail, "2 other policies") {
		t.Errorf("policies of the program by its name read %+v", r)
	}
}

// A policy with our name that somebody has changed is put right by Apply, and removed by Undo.
func TestOwnPolicyThatWasChanged(t *testing.T) {
	x, o := start(t, netqosfake.Options{}), order(t)
	x.apply(t, o)
	spoil := func() {
		x.edr.Change("ws-042", nameOf(o.Key), func(p *netqosfake.Policy) { p.Port, p.Bps = 443, 1_000_000_000 })
		if r := x.read(t, o); r.Stands || !r.Pending || r.Key != o.Key {
			t.Errorf("changed it reads %+v", r)
		}
	}
	spoil()
	x.apply(t, o)
	if r := x.read(t, o); !r.Stands || r.Rate != o.Rate {
		t.Errorf("put right it reads %+v", r)
	}
	spoil()
	if _, err := x.Undo(t.Context(), o); err != nil || len(x.edr.Policies("ws-042")) != 0 {
		t.Errorf("undone there are %+v, %v", x.edr.Policies("ws-042"), err)
	}
}

// A rate that Windows rounds up is the one that was asked for: it must not be tightened for ever.
func TestRateThatIsRoundedUp(t *testing.T) {
	x, o := start(t, netqosfake.Options{RoundsUp: true}), order(t)
	for range 2 {
		x.apply(t, o)
		if r := x.read(t, o); !r.Stands || r.Rate != o.Rate {
			t.Errorf("it reads %+v, want the rate %d", r, o.Rate)
		}
	}
	if n := x.edr.Effects(); n != 1 || x.edr.Policies("ws-042")[0].Bps != 2_007_040 {
		t.Errorf("%d effects, the policies are %+v", n, x.edr.Policies("ws-042"))
	}
}

// What the script refuses is said, and nothing is in place.
func TestScriptRefuses(t *testing.T) {
	past := func(o *incident.Order) { o.Until = time.Now().Add(-time.Minute) }
	none := func(*incident.Order) {}
	for say, c := range map[string]struct {
		options netqosfake.Options
		change  func(*incident.Order)
	}{
		"clock": {netqosfake.Options{}, past}, "no such program": {netqosfake.Options{Absent: []string{sender}}, none},
		"link": {netqosfake.Options{Links: []string{sender}}, none}, "did not keep": {netqosfake.Options{Unlike: true}, none},
	} {
		x, o := start(t, c.options), order(t, c.change)
		_, err := x.Apply(t.Context(), o)
		wants(t, say, err, integrations.Invalid)
		if !strings.Contains(words(err), say) || len(x.edr.Policies("ws-042")) != 0 {
			t.Errorf("%s: the words are %q, and there are %+v", say, words(err), x.edr.Policies("ws-042"))
		}
	}
}

// A script that ends without an answer may have done anything.
func TestScriptWithoutAnAnswer(t *testing.T) {
	for name, says := range map[string]func(string) string{
		"nothing": func(string) string { return "" }, "an error": func(string) string { return "File not found" },
		"another's answer": func(line string) string { return strings.Replace(line, "stanch-", "stanch-0", 1) },
	} {
		x, o := start(t, netqosfake.Options{Says: says}), order(t)
		_, err := x.Apply(t.Context(), o)
		wants(t, name+": apply", err, integrations.Ambiguous)
		_, err = x.Undo(t.Context(), o)
		wants(t, name+": undo", err, integrations.Ambiguous)
		_, err = x.Read(t.Context(), o)
		wants(t, name+": read", err, integrations.Unavailable)
	}
	failing := func(line string) string {
		return strings.Replace(strings.Replace(line, `"result":"done"`, `"result":"failed"`, 1), `"changed":true`, `"changed":false`, 1)
	}
	x, o := start(t, netqosfake.Options{Says: failing}), order(t)
	x.edr.Exit = false
	_, err := x.Apply(t.Context(), o)
	wants(t, "a failure that has changed nothing", err, integrations.Unavailable)
}

// What is no longer limited today is given back all the same.
func TestUndoNeedsTheKeyAlone(t *testing.T) {
	x, o := start(t, netqosfake.Options{}), order(t)
	if err := x.edr.Add("ws-042", netqosfake.Policy{Name: nameOf(o.Key), AppPath: `C:\Windows\System32\svchost.exe`, Protocol: "Both", Bps: 1}); err != nil {
		t.Fatal(err)
	}
	o.Program, o.Rate = `C:\Windows\System32\svchost.exe`, 9000
	if r := x.read(t, o); !r.Stands || r.Key != o.Key {
		t.Errorf("it reads %+v", r)
	}
	if _, err := x.Undo(t.Context(), o); err != nil || len(x.edr.Policies("ws-042")) != 0 {
		t.Errorf("undone there are %+v, %v", x.edr.Policies("ws-042"), err)
	}
}

func TestPlan(t *testing.T) {
	x := start(t, netqosfake.Options{})
	plan := func(change func(*incident.Order)) error { return x.Plan(t.Context(), order(t, change)) }
	if err := plan(func(*incident.Order) {}); err != nil {
		t.Error(err)
	}
	for say, change := range map[string]func(*incident.Order){
		"Windows":          func(o *incident.Order) { o.Target = knobs().Target(t, "srv-7") },
		"not known":        func(o *incident.Order) { o.Program = "" },
		"never limited":    func(o *incident.Order) { o.Program = `C:\Windows\System32\svchost.exe` },
		"destination":      func(o *incident.Order) { o.Program = `C:\Windows\System32\wscript.exe` },
		"between 8192 bit": func(o *incident.Order) { o.Rate = 8191 },
	} {
		err := plan(change)
		wants(t, say, err, integrations.Invalid)
		if !strings.Contains(words(err), say) {
			t.Errorf("%s: the words are %q", say, words(err))
		}
		_, err = x.Apply(t.Context(), order(t, change))
		wants(t, "apply: "+say, err, integrations.Invalid)
	}
	x.edr.Hold("ws-042", integrations.ScriptQueued)
	wants(t, "offline", plan(func(*incident.Order) {}), integrations.Unavailable)
	if x.edr.Orders() != 0 {
		t.Errorf("%d scripts were ordered by plans", x.edr.Orders())
	}
}

func TestOpen(t *testing.T) {
	for _, c := range []Config{
		{Script: library, Wait: minWait},
		{Through: "edr", Wait: minWait},
		{Through: "edr", Script: `..\x`, Wait: minWait},
		{Through: "edr", Script: "a b.ps1", Wait: minWait},
		{Through: "edr", Script: "-x", Wait: minWait},
		{Through: "edr", Script: library},
		{Through: "edr", Script: library, Wait: time.Hour},
	} {
		_, err := Open(c)
		wants(t, "open", err, integrations.Invalid)
	}
	e, err := Open(*Spec().NewConfig().(*Config))
	if err == nil {
		t.Errorf("without an EDR it is %+v", e)
	}
	e, err = Open(Config{Through: "edr", Script: library, Wait: minWait})
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.Read(t.Context(), order(t))
	wants(t, "read before it is joined", err, integrations.Invalid)
	set := integrations.NewSet()
	wants(t, "join with nothing", e.Join(set), integrations.Invalid)
	set.Add("edr", integrations.Spec{Kind: "plain"}, struct{ integrations.Endpoints }{})
	wants(t, "join with what runs no scripts", e.Join(set), integrations.Invalid)
	if f := e.Probe(t.Context()); len(f) != 1 || f[0].OK {
		t.Errorf("it probes %+v", f)
	}
	if f := start(t, netqosfake.Options{}).Probe(t.Context()); len(f) != 1 || !f[0].OK || !f[0].Warning {
		t.Errorf("joined it probes %+v", f)
	}
}
