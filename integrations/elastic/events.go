package elastic

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// maxRows is how many events are asked for at once: what a cluster returns at most by
	// default, its setting index.max_result_window.
	maxRows = 10_000
	// maxLooks bounds the pages of events that are looked through.
	maxLooks = 8
	// maxEntities bounds the processes of one look-up of what they are.
	maxEntities = 1000
	// maxPIDs bounds the process ids of one query.
	maxPIDs = 1000
	// startedWithin is how far back the start of a process is looked for, and recent how far
	// back it is looked for at once, before it is known which processes are wanted.
	startedWithin = 30 * 24 * time.Hour
	recent        = 7 * 24 * time.Hour
	// maxRecent bounds the starts that are looked for at once.
	maxRecent = 1000
)

// dialect is how one kind of agent writes its events in the Elastic Common Schema.
type dialect struct {
	// says begins the reason for which something is unknown.
	says string
	// connections and starts are the events of those.
	connections, starts query
	// ended are the values of event.action of a connection's end.
	ended []string
	// session is the field of the logon session.
	session string
	// ancestry is the field with the ids of the processes that led to one, the parent's
	// first; empty where there is none.
	ancestry string
}

// events are the events of the endpoints in a cluster.
type events struct {
	searcher
	dialect
	// networks, processes and scripts are the indices of connections, of starts and of
	// PowerShell's log.
	networks, processes, scripts []string
	// page is how many events are asked for at once.
	page int
}

// within checks the window and the limit of a query.
func within(op string, from, to time.Time, limit int) error {
	if limit <= 0 || !from.Before(to) {
		return integrations.Errorf(integrations.Invalid, op, "the query has no time or no limit")
	}
	return nil
}

func processFields() []string {
	return []string{
		"process.entity_id", "process.executable", "process.name", "process.pid", "process.command_line", "process.hash.sha256",
		"process.parent.executable", "process.parent.entity_id", "process.code_signature.exists", "process.code_signature.trusted",
		"process.code_signature.subject_name", "user.domain", "user.name", "event.action", "event.code",
	}
}

func (e events) processFields() []string {
	names := append(processFields(), e.session)
	if e.ancestry != "" {
		names = append(names, e.ancestry)
	}
	return names
}

func (e events) value(text string) incident.Value[string] {
	if text == "" {
		return incident.NotKnown[string](e.says + " does not say")
	}
	return incident.Known(text, incident.FromEDR)
}

// process is the process of an event, as far as the event tells of it.
func (e events) process(r row) incident.Process {
	p := incident.Process{
		Path: e.value(r.text("process.executable")), Name: e.value(r.text("process.name")), CommandLine: e.value(r.text("process.command_line")),
		User: e.value(accountOf(r.text("user.domain"), r.text("user.name"))), Session: e.value(r.text(e.session)),
		PID: incident.NotKnown[int64](e.says + " does not say"), SHA256: e.value(strings.ToLower(r.text("process.hash.sha256"))),
		Parent: e.value(r.text("process.parent.executable")), Parents: e.value(r.text("process.parent.executable")),
		Started: incident.NotKnown[time.Time](e.says + " has no event of its start"),
		Script:  e.value(""), ScriptText: e.value(""),
	}
	if pid, ok := r.number("process.pid"); ok && pid > 0 {
		p.PID = incident.Known(pid, incident.FromEDR)
	}
	p.Signed, p.Signer = e.signature(r)
	return p
}

// signature is whether the image carries a signature that the agent trusts, and whose.
func (e events) signature(r row) (signed incident.Value[bool], signer incident.Value[string]) {
	signer = e.value(r.text("process.code_signature.subject_name"))
	exists, trusted := r.text("process.code_signature.exists"), r.text("process.code_signature.trusted")
	switch {
	case exists == "false":
		return incident.Known(false, incident.FromEDR), incident.NotKnown[string]("the image is not signed")
	case exists == "true" && (trusted == "true" || trusted == "false"):
		return incident.Known(trusted == "true", incident.FromEDR), signer
	}
	return incident.NotKnown[bool](e.says + " does not say whether the signature is trusted"), signer
}

// accountOf is an account as Windows writes it.
func accountOf(domain, name string) string {
	if domain == "" || name == "" {
		return name
	}
	return domain + `\` + name
}

// entities are the starts of processes by the agent's id of the process.
type entities map[string]row

// recently are the newest starts of processes before a time, the newest first. Most processes
// that are asked about are among them, and need no search of their own. Those that are not
// are searched for by id, so that its failure is no loss: that search tells of it.
func (e events) recently(ctx context.Context, op string, host query, from, to time.Time) []row {
	rows, err := e.search(ctx, op, e.processes, false, newest(maxRecent, e.processFields(), host, stamped(from.Add(-recent), to), e.starts))
	if err != nil {
		return nil
	}
	return rows
}

func entitiesOf(rows []row) entities {
	known := entities{}
	for _, r := range rows {
		if id := r.text("process.entity_id"); id != "" {
			known[id] = r
		}
	}
	return known
}

// learn looks up the starts of the processes of rows, and of those that led to them, that
// are not known.
func (e events) learn(ctx context.Context, op string, host query, rows []row, known entities, to time.Time) error {
	var wanted []string
	for _, r := range rows {
		ids := append([]string{r.text("process.entity_id")}, e.ancestors(r)...)
		for _, id := range ids {
			if _, there := known[id]; id != "" && !there && len(wanted) < maxEntities && !slices.Contains(wanted, id) {
				wanted = append(wanted, id)
			}
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	// A process has one start; where there are more, the rows are enough all the same.
	found, err := e.search(ctx, op, e.processes, false,
		newest(maxRows, e.processFields(), host, stamped(to.Add(-startedWithin), to), e.starts, oneOf("process.entity_id", wanted)))
	if err != nil {
		return err
	}
	maps.Copy(known, entitiesOf(found))
	return nil
}

// starts reports whether an event is the start of its process.
func (r row) starts() bool {
	return r.text("event.action") == "start" || r.text("event.action") == "exec" || r.text("event.code") == "1"
}

// ancestors are the ids of the processes that led to that of an event, the parent's first.
func (e events) ancestors(r row) []string {
	if e.ancestry != "" {
		if ids := r.texts(e.ancestry); len(ids) > 0 {
			return ids[:min(len(ids), maxAncestors)]
		}
	}
	if id := r.text("process.parent.entity_id"); id != "" {
		return []string{id}
	}
	return nil
}

// maxAncestors bounds how many images that led to a process are told.
const maxAncestors = 5

// complete is the process of an event, with what its start and its ancestors' tell.
func (e events) complete(r row, known entities) incident.Process {
	p := e.process(r)
	if start, ok := known[r.text("process.entity_id")]; ok {
		of := e.process(start)
		of.PID, of.Path = first(p.PID, of.PID), first(p.Path, of.Path)
		of.Signed, of.Signer = first(of.Signed, p.Signed), first(of.Signer, p.Signer)
		of.User, of.Session = first(of.User, p.User), first(of.Session, p.Session)
		p = of
		if at := start.at(); !at.IsZero() {
			p.Started = incident.Known(at, incident.FromEDR)
		}
		r = start
	}
	p.Parent, p.Parents = e.lineage(r, known)
	return p
}

func first[T any](a, b incident.Value[T]) incident.Value[T] {
	if a.IsKnown() {
		return a
	}
	return b
}

// lineage are the images that led to the process of an event.
func (e events) lineage(r row, known entities) (parent, parents incident.Value[string]) {
	var images []string
	if image := r.text("process.parent.executable"); image != "" {
		images = append(images, image)
	}
	for i, id := range e.ancestors(r) {
		start, ok := known[id]
		if i < len(images) {
			// The event itself names the parent's image; its start names the next one.
			if grand := start.text("process.parent.executable"); ok && grand != "" {
				images = append(images, grand)
			}
			continue
		}
		if image := start.text("process.executable"); ok && image != "" {
			images = append(images, image)
			continue
		}
		break
	}
	if len(images) == 0 {
		return e.value(""), e.value("")
	}
	return e.value(images[0]), e.value(strings.Join(images, " < "))
}
