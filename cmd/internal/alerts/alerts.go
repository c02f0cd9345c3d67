// Package alerts reads what SIEMs send: it proves who sent a request and turns
// the body into alerts. It never trusts a body: whatever is in it ends as data
// in an alert or as a [FieldError]. Each alert of a request stands alone: one
// that is wrong takes nothing from the others.
package alerts

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Source is one place that alerts come from, as stanch.yaml names it.
type Source struct {
	// Name is the key in stanch.yaml and the end of the URL.
	Name     string `yaml:"-"`
	Kind     string `yaml:"kind" doc:"What the body looks like: stanch, elastic or splunk."`
	Auth     Auth   `yaml:"auth" doc:"How senders prove themselves. Without it every request is refused."`
	Category string `yaml:"category" doc:"The category of alerts that do not say one; recorded as assumed."`
	OS       string `yaml:"os" doc:"The operating system of hosts for which the alert does not say one; recorded as assumed."`
	Rate     Rate   `yaml:"rate" doc:"How many requests are taken, such as 50/s. Without it there is no limit."`
}

// Rate is a number of requests per second; 0 is no limit.
type Rate float64

// UnmarshalText reads 50/s, 100/m or 1000/h.
func (r *Rate) UnmarshalText(text []byte) error {
	count, unit, _ := strings.Cut(string(text), "/")
	n, err := strconv.ParseUint(count, 10, 31)
	seconds, ok := map[string]float64{"s": 1, "m": 60, "h": 3600}[unit]
	if err != nil || n == 0 || !ok {
		return fmt.Errorf("rate %q is not one: write 50/s, 100/m or 1000/h", text)
	}
	*r = Rate(float64(n) / seconds)
	return nil
}

// The bounds of what one request may hold. A command line, and what else whoever
// runs a process writes, is cut to what Windows takes at most; it alone makes no
// alert too large.
const (
	MaxAlerts      = 1000
	MaxAlertBytes  = 256 << 10
	maxName        = 255
	maxCommandLine = 32 << 10
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

func wrong(path, format string, args ...any) *FieldError {
	return &FieldError{Path: path, Problem: fmt.Sprintf(format, args...)}
}

// document is one alert as it came: where it stood in the body, its bytes, its
// fields where they were decoded already, and what the container says of its
// state.
type document struct {
	path   string
	raw    json.RawMessage
	fields map[string]any
	status string
}

// parser is one kind of body: how alerts are found in it, and how one is read.
// Began names the fields that say when this occurrence of the alert began, where
// that is not its time, and updated those that say when it was changed last.
type parser struct {
	split          func(body json.RawMessage) ([]document, *FieldError)
	read           func(r *reader, d document) incident.Alert
	began, updated []string
}

func parsers() map[string]parser {
	return map[string]parser{
		"stanch":  {split: splitStanch, read: readStanch, updated: []string{"updated"}},
		"elastic": {split: splitElastic, read: readElastic, began: []string{"kibana.alert.start"}, updated: []string{"kibana.alert.updated_at", "@timestamp"}},
		"splunk":  {split: splitSplunk, read: readSplunk},
	}
}

// Kinds lists the kinds of sources, sorted.
func Kinds() []string { return slices.Sorted(maps.Keys(parsers())) }

// Parse turns a request's body into the alerts that it holds. The error is a
// [*FieldError] about the body as a whole, except for a kind that does not
// exist.
func (s Source) Parse(body []byte, now time.Time) ([]Parsed, error) {
	p, ok := parsers()[s.Kind]
	if !ok {
		return nil, fmt.Errorf("source %s: there is no kind %q; there are %s", s.Name, s.Kind, strings.Join(Kinds(), ", "))
	}
	documents, bad := p.split(clean(body))
	if bad != nil {
		return nil, bad
	}
	parsed := make([]Parsed, 0, min(len(documents), MaxAlerts+1))
	for i, d := range documents {
		if i == MaxAlerts {
			rest := documents[i:]
			return append(parsed, Parsed{
				Index: i, Body: s.together(rest),
				Wrong: wrong(d.path, "is one of %d beyond the %d alerts that a request may hold", len(rest), MaxAlerts),
			}), nil
		}
		a, bad := s.alert(p, d, now)
		parsed = append(parsed, Parsed{Index: i, Alert: a, Wrong: bad, Body: s.together(documents[i : i+1])})
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
	// Wrong says why it is no alert that can be taken.
	Wrong *FieldError
	// Body is a request that holds it alone.
	Body []byte
}

// together is the body of a request that holds these documents and no others.
func (s Source) together(documents []document) []byte {
	if len(documents) == 1 && documents[0].status == "" {
		return documents[0].raw
	}
	type group struct {
		Data []json.RawMessage `json:"data"`
	}
	var list []json.RawMessage
	groups := map[string]group{}
	for _, d := range documents {
		list = append(list, d.raw)
		if d.status != "" {
			groups[d.status] = group{append(groups[d.status].Data, d.raw)}
		}
	}
	var body any = map[string]any{"alerts": list}
	switch {
	case len(groups) > 0:
		body = map[string]any{"alerts": groups}
	case s.Kind == "splunk":
		body = list
	}
	// The documents were decoded from JSON, so they encode.
	data, _ := json.Marshal(body)
	return data
}

func (s Source) alert(p parser, d document, now time.Time) (incident.Alert, *FieldError) {
	if d.fields == nil {
		var bad *FieldError
		if d.fields, bad = decode(d.path, d.raw); bad != nil {
			return incident.Alert{}, bad
		}
	}
	r := &reader{at: d.path, fields: d.fields}
	a := p.read(r, d)
	a.Source, a.ReceivedAt, a.Raw = s.Name, now, d.raw
	cutDocument(&a, d.fields)
	switch {
	case len(a.Raw) > MaxAlertBytes:
		return a, wrong(d.path, "is %d bytes, more than %d", len(d.raw), MaxAlertBytes)
	case r.bad != nil:
		return a, r.bad
	}
	if a.ID == "" {
		a.ID = contentID(d.fields)
	}
	a.Host.ID = hostID(a.Host)
	doubtSelf(&a)
	s.assume(&a)
	incident.Explain(&a, "the alert does not say")
	began := r.instant(p.began...)
	if !began.IsKnown() {
		began = a.Time
	}
	a.UpdatedAt, _ = r.instant(p.updated...).Get()
	a.Prints = a.Fingerprints(began)
	return a, checkNames(d.path, a)
}

// assume fills in what the alert left open and the configuration knows. What the
// alert says and nobody understands is not open.
func (s Source) assume(a *incident.Alert) {
	if v := a.Category; !v.IsKnown() && v.Why() == "" {
		a.Category = incident.Categories().Of(incident.Said(s.Category, incident.Assumed))
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
	if to != "" && slices.Contains(ips, to) {
		a.Host.Doubts = append(a.Host.Doubts, fmt.Sprintf("the destination %s is the host itself: which end sends is not known", to))
	}
}

// hostID is the identifier by which the alert names the host: the source's own
// id, else the name, else the first address.
func hostID(h incident.AlertHost) incident.Value[string] {
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
// gives the same id, whatever the order of its keys. The status is left out,
// so that the news that an alert is resolved meets the alert.
func contentID(fields map[string]any) string {
	stable := maps.Clone(fields)
	delete(stable, "status")
	return "sha256:" + digest(stable)[:32]
}

func digest(v any) string {
	// Maps that were decoded from JSON always encode, keys sorted.
	data, _ := json.Marshal(v)
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// checkNames refuses identifiers that cannot be those of a thing: they become
// part of workflow ids and URLs.
func checkNames(path string, a incident.Alert) *FieldError {
	hostID, _ := a.Host.ID.Get()
	hostName, _ := a.Host.Name.Get()
	for _, n := range []struct{ field, text string }{{"id", a.ID}, {"host.id", hostID}, {"host.name", hostName}} {
		if len(n.text) > maxName {
			return wrong(join(path, n.field), "is %d bytes, more than %d", len(n.text), maxName)
		}
		if strings.ContainsFunc(n.text, unicode.IsControl) {
			return wrong(join(path, n.field), "holds a control character")
		}
	}
	return nil
}
