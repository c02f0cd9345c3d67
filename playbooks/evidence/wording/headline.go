package wording

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

func headline(c incident.Case) []Line {
	lines := []Line{what(c), who(c), device(c), volume(c)}
	if line, differ := conflict(c); differ {
		lines = append(lines, line)
	}
	lines = append(lines, destinations(c.Facts.Traffic), attribution(c.Facts.Traffic))
	if len(c.Facts.Traffic.Senders) > 0 {
		lines = append(lines, signedIn(c.Facts.Traffic.Senders))
	}
	for _, clock := range c.Facts.Traffic.FastClocks {
		lines = append(lines, Line{Label: "Clock", Text: short(clock.String()) + "; what it recorded of the future proves nothing", Tone: Warn})
	}
	if c.Decision != nil && len(c.Decision.Unsure) > 0 {
		lines = append(lines, Line{Label: "Unsure", Text: join(incident.MissingTexts(c.Decision.Unsure)), Tone: Warn})
	}
	return lines
}

func what(c incident.Case) Line {
	d := c.Decision
	if d == nil {
		return Line{Label: "What", Text: "not decided yet; " + short(c.Facts.Alert.Category.String()), From: From(c.Facts.Alert.Category.From())}
	}
	switch d.Outcome {
	case incident.Decided:
		return Line{Label: "What", Text: long(d.Because)}
	case incident.Denied:
		return Line{Label: "What", Text: "guardrail " + short(d.DeniedBy) + " forbids containment. " + long(d.Because), Tone: Warn}
	case incident.Undecided:
		return Line{Label: "What", Text: "not decided. " + long(d.Because), Tone: Warn}
	case incident.CannotDecide, incident.DecisionErr:
	}
	return Line{Label: "What", Text: "no decision: " + long(cmp.Or(d.Error, d.Because, string(d.Outcome))), Tone: Warn}
}

// who prefers what the EDR says of the process over what the alert says.
func who(c incident.Case) Line {
	p, a := c.Facts.Process, c.Facts.Alert.Process
	image := first(p.Path, p.Name, a.Path, a.Name)
	name, ok := image.Get()
	if !ok {
		line := unknownLine("Who", "process", image)
		if guess, ok := first(c.Facts.Candidate.Path, c.Facts.Candidate.Name).Get(); ok {
			line.Text += "; perhaps " + short(guess)
		}
		return line
	}
	text := short(name)
	if pid, ok := first(p.PID, a.PID).Get(); ok {
		text += fmt.Sprintf(" (pid %d)", pid)
	}
	if user, ok := first(p.User, a.User).Get(); ok {
		text += " as " + short(user)
	}
	if signed, ok := p.Signed.Get(); ok && !signed {
		text += ", not signed"
	}
	if script, ok := p.Script.Get(); ok {
		text += ", script " + short(script)
	} else if typed, ok := p.ScriptText.Get(); ok {
		text += ", script text " + short(typed)
	}
	return Line{Label: "Who", Text: text, From: From(image.From())}
}

func device(c incident.Case) Line {
	if c.Target == nil {
		return Line{Label: "Device", Text: "no exact target: " + long(cmp.Or(c.TargetProblem, "not looked for yet")), Tone: Warn}
	}
	text := fmt.Sprintf("%s (id %s)", short(c.Target.Name()), short(c.Target.ID()))
	if c.Target.OnlyBy() != "" {
		return assumedDevice(c, text)
	}
	role := first(c.Facts.Asset.Role, c.Facts.Endpoint.Role)
	if r, ok := role.Get(); ok {
		text += ", " + strings.ReplaceAll(short(r), "_", " ")
	} else {
		text += ", role unknown"
	}
	return Line{Label: "Device", Text: text, From: From(role.From())}
}

// assumedDevice is all by which people can tell whether it is the device that
// the alert means.
func assumedDevice(c incident.Case, text string) Line {
	e := c.Facts.Endpoint
	if role, ok := first(c.Facts.Asset.Role, e.Role).Get(); ok {
		text += ", " + strings.ReplaceAll(short(role), "_", " ")
	}
	if ips, ok := e.IP.Get(); ok && len(ips) > 0 {
		text += ", at " + join(ips)
	}
	if user, ok := first(c.Facts.Process.User, c.Facts.Alert.Process.User).Get(); ok {
		text += ", user " + short(user)
	}
	if seen, ok := e.LastSeen.Get(); ok {
		text += ", last seen " + seen.UTC().Format(time.RFC3339)
	}
	text += "; only the " + c.Target.OnlyBy() + " agrees with the alert"
	return Line{Label: "Device", Text: text, From: From(incident.Assumed), Tone: Warn}
}

func volume(c incident.Case) Line {
	f := c.Facts
	t := f.Traffic
	sent := first(t.BytesOut, f.Alert.BytesOut)
	n, ok := sent.Get()
	if !ok {
		return unknownLine("How much", "volume", sent)
	}
	text := incident.FormatSize(n) + " sent"
	if window, ok := first(t.Window, f.Alert.Window).Get(); ok {
		text += " in " + incident.FormatDuration(window)
	}
	if rate, ok := t.Rate.Get(); ok {
		text += ", " + incident.FormatRate(rate) + " on average"
	}
	if p99, ok := f.Baseline.P99.Get(); ok && p99 > 0 {
		text += fmt.Sprintf("; %.1f times its usual p99 of %s", float64(n)/float64(p99), incident.FormatSize(p99))
	} else if !ok {
		text += "; what is usual is " + long(f.Baseline.P99.String())
	}
	line := Line{Label: "How much", Text: text, From: From(sent.From())}
	if len(t.AtLeast) > 0 && t.BytesOut.IsKnown() {
		line.Text += "; at least, for " + long(strings.Join(t.AtLeast, ", "))
		line.Tone = Warn
	}
	if lag, stale := staleness(c); stale {
		line.Text += "; at least, for the flow store is stale: its newest record is " + incident.FormatDuration(lag) + " older than the case"
		line.Tone = Warn
	}
	return line
}

// staleness tells how far the flow store lay behind when it was asked: when the
// case was opened, or for an alert that came late at the alert's own time.
func staleness(c incident.Case) (time.Duration, bool) {
	newest, ok := c.Facts.Traffic.Freshness.Get()
	if !ok || !c.Facts.Traffic.BytesOut.IsKnown() || c.OpenedAt.IsZero() {
		return 0, false
	}
	asked := c.OpenedAt
	window, _ := c.Facts.Traffic.Window.Get()
	if at, ok := c.Facts.Alert.Time.Get(); ok && asked.Sub(at) > window {
		asked = at
	}
	return incident.Lag(newest, asked)
}

func destinations(t incident.Traffic) Line {
	top, ok := t.Top.Get()
	if !ok || len(top) == 0 {
		return unknownLine("Where to", "destination", t.Top)
	}
	text := topFlow(top[0])
	if n, ok := t.Destinations.Get(); ok && n > 1 {
		text += fmt.Sprintf("; the largest of %s destinations", count(n))
	}
	if role, ok := t.Role.Get(); ok {
		text += "; looks like " + shapeOf(role)
	}
	return Line{Label: "Where to", Text: text, From: From(t.Top.From())}
}

func shapeOf(role string) string {
	switch incident.Role(role) {
	case incident.Requester:
		return "requests that drive a reflection attack"
	case incident.Flooder:
		return "a flood of one destination"
	case incident.Reflector:
		return "answers of a reflector"
	case incident.Transfer:
		return "a large transfer"
	case incident.Discovery:
		return "local discovery"
	case incident.UnknownRole:
	}
	return "nothing of a known shape"
}

// signedIn names who sent from the host's addresses by the word of a proxy or a firewall, which knows its users
// and not the host's processes.
func signedIn(senders []incident.Sender) Line {
	var texts []string
	for _, s := range senders {
		text := short(cmp.Or(s.User, s.Device))
		if s.User != "" && s.Device != "" {
			text += " on " + short(s.Device)
		}
		if s.Sensor != "" {
			text += ", says " + short(s.Sensor)
		}
		texts = append(texts, text)
	}
	return Line{Label: "Signed in", Text: strings.Join(texts, "; "), From: From(incident.FromFlows)}
}

// attribution says how sure it is that this process sent these bytes.
func attribution(t incident.Traffic) Line {
	how, ok := t.Attribution.Get()
	if !ok {
		return unknownLine("How sure", "join of process and traffic", t.Attribution)
	}
	line := Line{Label: "How sure", From: From(t.Attribution.From())}
	line.Text, line.Tone = "none: no process could be joined to the traffic", Warn
	switch incident.Attribution(how) {
	case incident.Exact:
		line.Text, line.Tone = "exact: the process's connections match the flows address by address", Good
	case incident.Destination:
		line.Text, line.Tone = "by destination only: address and port match, the connections do not", Warn
	case incident.ProcessList:
		line.Text, line.Tone = "weak: the process was running, its connections were not seen", Warn
	case incident.NoneJoined:
	}
	if rate, ok := t.JoinRate.Get(); ok {
		line.Text += fmt.Sprintf(" (%.0f %% joined", 100*rate)
		if skew, ok := t.ClockSkew.Get(); ok {
			line.Text += ", clocks " + incident.FormatDuration(skew) + " apart"
		}
		line.Text += ")"
	}
	if explained, ok := t.Explained.Get(); ok {
		line.Text += fmt.Sprintf("; it explains %.0f %% of the bytes", 100*explained)
	}
	if cover, ok := t.Coverage.Get(); ok && cover != string(incident.BothWays) {
		line.Text += "; flow coverage is " + strings.ReplaceAll(short(cover), "_", " ")
		line.Tone = Warn
	}
	return line
}

// first returns the first known value, else the first of all, which says why
// it is unknown.
func first[T any](values ...incident.Value[T]) incident.Value[T] {
	for _, v := range values {
		if v.IsKnown() {
			return v
		}
	}
	return values[0]
}

func unknownLine[T any](label, noun string, v incident.Value[T]) Line {
	text := noun + " unknown"
	if v.Why() != "" {
		text += ": " + long(v.Why())
	}
	return Line{Label: label, Text: text, Unknown: true, Tone: Warn}
}
