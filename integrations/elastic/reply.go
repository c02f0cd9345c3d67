package elastic

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// AlertsConfig is the configuration of Kibana's detection alerts in stanch.yaml.
type AlertsConfig struct {
	URL          string              `yaml:"url,required" doc:"Kibana's address, such as https://kibana.example:5601."`
	Space        string              `yaml:"space" doc:"The identifier of the Kibana space that the alerts are in; empty: the default one."`
	APIKey       integrations.Secret `yaml:"api_key,required" doc:"An API key, in its encoded form."`
	httpx.Access `yaml:",inline"`
}

// AlertsSpec describes the integration by which the alerts of Elastic Security are answered.
func AlertsSpec() integrations.Spec {
	return integrations.Spec{
		Kind:       "elasticalerts",
		Summary:    "Elastic Security: what becomes of its alerts, as notes at them, by Kibana.",
		Implements: (*Notes)(nil),
		Permissions: []integrations.Permission{
			{Name: "Security, All", Why: "Kibana: closes alerts, which needs the index privileges read and write on .alerts-security.alerts-* as well"},
			{Name: "Security: Notes, All", Why: "Kibana: reads and writes notes at alerts; before version 9 it is part of Security"},
		},
		Example:   "soc: { kind: elasticalerts, url: 'https://kibana.example:5601', api_key_file: /run/secrets/elastic }",
		NewConfig: func() any { return &AlertsConfig{Access: httpx.Access{Timeout: defaultTimeout}} },
		Open:      integrations.OpenWith(func(_ context.Context, c *AlertsConfig) (any, error) { return OpenAlerts(*c) }),
	}
}

// Notes is the alerts of one Kibana space, and the notes at them. It is safe for concurrent
// use.
//
// It is written after Elastic's documents and was never tried on a deployment.
//
// https://www.elastic.co/docs/api/doc/kibana/group/endpoint-security-timeline-api
type Notes struct {
	kibana kibana
	now    func() time.Time
}

// OpenAlerts returns the alerts that a configuration describes. It does not connect.
func OpenAlerts(c AlertsConfig) (*Notes, error) {
	const op = "open elasticalerts"
	address, err := httpx.Address("url", c.URL, "https://elastic.example:9200")
	switch {
	case err != nil:
	case c.APIKey == "":
		err = fmt.Errorf("write an api_key")
	case c.Space != "" && !allowed(c.Space, "_-"):
		err = fmt.Errorf("invalid space %q: must be its identifier, of letters, digits, _ and -", c.Space)
	default:
		err = checkTimeout(c.Timeout)
	}
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, op, "%w", err)
	}
	if c.Space != "" {
		address += "/s/" + c.Space
	}
	o := c.Options()
	o.Credentials = "api_key, and the privileges of its role"
	client, err := httpx.New(o)
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, op, "%w", err)
	}
	return &Notes{kibana{client, address, c.APIKey}, time.Now}, nil
}

// Circuit implements [integrations.Breaker].
func (n *Notes) Circuit() integrations.Circuit { return n.kibana.client.Circuit() }

// Close closes the connections.
func (n *Notes) Close() error { return n.kibana.client.Close() }

// The calls of the API.
const (
	notesPath  = "/api/note"
	searchPath = "/api/detection_engine/signals/search"
	statusPath = "/api/detection_engine/signals/status"
)

// Probe implements [integrations.Prober].
func (n *Notes) Probe(ctx context.Context) []integrations.Finding {
	a, err := n.kibana.ask(ctx, call{op: "read notes", method: http.MethodGet, path: notesPath, query: url.Values{"documentIds": {"none"}}, members: []string{"notes"}}, nil, nil)
	if err != nil {
		fix := kibanaFix(err, "Notes")
		if integrations.KindOf(err) == integrations.NotFound {
			fix = "check url and space, and that Kibana is 8.16 or newer: before, it has no notes at alerts"
		}
		return []integrations.Finding{{What: err.Error(), Fix: fix}}
	}
	return []integrations.Finding{
		{What: "Kibana answers at " + n.kibana.base + ", and takes notes at alerts", OK: true},
		httpx.Clock("Elastic's", a.Header, n.now()),
		{
			What: "cannot tell whether the API key may close alerts: Kibana shows it by doing it alone", OK: true, Warning: true,
			Fix: "compare the key's role with the page of this kind",
		},
	}
}

// ReplyTo implements [integrations.Replier]: a note at the alert, which people read as
// Markdown. What was noted is known by the mark in it.
func (n *Notes) ReplyTo(ctx context.Context, r integrations.Reply) (incident.Receipt, error) {
	op := "write a note at alert " + alerts.Quote(r.To.ID)
	if r.Key == "" || r.To.ID == "" {
		return incident.Receipt{}, integrations.Errorf(integrations.Invalid, op, "the reply needs a key and an alert")
	}
	status, err := n.status(ctx, op, r.To.ID)
	if err != nil {
		return incident.Receipt{}, err
	}
	now := n.now().UTC()
	if err := n.note(ctx, op, r); err != nil {
		return incident.Receipt{}, err
	}
	if r.Close && status != closed {
		if err := n.close(ctx, "close alert "+alerts.Quote(r.To.ID), r.To.ID); err != nil {
			return incident.Receipt{}, err
		}
	}
	return incident.Receipt{Ref: r.Key, At: now}, nil
}

// closed is the state of an alert that nobody has to look at any more.
const closed = "closed"

// ask is kibana's. The paths are fixed: one that is missing says nothing of an alert.
func (n *Notes) ask(ctx context.Context, c call, in, out any) error {
	_, err := n.kibana.ask(ctx, c, in, out)
	if err != nil && integrations.KindOf(err) == integrations.NotFound {
		return integrations.Errorf(integrations.Unavailable, c.op, "Kibana has no %s: check url and space, and that they have Elastic Security: %w", c.path, err)
	}
	return err
}

// close closes an alert. Of one that is not there Kibana says that it changed none.
func (n *Notes) close(ctx context.Context, op, id string) error {
	var out struct {
		Total   int `json:"total"`
		Updated int `json:"updated"`
	}
	err := n.ask(ctx, call{op: op, method: http.MethodPost, path: statusPath, write: true, members: []string{"updated"}},
		map[string]any{"signal_ids": []string{id}, "status": closed}, &out)
	switch {
	case err != nil:
		return err
	case out.Updated == 0 && out.Total > 0:
		return integrations.Errorf(integrations.Conflict, op, "another change was made meanwhile")
	case out.Updated == 0:
		return integrations.Errorf(integrations.NotFound, op, "there is no such alert in the space any more")
	}
	return nil
}

// status is the state of an alert, which must be there.
func (n *Notes) status(ctx context.Context, op, id string) (string, error) {
	var out struct {
		TimedOut bool `json:"timed_out"`
		Shards   struct {
			Failed int `json:"failed"`
		} `json:"_shards"`
		Hits struct {
			Hits []struct {
				Source map[string]any `json:"_source"`
			} `json:"hits"`
		} `json:"hits"`
	}
	err := n.ask(ctx, call{op: op, method: http.MethodPost, path: searchPath, members: []string{"hits"}}, map[string]any{
		"query": map[string]any{"ids": map[string]any{"values": []string{id}}}, "_source": []string{statusField}, "size": 1,
	}, &out)
	switch {
	case err != nil:
		return "", err
	case len(out.Hits.Hits) > 0:
		word, _ := alerts.Lookup(out.Hits.Hits[0].Source, statusField).(string)
		return word, nil
	case out.TimedOut || out.Shards.Failed > 0:
		return "", integrations.Errorf(integrations.Unavailable, op, "the search did not reach all alerts")
	}
	return "", integrations.Errorf(integrations.NotFound, op, "there is no such alert in the space")
}

const statusField = "kibana.alert.workflow_status"

// note writes the note, unless it is there.
func (n *Notes) note(ctx context.Context, op string, r integrations.Reply) error {
	var out struct {
		Notes []struct {
			Note string `json:"note"`
		} `json:"notes"`
	}
	err := n.kibana.get(ctx, op, notesPath, url.Values{"documentIds": {r.To.ID}}, &out, "notes")
	if integrations.KindOf(err) == integrations.NotFound && err != nil {
		return integrations.Refuse(integrations.Invalid, op, "this Kibana takes no notes at alerts, which are new in version 8.16")
	}
	if err != nil {
		return err
	}
	mark := r.Mark()
	for _, have := range out.Notes {
		if strings.Contains(have.Note, mark) {
			return nil
		}
	}
	paragraphs := slices.Collect(strings.SplitSeq(integrations.Inert(strings.Join(r.Lines(), "\n")), "\n"))
	text := strings.Join(append(paragraphs, mark), "\n\n")
	return n.write(ctx, op, map[string]any{"eventId": r.To.ID, "note": text, "timelineId": ""})
}

// noMoreNotes is why Kibana wrote no note, as far as it can be known.
const noMoreNotes = "Kibana takes no more notes there, or none of this user: it takes 100 at an alert, and before version 9.1 as many in a space as its setting securitySolution:maxUnassociatedNotes says"

// write writes a note. That Kibana takes no more of them is an answer with status 200, too,
// whose code says it; until version 9.0 it is within data.persistNote.
func (n *Notes) write(ctx context.Context, op string, note map[string]any) error {
	type written struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}
	var out struct {
		written
		Data struct {
			PersistNote written `json:"persistNote"`
		} `json:"data"`
	}
	err := n.ask(ctx, call{op: op, method: http.MethodPatch, path: notesPath, write: true, members: []string{"code", "data"}}, map[string]any{"note": note}, &out)
	if err != nil {
		return err
	}
	answer := out.written
	if answer.Code == 0 {
		answer = out.Data.PersistNote
	}
	switch answer.Code {
	case http.StatusOK:
		return nil
	case http.StatusForbidden:
		e := integrations.Refuse(integrations.Invalid, op, noMoreNotes)
		e.Err = fmt.Errorf("%w: %s", e.Err, httpx.Quote(answer.Message))
		return e
	}
	return integrations.Errorf(integrations.Ambiguous, op, "Kibana answers with code %d: %s", answer.Code, httpx.Quote(answer.Message))
}
