// Package alerts is what the sources of alerts share: a [Spec] describes a kind of
// source, and a [Reader] takes values out of one alert. It never trusts a body:
// any content ends as data in an alert or as a [FieldError]. Each alert of a
// request is read alone: one that is wrong takes nothing from the others.
package alerts

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Spec describes one kind of alert source: what a product posts, and how an alert
// is read out of it. The configuration, the receiver, the documents and the
// contract suite read it: there is no second list.
type Spec struct {
	// Kind is the name in stanch.yaml; kinds of sources have a name space of their
	// own.
	Kind string
	// Summary says in a line what posts such bodies.
	Summary string
	// Doc says how the host and the fields are read, in Markdown, for the
	// generated reference.
	Doc string
	// Identity and Occurrence describe by what an alert is known again, and one
	// occurrence of it, for the generated reference.
	Identity, Occurrence string
	// Example is a body with one alert, synthetic.
	Example string
	// Varies are the texts of Example that another alert of another host has otherwise, each
	// followed by what [Spec.Another] makes of it; Mapped is the file that reads Example, where
	// Map is set.
	Varies []string
	Mapped string
	// Fields says which values Read takes from where; nil where Doc names every
	// path.
	Fields Fields
	// Split finds the alerts in a body, each with its place in it.
	Split func(body json.RawMessage) ([]Document, *FieldError)
	// Join makes a body that Split takes apart into just these documents; nil
	// means {"alerts": [...]}.
	Join func(documents []Document) []byte
	// Read reads one alert. What it cannot read is unknown, never zero.
	Read func(r *Reader, d Document) incident.Alert
	// Began names the fields that say when this occurrence of the alert began,
	// where that is not its time, and Updated those that say when it was changed
	// last.
	Began, Updated []string
	// Map, where it is set, makes the Spec of a source that is read by a file, which the
	// source must name: its path, for messages, and its content. An error about the
	// content is playbooks.Issues.
	Map func(path string, data []byte) (Spec, error)
}

// Source is one place that alerts come from, as stanch.yaml names it.
type Source struct {
	Spec
	// Name is the key in stanch.yaml and the end of the URL.
	Name string
	// Category and OS are those of alerts that do not say one.
	Category, OS string
	// Window is the time that the counts of an alert cover that does not say it; zero is
	// not known.
	Window time.Duration
	// Rules are the settings of alerts of single rules, by the rule's name. They go before
	// those of the source.
	Rules map[string]Rule
	// Home are the site's own networks, for alerts of sensors that see both ends of a
	// connection and do not say which is ours.
	Home []netip.Prefix
	// Cut are keys whose values are secrets, besides those that are known; see
	// [Source.Secretless].
	Cut []string
}

// Rule are the settings of the alerts of one rule that do not say it themselves.
type Rule struct {
	Category string        `yaml:"category" doc:"The category of its alerts that do not say one; recorded as assumed."`
	Window   time.Duration `yaml:"window" doc:"The time that the counts of its alerts cover, as the rule is written in the SIEM; recorded as assumed."`
}

// The bounds of one request. A command line, and any other text that
// the owner of a process writes, is cut to what Windows takes at most; it alone makes no
// alert too large.
const (
	MaxAlerts      = 1000
	MaxAlertBytes  = 256 << 10
	maxName        = 255
	MaxCommandLine = 32 << 10
)

// FieldError says which field of a request is wrong. Path is empty when it is
// the body as a whole.
type FieldError struct {
	Path    string `json:"path"`
	Problem string `json:"problem"`
}

func (e *FieldError) Error() string {
	if e.Path == "" {
		return e.Problem
	}
	return e.Path + ": " + e.Problem
}

// Wrong is the problem of the field at path, which is empty for the whole body.
func Wrong(path, format string, args ...any) *FieldError {
	return &FieldError{Path: path, Problem: fmt.Sprintf(format, args...)}
}

// Document is one alert as received: its place in the body, its bytes, its
// fields where they were decoded already, the state that the container gives it,
// and what of the rest of the body its kind reads.
type Document struct {
	Path   string
	Raw    json.RawMessage
	Fields map[string]any
	Status string
	Around any
}

// Parse turns a request's body into the alerts that it holds. The error is a
// [*FieldError] about the body as a whole. The body is not changed. What is kept of it
// holds no secrets any more: they are cut after the alerts were read.
func (s Source) Parse(body []byte, now time.Time) ([]Parsed, error) {
	documents, bad := s.Split(clean(body))
	if bad != nil {
		return nil, bad
	}
	parsed := make([]Parsed, 0, min(len(documents), MaxAlerts+1))
	for i, d := range documents {
		if i == MaxAlerts {
			rest := documents[i:]
			return append(parsed, Parsed{
				Index: i, Body: s.Secretless(s.Together(rest)),
				Wrong: Wrong(d.Path, "is one of %d beyond the %d alerts that a request may hold", len(rest), MaxAlerts),
			}), nil
		}
		kept := s.Secretless(d.Raw)
		a, bad := s.alert(d, kept, now)
		d.Raw = kept
		p := Parsed{Index: i, Alert: a, Wrong: bad, Body: s.Together([]Document{d})}
		if bad != nil {
			p.Pointer = s.pointerAlone(p.Body, d.Path, bad.Path)
		}
		parsed = append(parsed, p)
	}
	return parsed, nil
}

// Parsed is one alert of a request.
type Parsed struct {
	// Index is its place in the request, from 0.
	Index int
	// Alert is what was read. Where Wrong is set it may lack anything, also the
	// id.
	Alert incident.Alert
	// Wrong is why it cannot be taken, and Pointer where in Body that is, as [Pointer] has
	// it.
	Wrong   *FieldError
	Pointer string
	// Body is a request that holds it alone, without its secrets.
	Body []byte
}

// Together is the body of a request that holds these documents and no others.
func (s Spec) Together(documents []Document) []byte {
	if s.Join != nil {
		return s.Join(documents)
	}
	if len(documents) == 1 {
		return documents[0].Raw
	}
	// The documents were decoded from JSON, so they encode.
	data, _ := json.Marshal(map[string]any{"alerts": raws(documents)})
	return data
}

// JoinList makes a body that is one document, or a list of several.
func JoinList(documents []Document) []byte {
	if len(documents) == 1 {
		return documents[0].Raw
	}
	data, _ := json.Marshal(raws(documents))
	return data
}

func raws(documents []Document) []json.RawMessage {
	list := make([]json.RawMessage, 0, len(documents))
	for _, d := range documents {
		list = append(list, d.Raw)
	}
	return list
}

// alert reads a document, of which kept is what is kept.
func (s Source) alert(d Document, kept []byte, now time.Time) (incident.Alert, *FieldError) {
	if d.Fields == nil {
		var bad *FieldError
		if d.Fields, bad = Decode(d.Path, d.Raw); bad != nil {
			return incident.Alert{}, bad
		}
	}
	r := &Reader{at: d.Path, Fields: d.Fields, home: s.Home}
	a := s.Read(r, d)
	if s := r.silence(); s.why != "" && a.Status == incident.Firing {
		a.Status, a.StatusWhy = s.status, s.why
	}
	a.Source, a.ReceivedAt, a.Raw = s.Name, now, kept
	if short, changed := shortDocument(d.Fields); changed {
		a.Raw = s.Secretless(short)
	}
	switch {
	case len(a.Raw) > MaxAlertBytes:
		return a, Wrong(d.Path, "is %d bytes, more than %d", len(d.Raw), MaxAlertBytes)
	case r.bad != nil:
		return a, r.bad
	}
	if a.ID == "" {
		a.ID = s.contentID(d.Fields)
	}
	a.Host.ID = HostID(a.Host)
	doubtSelf(&a)
	a.Host.Doubts = append(a.Host.Doubts, *r.apart()...)
	if key, ok := twice(d.Raw); ok {
		a.Host.Doubts = append(a.Host.Doubts, fmt.Sprintf("the alert has the key %s twice in one object: which of the values is meant is not known", Quote(key)))
	}
	s.assume(&a)
	incident.Explain(&a, "the alert does not say")
	began := r.Instant(s.Began...)
	if !began.IsKnown() {
		began = a.Time
	}
	a.UpdatedAt, _ = r.Instant(s.Updated...).Get()
	if at, ok := began.Get(); ok {
		// What relays on the way write has no more digits than these.
		began = incident.Known(at.Truncate(time.Millisecond), began.From())
	}
	a.Prints = a.Fingerprints(began)
	return a, checkNames(d.Path, a)
}

// assume fills in what the alert left open and the configuration has. A value of the
// alert that cannot be read is not open.
func (s Source) assume(a *incident.Alert) {
	name, _ := a.Rule.Get()
	rule := s.Rules[name]
	if v := a.Category; !v.IsKnown() && v.Why() == "" {
		a.Category = incident.Categories().Of(incident.Said(cmp.Or(rule.Category, s.Category), incident.Assumed))
	}
	if d := cmp.Or(rule.Window, s.Window); d > 0 && !a.Window.IsKnown() && a.Window.Why() == "" {
		a.Window = incident.Known(d, incident.Assumed)
	}
	if v := a.Host.OS; !v.IsKnown() && v.Why() == "" {
		a.Host.OS = incident.OSes().Of(incident.Said(s.OS, incident.Assumed))
	}
}

// doubtSelf puts in doubt a host that is its own destination: the alert mixes up
// the ends of the connection.
func doubtSelf(a *incident.Alert) {
	to, _ := a.Destination.IP.Get()
	ips, _ := a.Host.IP.Get()
	if ip, _ := netip.ParseAddr(to); ip.IsLoopback() || to != "" && slices.Contains(ips, to) {
		a.Host.Doubts = append(a.Host.Doubts, fmt.Sprintf("the destination %s is the host itself: which end sends is not known", to))
	}
}

// HostID is the identifier by which the alert names the host: the source's own
// id, else the name, else the first address.
func HostID(h incident.AlertHost) incident.Value[string] {
	if h.ID.IsKnown() {
		return h.ID
	}
	if name, ok := h.Name.Get(); ok {
		return incident.Known(name, incident.Computed)
	}
	if ips, ok := h.IP.Get(); ok {
		return incident.Known(ips[0], incident.Computed)
	}
	return incident.NotKnown[string]("the alert names no host")
}

// contentID identifies an alert that has no id of its own: the same content
// gives the same id, regardless of the order of its keys. The status is left out,
// so that the news that an alert is resolved meets the alert, and so are secrets: what is
// kept of a rejected alert, and is read again, has none.
func (s Source) contentID(fields map[string]any) string {
	stable := maps.Clone(fields)
	delete(stable, "status")
	for key, v := range stable {
		c := cutter{also: s.Cut}
		stable[key] = c.withoutSecrets(v, c.secret(key))
	}
	return "sha256:" + Digest(stable)[:32]
}

// Digest is the SHA-256 of a value that was decoded from JSON, in hex; the order
// of keys makes no difference.
func Digest(v any) string {
	// Maps that were decoded from JSON always encode, keys sorted.
	data, _ := json.Marshal(v)
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// checkNames refuses identifiers that no object can have: they become
// part of workflow ids and URLs.
func checkNames(path string, a incident.Alert) *FieldError {
	hostID, _ := a.Host.ID.Get()
	hostName, _ := a.Host.Name.Get()
	category, _ := a.Category.Get()
	for _, n := range []struct{ field, text string }{{"id", a.ID}, {"host.id", hostID}, {"host.name", hostName}, {"category", category}} {
		if len(n.text) > maxName {
			return Wrong(Join(path, n.field), "is %d bytes, more than %d", len(n.text), maxName)
		}
		if strings.ContainsFunc(n.text, unicode.IsControl) {
			return Wrong(Join(path, n.field), "holds a control character")
		}
	}
	return nil
}
