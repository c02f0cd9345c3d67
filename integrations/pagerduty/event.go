package pagerduty

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// The Events API's limits, in characters, and ours: 512 KB are allowed.
const (
	maxDedup   = 255
	maxSummary = 1024
	maxLine    = 1024
	maxLines   = 60
)

// throttled is how long PagerDuty asks senders to wait after too many events,
// by its documentation; its answer does not contain it.
const throttled = 30 * time.Second

// event is an event of the Events API v2.
type event struct {
	RoutingKey string   `json:"routing_key"`
	Action     string   `json:"event_action"`
	Dedup      string   `json:"dedup_key"`
	Client     string   `json:"client,omitempty"`
	ClientURL  string   `json:"client_url,omitempty"`
	Payload    *payload `json:"payload,omitempty"`
	Links      []link   `json:"links,omitempty"`
}

type payload struct {
	Summary  string  `json:"summary"`
	Source   string  `json:"source"`
	Severity string  `json:"severity"`
	Details  details `json:"custom_details"`
}

type details struct {
	Case  string   `json:"case,omitempty"`
	Lines []string `json:"lines"`
}

type link struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

// alert is the PagerDuty alert of a receipt. A note is a message under another
// one: an entry in the log of that one's alert.
type alert struct {
	service string
	dedup   string
	note    bool
}

const (
	alertRef = "alert"
	noteRef  = "note"
)

func (a alert) ref() string {
	kind := alertRef
	if a.note {
		kind = noteRef
	}
	return a.service + "/" + kind + "/" + a.dedup
}

func parseRef(ref string) (alert, bool) {
	service, rest, _ := strings.Cut(ref, "/")
	kind, dedup, _ := strings.Cut(rest, "/")
	return alert{service, dedup, kind == noteRef}, service != "" && dedup != "" && (kind == alertRef || kind == noteRef)
}

// Post implements [integrations.Messenger]. The channel is a service's name.
// The message's key is the alert's, so that posting it again changes nothing
// while the alert is open; of one that was resolved PagerDuty makes a new one.
// A message under another is a log entry of that one's alert, which pages no one.
// The service decides whom an alert pages: mentions are not sent.
func (p *PagerDuty) Post(ctx context.Context, m integrations.Message) (incident.Receipt, error) {
	op := fmt.Sprintf("page %q with message %q", m.Channel, m.Key)
	if m.Key == "" || m.Channel == "" {
		return incident.Receipt{}, invalid(op, "the message needs a key and a channel")
	}
	if _, ok := p.config.Services[m.Channel]; !ok {
		return incident.Receipt{}, invalid(op, "the integration has no service of that name; it has %s",
			strings.Join(slices.Sorted(maps.Keys(p.config.Services)), ", "))
	}
	a := alert{service: m.Channel, dedup: dedupOf(m.Key)}
	if m.Thread != "" {
		above, ok := parseRef(m.Thread)
		if !ok || above.service != m.Channel {
			return incident.Receipt{}, invalid(op, "its thread is not a message of this service")
		}
		a = alert{service: above.service, dedup: above.dedup, note: true}
	}
	return p.trigger(ctx, op, a, m)
}

// Update implements [integrations.Updater]. An alert cannot be rewritten: while
// its card asks, each change becomes a log entry; when the card no longer asks,
// the alert is resolved. For a card that never asked nothing is sent: people
// resolve its alert, and an event after that would page them again.
func (p *PagerDuty) Update(ctx context.Context, r incident.Receipt, m integrations.Message) (incident.Receipt, error) {
	op := fmt.Sprintf("bring message %q up to date", m.Key)
	a, ok := parseRef(r.Ref)
	if !ok {
		return incident.Receipt{}, invalid(op, "the receipt is not of PagerDuty")
	}
	if _, ok := p.config.Services[a.service]; !ok {
		return incident.Receipt{}, integrations.Errorf(integrations.NotFound, op, "the integration no longer has a service %q", a.service)
	}
	switch {
	case m.Card == nil || m.Card.State == integrations.CardAsking:
		return p.trigger(ctx, op, a, m)
	case m.Card.State == integrations.CardTold || a.note:
		r.Rest = 0
		return r, nil
	}
	return p.send(ctx, op, a, event{Action: "resolve"})
}

func (p *PagerDuty) trigger(ctx context.Context, op string, a alert, m integrations.Message) (incident.Receipt, error) {
	e := event{
		Action: "trigger", Client: "Stanch",
		Payload: &payload{
			Summary: line(m.Title, maxSummary), Source: "stanch", Severity: severityOf(m.Severity),
			Details: details{Lines: linesOf(m.Lines)},
		},
	}
	if e.Payload.Summary == "" {
		e.Payload.Summary = "A message of Stanch"
	}
	if m.Card != nil {
		e.Payload.Details.Case = line(m.Card.Case, maxLine)
		if subject := line(m.Card.Subject, maxLine); subject != "" {
			e.Payload.Source = subject
		}
	}
	if u, err := url.Parse(m.URL); err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") {
		e.ClientURL, e.Links = m.URL, []link{{m.URL, "The case in Stanch"}}
	}
	return p.send(ctx, op, a, e)
}

// send sends an event. PagerDuty answers 202 with the key when it has it.
func (p *PagerDuty) send(ctx context.Context, op string, a alert, e event) (incident.Receipt, error) {
	e.RoutingKey, e.Dedup = p.config.Services[a.service].RoutingKey.Reveal(), a.dedup
	var got struct {
		Dedup string `json:"dedup_key"`
	}
	answer, err := p.http.JSON(ctx, httpx.Request{Op: op, Method: http.MethodPost, URL: p.events + "/v2/enqueue", Write: true}, e, &got)
	if err, ok := errors.AsType[*integrations.Error](err); ok {
		switch {
		case err.Kind == integrations.Throttled && err.After == 0:
			err.After = throttled
		case answer.Status == http.StatusBadRequest:
			err.Err = fmt.Errorf("%w; is the routing key of service %q right?", err.Err, a.service)
		}
		return incident.Receipt{}, err
	}
	if answer.Status != http.StatusAccepted || got.Dedup != a.dedup {
		return incident.Receipt{}, integrations.Errorf(integrations.Ambiguous, op, "the answer is not that of PagerDuty")
	}
	return incident.Receipt{Ref: a.ref(), At: time.Now().UTC()}, nil
}

// dedupOf is a message's key in PagerDuty.
func dedupOf(key string) string {
	if len(key) <= maxDedup {
		return key
	}
	return incident.DigestOf([]byte(key))
}

// severityOf is PagerDuty's word. A message of unknown severity must not wait
// until the morning.
func severityOf(severity string) string {
	switch severity {
	case "critical":
		return "critical"
	case "medium":
		return "warning"
	case "low", "info":
		return "info"
	}
	return "error"
}

// linesOf are a message's lines, as many as PagerDuty accepts.
func linesOf(lines []string) []string {
	out := make([]string, 0, min(len(lines), maxLines+1))
	for i, l := range lines {
		if i == maxLines {
			out = append(out, fmt.Sprintf("and %d more lines", len(lines)-maxLines))
			break
		}
		out = append(out, line(l, maxLine))
	}
	return out
}

// line is untrusted text as one line of at most so many characters, without
// any that control or reorder what is shown.
func line(text string, most int) string {
	runes := make([]rune, 0, min(len(text), most+1))
	for _, r := range text {
		if len(runes) > most {
			break
		}
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) {
			r = ' '
		}
		runes = append(runes, r)
	}
	if len(runes) > most {
		runes = append(runes[:most-1], '…')
	}
	return strings.TrimSpace(string(runes))
}
