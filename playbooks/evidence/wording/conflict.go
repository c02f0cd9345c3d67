package wording

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

// Volumes disagree from a factor and a difference on: the SIEM and the flow store
// cut their windows at different moments, and count packets in different places.
const (
	volumesDiffer  = 2
	volumesAtLeast = 1 << 20
)

// conflict names what the alert says otherwise than the EDR and the flow store
// do, or is no line. Nobody is preferred here: an alert may be forged, and an EDR
// may be blind.
func conflict(c incident.Case) (Line, bool) {
	var found []string
	for _, differ := range []func(incident.Facts) string{systems, processes, accounts, volumes, destination} {
		if text := differ(c.Facts); text != "" {
			found = append(found, text)
		}
	}
	if len(found) == 0 {
		return Line{}, false
	}
	return Line{Label: "Conflict", Text: strings.Join(found, "; "), Tone: Warn}, true
}

// said is a value that the alert itself says, not one that was completed from
// another source or assumed.
func said[T any](v incident.Value[T]) (T, bool) {
	value, ok := v.Get()
	return value, ok && v.From() == incident.FromAlert
}

func systems(f incident.Facts) string {
	alert, ok := said(f.Alert.Host.OS)
	edr, known := f.Endpoint.OS.Get()
	if !ok || !known || strings.EqualFold(alert, edr) {
		return ""
	}
	return fmt.Sprintf("the alert says that the host runs %s, %s says %s", short(alert), speaker(f.Endpoint.OS.From()), short(edr))
}

// processes compares the process of the alert with the one that sends, or that
// perhaps sends, as far as the EDR can tell.
func processes(f incident.Facts) string {
	sends, perhaps := f.Process, ""
	if !sends.Path.IsKnown() && !sends.Name.IsKnown() && !sends.PID.IsKnown() {
		sends, perhaps = f.Candidate, "perhaps "
	}
	alert, named := said(first(f.Alert.Process.Path, f.Alert.Process.Name))
	edr, known := first(sends.Path, sends.Name).Get()
	claimed, numbered := said(f.Alert.Process.PID)
	pid, seen := sends.PID.Get()
	otherProgram, otherPID := named && known && !sameProgram(alert, edr), numbered && seen && claimed != pid
	if !otherProgram && !otherPID {
		return ""
	}
	return fmt.Sprintf("the alert names the process %s, %s names %s%s",
		withPID(alert, claimed, numbered), speaker(sayer(sends)), perhaps, withPID(edr, pid, seen))
}

// sayer is where a process is known from.
func sayer(p incident.Process) incident.Provenance {
	if v := first(p.Path, p.Name); v.IsKnown() {
		return v.From()
	}
	return p.PID.From()
}

func withPID(name string, pid int64, known bool) string {
	switch {
	case !known:
		return short(name)
	case name == "":
		return fmt.Sprintf("with pid %d", pid)
	}
	return fmt.Sprintf("%s (pid %d)", short(name), pid)
}

// sameProgram reports whether two names of images can be the same one: a bare name
// is that of any image that has it.
func sameProgram(a, b string) bool {
	base := func(s string) string { return s[strings.LastIndexAny(s, `\/`)+1:] }
	if base(a) == a || base(b) == b {
		return strings.EqualFold(base(a), base(b))
	}
	return traffic.SameImage(a, b)
}

func accounts(f incident.Facts) string {
	alert, ok := said(f.Alert.Process.User)
	edr, known := f.Process.User.Get()
	// A domain is written in many ways, or left out.
	name := func(s string) string {
		s = s[strings.LastIndex(s, `\`)+1:]
		s, _, _ = strings.Cut(s, "@")
		return s
	}
	if !ok || !known || strings.EqualFold(name(alert), name(edr)) {
		return ""
	}
	return fmt.Sprintf("the alert says that %s runs it, %s says %s", short(alert), speaker(f.Process.User.From()), short(edr))
}

// volumes compares the bytes that were sent. Where the flow store knows a minimum
// alone, more is no conflict.
func volumes(f incident.Facts) string {
	alert, ok := said(f.Alert.BytesOut)
	flows, known := f.Traffic.BytesOut.Get()
	if !ok || !known || alert < 0 {
		return ""
	}
	window, told := f.Alert.Window.Get()
	measured, timed := f.Traffic.Window.Get()
	// Over different times the rates are compared.
	scaled := float64(alert)
	if told && timed && window > 0 {
		scaled *= float64(measured) / float64(window)
	}
	larger, smaller := max(scaled, float64(flows)), min(scaled, float64(flows))
	minimum := len(f.Traffic.AtLeast) > 0 && scaled > float64(flows)
	if minimum || larger < volumesDiffer*smaller || larger-smaller < volumesAtLeast {
		return ""
	}
	over := func(d time.Duration, known bool) string {
		if !known || d <= 0 {
			return ""
		}
		return " in " + incident.FormatDuration(d)
	}
	return fmt.Sprintf("the alert says that %s were sent%s, %s says %s%s", incident.FormatSize(alert), over(window, told),
		speaker(f.Traffic.BytesOut.From()), incident.FormatSize(flows), over(measured, timed))
}

// destination looks for the alert's destination among those of the flow store,
// where it has listed them all.
func destination(f incident.Facts) string {
	ip, ok := said(f.Alert.Destination.IP)
	top, known := f.Traffic.Top.Get()
	all, counted := f.Traffic.Destinations.Get()
	if !ok || !known || !counted || len(top) == 0 || all > int64(len(top)) || len(f.Traffic.AtLeast) > 0 {
		return ""
	}
	if slices.ContainsFunc(top, func(t incident.TopFlow) bool { return t.IP == ip }) {
		return ""
	}
	return fmt.Sprintf("the alert names the destination %s, %s has no flow to it", short(ip), speaker(f.Traffic.Top.From()))
}

// speaker names who says what a provenance stands for.
func speaker(p incident.Provenance) string {
	return strings.TrimPrefix(From(p), "from ")
}
