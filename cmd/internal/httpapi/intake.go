package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/engine"
	"github.com/stanch-soar/stanch/cmd/internal/metrics"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/workflows"
)

// add lists a case in the answer, and sums the alerts of one that is listed already.
func add(a *api.Accepted, ref api.CaseRef) {
	at := slices.IndexFunc(a.Cases, func(c api.CaseRef) bool { return c.ID == ref.ID })
	if at < 0 {
		a.Cases = append(a.Cases, ref)
		return
	}
	a.Cases[at].Alerts += ref.Alerts
}

// receive takes alerts from a source.
func (r *Receiver) receive(w http.ResponseWriter, req *http.Request) {
	name := req.PathValue("source")
	start := r.Now()
	accepted, p := r.intake(w, req, name)
	if p != nil {
		r.Metrics.Add(metrics.Alerts, float64(max(1, len(p.Alerts))), r.label(name), p.Kind)
		p.reply(w)
		return
	}
	r.Metrics.Observe(metrics.Intake, r.Now().Sub(start).Seconds(), name)
	r.count(name, accepted)
	reply(w, http.StatusAccepted, accepted)
}

// label keeps names that are not configured out of the metrics.
func (r *Receiver) label(source string) string {
	if _, ok := r.Sources[source]; ok {
		return source
	}
	return "unknown"
}

func (r *Receiver) intake(w http.ResponseWriter, req *http.Request, name string) (_ api.Accepted, p *problem) {
	source := r.Sources[name]
	body, release, p := r.authentic(w, req, name)
	defer release()
	if p != nil {
		return api.Accepted{}, p
	}
	req, end := r.traced(req, "POST /v1/alerts/{source}", attribute.String("stanch.source", name))
	defer func() { end(p) }()
	if !r.limits[name].Allow() {
		p := fail(http.StatusTooManyRequests, "throttled", "more requests than the rate of the source allows: send it again later")
		p.retry = time.Duration(float64(time.Second) / source.Rate)
		return api.Accepted{}, p
	}
	if own := req.Header.Get(httpx.EventHeader); own != "" {
		return api.Accepted{}, fail(http.StatusUnprocessableEntity, "invalid", "this is no alert, but what a Stanch tells others: it starts nothing")
	}
	accepted, err := r.accept(req.Context(), source, body)
	if wrong, ok := errors.AsType[*alerts.FieldError](err); ok {
		return api.Accepted{}, r.notUnderstood(req.Context(), name, body, wrong)
	}
	if err != nil {
		return api.Accepted{}, r.notTaken(req.Context(), name, err)
	}
	return accepted, none(accepted)
}

// none is the answer to a request of which no alert was taken; nil where one
// was.
func none(a api.Accepted) *problem {
	if len(a.Rejected) == 0 || len(a.Cases)+len(a.Recorded)+a.Unkept > 0 {
		return nil
	}
	first := a.Rejected[0]
	p := fail(http.StatusUnprocessableEntity, "rejected", "%s", first.Problem)
	p.Field, p.Rejected, p.Alerts = first.Path, first.ID, a.Rejected
	return p
}

// notTaken is the answer when the engine does not hold the alerts.
func (r *Receiver) notTaken(ctx context.Context, source string, err error) *problem {
	if of, ok := errors.AsType[*caseError](err); ok {
		ctx = integrations.ForCase(ctx, of.id)
	}
	r.Log.ErrorContext(ctx, "alerts were not accepted", "source", source, "error", err)
	if of, ok := errors.AsType[*lookupError](err); ok {
		return of.problem()
	}
	p := fail(http.StatusServiceUnavailable, "unavailable", "the engine did not take the alerts; send them again")
	p.retry = unavailableAfter
	return p
}

// unavailableAfter is the Retry-After of a sender whose alerts the engine does not hold.
const unavailableAfter = 5 * time.Second

// maxKept bounds the stored part of a rejected request: the engine takes no more
// than 2 MiB at once, and it is encoded.
const maxKept = 5 << 18

// notUnderstood stores an authenticated request that is invalid as a whole.
func (r *Receiver) notUnderstood(ctx context.Context, source string, body []byte, wrong *alerts.FieldError) *problem {
	record, err := r.reject(ctx, protocol.RejectedAlert{
		Source: source, Field: wrong.Path, Pointer: alerts.Pointer(body, wrong.Path), Problem: wrong.Problem, Body: body,
	})
	if err != nil {
		return r.notTaken(ctx, source, err)
	}
	p := fail(http.StatusUnprocessableEntity, "rejected", "%s", record.Problem)
	p.Field, p.Rejected = wrong.Path, record.ID
	return p
}

// routed is alerts with their case: the firing ones of a request
// together, every other one alone.
type routed struct {
	in     workflows.CaseInput
	firing bool
	// from are the messages of the alerts, by their place, where several are taken together.
	from []int
	// body is a request with the first of them alone.
	body []byte
}

// caseError is an error of the engine about one case.
type caseError struct {
	id  string
	err error
}

func (e *caseError) Error() string { return e.err.Error() }

func (e *caseError) Unwrap() error { return e.err }

// accept parses, routes and commits. Each alert is handled alone; an error that is
// not an [alerts.FieldError] means that the engine does not hold all of them.
func (r *Receiver) accept(ctx context.Context, source Source, body []byte) (api.Accepted, error) {
	return r.acceptPart(ctx, source, body, incident.DigestOf(body))
}

// acceptPart accepts what may be a part of a body, or lack its secrets; digest is that of
// the body as it came.
func (r *Receiver) acceptPart(ctx context.Context, source Source, body []byte, digest string) (api.Accepted, error) {
	out := api.Accepted{Cases: []api.CaseRef{}}
	groups, rejected, err := r.read(ctx, source, body, digest)
	if err != nil {
		return out, err
	}
	for _, group := range groups {
		if err := r.commit(ctx, group, &out); err != nil {
			return api.Accepted{}, &caseError{group.in.ID, err}
		}
	}
	out.Rejected, err = r.rejectAll(ctx, source.Name, digest, rejected)
	return out, err
}

// read looks up, parses and routes the alerts of a body; rejected are those that cannot be
// taken.
func (r *Receiver) read(ctx context.Context, source Source, body []byte, digest string) (groups []routed, rejected []alerts.Parsed, err error) {
	body, lacks, err := r.lookup(ctx, source, body)
	if err != nil {
		return nil, nil, err
	}
	parsed, err := source.Parse(body, r.Now())
	if err != nil {
		return nil, nil, err
	}
	for i := range parsed {
		parsed[i].Alert.BodyDigest = digest
		in := r.taken(ctx, &parsed[i])
		if parsed[i].Wrong != nil {
			explain(&parsed[i], lacks)
			rejected = append(rejected, parsed[i])
			continue
		}
		firing := parsed[i].Alert.Status == incident.Firing
		at := slices.IndexFunc(groups, func(g routed) bool { return g.in.ID == in.ID && g.firing && firing })
		if at >= 0 {
			groups[at].in.Alerts = append(groups[at].in.Alerts, parsed[i].Alert)
			continue
		}
		in.Alerts = []incident.Alert{parsed[i].Alert}
		groups = append(groups, routed{in: in, firing: firing, body: parsed[i].Body})
	}
	return groups, rejected, nil
}

// taken returns the case of an alert, or notes why it cannot be taken. One that asks for
// no response needs no case: its id may be empty then.
func (r *Receiver) taken(ctx context.Context, p *alerts.Parsed) workflows.CaseInput {
	if p.Wrong != nil {
		return workflows.CaseInput{}
	}
	if !engine.Fits(p.Alert) {
		// Its original document is left out first.
		p.Alert.Raw = nil
	}
	if !engine.Fits(p.Alert) {
		p.Wrong = alerts.Wrong("", "it is larger than %d bytes when it is encoded", engine.MaxAlert)
		return workflows.CaseInput{}
	}
	in, wrong := r.route(ctx, p.Alert)
	if p.Alert.Status == incident.Firing {
		p.Wrong = wrong
	}
	return in
}

// rejectAll stores the alerts of a request that cannot be taken.
func (r *Receiver) rejectAll(ctx context.Context, source, digest string, rejected []alerts.Parsed) ([]api.RejectedRef, error) {
	refs, errs := make([]api.RejectedRef, len(rejected)), make([]error, len(rejected))
	engine.SideBySide(len(rejected), func(i int) {
		p := rejected[i]
		record, err := r.reject(ctx, protocol.RejectedAlert{
			Source: source, Field: p.Wrong.Path, Pointer: p.Pointer, Problem: p.Wrong.Problem, Body: p.Body, BodyDigest: digest,
		})
		refs[i] = api.RejectedRef{Index: p.Index, ID: record.ID, Alert: p.Alert.ID, Path: p.Wrong.Path, Problem: record.Problem}
		errs[i] = err
	})
	return refs, errors.Join(errs...)
}

// former is the id under which a case of today's name may have been opened when
// the dot of the root was part of a subject; it is empty where the alerts do not
// call their host so. A case that is open under it still gets them.
func former(in workflows.CaseInput) string {
	rooted := func(a incident.Alert) bool {
		id, _ := a.Host.ID.Get()
		return strings.HasSuffix(strings.TrimSpace(id), ".")
	}
	if slices.ContainsFunc(in.Alerts, rooted) {
		return in.ID + "."
	}
	return ""
}

// ref is the case that alerts were added to; the run is empty where it is unknown.
func (r *Receiver) ref(id, run string, alerts int) api.CaseRef {
	link := url.URL{Path: "/v1/cases/" + id}
	if run != "" {
		link.RawQuery = url.Values{"run": {run}}.Encode()
	}
	return api.CaseRef{ID: id, Run: run, URL: r.PublicURL + link.String(), Alerts: alerts}
}

func (r *Receiver) commit(ctx context.Context, group routed, out *api.Accepted) error {
	if group.in.ID == "" {
		return r.record(ctx, group, out)
	}
	if id := former(group.in); id != "" {
		joined, err := r.Engine.Tell(ctx, id, group.in.Alerts)
		if err != nil {
			return err
		}
		if joined {
			add(out, r.ref(id, "", len(group.in.Alerts)))
			return nil
		}
	}
	if group.firing {
		went, err := r.Engine.Deliver(ctx, group.in)
		if err != nil {
			return err
		}
		ref := r.ref(group.in.ID, went.Run, len(group.in.Alerts))
		ref.Repeat = went.Repeat
		add(out, ref)
		return nil
	}
	joined, err := r.Engine.Tell(ctx, group.in.ID, group.in.Alerts)
	if err != nil {
		return err
	}
	if joined {
		add(out, r.ref(group.in.ID, "", 1))
		return nil
	}
	return r.record(ctx, group, out)
}

// record stores an alert that asks for no response and that no case hears of.
func (r *Receiver) record(ctx context.Context, group routed, out *api.Accepted) error {
	alone := group.in.Alerts[0]
	state := string(alone.Status)
	if alone.StatusWhy != "" {
		state += " (" + alone.StatusWhy + ")"
	}
	return r.note(ctx, group, protocol.RejectedAlert{
		Source: alone.Source, At: r.Now(),
		Problem: fmt.Sprintf("the alert is %s: recorded, it starts nothing", state), Body: group.body, BodyDigest: alone.BodyDigest,
	}, out)
}

// route finds the playbook and the subject of an alert: the first playbook
// whose trigger holds, else the first whose trigger is unknown, else none.
func (r *Receiver) route(ctx context.Context, a incident.Alert) (workflows.CaseInput, *alerts.FieldError) {
	facts := &incident.Facts{Alert: a}
	var perhaps *playbooks.Playbook
	for _, p := range r.Playbooks() {
		verdict, _, err := p.Match(ctx, facts, r.Now())
		if err != nil {
			r.Log.WarnContext(ctx, "a trigger failed", "playbook", p.Name, "error", err)
			verdict = incident.Unsure
		}
		if verdict == incident.True {
			return r.input(ctx, p, facts)
		}
		if verdict == incident.Unsure && perhaps == nil {
			perhaps = p
		}
	}
	if perhaps != nil {
		return r.input(ctx, perhaps, facts)
	}
	id, known := a.Host.ID.Get()
	subject, err := playbooks.NormalizeSubject(id)
	if !known || err != nil {
		return workflows.CaseInput{}, &alerts.FieldError{Path: "host", Problem: incident.NoPlaybook + ", and the alert names no host"}
	}
	name := r.unmatched()
	return workflows.CaseInput{ID: name + "/" + subject, Subject: subject, Pin: activities.Pin{Name: name, Limited: r.Limited, Replies: r.Replies}}, nil
}

// unmatched is the playbook's place in the id of a case without a playbook:
// not a name of any that is in force.
func (r *Receiver) unmatched() string {
	if slices.ContainsFunc(r.Playbooks(), func(p *playbooks.Playbook) bool { return p.Name == playbooks.Unmatched }) {
		return playbooks.UnmatchedBeside
	}
	return playbooks.Unmatched
}

func (r *Receiver) input(ctx context.Context, p *playbooks.Playbook, facts *incident.Facts) (workflows.CaseInput, *alerts.FieldError) {
	subject, err := p.Subject(ctx, facts, r.Now())
	if err != nil {
		return workflows.CaseInput{}, &alerts.FieldError{Path: p.Trigger.Subject, Problem: "the subject of playbook " + p.Name + " is not known: " + err.Error()}
	}
	pin := activities.PinOf(p)
	pin.Limited, pin.Classes, pin.Replies = r.Limited, r.Classes, r.Replies
	return workflows.CaseInput{ID: p.Name + "/" + subject, Subject: subject, Pin: pin}, nil
}

// reject stores a request without its secrets, and returns what is stored. The same body
// from the same source is stored once; one that is too large is cut, and marked so.
func (r *Receiver) reject(ctx context.Context, record protocol.RejectedAlert) (protocol.RejectedAlert, error) {
	if record.BodyDigest == "" {
		record.BodyDigest = incident.DigestOf(record.Body)
	}
	record.Body = r.Sources[record.Source].Secretless(record.Body)
	record.ID = record.Source + "/" + incident.DigestOf(record.Body)[len("sha256:"):][:16]
	record.At = r.Now()
	if len(record.Body) > maxKept {
		record.Size, record.Body = len(record.Body), record.Body[:maxKept]
		record.Problem += fmt.Sprintf("; the first %d of its %d bytes are kept", maxKept, record.Size)
	}
	return r.keep(ctx, record)
}
