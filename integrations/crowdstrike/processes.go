package crowdstrike

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// recent is how long before its connections a process is looked for at once. Older ones
	// are looked for by their ids among the events of the time before, kept, whenever they
	// were started, ever: a sensor tells again of what ran when it came.
	recent, kept, ever = 7 * 24 * time.Hour, 30 * 24 * time.Hour, 10 * 365 * 24 * time.Hour
	// maxParents bounds the parents of a process.
	maxParents = 8
	// maxStarts bounds the starts that are looked for at once.
	maxStarts = 1000
	// perQuery bounds the ids in one query: its text must not get too long.
	perQuery = 500
)

// starts are starts of processes by Falcon's id of the process, which is not that of the
// operating system.
type starts map[string]row

func startEvents() []string { return []string{"ProcessRollup2", "SyntheticProcessRollup2"} }

func startFields() []string {
	return []string{
		"TargetProcessId", "ParentProcessId", "RawProcessId", "ImageFileName", "CommandLine", "UserName", "UserSid",
		"SessionId", "SHA256HashData", "ParentBaseFileName",
	}
}

// started asks for the newest starts in [from, to).
func (f *Falcon) started(ctx context.Context, op string, a agentID, from, to time.Time, limit int, where ...string) (starts, error) {
	return f.startsOf(ctx, question{op: op, agent: a, from: from, to: to, where: where, limit: limit})
}

// everStarted asks for the newest starts before a time, of processes that a filter names.
func (f *Falcon) everStarted(ctx context.Context, op string, a agentID, to time.Time, limit int, where string) (starts, error) {
	return f.startsOf(ctx, question{op: op, agent: a, from: to.Add(-ever), since: to.Add(-kept), to: to, where: []string{where}, limit: limit})
}

// startsOf asks for starts. Of one that is told twice the first telling counts.
func (f *Falcon) startsOf(ctx context.Context, q question) (starts, error) {
	q.events, q.stamp, q.fields = startEvents(), "ProcessStartTime", startFields()
	rows, err := f.rows(ctx, q)
	found := starts{}
	for _, r := range rows {
		found[string(r["TargetProcessId"])] = r
	}
	return found, err
}

// complete looks for the starts of processes that are not among those known, and then
// for the starts of their parents. What the telemetry does not have stays missing.
func (f *Falcon) complete(ctx context.Context, op string, a agentID, to time.Time, known starts, ids []string) error {
	for range 2 {
		missing := known.missing(ids)
		if len(missing) == 0 {
			return nil
		}
		for some := range slices.Chunk(missing, perQuery) {
			found, err := f.everStarted(ctx, op, a, to, len(some)*2, anyOf("TargetProcessId", some))
			if err != nil {
				return err
			}
			for _, id := range some {
				if _, ok := found[id]; !ok {
					found[id] = row{} // It is not looked for again.
				}
			}
			maps.Copy(known, found)
		}
	}
	return nil
}

// missing are the processes, and the parents of those that are known, of which no start
// is known, sorted.
func (s starts) missing(ids []string) []string {
	none := map[string]bool{}
	for _, id := range ids {
		for range maxParents + 1 {
			r, ok := s[id]
			if !ok && number(id) {
				none[id] = true
			}
			if id = string(r["ParentProcessId"]); !ok || id == "" {
				break
			}
		}
	}
	return slices.Sorted(maps.Keys(none))
}

// number reports whether a text is a number as Falcon writes ids of processes.
func number(text string) bool {
	n, err := strconv.ParseUint(text, 10, 64)
	return err == nil && n > 0
}

// process is a process in our words, by Falcon's id of it. The name is what an event of
// it says of it, for one whose start is not known.
func (s starts) process(id string, name text) incident.Process {
	r := s[id]
	if len(r) == 0 {
		return unstarted(name)
	}
	p := incident.Process{
		Path: told(r["ImageFileName"], "the image"), Name: told(text(base(string(r["ImageFileName"]))), "the image"),
		CommandLine: told(r["CommandLine"], "the command line"), User: told(r["UserName"], "the account"),
		Session: told(r["SessionId"], "the session"), PID: incident.NotKnown[int64]("the sensor does not tell the process id"),
		SHA256:     told(text(sha256Of(string(r["SHA256HashData"]))), "the image's digest"),
		Script:     incident.NotKnown[string]("the sensor reported no script of the process"),
		ScriptText: incident.NotKnown[string]("the sensor reported no script of the process"),
		Signed:     incident.NotKnown[bool]("what Falcon's flags for signatures mean is not documented"),
		Signer:     incident.NotKnown[string]("Falcon does not tell who signed an image"),
		Started:    incident.NotKnown[time.Time]("the sensor does not tell when it was started"),
	}
	if !p.User.IsKnown() {
		p.User = told(r["UserSid"], "the account")
	}
	if pid, err := strconv.ParseInt(string(r["RawProcessId"]), 10, 64); err == nil {
		p.PID = incident.Known(pid, incident.FromEDR)
	}
	if at := when(r["ProcessStartTime"]); !at.IsZero() {
		p.Started = incident.Known(at, incident.FromEDR)
	}
	s.family(&p, r)
	return p
}

// family sets who started the process.
func (s starts) family(p *incident.Process, r row) {
	var line []string
	met := map[string]bool{string(r["TargetProcessId"]): true}
	for id := string(r["ParentProcessId"]); len(line) < maxParents && !met[id]; id = string(s[id]["ParentProcessId"]) {
		image := string(s[id]["ImageFileName"])
		if image == "" {
			break
		}
		met[id] = true
		line = append(line, image)
	}
	if len(line) == 0 {
		why := "the start of the parent is not in the telemetry"
		if name := r["ParentBaseFileName"]; name != "" {
			why += "; its name is " + strconv.Quote(httpx.Line(string(name)))
		}
		p.Parent, p.Parents = incident.NotKnown[string](why), incident.NotKnown[string](why)
		return
	}
	p.Parent = incident.Known(line[0], incident.FromEDR)
	p.Parents = incident.Known(strings.Join(line, " < "), incident.FromEDR)
}

// unstarted is a process of whose start nothing is known.
func unstarted(name text) incident.Process {
	const why = "the start of the process is not in the telemetry"
	no := incident.NotKnown[string](why)
	p := incident.Process{
		Path: no, Name: no, CommandLine: no, User: no, Session: no, SHA256: no, Script: no, ScriptText: no, Signer: no, Parent: no, Parents: no,
		PID: incident.NotKnown[int64](why), Signed: incident.NotKnown[bool](why), Started: incident.NotKnown[time.Time](why),
	}
	if name != "" {
		p.Name = incident.Known(string(name), incident.FromEDR)
	}
	return p
}

// told is a text of an event, or unknown: what is missing there, the sensor does not tell.
func told(value text, what string) incident.Value[string] {
	if value == "" {
		return incident.NotKnown[string]("the sensor does not tell " + what)
	}
	return incident.Known(string(value), incident.FromEDR)
}

// base is the last part of a path.
func base(path string) string { return path[strings.LastIndexAny(path, `\/`)+1:] }

// sha256Of is a digest in small letters; empty where there is none. A sensor that has
// not computed it writes zeros.
func sha256Of(text string) string {
	if len(text) != 64 || strings.Trim(text, "0") == "" {
		return ""
	}
	return strings.ToLower(text)
}
