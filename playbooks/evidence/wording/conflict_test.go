package wording_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/playbooks/evidence/casetest"
	"github.com/stanch-soar/stanch/playbooks/evidence/wording"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// conflictOf is what people are told of a conflict in a case, or nothing.
func conflictOf(c incident.Case) string {
	lines := wording.Of(c).Headline
	at := slices.IndexFunc(lines, func(l wording.Line) bool { return l.Label == "Conflict" })
	if at < 0 {
		return ""
	}
	return lines[at].Text
}

// What the alert says otherwise than the EDR and the flow store is told, with both
// words; what can be the same thing is not.
func TestAConflictIsTold(t *testing.T) {
	alert := func(text string) incident.Value[string] { return incident.Known(text, incident.FromAlert) }
	for name, tt := range map[string]struct {
		change func(*incident.Facts)
		want   string
	}{
		"none": {func(*incident.Facts) {}, ""},
		"another program": {func(f *incident.Facts) {
			f.Alert.Process.Name, f.Alert.Process.PID = alert("certutil.exe"), incident.Known[int64](4242, incident.FromAlert)
		}, `the alert names the process certutil.exe (pid 4242), the EDR names C:\Users\m.keller\AppData\Local\Temp\updatesvc.exe (pid 6612)`},
		"another path": {func(f *incident.Facts) { f.Alert.Process.Path = alert(`C:\Windows\System32\updatesvc.exe`) }, `the alert names the process C:\Windows\System32\updatesvc.exe`},
		"the same path": {func(f *incident.Facts) {
			f.Alert.Process.Path = alert(`\Device\HarddiskVolume3\USERS\m.keller\AppData\Local\Temp\updatesvc.exe`)
		}, ""},
		"another pid": {func(f *incident.Facts) { f.Alert.Process.PID = incident.Known[int64](4, incident.FromAlert) }, "updatesvc.exe (pid 4), the EDR names "},
		"a candidate": {func(f *incident.Facts) {
			f.Candidate, f.Process = f.Process, incident.Process{}
			f.Alert.Process.Name = alert("certutil.exe")
		}, "the EDR names perhaps "},
		"another account":      {func(f *incident.Facts) { f.Alert.Process.User = alert("SYSTEM") }, `the alert says that SYSTEM runs it, the EDR says CORP\m.keller`},
		"the account in short": {func(f *incident.Facts) { f.Alert.Process.User = alert("M.Keller@corp.example") }, ""},
		"another system":       {func(f *incident.Facts) { f.Alert.Host.OS = alert("linux") }, "the alert says that the host runs linux, the EDR says windows"},
		"an assumed system":    {func(f *incident.Facts) { f.Alert.Host.OS = incident.Known("linux", incident.Assumed) }, ""},
		"fewer bytes": {
			func(f *incident.Facts) { f.Alert.BytesOut = incident.Known[int64](10<<20, incident.FromAlert) },
			"the alert says that 10 MiB were sent in 15m, the flow store says 4.1 GiB in 15m",
		},
		"more bytes": {
			func(f *incident.Facts) { f.Alert.BytesOut = incident.Known[int64](40<<30, incident.FromAlert) },
			"the alert says that 40 GiB were sent in 15m, the flow store says 4.1 GiB in 15m",
		},
		"about as many bytes": {func(f *incident.Facts) { f.Alert.BytesOut = incident.Known[int64](3<<30, incident.FromAlert) }, ""},
		"the same rate": {func(f *incident.Facts) {
			f.Alert.BytesOut, f.Alert.Window = incident.Known[int64](16<<30, incident.FromAlert), incident.Known(time.Hour, incident.FromAlert)
		}, ""},
		"more than a minimum": {func(f *incident.Facts) {
			f.Alert.BytesOut = incident.Known[int64](40<<30, incident.FromAlert)
			f.Traffic.AtLeast = []string{"the store samples"}
		}, ""},
		"nothing sent": {func(f *incident.Facts) {
			f.Alert.BytesOut, f.Traffic.BytesOut = incident.Known[int64](1<<30, incident.FromAlert), incident.Known[int64](0, incident.FromFlows)
		}, "the alert says that 1 GiB were sent in 15m, the flow store says 0 B in 15m"},
		"another destination": {func(f *incident.Facts) {
			f.Alert.Destination.IP, f.Traffic.Destinations = alert("192.0.2.1"), incident.Known[int64](3, incident.FromFlows)
		}, "the alert names the destination 192.0.2.1, the flow store has no flow to it"},
		"a destination that may not be listed": {func(f *incident.Facts) { f.Alert.Destination.IP = alert("192.0.2.1") }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := casetest.Waiting(t)
			tt.change(&c.Facts)
			got := conflictOf(c)
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("it says %q, want %q", got, tt.want)
			}
		})
	}
}

// What an attacker wrote into the alert stays text, and of both.
func TestAHostileConflictIsInert(t *testing.T) {
	c := casetest.Waiting(t)
	text := casetest.Attack()
	c.Facts.Alert.Process.Name = incident.Known(text, incident.FromAlert)
	c.Facts.Alert.Process.User = incident.Known(text, incident.FromAlert)
	got := conflictOf(c)
	if !strings.Contains(got, "the EDR names") || !strings.Contains(got, "the EDR says") {
		t.Errorf("the other side is missing: %q", got)
	}
	if strings.ContainsAny(got, "\x1b\r\n\u202e") || len(got) > 1500 {
		t.Errorf("it is not inert: %.300q", got)
	}
}

// A gate is told by its answer, not as a step that failed.
func TestAGateIsToldByItsAnswer(t *testing.T) {
	for state, want := range map[incident.ApprovalState]string{
		incident.Pending: "asked", incident.Approved: "approved", incident.ApprovalDenied: "denied",
		incident.ApprovalExpired: "expired, not approved", incident.Superseded: "no longer asked",
	} {
		c := casetest.Flood(t)
		c.Approvals[0].State, c.Steps[2].Status = state, incident.StepFailed
		steps := wording.Of(c).Steps
		if steps[2].Name != "approval" || steps[2].Status != want {
			t.Errorf("a gate that is %s is told as %s: %q, want %q", state, steps[2].Name, steps[2].Status, want)
		}
	}
	c := casetest.Flood(t)
	c.Approvals, c.Steps[2].Status = nil, incident.StepWaiting
	if got := wording.Of(c).Steps[2].Status; got != "waiting" {
		t.Errorf("a gate that was not asked yet is told as %q", got)
	}
}

func TestTimesAreToldInWholeSeconds(t *testing.T) {
	opened := casetest.Opened()
	for d, want := range map[time.Duration]string{
		87694064 * time.Nanosecond: "+0s", 1999 * time.Millisecond: "+1s", 107 * time.Second: "+1m47s", -1500 * time.Millisecond: "-1s", 0: "+0s",
	} {
		if got := wording.Since(opened, opened.Add(d)); got != want {
			t.Errorf("%s after the opening is %q, want %q", d, got, want)
		}
	}
}
