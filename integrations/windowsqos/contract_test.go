package windowsqos

import (
	"strconv"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/windowsqos/netqosfake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	library = "stanch-netqos.ps1"
	sender  = `C:\Program Files (x86)\Sender [2]\send it.exe`
)

func knobs() contract.Knobs { return contract.Knobs{Kind: "windows-qos", ReadsFirst: true} }

// site is an enforcer that acts through a plain EDR.
type site struct {
	*Enforcer
	edr *netqosfake.EDR
	now time.Time
}

func start(t testing.TB, o netqosfake.Options) *site {
	t.Helper()
	e, err := Open(Config{Through: "edr", Script: library, Wait: minWait})
	if err != nil {
		t.Fatal(err)
	}
	x := &site{Enforcer: e, edr: netqosfake.NewEDR(netqosfake.New(o), library), now: time.Now()}
	for _, id := range []string{"ws-042", "ws-0421"} {
		x.edr.Enrol(id, "windows")
	}
	x.edr.Enrol("srv-7", "linux")
	set := integrations.NewSet()
	set.Add("edr", integrations.Spec{Kind: "plain"}, x.edr)
	if err := integrations.Join(set, e); err != nil {
		t.Fatal(err)
	}
	e.now, e.first, e.config.Wait = func() time.Time { return x.now }, time.Millisecond, 200*time.Millisecond
	return x
}

// fail has the EDR fail as a suite wants it.
func (x *site) fail(f contract.Fault) {
	kinds := map[contract.Fault]integrations.Kind{
		contract.Down: integrations.Unavailable, contract.Deny: integrations.Denied, contract.Throttle: integrations.Throttled,
		contract.LoseAnswer: integrations.Ambiguous,
	}
	var failure netqosfake.Failure
	if kind, ok := kinds[f]; ok {
		err := integrations.Errorf(kind, "ask the EDR", "it fails on command")
		if f == contract.Throttle {
			err.After = contract.ThrottledFor
		}
		failure = netqosfake.Failure{Err: err, Carries: f == contract.LoseAnswer}
	}
	failure.Hangs = f == contract.Hang
	x.edr.Fail(failure)
}

// world is for the suite of enforcers. What somebody else made has a name of its own.
func (x *site) world(t testing.TB) contract.EnforcerWorld {
	t.Helper()
	return contract.EnforcerWorld{
		Enforcer: x, Actions: Spec().Actions, Target: knobs().Target(t, "ws-042"), Other: knobs().Target(t, "ws-0421"),
		Program: sender, Effects: x.edr.Effects, Standing: x.edr.Standing, Break: x.fail,
		Impose: func(o incident.Order) {
			p := netqosfake.Policy{Name: "Backup " + strconv.FormatInt(o.Rate, 10), AppPath: o.Program, Protocol: "Both", Bps: o.Rate, Precedence: 127}
			if err := x.edr.Add(o.Target.ID(), p); err != nil {
				t.Error(err)
			}
		},
	}
}

func TestEnforcer(t *testing.T) {
	for name, o := range map[string]netqosfake.Options{"plain": {}, "with its output between blank lines": {
		Says: func(line string) string { return "\ufeff\r\n" + line + "\r\n\r\n" },
	}} {
		t.Run(name, func(t *testing.T) {
			contract.Enforcer(t, contract.EnforcerHarness{Knobs: knobs(), Open: func(t testing.TB) contract.EnforcerWorld {
				return start(t, o).world(t)
			}})
		})
	}
}

// order is a limit of the sender on a device.
func order(t testing.TB, change ...func(*incident.Order)) incident.Order {
	t.Helper()
	o := incident.Order{
		Key: `lease/rate_limit/host-qos/ws-042/of-c:\sender "x".exe`, Action: incident.RateLimit, Target: knobs().Target(t, "ws-042"),
		Rate: 2_000_000, Program: sender, Until: time.Now().Add(time.Hour),
	}
	for _, f := range change {
		f(&o)
	}
	return o
}

func (x *site) apply(t testing.TB, o incident.Order) incident.Receipt {
	t.Helper()
	r, err := x.Apply(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (x *site) read(t testing.TB, o incident.Order) incident.Reading {
	t.Helper()
	r, err := x.Read(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func wants(t testing.TB, what string, err error, kind integrations.Kind) {
	t.Helper()
	if err == nil || integrations.KindOf(err) != kind {
		t.Errorf("%s: %v, want kind %s", what, err, kind)
	}
}
