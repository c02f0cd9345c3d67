package httpapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Preview says what a body of a source would become, as [Receiver] would read and route it.
// It asks no engine, keeps nothing and starts nothing.
func (r *Receiver) Preview(ctx context.Context, source alerts.Source, body []byte) api.Preview {
	out := api.Preview{Source: source.Name, Kind: source.Kind, Alerts: []api.PreviewedAlert{}}
	parsed, err := source.Parse(body, r.Now())
	if wrong, ok := errors.AsType[*alerts.FieldError](err); ok {
		out.Wrong = &api.Wrong{Path: wrong.Path, Pointer: alerts.Pointer(body, wrong.Path), Problem: wrong.Problem}
		return out
	}
	for i := range parsed {
		out.Alerts = append(out.Alerts, r.previewed(ctx, body, &parsed[i]))
	}
	return out
}

func (r *Receiver) previewed(ctx context.Context, body []byte, p *alerts.Parsed) api.PreviewedAlert {
	in := r.taken(ctx, p)
	out := api.PreviewedAlert{Index: p.Index, Alert: p.Alert}
	out.Alert.Raw = nil
	if p.Wrong != nil {
		out.Wrong = &api.Wrong{Path: p.Wrong.Path, Pointer: alerts.Pointer(body, p.Wrong.Path), Problem: p.Wrong.Problem}
		return out
	}
	for _, playbook := range r.Playbooks() {
		out.Triggers = append(out.Triggers, r.verdict(ctx, playbook, p.Alert))
	}
	if out.Case = in.ID; in.Pin.Name != r.unmatched() {
		out.Playbook = in.Pin.Name
	}
	return out
}

// verdict is what the trigger of a playbook says of an alert.
func (r *Receiver) verdict(ctx context.Context, p *playbooks.Playbook, a incident.Alert) api.TriggerVerdict {
	verdict, missing, err := p.Match(ctx, &incident.Facts{Alert: a}, r.Now())
	out := api.TriggerVerdict{Playbook: p.Name, Match: p.Trigger.Match, Holds: "unknown", Missing: incident.MissingTexts(missing)}
	if err != nil {
		out.Error = err.Error()
	}
	switch verdict {
	case incident.True:
		out.Holds, out.Missing = "true", nil
	case incident.False:
		out.Holds, out.Missing = "false", nil
	case incident.Unsure, incident.Failed, incident.Skipped:
	}
	return out
}

// CouldTake reports whether the trigger of a playbook does not rule an alert out, by what is
// known of it.
func CouldTake(ctx context.Context, p *playbooks.Playbook, a incident.Alert, now time.Time) bool {
	verdict, _, err := p.Match(ctx, &incident.Facts{Alert: a}, now)
	return err != nil || verdict != incident.False
}

// tryBody answers an authenticated sender what a body of its source would become. It is a
// path of its own: neither a server that does not know it nor a proxy that drops a header can
// take the body for an alert.
func (r *Receiver) tryBody(w http.ResponseWriter, req *http.Request) {
	name := req.PathValue("source")
	source := r.Sources[name]
	body, release, p := r.authentic(w, req, name)
	defer release()
	if p == nil && !r.limits[name].Allow() {
		p = fail(http.StatusTooManyRequests, "throttled", "more requests than the rate of the source allows: send it again later")
	}
	if p != nil {
		p.reply(w)
		return
	}
	preview := r.Preview(req.Context(), source.Source, body)
	for i := range preview.Alerts {
		// What playbooks look for is not the sender's to know.
		preview.Alerts[i].Triggers = nil
	}
	reply(w, http.StatusOK, preview)
}
