package mapping

import (
	"cmp"
	"fmt"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/policy"
)

// reading is the reading of one alert. The values that the expressions give become the
// fields of its reader, by their paths in the mapping.
type reading struct {
	*Mapping
	*alerts.Reader
	in *policy.Inputs
}

// read reads one alert.
func (m *Mapping) read(r *alerts.Reader, d alerts.Document) incident.Alert {
	seen, size := map[string]any{docName: d.Fields}, len(d.Raw)
	if beside, _ := d.Around.(*around); beside != nil {
		if beside.wrong != nil {
			r.Fail(beside.wrong.Path, "%s", beside.wrong.Problem)
			return incident.Alert{}
		}
		if beside.value != nil {
			seen[bodyName], size = beside.value, size+len(beside.raw)
		}
	}
	seen[homeName] = policy.Asked(func(address string) (bool, string) {
		ours := r.Ours(address)
		holds, _ := ours.Get()
		return holds, ours.Why()
	})
	in, err := policy.NewInputs([]string{docName, homeName, bodyName}, seen, size)
	if err != nil {
		r.Fail("", "%v", err)
		return incident.Alert{}
	}
	r.Fields = map[string]any{}
	e := reading{m, r, in}
	// What decides about the alert comes first: an expression that costs too much takes the
	// rest.
	a := incident.Alert{Status: e.status()}
	silent := e.silence()
	e.identify(&a)
	e.host(&a, silent || a.Status != incident.Firing)
	// They are read where the occurrence is, from the fields.
	read(e, "began", r.Instant)
	read(e, "updated", r.Instant)
	a.Time = read(e, "time", r.Instant)
	a.Category = incident.Categories().Of(read(e, "category", r.Identity))
	a.Rule = read(e, "rule", r.Text)
	a.Severity = read(e, "severity", r.Text)
	a.Window = read(e, "window", r.Duration)
	a.BytesOut = read(e, "bytes_out", r.Size)
	a.Count = read(e, "count", r.Integer)
	a.Contained = read(e, "contained", r.Flag)
	a.Destination = incident.AlertDestination{
		IP:        read(e, "destination.ip", r.Address),
		Port:      read(e, "destination.port", r.Port),
		Transport: read(e, "destination.transport", r.Transport),
	}
	a.Process = incident.AlertProcess{
		Name:        read(e, "process.name", r.Written),
		Path:        read(e, "process.path", r.Written),
		PID:         read(e, "process.pid", r.PID),
		CommandLine: read(e, "process.command_line", r.Written),
		User:        read(e, "process.user", r.Written),
	}
	return a
}

// read reads a value by the first of its expressions that gives one that can be read.
func read[T any](e reading, path string, as func(paths ...string) incident.Value[T]) incident.Value[T] {
	why := ""
	for _, x := range e.values[path] {
		v, reason := x.Value(e.in)
		if reason == "" {
			e.Fields[path] = v
			got := as(path)
			if value, ok := got.Get(); ok && x.constant {
				return incident.Known(value, incident.Assumed)
			} else if ok {
				return got
			}
			reason = got.Why()
		}
		if why == "" {
			why = reason
		}
	}
	delete(e.Fields, path)
	return incident.NotKnown[T](why)
}

// identify reads the id, without which an alert is not known again.
func (e reading) identify(a *incident.Alert) {
	id := read(e, "id", e.Identity)
	if a.ID = id.String(); !id.IsKnown() {
		a.ID = ""
		e.Fail("", "has no id: %s", e.at("id", id.Why()))
	}
}

// host reads the host. Only an alert that starts nothing may be without one.
func (e reading) host(a *incident.Alert, silent bool) {
	why := ""
	for _, path := range []string{"host.id", "host.name", "host.ip"} {
		if reason := e.choose(path); why == "" {
			why = reason
		}
	}
	a.Host = e.Host([]string{"host.id"}, []string{"host.name"}, []string{"host.ip"})
	a.Host.OS = read(e, "host.os", e.OS)
	if !silent && !alerts.HostID(a.Host).IsKnown() {
		e.Fail("", "names no host: %s", cmp.Or(why, "what is there names nobody"))
	}
}

// choose puts the first value of a path that has one into the reader's fields; else it
// says why there is none.
func (e reading) choose(path string) (why string) {
	for _, x := range e.values[path] {
		v, reason := x.Value(e.in)
		if e.Fields[path] = v; alerts.Lookup(e.Fields, path) != nil {
			return ""
		}
		if reason == "" {
			reason = "it has no value"
		}
		if why == "" {
			why = fmt.Sprintf("%s (%s)", reason, x.place)
		}
	}
	return why
}

// at is a reason with the place in the mapping that it is about.
func (e reading) at(path, why string) string {
	if why == "" {
		why = "it has no value"
	}
	return fmt.Sprintf("%s (%s)", why, e.values[path][0].place)
}

// status reads the state. One that is not known does not fire.
func (e reading) status() incident.AlertStatus {
	if len(e.values["status"]) == 0 {
		return incident.Firing
	}
	v := read(e, "status", e.Text)
	word, ok := v.Get()
	if !ok {
		e.Silence(incident.NotAlerting, "whether it fires is not known: %s", e.at("status", v.Why()))
		return incident.Firing
	}
	status, ok := alerts.StatusOf(word)
	if !ok {
		e.Silence(incident.NotAlerting, "its status %s is none that is known (%s)", alerts.Quote(word), e.values["status"][0].place)
		return incident.Firing
	}
	return status
}

// silence decides whether the alert starts anything, and reports whether it does not.
func (e reading) silence() bool {
	before := e.Silenced()
	if ours, ok, why := e.condition("ours"); !ok {
		e.Silence(incident.NotAlerting, "whether a machine of ours sends is not known: %s", why)
	} else if !ours {
		e.Silence(incident.NotAlerting, "no machine of ours sends (%s)", e.values["ours"][0].place)
	}
	for i, x := range e.exceptions {
		status := incident.NotAlerting
		if x.Status != "" {
			status = incident.AlertStatus(x.Status)
		}
		if holds, ok, why := e.condition(fmt.Sprintf("starts_nothing[%d].when", i)); !ok {
			e.Silence(status, "not known is whether %s: %s", x.Because, why)
		} else if holds {
			e.Silence(status, "%s", x.Because)
		}
	}
	return before || e.Silenced()
}

// condition evaluates a condition: only true and false answer it.
func (e reading) condition(path string) (holds, known bool, why string) {
	for _, x := range e.values[path] {
		v, reason := x.Value(e.in)
		if holds, is := v.(bool); is && reason == "" {
			return holds, true, ""
		}
		if reason == "" {
			reason = "it is " + alerts.KindOf(v) + ", not true or false"
		}
		if why == "" {
			why = fmt.Sprintf("%s (%s)", reason, x.place)
		}
	}
	return false, false, why
}
